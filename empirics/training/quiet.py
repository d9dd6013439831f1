"""Whether and when people are told how far work is; torch is not loaded for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

_SILENT: ContextVar[bool] = ContextVar("silent", default=False)
_WAITING: ContextVar[Callable[[], None] | None] = ContextVar("waiting", default=None)


def is_silent() -> bool:
    """Whether nothing is said of progress."""
    return _SILENT.get()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Say nothing of progress within."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


@contextlib.contextmanager
def until_display(stop: Callable[[], None]) -> Iterator[None]:
    """Call something when a display of progress begins, and at the end.

    Args:
        stop: Ends what is shown until then; it may be called more than once.
    """
    token = _WAITING.set(stop)
    try:
        yield
    finally:
        _WAITING.reset(token)
        stop()


def display_begins() -> None:
    """End what is shown until a display of progress begins."""
    if (stop := _WAITING.get()) is not None:
        stop()
