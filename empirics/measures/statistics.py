"""Power laws through a few measured sizes, whose scatter about any law is unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, logsumexp, ndtr

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


FloatArray = NDArray[np.float64]

#: Step of the differences that give the curvature of the likelihood.
DIFFERENCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class CensoredFit:
    """Coefficients of a censored regression.

    Attributes:
        coefficients: (k,) of the columns.
        errors: (k,) their standard errors.
        scatter: Standard deviation about the fit, in y.
        freedom: Values known exactly, less the coefficients.
    """

    coefficients: FloatArray
    errors: FloatArray
    scatter: float
    freedom: int


def fit_censored(columns: ArrayLike, values: ArrayLike, beyond: ArrayLike) -> CensoredFit | str:
    """Maximum likelihood of y = X·β + σ·z, normal z, where of some values only a bound is known.

    ln ℓ = Σ_known ln φ((y − Xβ)/σ)/σ + Σ_longer ln Φ((Xβ − y)/σ) + Σ_shorter ln Φ((y − Xβ)/σ)

    Args:
        columns: X, (n, k).
        values: y, (n,): values, or bounds.
        beyond: (n,) 0 where the value is known, 1 where it lies above y, −1 where it lies below.

    Returns:
        The fit, or why there is none.

    Source: tobin1958.
    """
    x, y = np.asarray(columns, dtype=np.float64), np.asarray(values, dtype=np.float64)
    side = np.asarray(beyond, dtype=np.float64)
    known = side == 0
    n_coefficients = x.shape[1]
    freedom = int(known.sum()) - n_coefficients
    if freedom < 1:
        return f"{int(known.sum())} known values for {n_coefficients} coefficients"
    if np.linalg.matrix_rank(x[known]) < n_coefficients:
        return "the known values do not tell the coefficients apart"

    def negative(theta: FloatArray) -> tuple[float, FloatArray]:
        sigma = math.exp(theta[-1])
        z = (y - x @ theta[:-1]) / sigma
        towards = np.where(known, 0.0, -side * z)  # Φ of this is the chance of lying beyond
        # Hazard φ/Φ, through logarithms as both vanish far out.
        hazard = np.exp(-0.5 * towards**2 - 0.5 * math.log(2 * math.pi) - log_ndtr(towards))
        slope = np.where(known, -z, -side * hazard)  # d ln ℓ/dz
        value = float(np.where(known, 0.5 * z**2 + theta[-1], -log_ndtr(towards)).sum())
        gradient = np.append(x.T @ slope / sigma, float((slope * z).sum()) + float(known.sum()))
        return value, gradient

    first = np.linalg.lstsq(x[known], y[known], rcond=None)[0]
    spread = max(float(np.std(y[known] - x[known] @ first)), 1e-3)
    bounds = [(None, None)] * n_coefficients + [(math.log(1e-4), 5.0)]
    fit = minimize(negative, np.append(first, math.log(spread)), jac=True, method="L-BFGS-B", bounds=bounds)
    ahead = [negative(fit.x + DIFFERENCE * unit)[1] for unit in np.eye(n_coefficients + 1)]
    behind = [negative(fit.x - DIFFERENCE * unit)[1] for unit in np.eye(n_coefficients + 1)]
    curvature = (np.array(ahead) - np.array(behind)) / (2 * DIFFERENCE)
    variance = np.diag(np.linalg.pinv((curvature + curvature.T) / 2))[:-1]
    # As in a plain regression: the likelihood's scatter is too small by the coefficients it was fitted with.
    inflate = (freedom + n_coefficients) / freedom
    return CensoredFit(
        coefficients=fit.x[:-1],
        errors=np.sqrt(np.maximum(variance, 0.0) * inflate),
        scatter=math.exp(fit.x[-1]),
        freedom=freedom,
    )
