"""Numbers that carry their uncertainty: what was predicted, what was measured, or why there is none."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

#: Probability content of every interval unless another is asked for.
LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A range that covers the true value with probability ``level``.

    Raises:
        ValueError: The ends are in the wrong order, or the level is not between 0 and 1.
    """

    low: float
    high: float
    level: float = LEVEL

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"low must be at most high ({self.high!r}), got {self.low!r}")
        if not 0 < self.level < 1:
            raise ValueError(f"level must be between 0 and 1, got {self.level!r}")

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def overlaps(self, other: Interval) -> bool:
        """Whether the two ranges share a point."""
        return self.low <= other.high and other.low <= self.high


def interval_of(draws: ArrayLike, level: float = LEVEL) -> Interval:
    """Central interval of a sample, by its quantiles.

    Args:
        draws: (n,) sample; must be finite.
        level: Probability content.

    Source: efron1993 (percentile interval).
    """
    low, high = np.quantile(np.asarray(draws, dtype=np.float64), [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level)


def median_log_error(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Median over configurations of |ln(predicted/measured)|, the package's measure of accuracy.

    Args:
        predicted: (n,) values above 0.
        measured: (n,) values above 0.
    """
    return float(np.median(np.abs(np.log(np.asarray(predicted) / np.asarray(measured)))))


def half_width(standard_error: float, *, level: float = LEVEL, freedom: float = math.inf) -> float:
    """Half width of a central interval: the quantile of Student's t times the standard error.

    Args:
        standard_error: Of the estimate.
        level: Probability content.
        freedom: Degrees of freedom; inf for the normal distribution.
    """
    quantile = ndtri((1 + level) / 2) if math.isinf(freedom) else stdtrit(freedom, (1 + level) / 2)
    return float(quantile) * standard_error


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the theory says before any run of the kind it speaks of.

    Attributes:
        quantity: Name of what is predicted.
        value: Best value in ``unit``, or None where there is none.
        interval: Its interval, or None with it.
        unit: Unit in words.
        extrapolated: The question lies outside the calibrated domain.
        reason: Why there is no value, or what limits it; empty otherwise.
    """

    quantity: str
    value: float | None
    interval: Interval | None
    unit: str
    extrapolated: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What real runs say.

    Attributes:
        quantity: Name of what is measured.
        estimate: Best value in ``unit``, or None where the runs do not contain it.
        interval: Its interval, or None with it.
        unit: Unit in words.
        n_runs: Runs the estimate rests on.
        n_unconverged: Runs that were made for it and not used, because they had not converged.
        reason: Why there is no estimate, or what limits it; empty otherwise.
    """

    quantity: str
    estimate: float | None
    interval: Interval | None
    unit: str
    n_runs: int
    n_unconverged: int = 0
    reason: str = ""


def as_json(value: Prediction | Measurement) -> dict[str, Any]:
    """Fields as JSON values, the interval as ``[low, high]`` beside its ``level``."""
    fields = asdict(value)
    interval = value.interval
    fields["interval"] = None if interval is None else [interval.low, interval.high]
    fields["level"] = LEVEL if interval is None else interval.level
    return {key: None if isinstance(item, float) and not math.isfinite(item) else item for key, item in fields.items()}
