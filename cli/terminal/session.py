"""What every training command shares: a store, worker processes and a progress bar, as one runner."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dcrit.cli.terminal import options

if TYPE_CHECKING:
    from dcrit.empirics.experiments.experiment import Laboratory
    from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun
    from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
    from dcrit.empirics.runs.single import Run, RunConfig, Runner
    from dcrit.empirics.store.kinds import MultitaskStore, Store
    from dcrit.empirics.training.executor import Executor
    from dcrit.empirics.training.progress import SweepDisplay


#: Folder of the runs of several tasks within that of the runs.
MULTITASK_FOLDER = "mixtures"

#: Folder of the effective dimensionalities within that of the runs.
DIMENSIONS_FOLDER = "dimensions"


@contextlib.contextmanager
def training(store: Path, machine: options.Machine) -> Iterator[Runner]:
    """A runner over the store in that folder; nothing is computed before the folder is known to be writable.

    Torch is loaded when the first run has to be trained: what is stored is read at once.

    Args:
        store: Folder of the runs.
        machine: Where to train.

    Raises:
        typer.BadParameter: The folder cannot be written, or there is no such device (exit 2).
    """
    with _runners(store, machine) as runners:
        yield runners.run


@contextlib.contextmanager
def laboratory(store: Path, machine: options.Machine) -> Iterator[Laboratory]:
    """A laboratory over the runs in that folder, with the calibrations that ship.

    Args:
        store: Folder of the runs.
        machine: Where to train.

    Raises:
        typer.BadParameter: The folder cannot be written, or there is no such device (exit 2).
    """
    from dcrit.empirics.experiments.experiment import Laboratory
    from dcrit.theory.calibrations.calibration import shipped_calibrations

    with _runners(store, machine) as runners:
        yield Laboratory(runners.run, runners.run_multitask, shipped_calibrations(), runners.measure_dimensions)


@contextlib.contextmanager
def _runners(store: Path, machine: options.Machine) -> Iterator[_Runners]:
    """What trains into that folder, closed and told of Ctrl-C as every command needs it."""
    from dcrit.empirics.store.kinds import Store
    from dcrit.empirics.training.cluster_address import check_address

    with options.bad_input():
        if machine.address is not None:
            check_address(machine.address)
        if machine.device == "cuda" and machine.executor == "local":
            _resolve(machine.device)
    with _none_if_refused(store), contextlib.ExitStack() as stack:
        with options.bad_input():
            opened = Store(store)
            opened.prepare()
        try:
            yield _Runners(opened, machine, stack)
        except KeyboardInterrupt:
            print("Interrupted. Finished batches are kept: the same command goes on from there.", file=sys.stderr)
            raise typer.Exit(130) from None


@contextlib.contextmanager
def _none_if_refused(folder: Path) -> Iterator[None]:
    """No folder is left of a command that is refused later, as only a cluster knows what it has."""
    # Unlike Path.exists, this has no error of its own where a folder must not be entered.
    absent = [one for one in (folder, *folder.parents) if not os.path.exists(one)]
    try:
        yield
    except typer.BadParameter:
        # Another command may have begun to fill it.
        with contextlib.suppress(OSError):
            for one in absent:
                one.rmdir()
        raise


class _Runners:
    """Two runners on one set of workers and under one display, both started when first needed.

    Args:
        store: Runs of single networks.
        machine: Where to train.
        stack: Closes workers and display.
    """

    def __init__(self, store: Store, machine: options.Machine, stack: contextlib.ExitStack) -> None:
        self._store, self._machine, self._stack = store, machine, stack
        self._started: tuple[Executor, SweepDisplay] | None = None
        self._multitask: MultitaskStore | None = None

    def run(self, configs: Sequence[RunConfig], /, *, stage: str) -> Sequence[Run]:
        """Runs of single networks; this is a :class:`Runner`."""
        from dcrit.empirics.store.store import StoredRuns

        if self._store.readable(configs):
            return StoredRuns(self._store, configs)
        executor, display = self._start()
        return executor.run(configs, self._store, display.stage(stage))

    def run_multitask(
        self, configs: Sequence[MultitaskConfig], /, *, stage: str = "several tasks"
    ) -> Sequence[MultitaskRun]:
        """Runs of several tasks; this is a :class:`MultitaskRunner`."""
        from dcrit.empirics.experiments.laboratory import MULTITASK
        from dcrit.empirics.store.kinds import MultitaskStore

        self._multitask = self._multitask or MultitaskStore(self._store.folder / MULTITASK_FOLDER)
        executor, display = self._start()
        return executor.run_with(MULTITASK, configs, self._multitask, display.stage(stage))

    def measure_dimensions(self, configs: Sequence[DimensionConfig], /) -> list[DimensionRun]:
        """Effective dimensionalities, measured by this process where none is stored."""
        from dcrit.empirics.instruments.dimension_trainer import DimensionTrainer
        from dcrit.empirics.store.kinds import DimensionStore

        return DimensionTrainer(DimensionStore(self._store.folder / DIMENSIONS_FOLDER))(configs)

    def _start(self) -> tuple[Executor, SweepDisplay]:
        from dcrit.empirics.training.progress import SweepDisplay

        if self._started is None:
            if self._machine.executor == "ray":
                # Ray prints news of lost workers and nodes on standard output, which is the command's.
                self._stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            with options.bad_input():
                executor = self._stack.enter_context(_executor(self._machine))
            self._started = executor, self._stack.enter_context(SweepDisplay())
        return self._started


def _executor(machine: options.Machine) -> Executor:
    if machine.executor == "ray":
        from dcrit.empirics.training.ray_executor import RayExecutor

        return RayExecutor(machine.address, workers=machine.workers or None, device=machine.device)
    from dcrit.empirics.training.executor import LocalExecutor

    return LocalExecutor(machine.workers or None, device=_resolve(machine.device))


def _resolve(device: str) -> str:
    from dcrit.empirics.training.devices import resolve_device

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
