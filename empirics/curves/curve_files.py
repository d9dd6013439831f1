"""Somebody else's training curves: files or a table whose columns are matched by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dcrit.empirics.curves.formats import LARGEST_FILE, read_table
from dcrit.empirics.curves.names import (
    FIELDS,
    QUANTITIES,
    ColumnOf,
    Field,
    Quantity,
    is_field,
    is_known,
    listed,
    match,
    meanings,
    metric_of,
    plain,
    set_of,
)
from dcrit.empirics.curves.numbers import NumbersError, has_decimal_commas, is_number, numbers_of
from dcrit.empirics.curves.table import Table, stacked, stem_of
from dcrit.theory.advice import Advice, Setting, joined
from dcrit.theory.checks import FieldError

FloatArray = NDArray[np.float64]

#: Most runs, and most files in one call.
MOST_RUNS, MOST_SOURCES = 100_000, 1000

#: An accuracy above 1 is read as percent from here on: between, it is as likely a fraction that was logged wrongly.
PERCENT_FROM = 10.0

#: Float32 logs of a perfect accuracy may lie this far above 1.
ROUNDING = 1e-6

#: Rows that come before a log begins anew, as part of all its rows, where that is a run begun twice and not two runs.
FALSE_START = 0.2

#: Rows that go back to earlier steps more often than this are in no order at all. Those of two runs that share a range
#: of steps differ by this much in accuracy, at so many evaluations.
MOST_RESTARTS, CONTRADICTING, FEWEST_SHARED = 20, 0.3, 3

_ACCURACIES = ("train_accuracy", "test_accuracy")


@dataclass(frozen=True, kw_only=True)
class CurveSet:
    """The curves of one run, each at its own steps: loggers leave out what they did not compute.

    Attributes:
        run: What the file calls the run.
        curves: For each quantity that the file holds, steps (n,) rising and values (n,). Accuracies are fractions.
        problem: Why the rows make no curves; empty otherwise.
        left: Columns of numbers that nothing was taken from.
    """

    run: str
    curves: Mapping[Quantity, tuple[FloatArray, FloatArray]]
    problem: str = ""
    left: tuple[str, ...] = ()


#: What a column of times counts, by what its name means; all others count steps.
UNITS = {"epoch": "epochs", "batch": "batches"}


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

    @property
    def unit(self) -> str:
        """What its times count: steps, epochs, batches, or evaluations where no column says."""
        column = self.columns.get("step")
        if column is None:
            return "evaluations"
        found = match("step", [column], lambda one, other: one == other)
        return "steps" if found is None else UNITS.get(found[1], "steps")


@dataclass(frozen=True, kw_only=True)
class _Matched:
    """Columns by field, and what was assumed in finding them."""

    found: dict[str, str]
    runs: list[str]
    notes: list[str] = field(default_factory=list)


def read_curves(
    source: Path | Sequence[Path],
    columns: Mapping[str, str] | None = None,
    run: Sequence[str] = (),
    missing: Sequence[float] = (),
) -> CurveFile:
    """Read training curves from files of any format that is known; nothing in them is executed.

    Formats are told by what is inside a file. Several files belong to one run where each holds a part of the curves,
    and are runs of their own where each holds train and test.

    Args:
        source: One file, a folder of TensorBoard's events, or several of them.
        columns: Columns by field (``step``, ``train_accuracy``, …) where matching by name should not decide.
        run: Columns that together tell runs apart, where matching by name should not decide.
        missing: Values that stand where nothing was measured.

    Raises:
        ValueError: A file cannot be read, holds no table, lacks a column, matches two columns for one
            field, or holds a value that its column cannot have.
    """
    paths = [source] if isinstance(source, Path) else list(source)
    if not 0 < len(paths) <= MOST_SOURCES:
        raise FieldError("file", f"be 1 to {MOST_SOURCES} files", len(paths))
    tables = [read_table(path) for path in paths]
    given = dict(columns or {})
    if len(tables) == 1:
        return curves_of(tables[0], given, run, missing)
    if all(_sides(one.frame, given) >= {"train", "test"} for one in tables):
        return _each_a_run(tables, paths, given, run, missing)
    return curves_of(_joined(tables, paths, given), given, run, missing)


def curves_of(
    source: pl.DataFrame | Table,
    columns: Mapping[str, str] | None = None,
    run: Sequence[str] = (),
    missing: Sequence[float] = (),
) -> CurveFile:
    """The training curves in a table, one row an evaluation, as :func:`read_curves` takes them from a file.

    Args:
        source: The table.
        columns: Columns by field where matching by name should not decide.
        run: Columns that together tell runs apart.
        missing: Values that stand where nothing was measured.

    Raises:
        ValueError: The table lacks a column, matches two for one field, or holds a value that its column cannot have.
    """
    from dcrit.empirics.curves.reshaping import reshaped  # noqa: PLC0415

    whole = source if isinstance(source, Table) else reshaped(Table(frame=source, format="a data frame"), "the table")
    frame = whole.frame
    matched = _matched(whole, dict(columns or {}), list(run))
    found, notes = matched.found, [*whole.notes, *matched.notes]
    table, more = _table(frame, found, matched.runs, missing, columns or {})
    notes += more
    table, more = _within_epochs(table, frame, found)
    notes += more
    for side in ("train", "test"):
        if (name := found.pop(f"{side}_error", None)) is not None:
            found[f"{side}_accuracy"] = name
    if found.keys() & set(_ACCURACIES):
        table, more = _fractions(table, found)
        notes += more
    table, more = _losses(table, found)
    notes += more
    for wanted in ("norm", "squared_norm"):
        if wanted in found and bool((table[wanted] < 0).any()):
            notes.append(f"column {found.pop(wanted)!r} falls below 0 and is left, as no norm does")
            table = table.drop(wanted)
    if "norm" in found:
        notes.append(f"column {found['norm']!r} is taken as a norm, and squared")
    left = tuple(
        name
        for name in frame.columns
        if name not in (*found.values(), *matched.runs, *(run or ())) and _is_numeric(frame[name])
    )
    sets, more = _curve_sets(table, found, matched.runs, frame, running=whole.running)
    return CurveFile(
        runs=tuple(replace(one, left=left) for one in sets),
        columns=found | ({"run": ", ".join(matched.runs)} if matched.runs else {}),
        notes=tuple(dict.fromkeys(notes + more)),
    )


# --- several files ---


def _sides(frame: pl.DataFrame, columns: Mapping[str, str]) -> set[str]:
    """Which of train and test a table speaks of."""
    given = {name.split("_")[0] for name, column in columns.items() if column in frame.columns}
    return given | {
        side
        for side in ("train", "test")
        for metric in ("accuracy", "loss", "error")
        for name in frame.columns
        if is_field(f"{side}_{metric}", name) and not (metric_of(name) and side == "train" and not set_of(name))
    }


def _each_a_run(
    tables: Sequence[Table],
    paths: Sequence[Path],
    columns: Mapping[str, str],
    run: Sequence[str],
    missing: Sequence[float],
) -> CurveFile:
    """Files that each hold whole runs."""
    notes = [f"each of the {len(paths)} files is a run of its own, as each holds train and test"]
    sets: list[CurveSet] = []
    taken: dict[str, str] = {}
    for one, path, name in zip(tables, paths, _names_of_files(paths), strict=True):
        try:
            found = curves_of(one, columns, run, missing)
        except FieldError as error:
            raise FieldError(error.field, error.allowed, f"{error.got}, in {path}", error.why) from error
        sets += [replace(each, run=f"{name}: {each.run}" if each.run else name) for each in found.runs]
        taken |= found.columns
        notes += found.notes
    return CurveFile(runs=tuple(sets), columns=taken, notes=tuple(dict.fromkeys(notes)))


def _joined(tables: Sequence[Table], paths: Sequence[Path], columns: Mapping[str, str]) -> Table:
    """One table of several files that each hold a part of the same runs."""
    notes = [note for one in tables for note in one.notes]
    formats = ", ".join(dict.fromkeys(one.format for one in tables))
    frames, meanings_of_step = [], dict[str, str]()
    for one, path in zip(tables, paths, strict=True):
        step = columns.get("step") if columns.get("step") in one.frame.columns else None
        found = match("step", one.frame.columns, _same(one.frame))
        if found is not None or step is not None:
            column, meant = (step, "step") if step is not None else found[:2]  # type: ignore[index]
            meanings_of_step.setdefault(meant, str(path))
            frames.append(one.frame.rename({column: "step"}) if "step" not in one.frame.columns else one.frame)
        else:
            frames.append(one.frame)
    if len(meanings_of_step) > 1:
        said = ", ".join(f"{meant} in {path}" for meant, path in meanings_of_step.items())
        raise FieldError("step", "be counted in one unit in all files", said, why="classify them one by one")
    parts: list[pl.DataFrame] = []
    groups: list[str] = []
    for frame, path in zip(frames, paths, strict=True):
        words = [stem_of(path.name), *reversed(path.parts[:-1])]
        pieces = [one for word in words[:2] for one in re.split(r"[^A-Za-z0-9]+", word)]
        part = next((key for word in [*words[:2], *pieces] if (key := set_of(word))), "")
        lone = {name: f"{part}/{name}" for name in frame.columns if part and metric_of(name) and not set_of(name)}
        parts.append(frame.rename(lone))
        groups.append("_".join(one for one in re.split(r"[^A-Za-z0-9]+", words[0]) if not _says_curve(one)))
    # Files of one curve each belong together where what is left of their names is the same, as in a_train and a_test.
    several = len(set(groups)) > 1 and all(
        {side for part, group in zip(parts, groups, strict=True) if group == one for side in _sides(part, columns)}
        >= {"train", "test"}
        for one in set(groups)
    )
    if several:
        parts = [part.with_columns(pl.lit(group).alias("run")) for part, group in zip(parts, groups, strict=True)]
        notes.append(f"the files hold {len(set(groups))} runs, told apart by the rest of their names")
    else:
        notes.append(f"the {len(paths)} files are parts of the same runs")
    return Table(frame=stacked(parts), format=formats, notes=tuple(notes))


def _says_curve(word: str) -> bool:
    return bool(set_of(word) or metric_of(word)) or plain(word) in ("tag", "metrics", "log", "history", "curve")


def _names_of_files(paths: Sequence[Path]) -> list[str]:
    """Short names that tell files apart."""
    stems = [stem_of(path.name) for path in paths]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in paths]


# --- columns ---


def _same(frame: pl.DataFrame):
    def same(one: str, other: str) -> bool:
        return frame[one].equals(frame[other], null_equal=True)

    return same


def _column(name: str, frame: pl.DataFrame) -> str | None:
    """The column of a name, or at a place that is counted from 1."""
    if name in frame.columns:
        return name
    if name.isdecimal() and 1 <= int(name[:9]) <= frame.width:
        return frame.columns[int(name) - 1]
    return None


def _matched(table: Table, given: dict[str, str], run: list[str]) -> _Matched:
    frame = table.frame
    for wanted, column in [*given.items(), *(("run", column) for column in run)]:
        if wanted not in (*FIELDS, "run"):
            raise FieldError("columns", f"name fields among {', '.join(FIELDS)}", repr(wanted))
        if _column(column, frame) is None:
            raise FieldError(wanted, f"be a column of the file ({listed(frame.columns)})", repr(column))
    found = {wanted: str(_column(column, frame)) for wanted, column in given.items()}
    runs = [str(_column(column, frame)) for column in run]
    assumed: dict[str, list[str]] = {}
    # A column without any value says nothing, unless all are such.
    filled = [name for name in frame.columns if frame[name].null_count() < frame.height] or frame.columns
    free = [name for name in filled if name not in (*found.values(), *runs)]
    same = _same(frame)
    meant_by: dict[str, str] = {}
    # Who names one kind of norm does not want the other matched beside it, and who names an error no accuracy.
    skipped = {"norm", "squared_norm"} - given.keys() if given.keys() & {"norm", "squared_norm"} else set[str]()
    for side in ("train", "test"):
        pair = {f"{side}_accuracy", f"{side}_error"}
        skipped |= pair - given.keys() if given.keys() & pair else set()
    for wanted in FIELDS:
        if wanted in found or wanted in skipped or (wanted.endswith("_error") and f"{wanted[:-6]}_accuracy" in found):
            continue
        hit = match(wanted, free, same)
        if hit is None and wanted in ("step", "train_accuracy"):
            # An empty column of steps is refused as such; a column that was given may serve twice, if it says so.
            hit = match(wanted, list(frame.columns if wanted == "step" else found.values()), same)
            hit = None if hit is not None and hit[1] == "accuracy" else hit
        if hit is not None:
            found[wanted], meant_by[wanted], left = hit
            assumed[wanted] = _assumed(wanted, hit[0], hit[1], left)
    _lone_metric(found, meant_by, assumed, free)
    _lone_sets(found, free, frame, assumed)
    notes = [note for some in assumed.values() for note in some]
    if not runs and (hit := match("run", free, _parts_alike(frame))) is not None:
        runs = [hit[0]]
    if not found.keys() & {"train_accuracy", "train_loss", "train_error"}:
        raise _lacking("train_accuracy", table, found, runs)
    if "step" not in found:
        others = [name for name in free if name not in (*found.values(), *runs) and _is_numeric(frame[name])]
        others = [name for name in others if not is_known(name)]
        if others or frame.height < 2:
            raise _lacking("step", table, found, runs)
        notes.append("no column holds steps: evaluations are counted, from 0")
    if "squared_norm" in found and "norm" in found:
        del found["norm"]
    return _Matched(found=found, runs=runs, notes=notes)


def _parts_alike(frame: pl.DataFrame):
    """Whether two columns part rows in the same way, as a run's name and its number do."""

    def alike(one: str, other: str) -> bool:
        pairs = frame.select(one, other).n_unique()
        return pairs == frame[one].n_unique() == frame[other].n_unique()

    return alike


def _is_numeric(column: pl.Series) -> bool:
    if column.dtype.is_numeric():
        return True
    if column.dtype != pl.String:
        return False
    some = column.drop_nulls().head(50).to_list()
    return any(map(str.strip, some)) and all(map(is_number, some))


def _assumed(wanted: str, name: str, meant: str, left: Sequence[str]) -> list[str]:
    said: list[str] = []
    if "validation" in meant:
        said.append(f"column {name!r} is validation, which counts as test")
    elif "distribution" in meant:
        said.append(f"column {name!r} is {meant}, which counts as test")
    elif meant in ("accuracy", "loss", "error"):
        said.append(f"column {name!r} is taken as {wanted.replace('_', ' ')}, because it names no set")
    elif meant in ("epoch", "batch"):
        said.append(f"steps are {UNITS[meant]}, from column {name!r}")
    elif meant == "row":
        said.append(f"column {name or 'without a name'!r} is taken as step, because no other is called so")
    if wanted == "test_accuracy" and left and not (meant.startswith("validation") and left == ()):
        beside = f"{listed(left)} {'is' if len(left) == 1 else 'are'} left beside {name!r}; "
        said.append(Advice(beside, ColumnOf("test_accuracy"), " chooses"))
    return said


def _lone_metric(
    found: dict[str, str], meant: Mapping[str, str], assumed: dict[str, list[str]], free: Sequence[str]
) -> None:
    """An accuracy without a set is of the test set beside a train accuracy, or, as in fastai, beside both losses."""
    lone = [name for name in free if name not in found.values() and metric_of(name) == "accuracy"]
    if meant.get("train_accuracy") == "train accuracy" and "test_accuracy" not in found and len(lone) == 1:
        found["test_accuracy"] = lone[0]
        assumed["test_accuracy"] = [
            f"column {lone[0]!r} is taken as test accuracy, because it stands beside a train accuracy"
        ]
    if (
        meant.get("train_accuracy") == "accuracy"
        and "test_accuracy" not in found
        and meant.get("train_loss") == "train loss"
        and "test_loss" in found
    ):
        name = found.pop("train_accuracy")
        found["test_accuracy"] = name
        assumed.pop("train_accuracy", None)
        assumed["test_accuracy"] = [
            f"column {name!r} is taken as test accuracy, because it stands beside losses of both sets"
        ]


def _lone_sets(found: dict[str, str], free: Sequence[str], frame: pl.DataFrame, assumed: dict[str, list[str]]) -> None:
    """Columns called train and test, where nothing else is: accuracies, if their values may be some."""
    for side in ("train", "test"):
        wanted = f"{side}_accuracy"
        if any(f"{side}_{metric}" in found for metric in ("accuracy", "loss", "error")):
            continue
        others = [name for name in free if name not in found.values()]
        hit = match(wanted, others, _same(frame), lone_sets=True)
        if hit is None:
            continue
        name, meant, left = hit
        values = (
            frame[name].cast(pl.Float64, strict=False).drop_nulls().drop_nans() if _is_numeric(frame[name]) else None
        )
        if values is not None and len(values):
            low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
            grows = values[-1] >= values[0]
            if low < 0 or high > 100 or (high > 1 + ROUNDING and not (grows and high >= PERCENT_FROM)):
                raise FieldError(
                    wanted, "be named", f"column {name!r} that names no metric", why="name it, or its loss as such"
                )
        found[wanted] = name
        said = f"column {name!r} is taken as {wanted.replace('_', ' ')}, because it names no metric"
        assumed[wanted] = [said, *_assumed(wanted, name, meant, left)]


def _lacking(wanted: str, table: Table, found: Mapping[str, str], runs: Sequence[str]) -> FieldError:
    """The refusal of a file in which no column is found for a field, with every field that is not found yet."""
    frame = table.frame
    others = [name for name in frame.columns if name not in (*found.values(), *runs) and _is_numeric(frame[name])]
    also = ", train loss or error" if wanted == "train_accuracy" else ""
    sides = [{one for one in FIELDS if one.startswith(side)} for side in ("train", "test")]
    unknown = [{"step"}, *sides]
    open_fields = [one for one in FIELDS if any(one in some and not some & found.keys() for some in unknown)]
    why: list[str] = [
        f"looked for {meanings(wanted)}{also} among {listed(frame.columns)}",
        f"it may be one of {listed(others)}" if others and len(others) < frame.width else "",
        f"the file was read as {table.format}",
        "a file with the rest of the curves may be given beside it" if wanted == "train_accuracy" else "",
        Advice("columns can be named for ", joined(", ", [Advice(Field(one)) for one in open_fields])),
    ]
    return FieldError(wanted, "be a column of the file", "none", why=joined("; ", why))


# --- values ---


def _table(
    frame: pl.DataFrame,
    found: dict[str, str],
    runs: Sequence[str],
    missing: Sequence[float],
    given: Mapping[str, str],
) -> tuple[pl.DataFrame, list[str]]:
    """Columns named after their fields, numbers as numbers, the run as text, and the place of each row.

    Columns that nobody asked for and no verdict needs are left out of ``found`` where they hold no numbers.
    """
    _check_short(frame, runs)
    notes: list[str] = []
    label = (
        pl.concat_str([pl.col(name).cast(pl.String).str.strip_chars().fill_null("–") for name in runs], separator=", ")
        if runs
        else pl.lit("")
    )
    try:
        table = frame.select(label.alias("run"), *(pl.col(name).alias(wanted) for wanted, name in found.items()))
        lists = [name for name, kind in table.schema.items() if isinstance(kind, pl.List)]
        table = table.explode(lists) if lists else table
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().partition("\n")[0]
        raise FieldError(
            "file", "hold one value a row, or lists of one length in a row", "others", why=reason
        ) from error
    commas = has_decimal_commas([table[wanted] for wanted in found])
    percent: list[str] = []
    for wanted, name in list(found.items()):
        try:
            numbers, signs = numbers_of(table[wanted].alias(name), wanted, decimal_commas=commas)
        except NumbersError as error:
            side = wanted.split("_")[0]
            spare = wanted in ("norm", "squared_norm") or (
                wanted.endswith("_loss") and found.keys() & {f"{side}_accuracy", f"{side}_error"}
            )
            if wanted in given or not spare:
                raise
            notes.append(f"column {name!r} is left, as it holds {error.held}")
            table = table.drop(wanted)
            del found[wanted]
            continue
        if wanted != "step" and missing:
            numbers = numbers.to_frame("x").select(
                pl.when(~pl.col("x").is_in([float(one) for one in missing])).then("x")
            )["x"]
        if signs and wanted != "step":
            numbers = numbers / 100
            percent.append(name)
        table = table.with_columns(numbers.alias(wanted))
    if percent:
        notes.append(f"percent signs count in {listed(percent)}")
    if "step" not in table.columns:
        table = table.with_columns(pl.int_range(pl.len()).over("run").cast(pl.Float64).alias("step"))
    # Rows in which nothing was logged say nothing.
    values = [wanted for wanted in found if wanted != "step"]
    table = table.filter(~pl.all_horizontal(pl.col(wanted).is_null() for wanted in values))
    step = table["step"]
    n_without = int(step.is_null().sum())
    if 0 < n_without <= len(step) / 2:
        table = table.filter(pl.col("step").is_not_null())
        notes.append(f"{n_without} rows without a step were left out")
        step = table["step"]
    if step.null_count() or not step.is_finite().all():
        worst = step.filter(step.is_null() | ~step.is_finite()).to_list()
        got = "nothing" if not worst or worst[0] is None else f"{worst[0]:g}"
        raise FieldError("step", "be a finite number in every row", f"{got} in column {found.get('step')!r}")
    return table, notes


def _within_epochs(
    table: pl.DataFrame, frame: pl.DataFrame, found: Mapping[str, str]
) -> tuple[pl.DataFrame, list[str]]:
    """Steps that begin anew in every epoch, counted through."""
    if "step" not in found or table.height != frame.height or table["run"].n_unique() > 1:
        return table, []
    epochs = [name for name in frame.columns if name != found["step"] and re.fullmatch("epochs?", plain(name))]
    if not epochs or not _is_numeric(frame[epochs[0]]):
        return table, []
    epoch = frame[epochs[0]].cast(pl.Float64, strict=False).to_numpy()
    step = table["step"].to_numpy()
    back = np.diff(step) < 0
    if (
        not np.isfinite(epoch).all()
        or back.sum() < 2
        or np.any(np.diff(epoch) < 0)
        or not np.all(np.diff(epoch)[back] > 0)
    ):
        return table, []
    through = epoch * (step.max() + 1) + step
    said = f"steps in column {found['step']!r} begin anew in every epoch, and are counted through"
    return table.with_columns(pl.Series("step", through)), [said]


def _check_short(frame: pl.DataFrame, runs: Sequence[str]) -> None:
    """Refuse names of runs that are long texts: joining copies one that a column holds a million times."""
    for name in runs:
        column = frame[name]
        if column.dtype == pl.String:
            size = int(column.str.len_bytes().cast(pl.UInt64).sum() or 0)
            if size > LARGEST_FILE:
                raise FieldError("run", "be a column of names", f"{size / 1e6:.0f} MB of text in column {name!r}")


def _fractions(table: pl.DataFrame, found: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """Accuracies as fractions, all in one unit, errors turned into them, and what was assumed."""
    named = {wanted: found[wanted] for wanted in _ACCURACIES if wanted in found}
    sources = {wanted: wanted if wanted in table.columns else f"{wanted[:-9]}_error" for wanted in named}
    largest, at = 0.0, ""
    reached: dict[str, float] = {}
    for wanted, name in named.items():
        values = table[sources[wanted]].drop_nulls().drop_nans()
        if len(values):
            low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
            reached[name] = high
            if high > largest:
                largest, at = high, name
            if low < 0 or high > 100 * (1 + ROUNDING):
                helps = _missing(values.filter(values < 0), "so this is no accuracy") if low < 0 else ""
                raise FieldError(
                    sources[wanted],
                    "lie between 0 and 1, or between 0 and 100 percent",
                    f"{(low if low < 0 else high):g} in column {name!r}",
                    why=helps,
                )
    says = any(re.search("perc|pct", plain(name)) for name in named.values())
    if 1 + ROUNDING < largest < PERCENT_FROM and not says:
        raise FieldError(
            "accuracies",
            f"be fractions up to 1, or percent in a column named so or reaching {PERCENT_FROM:g}",
            f"{largest:g} at most, in column {at!r}",
        )
    notes: list[str] = []
    is_percent = largest > 1 + ROUNDING
    for name, high in reached.items() if is_percent else ():
        if 0.9 < high <= 1 + ROUNDING:
            raise FieldError(
                "accuracies",
                "all be fractions, or all percent",
                f"{high:g} at most in column {name!r} and {largest:g} in {at!r}",
            )
    if is_percent:
        notes.append("accuracies are taken as percent, because the largest one is above 1")
    for wanted, source in sources.items():
        values = pl.col(source) / 100 if is_percent else pl.col(source)
        if source != wanted:
            values = 1 - values
            notes.append(f"column {named[wanted]!r} is taken as an error, which is 1 − accuracy")
        table = table.with_columns(values.alias(wanted))
    return table, notes


def _missing(below: pl.Series, *otherwise: str | Setting) -> Advice:
    """What helps where values lie below 0: one value may stand for nothing, and many do not."""
    low = float(below.min())  # type: ignore[arg-type]
    if below.n_unique() > 1:
        return Advice(f"{below.n_unique()} values lie below 0, ", *otherwise)
    value = int(low) if low.is_integer() else float(f"{low:g}")
    return Advice(Setting("missing", [value]), " says that this value stands where nothing was measured")


def _losses(table: pl.DataFrame, found: dict[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """Refuse losses below 0 where they have to be judged; leave them where accuracies are."""
    notes: list[str] = []
    for side in ("train", "test"):
        wanted = f"{side}_loss"
        below = table[wanted].filter(table[wanted] < 0) if wanted in found else pl.Series()
        if below.is_empty():
            continue
        low = float(below.min())  # type: ignore[arg-type]
        if f"{side}_accuracy" not in found:
            raise FieldError(
                wanted,
                "be at least 0",
                f"{low:g} in column {found[wanted]!r}",
                why=_missing(
                    below, "so this is no cross-entropy, and ", Field(f"{side}_accuracy"), " is needed to judge by"
                ),
            )
        notes.append(f"column {found.pop(wanted)!r} falls below 0 and is left, as {side} accuracy is there")
        table = table.drop(wanted)
    return table, notes


# --- runs ---


def _curve_sets(
    table: pl.DataFrame, found: Mapping[str, str], runs: Sequence[str], frame: pl.DataFrame, *, running: bool
) -> tuple[list[CurveSet], list[str]]:
    sets: list[CurveSet] = []
    repeats: list[tuple[str, float, int]] = []
    if (n_runs := table["run"].n_unique()) > MOST_RUNS:
        raise FieldError("run", f"tell at most {MOST_RUNS} runs apart", n_runs)
    for (name,), rows in sorted(
        table.group_by("run", maintain_order=True), key=lambda group: _natural(str(group[0][0]))
    ):
        curves: dict[Quantity, tuple[FloatArray, FloatArray]] = {}
        doubt, first, n_repeats = "", 0.0, 0
        kinds: list[str] = []
        for wanted in QUANTITIES:
            if wanted not in found:
                continue
            logged = rows.filter(pl.col(wanted).is_not_null())
            in_file = logged["step"].to_numpy()
            step, values, again, differ = _one_a_step(in_file, logged[wanted].to_numpy())
            if differ.size or not again.size:  # values that repeat themselves say nothing
                kinds.append(_several_runs(in_file) if differ.size else "")
            if kinds and kinds[-1]:
                doubt = doubt or f"step {differ[0]:g} has more than one value of {wanted.replace('_', ' ')}"
            if again.size > n_repeats:
                first, n_repeats = float(again[0]), int(again.size)
            if wanted == "norm":
                # Beyond the largest number it is no number, as in the package's own runs.
                with np.errstate(over="ignore"):
                    curves["squared_norm"] = (step, np.square(values))
            else:
                curves[wanted] = (step, values)
            doubt = doubt or (_contradiction(in_file, logged[wanted].to_numpy()) if wanted in _ACCURACIES else "")
        # One curve with many rows a step, beside one with few, is logged in batches.
        mixed = "one after the other" in kinds or (not running and bool(kinds) and all(kinds)) or doubt == _APART
        problem = doubt if mixed else ""
        if problem:
            tells = _telling(frame, found, runs)
            if tells or not runs:
                raise FieldError(
                    "run",
                    "be a column that tells runs apart",
                    f"{listed(runs) if runs else 'none'}, but {problem}",
                    why=Advice(Setting("run", [*runs, *tells]), " would")
                    if tells
                    else "columns called run, id or seed are looked for, and no other "
                    "column tells these rows apart: add one, or give each run a file of its own",
                )
        if n_repeats:
            repeats.append((str(name), first, n_repeats))
        sets.append(CurveSet(run=str(name), curves=curves, problem=problem))
    if not sets:
        raise FieldError("file", "hold at least one row with a value", "none")
    notes = [
        f"{f'run {name}: ' if name else ''}{number} steps have more than one row, from step {first:g} on, as after a "
        "resume or in batches: the last value counts"
        for name, first, number in repeats[:3]
    ]
    if len(repeats) > 3:
        notes.append(f"so it is in {len(repeats) - 3} more runs")
    return sets, notes


def _one_a_step(in_file: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Steps that rise and the last value of each; steps that had more than one, and those where they differ."""
    order = np.argsort(in_file, kind="stable")
    step, values = in_file[order], values[order]
    real = ~np.isnan(values)
    if not real.all():  # a value that is no number does not replace one
        keep = real | ~np.isin(step, step[real])
        step, values = step[keep], values[keep]
    last = np.append(step[1:] != step[:-1], True)[: step.size]
    differ = ~last[:-1] & (values[1:] != values[:-1]) & ~np.isnan(values[:-1]) if step.size else last
    return step[last], values[last], step[~last], step[:-1][differ] if step.size else step


def _several_runs(step: FloatArray) -> str:
    """How steps, in the order of their rows, may be those of several runs that nothing tells apart; empty if not.

    A run that is taken up again goes back to a step after its first. Several runs begin at the same step, one after the
    other, or have the same number of rows at every step.
    """
    starts = np.flatnonzero(np.diff(step) < 0) + 1
    if starts.size and np.all(step[starts] <= step.min()):
        rows = np.diff(np.concatenate(([0], starts, [step.size])))
        return "one after the other" if rows[:-1].max() > FALSE_START * rows.max() else ""
    numbers = np.unique(step, return_counts=True)[1]
    return "side by side" if numbers.min() == numbers.max() > 1 else ""


#: What is wrong with rows that go back and tell other values than those before them.
_APART = "steps go back, and the rows from there on tell other accuracies than those before"


def _contradiction(step: FloatArray, values: FloatArray) -> str:
    """Why the rows are those of two runs, at steps of their own, one below the other; empty where they need not be."""
    real = np.isfinite(values)
    step, values = step[real], values[real]
    starts = np.flatnonzero(np.diff(step) < 0) + 1
    if not 0 < starts.size <= MOST_RESTARTS:
        return ""
    parts = list(zip(np.split(step, starts), np.split(values, starts), strict=True))
    for (before, earlier), (after, later) in pairwise(parts):
        begins_anew = before.size > 1 and after[0] - before[0] <= np.median(np.diff(before))
        if not begins_anew or before.size <= FALSE_START * after.size:
            continue
        shared = (after > before[0]) & (after < before[-1]) & ~np.isin(after, before)
        apart = np.abs(later[shared] - np.interp(after[shared], before, earlier)) > CONTRADICTING
        if apart.sum() >= FEWEST_SHARED and apart.mean() > FALSE_START:
            return _APART
    return ""


def _telling(frame: pl.DataFrame, found: Mapping[str, str], runs: Sequence[str]) -> tuple[str, ...]:
    """Columns beside those of the runs that leave one row for every step of a run, the fewest and coarsest."""
    step = found.get("step")
    if step is None:
        return ()
    taken = {*found.values(), *runs}
    others = [
        name
        for name in frame.columns
        if name not in taken
        and not is_known(name)
        and not is_field("step", name)
        and not isinstance(frame[name].dtype, pl.List)
        and 1 < frame[name].n_unique() <= max(2, frame.height // 2)
    ][:12]
    value = next(name for wanted, name in found.items() if wanted != "step")
    rows = frame.filter(pl.col(value).is_not_null())
    for number in (1, 2, 3):
        fitting = [
            (rows.select(*runs, *some).n_unique(), some)
            for some in combinations(others, number)
            if not rows.select(step, *runs, *some).is_duplicated().any()
        ]
        if fitting:
            return min(fitting)[1]
    return ()


def _natural(name: str) -> tuple[tuple[int, float, str], ...]:
    """Sorting key that puts run 2 before run 10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, float(part[:300]), "") if part.isdecimal() else (1, 0.0, part) for part in parts)
