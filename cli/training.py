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
    from dcrit.empirics.experiments.experiment import Laboratory
    from dcrit.empirics.runs import Run, RunConfig, Runner
    from dcrit.empirics.store import Store


#: Folder of the mixtures within that of the runs.
MIXTURES = "mixtures"

#: Folder of the effective dimensionalities within that of the runs.
DIMENSIONS = "dimensions"


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
    from dcrit.empirics.store import Store
    from dcrit.theory.problem import check_integer

    with options.bad_input():
        check_integer("workers", workers, 0)
        if device == "cuda":
            _resolve(device)
        opened = Store(store)
        opened.prepare()
    with contextlib.ExitStack() as stack:
        trainer: Runner | None = None

        def run(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
            nonlocal trainer
            if not opened.missing(configs):
                found = [opened.get(config) for config in configs]
                if None not in found:
                    return [one for one in found if one is not None]
            trainer = trainer or _start(opened, workers, device, stack)
            return trainer(configs, stage=stage)

        try:
            yield run
        except KeyboardInterrupt:
            print("Interrupted. Finished batches are kept: the same command goes on from there.", file=sys.stderr)
            raise typer.Exit(130) from None


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
    from dcrit.empirics.dimensions import DimensionConfig, DimensionRun
    from dcrit.empirics.experiments.experiment import Laboratory
    from dcrit.empirics.mixtures import MixtureConfig, MixtureRun
    from dcrit.theory.calibration import shipped_calibrations

    def train_mixtures(configs: Sequence[MixtureConfig], /) -> list[MixtureRun]:
        from dcrit.empirics.mixture_store import MixtureStore, MixtureTrainer

        return MixtureTrainer(MixtureStore(store / MIXTURES))(configs)

    def measure_dimensions(configs: Sequence[DimensionConfig], /) -> list[DimensionRun]:
        from dcrit.empirics.dimension_store import DimensionStore, DimensionTrainer

        return DimensionTrainer(DimensionStore(store / DIMENSIONS))(configs)

    with training(store, workers, device=device) as run:
        yield Laboratory(run, train_mixtures, shipped_calibrations(), measure_dimensions)


def _resolve(device: str) -> str:
    from dcrit.empirics.devices import resolve_device

    return resolve_device(device)


def _start(store: Store, workers: int, device: str, stack: contextlib.ExitStack) -> Runner:
    """A runner that trains, its processes and display closed with the stack."""
    from dcrit.empirics.progress import SweepDisplay
    from dcrit.empirics.sweep import LocalExecutor

    executor = stack.enter_context(LocalExecutor(workers or None, device=_resolve(device)))
    display = stack.enter_context(SweepDisplay())

    def run(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        return executor.run(configs, store, display.stage(stage))

    return run


def check_writable_file(path: Path) -> None:
    """Refuse an output file that cannot be written, before anything is computed.

    Raises:
        ValueError: The folder does not exist and cannot be made, or the file cannot be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        existed = path.exists()
        with path.open("a", encoding="utf-8"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        raise ValueError(f"out must be a file that can be written, got {path}: {error.strerror}") from error
