"""Margin, norm and the price of one in the other: the currency in which circuits compete."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def margin_from_loss(loss: ArrayLike, n_classes: int) -> FloatArray:
    """Soft margin of the correct class that a mean cross-entropy amounts to.

    γ = ln((C − 1)/(e^L − 1))

    Args:
        loss: L, mean cross-entropy [nats], any shape.
        n_classes: C.

    Returns:
        γ [nats], same shape; 0 at the loss ln C of a constant guess, +inf at zero loss.
    """
    loss = np.asarray(loss, dtype=np.float64)
    with np.errstate(divide="ignore"):
        # ln(e^L − 1) = L + ln(1 − e^−L) does not overflow for large losses.
        return np.log(n_classes - 1.0) - (loss + np.log(-np.expm1(-loss)))


def loss_from_margin(margin: ArrayLike, n_classes: int) -> FloatArray:
    """Cross-entropy of a margin against C − 1 equal rivals, the inverse of :func:`margin_from_loss`.

    L(γ) = ln(1 + (C − 1)·e^(−γ))

    Args:
        margin: γ [nats], any shape.
        n_classes: C.

    Returns:
        L [nats], same shape.
    """
    return np.logaddexp(0.0, np.log(n_classes - 1.0) - np.asarray(margin, dtype=np.float64))


def efficiency(margin: ArrayLike, squared_norm: ArrayLike, homogeneity: float) -> FloatArray:
    """Margin per norm of a circuit.

    e = γ / ‖θ‖^κ,  ‖θ‖² = ‖θ‖₂·‖θ‖_{2,κ},  ‖θ‖_{2,κ}^κ = Σ_i ‖θ_i‖^κ over hidden units i

    Decay acts in the ℓ2 norm; margins of κ-homogeneous units add as powers of ‖θ‖_{2,κ} do. The two agree for κ = 2
    and, up to a power of H, where all units are equal. Where wide networks let units die, the mixture fits trained
    networks best by their geometric mean, a choice in which no critical size takes part (docs/results/ablation.md).

    Args:
        margin: γ [nats].
        squared_norm: ‖θ‖²; Q itself for κ = 2.
        homogeneity: κ, degree of the logits in the parameters.

    Returns:
        e [nats per norm^κ].

    Source: varma2023 (with the exponent κ of lyu2019, and ℓ2,κ of morwani2023).
    """
    return np.asarray(margin, dtype=np.float64) / np.asarray(squared_norm, dtype=np.float64) ** (homogeneity / 2)


def log_efficiency_per_squared_norm(log_efficiency: ArrayLike, n_units: float, homogeneity: float) -> FloatArray:
    """Efficiency in the ℓ2 norm, of a network whose hidden units are of equal size.

    ln(γ/Q^(κ/2)) = ln e − (κ/4 − 1/2)·ln H,  from ‖θ‖_{2,κ} = H^(1/κ − 1/2)·‖θ‖₂

    What it says of Q is an upper bound where units differ: measured squared networks keep 98 % of this number of units
    up to H = 64, and 35 % at H = 256.

    Args:
        log_efficiency: ln e, any shape.
        n_units: H.
        homogeneity: κ.

    Returns:
        Same shape; ln e itself for κ = 2.
    """
    return np.asarray(log_efficiency, dtype=np.float64) - (homogeneity / 4 - 0.5) * np.log(n_units)


def cost(margin: ArrayLike, efficiency: ArrayLike, homogeneity: float) -> FloatArray:
    """Squared norm that a circuit pays for a margin, in the norm of its efficiency.

    ‖θ‖² = (γ/e)^(2/κ)

    Args:
        margin: γ [nats].
        efficiency: e [nats per norm^κ].
        homogeneity: κ.

    Returns:
        ‖θ‖², as in :func:`efficiency`.
    """
    ratio = np.asarray(margin, dtype=np.float64) / np.asarray(efficiency, dtype=np.float64)
    return ratio ** (2 / homogeneity)
