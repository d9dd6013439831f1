"""Where sweeps are trained: what executors on one machine and on a cluster have in common."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self, cast

import torch

from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.store.store import ParquetStore, StoredRuns
from dcrit.empirics.training.batches import Batch, plan_batches
from dcrit.empirics.training.devices import resolve_device
from dcrit.empirics.training.ensemble import train
from dcrit.empirics.training.sweep import AnyJob, AnyRun, Assignment, Report, Sweep, Trainer, out_of_memory
from dcrit.theory.checks import check_integer

_log = logging.getLogger(__name__)


class Executor(ABC):
    """Trains what stores lack, batch by batch; results do not depend on which executor trains them.

    Attributes:
        device: ``cpu`` or ``cuda``, where every batch is trained.
        memory: What a worker has for one batch [bytes].
        closed: Whether all workers were let go of.
    """

    device: str
    memory: float
    closed: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
        self._let_go()

    @abstractmethod
    def _let_go(self) -> None:
        """Let go of all workers."""

    @abstractmethod
    def _train(self, sweep: Sweep[Any, Any]) -> None:
        """Train all waiting batches of a sweep; :meth:`Sweep.halve` those whose worker died or ran out of memory."""

    def run(self, configs: Sequence[RunConfig], store: Store, report: Report = lambda _: None) -> Sequence[Run]:
        """Runs of single networks, as :meth:`run_with` trains them."""
        return self.run_with(single_trainer(), configs, store, report)

    def run_with(
        self,
        trainer: Trainer[AnyJob, AnyRun],
        configs: Sequence[AnyJob],
        store: ParquetStore[AnyJob, AnyRun],
        report: Report = lambda _: None,
    ) -> Sequence[AnyRun]:
        """Runs of all configurations, trained where the store lacks them.

        Args:
            trainer: How they are trained.
            configs: What to run; may repeat itself.
            store: Where runs are found and kept.
            report: Told how far the sweep is, first before anything is trained, last when all is.

        Returns:
            Finished runs in the order of ``configs``, read from the store when they are asked for: memory does not
            grow with their number. A file that turns out to be damaged, or gone, only then is set aside and its runs
            are trained again, as long as the executor is open.

        Raises:
            ValueError: Something has to be trained and the store's folder cannot be written to.
            StoreWriteError: A finished batch cannot be stored.
            WorkerError: Training failed, or a run cannot be trained at all.
        """
        self.sweep(trainer, configs, store, report)
        return StoredRuns(
            store, configs, remake=lambda: None if self.closed else self.sweep(trainer, configs, store, report)
        )

    def sweep(
        self,
        trainer: Trainer[AnyJob, AnyRun],
        configs: Sequence[AnyJob],
        store: ParquetStore[AnyJob, AnyRun],
        report: Report = lambda _: None,
    ) -> None:
        """Train what the store lacks, and hold no finished run in memory: see :meth:`run_with`."""
        sweep = Sweep(trainer, configs, store, device=self.device, memory=self.memory, report=report)
        if sweep.waiting:
            store.prepare()
            for damage in store.set_aside():
                _log.warning("%s was damaged and its runs are made again: %s", damage.path, damage.reason)
        sweep.report()
        self._train(sweep)
        sweep.close()


#: Work below which starting processes takes longer than it saves, some seconds on one core [FLOPs].
SMALL = 2e11

#: What a worker holds before it trains anything [bytes], and the part of the rest that a batch may take.
BASE_BYTES, USABLE = 512 << 20, 0.8


class LocalExecutor(Executor):
    """Trains sweeps with processes of this machine, started when first needed and kept until the end.

    A worker that dies is replaced, and its batch is trained again in two halves; so is one whose memory ran out.

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
        self.memory = worker_memory(self.device, self.workers)
        self._processes: dict[Connection, BaseProcess] = {}

    def _let_go(self) -> None:
        self._stop()

    def _train(self, sweep: Sweep[Any, Any]) -> None:
        if self._needs_processes(sweep):
            self._distribute(sweep)
        else:
            _train_here(sweep)

    def _needs_processes(self, sweep: Sweep[Any, Any]) -> bool:
        if self.workers == 1 or len(sweep.waiting) <= 1:
            return False
        return bool(self._processes) or sweep.total >= SMALL

    def _distribute(self, sweep: Sweep[Any, Any]) -> None:
        busy: dict[Connection, Batch[Any]] = {}
        try:
            while sweep.waiting or busy:
                self._start(min(self.workers, len(sweep.waiting) + len(busy)))
                for connection in [one for one in self._processes if one not in busy]:
                    if sweep.waiting:
                        busy[connection] = sweep.waiting.popleft()
                        self._send(connection, sweep, busy)
                for connection in cast("list[Connection]", wait(list(busy))):
                    self._receive(connection, sweep, busy)
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

    def _send(self, connection: Connection, sweep: Sweep[Any, Any], busy: dict[Connection, Batch[Any]]) -> None:
        try:
            connection.send(sweep.assignment(busy[connection]))
        except OSError:
            sweep.halve(busy.pop(connection), self._death(connection))

    def _receive(self, connection: Connection, sweep: Sweep[Any, Any], busy: dict[Connection, Batch[Any]]) -> None:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            sweep.halve(busy.pop(connection), self._death(connection))
            return
        if sweep.receive(busy[connection], message, "a worker process"):
            del busy[connection]

    def _death(self, connection: Connection) -> str:
        """Bury a worker; what happened to it."""
        process = self._processes.pop(connection)
        connection.close()
        process.join()
        code = process.exitcode
        process.close()
        hint = ", as the system does when memory runs out" if code == -signal.SIGKILL else ""
        return f"a worker process died (exit code {code}{hint})"


def single_trainer() -> Trainer[RunConfig, Run]:
    """How single networks are trained."""
    return Trainer(plan=plan_batches, train=train)


def run_sweep(
    configs: Sequence[RunConfig],
    store: Store,
    *,
    workers: int | None = None,
    device: str = "cpu",
    report: Report = lambda _: None,
) -> Sequence[Run]:
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


def worker_memory(device: str, workers: int) -> float:
    """What a worker of this machine has for one batch [bytes].

    Args:
        device: ``cpu`` or ``cuda``.
        workers: Processes that share the machine's memory.
    """
    if device == "cuda":
        return USABLE * torch.cuda.mem_get_info()[1]
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(0.0, USABLE * (total / workers - BASE_BYTES))


def _train_here(sweep: Sweep[Any, Any]) -> None:
    while sweep.waiting:
        batch = sweep.waiting.popleft()
        try:
            runs = sweep.assignment(batch)(lambda n_steps, batch=batch: sweep.advance(batch, n_steps))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            sweep.halve(batch, "memory ran out")
        else:
            sweep.finish(batch, runs)


def _work(connection: Connection) -> None:
    """Train batch after batch; the end of the pipe, also by the parent's death, is the end of the work."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(_answer(cast("Assignment", connection.recv()), connection))


def _answer(assignment: Assignment, connection: Connection) -> list[Any] | MemoryError | str:
    """Finished runs; that memory ran out; or how training failed otherwise."""
    try:
        return assignment(connection.send)
    except OSError:
        raise  # the parent is gone
    except Exception as error:
        return MemoryError("memory ran out in a worker process") if out_of_memory(error) else traceback.format_exc()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits, and processes started meanwhile never see it: they end when their parent says so."""
    resource_tracker.ensure_running()  # else it starts, and lifts the mask, in between
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
