"""Stored runs as one table for other programs, written batch by batch in memory that does not grow with it."""

from __future__ import annotations

import errno
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from dcrit.empirics.runs.dimensions import DIMENSION_VALUES, DimensionRun
from dcrit.empirics.runs.multitask import MULTITASK_CURVES, TASK_CURVES, Component, MultitaskConfig, MultitaskRun
from dcrit.empirics.runs.single import CURVE_NAMES, Run, RunConfig
from dcrit.empirics.store.whole_files import whole
from dcrit.theory.checks import FieldError
from dcrit.theory.problems.problem import Problem

#: Runs that are one table in memory.
CHUNK = 64

#: Rows of a row group of a Parquet file, which its readers hold in memory.
ROW_GROUP = 50_000

AnyRun = TypeVar("AnyRun")

_TYPES = {int: pl.Int64, float: pl.Float64}


class ExportError(RuntimeError):
    """A table could not be written; nothing is left of it."""


@dataclass(frozen=True, kw_only=True)
class Table(Generic[AnyRun]):
    """What a table of one kind of run looks like.

    Attributes:
        row: What a row is, in words.
        schema: Its columns; the same for CSV and Parquet.
        frame: The rows of some runs.
    """

    row: str
    schema: dict[str, Any]
    frame: Callable[[Sequence[AnyRun]], pl.DataFrame]


def check_export_name(path: Path) -> None:
    """Refuse a file name of a kind that :func:`export` does not write.

    Raises:
        ValueError: The name does not end in ``.csv`` or ``.parquet``.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise FieldError("out", "end in .csv or .parquet", path)


def export(runs: Iterable[AnyRun], path: Path, table: Table[AnyRun]) -> int:
    """Write runs into one table, whole or not at all; each is asked for once and dropped when written.

    Args:
        runs: Finished runs.
        path: File to write, its name ending in ``.csv`` or ``.parquet``.
        table: Which table.

    Returns:
        How many runs were written.

    Raises:
        ValueError: The name ends otherwise, or the file cannot be written.
        ExportError: Writing it failed, for example because the disk is full.
    """
    check_export_name(path)
    n_runs, left = 0, iter(runs)

    def chunks(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        nonlocal n_runs
        del predicate, n_rows, batch_size  # nobody filters
        while chunk := list(itertools.islice(left, CHUNK)):
            n_runs += len(chunk)
            frame = table.frame(chunk)
            yield frame if columns is None else frame.select(columns)

    rows = register_io_source(chunks, schema=table.schema)
    try:
        with whole(path) as file:
            hidden = Path(file.name)
            try:
                if path.suffix == ".parquet":
                    rows.sink_parquet(hidden, row_group_size=ROW_GROUP)
                else:
                    rows.sink_csv(hidden)
            except (OSError, pl.exceptions.PolarsError) as error:  # polars tells of a full disk by either
                raise ExportError(_failure(path, error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportError(_failure(path, error)) from error
        raise FieldError("out", "be a file that can be written", path, why=error.strerror) from error
    return n_runs


def _failure(path: Path, error: Exception) -> str:
    return f"the table could not be written to {path}: {error}. Nothing is left of it"


def _schema(owner: type, without: Sequence[str] = ()) -> dict[str, Any]:
    """Columns of a dataclass's fields: numbers, or words."""
    hints = get_type_hints(owner)
    return {
        field.name: _TYPES.get(hints[field.name], pl.String) for field in fields(owner) if field.name not in without
    }


_HEAD = {"address": pl.String}
_END = {"ending": pl.String, "seconds": pl.Float64}
_SETTINGS = _schema(RunConfig, without=["problem"])
_SINGLE = _schema(Problem) | _SETTINGS
_MULTITASK = _schema(MultitaskConfig, without=["components"])  # phases are written as JSON
_COMPONENT = {"component": pl.Int64} | _schema(Component)


def _of_single(config: RunConfig) -> dict[str, Any]:
    """Fields of a configuration and its problem, the horizon resolved."""
    return vars(config.problem) | {name: (vars(config) | config.to_dict())[name] for name in _SETTINGS}


def _exploded(rows: list[dict[str, Any]], schema: dict[str, Any], curves: Sequence[str]) -> pl.DataFrame:
    """Rows with a list in every curve, as one row a value."""
    nested = schema | dict.fromkeys(curves, pl.List(pl.Float64))
    return pl.DataFrame({name: [row[name] for row in rows] for name in schema}, schema=nested).explode(*curves)


def _runs(runs: Sequence[Run]) -> pl.DataFrame:
    rows = [
        {"address": run.config.address, **_of_single(run.config), "ending": run.ending, "seconds": run.seconds}
        | vars(run.curves)
        for run in runs
    ]
    return _exploded(rows, RUNS.schema, CURVE_NAMES)


def _multitask(runs: Sequence[MultitaskRun]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for run in runs:
        config = run.config
        shared = vars(config) | {"phases": json.dumps([asdict(phase) for phase in config.phases])}
        shared |= {"address": config.address, "ending": run.ending, "seconds": run.seconds}
        for place, component in enumerate(config.components):
            curves: dict[str, np.ndarray] = dict(vars(run.curves))
            curves |= {name: curves[name][:, place] for name in TASK_CURVES}
            rows.append(shared | {"component": place} | vars(component) | curves)
    return _exploded(rows, MULTITASK.schema, MULTITASK_CURVES)


def _dimensions(runs: Sequence[DimensionRun]) -> pl.DataFrame:
    rows = [
        {"address": run.config.address, **_of_single(run.config.run), "ending": run.ending, "seconds": run.seconds}
        | run.values.to_dict()
        for run in runs
    ]
    return pl.DataFrame({name: [row[name] for row in rows] for name in DIMENSIONS.schema}, schema=DIMENSIONS.schema)


#: Runs of single networks.
RUNS: Table[Run] = Table(
    row="an evaluation of a run",
    schema=_HEAD | _SINGLE | _END | dict.fromkeys(CURVE_NAMES, pl.Float64),
    frame=_runs,
)

#: Runs of networks on several tasks.
MULTITASK: Table[MultitaskRun] = Table(
    row="an evaluation of a run on one of its tasks",
    schema=_HEAD | _MULTITASK | _COMPONENT | _END | dict.fromkeys(MULTITASK_CURVES, pl.Float64),
    frame=_multitask,
)

#: Effective dimensionalities.
DIMENSIONS: Table[DimensionRun] = Table(
    row="a network",
    schema=_HEAD | _SINGLE | _END | dict.fromkeys(DIMENSION_VALUES, pl.Float64),
    frame=_dimensions,
)
