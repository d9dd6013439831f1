"""How far predictions are off, and whether they knew: errors by group, standardized errors, coverage and ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp, ndtr, ndtri

from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import LEVEL, Interval, half_width

FloatArray = NDArray[np.float64]

#: Standard deviations between groups, and between problems of a group, each equally likely a priori, in ln.
SPREADS = np.linspace(0.0, 0.5, 51)

#: Levels at which it is counted how many intervals hold what was measured, and bins of the ranks.
LEVELS, BINS = (0.5, 0.8, 0.9), 10

#: Fewest errors of which anything is said.
FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class PredictionErrors:
    """Errors of predictions that come in groups.

    r_i = μ + group + problem + measurement,  group ~ N(0, τ_g²), problem ~ N(0, τ_p²), measurement ~ N(0, s_m²)

    with flat priors of μ, τ_g and τ_p.

    Attributes:
        log_errors: (n,) r = ln(predicted/measured).
        predicted: (n,) standard errors that the predictions give themselves, in ln.
        measured: (n,) standard errors of the measurements, in ln.
        groups: (n,) name of each one's group.

    Raises:
        ValueError: There are fewer than three, or the arrays differ in length.
    """

    log_errors: FloatArray
    predicted: FloatArray
    measured: FloatArray
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.log_errors.size < FEWEST:
            raise FieldError("log_errors", f"hold at least {FEWEST} values", self.log_errors.size)
        lengths = {self.log_errors.size, self.predicted.size, self.measured.size, len(self.groups)}
        if len(lengths) > 1:
            raise FieldError("log_errors, predicted, measured and groups", "have one length", sorted(lengths))

    @property
    def standardized(self) -> FloatArray:
        """Errors in units of what prediction and measurement expect: z (n,).

        z = r/√(s_predicted² + s_measured²)
        """
        return self.log_errors / np.hypot(self.predicted, self.measured)

    def coverage(self, level: float) -> float:
        """Part of the intervals of that level, widened by the measurement's own error, that hold what was measured."""
        return float(np.mean(np.abs(self.standardized) <= ndtri((1 + level) / 2)))

    @property
    def ranks(self) -> list[int]:
        """Histogram of where measured values lie in what was predicted: even if predictions know how far off they are.

        Ranks are Φ(−z): the first bin counts values far below their predictions.

        Source: gneiting2007.
        """
        return np.histogram(ndtr(-self.standardized), bins=BINS, range=(0.0, 1.0))[0].tolist()

    @cached_property
    def _posterior(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights of (τ_g, τ_p), and mean and standard deviation of μ beside each: (G, P) each."""
        names = sorted(set(self.groups))
        member = np.array([[own == name for own in self.groups] for name in names], dtype=np.float64)  # (K, n)
        # A measurement without error would leave no noise at all where both spreads are 0.
        weights = 1 / (np.maximum(self.measured, 1e-3) ** 2 + SPREADS[:, None] ** 2)  # (P, n)
        count, total, square = (
            (weights * self.log_errors**power) @ member.T for power in (0, 1, 2)
        )  # (P, K): of a group's members
        shared = 1 + SPREADS[:, None, None] ** 2 * count  # (G, P, K)
        precision, mean = (count / shared).sum(2), (total / shared).sum(2)  # (G, P)
        mean = mean / precision
        left = (square - SPREADS[:, None, None] ** 2 * total**2 / shared).sum(2) - precision * mean**2
        log_determinant = np.log(shared).sum(2) - np.log(weights).sum(1)
        weight = -0.5 * (log_determinant + np.log(precision) + left)
        deviation = 1 / np.sqrt(precision)
        return np.exp(weight - logsumexp(weight)), mean, deviation

    @property
    def bias(self) -> tuple[float, Interval]:
        """μ: posterior mean and interval; above 0 predictions come out too large."""
        weight, mean, deviation = self._posterior

        def below(value: float) -> float:
            return float((weight * ndtr((value - mean) / deviation)).sum())

        first, last = float((mean - 10 * deviation).min()), float((mean + 10 * deviation).max())
        low, high = (
            float(brentq(lambda value, part=part: below(value) - part, first, last))
            for part in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        )
        return float((weight * mean).sum()), Interval(low=low, high=high)

    @property
    def between_groups(self) -> tuple[float, Interval]:
        """τ_g: posterior median and interval; of one group it says no more than the prior does."""
        return _of_spread(self._posterior[0].sum(1))

    @property
    def between_problems(self) -> tuple[float, Interval]:
        """τ_p: posterior median and interval."""
        return _of_spread(self._posterior[0].sum(0))

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        n_groups = len(set(self.groups))
        fits = {"bias": self.bias, "between_problems": self.between_problems}
        if n_groups > 1:
            fits["between_groups"] = self.between_groups
        return {
            "n": int(self.log_errors.size),
            "n_groups": n_groups,
            "rms": float(np.sqrt(np.mean(self.log_errors**2))),
            "median": float(np.median(np.abs(self.log_errors))),
            "worst": float(np.abs(self.log_errors).max()),
            "fit": {name: {"value": value, "interval": ends.to_dict()} for name, (value, ends) in fits.items()},
            "mean_squared_z": float(np.mean(self.standardized**2)),
            "coverage": [{"level": level, "part": self.coverage(level)} for level in LEVELS],
            "ranks": self.ranks,
        }


def _of_spread(weight: FloatArray) -> tuple[float, Interval]:
    """Median and interval of a spread from its weights on the grid."""
    cumulated = np.cumsum(weight)
    low, middle, high = (
        float(SPREADS[min(int(np.searchsorted(cumulated, part)), SPREADS.size - 1)])
        for part in ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
    )
    return middle, Interval(low=low, high=high)


def standard_error(interval: Interval) -> float:
    """Of the logarithm, from a central interval of a positive number; inf where an end is open."""
    if not (interval.low > 0 and math.isfinite(interval.high)):
        return math.inf
    return math.log(interval.high / interval.low) / (2 * half_width(1.0, level=interval.level))
