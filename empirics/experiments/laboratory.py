"""Where experiments are made: runs of every kind, found in a folder or trained, and what calibrations say of them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dcrit.empirics.runs.addressed import AnyRun, Runner
from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store.kinds import DIMENSIONS_FOLDER, MULTITASK_FOLDER, DimensionStore, MultitaskStore, Store
from dcrit.empirics.store.store import ParquetStore, StoredRuns
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.calibrations.calibration import Calibration, calibration_for, shipped_calibrations
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem

if TYPE_CHECKING:
    from dcrit.empirics.training.executor import Executor
    from dcrit.empirics.training.sweep import AnyJob, Report, Trainer


AnyConfig = RunConfig | MultitaskConfig | DimensionConfig


class RefusedError(ValueError):
    """A laboratory has a folder or a machine that it cannot work with; its cause is the error that says so."""


class LackingRunsError(FieldError):
    """A laboratory that may not train was asked for runs that its folder lacks, or that cannot be read there."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where runs are trained.

    Attributes:
        workers: Processes that train, or most batches in flight on a cluster; 0 for as many as there is room for.
        executor: ``local`` or ``ray``.
        address: Of a running Ray cluster; None to start one here.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ValueError: ``workers`` is negative, Ray is not installed, or an address is given without it.
    """

    workers: int = 0
    executor: str = "local"
    address: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        check_integer("workers", self.workers, 0)
        if self.executor == "local" and self.address is not None:
            raise FieldError("address", Advice("be left out without ", Setting("executor", "ray")), repr(self.address))
        if self.executor == "ray" and importlib.util.find_spec("ray") is None:
            raise FieldError(
                "executor", "be 'local' where Ray is not installed", "'ray'", why="pip install 'dcrit[ray]' installs it"
            )


class Laboratory:
    """Where experiments are made: it finds or trains runs, and holds the calibrations.

    Args:
        single: Runs of single networks.
        multitask: Runs of several tasks.
        calibrations: Constants for predictions made before any run of a suite.
        dimensions: Effective dimensionalities; needed by experiments on them alone.
        lacking: Which of some runs are not stored; None where nothing is.
    """

    def __init__(
        self,
        single: Runner[RunConfig, Run],
        multitask: Runner[MultitaskConfig, MultitaskRun],
        calibrations: Sequence[Calibration],
        dimensions: Runner[DimensionConfig, DimensionRun] | None = None,
        lacking: Callable[[Sequence[AnyConfig]], list[AnyConfig]] | None = None,
    ) -> None:
        self.calibrations = calibrations
        self._lacking = lacking or list
        self._single, self._multitask, self._dimensions = single, multitask, dimensions

    def runs(self, configs: Sequence[RunConfig], /, *, stage: str) -> Sequence[Run]:
        """Finished runs in the order of the configurations; this is a :class:`Runner`."""
        return self._single(configs, stage=stage)

    def blocks(self, blocks: Sequence[Sequence[RunConfig]], *, stage: str) -> list[list[Run]]:
        """Finished runs of several lists, all trained in one sweep."""
        found = iter(self.runs([config for block in blocks for config in block], stage=stage))
        return [[next(found) for _ in block] for block in blocks]

    def outcomes(self, blocks: Sequence[Sequence[RunConfig]], *, stage: str) -> list[list[Outcome]]:
        """Settled values of several lists of runs, all trained in one sweep."""
        found = iter(self.runs([config for block in blocks for config in block], stage=stage))
        return [[outcome_of(next(found)) for _ in block] for block in blocks]

    def multitask(self, configs: Sequence[MultitaskConfig], /, *, stage: str) -> Sequence[MultitaskRun]:
        """Finished runs of several tasks in the order of the configurations; this is a :class:`Runner`."""
        return self._multitask(configs, stage=stage)

    def dimensions(self, configs: Sequence[DimensionConfig], /, *, stage: str) -> Sequence[DimensionRun]:
        """Effective dimensionalities in the order of the configurations; this is a :class:`Runner`.

        Raises:
            ValueError: The laboratory was made without a way to measure them.
        """
        if self._dimensions is None:
            raise FieldError("dimensions", "be given for experiments on curvature", "None")
        return self._dimensions(configs, stage=stage)

    def lacking(self, configs: Sequence[AnyConfig]) -> list[AnyConfig]:
        """Those of some runs that would have to be trained."""
        return self._lacking(configs)

    def predict(self, problem: Problem) -> CriticalSizePrediction | None:
        """What a calibration says before any run; None where none speaks for the problem."""
        calibration = calibration_for(problem, self.calibrations)
        return None if calibration is None else predict_critical_size(problem, calibration)


@contextlib.contextmanager
def open_runs(
    folder: Path | str,
    machine: Machine | None = None,
    *,
    display: bool = True,
    may_train: bool = True,
    calibrations: Sequence[Calibration] | None = None,
) -> Iterator[Laboratory]:
    """A laboratory over the runs in a folder: what is there is found, all else is trained and kept there.

    Nothing is computed before the folder is known to be writable, and no folder is left of a laboratory that is
    refused. Torch is loaded, and workers and display are started, when the first run has to be trained. Runs are read
    from the folder when they are asked for; a file that cannot be read by then is set aside and its runs are trained
    again, until the laboratory is closed.

        >>> import tempfile
        >>> from dcrit.empirics.runs.single import RunConfig
        >>> from dcrit.theory.problems.problem import Problem
        >>> wanted = [RunConfig(problem=Problem(modulus=5, width=4), n_train=20, seed=k, steps=50) for k in range(2)]
        >>> with tempfile.TemporaryDirectory() as folder, open_runs(folder, Machine(workers=1), display=False) as bench:
        ...     [one.config.seed for one in bench.runs(wanted, stage="an example")]
        [0, 1]

    Args:
        folder: Of the runs of single networks; those of several tasks and effective dimensionalities lie below it.
        machine: Where to train; None for all cores of this one, or its GPU.
        display: Whether people are told on standard error how far sweeps are.
        may_train: Whether what the folder lacks is trained. If not, nothing is written either.
        calibrations: For predictions; None for those that ship.

    Raises:
        RefusedError: The folder cannot be used, there is no such device, or no such cluster; the latter may be known
            only when a run has to be trained.
        LackingRunsError: A run would have to be trained, and may not.
    """
    folder = Path(folder)
    with _nothing_left_if_refused(folder), _Workers(machine or Machine(), display) as workers:
        with _refusing():
            if may_train:
                workers.check()
                Store(folder).prepare()
            elif not folder.is_dir():
                raise FieldError("store", "be a folder with runs", folder)

        def runner(
            store: ParquetStore[AnyJob, AnyRun], trainer: Callable[[], Trainer[AnyJob, AnyRun]]
        ) -> Runner[AnyJob, AnyRun]:
            def run(configs: Sequence[AnyJob], /, *, stage: str) -> Sequence[AnyRun]:
                def make() -> None:
                    if not may_train:
                        raise _lack(store, configs, stage)
                    workers.train(trainer(), configs, store, stage)

                if store.missing(configs):
                    make()
                return StoredRuns(store, configs, remake=lambda: None if workers.closed else make())

            return run

        single, several = Store(folder), MultitaskStore(folder / MULTITASK_FOLDER)
        looked_at = DimensionStore(folder / DIMENSIONS_FOLDER)

        def lacking(configs: Sequence[AnyConfig]) -> list[AnyConfig]:
            return [
                *single.missing([one for one in configs if isinstance(one, RunConfig)]),
                *several.missing([one for one in configs if isinstance(one, MultitaskConfig)]),
                *looked_at.missing([one for one in configs if isinstance(one, DimensionConfig)]),
            ]

        yield Laboratory(
            runner(single, _single),
            runner(several, _multitask),
            shipped_calibrations() if calibrations is None else calibrations,
            runner(looked_at, _dimensions),
            lacking,
        )


class _Workers:
    """An executor and a display for all sweeps of a laboratory, started when first needed.

    Args:
        machine: Where to train.
        display: Whether people are told how far sweeps are.
    """

    def __init__(self, machine: Machine, display: bool) -> None:
        self._machine, self._display = machine, display
        self._stack = contextlib.ExitStack()
        self._started: tuple[Executor, Callable[[str], Report]] | None = None
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
        self._stack.close()

    def check(self) -> None:
        """Refuse what is known to be wrong before anything is started.

        Raises:
            ValueError: An address is none, or there is no such device.
        """
        from dcrit.empirics.training.cluster_address import check_address

        if self._machine.address is not None:
            check_address(self._machine.address)
        if self._machine.device == "cuda" and self._machine.executor == "local":
            from dcrit.empirics.training.devices import resolve_device

            resolve_device(self._machine.device)

    def train(
        self,
        trainer: Trainer[AnyJob, AnyRun],
        configs: Sequence[AnyJob],
        store: ParquetStore[AnyJob, AnyRun],
        stage: str,
    ) -> None:
        """Train what a store lacks of some runs.

        Raises:
            RuntimeError: All workers were let go of.
        """
        if self.closed:
            raise RuntimeError(f"runs for {stage} lack, and the laboratory is closed: ask for them while it is open")
        executor, report = self._started = self._started or self._start()
        with _refusing():
            store.prepare()
        executor.sweep(trainer, configs, store, report(stage))

    def _start(self) -> tuple[Executor, Callable[[str], Report]]:
        from dcrit.empirics.training.progress import SweepDisplay

        with _refusing():
            executor = self._stack.enter_context(_executor(self._machine))
        if not self._display:
            return executor, lambda _: lambda _: None
        return executor, self._stack.enter_context(SweepDisplay()).stage


def _executor(machine: Machine) -> Executor:
    if machine.executor == "ray":
        from dcrit.empirics.training.ray_executor import RayExecutor

        return RayExecutor(machine.address, workers=machine.workers or None, device=machine.device)
    from dcrit.empirics.training.executor import LocalExecutor

    return LocalExecutor(machine.workers or None, device=machine.device)


def _single() -> Trainer[RunConfig, Run]:
    from dcrit.empirics.training.executor import single_trainer

    return single_trainer()


def _multitask() -> Trainer[MultitaskConfig, MultitaskRun]:
    from dcrit.empirics.training.multitask_ensemble import MULTITASK

    return MULTITASK


def _dimensions() -> Trainer[DimensionConfig, DimensionRun]:
    from dcrit.empirics.instruments.dimension_runs import DIMENSIONS

    return DIMENSIONS


def _lack(store: ParquetStore[AnyJob, AnyRun], configs: Sequence[AnyJob], stage: str) -> LackingRunsError:
    damaged = "; ".join(f"{damage.path} cannot be read: {damage.reason}" for damage in store.damaged)
    lacking = f"{store.folder}, which lacks {len(store.missing(configs))} of them"
    return LackingRunsError("store", f"be a folder with the runs for {stage}", lacking, why=damaged)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Tell errors about folder and machine from those of what is made with them."""
    try:
        yield
    except ValueError as error:
        raise RefusedError(str(error)) from error


@contextlib.contextmanager
def _nothing_left_if_refused(folder: Path) -> Iterator[None]:
    """No folder is left of a laboratory that is refused later, as only a cluster knows what it has."""
    # Unlike Path.exists, this has no error of its own where a folder must not be entered.
    absent = [one for one in (folder, *folder.parents) if not os.path.exists(one)]
    try:
        yield
    except RefusedError:
        # Another command may have begun to fill it.
        with contextlib.suppress(OSError):
            for one in absent:
                one.rmdir()
        raise
