"""The measured capacity: how many random-label examples a model memorizes when it is given too many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig, configs_of
from dcrit.theory.checks import check_integer
from dcrit.theory.circuits.laws import CapacityLaw, bits_per_parameter
from dcrit.theory.estimates import LEVEL, Estimate, Interval, half_width
from dcrit.theory.problems.problem import Problem

#: Sizes of the runs, as fractions of all pairs: the count must not depend on how many too many there are.
FRACTIONS = (0.8, 1.0)

#: How far ln D_mem lies from a law measured at C_0 classes, for each ln(C/C_0): chosen when some at other C were
#: known (docs/explanation/model-size.md).
CLASSES_ERROR = 0.4

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
        sizes = [round(fraction * self.problem.n_pairs) for fraction in FRACTIONS]
        return configs_of(self.problem.on_random_labels(), sizes, range(self.first_seed, self.first_seed + self.seeds))


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


def no_capacity(reason: str, *, n_runs: int, n_unconverged: int) -> Estimate:
    """The estimate of a capacity that runs do not tell, and why."""
    return Estimate(
        quantity="capacity",
        value=None,
        interval=None,
        unit="examples",
        n_runs=n_runs,
        n_unconverged=n_unconverged,
        reason=reason,
    )


def measure_capacity(outcomes: Sequence[Outcome], *, level: float = LEVEL) -> Estimate:
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
        reason = f"the model is not overloaded: it memorizes {most:.0f} random labels and no more exist"
        return no_capacity(reason, n_runs=len(finite), n_unconverged=lost)
    estimate, interval = mean_count(counts, level=level)
    return Estimate(
        quantity="capacity",
        value=estimate,
        interval=interval,
        unit="examples",
        n_runs=int(counts.size),
        n_unconverged=lost,
    )


def in_bits(capacity: Estimate, problem: Problem, *, level: float = LEVEL) -> Estimate:
    """A capacity in bits per parameter, c = D_mem·log2(C)/N, with its interval.

    Args:
        capacity: In examples.
        problem: What it was measured on.
        level: Probability content of its interval.
    """

    def bits(examples: float) -> float:
        return float(bits_per_parameter(examples, problem.n_params, problem.n_classes))

    ends = capacity.interval
    return replace(
        capacity,
        quantity="bits_per_parameter",
        unit="bits/parameter",
        value=None if capacity.value is None else bits(capacity.value),
        interval=None if ends is None else Interval(low=bits(ends.low), high=bits(ends.high), level=level),
    )


@dataclass(frozen=True, kw_only=True)
class CapacityLine:
    """Capacity over model size.

    ln D_mem = ln(c·N/log2 C) + (s − 1)·ln(N/N_0) at one C, with s = 1 where capacity is linear

    Attributes:
        bits: c at slope one, bits per parameter averaged over sizes [bits/parameter].
        bits_error: Its standard error, from the scatter between sizes.
        n_sizes: Model sizes that were overloaded.
        n_runs: Runs behind them.
        points: N, D_mem and the two ends of its interval, one entry a size.
        law: The fitted power law, anchored at the mean of ln N.
    """

    bits: float
    bits_error: float
    n_sizes: int
    n_runs: int
    points: tuple[tuple[int, float, float, float], ...]
    law: CapacityLaw

    @property
    def slope(self) -> float:
        """s, fitted."""
        return self.law.slope

    @property
    def slope_error(self) -> float:
        """Its standard error."""
        return self.law.slope_error

    @classmethod
    def fit(cls, points: Sequence[tuple[Problem, Sequence[Outcome]]]) -> Self | str:
        """The line through the measured capacities, or why there is none."""
        measured = [(problem, measure_capacity(outcomes)) for problem, outcomes in points]
        # A network that decays to nothing memorizes nothing, which has no logarithm.
        found = [(problem, m.value, m.n_runs) for problem, m in measured if m.value is not None and m.value > 0]
        if len(found) < 3:
            return f"only {len(found)} model sizes are overloaded by random labels and memorize some, three needed"
        bits = np.array([float(bits_per_parameter(d, problem.n_params, problem.n_classes)) for problem, d, _ in found])
        x = np.log([problem.n_params for problem, _, _ in found])
        y = np.log([d for _, d, _ in found])
        slope, intercept = np.polyfit(x, y, 1)
        residual = y - slope * x - intercept
        scatter = residual @ residual / (len(x) - 2)
        anchor = math.exp(x.mean())
        n_classes = found[0][0].n_classes
        return cls(
            bits=float(bits.mean()),
            bits_error=float(bits.std(ddof=1) / math.sqrt(len(bits))),
            n_sizes=len(found),
            n_runs=sum(n for _, _, n in found),
            points=tuple(
                (problem.n_params, m.value, m.interval.low, m.interval.high)
                for problem, m in measured
                if m.value is not None and m.value > 0 and m.interval is not None
            ),
            law=CapacityLaw(
                bits=float(bits_per_parameter(math.exp(y.mean()), anchor, n_classes)),
                slope=float(slope),
                n_params=anchor,
                n_classes=n_classes,
                classes_exponent=found[0][0].family.capacity_exponent,
                classes_error=CLASSES_ERROR,
                log_bits_error=math.sqrt(scatter / len(x)),
                slope_error=math.sqrt(scatter / np.square(x - x.mean()).sum()),
            ),
        )
