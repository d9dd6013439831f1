"""Files that exist whole or not at all: hidden while they are written, then renamed, also over a network."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dcrit.theory.checks import FieldError

#: Age from which a temporary file may count as abandoned [s].
ABANDONED_AGE = 3600.0

_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")

#: A file server says so of a file that was removed or replaced while a handle of it was kept.
_GONE = (errno.ENOENT, errno.ESTALE)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write; it appears under its name when all of it is on the disk, and else not at all.

    Its temporary file lies beside it and is locked until then.

    Args:
        path: The name that it gets; a file of that name is replaced.

    Raises:
        OSError: It could not be written; nothing is left of it.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            # Where a file system has no locks, its temporary files are never taken for abandoned ones.
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        # What went wrong first is what is told.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it never exists in part, not even after a power cut.

    Raises:
        OSError: It could not be written; nothing is left of it.
    """
    with whole(path) as file:
        file.write(data)


def check_writable_file(path: Path) -> None:
    """Refuse an output file that cannot be written, before anything is computed.

    Raises:
        ValueError: The folder does not exist and cannot be made, or the file cannot be opened.
    """
    if path.exists() and not path.is_file():
        raise FieldError("out", "be a file that can be written", f"{path}, which is something else")
    try:
        existed = path.exists()
        with folders_for_a_while(path.parent):
            with path.open("a", encoding="utf-8"):
                pass
            if not existed:
                path.unlink()
    except OSError as error:
        raise FieldError("out", "be a file that can be written", path, why=error.strerror) from error


def check_writable_folder(folder: Path) -> None:
    """Refuse an output folder that cannot be written, before anything is computed.

    Raises:
        ValueError: It cannot be made, or no file can be made in it.
    """
    try:
        with folders_for_a_while(folder), tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-"):
            pass
    except OSError as error:
        raise FieldError("out", "be a folder that can be written", folder, why=error.strerror) from error


@contextlib.contextmanager
def folders_for_a_while(folder: Path) -> Iterator[None]:
    """A folder with those above it, gone again afterwards where they were not there before: a trial leaves nothing."""
    made: list[Path] = []
    try:
        for one in reversed((folder, *folder.parents)):
            if not one.exists():
                one.mkdir()
                made.append(one)
        yield
    finally:
        for one in reversed(made):
            one.rmdir()


def is_gone(error: OSError) -> bool:
    """Whether a file could not be read because it is no longer there."""
    return error.errno in _GONE


def temporaries(folder: Path) -> list[Path]:
    """Temporary files in a folder, of writers at work and of those that were killed."""
    try:
        return sorted(path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove_abandoned(folder: Path, now: float) -> tuple[Path, ...]:
    """Remove temporary files that surely have no writer: unchanged for an hour, and locked by nobody.

    Args:
        folder: Where they lie.
        now: The time by the clock of the file system, such as that of a file written just before [s].

    Returns:
        The files removed.
    """
    removed: list[Path] = []
    for path in temporaries(folder):
        # Its writer holds the lock, or it went meanwhile, or nothing is known: leave it.
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime >= ABANDONED_AGE:
                with path.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                removed.append(path)
    return tuple(removed)


def _sync_folder(folder: Path) -> None:
    """Without this a power cut may take back the new name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # File systems that cannot do it for folders say so.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
