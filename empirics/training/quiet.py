"""Whether people are told how far work is; torch is not loaded for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_SILENT: ContextVar[bool] = ContextVar("silent", default=False)


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
