"""The semi-grokking interval of measured accuracies: between which sizes test accuracy is partial, without a curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from dcrit.empirics.measures.critical_size import sizes_and_accuracies
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.theory.circuits.regimes import SEMI_GROKKING

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PartialInterval:
    """Between which sizes seed-averaged test accuracy passes the two levels of semi-grokking.

    Attributes:
        onset: Size at the lower level [examples].
        completion: Size at the upper one [examples].
        log_widths: (n,) bootstrap draws of ln(completion/onset).
        reached: (n,) whether both levels lie between the sizes tried; elsewhere the width is at least the drawn one.
    """

    onset: float
    completion: float
    log_widths: FloatArray
    reached: NDArray[np.bool_]

    @property
    def log_width(self) -> float:
        """ln(completion/onset)."""
        return math.log(self.completion / self.onset)


def measure_partial_interval(outcomes: Sequence[Outcome], n_draws: int, *, seed: int = 0) -> PartialInterval | str:
    """The interval from runs over sizes, several at each.

    Means over seeds, made monotone in D, are joined by straight lines over ln D. For the draws, runs are resampled
    within each size, their deviations widened by √(n/(n − 1)); there a level that is not reached lies at
    the outermost size.

    Args:
        outcomes: Runs of one problem; diverged ones are left out.
        n_draws: Bootstrap draws.
        seed: Of the draws.

    Returns:
        The interval, or which level is not reached at the sizes tried.

    Source: efron1993.
    """
    n_train, accuracy = sizes_and_accuracies(outcomes)
    if not n_train.size:
        return "no run has a test accuracy"
    sizes, place, counts = np.unique(n_train, return_inverse=True, return_counts=True)
    means = np.bincount(place, accuracy) / counts
    curve = _monotone(means, counts)
    low, high = SEMI_GROKKING
    if curve[0] > low:
        return f"test accuracy is {curve[0]:.2f} at the smallest size tried, {sizes[0]:.0f}"
    if curve[-1] < high:
        return f"test accuracy is {curve[-1]:.2f} at the largest size tried, {sizes[-1]:.0f}"
    rng = np.random.default_rng(seed)
    drawn = np.empty((n_draws, sizes.size))
    for index, count in enumerate(counts):
        own = accuracy[place == index]
        widened = means[index] + (own - means[index]) * math.sqrt(count / max(1, count - 1))
        drawn[:, index] = widened[rng.integers(count, size=(n_draws, count))].mean(axis=1)
    log_sizes = np.log(sizes)
    curves = np.array([_monotone(row, counts) for row in drawn])
    ends = np.array([_passages(log_sizes, row) for row in curves])
    onset, completion = np.exp(_passages(log_sizes, curve))
    return PartialInterval(
        onset=float(onset),
        completion=float(completion),
        log_widths=ends[:, 1] - ends[:, 0],
        reached=(curves[:, 0] <= low) & (curves[:, -1] >= high),
    )


def _monotone(means: FloatArray, counts: NDArray[np.int_]) -> FloatArray:
    return np.asarray(isotonic_regression(means, weights=counts.astype(np.float64)).x)


def _passages(log_sizes: FloatArray, curve: FloatArray) -> FloatArray:
    """Ln D at both levels: the last size below the level, and the line to the next."""
    found: list[float] = []
    for level in SEMI_GROKKING:
        after = int(np.searchsorted(curve, level, side="right"))
        if after in (0, curve.size):
            found.append(float(log_sizes[min(after, curve.size - 1)]))
            continue
        share = (level - curve[after - 1]) / (curve[after] - curve[after - 1])
        found.append(float(log_sizes[after - 1] + share * (log_sizes[after] - log_sizes[after - 1])))
    return np.array(found)
