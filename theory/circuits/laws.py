"""How efficiently each circuit buys margin: laws in the training-set size, and the capacity to memorize."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.checks import FieldError, check_finite, check_not_negative, check_positive

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MemorizingLaw:
    """Efficiency of memorizing D examples falls as a power of D, faster near capacity.

    e_mem(D) = A·D^(−β)·(1 − D/D_mem)^δ

    Attributes:
        amplitude: A, efficiency of a single example [nats per norm^κ].
        exponent: β.
        capacity: D_mem [examples]; inf where saturation plays no part.
        saturation: δ.

    Raises:
        ValueError: A constant is out of range.

    Source: varma2023 (that it falls), huang2024 (that capacity bounds it).
    """

    amplitude: float
    exponent: float
    capacity: float = math.inf
    saturation: float = 0.0

    def __post_init__(self) -> None:
        check_positive("amplitude", self.amplitude)
        check_positive("exponent", self.exponent)
        if not self.capacity > 0:
            raise FieldError("capacity", "be above 0", repr(self.capacity))
        check_not_negative("saturation", self.saturation)

    def log_efficiency(self, log_n_train: ArrayLike) -> FloatArray:
        """Ln e_mem at ln D, any shape; −inf at and beyond capacity where saturation is on."""
        log_n_train = np.asarray(log_n_train, dtype=np.float64)
        plain = math.log(self.amplitude) - self.exponent * log_n_train
        if self.saturation == 0 or math.isinf(self.capacity):
            return plain
        with np.errstate(divide="ignore"):
            room = np.log(np.maximum(0.0, 1.0 - np.exp(log_n_train) / self.capacity))
        return plain + self.saturation * room


@dataclass(frozen=True, kw_only=True)
class GeneralizingLaw:
    """Efficiency of the generalizing circuit, nearly the same at every D.

    e_gen(D) = e_full·(D/D_full)^(−ε)

    The drift ε is zero in the ideal theory; measured it is small and positive, because a circuit
    that must fit more examples has less freedom to let some of them ride on the norm.

    Attributes:
        full_data: e_full, efficiency with all pairs in the training set [nats per norm^κ].
        n_pairs: D_full, number of pairs [examples].
        drift: ε.

    Raises:
        ValueError: A constant is out of range.

    Source: varma2023 (ε = 0).
    """

    full_data: float
    n_pairs: float
    drift: float = 0.0

    def __post_init__(self) -> None:
        check_positive("full_data", self.full_data)
        check_positive("n_pairs", self.n_pairs)
        check_finite("drift", self.drift)

    def log_efficiency(self, log_n_train: ArrayLike) -> FloatArray:
        """Ln e_gen at ln D, any shape."""
        log_n_train = np.asarray(log_n_train, dtype=np.float64)
        return math.log(self.full_data) - self.drift * (log_n_train - math.log(self.n_pairs))


def capacity(bits_per_parameter: float, n_params: ArrayLike, n_classes: int) -> FloatArray:
    """Largest number of random-label examples that a model memorizes.

    D_mem = c·N/log2 C

    Args:
        bits_per_parameter: c [bits/parameter].
        n_params: N, any shape.
        n_classes: C.

    Returns:
        D_mem [examples], shape of ``n_params``.

    Source: allenzhu2024, morris2025.
    """
    return bits_per_parameter * np.asarray(n_params, dtype=np.float64) / math.log2(n_classes)


#: Largest constants of a capacity, and the inverses of the smallest: their powers and products stay within doubles.
LARGEST_CAPACITY = {"bits": 1e6, "slope": 10.0, "n_params": 1e18}

#: Most classes that it was measured at.
LARGEST_CLASSES = 1e6

#: Largest standard error of its logarithms.
LARGEST_ERROR = 10.0


@dataclass(frozen=True, kw_only=True)
class CapacityLaw:
    """Capacity as a measured power of model size.

    D_mem = c·N/log2 C·x^(s − 1),   x = (N/N_0)·(C_0/C)^e

    With e = 2 bits per parameter grow with the parameters for each of the C² pairs of a table, with e = 0
    with N alone. Standard error of ln D_mem: √(σ_c² + (σ_s·ln x)² + (σ_C·ln(C/C_0))²).

    Attributes:
        bits: c, bits per parameter at N_0 and C_0 [bits/parameter].
        slope: s; 1 where capacity is linear.
        n_params: N_0, at which the errors of c and s are independent.
        n_classes: C_0; None where it is not known: then e is 0.
        classes_exponent: e.
        log_bits_error: σ_c, standard error of ln c.
        slope_error: σ_s.
        classes_error: σ_C, how far D_mem lies from the law at other C.

    Raises:
        ValueError: A constant is out of range.

    Source: allenzhu2024, morris2025 (s = 1); own runs, by ``dcrit reproduce model-size`` (C_0).
    """

    bits: float
    slope: float = 1.0
    n_params: float = 1.0
    n_classes: float | None = None
    classes_exponent: float = 0.0
    log_bits_error: float = 0.0
    slope_error: float = 0.0
    classes_error: float = 0.0

    def __post_init__(self) -> None:
        for name in ("bits", "slope", "n_params"):
            check_positive(name, getattr(self, name))
            most = LARGEST_CAPACITY[name]
            if not 1 / most <= getattr(self, name) <= most:
                raise FieldError(name, f"be between {1 / most:g} and {most:g}", repr(getattr(self, name)))
        if self.n_classes is not None and not 2 <= self.n_classes <= LARGEST_CLASSES:
            raise FieldError("n_classes", f"be between 2 and {LARGEST_CLASSES:g}", repr(self.n_classes))
        for name in ("log_bits_error", "slope_error", "classes_error", "classes_exponent"):
            if not 0 <= getattr(self, name) <= LARGEST_ERROR:
                raise FieldError(name, f"be between 0 and {LARGEST_ERROR:g}", repr(getattr(self, name)))

    def bits_at(self, n_params: ArrayLike, n_classes: int) -> FloatArray:
        """Bits per parameter, c·x^(s − 1) [bits/parameter].

        Args:
            n_params: N, any shape.
            n_classes: C.
        """
        return self.bits * np.exp((self.slope - 1) * self._log_load(n_params, n_classes))

    def capacity(self, n_params: ArrayLike, n_classes: int, *, deviation: ArrayLike = 0.0) -> FloatArray:
        """D_mem at N for C classes, some standard errors above its best value.

        Args:
            n_params: N, any shape.
            n_classes: C.
            deviation: Standard errors of ln D_mem, of a shape that broadcasts with ``n_params``.

        Returns:
            D_mem [examples], of the broadcast shape.
        """
        size = np.asarray(n_params, dtype=np.float64)
        away = 0.0 if self.n_classes is None else self.classes_error * math.log(n_classes / self.n_classes)
        error = np.hypot(math.hypot(self.log_bits_error, away), self.slope_error * self._log_load(n_params, n_classes))
        best = capacity(1.0, size, n_classes) * self.bits_at(size, n_classes)
        return best * np.exp(error * np.asarray(deviation, dtype=np.float64))

    def _log_load(self, n_params: ArrayLike, n_classes: int) -> FloatArray:
        """Ln x."""
        size = np.log(np.asarray(n_params, dtype=np.float64) / self.n_params)
        if self.n_classes is None:
            return size
        return size + self.classes_exponent * math.log(self.n_classes / n_classes)


def bits_per_parameter(capacity: ArrayLike, n_params: float, n_classes: int) -> FloatArray:
    """Bits per parameter, c = D_mem·log2(C)/N [bits/parameter], the inverse of :func:`capacity`."""
    return np.asarray(capacity, dtype=np.float64) * math.log2(n_classes) / n_params
