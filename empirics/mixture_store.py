"""Finished runs of mixtures on disk, and whatever a list of them lacks trained batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from dcrit.empirics.local_executor import LocalExecutor
from dcrit.empirics.mixture_batches import plan_mixtures
from dcrit.empirics.mixture_training import train_mixtures
from dcrit.empirics.mixtures import MIXTURE_CURVES, TASK_CURVES, MixtureConfig, MixtureCurves, MixtureRun
from dcrit.empirics.parquet_store import ParquetStore
from dcrit.empirics.runs import CURVE_NAMES, Ending
from dcrit.empirics.sweep import Trainer


class MixtureStore(ParquetStore[MixtureConfig, MixtureRun]):
    """Finished runs of mixtures in one folder, which may hold runs of single networks, too.

    Args:
        folder: Where the files lie; need not exist before they are written.
    """

    curve_names = MIXTURE_CURVES
    other_curve_names = (CURVE_NAMES,)
    endings = ("horizon", "diverged")

    def config_from(self, fields: dict[str, Any]) -> MixtureConfig:
        """Inverse of ``MixtureConfig.to_dict``."""
        return MixtureConfig.from_dict(fields)

    def columns(self, run: MixtureRun) -> dict[str, np.ndarray]:
        """Curves of a run, each as one row of numbers; those of tasks evaluation by evaluation."""
        return {name: getattr(run.curves, name).ravel() for name in MIXTURE_CURVES}

    def run_from(self, config: MixtureConfig, curves: dict[str, np.ndarray], ending: str, seconds: float) -> MixtureRun:
        """Inverse of :meth:`columns`.

        Raises:
            ValueError: Curves are not one value an evaluation, or one an evaluation and task.
        """
        n_evaluations, n_tasks = len(curves["step"]), len(config.components)
        shaped = {}
        for name, values in curves.items():
            shape = (n_evaluations, n_tasks) if name in TASK_CURVES else (n_evaluations,)
            if values.size != np.prod(shape):
                raise ValueError(f"{name} is not one value an evaluation" + (" and task" if len(shape) > 1 else ""))
            shaped[name] = values.reshape(shape)
        return MixtureRun(config=config, curves=MixtureCurves(**shaped), ending=cast("Ending", ending), seconds=seconds)


#: How mixtures are trained by processes of this machine.
MIXTURES: Trainer[MixtureConfig, MixtureRun] = Trainer(plan=plan_mixtures, train=train_mixtures)


class MixtureTrainer:
    """Runs of mixtures, trained where a store lacks them, each batch kept when finished.

    Two tasks with a block and a head each, first one and then both, beside facts to memorize:

        >>> import tempfile
        >>> from pathlib import Path
        >>> from dcrit.empirics.mixture_store import MixtureStore, MixtureTrainer
        >>> from dcrit.empirics.mixtures import Component, MixtureConfig, Phase
        >>> mixture = MixtureConfig(
        ...     components=(
        ...         Component(task="add", modulus=7, n_train=40),
        ...         Component(task="sub", modulus=7, n_train=40),
        ...         Component(task="random", modulus=7, n_train=10),
        ...     ),
        ...     blocks="split",
        ...     heads="own",
        ...     phases=(Phase(tasks=(0,), steps=200), Phase(tasks=(0, 1, 2), steps=400)),
        ...     width=16,
        ...     learning_rate=0.1,
        ...     seed=0,
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (run,) = MixtureTrainer(MixtureStore(Path(folder)))([mixture])
        >>> [run.settled("train_accuracy", task=k) for k in range(3)]
        [1.0, 1.0, 1.0]
        >>> run.curves.step[-1].item(), run.ending
        (600.0, 'horizon')

    Args:
        store: Where runs are found and kept.
        workers: Training processes; None for one on each usable core.
        device: ``cpu``, ``cuda`` or ``auto``.
    """

    def __init__(self, store: MixtureStore, *, workers: int | None = None, device: str = "cpu") -> None:
        self.store, self.workers, self.device = store, workers, device

    def __call__(self, configs: Sequence[MixtureConfig], /, *, stage: str = "mixtures") -> Sequence[MixtureRun]:
        """Finished runs in the order of the configurations, as :meth:`LocalExecutor.run_with` trains them."""
        del stage  # nobody is told
        with LocalExecutor(self.workers, device=self.device) as executor:
            return executor.run_with(MIXTURES, configs, self.store)
