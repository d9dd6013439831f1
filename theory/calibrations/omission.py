"""What a calibration could not measure, as data: where, from which cause, and in a sentence for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.problems.problem import MOST_MODULUS, MOST_WIDTH


class Cause(StrEnum):
    """Why runs give no measurement."""

    FEW_MEMORIZING = "few runs on random labels"
    FEW_GENERALIZING = "few runs on the real task"
    FEW_UNSEEN = "few unseen examples"
    NO_FALL = "efficiency on random labels does not fall"
    NOT_LEARNED = "the real task is not learned"
    MIXING_UNKNOWN = "efficiencies do not tell how circuits mix"
    NO_HOMOGENEITY = "homogeneity is not measured"
    NO_SYMMETRY = "no size of unordered pairs"
    LEFT_OUT = "measured later than the others"

    @property
    def is_unfit(self) -> bool:
        """Whether it speaks against a generalizing circuit in so small a network."""
        return self in (Cause.FEW_GENERALIZING, Cause.NOT_LEARNED)


@dataclass(frozen=True, kw_only=True)
class Omission:
    """A measurement that a calibration lacks.

    Attributes:
        n_symbols: S of the cell; None where no single cell is meant.
        width: H of the cell; None where no single cell is meant.
        cause: Which of the few causes.
        reason: The same for people, with the numbers behind it.

    Raises:
        ValueError: A field is out of range, or only one of ``n_symbols`` and ``width`` is there.
    """

    n_symbols: int | None = None
    width: int | None = None
    cause: Cause
    reason: str

    def __post_init__(self) -> None:
        if self.n_symbols is not None:
            check_integer("n_symbols", self.n_symbols, 2, MOST_MODULUS)
            check_integer("width", self.width, 1, MOST_WIDTH)
        elif self.width is not None:
            raise FieldError("n_symbols", "be given together with width", "a width alone")
        check_choice("cause", self.cause, tuple(Cause))
        if not isinstance(self.reason, str) or not self.reason:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError("reason", "be a sentence", repr(self.reason))

    def __str__(self) -> str:
        place = "" if self.n_symbols is None else f"{self.n_symbols} symbols, width {self.width}: "
        return f"{place}{self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: A field is out of range.
        """
        check_choice("cause", fields["cause"], tuple(Cause))
        others = {name: value for name, value in fields.items() if name != "cause"}
        return cls(cause=Cause(fields["cause"]), **others)
