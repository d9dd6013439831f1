"""What a folder of stored runs holds, and which of its files cannot be trusted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from dcrit.empirics.runs.addressed import Addressed, Heading
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.whole_files import temporaries
from dcrit.theory.problems.problem import task_label

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
        n_stale: Runs made under another protocol, or that a later version wrote and this one does not understand:
            never used, and left alone.
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


AnyConfig = TypeVar("AnyConfig", bound=Addressed)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Stored runs that differ in size and seed alone.

    Attributes:
        settings: What they have in common, by name.
        n_runs: How many there are.
        n_train: Smallest and largest training-set size, of the first task where there are several [examples].
        n_seeds: Different seeds.
        n_diverged: How many diverged.
        n_bytes: Their share of the files that they are in [bytes].
    """

    settings: dict[str, Any]
    n_runs: int
    n_train: tuple[int, int]
    n_seeds: int
    n_diverged: int
    n_bytes: int


@dataclass
class _Count:
    settings: dict[str, Any]
    n_runs: int
    smallest: int
    largest: int
    seeds: set[int]
    n_diverged: int
    n_bytes: float


def grouped(
    headings: Iterable[Heading[AnyConfig]], describe: Callable[[AnyConfig], tuple[dict[str, Any], int, int]]
) -> list[Group]:
    """Stored runs by what they have in common, in the order of its words.

    Args:
        headings: What is known of them without their curves; each is asked for once.
        describe: What a configuration has in common with others, its training-set size and its seed.
    """
    counts: dict[Hashable, _Count] = {}
    for heading in headings:
        settings, n_train, seed = describe(heading.config)
        fresh = _Count(settings, 0, n_train, n_train, set(), 0, 0.0)
        count = counts.setdefault(str(settings), fresh)
        count.n_runs += 1
        count.smallest, count.largest = min(count.smallest, n_train), max(count.largest, n_train)
        count.seeds.add(seed)
        count.n_diverged += heading.ending == "diverged"
        count.n_bytes += heading.n_bytes
    return [
        Group(
            settings=count.settings,
            n_runs=count.n_runs,
            n_train=(count.smallest, count.largest),
            n_seeds=len(count.seeds),
            n_diverged=count.n_diverged,
            n_bytes=round(count.n_bytes),
        )
        for _, count in sorted(counts.items(), key=lambda item: str(item[0]))
    ]


def describe_run(config: RunConfig) -> tuple[dict[str, Any], int, int]:
    """Problem and horizon of a run of a single network, its size and its seed."""
    return {**config.problem.to_dict(), "steps": config.horizon}, config.n_train, config.seed


def describe_multitask(config: MultitaskConfig) -> tuple[dict[str, Any], int, int]:
    """Tasks, architecture and horizon of a run of several tasks, the size of its first task and its seed."""
    shown = (
        *("blocks", "heads", "embedding", "model", "activation", "width"),
        *("weight_decay", "learning_rate", "beta2", "epsilon"),
    )
    tasks = [task_label(component.task, component.modulus) for component in config.components]
    settings = {"tasks": tasks, **{name: getattr(config, name) for name in shown}, "steps": config.horizon}
    return settings, config.components[0].n_train, config.seed


def describe_dimension(config: DimensionConfig) -> tuple[dict[str, Any], int, int]:
    """The same of the network whose effective dimensionality was measured."""
    return describe_run(config.run)


def disk_use(folder: Path) -> int:
    """Size of all files of a store, in whichever of its folders, whatever they are [bytes]."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]
    return sum(file.n_bytes for each in folders for file in files_in(each))
