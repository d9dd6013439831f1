"""The eight constants of a competition as numbers that a regression can carry, and back."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.mixture import SCAN_POINTS, Competition, DeficitLaw

FloatArray = NDArray[np.float64]

#: The memorizing laws are anchored at this fraction of all pairs, amid the sizes they were fitted on.
ANCHOR = 0.35

#: What is measured in a cell: logarithms at the anchor, and exponents.
CONSTANTS = (
    "log_memorizing",
    "memorizing_exponent",
    "log_generalizing",
    "log_mixing",
    "log_deficit",
    "deficit_exponent",
    "log_spread",
    "spread_exponent",
)

#: Halvings of the bracket in ln D: from ln of a million examples to the last digit of a double.
BISECTIONS = 52


def constants_of(competition: Competition) -> FloatArray:
    """The constants of one problem's competition, in the order of ``CONSTANTS``: (8,)."""
    anchor = math.log(ANCHOR * competition.generalizing.n_pairs)
    return np.array(
        [
            competition.memorizing.log_efficiency(anchor),
            competition.memorizing.exponent,
            competition.generalizing.log_efficiency(anchor),
            math.log(competition.mixing),
            competition.deficits.log_median(anchor),
            competition.deficits.median_exponent,
            competition.deficits.log_spread(anchor),
            competition.deficits.spread_exponent,
        ]
    )


def competition_from(constants: FloatArray, n_pairs: int) -> Competition:
    """Inverse of :func:`constants_of`.

    Args:
        constants: (8,) in the order of ``CONSTANTS``.
        n_pairs: Pairs that exist [examples].
    """
    anchor = math.log(ANCHOR * n_pairs)
    memorizing, exponent, generalizing, mixing, deficit, deficit_exponent, spread, spread_exponent = constants
    return Competition(
        memorizing=MemorizingLaw(amplitude=math.exp(memorizing + exponent * anchor), exponent=float(exponent)),
        generalizing=GeneralizingLaw(full_data=math.exp(generalizing), n_pairs=n_pairs),
        deficits=DeficitLaw(
            median=math.exp(deficit - deficit_exponent * anchor),
            median_exponent=float(deficit_exponent),
            spread=math.exp(spread - spread_exponent * anchor),
            spread_exponent=float(spread_exponent),
        ),
        mixing=math.exp(mixing),
    )


def sizes_from(constants: FloatArray, n_pairs: int, accuracy: float | None) -> FloatArray:
    """Sizes at a test accuracy, or at the efficiency crossing, for many draws of the constants at once.

    Solves what :meth:`Competition.size_at_accuracy` and :meth:`Competition.crossing` solve.

    Args:
        constants: (n, 8), columns in the order of ``CONSTANTS``.
        n_pairs: Pairs that exist [examples].
        accuracy: Level between 0 and 1; None for the crossing.

    Returns:
        (n,) sizes [examples]; inf where there is no transition below all pairs, 1 where it lies
        below the first example.
    """
    memorizing, exponent, generalizing, log_mixing, deficit, deficit_exponent, spread, spread_exponent = constants.T
    z = 0.0 if accuracy is None else float(ndtri(accuracy))

    def surplus(log_n_train: FloatArray) -> FloatArray:
        """Odds, or their logarithm, above what is needed: (k, n) for (k, 1) or (n,) sizes."""
        x = log_n_train - math.log(ANCHOR * n_pairs)
        log_odds = np.exp(log_mixing) * (generalizing - memorizing + exponent * x)
        if accuracy is None:
            return log_odds
        needed, noise = (
            np.exp(np.clip(level + slope * x, -700.0, 700.0))
            for level, slope in ((deficit, deficit_exponent), (spread, spread_exponent))
        )
        return np.exp(np.minimum(log_odds, 700.0)) - needed - z * noise

    # As in the solver, the last passage counts.
    scan = np.linspace(0.0, math.log(n_pairs), SCAN_POINTS)
    below = surplus(scan[:, None]) < 0
    last = SCAN_POINTS - 1 - below[::-1].argmax(axis=0)
    low, high = scan[last], scan[np.minimum(last + 1, SCAN_POINTS - 1)]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        short = surplus(middle) < 0
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where(~below.any(axis=0), 1.0, np.where(below[-1], np.inf, np.exp((low + high) / 2)))


#: Deficits and spreads grow with D at most at this part of the rate at which odds do, so that accuracy rises.
LARGEST_SHARE = 0.9


def through_sizes(
    constants: FloatArray, n_pairs: int, onset: ArrayLike, half: ArrayLike, completion: ArrayLike
) -> FloatArray:
    """The same efficiencies and mixing, with deficits such that test accuracy is 0.1, 1/2 and 0.9 at given sizes.

    ρ(D) = odds(D) at accuracy 1/2, and σ(D) = |odds(D) − ρ(D)|/Φ⁻¹(0.9) at the other two; where a deficit or spread
    would have to grow nearly as fast as the odds, the outer accuracies are met in part only.

    Args:
        constants: (..., 8) in the order of ``CONSTANTS``; odds must rise with D.
        n_pairs: Pairs that exist [examples].
        onset: Size at accuracy 0.1, (...) [examples].
        half: Size at accuracy 1/2 [examples].
        completion: Size at accuracy 0.9 [examples].

    Returns:
        (..., 8) constants.
    """
    found = np.array(constants, dtype=np.float64)
    log_mem, exponent, log_gen, log_mixing, _, deficit_exponent, _, _ = np.moveaxis(found, -1, 0)
    below, middle, above = (np.log(np.asarray(size) / (ANCHOR * n_pairs)) for size in (onset, half, completion))
    rise = np.exp(log_mixing) * exponent

    def log_odds(x: FloatArray) -> FloatArray:
        return np.exp(log_mixing) * (log_gen - log_mem) + rise * x

    slope = np.minimum(deficit_exponent, rise / 2)
    log_deficit = log_odds(middle) - slope * middle

    def log_spread(x: FloatArray) -> FloatArray:
        """Ln of |odds − ρ|/Φ⁻¹(0.9), without overflow."""
        ends = log_odds(x), log_deficit + slope * x
        larger, gap = np.maximum(*ends), np.abs(ends[0] - ends[1])
        return larger + np.log(-np.expm1(-gap)) - math.log(float(ndtri(0.9)))

    low, high = log_spread(below), log_spread(above)
    spread_slope = np.minimum((high - low) / (above - below), LARGEST_SHARE * rise)
    found[..., 4], found[..., 5] = log_deficit, slope
    found[..., 6], found[..., 7] = high - spread_slope * above, spread_slope
    return found
