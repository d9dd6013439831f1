"""Unfinished work on disk: where an ensemble's training stands, so that a restart goes on from there."""

from __future__ import annotations

import hashlib
import io
import logging
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.runs.addressed import Addressed
from dcrit.empirics.store.inventory import CHECKPOINT_SUFFIX, CHECKPOINTS
from dcrit.empirics.store.whole_files import write_whole

_log = logging.getLogger(__name__)

#: Shortest time between two checkpoints of one ensemble [s]. Ensembles that take less leave none.
INTERVAL = 30.0

#: Bytes of the checksum that a file begins with.
_CHECKSUM = 32

#: Arrays by name; text and numbers alike, never objects.
State = Mapping[str, NDArray[np.generic]]


@dataclass(kw_only=True)
class Checkpoint:
    """Where one ensemble's training stands is kept in one file, written whole or not at all.

    A file is a SHA-256 and the arrays that it is the checksum of, in numpy's own format without objects. One that
    cannot be trusted counts as absent, and the ensemble begins anew.

    Attributes:
        path: The file.
        interval: Shortest time between two states that are kept [s].
        clock: Seconds from some origin.
    """

    path: Path
    interval: float
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _kept: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._kept = self.clock()

    def load(self, fits: Callable[[State], bool]) -> State | None:
        """What was kept last; None if there is nothing, or nothing that can be trusted.

        Args:
            fits: Whether a state has the arrays of the ensemble, in their shapes.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("%s cannot be read, its runs begin anew: %s", self.path, error.strerror)
            return None
        if hashlib.sha256(data[_CHECKSUM:]).digest() != data[:_CHECKSUM]:
            _log.warning("%s is damaged, its runs begin anew", self.path)
            return None
        try:
            with np.load(io.BytesIO(data[_CHECKSUM:]), allow_pickle=False) as arrays:
                state = dict(arrays)
        except (AttributeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            _log.warning("%s is no checkpoint, its runs begin anew: %s", self.path, error)
            return None
        if not fits(state):
            _log.warning("%s is a checkpoint of other runs, those asked for begin anew", self.path)
            return None
        return state

    def keep(self, state: Callable[[], State]) -> None:
        """Keep the state if the last one is old enough.

        A disk that is full costs the checkpoint alone: training goes on, and a warning says so.

        Args:
            state: Makes what is to be kept; asked only when it is.
        """
        if self.clock() - self._kept < self.interval:
            return
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **state())
        data = buffer.getvalue()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, hashlib.sha256(data).digest() + data)
        except OSError as error:
            _log.warning("no checkpoint could be written to %s: %s", self.path.parent, error.strerror)
        self._kept = self.clock()

    def remove(self) -> None:
        """Forget what was kept: the ensemble is finished, or is to be trained otherwise."""
        self.path.unlink(missing_ok=True)


def alike(state: State, shapes: Mapping[str, tuple[int | None, ...]]) -> bool:
    """Whether a state has just these arrays, as numbers or text, in these shapes; None for any length."""
    return state.keys() == shapes.keys() and all(
        array.ndim == len(shapes[name])
        and all(wanted in (None, got) for wanted, got in zip(shapes[name], array.shape, strict=True))
        for name, array in state.items()
    )


def checkpoint_of(folder: Path, configs: Sequence[Addressed]) -> Checkpoint:
    """The checkpoint of an ensemble, found by its members in their order.

    Args:
        folder: Of the store that its runs will be kept in.
        configs: Members of the ensemble.
    """
    identity = hashlib.sha256("".join(config.address for config in configs).encode()).hexdigest()[:32]
    return Checkpoint(path=folder / CHECKPOINTS / f"{identity}{CHECKPOINT_SUFFIX}", interval=INTERVAL)
