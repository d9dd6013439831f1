"""Finished runs of single networks on disk."""

from __future__ import annotations

from typing import Any, cast, get_args

import numpy as np

from dcrit.empirics.runs.dimensions import DIMENSION_VALUES, DimensionConfig, DimensionRun, DimensionValues
from dcrit.empirics.runs.multitask import MULTITASK_CURVES, TASK_CURVES, MultitaskConfig, MultitaskCurves, MultitaskRun
from dcrit.empirics.runs.single import CURVE_NAMES, Curves, Ending, Run, RunConfig
from dcrit.empirics.store.inventory import DAMAGED, Damage, Inventory
from dcrit.empirics.store.store import ParquetStore, StoreWriteError

__all__ = ["DAMAGED", "Damage", "Inventory", "Store", "StoreWriteError"]

#: Folders of the runs of several tasks, of the effective dimensionalities, and of the runs of studies, within that of
#: single networks.
MULTITASK_FOLDER, DIMENSIONS_FOLDER, STUDIES_FOLDER = "mixtures", "dimensions", "studies"


class Store(ParquetStore[RunConfig, Run]):
    """Finished runs of single networks in one folder.

    Args:
        folder: Where the files lie; need not exist before they are written.
    """

    kind = "protocol"
    curve_names = CURVE_NAMES
    endings = get_args(Ending)

    def config_from(self, fields: dict[str, Any]) -> RunConfig:
        """Inverse of ``RunConfig.to_dict``."""
        return RunConfig.from_dict(fields)

    def columns(self, run: Run) -> dict[str, np.ndarray]:
        """Curves of a run, each as one row of numbers."""
        return {name: getattr(run.curves, name) for name in self.curve_names}

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
        filled = {name: curves.get(name, np.full_like(curves["step"], np.nan)) for name in self.curve_names}
        return Run(config=config, curves=Curves(**filled), ending=cast("Ending", ending), seconds=seconds)


class MultitaskStore(ParquetStore[MultitaskConfig, MultitaskRun]):
    """Finished runs of several tasks in one folder, which may hold runs of single networks, too.

    Args:
        folder: Where the files lie; need not exist before they are written.
    """

    kind = "mixture_protocol"
    curve_names = MULTITASK_CURVES
    endings = ("horizon", "diverged")

    def config_from(self, fields: dict[str, Any]) -> MultitaskConfig:
        """Inverse of ``MultitaskConfig.to_dict``."""
        return MultitaskConfig.from_dict(fields)

    def columns(self, run: MultitaskRun) -> dict[str, np.ndarray]:
        """Curves of a run, each as one row of numbers; those of tasks evaluation by evaluation."""
        return {name: getattr(run.curves, name).ravel() for name in self.curve_names}

    def run_from(
        self, config: MultitaskConfig, curves: dict[str, np.ndarray], ending: str, seconds: float
    ) -> MultitaskRun:
        """Inverse of :meth:`columns`.

        Raises:
            ValueError: Curves are not one value an evaluation, or one an evaluation and task.
        """
        n_evaluations, n_tasks = len(curves["step"]), len(config.components)
        shaped = {}
        for name in self.curve_names:
            shape = (n_evaluations, n_tasks) if name in TASK_CURVES else (n_evaluations,)
            values = curves.get(name, np.full(shape, np.nan))
            if values.size != np.prod(shape):
                raise ValueError(f"{name} is not one value an evaluation" + (" and task" if len(shape) > 1 else ""))
            shaped[name] = values.reshape(shape)
        return MultitaskRun(
            config=config, curves=MultitaskCurves(**shaped), ending=cast("Ending", ending), seconds=seconds
        )


class DimensionStore(ParquetStore[DimensionConfig, DimensionRun]):
    """Found values in one folder, which is not one of runs.

    Args:
        folder: Where the files lie; need not exist before they are written.
    """

    kind = "dimension_protocol"
    curve_names = DIMENSION_VALUES
    endings = ("horizon", "diverged")

    def config_from(self, fields: dict[str, Any]) -> DimensionConfig:
        """Inverse of ``DimensionConfig.to_dict``."""
        return DimensionConfig.from_dict(fields)

    def columns(self, run: DimensionRun) -> dict[str, np.ndarray]:
        """Each value as a row of one number."""
        return {name: np.array([value]) for name, value in run.values.to_dict().items()}

    def run_from(
        self, config: DimensionConfig, curves: dict[str, np.ndarray], ending: str, seconds: float
    ) -> DimensionRun:
        """Inverse of :meth:`columns`.

        Raises:
            ValueError: A row is not one number.
        """
        if any(values.size != 1 for values in curves.values()):
            raise ValueError("a value is not one number")
        lacking = dict.fromkeys(self.curve_names, np.nan)
        values = DimensionValues(**lacking | {name: float(row[0]) for name, row in curves.items()})
        return DimensionRun(config=config, values=values, ending=cast("Any", ending), seconds=seconds)
