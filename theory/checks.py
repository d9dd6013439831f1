"""Checks of single values, each with one sentence that names the field, what is allowed and what was got."""

from __future__ import annotations

import math
import sys


def check_choice(name: str, got: object, allowed: tuple[object, ...]) -> None:
    """Raise ``ValueError`` naming the field unless ``got`` is one of ``allowed``."""
    if got not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, got {got!r}")


def check_integer(name: str, got: object, minimum: int, maximum: float = math.inf) -> None:
    """Raise ``ValueError`` naming the field unless ``got`` is an integer from ``minimum`` to ``maximum``."""
    if type(got) is not int or got < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}, got {got!r}")
    if got > maximum:
        raise ValueError(f"{name} must be an integer of at most {maximum}, got {got!r}")


def check_positive(name: str, got: object) -> None:
    """Raise ``ValueError`` naming the field unless ``got`` is a finite number above zero."""
    finite = isinstance(got, (int, float)) and not isinstance(got, bool) and 0 < got <= sys.float_info.max
    if not finite:
        raise ValueError(f"{name} must be a finite number above 0, got {got!r}")


def check_finite(name: str, got: float) -> None:
    """Raise ``ValueError`` naming the field unless ``got`` is a finite number."""
    if not math.isfinite(got):
        raise ValueError(f"{name} must be finite, got {got!r}")


def check_level(level: float) -> None:
    """Raise ``ValueError`` naming the field unless ``level`` is a probability content."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
