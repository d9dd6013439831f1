"""Which of two memories a network with one embedding makes first: of unordered pairs, or of ordered ones."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from dcrit.theory.checks import FieldError, check_finite, check_not_negative, check_positive
from dcrit.theory.circuits.finding import FINDING_EXPONENT
from dcrit.theory.estimates import LEVEL, Interval, half_width

FloatArray = NDArray[np.float64]

#: Fitted constants, in the order of the covariance, which speaks of logarithms of the first and the last.
FITTED = ("prefactor", "load", "spread")

#: Constants in all.
NAMES = (*FITTED, "ahead", "behind", "scatter")


@dataclass(frozen=True, kw_only=True)
class BranchLaw:
    """How likely a seed takes the symmetric branch, on which mirror images of trained pairs come out right.

    P(symmetric) = Φ((ln D − ln D_half)/w),   D_half = c·S^1.5·(1 + k·S/d)

    A seed is on the symmetric branch where at least half of the mirror images of trained pairs are right when memory
    has formed. Then it generalizes as if it had e^a times as many examples, otherwise as if it had e^(−b) times.

    Attributes:
        prefactor: c [examples].
        load: k.
        spread: w, between seeds, in ln D.
        ahead: a.
        behind: b.
        scatter: Standard deviation of ln D_half between networks about the law; the largest that runs allow.
        covariance: Of c, k and w, of logarithms of c and w, row by row.

    Raises:
        ValueError: A constant is out of range.

    Source: own runs, by ``dcrit reproduce transformer-branches``.
    """

    prefactor: float
    load: float
    spread: float
    ahead: float
    behind: float
    scatter: float
    covariance: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        for name in ("prefactor", "spread"):
            check_positive(name, getattr(self, name))
        for name in ("load", "scatter"):
            check_not_negative(name, getattr(self, name))
        for name in ("ahead", "behind"):
            check_finite(name, getattr(self, name))
        matrix = np.array(self.covariance, dtype=np.float64)
        size = len(FITTED)
        if (
            matrix.shape != (size, size)
            or not np.allclose(matrix, matrix.T)
            or np.linalg.eigvalsh(matrix).min() < -1e-9
        ):
            raise FieldError("covariance", f"be a positive symmetric {size} by {size} matrix", repr(self.covariance))

    def size(self, n_symbols: int, width: int) -> float:
        """D_half, at which half of the seeds take the symmetric branch [examples].

        Args:
            n_symbols: S.
            width: d.
        """
        return self.prefactor * n_symbols**FINDING_EXPONENT * (1 + self.load * n_symbols / width)

    def deviation(self, n_symbols: int, width: int) -> float:
        """Standard deviation of ln D_half: of the constants, to first order, and of networks about the law.

        Args:
            n_symbols: S.
            width: d.
        """
        load = n_symbols / width
        gradient = np.array([1.0, load / (1 + self.load * load), 0.0])
        variance = float(gradient @ np.array(self.covariance) @ gradient)
        return math.sqrt(variance + self.scatter**2)

    def probability(self, n_symbols: int, width: int, n_train: ArrayLike) -> FloatArray:
        """P(symmetric) of a seed, with the law's own error in it.

        Args:
            n_symbols: S.
            width: d.
            n_train: D, any shape [examples].
        """
        excess = np.log(np.asarray(n_train, dtype=np.float64) / self.size(n_symbols, width))
        return np.asarray(ndtr(excess / math.hypot(self.spread, self.deviation(n_symbols, width))))

    def interval(self, n_symbols: int, width: int, n_train: float, *, level: float = LEVEL) -> Interval:
        """Range of Φ((ln D − ln D_half)/w) that the error of ln D_half leaves.

        Args:
            n_symbols: S.
            width: d.
            n_train: D [examples].
            level: Probability content.
        """
        excess = math.log(n_train / self.size(n_symbols, width))
        spread = half_width(self.deviation(n_symbols, width), level=level)
        low, high = (float(ndtr((excess + sign * spread) / self.spread)) for sign in (-1, 1))
        # Where both are tiny the mean over errors may lie beyond most of them.
        return Interval(low=low, high=high, level=level).around(float(self.probability(n_symbols, width, n_train)))

    def shift(self, *, symmetric: bool) -> float:
        """By how much more or less ln D a seed behaves as if it had, once its branch is known."""
        return self.ahead if symmetric else -self.behind

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self) | {"covariance": [list(line) for line in self.covariance]}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        covariance = tuple(tuple(float(value) for value in line) for line in fields["covariance"])
        return cls(covariance=covariance, **{name: float(fields[name]) for name in NAMES})
