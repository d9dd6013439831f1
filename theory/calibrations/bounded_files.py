"""Files that somebody else may have written: read in full or refused, never waited for and never larger than said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dcrit.theory.checks import FieldError

#: Kinds of things that have a path and are no files.
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_bounded(path: Path, name: str, limit: int) -> bytes:
    """The bytes of a regular file.

    Args:
        path: Where it lies.
        name: What it is called in messages.
        limit: Most bytes.

    Raises:
        ValueError: It cannot be read, is no regular file, or holds more; the message names it.
    """
    try:
        # Opened without waiting, as a pipe that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it has no name in this file system"
        raise FieldError(name, "be a file that can be read", path, why=reason) from error
    try:
        found = os.fstat(handle)
        for is_kind, what in _KINDS:
            if is_kind(found.st_mode):
                raise FieldError(name, "be a file that can be read", path, why=f"it is {what}")
        with os.fdopen(handle, "rb", closefd=False) as file:
            # As much room is made as is asked for, so no more is than the file has.
            data = file.read(min(limit, found.st_size) + 1)
    except OSError as error:
        raise FieldError(name, "be a file that can be read", path, why=error.strerror) from error
    finally:
        os.close(handle)
    if len(data) > limit:
        raise FieldError(name, f"be a file of at most {limit / 1e6:g} MB", f"{path} of {found.st_size / 1e6:.1f} MB")
    return data
