"""What a folder of stored runs holds, and which of its files cannot be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


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
class Inventory:
    """What a store holds.

    Attributes:
        n_runs: Different runs that can be used.
        n_stale: Runs made under another protocol, or written by another version: never used.
        sound: Files that passed every check, each one batch.
        damaged: Files that are not trusted.
        others: Whole files of runs of another kind, and what tells that they are.
    """

    n_runs: int
    n_stale: int
    sound: tuple[Path, ...]
    damaged: tuple[Damage, ...]
    others: tuple[Damage, ...] = ()

    @property
    def n_files(self) -> int:
        """Files that passed every check."""
        return len(self.sound)

    @cached_property
    def n_bytes(self) -> int:
        """Size of these files, damaged ones included [bytes]."""
        return sum(path.lstat().st_size for path in (*self.sound, *(one.path for one in self.damaged)))


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
    )
