"""What a folder of stored runs holds by problem, and the disk that it takes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dcrit.empirics.addressed import Addressed, Heading
from dcrit.empirics.dimensions import DimensionConfig
from dcrit.empirics.inventory import files_in
from dcrit.empirics.mixtures import MixtureConfig
from dcrit.empirics.runs import RunConfig

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


def describe_mixture(config: MixtureConfig) -> tuple[dict[str, Any], int, int]:
    """Tasks, architecture and horizon of a run of a mixture, the size of its first task and its seed."""
    shown = ("blocks", "heads", "embedding", "activation", "width", "weight_decay", "learning_rate")
    tasks = [f"{component.task} mod {component.modulus}" for component in config.components]
    settings = {"tasks": tasks, **{name: getattr(config, name) for name in shown}, "steps": config.horizon}
    return settings, config.components[0].n_train, config.seed


def describe_dimension(config: DimensionConfig) -> tuple[dict[str, Any], int, int]:
    """The same of the network whose effective dimensionality was measured."""
    return describe_run(config.run)


def disk_use(folder: Path) -> int:
    """Size of all files of a store, in whichever of its folders, whatever they are [bytes]."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]
    return sum(file.n_bytes for each in folders for file in files_in(each))
