"""How far the squared norm of a transformer falls as it generalizes, and how far as it only memorizes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from dcrit.theory.checks import check_finite, check_not_negative, check_positive
from dcrit.theory.estimates import LEVEL, Interval, half_width


@dataclass(frozen=True, kw_only=True)
class NormLaw:
    """Squared norms ‖θ‖² at their largest, in memory at rest and in the rule at rest.

    Q_top = q_t·D^a·d^b,   Q_mem = q_m·D^c,   Q_rule = q_r·S^e

    *Theory*: circuit i at margin γ has ‖θ‖² = (γ/e_i)^(2/κ), so the more efficient one is the smaller at rest. What
    memory costs grows with its examples, what a rule costs with its symbols. *Measured*: all constants and exponents.
    A network that memorized first, and then generalized, falls from Q_top to Q_rule; one that stays in memory to Q_mem.

    Attributes:
        top: q_t.
        top_examples: a.
        top_width: b.
        memory: q_m.
        memory_examples: c.
        rule: q_r.
        rule_symbols: e.
        scatter_top: Standard deviation of ln Q_top between runs.
        scatter_memory: Of ln Q_mem.
        scatter_rule: Of ln Q_rule.

    Raises:
        ValueError: A constant is out of range.

    Source: own runs, by ``dcrit reproduce two-thresholds``; huang2024 (that the norm falls as networks generalize).
    """

    top: float
    top_examples: float
    top_width: float
    memory: float
    memory_examples: float
    rule: float
    rule_symbols: float
    scatter_top: float
    scatter_memory: float
    scatter_rule: float

    def __post_init__(self) -> None:
        for name in ("top", "memory", "rule"):
            check_positive(name, getattr(self, name))
        for name in ("top_examples", "top_width", "memory_examples", "rule_symbols"):
            check_finite(name, getattr(self, name))
        for name in ("scatter_top", "scatter_memory", "scatter_rule"):
            check_not_negative(name, getattr(self, name))

    def largest(self, n_train: float, width: int) -> float:
        """Q_top of a network that memorizes D examples.

        Args:
            n_train: D [examples].
            width: d.
        """
        return self.top * n_train**self.top_examples * width**self.top_width

    def in_memory(self, n_train: float) -> float:
        """Q_mem of D examples."""
        return self.memory * n_train**self.memory_examples

    def in_rule(self, n_symbols: int) -> float:
        """Q_rule of S symbols."""
        return self.rule * n_symbols**self.rule_symbols

    def fall(
        self, n_symbols: int, width: int, n_train: float, *, generalizes: bool, level: float = LEVEL
    ) -> tuple[float, Interval]:
        """Final over largest squared norm of a network that memorized first, with its range between runs.

        Args:
            n_symbols: S.
            width: d.
            n_train: D [examples].
            generalizes: Whether it then generalizes, or stays in memory.
            level: Probability content of the range.
        """
        final = self.in_rule(n_symbols) if generalizes else self.in_memory(n_train)
        scatter = self.scatter_rule if generalizes else self.scatter_memory
        ratio = final / self.largest(n_train, width)
        spread = half_width(math.hypot(scatter, self.scatter_top), level=level)
        return ratio, Interval(low=ratio * math.exp(-spread), high=ratio * math.exp(spread), level=level)

    def equal_size(self, n_symbols: int) -> float:
        """D at which memory and rule have the same squared norm at rest [examples].

        Q_mem(D) = Q_rule, hence D = (q_r·S^e/q_m)^(1/c)

        Args:
            n_symbols: S.
        """
        return float((self.in_rule(n_symbols) / self.memory) ** (1 / self.memory_examples))

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        return cls(**{one.name: float(values[one.name]) for one in fields(cls)})
