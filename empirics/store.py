"""Finished runs on disk, and as one table for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import polars as pl

from dcrit.empirics.inventory import Damage, Inventory
from dcrit.empirics.mixtures import MIXTURE_CURVES
from dcrit.empirics.parquet_store import (
    DAMAGED,
    ParquetStore,
    StoreWriteError,
    parquet,
    write_whole,
)
from dcrit.empirics.runs import CURVE_NAMES, Curves, Ending, Run, RunConfig
from dcrit.theory.problem import Problem

__all__ = ["DAMAGED", "Damage", "Inventory", "Store", "StoreWriteError", "check_export_name", "export"]

_CURVES = pl.List(pl.Float64)


class Store(ParquetStore[RunConfig, Run]):
    """Finished runs of single networks in one folder.

    Args:
        folder: Where the files lie; need not exist before they are written.
    """

    curve_names = CURVE_NAMES
    other_curve_names = (MIXTURE_CURVES,)
    endings = get_args(Ending)

    def config_from(self, fields: dict[str, Any]) -> RunConfig:
        """Inverse of ``RunConfig.to_dict``."""
        return RunConfig.from_dict(fields)

    def columns(self, run: Run) -> dict[str, np.ndarray]:
        """Curves of a run, each as one row of numbers."""
        return {name: getattr(run.curves, name) for name in CURVE_NAMES}

    def run_from(self, config: RunConfig, curves: dict[str, np.ndarray], ending: str, seconds: float) -> Run:
        """Inverse of :meth:`columns`.

        Raises:
            ValueError: Curves are not equally long.
        """
        for name, values in curves.items():
            if values.shape != curves["step"].shape:
                raise ValueError(f"{name} is not one value an evaluation")
        if not curves["step"].size:
            raise ValueError("it has no evaluation")
        return Run(config=config, curves=Curves(**curves), ending=cast("Ending", ending), seconds=seconds)


def check_export_name(path: Path) -> None:
    """Refuse a file name of a kind that :func:`export` does not write.

    Raises:
        ValueError: The name does not end in ``.csv`` or ``.parquet``.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"out must end in .csv or .parquet, got {path}")


def export(runs: Sequence[Run], path: Path) -> None:
    """Write runs into one table for other programs, one row an evaluation.

    Args:
        runs: Finished runs.
        path: File to write, its name ending in ``.csv`` or ``.parquet``.

    Raises:
        ValueError: The name ends otherwise, or the file cannot be written.
    """
    check_export_name(path)
    table = _table(runs)
    data = parquet(table) if path.suffix == ".parquet" else table.write_csv().encode()
    try:
        write_whole(path, data)
    except OSError as error:
        raise ValueError(f"out must be a file that can be written, got {path}: {error.strerror}") from error


def _table(runs: Sequence[Run]) -> pl.DataFrame:
    """One row an evaluation, every field of the configuration in a column of its own."""
    configs = [run.config for run in runs]
    settings = [field.name for field in fields(RunConfig) if field.name != "problem"]
    table: dict[str, list[object]] = {"address": [config.address for config in configs]}
    table |= {field.name: [getattr(config.problem, field.name) for config in configs] for field in fields(Problem)}
    table |= {name: [(vars(config) | config.to_dict())[name] for config in configs] for name in settings}
    table |= {name: [getattr(run, name) for run in runs] for name in ("ending", "seconds")}
    table |= {name: [getattr(run.curves, name) for run in runs] for name in CURVE_NAMES}
    return pl.DataFrame(table, schema_overrides=dict.fromkeys(CURVE_NAMES, _CURVES)).explode(CURVE_NAMES)
