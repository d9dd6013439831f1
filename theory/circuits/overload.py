"""What a network finds that is given more examples than it can memorize."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.checks import FieldError, check_integer, check_not_negative, check_positive
from dcrit.theory.circuits.symmetry import SymmetryLaw, mirrored_fraction

FloatArray = NDArray[np.float64]

#: n, how steeply the part of the rule that a network holds rises with its width: chosen, not fitted.
STEEPNESS = 3


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one network's memory does to its test accuracy.

    D_eff = D·max(1, D/D_mem)^β,   h = φ(D)·s(D)·min(1, D_mem/D)

    Within capacity a network memorizes, its gradients vanish, and the rule has to win at rest: D_eff is D. Over
    capacity the loss of what is not memorized goes on driving it, as if there were more examples. A network that sees
    (a, b) and (b, a) alike knows the part h of unseen pairs without the rule: φ mirror trained ones, and memory is of
    unordered pairs with the part s.

    Attributes:
        capacity: D_mem [examples]; inf where it plays no part.
        exponent: β.
        ceiling: a, part of the rule that the network holds.
        symmetry: The law of s(D); None where nothing is known without the rule.
        n_symbols: S, for φ.
        symmetric_size: D_sym [examples].

    Raises:
        ValueError: A number is out of range.

    Source: huang2024 (progression).
    """

    capacity: float = math.inf
    exponent: float = 0.0
    ceiling: float = 1.0
    symmetry: SymmetryLaw | None = None
    n_symbols: int = 2
    symmetric_size: float | None = None

    def __post_init__(self) -> None:
        if not self.capacity > 0:
            raise FieldError("capacity", "be above 0", repr(self.capacity))
        check_not_negative("exponent", self.exponent)
        if not 0 < self.ceiling <= 1:
            raise FieldError("ceiling", "be above 0 and at most 1", repr(self.ceiling))
        check_integer("n_symbols", self.n_symbols, 2)
        if (self.symmetry is None) != (self.symmetric_size is None):
            raise FieldError("symmetric_size", "be given with a law", repr(self.symmetric_size))
        if self.symmetric_size is not None:
            check_positive("symmetric_size", self.symmetric_size)

    def effective(self, n_train: ArrayLike) -> FloatArray:
        """D_eff, any shape of D [examples]."""
        n_train = np.asarray(n_train, dtype=np.float64)
        return n_train * np.maximum(1.0, n_train / self.capacity) ** self.exponent

    def size(self, effective: ArrayLike) -> FloatArray:
        """Training-set size of a D_eff, the inverse of :meth:`effective` [examples].

        D = D_mem·(D_eff/D_mem)^(1/(1 + β)) over capacity

        Args:
            effective: D_eff, any shape [examples].
        """
        effective = np.asarray(effective, dtype=np.float64)
        return effective * np.minimum(1.0, self.capacity / effective) ** (self.exponent / (1 + self.exponent))

    def known(self, n_train: ArrayLike) -> FloatArray:
        """Part h of unseen pairs that is right without the rule, any shape of D [examples]."""
        n_train = np.asarray(n_train, dtype=np.float64)
        if self.symmetry is None or self.symmetric_size is None:
            return np.zeros(n_train.shape)
        mirrored = np.minimum(1.0, mirrored_fraction(n_train, self.n_symbols))
        return (
            mirrored
            * self.symmetry.mirrored_at(n_train / self.symmetric_size)
            * np.minimum(1.0, self.capacity / n_train)
        )


#: A network whose memory plays no part.
NO_MEMORY = Memory()


@dataclass(frozen=True, kw_only=True)
class Overload:
    """Measured constants of narrow networks, and of more examples than they can memorize.

    β of :class:`Memory`, and its ceiling a = 1/(1 + (S/(c·d))^n): a narrow network holds a part of the rule only.

    Attributes:
        exponent: β.
        grain: c, symbols per unit of width of which half are told apart.
        scatter: Standard deviation of the logarithm of sizes, beside that of wider networks.
        load: Largest S/d of the runs behind it.
        width: Smallest d of them.

    Raises:
        ValueError: A constant is out of range.

    Source: own runs, by ``dcrit reproduce model-size``.
    """

    exponent: float
    grain: float
    scatter: float
    load: float
    width: int

    def __post_init__(self) -> None:
        check_not_negative("exponent", self.exponent)
        for name in ("grain", "scatter", "load"):
            check_positive(name, getattr(self, name))
        check_integer("width", self.width, 1)

    def ceiling(self, n_symbols: int, width: int) -> float:
        """Largest test accuracy a of a network of that width.

        Args:
            n_symbols: S.
            width: d.
        """
        return 1 / (1 + math.pow(n_symbols / (self.grain * width), STEEPNESS))

    def memory(self, n_symbols: int, width: int, capacity: float, symmetry: SymmetryLaw | None) -> Memory:
        """The memory of one network.

        Args:
            n_symbols: S.
            width: d.
            capacity: D_mem [examples].
            symmetry: When it is of unordered pairs; None where both symbols are told apart.
        """
        return Memory(
            capacity=capacity,
            exponent=self.exponent,
            ceiling=self.ceiling(n_symbols, width),
            symmetry=symmetry,
            n_symbols=n_symbols,
            symmetric_size=None if symmetry is None else symmetry.size(n_symbols, width),
        )
