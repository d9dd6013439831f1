"""The measured critical size of a task that is learned beside others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.critical_size import CriticalSizeDesign, critical_size_of
from dcrit.empirics.mixtures import MixtureConfig, MixtureRun, MixtureRunner
from dcrit.empirics.outcomes import accuracy_above_chance
from dcrit.theory.estimates import LEVEL, Measurement

FloatArray = NDArray[np.float64]


def mixture_sizes_and_accuracies(runs: Sequence[MixtureRun]) -> tuple[FloatArray, FloatArray]:
    """Sizes (n,) and final test accuracies (n,), above chance, of the first task; diverged runs have none."""
    settled = [(run, run.settled("test_accuracy")) for run in runs]
    usable = [(run.config, accuracy) for run, accuracy in settled if math.isfinite(accuracy)]
    return (
        np.array([config.components[0].n_train for config, _ in usable], dtype=np.float64),
        np.array([accuracy_above_chance(accuracy, config.problem(0).n_classes) for config, accuracy in usable]),
    )


def measure_mixture_critical_size(
    template: MixtureConfig,
    train: MixtureRunner,
    *,
    tolerance: float = 0.05,
    max_runs: int = 36,
    level: float = LEVEL,
) -> tuple[Measurement, list[MixtureRun]]:
    """Training-set size of the first task at which it is learned, everything else of the mixture kept.

    Sizes and seeds are chosen round by round as for single networks, seeds counting up from the template's.

        >>> import tempfile
        >>> from pathlib import Path
        >>> from dcrit.empirics.mixture_size import measure_mixture_critical_size
        >>> from dcrit.empirics.mixture_store import MixtureStore, MixtureTrainer
        >>> from dcrit.empirics.mixtures import beside_facts
        >>> from dcrit.theory.problem import Problem
        >>> problem = Problem(task="add", modulus=7, width=16, learning_rate=0.1)
        >>> mixture = beside_facts(problem, n_train=20, n_facts=10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     train = MixtureTrainer(MixtureStore(Path(folder)))
        ...     (run,) = train([mixture])
        ...     measured, runs = measure_mixture_critical_size(mixture, train, max_runs=12)
        >>> run.curves.test_accuracy.shape[1], run.settled("train_accuracy", task=1)
        (2, 1.0)
        >>> measured.quantity, measured.n_runs
        ('critical_size', 12)

    Args:
        template: The mixture; its own size of the first task plays no part.
        train: Trains runs or finds them, such as ``MixtureTrainer(MixtureStore(folder))``.
        tolerance: Half width of the 90 % interval to reach, relative.
        max_runs: Runs at which to stop all the same.
        level: Probability content of the interval.

    Returns:
        The size, or why there is none, and the runs behind it.
    """
    problem = template.problem(0)
    design = CriticalSizeDesign(problem=problem, tolerance=tolerance, max_runs=max_runs, first_seed=template.seed)
    runs: list[MixtureRun] = []
    while True:
        n_train, accuracy = mixture_sizes_and_accuracies(runs)
        sizes = design.sizes(n_train, accuracy, n_runs=len(runs), n_pairs=problem.n_pairs)
        if not sizes:
            measured = critical_size_of(n_train, accuracy, n_lost=len(runs) - n_train.size, level=level)
            return measured, runs
        first = template.seed + len(runs)
        runs += train([template.with_n_train(size, seed=first + k) for k, size in enumerate(sizes)])
