"""What every training command shares: a store, worker processes and a progress bar, as one runner."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dcrit.cli import options

if TYPE_CHECKING:
    from dcrit.empirics.dimensions import DimensionConfig, DimensionRun
    from dcrit.empirics.experiments.experiment import Laboratory
    from dcrit.empirics.mixture_store import MixtureStore
    from dcrit.empirics.mixtures import MixtureConfig, MixtureRun
    from dcrit.empirics.progress import SweepDisplay
    from dcrit.empirics.runs import Run, RunConfig, Runner
    from dcrit.empirics.store import Store
    from dcrit.empirics.sweep import LocalExecutor


#: Folder of the mixtures within that of the runs.
MIXTURES_FOLDER = "mixtures"

#: Folder of the effective dimensionalities within that of the runs.
DIMENSIONS_FOLDER = "dimensions"


@contextlib.contextmanager
def training(store: Path, workers: int, *, device: str = "auto") -> Iterator[Runner]:
    """A runner over the store in that folder; nothing is computed before the folder is known to be writable.

    Torch is loaded when the first run has to be trained: what is stored is read at once.

    Args:
        store: Folder of the runs.
        workers: Training processes; 0 for one per core.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        typer.BadParameter: The folder cannot be written, or there is no such device (exit 2).
    """
    with _machine(store, workers, device) as machine:
        yield machine.run


@contextlib.contextmanager
def laboratory(store: Path, workers: int, *, device: str = "auto") -> Iterator[Laboratory]:
    """A laboratory over the runs in that folder, with the calibrations that ship; mixtures lie in a folder within.

    Args:
        store: Folder of the runs.
        workers: Training processes; 0 for one per core.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        typer.BadParameter: The folder cannot be written, or there is no such device (exit 2).
    """
    from dcrit.empirics.experiments.experiment import Laboratory
    from dcrit.theory.calibration import shipped_calibrations

    with _machine(store, workers, device) as machine:
        yield Laboratory(machine.run, machine.run_mixtures, shipped_calibrations(), machine.measure_dimensions)


@contextlib.contextmanager
def _machine(store: Path, workers: int, device: str) -> Iterator[_Machine]:
    """What trains into that folder, closed and told of Ctrl-C as every command needs it."""
    from dcrit.empirics.store import Store
    from dcrit.theory.problem import check_integer

    with options.bad_input():
        check_integer("workers", workers, 0)
        if device == "cuda":
            _resolve(device)
        opened = Store(store)
        opened.prepare()
    with contextlib.ExitStack() as stack:
        try:
            yield _Machine(opened, workers, device, stack)
        except KeyboardInterrupt:
            print("Interrupted. Finished batches are kept: the same command goes on from there.", file=sys.stderr)
            raise typer.Exit(130) from None


class _Machine:
    """Two runners on one set of worker processes and under one display, both started when first needed.

    Args:
        store: Runs of single networks.
        workers: Training processes; 0 for one per core.
        device: ``auto``, ``cpu`` or ``cuda``.
        stack: Closes processes and display.
    """

    def __init__(self, store: Store, workers: int, device: str, stack: contextlib.ExitStack) -> None:
        self._store, self._workers, self._device, self._stack = store, workers, device, stack
        self._started: tuple[LocalExecutor, SweepDisplay] | None = None
        self._mixtures: MixtureStore | None = None

    def run(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        """Runs of single networks; this is a :class:`Runner`."""
        if not self._store.missing(configs):
            found = [self._store.get(config) for config in configs]
            if None not in found:
                return [one for one in found if one is not None]
        executor, display = self._start()
        return executor.run(configs, self._store, display.stage(stage))

    def run_mixtures(self, configs: Sequence[MixtureConfig], /, *, stage: str = "mixtures") -> list[MixtureRun]:
        """Runs of mixtures; this is a :class:`MixtureRunner`."""
        from dcrit.empirics.mixture_store import MIXTURES, MixtureStore

        self._mixtures = self._mixtures or MixtureStore(self._store.folder / MIXTURES_FOLDER)
        executor, display = self._start()
        return executor.run_with(MIXTURES, configs, self._mixtures, display.stage(stage))

    def measure_dimensions(self, configs: Sequence[DimensionConfig], /) -> list[DimensionRun]:
        """Effective dimensionalities, measured by this process where none is stored."""
        from dcrit.empirics.dimension_store import DimensionStore, DimensionTrainer

        return DimensionTrainer(DimensionStore(self._store.folder / DIMENSIONS_FOLDER))(configs)

    def _start(self) -> tuple[LocalExecutor, SweepDisplay]:
        from dcrit.empirics.progress import SweepDisplay
        from dcrit.empirics.sweep import LocalExecutor

        if self._started is None:
            executor = self._stack.enter_context(LocalExecutor(self._workers or None, device=_resolve(self._device)))
            self._started = executor, self._stack.enter_context(SweepDisplay())
        return self._started


def _resolve(device: str) -> str:
    from dcrit.empirics.devices import resolve_device

    return resolve_device(device)


def check_writable_file(path: Path) -> None:
    """Refuse an output file that cannot be written, before anything is computed.

    Raises:
        ValueError: The folder does not exist and cannot be made, or the file cannot be opened.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"out must be a file that can be written, got {path}, which is something else")
    try:
        existed = path.exists()
        with folders_for_a_while(path.parent):
            with path.open("a", encoding="utf-8"):
                pass
            if not existed:
                path.unlink()
    except OSError as error:
        raise ValueError(f"out must be a file that can be written, got {path}: {error.strerror}") from error


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
