"""Finished runs of single networks on disk."""

from __future__ import annotations

from typing import Any, cast, get_args

import numpy as np

from dcrit.empirics.inventory import DAMAGED, Damage, Inventory
from dcrit.empirics.mixtures import MIXTURE_CURVES
from dcrit.empirics.parquet_store import ParquetStore, StoreWriteError
from dcrit.empirics.runs import CURVE_NAMES, Curves, Ending, Run, RunConfig

__all__ = ["DAMAGED", "Damage", "Inventory", "Store", "StoreWriteError"]


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
