"""Finished runs of mixtures on disk, and whatever a list of them lacks trained batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch

from dcrit.empirics.batches import CACHE_BYTES, MEMBERS
from dcrit.empirics.ensemble import padded_rows
from dcrit.empirics.mixture_networks import Layout, mixture_key, train_mixtures
from dcrit.empirics.mixtures import MIXTURE_CURVES, TASK_CURVES, MixtureConfig, MixtureCurves, MixtureRun
from dcrit.empirics.parquet_store import ParquetStore
from dcrit.empirics.runs import CURVE_NAMES, Ending

Report = Callable[[int, int], None]


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


def plan_mixtures(configs: Sequence[MixtureConfig], device: str = "cpu") -> list[tuple[MixtureConfig, ...]]:
    """Divide runs into batches of the same shapes that suit a core's cache."""
    groups: dict[tuple[object, ...], list[MixtureConfig]] = {}
    for config in configs:
        groups.setdefault(mixture_key(config), []).append(config)
    batches = []
    for group in groups.values():
        first = group[0]
        most = MEMBERS[device]
        if device == "cpu":
            size = 4 if first.precision == "float32" else 8
            n_classes = max(first.problem(k).n_classes for k in range(len(first.components)))
            examples = max(padded_rows(component.n_train) for component in first.components)
            # A parameter, its gradient and two moments; units before and after σ and their gradient, and logits.
            member = size * (4 * Layout.of(first).n_rows * first.width + examples * (3 * first.width + 2 * n_classes))
            most = max(1, min(most, CACHE_BYTES // member))
        batches += [tuple(group[start : start + most]) for start in range(0, len(group), most)]
    return batches


class MixtureTrainer:
    """Runs of mixtures, trained by the calling process where a store lacks them, each batch kept when finished.

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
        device: Where to train.
        report: Told after every batch how many of the lacking runs are done, and how many they are.
    """

    def __init__(self, store: MixtureStore, *, device: str = "cpu", report: Report = lambda _, __: None) -> None:
        self.store, self.device, self.report = store, device, report

    def __call__(self, configs: Sequence[MixtureConfig], /) -> list[MixtureRun]:
        """Finished runs in the order of the configurations.

        Raises:
            ValueError: Something has to be trained and the store's folder cannot be written to.
            StoreWriteError: A finished batch cannot be stored.
        """
        found = self.store.find(configs)
        lacking = list({c.address: c for c in configs if c.address not in found}.values())
        if lacking:
            self.store.prepare()
            self.store.set_aside()
        n_threads, done = torch.get_num_threads(), 0
        torch.set_num_threads(1)  # the number of threads changes rounding
        try:
            for batch in plan_mixtures(lacking, self.device):
                runs = train_mixtures(batch, device=self.device)
                self.store.add(runs)
                found |= {run.config.address: run for run in runs}
                done += len(batch)
                self.report(done, len(lacking))
        finally:
            torch.set_num_threads(n_threads)
        return [found[config.address] for config in configs]
