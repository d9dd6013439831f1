"""Training curves in JSON: columns, records, histories inside other things, and one record a line."""

from __future__ import annotations

import ast
import contextlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from dcrit.empirics.curves.names import is_field, is_known, is_step, listed, metric_of, names_steps, set_of
from dcrit.empirics.curves.table import (
    ASSUMED,
    NAMELESS,
    READ,
    Table,
    curve_frame,
    frame_of,
    from_records,
    one_curve,
    stacked,
)
from dcrit.theory.checks import FieldError

#: Most runs whose curves are rows of one list.
MOST_GRID = 100

#: Deepest nesting that is looked into.
DEEPEST = 12

#: Steps beside values, as trackers of experiments write one curve.
_PAIRS = (("steps", "values"), ("step", "value"), ("steps", "value"), ("x", "y"), ("iters", "values"))

_WALL_TIME = 1e9


def table_of_json(text: str, source: str, name: str) -> Table | None:
    """What a JSON document or lines of JSON hold; None where the text is neither.

    Args:
        text: The file.
        source: What it is called in messages.
        name: Its name without folder.

    Raises:
        ValueError: It is JSON without curves.
    """
    start = text.lstrip()
    if lists := _assignments(text):
        return _document(lists, source, name)
    if start[:1] not in ("{", "[") and "\n{" not in text[:20_000] and ' {"' not in text[:20_000]:
        return None
    if start[:1] in ("{", "["):
        try:
            return _document(json.loads(start), source, name)
        except RecursionError:
            raise FieldError("file", READ, source, why=f"its JSON is nested more than {DEEPEST} deep") from None
        except ValueError as error:
            if isinstance(error, FieldError):
                raise
    if start[:1] == "[" and (rows := _list_lines(start)):
        return _listed_document(rows, source, name)
    records, skipped = _lines(text.replace("}{", "}\n{"))
    if not records:
        if re.match(r"\{|\[\s*[\[{\"]", start):
            raise FieldError("file", READ, source, why="it begins as JSON does, and is damaged or breaks off")
        return None
    notes = (f"{skipped} lines that are no JSON record were left out",) if skipped else ()
    found = _records(records, "JSON, one record a line", name)
    return Table(frame=found.frame, format=found.format, name=name, notes=(*notes, *found.notes))


_ASSIGNMENT = re.compile(
    r"^[ \t]*(\w[\w./@ -]{0,80}?)[ \t]{0,80}[:=][ \t]*(\[[^\]]*\])[ \t]*[,;]?[ \t]*$", re.MULTILINE
)


#: A list of YAML, one value a line.
_BLOCK = re.compile(r"^[ \t]*(\w[\w./@ -]{0,80}?):[ \t]*\n((?:[ \t]*-[ \t]+[^\n:]+\n)+)", re.MULTILINE)

#: Numbers as NumPy and PyTorch print them inside lists.
_TYPED = re.compile(r"(?:np\.float\d*|tensor)\(([^(),]*)[^()]*\)")


def _assignments(text: str) -> dict[str, Any]:
    """Lists with names, a line each, as ``train_acc = [0.1, 0.2]``; none where no curve is among them."""
    if not re.match(r"\s*(\[[\w. ]+\]\s*\n\s*)?\w", text):
        return {}
    found: dict[str, Any] = {}
    for name, rows in _BLOCK.findall(text) if "\n- " in text or " - " in text else ():
        values = [re.sub(r"^\s*-\s*", "", row).strip() for row in rows.splitlines()]
        with contextlib.suppress(ValueError):
            found[name] = json.loads(_TYPED.sub(r"\1", f"[{','.join(values)}]"))
    for name, values in _ASSIGNMENT.findall(text):
        with contextlib.suppress(ValueError):
            found[name] = json.loads(_TYPED.sub(r"\1", values))
    return found if any(is_known(name) and _is_column(values) for name, values in found.items()) else {}


def table_of_values(value: Any) -> Table:
    """The table in columns, records or a history that Python holds, as JSON would.

    Args:
        value: A mapping or a list.

    Raises:
        ValueError: It holds no curves.
    """
    return _document(list(value) if isinstance(value, tuple) else value, "the table", "")


def _list_lines(text: str) -> list[Any]:
    """Lists, one a line; none where any line is something else."""
    found: list[Any] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, list):
            return []
        found.append(value)
    return found


def _lines(text: str) -> tuple[list[Mapping[str, Any]], int]:
    """Records of lines, and how many other lines there are; none where most lines are something else."""
    records: list[Mapping[str, Any]] = []
    others = 0
    for line in text.splitlines():
        word = line.strip().rstrip(",")
        if not word:
            continue
        value: Any = None
        if word.startswith("{"):
            try:
                value = json.loads(word)
            except (ValueError, RecursionError):
                value = _python_dict(word)
        elif word.endswith("}") and ' {"' in word:  # behind the time and the level of a log
            try:
                value = json.loads(word[word.index(' {"') :])
            except (ValueError, RecursionError):
                value = None
        if isinstance(value, dict):
            records.append(value)
        else:
            others += 1
    return (records, others) if records and len(records) >= others else ([], others)


def _python_dict(word: str) -> Any:
    """A dict as Python prints it, as some trainers log; None for anything else. Nothing is executed."""
    try:
        return ast.literal_eval(re.sub(r"(?<![\w'\"])(nan|inf)\b", "None", word))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _scalar(value: Any) -> Any:
    """A number, a text or nothing; trackers wrap single numbers in lists."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int) and abs(value) > 1e300:
        return math.inf
    return value


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and depth < DEEPEST:
            yield from _flat(value, f"{prefix}{key}/", depth + 1)
        else:
            yield f"{prefix}{key}", _scalar(value)


def _records(records: Sequence[Mapping[str, Any]], what: str, name: str) -> Table:
    inside = [value for record in records[:3] for value in record.values()]
    inside += [one for value in inside if isinstance(value, Mapping) for one in value.values()]
    if any(map(_is_column, inside)):
        runs = [_run_of(record, k, several=len(records) > 1) for k, record in enumerate(records)]
        return Table(frame=stacked(runs), format=what, name=name)
    flat = [dict(_flat(record)) for record in records]
    return Table(frame=from_records(flat), format=what, name=name)


def _run_of(record: Mapping[str, Any], place: int, *, several: bool) -> pl.DataFrame:
    """A record that holds the curves of a whole run: its lists are columns, and its other values say which run."""
    curves = _Curves()
    curves.look(record, (), 0)
    names = _short(list(curves.columns))
    lengths = Counter(len(values) for values in curves.columns.values())
    length = lengths.most_common(1)[0][0] if lengths else 0
    frame = frame_of({names[path]: values for path, values in curves.columns.items() if len(values) == length})
    same = {key: _scalar(value) for key, value in record.items() if not isinstance(value, list | dict)}
    if several and not any(is_field("run", key) for key in same):
        same = {"run": place} | same
    return frame.with_columns(pl.lit(value).alias(key) for key, value in same.items() if value is not None)


def _is_column(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(one is None or isinstance(one, int | float | str) for one in value)
    )


def _is_pairs(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(one, list) and len(one) in (2, 3) and isinstance(one[0], int | float) for one in value)
    )


def _is_grid(value: Any) -> bool:
    """Whether a list holds a curve for each of several runs."""
    return (
        isinstance(value, list)
        and 1 < len(value) <= MOST_GRID
        and all(_is_column(one) and len(one) > 3 and len(one) == len(value[0]) for one in value)
        and all(isinstance(one, int | float) for one in value[0])
    )


def _counted(keys: Sequence[str]) -> list[int]:
    """Numbers of keys that are numbers, or a word for steps and a number: ``epoch_10``; none for other keys."""
    found = [re.fullmatch(r"(?P<word>[A-Za-z_ ]*?)[ _#:=-]*(?P<number>-?\d+)", key) for key in keys]
    words = {one and one["word"] for one in found}
    if len(keys) < 2 or None in words or len(words) > 1 or not all(not word or is_step(word) for word in words if word):
        return []
    return [int(one["number"]) for one in found if one]


def _document(value: Any, source: str, name: str) -> Table:
    if isinstance(value, list):
        return _listed_document(value, source, name)
    if not isinstance(value, dict):
        raise FieldError("file", READ, source, why="its JSON is a single value")
    if isinstance(value.get("data"), list) and isinstance(value.get("columns"), list) and value["data"]:
        rows = [
            dict(zip(map(str, value["columns"]), row, strict=False)) for row in value["data"] if isinstance(row, list)
        ]
        return _records(rows, "JSON of columns and data", name)
    curves = _Curves()
    curves.look_inside(value, (), 0)
    found = curves.table(source, name)
    if found is not None:
        return found
    if all(not isinstance(one, list | dict) for one in value.values()) or any(is_known(key) for key in value):
        raise FieldError(
            "file",
            "hold one value for every evaluation",
            source,
            why="it was read as a JSON summary, which has last values only: export the history, one row an evaluation",
        )
    raise FieldError("file", READ, source, why=f"no curve was found in its JSON, under {listed(list(value), 10)}")


def _listed_document(value: list[Any], source: str, name: str) -> Table:
    if value and all(isinstance(one, dict) for one in value):
        return _records(value, "a JSON list of records", name)
    if _is_pairs(value):
        width = len(value[0])
        if width == 3 and value[0][0] > _WALL_TIME:  # wall time, step, value
            rows = frame_of({"step": [row[1] for row in value], "value": [row[2] for row in value]})
            return one_curve(rows, source, name, "TensorBoard's download of one curve")
        if width == 2:
            rows = frame_of({"step": [row[0] for row in value], "value": [row[1] for row in value]})
            return one_curve(rows, source, name, "a JSON list of steps and values")
        names = NAMELESS if width == 3 else [str(k + 1) for k in range(width)]
        columns = {names[k]: [row[k] for row in value] for k in range(width)}
        notes = (ASSUMED,) if width == 3 else ()
        return Table(frame=frame_of(columns), format="a JSON list of rows without names", name=name, notes=notes)
    if value and all(isinstance(one, list) for one in value):
        header, *rows = value
        if rows and all(isinstance(one, str) for one in header):
            return _records([dict(zip(header, row, strict=False)) for row in rows], "a JSON list of rows", name)
        columns = {str(k + 1): [_scalar(row[k]) if k < len(row) else None for row in value] for k in range(len(header))}
        return Table(frame=frame_of(columns), format="a JSON list of rows without names", name=name)
    if _is_column(value):
        rows = frame_of({"step": list(range(len(value))), "value": value})
        return one_curve(rows, source, name, "a JSON list of values")
    raise FieldError("file", READ, source, why="its JSON list holds neither records nor rows")


class _Curves:
    """What a JSON object holds that may be curves, found wherever it lies."""

    def __init__(self) -> None:
        self.columns: dict[tuple[str, ...], list[Any]] = {}
        self.records: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        self.pairs: dict[tuple[str, ...], tuple[list[Any], list[Any]]] = {}

    def look(self, value: Mapping[str, Any], path: tuple[str, ...], depth: int) -> None:
        """Collect columns, records and curves with steps of their own."""
        if depth > DEEPEST:
            return
        for key, one in value.items():
            here = (*path, str(key))
            if _is_column(one):
                self.columns[here] = one
            elif isinstance(one, list) and len(one) > 1 and all(isinstance(record, dict) for record in one):
                if not self._named_curves(one, here):
                    self.records[here] = one
            elif _is_grid(one):
                self.columns |= {(*path, f"{key}_{k}"): row for k, row in enumerate(one)}
            elif _is_pairs(one):
                places = (1, 2) if len(one[0]) == 3 and one[0][0] > _WALL_TIME else (0, 1)
                self.pairs[here] = [row[places[0]] for row in one], [row[places[1]] for row in one]
            elif isinstance(one, dict) and one:
                self.look_inside(one, here, depth)

    def _named_curves(self, records: Sequence[Mapping[str, Any]], here: tuple[str, ...]) -> bool:
        """Records that are curves, each with its name beside its steps and values; whether that is what they are."""
        label = next((key for key in records[0] if key in ("name", "metric", "tag", "key")), None)
        if label is None or not all(isinstance(one.get(label), str) and is_known(one[label]) for one in records):
            return False
        pair = next(((s, v) for s, v in _PAIRS if all(_is_column(one.get(v)) for one in records)), None)
        if pair is None or not all(_is_column(one.get(pair[0])) for one in records):
            return False
        for one in records:
            self.pairs[(*here, one[label])] = one[pair[0]], one[pair[1]]
        return True

    def look_inside(self, one: Mapping[str, Any], here: tuple[str, ...], depth: int) -> None:
        """The same of one object, which may be a curve itself."""
        for steps, values in _PAIRS:
            if _is_column(one.get(steps)) and _is_column(one.get(values)) and len(one[steps]) == len(one[values]):
                self.pairs[here or ("value",)] = one[steps], one[values]
                return
        if numbers := _counted(list(map(str, one))):
            if all(isinstance(record, dict) for record in one.values()):
                records = [{"step": number} | record for number, record in zip(numbers, one.values(), strict=True)]
                if not any(_is_column(item) for record in records for item in record.values()):
                    self.records[here] = records
                    return
            elif all(item is None or isinstance(item, int | float | str) for item in one.values()):
                self.pairs[here or ("value",)] = numbers, list(one.values())
                return
        self.look(one, here, depth + 1)

    def table(self, source: str, name: str) -> Table | None:
        """The table that says most about curves."""
        useful = {path: records for path, records in self.records.items() if _known(records)}
        if len(useful) > 1 and (joined := _of_lists(useful, name)) is not None:
            return joined
        if useful:
            path, records = max(useful.items(), key=lambda one: (_known(one[1]), len(one[1])))
            if _known(records):
                return _records(records, f"JSON records under {'/'.join(path)!r}", name)
        if self.pairs and not any(is_known(path[-1]) for path in self.columns):
            return self._of_pairs(name)
        if self.columns:
            return self._of_columns(source, name)
        return None

    def _of_pairs(self, name: str) -> Table:
        steps = {tuple(found[0]) for found in self.pairs.values()}
        names = _short(list(self.pairs))
        if len(steps) == 1 and any(is_field("step", one) for one in names.values()):
            # Tables of pandas: the keys are places of rows, and a column of its own holds the steps.
            columns = {names[path]: values for path, (_, values) in self.pairs.items()}
            return Table(frame=frame_of(columns), format="JSON columns of a data frame", name=name)
        frames = [curve_frame(names[path], *found) for path, found in self.pairs.items()]
        return Table(frame=stacked(frames), format="JSON curves with steps of their own", name=name)

    def _of_columns(self, source: str, name: str) -> Table | None:
        runs: dict[tuple[str, ...], dict[tuple[str, ...], list[Any]]] = {}
        parents = {path[:-1] for path in self.columns}
        inner = [{path[-1] for path in self.columns if path[:-1] == parent} for parent in parents]
        apart = (
            len(parents) > 1
            and all(one == inner[0] for one in inner)
            and not any(set_of(part) for parent in parents for part in parent)
        )
        for path, values in self.columns.items():
            runs.setdefault(path[:-1] if apart else (), {})[path] = values
        frames: list[pl.DataFrame] = []
        for parent, columns in runs.items():
            names = _short(list(columns))
            useful = {path for path in columns if is_known(names[path]) or is_field("step", names[path])}
            lengths = Counter(len(columns[path]) for path in (useful or columns))
            if useful and len(lengths) > 1 and (own := _by_length(columns, names)) is not None:
                frames.append(own)
                continue
            if useful and len(lengths) > 1:
                said = ", ".join(f"{names[path]} {len(columns[path])}" for path in columns if path in useful)
                raise FieldError(
                    "file",
                    "hold lists of one length, or steps beside each list",
                    f"{source} with {said}",
                    why="it was read as JSON columns",
                )
            length = lengths.most_common(1)[0][0]
            frame = frame_of({names[path]: values for path, values in columns.items() if len(values) == length})
            frames.append(frame.with_columns(pl.lit("/".join(parent)).alias("run")) if apart else frame)
        return Table(frame=stacked(frames), format="JSON columns", name=name)


def _of_lists(lists: Mapping[tuple[str, ...], Sequence[Mapping[str, Any]]], name: str) -> Table | None:
    """Lists of records that are parts of one table: a list for each set, or for each run; None for others."""
    sets = {path: set_of(path[-1]) if path else "" for path in lists}
    frames: list[pl.DataFrame] = []
    for path, records in lists.items():
        frame = _records(records, "", name).frame
        if all(sets.values()):
            lone = {column: f"{sets[path]}/{column}" for column in frame.columns if metric_of(column)}
            frames.append(frame.rename(lone))
        elif not any(sets.values()):
            frames.append(frame.with_columns(pl.lit("/".join(path)).alias("run")))
    if not frames or (not any(sets.values()) and len({tuple(frame.columns) for frame in frames}) > 1):
        return None
    return Table(frame=stacked(frames), format="JSON, a list of records each", name=name)


def _by_length(
    columns: Mapping[tuple[str, ...], list[Any]], names: Mapping[tuple[str, ...], str]
) -> pl.DataFrame | None:
    """Columns of several lengths, where one of each length holds the steps of the others; None where none does."""
    frames: list[pl.DataFrame] = []
    for length in dict.fromkeys(map(len, columns.values())):
        some = {names[path]: values for path, values in columns.items() if len(values) == length}
        steps = [one for one in some if names_steps(one)]
        if any(is_known(one) for one in some):
            if len(steps) != 1:
                return None
            frames.append(frame_of(some).rename({steps[0]: "step"}))
    return stacked(frames)


def _known(records: Sequence[Mapping[str, Any]]) -> int:
    names = {key for record in records[:200] for key, _ in _flat(record)}
    return sum(is_known(name) for name in names)


def _short(paths: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Names of columns without the part of their paths that all have."""
    shared = 0
    while all(len(path) > shared + 1 and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    # A single set's name must not get lost: {"test": {"acc": …}}.
    while shared and set_of(paths[0][shared - 1]):
        shared -= 1
    return {path: "/".join(path[shared:]) for path in paths}
