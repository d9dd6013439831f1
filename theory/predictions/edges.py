"""Where test accuracies other than 1/2 are reached, such as the edges of semi-grokking, with errors of their own.

How far such a size lies from D_crit(T) is less sure than D_crit(T): the width of the transition differs between
networks, and narrow ones are never right on what they do not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from dcrit.theory.calibrations.thresholds import HALF, Thresholds
from dcrit.theory.circuits.clock import LevelClocks
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: By how many standard deviations the transition is wider than the law says, where it is looked at: from minus to plus
#: the largest, in even steps; and the probability of each.
LARGEST_SPREAD, N_SPREADS = 4.0, 41
SPREADS = np.linspace(-LARGEST_SPREAD, LARGEST_SPREAD, N_SPREADS)
CHANCES = np.exp(-(SPREADS**2) / 2) / np.exp(-(SPREADS**2) / 2).sum()

#: Halvings that find a quantile, and how far it may lie from all places, in standard deviations of ln D_crit(T).
HALVINGS, FARTHEST = 60, 8.0


def spread_normal(n_draws: int, seed: int) -> FloatArray:
    """Standard normal draws (n,) that say how much wider the transition is, in standard deviations."""
    return np.random.default_rng([seed, 6]).standard_normal(n_draws)


@dataclass(frozen=True, kw_only=True)
class Transition:
    """Sizes of all test accuracies of one network by a horizon, with their errors.

    ln D_ℓ(T) = ln D_crit(T) + s·z + Δ_ℓ(u),   Δ_ℓ(u) = e^(w·u)·(x_ℓ(κ·e^(−v·u)) − x_½(κ·e^(−v·u))),   z, u ~ N(0, 1)

    x is ln D by the law, s the standard deviation of ln D_crit(T), w the scatter of ln of the width between networks,
    and v that of ln κ of narrow pair-MLPs. Δ is 0 at 1/2, and rises with ℓ for every u, so that sizes keep their order.

    Attributes:
        law: Constants.
        problem: The question.
        horizon: T [steps].
    """

    law: Thresholds
    problem: Problem
    horizon: float

    @cached_property
    def clocks(self) -> LevelClocks:
        """What the law says."""
        return self.law.clocks(self.problem)

    @cached_property
    def deviation(self) -> float:
        """S."""
        return self.law.deviation(self.problem, self.horizon)

    @cached_property
    def middle(self) -> float:
        """Test accuracy from which distances count: 1/2, or half of what a network holds that never gets there."""
        ceiling = self.clocks.memory.ceiling
        return HALF if ceiling > HALF else HALF * ceiling

    @cached_property
    def size(self) -> float:
        """Size at which the middle is reached [examples]."""
        return self.clocks.size(self.middle, self.horizon)

    @cached_property
    def wider(self) -> FloatArray:
        """Width of the transition over that of the law, at each of ``SPREADS``."""
        return np.exp(self.law.law.levels.scatter * SPREADS)

    @cached_property
    def ceilings(self) -> FloatArray:
        """Largest test accuracy at each of ``SPREADS``: the transition is wide where κ is low.

        Where κ would be so low that the middle is never reached, it is that of the law: what such a κ does is a part of
        the error of D_crit(T).
        """
        own, units = self.clocks.memory.ceiling, self.law.units
        if units is None:
            return np.full(SPREADS.shape, own)
        found = np.array(
            [units.moved(-u).ceiling(self.problem.n_symbols, self.problem.width) for u in SPREADS.tolist()]
        )
        return np.where(found > self.middle, found, own)

    def distances(self, accuracy: float) -> FloatArray:
        """Δ of a test accuracy at each of ``SPREADS``, (41,); inf where the network is never so good.

        Args:
            accuracy: ℓ.
        """
        if self.law.units is None:
            size = self.clocks.size(accuracy, self.horizon)
            return self.wider * (math.log(size / self.size) if math.isfinite(size) else math.inf)
        found = accuracy / self.ceilings
        places = self.clocks.shifts_of(np.where(found < 1, found, HALF)) - self.clocks.shifts_of(
            self.middle / self.ceilings
        )
        return np.where(found < 1, self.wider * places, math.inf)

    def chance(self, accuracy: float, n_train: ArrayLike) -> FloatArray:
        """Probability that training on so many examples ends at that test accuracy or above: E[P(D_ℓ(T) ≤ D)].

        Args:
            accuracy: ℓ.
            n_train: D, any shape [examples].
        """
        away = np.log(np.asarray(n_train, dtype=np.float64) / self.size)[..., None] - self.distances(accuracy)
        return np.asarray(ndtr(away / self.deviation) @ CHANCES)

    def size_at(self, accuracy: float, chance: float) -> float:
        """Size at which :meth:`chance` has a value [examples]; inf where it has it at none.

        Args:
            accuracy: ℓ.
            chance: Probability.
        """
        every = self.distances(accuracy)
        reached = np.isfinite(every)
        if CHANCES[reached].sum() <= chance:
            return math.inf
        own, weights = every[reached], CHANCES[reached]
        low, high = own.min() - FARTHEST * self.deviation, own.max() + FARTHEST * self.deviation
        for _ in range(HALVINGS):
            half = (low + high) / 2
            low, high = (half, high) if ndtr((half - own) / self.deviation) @ weights < chance else (low, half)
        return self.size * math.exp(high)

    def times(self, accuracy: float, n_train: float, normal: FloatArray, spread: FloatArray) -> FloatArray:
        """Steps to a test accuracy, of draws (n,); inf where it is never reached [steps].

        Args:
            accuracy: ℓ.
            n_train: D [examples].
            normal: z of each draw (n,).
            spread: u of each (n,).
        """
        every = self.distances(accuracy)
        best, own = float(every[N_SPREADS // 2]), np.interp(spread, SPREADS, every)
        # Where the law says never, times are those to the middle with so much less data.
        known = math.isfinite(best)
        away = self.deviation * normal + own - (best if known else 0.0)
        reached = np.isfinite(away)
        size = n_train * np.exp(-np.where(reached, away, 0.0))
        return np.where(reached, self.clocks.time(accuracy if known else self.middle, size), math.inf)

    def accuracies(self, n_train: float, normal: FloatArray, spread: FloatArray) -> FloatArray:
        """Test accuracy at the horizon, of draws (n,).

        Args:
            n_train: D [examples].
            normal: z of each draw (n,).
            spread: u of each (n,).
        """
        away = (math.log(n_train / self.size) - self.deviation * normal) / np.interp(spread, SPREADS, self.wider)
        if self.law.units is None:
            return self.clocks.accuracy(self.size * np.exp(away), self.horizon)
        held = np.interp(spread, SPREADS, self.ceilings)
        found = self.clocks.shifts_of(self.middle / held)
        return (
            held
            / self.clocks.memory.ceiling
            * self.clocks.accuracy(self.clocks.half.critical_size(self.horizon) * np.exp(away + found), self.horizon)
        )
