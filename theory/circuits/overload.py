"""What a network finds that is given more examples than it can memorize."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.checks import FieldError, check_integer, check_not_negative, check_positive
from dcrit.theory.circuits.facts_from_scratch import effective_size, size_beside_facts
from dcrit.theory.circuits.symmetry import SymmetryLaw, mirrored_fraction

FloatArray = NDArray[np.float64]

#: Halvings of a bracket of sizes.
HALVINGS = 52

#: n, how steeply the part of the rule that a network holds rises with its width: chosen, not fitted.
STEEPNESS = 3

#: Widest network at which D_sym was measured.
WIDEST = 48


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one network's memory does to its test accuracy.

    D_eff = D·max(1, D/D_mem)^β,   h = φ(D)·s(D)·min(1, D_mem/D)

    Beside D_r facts to memorize D/D_mem is (D + D_r)/D_mem, and D_eff is less by D/(D + a·D_r), see
    :mod:`dcrit.theory.circuits.facts_from_scratch`.

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
        n_facts: D_r [examples].
        interference: a, how much a fact disturbs.

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
    n_facts: float = 0.0
    interference: float = 0.0

    def __post_init__(self) -> None:
        if not self.capacity > 0:
            raise FieldError("capacity", "be above 0", repr(self.capacity))
        for name in ("exponent", "n_facts", "interference"):
            check_not_negative(name, getattr(self, name))
        if not 0 < self.ceiling <= 1:
            raise FieldError("ceiling", "be above 0 and at most 1", repr(self.ceiling))
        check_integer("n_symbols", self.n_symbols, 2)
        if (self.symmetry is None) != (self.symmetric_size is None):
            raise FieldError("symmetric_size", "be given with a law", repr(self.symmetric_size))
        if self.symmetric_size is not None:
            check_positive("symmetric_size", self.symmetric_size)

    def effective(self, n_train: ArrayLike) -> FloatArray:
        """D_eff, any shape of D [examples]."""
        alone = effective_size(n_train, self.n_facts, self.interference)
        load = (np.asarray(n_train, dtype=np.float64) + self.n_facts) / self.capacity
        return alone * np.maximum(1.0, load) ** self.exponent

    def size(self, effective: ArrayLike) -> FloatArray:
        """Training-set size of a D_eff, the inverse of :meth:`effective` [examples].

        D = D_mem·(D_eff/D_mem)^(1/(1 + β)) over capacity

        Args:
            effective: D_eff, any shape [examples].
        """
        effective = np.asarray(effective, dtype=np.float64)
        if self.n_facts:
            return self._size_beside_facts(effective)
        return effective * np.minimum(1.0, self.capacity / effective) ** (self.exponent / (1 + self.exponent))

    def _size_beside_facts(self, effective: FloatArray) -> FloatArray:
        """:meth:`size` by bisection between the size within capacity and over it by as much as facts alone are."""
        within = np.log(size_beside_facts(effective, self.n_facts, self.interference))
        # D_eff is at most as much more as (D + D_r)/D_mem says, and more examples than that are never needed.
        low = within - self.exponent * np.maximum(0.0, np.log((np.exp(within) + self.n_facts) / self.capacity))
        high = within
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            short = self.effective(np.exp(middle)) < effective
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.exp(high)

    def known(self, n_train: ArrayLike) -> FloatArray:
        """Part h of unseen pairs that is right without the rule, any shape of D [examples]."""
        n_train = np.asarray(n_train, dtype=np.float64)
        if self.symmetry is None or self.symmetric_size is None:
            return np.zeros(n_train.shape)
        mirrored = np.minimum(1.0, mirrored_fraction(n_train, self.n_symbols))
        return (
            mirrored
            * self.symmetry.mirrored_at(n_train / self.symmetric_size)
            * np.minimum(1.0, self.capacity / (n_train + self.n_facts))
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
            # The law of D_sym is a parabola in ln d, which falls to nothing in networks wider than it was measured on.
            symmetric_size=None if symmetry is None else symmetry.size(n_symbols, min(width, WIDEST)),
        )
