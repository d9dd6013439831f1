"""Linear regression on logarithms of times, some of which are only known to be longer or shorter than a bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr

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
