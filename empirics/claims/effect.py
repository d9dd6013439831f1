"""A measured quantity against the range its claim allows: interval, p-values, and how several add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtr
from scipy.stats import binomtest

from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import LEVEL, Interval, half_width, interval_of

#: Largest p-value that decides, before several claims are corrected for: the tail beyond one end of an interval.
SIGNIFICANCE = (1 - LEVEL) / 2


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A number that a claim is about.

    Attributes:
        value: Best value.
        interval: Its interval; None where none is computed.
    """

    value: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Effect(Statistic):
    """What runs say about one quantity, against a range that was fixed before them.

    Attributes:
        value: Best value.
        interval: Its interval.
        p_inside: Largest probability, were the truth at an edge of the range or beyond, of data this far inside;
            a small one supports the claim.
        p_outside: The same of data this far outside, were the truth within; a small one refutes it.

    Raises:
        ValueError: A p-value is not between 0 and 1.
    """

    interval: Interval
    p_inside: float
    p_outside: float

    def __post_init__(self) -> None:
        for name in ("p_inside", "p_outside"):
            if not 0 <= getattr(self, name) <= 1:
                raise FieldError(name, "be between 0 and 1", repr(getattr(self, name)))


Range = tuple[float, float]


def effect_of_error(value: float, standard_error: float, allowed: Range, *, freedom: float = math.inf) -> Effect:
    """An estimate with a standard error, by Student's t.

    p_inside = max P(T ≥ (x − low)/σ), P(T ≥ (high − x)/σ);  p_outside = min of 1 minus each

    Args:
        value: x.
        standard_error: σ; 0 stands for the limit, in which only the estimate's side of an edge counts.
        allowed: Ends of the range; infinite where it is open.
        freedom: Degrees of freedom; inf for the normal distribution.

    Raises:
        ValueError: The standard error is negative or not a number.
    """
    low, high = allowed
    if not standard_error >= 0:
        raise FieldError("standard_error", "be at least 0", repr(standard_error))

    def beyond(distance: float) -> float:
        """P(T ≥ distance/σ)."""
        z = distance / standard_error if standard_error else math.copysign(math.inf, distance) if distance else 0.0
        return float(ndtr(-z)) if math.isinf(freedom) else float(stdtr(freedom, -z))

    tails = (beyond(value - low), beyond(high - value))
    half = half_width(standard_error, freedom=freedom)
    return Effect(
        value=value,
        interval=Interval(low=value - half, high=value + half),
        p_inside=max(tails),
        p_outside=min(1 - tail for tail in tails),
    )


def effect_of_draws(draws: ArrayLike, allowed: Range, *, value: float | None = None) -> Effect:
    """A quantity by its bootstrap or posterior draws: the fraction of them, one added, on the wrong side of an edge.

    A draw at an edge is neither inside nor outside, and so counts against both.

    Args:
        draws: (n,) draws; some thousand where several claims are corrected for.
        allowed: Ends of the range; infinite where it is open.
        value: Best value; the median of the draws if None.

    Source: efron1993.
    """
    sample = np.asarray(draws, dtype=np.float64)
    low, high = allowed

    def fraction(n: int) -> float:
        return (n + 1) / (sample.size + 1)

    below, above = int((sample < low).sum()), int((sample > high).sum())
    # Sizes that are cut off at a common bound give many draws at an edge.
    at_low, at_high = int((sample == low).sum()), int((sample == high).sum())
    return Effect(
        value=float(np.median(sample)) if value is None else value,
        interval=interval_of(sample),
        p_inside=max(
            fraction(below + at_low) if math.isfinite(low) else 0.0,
            fraction(above + at_high) if math.isfinite(high) else 0.0,
        ),
        p_outside=min(fraction(sample.size - below), fraction(sample.size - above)),
    )


def effect_of_count(hits: int, total: int, least: float) -> Effect:
    """A fraction that is to be at least so large, by the exact binomial test, with its Wilson interval.

    Args:
        hits: Successes.
        total: Trials, at least 1.
        least: Smallest fraction that the claim allows.
    """
    interval = binomtest(hits, total).proportion_ci(confidence_level=LEVEL, method="wilson")
    return Effect(
        value=hits / total,
        interval=Interval(low=float(interval.low), high=float(interval.high)),
        p_inside=float(binomtest(hits, total, least, alternative="greater").pvalue),
        p_outside=float(binomtest(hits, total, least, alternative="less").pvalue),
    )


def mean_of(effects: Sequence[Effect | None]) -> Statistic | None:
    """Mean of the effects there are; None without one.

    Their errors are independent, so the mean's half width adds in quadrature.
    """
    known = [effect for effect in effects if effect is not None]
    if not known:
        return None
    mean = sum(effect.value for effect in known) / len(known)
    half = math.sqrt(sum((effect.interval.high - effect.value) ** 2 for effect in known)) / len(known)
    return Statistic(value=mean, interval=Interval(low=mean - half, high=mean + half))


def every(effects: Sequence[Effect | None]) -> tuple[float | None, float | None]:
    """p_inside and p_outside of a claim about every configuration.

    It holds only if it does in each: p_inside is the largest. It fails if it does in one: p_outside is the
    smallest, times their number (Bonferroni).

    Args:
        effects: One a configuration; None where its runs do not say, which leaves refuting alone.

    Source: holm1979.
    """
    known = [effect for effect in effects if effect is not None]
    if not known:
        return None, None
    complete = len(known) == len(effects)
    p_inside = max(effect.p_inside for effect in known) if complete else None
    return p_inside, min(1.0, len(known) * min(effect.p_outside for effect in known))


def holm_thresholds(
    p_values: Sequence[float | None], significance: float = SIGNIFICANCE, *, n_claims: int | None = None
) -> list[float | None]:
    """Largest p-value that decides each claim, by Holm's step-down procedure.

    In ascending order p_(1) ≤ … ≤ p_(m) claim k is decided if p_(j) ≤ α/(m − j + 1) for all j ≤ k.

    Args:
        p_values: One a claim; None where nothing can be decided, which is as a p-value of 1.
        significance: α, chance of any wrong decision.
        n_claims: m, where more claims are corrected for than are judged here; their number if None.

    Returns:
        One threshold a claim: its own α/(m − k + 1), or that of the first claim in order that failed before it.

    Raises:
        ValueError: Fewer claims are corrected for than have a p-value.

    Source: holm1979.
    """
    m = len(p_values) if n_claims is None else n_claims
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None and math.isfinite(p))
    if m < len(order):
        raise FieldError("n_claims", f"be at least {len(order)}", m)
    thresholds: list[float | None] = [None] * len(p_values)
    failed: float | None = None
    for rank, (p, index) in enumerate(order):
        own = significance / (m - rank)
        if failed is None and p > own:
            failed = own
        thresholds[index] = own if failed is None else failed
    return thresholds
