"""When a network that embeds both symbols alike memorizes unordered pairs, from when on it generalizes from scratch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dcrit.theory.checks import FieldError, check_positive

FloatArray = NDArray[np.float64]

#: c_0, c_S, c_H, c_HH.
N_COEFFICIENTS = 4

#: Largest size of a coefficient, width, covariance or scatter: they are logarithms of sizes, and measured ones below 3.
LARGEST = 10.0


def mirrored_fraction(n_train: ArrayLike, n_symbols: int) -> FloatArray:
    """Expected part of the unseen pairs (a, b) whose mirror image (b, a) is trained on.

    φ(D) = (1 − 1/S)·D/(S² − 1): a pair of equal symbols is its own mirror image

    Args:
        n_train: D [examples], any shape.
        n_symbols: S.

    Returns:
        φ between 0 and 1, shape of ``n_train``.
    """
    return (1 - 1 / n_symbols) * np.asarray(n_train, dtype=np.float64) / (n_symbols**2 - 1)


def features(n_symbols: ArrayLike, width: ArrayLike) -> FloatArray:
    """Regressors of the law, centred: (..., 4) for shapes that broadcast."""
    s, h = np.broadcast_arrays(
        np.log(np.asarray(n_symbols, dtype=np.float64) / 20), np.log(np.asarray(width, dtype=np.float64) / 24)
    )
    return np.stack([np.ones_like(s), s, h, h**2], axis=-1)


@dataclass(frozen=True, kw_only=True)
class SymmetryLaw:
    """How many examples of a commutative table a network takes to memorize them as unordered pairs.

    Labels are a random symmetric Latin square: commutative as addition, and nothing else to find. From scratch, few of
    them are memorized pair by pair in order, and mirror images of trained pairs come out wrong; of many the network
    makes one memory for (a, b) and (b, a). Over sizes the part of mirror images that comes out right is

        s(D) = 1/(1 + exp(−ln(D/D_sym)/w)),  ln(D_sym/S²) = c_0 + c_S·x_S + c_H·x_H + c_HH·x_H²

    with x_S = ln(S/20) and x_H = ln(H/24): it is largest for networks of some width, and lower for narrower ones, which
    find memorizing all pairs in order hard, and for wider ones.

    Attributes:
        coefficients: c_0, c_S, c_H, c_HH.
        width: w, in ln D.
        covariance: Of the coefficients, (4, 4); errors of a cell about the law come on top.
        scatter: Standard deviation of ln D_sym between cells about the law.

    Raises:
        ValueError: A number is out of range.

    Source: own runs, by ``dcrit calibrate``.
    """

    coefficients: tuple[float, ...]
    width: float
    covariance: tuple[tuple[float, ...], ...]
    scatter: float

    def __post_init__(self) -> None:
        if len(self.coefficients) != N_COEFFICIENTS:
            raise FieldError("coefficients", f"be {N_COEFFICIENTS} numbers", repr(self.coefficients))
        for value in self.coefficients:
            if not abs(value) <= LARGEST:
                raise FieldError("coefficients", f"lie between -{LARGEST:g} and {LARGEST:g}", repr(value))
        check_positive("width", self.width)
        if self.width > LARGEST:
            raise FieldError("width", f"be at most {LARGEST:g}", repr(self.width))
        covariance = np.array(self.covariance)
        if (
            covariance.shape != (N_COEFFICIENTS, N_COEFFICIENTS)
            or not (np.abs(covariance) <= LARGEST).all()
            or (covariance != covariance.T).any()
            or np.linalg.eigvalsh(covariance).min() < -1e-6
        ):
            size = f"{N_COEFFICIENTS} by {N_COEFFICIENTS}"
            raise FieldError("covariance", f"be a positive symmetric {size} matrix", repr(self.covariance))
        if not 0 <= self.scatter <= LARGEST:
            raise FieldError("scatter", f"lie between 0 and {LARGEST:g}", repr(self.scatter))

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values, to six digits."""

        def short(value: float) -> float:
            return float(f"{value:.6g}")

        return {
            "coefficients": [short(value) for value in self.coefficients],
            "width": short(self.width),
            "covariance": [[short(value) for value in row] for row in self.covariance],
            "scatter": short(self.scatter),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        return cls(
            coefficients=tuple(float(value) for value in fields["coefficients"]),
            width=float(fields["width"]),
            covariance=tuple(tuple(float(value) for value in row) for row in fields["covariance"]),
            scatter=float(fields["scatter"]),
        )

    def factor(self, accuracy: float) -> float:
        """Size at that s over D_sym, (s/(1 − s))^w.

        Raises:
            ValueError: The accuracy is out of range.
        """
        if not 0 < accuracy < 1:
            raise FieldError("accuracy", "be between 0 and 1", repr(accuracy))
        return (accuracy / (1 - accuracy)) ** self.width

    def size(self, n_symbols: int, width: int, *, accuracy: float = 0.5) -> float:
        """Size at which that part of the mirror images comes out right [examples]; may exceed all pairs.

        D = D_sym·(s/(1 − s))^w

        Args:
            n_symbols: S.
            width: H.
            accuracy: s between 0 and 1.
        """
        best = float(features(n_symbols, width) @ np.array(self.coefficients))
        return n_symbols**2 * math.exp(best) * self.factor(accuracy)

    def mirrored_accuracy(self, n_train: ArrayLike, n_symbols: int, width: int) -> FloatArray:
        """s(D) [fraction], any shape of D."""
        return self.mirrored_at(np.asarray(n_train, dtype=np.float64) / self.size(n_symbols, width))

    def mirrored_at(self, ratio: ArrayLike) -> FloatArray:
        """Part s at D/D_sym [fraction], any shape."""
        return expit(np.log(np.asarray(ratio, dtype=np.float64)) / self.width)

    def draw(
        self, n_symbols: int, width: int, n_draws: int, rng: np.random.Generator, *, widening: float = 1.0
    ) -> FloatArray:
        """Factors of the size, drawn from the law's uncertainty and the scatter between cells: (n_draws,).

        Args:
            n_symbols: S.
            width: H.
            n_draws: How many.
            rng: Source of randomness.
            widening: Factor of the standard error, outside the calibrated domain.
        """
        x = features(n_symbols, width)
        error = math.sqrt(max(0.0, float(x @ np.array(self.covariance) @ x)) + self.scatter**2)
        return np.exp(widening * error * rng.standard_normal(n_draws))
