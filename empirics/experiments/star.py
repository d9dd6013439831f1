"""The measured star: where the measured D_crit(N) and D_mem(N) cross."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from dcrit.empirics.experiments.size_grid import Grid
from dcrit.empirics.measures.critical_size import Sides, posterior_of, sides_of
from dcrit.empirics.measures.planes import DRAWS, capacity_draws, crossing
from dcrit.empirics.runs.outcomes import accuracy_above_chance
from dcrit.theory.estimates import Interval, interval_of

FloatArray = NDArray[np.float64]

#: Means on one side of one half settle that there is no transition where none lies on the other side with so much
#: probability. It is less than the smallest p-value that a claim beside twenty others needs.
ONE_SIDED = 1e-3


@dataclass(frozen=True, kw_only=True)
class MeasuredStar:
    """Both measured curves and their crossing, as draws.

    Attributes:
        n_params: N (K,) [parameters].
        log_critical: ln D_crit (K, n); inf above the largest size, NaN where nothing is known.
        log_capacity: ln D_mem (K, n).
        log_params: ln N* (n,); infinite where the curves do not cross between the smallest and the largest model.
        log_size: ln D* (n,); NaN there.
    """

    n_params: FloatArray
    log_critical: FloatArray
    log_capacity: FloatArray
    log_params: FloatArray
    log_size: FloatArray

    @property
    def located(self) -> NDArray[np.bool_]:
        """Draws whose curves cross within the measured models (n,)."""
        return np.isfinite(self.log_params)

    @property
    def share(self) -> float:
        """Fraction of such draws."""
        return float(self.located.mean())

    def size_interval(self) -> Interval | None:
        """Interval of D* [examples]; None where most draws have none."""
        return None if self.share < 0.5 else interval_of(np.exp(self.log_size[self.located]))

    def params_interval(self) -> Interval | None:
        """Interval of N* [parameters]; None where most draws have none."""
        return None if self.share < 0.5 else interval_of(np.exp(self.log_params[self.located]))

    def middle(self) -> tuple[float, float] | None:
        """Medians of N* and D* over draws that have them; None where most have none."""
        if self.share < 0.5:
            return None
        n, d = (float(np.median(draws[self.located])) for draws in (self.log_params, self.log_size))
        return math.exp(n), math.exp(d)


def _runs_at(grid: Grid, width: int) -> tuple[FloatArray, FloatArray]:
    """Sizes (n,) and accuracies above chance (n,) of the runs at the width of that index that stayed finite."""
    raw = grid.test_accuracy[:, width]  # (sizes, seeds)
    kept = np.isfinite(raw)
    n_train = np.broadcast_to(np.array(grid.plane.sizes, dtype=np.float64)[:, None], raw.shape)
    n_classes = grid.plane.problem.n_classes
    return n_train[kept], np.array([accuracy_above_chance(float(one), n_classes) for one in raw[kept]])


def _is_open(n_train: FloatArray, accuracy: FloatArray) -> bool:
    """Whether a mean accuracy may lie on the other side of one half by its error, as one of 0.48 ± 0.05.

    |m − 1/2| ≤ t·s/√n at some size, t the quantile of Student's distribution that ``ONE_SIDED`` of all draws exceed
    """
    for size in np.unique(n_train):
        seeds = accuracy[n_train == size]
        if seeds.size < 2:
            continue
        most = -float(stdtrit(seeds.size - 1, ONE_SIDED)) * float(seeds.std(ddof=1)) / math.sqrt(seeds.size)
        if abs(float(seeds.mean()) - 0.5) <= most:
            return True
    return False


def critical_draws(grid: Grid, *, n_draws: int = DRAWS, seed: int = 0) -> FloatArray:
    """Draws of ln D_crit at every width from its posterior, (K, n).

    A draw above the largest size of the plane says that there is no transition in it, inf; one below the smallest
    stands for that size. Where all means lie on one side of one half beyond their errors, or fall through it as the
    size grows, every draw is of that kind; where no run stayed finite nothing is known, NaN.

    Args:
        grid: Its plane.
        n_draws: How many.
        seed: Of the draws; planes that are compared need different ones.
    """
    first, last = np.log(grid.plane.sizes[0]), np.log(grid.plane.sizes[-1])
    drawn = np.full((len(grid.plane.widths), n_draws), np.nan)
    for k in range(len(drawn)):
        runs = _runs_at(grid, k)
        sides = sides_of(*runs)
        if sides is Sides.BOTH or (sides in {Sides.BELOW, Sides.ABOVE} and _is_open(*runs)):
            posterior = posterior_of(*runs, grid.plane.problem.n_pairs)
            drawn[k] = np.log(posterior.draws(n_draws, seed=(seed, k)))
        elif sides is not Sides.NO_RUN:
            drawn[k] = -np.inf if sides is Sides.ABOVE else np.inf
    return np.where(drawn > last, np.inf, np.maximum(drawn, first))


def critical_sizes(grid: Grid) -> FloatArray:
    """Medians of D_crit at every width, (K,) [examples]; infinite or NaN as its draws."""
    return np.exp(np.median(critical_draws(grid), axis=1))


def star_of(grid: Grid) -> MeasuredStar | None:
    """The measured star of a plane; None where fewer than two models are overloaded by random labels."""
    n_params = grid.n_params
    by_width = {width: float(grid.plane.at(width).n_params) for width in grid.plane.capacity_widths}
    log_capacity = capacity_draws(grid.memorized, by_width, n_params)
    if log_capacity is None:
        return None
    log_critical, x = critical_draws(grid), np.log(n_params)
    roots = crossing(x, log_critical, log_capacity, math.log(grid.plane.sizes[-1]))
    finite = np.isfinite(roots)
    # D_mem is a power law, so that D* lies on the line through its two ends.
    slope = (log_capacity[-1] - log_capacity[0]) / (x[-1] - x[0])
    log_size = np.where(finite, log_capacity[0] + slope * (np.where(finite, roots, 0.0) - x[0]), np.nan)
    return MeasuredStar(
        n_params=n_params, log_critical=log_critical, log_capacity=log_capacity, log_params=roots, log_size=log_size
    )
