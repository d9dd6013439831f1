"""Numbers that carry their uncertainty: what was predicted, what was measured, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from dcrit.theory.checks import FieldError

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
            raise FieldError("low", f"be at most high ({self.high!r})", repr(self.low))
        if not 0 < self.level < 1:
            raise FieldError("level", "be between 0 and 1", repr(self.level))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def around(self, value: float) -> Interval:
        """The range widened until it contains a value: resampling may miss the best value of the sample itself."""
        return Interval(low=min(self.low, value), high=max(self.high, value), level=self.level)

    def to_dict(self) -> dict[str, float | None]:
        """Both ends as JSON values; an infinite one is null."""
        ends = {"low": self.low, "high": self.high}
        return {name: end if math.isfinite(end) else None for name, end in ends.items()}

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
class Estimate:
    """One number of the theory or of real runs, with what it does not know; or why there is none.

    Attributes:
        quantity: Its name.
        value: Best value in ``unit``; None where there is none.
        interval: Its interval, which contains it; None where there is none. An end may be infinite.
        unit: Unit in words; empty for a plain number.
        horizon: Steps of training that it speaks of; None for what is at rest, and where no time matters [steps].
        n_runs: Runs that it rests on; 0 for what the theory says before any run of the kind.
        n_unconverged: Runs that were made for it and not used, beside those that were.
        extrapolated: The question lies outside the calibrated domain.
        reason: Why there is no value, or what limits it; empty otherwise.

    Raises:
        ValueError: A field contradicts itself or another.
    """

    quantity: str
    value: float | None
    interval: Interval | None = None
    unit: str = ""
    horizon: int | None = None
    n_runs: int = 0
    n_unconverged: int = 0
    extrapolated: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.quantity:
            raise FieldError("quantity", "be a name", "''")
        if self.value is None and not self.reason:
            raise FieldError("reason", f"say why there is no {self.quantity}", "''")
        if self.value is None and self.interval is not None:
            raise FieldError("interval", "be None where there is no value", repr(self.interval))
        if self.value is not None and not math.isfinite(self.value):
            raise FieldError("value", "be a finite number or None", repr(self.value))
        if self.value is not None and self.interval is not None and self.value not in self.interval:
            raise FieldError(
                "interval", f"contain the value {self.value!r}", f"{self.interval.low!r} to {self.interval.high!r}"
            )
        for name, least in (("n_runs", 0), ("n_unconverged", 0), ("horizon", 1)):
            count = getattr(self, name)
            if count is not None and count < least:
                raise FieldError(name, f"be at least {least}", repr(count))

    @property
    def level(self) -> float:
        """Probability content of the interval, or of the one that there would be."""
        return LEVEL if self.interval is None else self.interval.level

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values; an infinite end of the interval is null."""
        interval = self.interval
        return {
            "quantity": self.quantity,
            "value": self.value,
            "interval": None if interval is None else interval.to_dict(),
            "level": self.level,
            "unit": self.unit,
            "horizon": self.horizon,
            "n_runs": self.n_runs,
            "n_unconverged": self.n_unconverged,
            "extrapolated": self.extrapolated,
            "reason": self.reason,
        }
