"""Sentences that name settings as data, so that who shows them writes settings in words of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Setting:
    """An argument of the library that a sentence names: ``Setting("steps", 40)`` reads ``steps=40``.

    Attributes:
        name: Of the argument.
        value: What it is or should be; None where the sentence names the argument alone, which then reads ``steps=``.
        blank: A word where the reader puts a value, as in ``store=FOLDER``; empty for none.
    """

    name: str
    value: bool | int | float | str | Sequence[int | float | str] | None = None
    blank: str = ""

    def __str__(self) -> str:
        """As Python writes it."""
        return f"{self.name}={self.blank if self.value is None else repr(self.value)}"


class Advice(str):
    """A sentence with settings in it. As a text it has them as Python writes them.

    Example: ``Advice("too short, try ", Setting("steps", 40))`` is the text "too short, try steps=40", and a command
    says "too short, try --steps 40" of the same parts. What other means make of it, such as an f-string, is a plain
    text, whose settings stay as Python writes them.

    Attributes:
        parts: Texts and settings in their order.

    Args:
        parts: Texts, settings and sentences with settings, which follow one another without a space.
    """

    parts: tuple[str | Setting, ...]

    def __new__(cls, *parts: str | Setting) -> Advice:
        """The text that the parts make together."""
        made = super().__new__(cls, "".join(map(str, parts)))
        made.parts = tuple(
            inner for part in parts for inner in (part.parts if isinstance(part, Advice) else (cast("Any", part),))
        )
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        """The parts, of which it is made anew outside a worker process."""
        return self.parts

    def written(self, setting: Callable[[Setting], str]) -> str:
        """The sentence with every setting as a function writes it."""
        return "".join(setting(part) if isinstance(part, Setting) else part for part in self.parts)


def joined(separator: str, sentences: Iterable[str]) -> Advice:
    """Sentences, with or without settings, one after the other.

    Args:
        separator: What stands between two.
        sentences: Empty ones are left out.
    """
    parts: list[str] = []
    for one in sentences:
        if one:
            parts += [separator, one] if parts else [one]
    return Advice(*parts)


_NOTATION: ContextVar[Callable[[Setting], str]] = ContextVar("notation", default=str)


@contextlib.contextmanager
def notation(setting: Callable[[Setting], str]) -> Generator[None, None, None]:
    """Have sentences told to people within write settings in another way than Python's.

    Args:
        setting: Writes one.
    """
    token = _NOTATION.set(setting)
    try:
        yield
    finally:
        _NOTATION.reset(token)


def told(text: str) -> str:
    """A sentence in the notation of whoever reads it: see :func:`notation`.

    Args:
        text: With settings or without.
    """
    return text.written(_NOTATION.get()) if isinstance(text, Advice) else text
