"""Facts to memorize beside the task: how they raise D_crit, and the model size at which the task is learned at all.

With D_r facts in the training set the network needs a margin on them, which memorizing alone gives, and one on D
examples of the task, shared as w and 1 − w between the circuits. Nothing is fitted to runs with facts:

    S = D_r·m(w)^(1/β) + D·(1 − w)^(1/β),  m(w)² = 1 + w²
    cost^a = (w/e_gen)^a + (S^β/A)^a,  minimal in w
    test accuracy one half: w = ρ(D)·(S/D)^β

* S counts examples at margin 1. It is the one count additive in examples that gives (1 − w)/e_mem(D) for one set.
* m: facts share operands with the task, so the generalizing circuit answers them too, by w. To cancel that is
  orthogonal to raising the fact's own answer by 1, so the two add in squares.
* What memorizing says on unseen inputs grows with its whole cost, facts included.

Mean |ln error| of D_crit(D_r)/D_crit(0) over four measured ratios (docs/results/emergence.md): 0.02, or 0.05 where D_r
is not scaled with the error in D_crit(0). Without m it is 0.19, without the deficit of facts 0.20, without both 0.34;
costs that add in norm² give 0.42, in norm^κ 0.10. Both refinements were chosen after seeing those four; on ratios that
the package measured later it is 0.02 for ``square`` (three, unscaled 0.08) and 0.01 for ``relu`` (two). The rule is
for networks whose tasks share hidden units and operands: facts raise D_crit far less where they have operands of their
own, or where each task has a block of its own. The token that tells task from facts raises it by itself, which no
calibration knows of.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.checks import FieldError, check_not_negative, check_positive
from dcrit.theory.circuits.constants import ANCHOR
from dcrit.theory.circuits.crossing import Crossing, NoCrossing
from dcrit.theory.circuits.mixture import Competition

FloatArray = NDArray[np.float64]

#: Halvings of brackets, sizes compared to bracket a passage, and the largest ln(1 + X).
HALVINGS, SCAN_POINTS, LARGEST_LOAD = 52, 129, 60.0

#: A deficit beyond e to this power decides everything; larger ones would overflow beside loads.
LARGEST_LOG = 300.0


def check_rule(competition: Competition) -> None:
    """Refuse laws for which the rule is not derived.

    Raises:
        ValueError: The memorizing efficiency saturates, or falls faster than 1/D.
    """
    memorizing = competition.memorizing
    if memorizing.saturation > 0 and math.isfinite(memorizing.capacity):
        raise FieldError("saturation", "be 0 beside facts to memorize", repr(memorizing.saturation))
    if memorizing.exponent > 1:
        raise FieldError("exponent", "be at most 1 beside facts to memorize", repr(memorizing.exponent))


def effective_examples(exponent: float, *, n_train: ArrayLike, n_facts: ArrayLike, share: ArrayLike) -> FloatArray:
    """Memorized examples, each counted by its margin: cost is the same as that of so many at margin 1.

    S = D_r·(1 + w²)^(1/(2β)) + D·(1 − w)^(1/β)

    Args:
        exponent: β.
        n_train: D [examples].
        n_facts: D_r [examples], broadcast with D.
        share: w, broadcast with D.

    Returns:
        S [examples].
    """
    w, facts = np.asarray(share, dtype=np.float64), np.asarray(n_facts, dtype=np.float64)
    return facts * (1 + w * w) ** (0.5 / exponent) + np.asarray(n_train) * (1 - w) ** (1 / exponent)


def cost_with_facts(
    competition: Competition, *, n_train: ArrayLike, n_facts: ArrayLike, share: ArrayLike
) -> FloatArray:
    """Price of margin 1 on D examples and on D_r facts, convex in the share w for β ≤ 1.

    ((w/e_gen)^a + (S^β/A)^a)^(1/a), 1/a + 1/b = 1

    Returns:
        Cost [norm^κ per nat], arguments broadcast as in :func:`effective_examples`.
    """
    memorizing, a = competition.memorizing, competition.mixing / (competition.mixing - 1)
    effective = effective_examples(memorizing.exponent, n_train=n_train, n_facts=n_facts, share=share)
    log_generalizing = competition.generalizing.log_efficiency(np.log(np.asarray(n_train, dtype=np.float64)))
    with np.errstate(divide="ignore"):
        generalizing = np.log(np.asarray(share, dtype=np.float64)) - log_generalizing
        memorized = -memorizing.log_efficiency(np.log(effective))
    return np.exp(np.logaddexp(a * generalizing, a * memorized) / a)


def _affordable(surplus: ArrayLike, mixing: ArrayLike, exponent: ArrayLike, median: ArrayLike) -> FloatArray:
    """D_r/D at which test accuracy is one half, arguments broadcast; −inf where it is less without any facts.

    With the load X = S/S_task − 1 of facts, stationarity and w = (1 − w)·ρ·(1 + X)^β together say

        b·(ln e_gen − ln e_mem) − ln ρ = (b − 1)·((1 − β)·ln(1 + X) − ln(1 − X·w·(1 − w)/(1 + w²)))

    whose right-hand side rises from 0 with X; then D_r/D = X·(1 − w)^(1/β)/(1 + w²)^(1/(2β)).

    Args:
        surplus: The left-hand side.
        mixing: b.
        exponent: β ≤ 1.
        median: ρ(D).
    """
    surplus, mixing, exponent, median = np.broadcast_arrays(*map(np.asarray, (surplus, mixing, exponent, median)))

    def shares(log_load: FloatArray) -> tuple[FloatArray, FloatArray]:
        """W and 1 − w, neither lost to rounding."""
        odds = median * np.exp(exponent * log_load)
        return odds / (1 + odds), 1 / (1 + odds)

    low, high = np.zeros(surplus.shape), np.full(surplus.shape, LARGEST_LOAD)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        w, v = shares(middle)
        left = 1 - np.expm1(middle) * w * v / (1 + w * w)
        needed = (1 - exponent) * middle - np.log(np.where(left > 0, left, 1.0))
        enough = (left > 0) & ((mixing - 1) * needed < surplus)
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    middle = (low + high) / 2
    w, v = shares(middle)
    ratio = np.expm1(middle) * (v / np.sqrt(1 + w * w)) ** (1 / exponent)
    return np.where(np.isnan(surplus), np.nan, np.where(surplus < 0, -np.inf, ratio))


def affordable_facts(constants: FloatArray, n_pairs: int, n_train: ArrayLike) -> FloatArray:
    """Most facts that a network memorizes and still generalizes from D examples: D_crit(D_r) = D solved for D_r.

    Args:
        constants: (..., 8), last axis in the order of ``CONSTANTS``; β above 1 gives NaN.
        n_pairs: Pairs that exist [examples].
        n_train: D, broadcast with the other axes of ``constants`` [examples].

    Returns:
        D_r [examples]; −inf where D is too few even without facts.
    """
    log_memorizing, exponent, log_generalizing, log_mixing, log_median, drift, *_ = np.moveaxis(constants, -1, 0)
    size = np.asarray(n_train, dtype=np.float64)
    x = np.log(size / (ANCHOR * n_pairs))
    mixing, log_median = np.exp(log_mixing), log_median + drift * x
    surplus = mixing * (log_generalizing - log_memorizing + exponent * x) - log_median
    known = np.where(exponent <= 1, exponent, np.nan)
    return size * _affordable(
        np.where(np.isnan(known), np.nan, surplus),
        mixing,
        known,
        np.exp(np.clip(log_median, -LARGEST_LOG, LARGEST_LOG)),
    )


def emergent_sizes_from(constants: FloatArray, n_pairs: int, n_facts: float) -> FloatArray:
    """Sizes that :func:`emergent_critical_size` solves for, for many constants at once.

    Args:
        constants: (n, 8), columns in the order of ``CONSTANTS``, β ≤ 1.
        n_pairs: Pairs that exist [examples].
        n_facts: D_r [examples].

    Returns:
        (n,) sizes [examples]; inf where none below all pairs is enough, 1 where one example is.
    """
    scan = np.linspace(0.0, math.log(n_pairs), SCAN_POINTS)
    below = affordable_facts(constants, n_pairs, np.exp(scan)[:, None]) < n_facts
    last = SCAN_POINTS - 1 - below[::-1].argmax(axis=0)
    low, high = scan[last], scan[np.minimum(last + 1, SCAN_POINTS - 1)]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        short = affordable_facts(constants, n_pairs, np.exp(middle)) < n_facts
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where(~below.any(axis=0), 1.0, np.where(below[-1], np.inf, np.exp((low + high) / 2)))


def emergent_critical_size(competition: Competition, n_facts: float) -> Crossing | NoCrossing:
    """Training-set size of the task from which on test accuracy stays above one half beside D_r facts.

    The last D below all pairs at which the facts that can be afforded pass D_r.

    Args:
        competition: The laws.
        n_facts: D_r [examples].

    Returns:
        The size with the efficiency of the cheapest mixture there, or why there is none.

    Raises:
        ValueError: ``n_facts`` is below 0 or not finite, or the laws saturate or have β above 1.

    Source: huang2024 (that facts raise it).
    """
    check_not_negative("n_facts", n_facts)
    check_rule(competition)
    beta, b = competition.memorizing.exponent, competition.mixing

    def spare(log_n_train: FloatArray) -> FloatArray:
        log_median = competition.deficits.log_median(log_n_train)
        surplus = competition.log_odds(log_n_train) - log_median
        return np.exp(log_n_train) * _affordable(surplus, b, beta, np.exp(log_median)) - n_facts

    scan = np.linspace(0.0, math.log(competition.generalizing.n_pairs), SCAN_POINTS)
    below = np.flatnonzero(spare(scan) < 0)
    if not len(below):
        return NoCrossing(winner="generalizing", reason="test accuracy is above one half from the first example on")
    if below[-1] == SCAN_POINTS - 1:
        return NoCrossing(
            winner="memorizing",
            reason=f"beside {n_facts:g} facts to memorize, test accuracy stays below one half "
            f"with all {competition.generalizing.n_pairs:.0f} pairs",
        )
    low, high = float(scan[below[-1]]), float(scan[below[-1] + 1])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if float(spare(np.array(middle))) < 0 else (low, middle)
    size = math.exp((low + high) / 2)
    shares = np.linspace(0.0, 1.0, 10_001)[1:]
    cheapest = cost_with_facts(competition, n_train=size, n_facts=n_facts, share=shares).min()
    return Crossing(n_train=size, efficiency=1 / float(cheapest))


def additive_critical_size(alone: ArrayLike, n_facts: ArrayLike, power: float) -> FloatArray:
    """Critical size beside facts where circuits add up in norm² and sets of examples share one memorizing circuit.

    (D_r + D)^s − D_r^s = D_crit(0)^s,  s = 2β/κ: memorizing D more examples costs what generalizing does.

    Measured networks do not follow it (docs/results/emergence.md); it is the law to compare with.

    Args:
        alone: D_crit(0), any shape [examples].
        n_facts: D_r, broadcast with it [examples].
        power: s, above 0.

    Returns:
        D_crit(D_r) [examples].

    Raises:
        ValueError: ``power`` is not above 0.
    """
    check_positive("power", power)
    sizes, facts = np.asarray(alone, dtype=np.float64), np.asarray(n_facts, dtype=np.float64)
    return (facts**power + sizes**power) ** (1 / power) - facts


def slope_at_no_facts(competition: Competition) -> float:
    """Examples of the task that the first fact costs, in closed form.

    ∂D_crit/∂D_r = (b − 1)/(b·(β − ε) − ν)·(1 + w²)^(1/(2β))·(1 − w)^(−1/β)·(1 − β + w·(1 − w)/(1 + w²))
    at D_r = 0, where w/(1 − w) = ρ(D_crit)

    Raises:
        ValueError: There is no critical size without facts, or the laws saturate or have β above 1.
    """
    check_rule(competition)
    alone = competition.size_at_accuracy(0.5)
    if not isinstance(alone, Crossing):
        raise FieldError("competition", "have a critical size", "none", why=alone.reason)
    beta, b = competition.memorizing.exponent, competition.mixing
    median = math.exp(float(competition.deficits.log_median(math.log(alone.n_train))))
    w = median / (1 + median)
    power = b * (beta - competition.generalizing.drift) - competition.deficits.median_exponent
    lever = (math.sqrt(1 + w * w) / (1 - w)) ** (1 / beta)
    return (b - 1) / power * lever * (1 - beta + w * (1 - w) / (1 + w * w))
