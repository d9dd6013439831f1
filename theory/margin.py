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

    e = γ / Q^(κ/2)

    Args:
        margin: γ [nats].
        squared_norm: Q, squared parameter norm.
        homogeneity: κ, degree of the logits in the parameters.

    Returns:
        e [nats per norm^κ].

    Source: varma2023 (with the exponent κ of lyu2019).
    """
    return np.asarray(margin, dtype=np.float64) / np.asarray(squared_norm, dtype=np.float64) ** (homogeneity / 2)


def cost(margin: ArrayLike, efficiency: ArrayLike, homogeneity: float) -> FloatArray:
    """Squared norm that a circuit pays for a margin.

    Q = (γ/e)^(2/κ)

    Args:
        margin: γ [nats].
        efficiency: e [nats per norm^κ].
        homogeneity: κ.

    Returns:
        Q.
    """
    ratio = np.asarray(margin, dtype=np.float64) / np.asarray(efficiency, dtype=np.float64)
    return ratio ** (2 / homogeneity)
