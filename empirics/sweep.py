"""Train what a store lacks of a list of runs, on all cores, and keep every batch as soon as it is finished."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, Self, TypeVar, cast

import torch

from dcrit.empirics.batches import Batch, Trainable, plan_batches
from dcrit.empirics.devices import resolve_device
from dcrit.empirics.ensemble import Progress, train
from dcrit.empirics.parquet_store import Addressed, Finished, ParquetStore
from dcrit.empirics.runs import Run, RunConfig
from dcrit.empirics.store import Store
from dcrit.theory.problem import check_integer

_log = logging.getLogger(__name__)

#: Work below which starting processes takes longer than it saves, some seconds on one core [FLOPs].
SMALL = 2e11

#: Shortest time between two reports of one worker [s].
REPORT_INTERVAL = 0.2


@dataclass(frozen=True, kw_only=True)
class SweepProgress:
    """How far a sweep is.

    Attributes:
        done: Finished part of the work that was lacking [FLOPs].
        total: All work that was lacking [FLOPs].
        runs_done: Runs that are stored by now.
        runs_total: Different runs that were asked for.
        runs_reused: Runs that were stored before.
    """

    done: int
    total: int
    runs_done: int
    runs_total: int
    runs_reused: int


Report = Callable[[SweepProgress], None]


class Job(Addressed, Trainable, Protocol):
    """A configuration that a sweep can train."""


AnyJob = TypeVar("AnyJob", bound=Job)
AnyRun = TypeVar("AnyRun", bound=Finished)


@dataclass(frozen=True, kw_only=True)
class Trainer(Generic[AnyJob, AnyRun]):
    """How one kind of run is trained.

    Attributes:
        plan: Divides configurations into batches for a device, the most expensive first.
        train: Trains one batch, with ``device`` and ``progress`` by keyword; a function of a module, as workers
            are told its name.
    """

    plan: Callable[[Sequence[AnyJob], str], list[Batch[AnyJob]]]
    train: Callable[..., list[AnyRun]]


class WorkerError(RuntimeError):
    """A worker process died or failed; batches that were finished before are stored."""


class LocalExecutor:
    """Trains sweeps with processes of this machine, started when first needed and kept until the end.

    Args:
        workers: Processes; None for one on each usable core. With one, and on an accelerator, the
            calling process trains.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        ValueError: ``workers`` is below 1, or there is no such device.
    """

    def __init__(self, workers: int | None = None, *, device: str = "cpu") -> None:
        if workers is not None:
            check_integer("workers", workers, 1)
        self.device = resolve_device(device)
        self.workers = workers or usable_cores() if self.device == "cpu" else 1
        self._processes: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def run(self, configs: Sequence[RunConfig], store: Store, report: Report = lambda _: None) -> list[Run]:
        """Runs of single networks, as :meth:`run_with` trains them."""
        return self.run_with(Trainer(plan=plan_batches, train=train), configs, store, report)

    def run_with(
        self,
        trainer: Trainer[AnyJob, AnyRun],
        configs: Sequence[AnyJob],
        store: ParquetStore[AnyJob, AnyRun],
        report: Report = lambda _: None,
    ) -> list[AnyRun]:
        """Runs of all configurations, trained where the store lacks them.

        Args:
            trainer: How they are trained.
            configs: What to run; may repeat itself.
            store: Where runs are found and kept.
            report: Told how far the sweep is, first before anything is trained, last when all is.

        Returns:
            Finished runs in the order of ``configs``.

        Raises:
            ValueError: Something has to be trained and the store's folder cannot be written to.
            StoreWriteError: A finished batch cannot be stored.
            WorkerError: A worker process died or failed.
        """
        sweep = _Sweep(trainer, configs, store, self.device, report)
        if sweep.batches:
            store.prepare()
            for damage in store.set_aside():
                _log.warning("%s was damaged and its runs are made again: %s", damage.path, damage.reason)
        sweep.report()
        if self._needs_processes(sweep):
            self._distribute(sweep)
        else:
            self._train_here(sweep)
        return [replace(sweep.found[config.address], config=config) for config in configs]

    def _needs_processes(self, sweep: _Sweep[Any, Any]) -> bool:
        if self.workers == 1 or len(sweep.batches) <= 1:
            return False
        return bool(self._processes) or sweep.total >= SMALL

    def _train_here(self, sweep: _Sweep[Any, Any]) -> None:
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as workers do: the number of threads changes rounding
        try:
            for batch in sweep.batches:
                progress = _throttled(lambda n_steps, batch=batch: sweep.advance(batch, n_steps))
                sweep.finish(batch, sweep.trainer.train(batch.configs, device=self.device, progress=progress))
        finally:
            torch.set_num_threads(n_threads)

    def _distribute(self, sweep: _Sweep[Any, Any]) -> None:
        queue = deque(sweep.batches)
        busy: dict[Connection, Batch[Any]] = {}
        try:
            self._start(min(self.workers, len(queue)))
            idle = list(self._processes)
            while queue or busy:
                while queue and idle:
                    connection, batch = idle.pop(), queue.popleft()
                    self._send(connection, sweep.trainer.train, batch)
                    busy[connection] = batch
                for connection in cast("list[Connection]", wait(list(busy))):
                    message = self._receive(connection)
                    if isinstance(message, int):
                        sweep.advance(busy[connection], message)
                    else:
                        sweep.finish(busy.pop(connection), message)
                        idle.append(connection)
        except BaseException:
            self._stop()
            raise

    def _start(self, n_processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        with _interrupts_held():
            while len(self._processes) < n_processes:
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self._processes[ours] = process

    def _stop(self) -> None:
        processes = list(self._processes.values())
        for connection in self._processes:
            connection.close()
        self._processes = {}
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
            process.close()

    def _send(self, connection: Connection, trains: Callable[..., list[Any]], batch: Batch[Any]) -> None:
        try:
            connection.send((trains, batch.configs))
        except OSError as error:
            raise self._death(connection) from error

    def _receive(self, connection: Connection) -> int | list[Any]:
        try:
            message = connection.recv()
        except (EOFError, OSError) as error:
            raise self._death(connection) from error
        if isinstance(message, str):
            raise WorkerError(f"training failed in a worker process:\n{message}")
        return message

    def _death(self, connection: Connection) -> WorkerError:
        process = self._processes[connection]
        process.join()
        return WorkerError(
            f"a worker process died (exit code {process.exitcode}). Finished batches are stored: repeat the command "
            "to go on from there, with fewer workers if memory ran out"
        )


def run_sweep(
    configs: Sequence[RunConfig],
    store: Store,
    *,
    workers: int | None = None,
    device: str = "cpu",
    report: Report = lambda _: None,
) -> list[Run]:
    """Runs of all configurations, trained where the store lacks them; for a single sweep.

    Args:
        configs: What to run; may repeat itself.
        store: Where runs are found and kept.
        workers: Processes; None for one on each usable core.
        device: ``cpu``, ``cuda`` or ``auto``.
        report: Told how far the sweep is.

    Returns:
        Finished runs in the order of ``configs``.
    """
    with LocalExecutor(workers, device=device) as executor:
        return executor.run(configs, store, report)


def usable_cores() -> int:
    """Cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Sweep(Generic[AnyJob, AnyRun]):
    """What of one sweep is found, lacking and done."""

    def __init__(
        self,
        trainer: Trainer[AnyJob, AnyRun],
        configs: Sequence[AnyJob],
        store: ParquetStore[AnyJob, AnyRun],
        device: str,
        report: Report,
    ) -> None:
        self.trainer, self.found = trainer, store.find(configs)
        lacking = {config.address: config for config in configs if config.address not in self.found}
        self.batches = trainer.plan(list(lacking.values()), device)
        self.total = sum(batch.cost for batch in self.batches)
        self._left = {id(batch): batch.cost for batch in self.batches}
        self._n_reused, self._n_total = len(self.found), len(self.found) + len(lacking)
        self._store, self._report = store, report

    def report(self) -> None:
        self._report(
            SweepProgress(
                done=self.total - sum(self._left.values()),
                total=self.total,
                runs_done=len(self.found),
                runs_total=self._n_total,
                runs_reused=self._n_reused,
            )
        )

    def advance(self, batch: Batch[AnyJob], n_steps: int) -> None:
        self._left[id(batch)] -= n_steps * batch.step_cost
        self.report()

    def finish(self, batch: Batch[AnyJob], runs: Sequence[AnyRun]) -> None:
        self._store.add(runs)
        self.found |= {run.config.address: run for run in runs}
        del self._left[id(batch)]
        self.report()


def _work(connection: Connection) -> None:
    """Train batch after batch; the end of the pipe, also by the parent's death, is the end of the work."""
    torch.set_num_threads(1)
    with contextlib.suppress(EOFError, OSError):
        while True:
            trains, configs = connection.recv()
            try:
                message: list[Any] | str = trains(configs, device="cpu", progress=_throttled(connection.send))
            except OSError:
                raise  # the parent is gone
            except Exception:
                message = traceback.format_exc()
            connection.send(message)


def _throttled(send: Progress) -> Progress:
    """Adds up model-steps and passes them on once in a while; what is left at the end goes without saying."""
    held, sent = 0, time.monotonic()

    def progress(n_steps: int) -> None:
        nonlocal held, sent
        held += n_steps
        now = time.monotonic()
        if now - sent >= REPORT_INTERVAL:
            send(held)
            held, sent = 0, now

    return progress


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits, and processes started meanwhile never see it: they end when their parent says so."""
    resource_tracker.ensure_running()  # else it starts, and lifts the mask, in between
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
