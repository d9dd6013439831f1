"""Somebody else's training curves: a CSV or Parquet file whose columns are matched by their names."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dcrit.empirics.curves.foreign_parquet import MOST_COLUMNS, MOST_VALUES, ForeignParquetError, read_parquet
from dcrit.theory.calibrations.bounded_files import read_bounded
from dcrit.theory.checks import FieldError

FloatArray = NDArray[np.float64]

#: Curves that a file may hold, beside the step.
Quantity = Literal["train_accuracy", "test_accuracy", "train_loss", "test_loss", "squared_norm", "norm"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

_TRAIN, _TEST, _VALIDATION = (
    "(train|training|tr)(set|ing)?",
    "(test|testing|heldout)(set)?",
    "(val|valid|validation|dev|eval)(set)?",
)
_ACCURACY, _LOSS = "(acc|accuracy|top1|top1acc|top1accuracy)", "(loss|nll|ce|xent|crossentropy|crossentropyloss)"
_AFTER = "(mean|avg|average|pct|percent)?"


def _either_way(part: str, metric: str) -> str:
    return f"(metrics?)?({part}{metric}|{metric}{part}){_AFTER}"


#: For every quantity, names in order of preference and what they are called in messages. A name is compared in
#: lower case and without anything but letters and digits. Two columns under one preference are ambiguous.
_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "step": (
        ("(global|optimizer|train|training|trainerglobal)?step", "step"),
        ("(n|num)?(steps|iterations?|iters?|updates?)", "iteration"),
        ("(n|num)?epochs?", "epoch"),
    ),
    "train_accuracy": ((_either_way(_TRAIN, _ACCURACY), "train accuracy"), (_ACCURACY + _AFTER, "accuracy")),
    "test_accuracy": (
        (_either_way(_TEST, _ACCURACY), "test accuracy"),
        (_either_way(_VALIDATION, _ACCURACY), "validation accuracy"),
    ),
    "train_loss": ((_either_way(_TRAIN, _LOSS), "train loss"), (_LOSS + _AFTER, "loss")),
    "test_loss": ((_either_way(_TEST, _LOSS), "test loss"), (_either_way(_VALIDATION, _LOSS), "validation loss")),
    "squared_norm": (
        (
            "(squared(weight|weights|param|params|parameter|l2)?norm|(weight|weights|param|params|parameter)?normsquared"
            "|l2squared|squaredl2|(weight|param|params)?normsq|sqnorm)",
            "squared norm",
        ),
    ),
    "norm": (("((weights?|params?|parameters?|model|total|l2)*norm|l2|norml2|(weights?|params?)l2)", "norm"),),
    "run": (
        ("(run(id|name|index)?|address|id|experiment(id|name)?|trial(id|name)?|model(id|name))", "run"),
        ("(random)?seed", "seed"),
    ),
}

#: Fields that options and arguments may name a column for.
FIELDS = ("step", *QUANTITIES)

#: Most bytes of a file, and most runs.
LARGEST_FILE, MOST_RUNS = 64_000_000, 100_000

#: An accuracy above 1 is read as percent from here on: between, it is as likely a fraction that was logged wrongly.
PERCENT_FROM = 10.0

#: Float32 logs of a perfect accuracy may lie this far above 1.
ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class CurveSet:
    """The curves of one run, each at its own steps: loggers leave out what they did not compute.

    Attributes:
        run: What the file calls the run.
        curves: For each quantity that the file holds, steps (n,) rising and values (n,). Accuracies are fractions.
        problem: Why the rows make no curves; empty otherwise.
    """

    run: str
    curves: Mapping[Quantity, tuple[FloatArray, FloatArray]]
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class CurveFile:
    """What a file holds.

    Attributes:
        runs: One entry a run, in the order of their names.
        columns: Which column was taken for which field.
        notes: What was assumed in reading it, as sentences.
    """

    runs: tuple[CurveSet, ...]
    columns: Mapping[str, str]
    notes: tuple[str, ...]


def read_curves(path: Path, columns: Mapping[str, str] | None = None, run: Sequence[str] = ()) -> CurveFile:
    """Read training curves from a CSV or Parquet file; nothing in it is executed.

    Files that begin as Parquet does are read as such, all others as text. Lists of values in a Parquet row
    are taken as consecutive rows.

    Args:
        path: The file.
        columns: Columns by field (``step``, ``train_accuracy``, …) where matching by name should not decide.
        run: Columns that together tell runs apart, where matching by name should not decide.

    Raises:
        ValueError: The file cannot be read, holds no table, lacks a column, matches two columns for one
            field, or holds a value that its column cannot have.
    """
    return curves_of(_read(path), columns, run)


def curves_of(frame: pl.DataFrame, columns: Mapping[str, str] | None = None, run: Sequence[str] = ()) -> CurveFile:
    """The training curves in a table, one row an evaluation, as :func:`read_curves` takes them from a file.

    Args:
        frame: The table.
        columns: Columns by field where matching by name should not decide.
        run: Columns that together tell runs apart.

    Raises:
        ValueError: The table lacks a column, matches two for one field, or holds a value that its column cannot have.
    """
    given = dict(columns or {})
    for field, column in [*given.items(), *(("run", column) for column in run)]:
        if field not in (*FIELDS, "run"):
            raise FieldError("columns", f"name fields among {', '.join(FIELDS)}", repr(field))
        if column not in frame.columns:
            raise FieldError(field, f"be a column of the file ({_listed(frame.columns)})", repr(column))
    # Who names one kind of norm does not want the other matched beside it.
    skipped = {"norm", "squared_norm"} - given.keys() if given.keys() & {"norm", "squared_norm"} else set()
    found, notes = dict(given), []
    for field in FIELDS:
        if field in found or field in skipped:
            continue
        match = _match(field, frame.columns)
        if match is not None:
            found[field], meant = match
            notes += _assumed(field, match[0], meant)
    runs = list(run)
    if not runs and (match := _match("run", frame.columns)) is not None:
        runs = [match[0]]
    _check_present(found, frame.columns)
    if "squared_norm" in found and "norm" in found:
        del found["norm"]
    table = _table(frame, found, runs)
    if found.keys() & {"train_accuracy", "test_accuracy"}:
        table, is_percent = _fractions(table, found)
        if is_percent:
            notes.append("accuracies are taken as percent, because the largest one is above 1")
    if "norm" in found:
        notes.append(f"column {found['norm']!r} is taken as a norm, and squared")
    return CurveFile(
        runs=tuple(_curve_sets(table, found, has_runs=bool(runs))),
        columns=found | ({"run": ", ".join(runs)} if runs else {}),
        notes=tuple(notes),
    )


def _read(path: Path) -> pl.DataFrame:
    data = read_bounded(path, "file", LARGEST_FILE)
    try:
        if data.startswith(b"PAR1"):
            frame = read_parquet(data)
        else:
            text = data.decode("utf-8-sig")
            header = text.partition("\n")[0]
            separator = max(",;\t", key=header.count)
            n_columns = header.count(separator) + 1
            if n_columns > MOST_COLUMNS or n_columns * (text.count("\n") + 1) > MOST_VALUES:
                raise FieldError(
                    "file",
                    f"hold at most {MOST_COLUMNS} columns and {MOST_VALUES} values",
                    f"{path} of {n_columns} columns and {text.count(chr(10))} rows",
                )
            frame = pl.read_csv(io.BytesIO(text.encode()), infer_schema=False, separator=separator)
    except UnicodeDecodeError as error:
        raise FieldError("file", "be CSV (UTF-8 text) or Parquet", f"{path}, which is neither") from error
    except (pl.exceptions.PolarsError, ForeignParquetError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FieldError("file", "be a CSV or Parquet table", path, why=reason) from error
    if frame.is_empty():
        raise FieldError("file", "hold a header and rows", f"{path} without any row")
    return frame


def _listed(names: Sequence[str], most: int = 30) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _plain(name: str) -> str:
    """A column's name as names are compared; a second column of one name is told from the first by polars' ending."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"_duplicated_\d+$", "", name).replace("%", "percent").casefold())


def _match(field: str, names: Sequence[str]) -> tuple[str, str] | None:
    """The column for a field and what its name means, by the first preference that any column has."""
    for pattern, meant in _NAMES[field]:
        fitting = [name for name in names if re.fullmatch(pattern, _plain(name))]
        # The package's own name for a field is never ambiguous.
        exact = [name for name in fitting if name == field]
        if len(exact or fitting) > 1:
            raise FieldError(field, "be one column", _listed(fitting), why="name the one to use")
        if fitting:
            return (exact or fitting)[0], meant
    return None


def _assumed(field: str, name: str, meant: str) -> list[str]:
    if "validation" in meant:
        return [f"column {name!r} is validation, which counts as test"]
    if meant in ("accuracy", "loss"):
        return [f"column {name!r} is taken as {field.replace('_', ' ')}, because it names no set"]
    if meant == "epoch":
        return [f"steps are epochs, from column {name!r}"]
    return []


def _check_present(found: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse a file without a step, or with nothing to tell memorization by."""
    lacking = [] if "step" in found else ["step"]
    if not found.keys() & {"train_accuracy", "train_loss"}:
        lacking.append("train_accuracy")
    for field in lacking:
        also = " or train loss" if field == "train_accuracy" else ""
        wanted = ", ".join(meant for _, meant in _NAMES[field])
        raise FieldError(
            field, "be a column of the file", "none", why=f"looked for {wanted}{also} among {_listed(names)}"
        )


def _table(frame: pl.DataFrame, found: Mapping[str, str], runs: Sequence[str]) -> pl.DataFrame:
    """Columns named after their fields, numbers as numbers, and the run as text."""
    _check_short(frame, runs)
    label = (
        pl.concat_str([pl.col(name).cast(pl.String).fill_null("–") for name in runs], separator=", ")
        if runs
        else pl.lit("")
    )
    try:
        table = frame.select(label.alias("run"), *(pl.col(name).alias(field) for field, name in found.items()))
        lists = [name for name, kind in table.schema.items() if isinstance(kind, pl.List)]
        table = table.explode(lists) if lists else table
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().partition("\n")[0]
        raise FieldError(
            "file", "hold one value a row, or lists of one length in a row", "others", why=reason
        ) from error
    for field, name in found.items():
        column = table[field]
        if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
            raise FieldError(field, "be a column of numbers", f"column {name!r} of type {column.dtype}")
        if column.dtype == pl.String:
            column = column.str.strip_chars().replace("", None)
        numbers = column.cast(pl.Float64, strict=False)
        bad = column.filter(column.is_not_null() & numbers.is_null())
        if len(bad):
            raise FieldError(field, "be numbers", f"{bad[0]!r} in column {name!r}")
        table = table.with_columns(numbers.alias(field))
    # Rows in which nothing was logged say nothing.
    table = table.filter(~pl.all_horizontal(pl.col(field).is_null() for field in found))
    step = table["step"]
    if step.null_count() or not step.is_finite().all() or (step < 0).any():
        worst = step.filter(step.is_null() | ~step.is_finite() | (step < 0)).to_list()
        got = "nothing" if not worst or worst[0] is None else f"{worst[0]:g}"
        raise FieldError("step", "be a finite number of at least 0 in every row", f"{got} in column {found['step']!r}")
    return table


def _check_short(frame: pl.DataFrame, runs: Sequence[str]) -> None:
    """Refuse names of runs that are long texts: joining copies one that a column holds a million times."""
    for name in runs:
        column = frame[name]
        if column.dtype == pl.String:
            size = int(column.str.len_bytes().cast(pl.UInt64).sum() or 0)
            if size > LARGEST_FILE:
                raise FieldError("run", "be a column of names", f"{size / 1e6:.0f} MB of text in column {name!r}")


def _fractions(table: pl.DataFrame, found: Mapping[str, str]) -> tuple[pl.DataFrame, bool]:
    """Accuracies as fractions, all in one unit, and whether that was percent."""
    fields = [field for field in ("train_accuracy", "test_accuracy") if field in found]
    largest, at = 0.0, ""
    for field in fields:
        values = table[field].drop_nulls().drop_nans()
        if len(values):
            low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
            if high > largest:
                largest, at = high, found[field]
            if low < 0 or high > 100 * (1 + ROUNDING):
                raise FieldError(
                    field,
                    "lie between 0 and 1, or between 0 and 100 percent",
                    f"{(low if low < 0 else high):g} in column {found[field]!r}",
                )
    named = any("percent" in _plain(found[field]) or "pct" in _plain(found[field]) for field in fields)
    if 1 + ROUNDING < largest < PERCENT_FROM and not named:
        raise FieldError(
            "accuracies",
            f"be fractions up to 1, or percent in a column named so or reaching {PERCENT_FROM:g}",
            f"{largest:g} at most, in column {at!r}",
        )
    is_percent = largest > 1 + ROUNDING
    return table.with_columns(pl.col(fields) / 100) if is_percent else table, is_percent


def _curve_sets(table: pl.DataFrame, found: Mapping[str, str], *, has_runs: bool) -> list[CurveSet]:
    sets: list[CurveSet] = []
    if (n_runs := table["run"].n_unique()) > MOST_RUNS:
        raise FieldError("run", f"tell at most {MOST_RUNS} runs apart", n_runs)
    for (name,), rows in sorted(table.group_by("run"), key=lambda group: _natural(str(group[0][0]))):
        curves: dict[Quantity, tuple[FloatArray, FloatArray]] = {}
        problem = ""
        ordered = rows.sort("step")
        for field in QUANTITIES:
            if field not in found:
                continue
            logged = ordered.filter(pl.col(field).is_not_null())
            step, values = logged["step"].to_numpy(), logged[field].to_numpy()
            if np.any(np.diff(step) == 0):
                twice = float(step[1:][np.diff(step) == 0][0])
                problem = f"step {twice:g} has more than one value of {field.replace('_', ' ')}"
                if not has_runs:
                    raise FieldError(
                        "run",
                        "be a column that tells runs apart",
                        f"none, but {problem}",
                        why="columns called run, id or seed are looked for",
                    )
            if field == "norm":
                # Beyond the largest number it is no number, as in the package's own runs.
                with np.errstate(over="ignore"):
                    curves["squared_norm"] = (step, np.square(values))
            else:
                curves[field] = (step, values)
        sets.append(CurveSet(run=str(name), curves=curves, problem=problem))
    if not sets:
        raise FieldError("file", "hold at least one row with a value", "none")
    return sets


def _natural(name: str) -> tuple[tuple[int, float, str], ...]:
    """Sorting key that puts run 2 before run 10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, float(part[:300]), "") if part.isdecimal() else (1, 0.0, part) for part in parts)
