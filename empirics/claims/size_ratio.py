"""Two critical sizes against each other, also where one of them is only known to be larger than what was tried."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.claims.effect import Effect, Range, effect_of_draws
from dcrit.empirics.experiments.mixture_transitions import MixtureTransition

FloatArray = NDArray[np.float64]

#: 0: the draws are of the quantity; 1 and −1: it lies above, or below, what is drawn.
Side = Literal[-1, 0, 1]

#: Draws of every critical size: one in so many, times the comparisons of a claim, must be able to decide beside others.
DRAWS = 20_000


def log_sizes(transition: MixtureTransition, *, seed: int = 0) -> tuple[FloatArray, Side] | None:
    """Draws of ln D_crit, or the largest size tried as a bound below it; None where there is neither.

    Args:
        transition: What was measured.
        seed: Of the draws; sizes that are compared need different ones.
    """
    draws = transition.log_size_draws(DRAWS, seed=seed)
    if draws is not None:
        return draws, 0
    return (np.full(DRAWS, math.log(transition.largest)), 1) if transition.is_beyond else None


def effect_of_bound(draws: FloatArray, allowed: Range, side: Side) -> Effect:
    """An effect of which draws are known, or draws of a bound.

    Args:
        draws: (n,).
        allowed: Ends of the range.
        side: What the draws are of; a bound from below can leave a range only at its upper end, and lie in it for
            sure only where that is open, and likewise from above.
    """
    low, high = allowed
    if side == 0:
        return effect_of_draws(draws, allowed)
    edge = high if side == 1 else low
    effect = effect_of_draws(draws, (-math.inf, high) if side == 1 else (low, math.inf))
    if math.isfinite(edge):
        return replace(effect, p_inside=1.0)
    return replace(effect_of_draws(draws, allowed), p_outside=1.0)


def effect_of_ratio(above: MixtureTransition, below: MixtureTransition, allowed: Range) -> Effect | None:
    """Ln of the ratio of two critical sizes; None where one is not known, or both only from one side.

    Args:
        above: The numerator.
        below: The denominator.
        allowed: Ends of the range of the logarithm.
    """
    first, second = log_sizes(above), log_sizes(below, seed=1)
    if first is None or second is None or (first[1] and second[1]):
        return None
    side: Side = 1 if first[1] else -1 if second[1] else 0
    return effect_of_bound(first[0] - second[0], allowed, side)


def size_text(transition: MixtureTransition) -> str:
    """The measured size with its interval, for tables."""
    measured = transition.measured
    if measured.estimate is None:
        return f"over {transition.largest}" if transition.is_beyond else measured.reason
    interval = measured.interval
    return f"{measured.estimate:.0f}" + ("" if interval is None else f" ({interval.low:.0f} – {interval.high:.0f})")
