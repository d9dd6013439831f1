"""Power laws through a few measured sizes, whose scatter about any law is unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr

from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import LEVEL, Estimate, Interval, half_width

FloatArray = NDArray[np.float64]

#: Fewest sizes through which a power law is laid: two fix the line, one more its scatter.
FEWEST_SIZES = 3

#: Scatter between configurations that no law explains, in ln D: equally likely a priori at each of these.
SCATTERS = np.geomspace(0.005, 0.5, 41)


@dataclass(frozen=True, kw_only=True)
class ScalingPosterior:
    """What measured sizes say about how they scale.

    ln D_i = a + s·x_i + ε_i,  ε_i ~ N(0, σ_i² + τ²), priors flat in a, s and ln τ

    Attributes:
        log_x: (n,) x, logarithms of what the sizes scale with.
        log_size: (n,) ln D, measured.
        errors: (n,) σ, standard errors of ln D.

    Raises:
        ValueError: There are fewer than three sizes, or the arrays differ in length.
    """

    log_x: FloatArray
    log_size: FloatArray
    errors: FloatArray

    def __post_init__(self) -> None:
        if self.log_x.size < FEWEST_SIZES:
            raise FieldError("log_x", f"hold at least {FEWEST_SIZES} values", self.log_x.size)
        if not self.log_x.shape == self.log_size.shape == self.errors.shape:
            raise FieldError("log_size", f"have the shape of log_x and errors, {self.log_x.shape}", self.log_size.shape)

    @cached_property
    def _variances(self) -> FloatArray:
        return self.errors**2 + SCATTERS[:, None] ** 2  # (τ, n)

    def log_evidence(self, log_shape: ArrayLike) -> float:
        """Logarithm of the likelihood of a law of fixed shape, its factor and τ integrated out.

        ln ∫∫ Π_i N(ln D_i; a + f_i, σ_i² + τ²) da d ln τ, up to a constant that all shapes share

        Args:
            log_shape: (n,) f, logarithm of the law at each size.
        """
        residual = self.log_size - np.asarray(log_shape, dtype=np.float64)
        weight = 1 / self._variances  # (τ, n)
        total = weight.sum(1)  # (τ,)
        mean = (weight @ residual) / total  # (τ,)
        misfit = (weight * (residual - mean[:, None]) ** 2).sum(1)  # (τ,)
        return float(logsumexp(0.5 * (np.log(weight).sum(1) - np.log(total) - misfit)))

    @cached_property
    def _lines(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Probability of each τ, and mean and standard deviation of the slope given it."""
        weight = 1 / self._variances  # (τ, n)
        total = weight.sum(1)  # (τ,)
        x = self.log_x - ((weight @ self.log_x) / total)[:, None]  # (τ, n)
        y = self.log_size - ((weight @ self.log_size) / total)[:, None]  # (τ, n)
        spread = (weight * x**2).sum(1)  # (τ,)
        slope = (weight * x * y).sum(1) / spread  # (τ,)
        misfit = (weight * (y - slope[:, None] * x) ** 2).sum(1)  # (τ,)
        log_odds = 0.5 * (np.log(weight).sum(1) - np.log(total) - np.log(spread) - misfit)
        return np.exp(log_odds - logsumexp(log_odds)), slope, 1 / np.sqrt(spread)

    @property
    def slope(self) -> float:
        """Posterior mean of s."""
        probability, slope, _ = self._lines
        return float(probability @ slope)

    def probability_above(self, value: float) -> float:
        """Posterior probability that s lies above a value."""
        probability, slope, error = self._lines
        return float(np.clip(probability @ ndtr((slope - value) / error), 0.0, 1.0))

    def slope_draws(self, n_draws: int, *, seed: int = 0) -> FloatArray:
        """Posterior draws of s, (n_draws,)."""
        probability, slope, error = self._lines
        rng = np.random.default_rng(seed)
        pick = rng.choice(probability.size, size=n_draws, p=probability)
        return slope[pick] + error[pick] * rng.standard_normal(n_draws)


def student(
    quantity: str, values: Sequence[float], *, unit: str, level: float = LEVEL, lost: int = 0, reason: str = ""
) -> Estimate:
    """Mean over runs with Student's interval: runs are few.

    Args:
        quantity: Its name.
        values: One a run.
        unit: In words.
        level: Probability content of the interval.
        lost: Runs that were made and have no value.
        reason: What limits the estimate.
    """
    n_runs, interval = len(values), None
    if n_runs > 1:
        half = half_width(float(np.std(values, ddof=1)) / math.sqrt(n_runs), level=level, freedom=n_runs - 1)
        interval = Interval(low=float(np.mean(values)) - half, high=float(np.mean(values)) + half, level=level)
    few = "no run stayed finite" if n_runs == 0 else "one run has no interval" if n_runs == 1 else ""
    return Estimate(
        quantity=quantity,
        value=float(np.mean(values)) if n_runs else None,
        interval=interval,
        unit=unit,
        n_runs=n_runs,
        n_unconverged=lost,
        reason=few or reason,
    )
