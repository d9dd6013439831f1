"""The measured capacity: how many random-label examples a model memorizes when it is given too many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.outcomes import Outcome
from dcrit.empirics.runs import RunConfig
from dcrit.theory.estimates import LEVEL, Interval, Measurement, half_width
from dcrit.theory.problem import Problem, check_integer

#: Sizes of the runs, as fractions of all pairs: the count must not depend on how many too many there are.
FRACTIONS = (0.8, 1.0)

#: A model is overloaded where it fits less than this fraction of its training set.
OVERLOADED = 0.9


@dataclass(frozen=True, kw_only=True)
class CapacityDesign:
    """The runs that measure the capacity of one problem's model.

    Attributes:
        problem: Its task is replaced by random labels.
        seeds: Runs per size.
        first_seed: Seeds count up from here.
    """

    problem: Problem
    seeds: int = 3
    first_seed: int = 0

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 1)
        check_integer("first_seed", self.first_seed, 0)

    def configs(self) -> list[RunConfig]:
        """Runs on random labels, most of them more than fit."""
        problem = self.problem.on_random_labels()
        return [
            RunConfig(problem=problem, n_train=round(fraction * problem.n_pairs), seed=self.first_seed + k)
            for fraction in FRACTIONS
            for k in range(self.seeds)
        ]


def memorized_count(outcome: Outcome) -> float:
    """Examples memorized, lucky guesses taken off.

    M = D·(acc − 1/C)/(1 − 1/C)

    Args:
        outcome: A run on random labels.

    Returns:
        M [examples].
    """
    return beyond_chance(outcome.config.n_train, outcome.train_accuracy, 1.0 / outcome.config.problem.n_classes)


def beyond_chance(n_train: int, train_accuracy: float, chance: float) -> float:
    """Examples fitted beyond those that guessing gets right, M = D·(acc − chance)/(1 − chance) [examples]."""
    return n_train * (train_accuracy - chance) / (1.0 - chance)


def mean_count(counts: NDArray[np.float64], *, level: float = LEVEL) -> tuple[float, Interval]:
    """Mean of two counts or more with Student's interval, both at least 0: where all is guessed, few may be lucky."""
    mean = float(counts.mean())
    half = half_width(float(counts.std(ddof=1)) / math.sqrt(counts.size), level=level, freedom=counts.size - 1)
    return max(0.0, mean), Interval(low=max(0.0, mean - half), high=max(0.0, mean + half), level=level)


def measure_capacity(outcomes: Sequence[Outcome], *, level: float = LEVEL) -> Measurement:
    """Capacity as the mean memorized count of overloaded runs, with Student's interval: they are few.

    Args:
        outcomes: Runs of one model on random labels. Accuracy settles long before the norm does, so
            only diverged runs are left out.
        level: Probability content of the interval.
    """
    finite = [o for o in outcomes if np.isfinite(o.train_accuracy)]
    counts = np.array([memorized_count(o) for o in finite if o.train_accuracy < OVERLOADED])
    lost = len(outcomes) - len(finite)
    if counts.size < 2:
        most = max((memorized_count(o) for o in finite), default=0.0)
        return Measurement(
            quantity="capacity",
            estimate=None,
            interval=None,
            unit="examples",
            n_runs=len(finite),
            n_unconverged=lost,
            reason=f"the model is not overloaded: it memorizes {most:.0f} random labels and no more exist",
        )
    estimate, interval = mean_count(counts, level=level)
    return Measurement(
        quantity="capacity",
        estimate=estimate,
        interval=interval,
        unit="examples",
        n_runs=int(counts.size),
        n_unconverged=lost,
    )
