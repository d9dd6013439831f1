"""Checks of single values, each with one sentence that names the field, what is allowed and what was got."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

from dcrit.theory.nearest import nearest


class FieldError(ValueError):
    """A field has a value that is not allowed: "FIELD must ALLOWED, got GOT: WHY".

    Attributes:
        field: Name of the field.
        allowed: What the field must do or be, as it follows the word "must".
        got: What was got, as it is written for people.
        why: What makes this value wrong, where that is not plain; empty otherwise.

    ``allowed`` and ``why`` that name other settings are :class:`~dcrit.theory.advice.Advice`, and stay so.
    """

    def __init__(self, field: str, allowed: str, got: object, why: object = "") -> None:
        self.field, self.allowed, self.got = field, allowed, str(got)
        self.why = why if isinstance(why, str) else str(why)
        super().__init__(field, allowed, self.got, self.why)  # of these it is made anew outside a worker process

    def __str__(self) -> str:
        return f"{self.field} {self.demand}"

    @property
    def demand(self) -> str:
        """The sentence without its subject, for who calls the field by another name."""
        return f"must {self.allowed}, got {self.got}" + (f": {self.why}" if self.why else "")


def check_choice(name: str, got: object, allowed: tuple[object, ...]) -> None:
    """Raise ``FieldError`` unless ``got`` is one of ``allowed``."""
    if got not in allowed:
        raise no_choice(name, got, map(str, allowed))


def no_choice(name: str, got: object, allowed: Iterable[str], among: str = "") -> FieldError:
    """The error about a word that is none of those allowed, which names the nearest of them.

    Args:
        name: Of the field.
        got: What was got.
        allowed: The words.
        among: Where they are from, after the list of them; empty where that is plain.
    """
    known = list(allowed)
    near = nearest(got, known, most=1) if isinstance(got, str) else []
    shown = f"'{got}'" if isinstance(got, str) else repr(got)
    hint = f"; the nearest is '{near[0]}'" if near else ""
    return FieldError(name, f"be one of {', '.join(known) or 'none'}{among}", f"{shown}{hint}")


def check_integer(name: str, got: object, minimum: int, maximum: float = math.inf) -> None:
    """Raise ``FieldError`` unless ``got`` is an integer from ``minimum`` to ``maximum``."""
    if type(got) is not int or got < minimum:
        raise FieldError(name, f"be an integer of at least {minimum}", repr(got))
    if got > maximum:
        raise FieldError(name, f"be an integer of at most {maximum}", repr(got))


def check_positive(name: str, got: object) -> None:
    """Raise ``FieldError`` unless ``got`` is a finite number above zero."""
    finite = isinstance(got, (int, float)) and not isinstance(got, bool) and 0 < got <= sys.float_info.max
    if not finite:
        raise FieldError(name, "be a finite number above 0", repr(got))


def check_not_negative(name: str, got: float) -> None:
    """Raise ``FieldError`` unless ``got`` is a finite number of at least zero."""
    if not 0 <= got < math.inf:
        raise FieldError(name, "be at least 0 and finite", repr(got))


def check_finite(name: str, got: float) -> None:
    """Raise ``FieldError`` unless ``got`` is a finite number."""
    if not math.isfinite(got):
        raise FieldError(name, "be finite", repr(got))


def check_level(level: float) -> None:
    """Raise ``FieldError`` unless ``level`` is a probability content."""
    if not 0 < level < 1:
        raise FieldError("level", "be between 0 and 1", level)


def check_accuracy(accuracy: float) -> None:
    """Raise ``FieldError`` unless ``accuracy`` lies between 0 and 1."""
    if not 0 < accuracy < 1:
        raise FieldError("accuracy", "be between 0 and 1", accuracy)


def check_probability(name: str, got: object) -> None:
    """Raise ``FieldError`` unless ``got`` is a number above 0 and below 1."""
    if not isinstance(got, float) or not 0 < got < 1:
        raise FieldError(name, "be a number above 0 and below 1", repr(got))
