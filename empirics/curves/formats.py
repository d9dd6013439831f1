"""Formats that training curves come in, told by what is inside a file, never by its ending alone."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from dcrit.empirics.curves.event_files import event_files_in, is_event_file, table_of_events
from dcrit.empirics.curves.foreign_parquet import MOST_COLUMNS, MOST_VALUES, ForeignParquetError, read_parquet
from dcrit.empirics.curves.json_tables import MOST_GRID, table_of_json, table_of_values
from dcrit.empirics.curves.names import is_known, is_step, listed
from dcrit.empirics.curves.numbers import is_number
from dcrit.empirics.curves.printed import table_of_prints
from dcrit.empirics.curves.reshaping import reshaped
from dcrit.empirics.curves.table import ASSUMED, NAMELESS, READ, Table, one_curve, stacked
from dcrit.theory.calibrations.bounded_files import read_bounded
from dcrit.theory.checks import FieldError

#: Most bytes of a file, unpacked ones too.
LARGEST_FILE = 256_000_000

#: What files that hold no readable curves begin with, what they are, and what helps.
_OTHERS = (
    (b"PK\x03\x04", "a ZIP archive, such as .xlsx or .pt", "save its curves as CSV"),
    (b"\x89HDF", "an HDF5 file", "save its curves as CSV"),
    (b"SQLite format 3", "an SQLite database", "export its metrics as CSV"),
    (b":W&B", "a run file of Weights & Biases", "export the chart or the run's history as CSV"),
    (b"ARROW1", "an Arrow file", "save it as Parquet or CSV"),
    (b"\xff\xd8\xff", "a picture", "give the numbers it was drawn from"),
    (b"\x89PNG", "a picture", "give the numbers it was drawn from"),
    (b"%PDF", "a PDF document", "give the numbers in it as CSV"),
    (b"BZh", "packed by bzip2", "unpack it"),
    (b"\xfd7zXZ", "packed by xz", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "unpack it"),
    *(
        (bytes((0x80, version)), "a pickle, which is never unpickled", "save its curves as CSV")
        for version in range(2, 6)
    ),
    *(
        (start, "a pickle, which is never unpickled", "save its curves as CSV")
        for start in (b"(dp0\n", b"(lp0\n", b"}q\x00", b"]q\x00", b"ccopy_reg\n", b"cnumpy", b"ccollections\n")
    ),
)

#: Fewest columns of a table that lies on its side.
FEWEST_TURNED = 8

#: Lines that a format is told by.
_SAMPLE = 200

#: Milliseconds since 1970 of any time since 1990, by which rows of MLflow begin.
_MILLISECONDS = 6e11


def read_table(path: Path) -> Table:
    """What a file holds, with a column for every curve. Nothing in it is executed.

    Args:
        path: A file, or a folder with TensorBoard's event files.

    Raises:
        ValueError: It cannot be read, or holds no table of any format that is known.
    """
    if path.is_dir():
        if events := event_files_in(path):
            return table_of_events(events, path)
        if metrics := _mlflow_files(path):
            return _mlflow(metrics, path)
    data = read_bounded(path, "file", LARGEST_FILE)
    name = path.name
    if data.startswith(b"\x1f\x8b"):
        data, name = _unpacked(data, path), name.removesuffix(".gz")
    if is_event_file(data):
        if name != path.name:
            raise FieldError("file", READ, f"{path} with packed TensorBoard events", why="unpack it")
        return table_of_events([path], path)
    if data.startswith(b"PAR1"):
        found = _parquet(data, path)
    elif (arrays := _arrays(data, path)) is not None:
        found = arrays
    elif data.startswith(b"\x93NUMPY"):
        found = _array(data, path, name)
    else:
        found = _text(_decoded(data, path), str(path), name)
    if found.frame.is_empty():
        raise FieldError(
            "file", "hold a header and rows", f"{path} without any row", why=f"it was read as {found.format}"
        )
    return reshaped(found, str(path))


#: Most files of a folder that are looked at.
_MOST_FILES = 2000

_MLFLOW = re.compile(rb"\d{13} \S+ -?\d+\r?\n")


def _mlflow_files(folder: Path) -> list[Path]:
    """Metrics as MLflow keeps them: rows of milliseconds, value and step."""
    found: list[Path] = []
    for k, one in enumerate(sorted(folder.rglob("*"))):
        if k > _MOST_FILES:
            break
        if one.is_file() and not one.is_symlink():
            with one.open("rb") as file:
                if _MLFLOW.match(file.read(200)):
                    found.append(one)
    return found


def _mlflow(files: list[Path], folder: Path) -> Table:
    """One table of the metrics in a folder, a run for every folder called ``metrics``."""
    frames: list[pl.DataFrame] = []
    for path in files:
        parts = path.relative_to(folder).parts
        place = parts.index("metrics") + 1 if "metrics" in parts[:-1] else len(parts) - 1
        text = read_bounded(path, "file", LARGEST_FILE).decode("utf-8", errors="replace")
        frame = pl.read_csv(io.BytesIO(text.encode()), separator=" ", has_header=False, infer_schema=False)
        names = {frame.columns[1]: "/".join(parts[place:]), frame.columns[2]: "step"}
        run = "/".join(parts[: max(place - 1, 0)])
        frames.append(frame.drop(frame.columns[0]).rename(names).with_columns(pl.lit(run).alias("run")))
    found = stacked(frames)
    found = found.drop("run") if found["run"].n_unique() == 1 else found
    return Table(frame=found, format="metrics of MLflow", name=folder.name)


def _unpacked(data: bytes, path: Path) -> bytes:
    try:
        worker = zlib.decompressobj(wbits=31)
        made = worker.decompress(data, LARGEST_FILE + 1)
    except zlib.error as error:
        raise FieldError("file", READ, path, why=f"it is packed by gzip and damaged ({error})") from error
    if len(made) > LARGEST_FILE:
        raise FieldError("file", f"hold at most {LARGEST_FILE / 1e6:g} MB when unpacked", path)
    return made


def _parquet(data: bytes, path: Path) -> Table:
    try:
        return Table(frame=read_parquet(data), format="Parquet", name=path.name)
    except (pl.exceptions.PolarsError, ForeignParquetError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FieldError("file", READ, path, why=f"it begins as Parquet does, but {reason}") from error


def _arrays(data: bytes, path: Path) -> Table | None:
    """Curves that ``numpy.savez`` wrote, one array each; None for other files. Objects are never unpickled."""
    if not data.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile:
        return None
    if not members or not all(one.filename.endswith(".npy") for one in members):
        return None
    if sum(one.file_size for one in members) > LARGEST_FILE:
        raise FieldError("file", f"hold at most {LARGEST_FILE / 1e6:g} MB when unpacked", path)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            columns: dict[str, np.ndarray] = {}
            objects: list[str] = []
            for name in arrays.files:
                try:
                    columns[name] = np.squeeze(arrays[name])
                except ValueError as error:
                    if "pickle" not in str(error):
                        raise
                    objects.append(name)
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, zlib.error) as error:
        reason = str(error).partition("\n")[0]
        raise FieldError("file", READ, path, why=f"it begins as NumPy's arrays do, but {reason}") from error
    curves = {name: one.tolist() for name, one in columns.items() if one.ndim == 1 and one.dtype.kind in "biuf"}
    for name, one in columns.items():
        if one.ndim == 2 and one.dtype.kind in "biuf" and min(one.shape) <= MOST_GRID:
            runs = one if one.shape[0] <= one.shape[1] else one.T
            curves |= {f"{name}_{k}": row.tolist() for k, row in enumerate(runs)}
    left = f"arrays of objects, which are never unpickled, are left out: {listed(objects)}"
    if not curves:
        raise FieldError("file", "hold an array of numbers for each curve", path, why=left if objects else "")
    return replace(table_of_values(curves), format="arrays of NumPy", name=path.name, notes=(left,) if objects else ())


def _array(data: bytes, path: Path, name: str) -> Table:
    """What ``numpy.save`` wrote: one curve, columns, or fields with names. Objects are never unpickled."""
    try:
        found = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        objects = "pickle" in str(error)
        reason = "it holds objects, which are never unpickled: save its curves as CSV" if objects else str(error)
        raise FieldError("file", READ, f"{path}, which is one NumPy array", why=reason.partition("\n")[0]) from error
    if found.dtype.names:
        curves = {one: found[one].tolist() for one in found.dtype.names if found[one].ndim == 1}
        return replace(table_of_values(curves), format="a NumPy array with names", name=name)
    rows = np.squeeze(found)
    if rows.ndim not in (1, 2) or rows.dtype.kind not in "biuf" or not rows.size:
        raise FieldError(
            "file",
            READ,
            f"{path}, which is one NumPy array of shape {found.shape}",
            why="save its curves as CSV, or by numpy.savez with their names",
        )
    columns = rows[:, None] if rows.ndim == 1 else rows
    frame = pl.DataFrame({str(k): [repr(one) for one in columns[:, k].tolist()] for k in range(columns.shape[1])})
    return _without_header(frame, [], ",", str(path), name.removesuffix(".npy"))


def _decoded(data: bytes, path: Path) -> str:
    """Text in whatever encoding the file has."""
    for start, what, helps in _OTHERS:
        if data.startswith(start):
            raise FieldError("file", READ, f"{path}, which is {what}", why=helps)
    encoding = next(
        (
            name
            for mark, name in (
                (b"\xef\xbb\xbf", "utf-8-sig"),
                (b"\xff\xfe\x00\x00", "utf-32"),
                (b"\xff\xfe", "utf-16"),
                (b"\xfe\xff", "utf-16"),
            )
            if data.startswith(mark)
        ),
        None,
    )
    if encoding is None and len(data) > 3 and data[1:40:2].count(0) > len(data[1:40:2]) // 2:
        encoding = "utf-16-le"
    text = ""
    for name in (encoding,) if encoding else ("utf-8", "cp1252"):
        try:
            text = data.decode(name)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise FieldError("file", READ, f"{path}, which is binary")
    if re.search(r"[\x00-\x06\x0e-\x1a\x1c-\x1f]", text[:100_000]):
        raise FieldError("file", READ, f"{path}, which is binary")
    if text.lstrip()[:1] == "<":
        raise FieldError("file", READ, f"{path}, which is a page of HTML or XML", why="save its table as CSV")
    if not text.strip():
        raise FieldError("file", READ, f"{path}, which is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text(text: str, source: str, name: str) -> Table:
    """A table in text: JSON, a table with some separator, or lines that programs print."""
    found = table_of_json(text, source, name)
    if found is not None:
        return found
    text = _drawn(text)
    layout = _layout(text)
    if layout is None:
        printed = table_of_prints(text, name)
        if printed is not None:
            return printed
        layout = ","
    return _separated(text, layout, source, name)


def _drawn(text: str) -> str:
    """Tables that are drawn with lines, or typeset by LaTeX, with bars between their cells; other text as it is."""
    first = text[:20_000]
    if first.count("│") + first.count("┃") >= 6:
        text = re.sub(
            r"^[^\S\n]*[\u2500-\u257f \t]+$\n?", "", text.replace("│", "|").replace("┃", "|"), flags=re.MULTILINE
        )
    elif len(re.findall(r"&[^\n]*\\\\", first)) >= 3:
        text = re.sub(r"^[ \t]*\\[^\n&]*$\n?", "", text, flags=re.MULTILINE)
        text = re.sub(r"\\\\.*$", "", text.replace("\\%", "%"), flags=re.MULTILINE).replace("&", "|")
    return text


def _rows(text: str) -> list[str]:
    """The first lines that are neither blank nor comments."""
    return [line for line in text[:200_000].split("\n") if line.strip() and not _COMMENT.match(line)][:_SAMPLE]


_DATE = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"
_COMMENT = re.compile(r"[ \t]*(#|//|%|--)")
_COMMENTS = re.compile(r"^[ \t]*(?:#|//|%|--)(.*)\n?", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*\|?[ \t:|+=-]+\|?[ \t]*\n?", re.MULTILINE)


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    if '"' in line:
        line = re.sub(r'"([^"]*)"', lambda quoted: quoted[1].replace(separator, "\x00"), line)
    return (line.strip().strip("|") if separator == "|" else line).split(separator)


def _layout(text: str) -> str | None:
    """The separator of a table's cells, where most lines have as many cells as the others, numbers among them."""
    rows = _rows(text)
    best: tuple[float, float, int] | None = None
    chosen = None
    for separator in ("\t", ";", "|", ",", " "):
        cells = [_cells(line, separator) for line in rows]
        width, times = Counter(map(len, cells)).most_common(1)[0] if cells else (1, 0)
        alike = [one for one in cells[1:] if len(one) == width] or cells
        if width < 2 or times < 0.8 * len(rows):
            continue
        numeric = sum(is_number(cell.replace("\x00", separator)) for one in alike for cell in one)
        share = numeric / sum(map(len, alike))
        score = (round(share, 2), times / len(rows), width)
        if share > 0.3 and (best is None or score > best):
            best, chosen = score, separator
    if chosen is None or best is None:
        return None
    header = _cells(rows[0], chosen)
    named = any(is_step(cell) or is_known(cell) for cell in header) and not any(map(is_number, header))
    return None if best[0] < 0.75 and not named and table_of_prints("\n".join(rows), "") else chosen  # words and values


def _separated(text: str, separator: str, source: str, name: str) -> Table:
    comments = [found[1].strip() for found in _COMMENTS.finditer(text[:20_000])]
    body = _COMMENTS.sub("", text) if comments else text
    if separator == "|":
        body = re.sub(r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*$", "", _RULE.sub("", body), flags=re.MULTILINE)
    if separator == " ":
        body = re.sub(r"[ \t]+", "\t", re.sub(r"^[ \t]+|[ \t]+$", "", body, flags=re.MULTILINE))
        separator = "\t"
    body, notes = _from_first_row(body, separator)
    header = [cell.strip().strip('"') for cell in _cells(body.partition("\n")[0], separator)]
    n_columns = len(header)
    if n_columns > MOST_COLUMNS or n_columns * (body.count("\n") + 1) > MOST_VALUES:
        raise FieldError(
            "file",
            f"hold at most {MOST_COLUMNS} columns and {MOST_VALUES} values",
            f"{source} of {n_columns} columns and {body.count(chr(10))} rows",
        )
    headless = all(is_number(cell) or re.fullmatch(_DATE, cell) for cell in header) and any(map(is_number, header))
    try:
        frame = pl.read_csv(io.BytesIO(body.encode()), infer_schema=False, separator=separator, has_header=not headless)
    except pl.exceptions.PolarsError as error:
        cells = ((k, len(_cells(line, separator))) for k, line in enumerate(body.split("\n")[:1_000_000], start=1))
        long = next(((k, number) for k, number in cells if number > n_columns), None)
        reason = str(error).strip().partition("\n")[0]
        if long is not None:
            reason = f"line {long[0]} of its table has {long[1]} cells, and the first {n_columns}"
        raise FieldError("file", READ, source, why=reason) from error
    if headless:
        return _without_header(frame, comments, separator, source, name)
    frame = _on_its_side(_under_two_headers(frame))
    frame, more = _without_words(frame)
    notes = (*notes, *more)
    again = pl.all_horizontal(pl.col(one).str.strip_chars() == one.strip() for one in frame.columns)
    n_again = frame.select(again.sum()).item() if frame.height else 0
    if n_again:
        frame = frame.filter(~again.fill_null(False))
        notes = (*notes, f"the header stands in {n_again} more places, as where a run was taken up again")
    return Table(frame=frame, format="a table with a header", name=name, notes=notes)


def _under_two_headers(frame: pl.DataFrame) -> pl.DataFrame:
    """A table below two rows of names, such as sets above metrics, with both in the name of each column."""
    if frame.is_empty() or not any(re.search(r"_duplicated_\d+$", one) for one in frame.columns):
        return frame
    words = frame.row(0)
    if any(one is not None and is_number(one) and one.strip() for one in words):
        return frame
    names = [re.sub(r"_duplicated_\d+$", "", one) for one in frame.columns]
    both = [f"{name}/{word}".strip("/") if word else name for name, word in zip(names, words, strict=True)]
    return frame.slice(1).rename(dict(zip(frame.columns, both, strict=True))) if len(set(both)) == len(both) else frame


def _on_its_side(frame: pl.DataFrame) -> pl.DataFrame:
    """A table with a row for every curve and a column for every step, turned."""
    first, *others = frame.columns
    words = [one or "" for one in frame[first].head(MOST_GRID).to_list()]
    steps = [re.sub(r"_duplicated_\d+$", "", one) for one in others]
    if len(others) < FEWEST_TURNED or frame.height > MOST_GRID or not all(map(is_number, steps)):
        return frame
    if len(set(words)) < len(words) or not any(map(is_known, words)):
        return frame
    turned = {word: frame.row(k)[1:] for k, word in enumerate(words)}
    return pl.DataFrame({"step": steps} | {word: list(values) for word, values in turned.items() if word != "step"})


def _without_words(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table without lines of words between its rows, which fill the first cell alone."""
    if frame.width < 2 or frame.is_empty():
        return frame, ()
    notes: tuple[str, ...] = ()
    units = [one is not None and not is_number(one) for one in frame.row(0)]
    if all(units) and frame.height > 1 and any(one is not None and is_number(one) for one in frame.row(1)):
        frame, notes = frame.slice(1), ("the row below the header, which holds words, was left out",)
    first, *others = frame.columns
    lone = frame.select(pl.all_horizontal(pl.col(one).is_null() for one in others)).to_series()
    words = [k for k in lone.arg_true().to_list()[:10_000] if not is_number(frame[first][k] or "")]
    if not words or len(words) > frame.height // 2:
        return frame, notes
    kept = frame.with_row_index("\x00").filter(~pl.col("\x00").is_in(words)).drop("\x00")
    return kept, (
        *notes,
        f"{len(words)} lines of words in the table were left out",
    )


def _from_first_row(body: str, separator: str) -> tuple[str, tuple[str, ...]]:
    """The text from its table on, where other lines stand above it."""
    rows = _rows(body)
    width, times = Counter(len(_cells(line, separator)) for line in rows).most_common(1)[0] if rows else (1, 0)
    skipped = next((k for k, line in enumerate(rows) if len(_cells(line, separator)) == width), 0)
    # One cell less in the header: pandas and R print an index without a name, and others end rows with a separator.
    if skipped == 1 and times == len(rows) - 1 and len(_cells(rows[0], separator)) == width - 1:
        if all(not _cells(row, separator)[-1].strip() for row in rows[1:]):
            head, _, rest = body.lstrip("\n").partition("\n")
            return f"{head}{separator}\n{rest}", ()
        if not any(map(is_number, _cells(rows[0], separator))):
            return f"index{separator}{body.lstrip()}", ()
    if not skipped or times < 3 or width < 2:
        return body.lstrip("\n"), ()
    start = body.index(rows[skipped])
    return body[start:], (f"{skipped} lines above the table were left out",)


def _without_header(frame: pl.DataFrame, comments: list[str], separator: str, source: str, name: str) -> Table:
    """Columns called by a comment above them, by what their numbers are, or 1, 2, …."""
    for comment in reversed(comments):
        for cells in (_cells(comment, separator), comment.split()):
            names = [cell.strip().strip('"') for cell in cells]
            if len(names) == frame.width and len(set(names)) == len(names) and not any(map(is_number, names)):
                return Table(
                    frame=frame.rename(dict(zip(frame.columns, names, strict=True))),
                    format="a table below a comment with names",
                    name=name,
                )
    times = [one for one in frame.columns if re.fullmatch(_DATE, (frame[one][0] or "").strip())]
    frame = frame.drop(times) if frame.width - len(times) == 2 else frame
    frame = frame.rename({old: str(k + 1) for k, old in enumerate(frame.columns)})
    if frame.width == 1:
        rows = frame.rename({"1": "value"}).with_row_index("step").with_columns(pl.col("step").cast(pl.String))
        return one_curve(rows, source, name, "values without steps, which are counted from 0")
    what = f"a table of {frame.width} columns without names, which are called 1 to {frame.width}"
    first = frame["1"].cast(pl.Float64, strict=False)
    if frame.width == 3 and first.min() is not None and float(first.min()) > _MILLISECONDS:  # type: ignore[arg-type]
        rows = frame.select(pl.col("3").alias("step"), pl.col("2").alias("value"))
        return one_curve(rows, source, name, "a metric of MLflow")
    if frame.width == 2:
        return one_curve(frame.rename({"1": "step", "2": "value"}), source, name, "steps and values without names")
    if frame.width == 3 and first.is_sorted():
        return Table(
            frame=frame.rename(dict(zip(frame.columns, NAMELESS, strict=True))),
            format=what,
            name=name,
            notes=(ASSUMED,),
        )
    return Table(frame=frame, format=what, name=name)
