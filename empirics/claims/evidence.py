"""Evidence that may be looked at after every run: e-values of a statement and of its opposite, and what they decide.

An e-value is a statistic whose expectation is at most 1 where its null hypothesis is true, also when the number of runs
depends on what was seen: the money of a gambler who bets against the hypothesis. So more runs may be added whenever
they are wanted, and by Markov's inequality a true hypothesis gets an e-value of 20 in at most 5 % of all cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp
from scipy.stats import halfnorm, nct
from scipy.stats import t as student

from dcrit.theory.checks import FieldError, check_probability
from dcrit.theory.estimates import LEVEL, Interval

FloatArray = NDArray[np.float64]
Ruling = Literal["supported", "refuted", "inconclusive"]

#: Expected share of wrong verdicts among all that are given, at most.
SIGNIFICANCE = 0.05

#: Fractions of the money that are bet on a mean.
BETS = np.arange(1, 25) * 0.04

#: Standardized effects that are bet on: midpoints of equal parts of the half-normal distribution of this scale.
EFFECT_SCALE = 2.0
EFFECTS = halfnorm.ppf((np.arange(1, 25) - 0.5) / 24, scale=EFFECT_SCALE)

#: Largest |t| that is looked at: beyond, densities underflow, and their ratio has long reached its limit.
MOST_T = 1e3

#: Largest ln e that is told: what lies above says nothing more, and stays a number.
MOST_LOG = 600.0


@dataclass(frozen=True, kw_only=True)
class EValues:
    """Evidence on one statement; without data nothing is known, and both are 1.

    Attributes:
        holds: Against its opposite; a large one says that the statement holds.
        fails: Against the statement itself; a large one says that it fails.

    Raises:
        ValueError: One of them is negative or not a number.
    """

    holds: float = 1.0
    fails: float = 1.0

    def __post_init__(self) -> None:
        for name in ("holds", "fails"):
            if not getattr(self, name) >= 0:
                raise FieldError(name, "be at least 0", repr(getattr(self, name)))

    @property
    def larger(self) -> float:
        """That of the direction in which a verdict would go."""
        return max(self.holds, self.fails)


#: What is known of a statement without data.
NOTHING = EValues()


def every(parts: Sequence[EValues]) -> EValues:
    """Evidence on the statement that all parts hold: it fails if one of them does.

    holds = min of holds,  fails = mean of fails

    Args:
        parts: At least one; those without data count 1 on both sides, and so decide nothing.

    Source: vovk2021.
    """
    return EValues(holds=min(one.holds for one in parts), fails=sum(one.fails for one in parts) / len(parts))


def together(parts: Sequence[EValues]) -> EValues:
    """Evidence on a statement that is certain where all parts hold, and certainly wrong where all of them fail.

    holds = min of holds,  fails = min of fails: as of a critical size that is smaller than another where runs at a
    size between them generalize in one network and do not in the other.

    Args:
        parts: At least one.
    """
    return EValues(holds=min(one.holds for one in parts), fails=min(one.fails for one in parts))


def evidence_of_mean(values: ArrayLike, level: float) -> EValues:
    """Evidence on the statement that values in [0, 1] have a mean above a level.

    e = (1/24)·Σ_j Π_t (1 + λ_j·(X_t − m)/m), λ_j = 0.04, 0.08 … 0.96

    against E X ≤ m; the other side by 1 − X and 1 − m

    Args:
        values: (n,) X, one a fresh seed, in the order in which they were made; the order does not matter.
        level: m, between 0 and 1.

    Raises:
        ValueError: A value is not in [0, 1], or the level not inside it.

    Source: waudbysmith2024.
    """
    sample = np.asarray(values, dtype=np.float64)
    check_probability("level", float(level))
    if not ((sample >= 0) & (sample <= 1)).all():
        raise FieldError("values", "be between 0 and 1", f"{sample.min()} to {sample.max()}")
    return EValues(holds=_above(sample, level), fails=_above(1 - sample, 1 - level))


def _above(sample: FloatArray, level: float) -> float:
    return _exponential(float(logsumexp(np.log1p(np.outer(BETS, (sample - level) / level)).sum(1)) - np.log(BETS.size)))


def evidence_of_slope(values: ArrayLike, edge: float) -> EValues:
    """Evidence on the statement that values of any size, such as the slope of each seed, have a mean above an edge.

    e = mean over k of f(t; n − 1, δ_k·√n)/f(t; n − 1, 0), t = √n·(mean − edge)/s, f the density of Student's t

    It bets on standardized effects δ_k of the half-normal distribution. The values must be normal, which means
    of several runs nearly are. More values may be added depending on this e-value alone, not on anything else
    that was seen of them.

    Args:
        values: (n,) one a fresh seed. Fewer than two, or equal ones, say nothing.
        edge: Where the statement ends.

    Raises:
        ValueError: A value is not finite.

    Source: perezortiz2024.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not np.isfinite(sample).all():
        raise FieldError("values", "be finite", sample.tolist())
    scatter = float(sample.std(ddof=1)) if sample.size > 1 else 0.0
    if not scatter:
        return NOTHING
    t = math.sqrt(sample.size) * (float(sample.mean()) - edge) / scatter
    return EValues(holds=_beyond(t, sample.size), fails=_beyond(-t, sample.size))


def _beyond(t: float, n: int) -> float:
    t = float(np.clip(t, -MOST_T, MOST_T))
    alternatives = nct.pdf(t, n - 1, EFFECTS * math.sqrt(n))
    return _exponential(math.log(max(float(np.mean(alternatives)), 1e-300)) - float(student.logpdf(t, n - 1)))


def evidence_of_p_value(p_value: float) -> float:
    """The e-value of a design that gives a p-value and nothing else: 1/(2·√p).

    Raises:
        ValueError: It is not between 0 and 1.

    Source: vovk2021.
    """
    if not 0 <= p_value <= 1:
        raise FieldError("p_value", "be between 0 and 1", repr(p_value))
    return 0.5 / math.sqrt(max(p_value, math.exp(-MOST_LOG)))


def _exponential(log_value: float) -> float:
    return math.exp(min(log_value, MOST_LOG))


def interval_of_mean(values: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Confidence sequence of the mean of values in [0, 1]: the means that no e-value rejects, however often one looks.

    Args:
        values: (n,); without one the interval is all of [0, 1].
        level: Probability content; each end is rejected at e ≥ 2/(1 − level).

    Source: waudbysmith2024.
    """
    sample, bar = np.asarray(values, dtype=np.float64), 2 / (1 - level)
    low, high = (_rejected_below(one, bar) for one in (sample, 1 - sample))
    return Interval(low=low, high=1 - high, level=level)


def _rejected_below(sample: FloatArray, bar: float) -> float:
    """Largest mean below which all are too small for the values; 0 where none is."""
    first, last = 1e-9, 1 - 1e-9
    if _above(sample, first) < bar:
        return 0.0
    return float(brentq(lambda m: math.log(_above(sample, m) / bar), first, last, xtol=1e-9))


def interval_of_slope(values: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Confidence sequence of the mean of normal values, as :func:`interval_of_mean`; infinite where they say nothing.

    Args:
        values: (n,).
        level: Probability content.

    Source: perezortiz2024.
    """
    sample, bar = np.asarray(values, dtype=np.float64), 2 / (1 - level)
    scatter = float(sample.std(ddof=1)) if sample.size > 1 else 0.0
    if not scatter:
        return Interval(low=-math.inf, high=math.inf, level=level)
    # In units of the mean's standard error t is the only unknown, and of few values no t is large enough.
    n, error, mean = sample.size, scatter / math.sqrt(sample.size), float(sample.mean())
    reach = math.inf
    if _beyond(MOST_T, n) >= bar:
        reach = float(brentq(lambda t: math.log(_beyond(t, n) / bar), 0.0, MOST_T, xtol=1e-9))
    return Interval(low=mean - reach * error, high=mean + reach * error, level=level)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is decided on one claim beside the others.

    Attributes:
        ruling: In the direction of the larger e-value.
        alone: Whether that e-value would do whatever the others were: such verdicts err family-wise (†).
        needed: Smallest e-value that decides, with the others as they are.
    """

    ruling: Ruling
    alone: bool
    needed: float


def decide(claims: Sequence[EValues], *, n_claims: int | None = None) -> list[Decision]:
    """Verdicts by directional e-BH: of all claims with a verdict at most 5 % are expected to be decided wrongly.

    Sorted, e_(1) ≥ e_(2) ≥ …; k* is the largest k with e_(k) ≥ K/(0.05·k), and the k* largest are decided, each in
    the direction of its larger e-value. Of the two e-values of a claim one tests a true hypothesis, whichever that is.
    This holds under any dependence, and however many runs were made of each.

    Args:
        claims: Last e-values of every claim, never the largest of several looks.
        n_claims: K, where claims that are not looked at here belong to the same protocol; their number if None.

    Raises:
        ValueError: K is smaller than the number of claims.

    Source: wang2022, tavyrikov2025.
    """
    total = len(claims) if n_claims is None else n_claims
    if total < len(claims):
        raise FieldError("n_claims", f"be at least {len(claims)}", total)
    larger = sorted((one.larger for one in claims), reverse=True)
    bar = total / SIGNIFICANCE
    decided = max((k for k, e in enumerate(larger, start=1) if e * k >= bar), default=0)
    return [
        Decision(
            ruling=("supported" if one.holds > one.fails else "refuted") if is_decided else "inconclusive",
            alone=one.larger >= bar,
            needed=_needed(larger, one.larger, bar),
        )
        for one in claims
        for is_decided in [decided > 0 and one.larger >= bar / decided]
    ]


def _needed(larger: Sequence[float], own: float, bar: float) -> float:
    """Smallest value that decides in place of one's own: bar/k, k one more than the others that are decided with it."""
    others = list(larger)
    others.remove(own)
    k = max((k for k in range(1, len(larger) + 1) if sum(e >= bar / k for e in others) >= k - 1), default=1)
    return bar / k
