"""What a folder of stored runs holds, and which of its files cannot be trusted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from dcrit.empirics.whole_files import temporaries

#: Subfolder to which damaged files are moved.
DAMAGED = "damaged"

#: Subfolder of the states from which unfinished batches go on.
CHECKPOINTS = "checkpoints"

#: How their names end.
CHECKPOINT_SUFFIX = ".checkpoint"


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file of the store that is not trusted.

    Attributes:
        path: Where it lies.
        reason: What is wrong with it.
    """

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file beside the finished batches.

    Attributes:
        path: Where it lies.
        n_bytes: Its size [bytes].
        age: Time since it was last written [s].
    """

    path: Path
    n_bytes: int
    age: float


@dataclass(frozen=True, kw_only=True)
class Incomplete(StoredFile):
    """A file of work that is under way, or was when its process ended.

    Attributes:
        kind: ``temporary``: a file that is being written, or whose writer was killed;
            ``checkpoint``: a state from which an unfinished batch goes on.
    """

    kind: Literal["temporary", "checkpoint"]


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What a store holds.

    Attributes:
        n_runs: Different runs that can be used.
        n_stale: Runs made under another protocol, or written by another version: never used.
        sound: Files that passed every check, each one batch.
        damaged: Files that are not trusted.
        others: Whole files of runs of another kind, and what tells that they are.
        set_aside: Damaged files that were moved aside before.
        incomplete: Files of unfinished work.
    """

    n_runs: int
    n_stale: int
    sound: tuple[Path, ...]
    damaged: tuple[Damage, ...]
    others: tuple[Damage, ...] = ()
    set_aside: tuple[StoredFile, ...] = ()
    incomplete: tuple[Incomplete, ...] = ()

    @property
    def n_files(self) -> int:
        """Files that passed every check."""
        return len(self.sound)

    @cached_property
    def n_bytes(self) -> int:
        """Size of these files, damaged ones included [bytes]."""
        return sum(one.n_bytes for one in stored_files([*self.sound, *(one.path for one in self.damaged)]))


def stored_files(paths: Sequence[Path]) -> tuple[StoredFile, ...]:
    """Size and age of files, without those that are gone."""
    files: list[StoredFile] = []
    now = time.time()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            state = path.lstat()
            files.append(StoredFile(path=path, n_bytes=state.st_size, age=max(0.0, now - state.st_mtime)))
    return tuple(files)


def files_in(folder: Path) -> tuple[StoredFile, ...]:
    """Size and age of all files of a folder; none where there is no such folder."""
    return stored_files(sorted(path for path in folder.glob("*") if path.is_file()))


def incomplete_work(folder: Path) -> tuple[Incomplete, ...]:
    """Temporary files and checkpoints of a store.

    Args:
        folder: Its folder.
    """
    hidden = [*temporaries(folder), *temporaries(folder / CHECKPOINTS)]
    states = sorted((folder / CHECKPOINTS).glob(f"*{CHECKPOINT_SUFFIX}"))
    return (*_incomplete(hidden, "temporary"), *_incomplete(states, "checkpoint"))


def _incomplete(paths: Sequence[Path], kind: Literal["temporary", "checkpoint"]) -> Iterator[Incomplete]:
    for one in stored_files(paths):
        yield Incomplete(path=one.path, n_bytes=one.n_bytes, age=one.age, kind=kind)


def merged(inventories: Sequence[Inventory]) -> Inventory:
    """One folder as several stores see it, each of which checked the files of its own kind.

    A file that each of them takes for another one's is damaged: no store reads it.

    Args:
        inventories: One of each kind of run.
    """
    damaged = {one.path: one for inventory in inventories for one in inventory.damaged}
    sound = sorted({path for inventory in inventories for path in inventory.sound} - damaged.keys())
    strange = {one.path: one for inventory in inventories for one in inventory.others}
    damaged |= {path: one for path, one in strange.items() if path not in sound and path not in damaged}
    return Inventory(
        n_runs=sum(inventory.n_runs for inventory in inventories),
        n_stale=sum(inventory.n_stale for inventory in inventories),
        sound=tuple(sound),
        damaged=tuple(damaged[path] for path in sorted(damaged)),
        set_aside=tuple({one.path: one for inventory in inventories for one in inventory.set_aside}.values()),
        incomplete=tuple({one.path: one for inventory in inventories for one in inventory.incomplete}.values()),
    )
