"""What of a list of runs a store lacks, which batches are left to train, and what becomes of those that fail."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import torch

from dcrit.empirics.store.checkpoint import Checkpoint, checkpoint_of
from dcrit.empirics.store.inventory import CHECKPOINTS
from dcrit.empirics.store.store import Addressed, Finished, ParquetStore
from dcrit.empirics.training.batches import Batch, Trainable
from dcrit.empirics.training.ensemble import Progress

_log = logging.getLogger(__name__)

#: Shortest time between two reports of one batch [s].
REPORT_INTERVAL = 0.2

#: How often a run that is trained alone may bring its worker down.
MOST_DEATHS = 2


@dataclass(frozen=True, kw_only=True)
class SweepProgress:
    """How far a sweep is.

    Attributes:
        done: Finished part of the work that was lacking [FLOPs].
        total: All work that was lacking [FLOPs].
        runs_done: Runs that are stored by now.
        runs_total: Different runs that were asked for.
        runs_reused: Runs that were stored before.
        failures: Batches whose worker died or ran out of memory.
    """

    done: int
    total: int
    runs_done: int
    runs_total: int
    runs_reused: int
    failures: int = 0


Report = Callable[[SweepProgress], None]


class Job(Addressed, Trainable, Protocol):
    """A configuration that a sweep can train."""


AnyJob = TypeVar("AnyJob", bound=Job)
AnyRun = TypeVar("AnyRun", bound=Finished)


@dataclass(frozen=True, kw_only=True)
class Trainer(Generic[AnyJob, AnyRun]):
    """How one kind of run is trained.

    Attributes:
        plan: Divides configurations into batches for a device and the memory of a worker [bytes], the most
            expensive first.
        train: Trains one batch, with ``device``, ``progress`` and ``checkpoint`` by keyword; a function of a module,
            as workers are told its name.
    """

    plan: Callable[[Sequence[AnyJob], str, float], list[Batch[AnyJob]]]
    train: Callable[..., list[AnyRun]]


class WorkerError(RuntimeError):
    """Training failed in a worker, or a run cannot be trained at all; batches that were finished are stored."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One batch as a worker is told to train it, in this process, another one, or on another machine.

    Attributes:
        trains: Trains a batch.
        configs: What to run.
        device: Where to train.
        checkpoint: Where states are kept and found; None for nowhere.
    """

    trains: Callable[..., list[Any]]
    configs: tuple[Any, ...]
    device: str
    checkpoint: Checkpoint | None

    def __call__(self, progress: Progress) -> list[Any]:
        """Finished runs; on one thread, as the number of threads changes rounding.

        Args:
            progress: Called once in a while with the number of model-steps just finished.
        """
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.trains(
                self.configs, device=self.device, progress=throttled(progress), checkpoint=self.checkpoint
            )
        finally:
            torch.set_num_threads(n_threads)


class Sweep(Generic[AnyJob, AnyRun]):
    """What of one list of runs is stored, waiting, in flight and done.

    Batches are planned for all runs, stored ones included. One that is stored in part is divided as if it had been
    halved. So a sweep that was stopped goes on with the batches that it would have trained, to the same bits.

    Args:
        trainer: How runs are trained.
        configs: What to run; may repeat itself.
        store: Where runs are found and kept.
        device: Where batches are trained.
        memory: Of a worker [bytes].
        report: Told how far the sweep is.

    Attributes:
        folder: Of the store.
        waiting: Batches that no worker has, the most expensive first.
        total: Estimated cost of all that was lacking [FLOPs].
    """

    def __init__(
        self,
        trainer: Trainer[AnyJob, AnyRun],
        configs: Sequence[AnyJob],
        store: ParquetStore[AnyJob, AnyRun],
        *,
        device: str,
        memory: float,
        report: Report,
    ) -> None:
        self._trainer, self._store, self._device, self._report = trainer, store, device, report
        # Workers may have another working directory.
        self.folder = store.folder.absolute()
        wanted = {config.address: config for config in configs}
        lacking = {config.address for config in store.missing(list(wanted.values()))}
        unfinished = any((self.folder / CHECKPOINTS).glob("*"))
        planned = trainer.plan(list(wanted.values()), device, memory) if lacking or unfinished else []
        for batch in planned if unfinished else []:
            if not any(config.address in lacking for config in batch.configs):
                # Stored, and killed before it could be removed. On a disk that can only be read it stays.
                with contextlib.suppress(OSError):
                    checkpoint_of(self.folder, batch.configs).remove()
        left = [piece for batch in planned for piece in _left_of(batch, lacking)]
        self.waiting = deque(sorted(left, key=lambda batch: -batch.cost))
        self.total = sum(batch.cost for batch in self.waiting)
        # By identity: halves of a batch may be equal to it, and configurations take long to hash.
        self._left = {id(batch): batch.cost for batch in self.waiting}
        self._n_stored, self._n_total = len(wanted) - len(lacking), len(wanted)
        self._n_reused, self._n_failures = self._n_stored, 0
        self._deaths: dict[str, int] = {}
        self._hopeless: list[str] = []

    def report(self) -> None:
        """Tell how far the sweep is."""
        self._report(
            SweepProgress(
                done=self.total - sum(self._left.values()),
                total=self.total,
                runs_done=self._n_stored,
                runs_total=self._n_total,
                runs_reused=self._n_reused,
                failures=self._n_failures,
            )
        )

    def assignment(self, batch: Batch[AnyJob]) -> Assignment:
        """What a worker is told of a batch."""
        return Assignment(
            trains=self._trainer.train, configs=batch.configs, device=self._device, checkpoint=self._checkpoint(batch)
        )

    def advance(self, batch: Batch[AnyJob], n_steps: int) -> None:
        """Account for model-steps of a batch in flight."""
        self._left[id(batch)] -= n_steps * batch.step_cost
        self.report()

    def finish(self, batch: Batch[AnyJob], runs: Sequence[AnyRun]) -> None:
        """Store the runs of a batch.

        Raises:
            StoreWriteError: They cannot be stored.
        """
        self._store.add(runs)
        self._checkpoint(batch).remove()
        self._n_stored += len(batch.configs)
        del self._left[id(batch)]
        self.report()

    def receive(self, batch: Batch[AnyJob], message: int | list[AnyRun] | MemoryError | str, where: str) -> bool:
        """Account for what a worker says of its batch; whether the worker is done with it.

        Args:
            batch: In flight.
            message: Model-steps just finished; finished runs; that memory ran out; or how training failed otherwise.
            where: Kind of worker, for the message of a failure.

        Raises:
            WorkerError: Training failed.
            StoreWriteError: Finished runs cannot be stored.
        """
        if isinstance(message, int):
            self.advance(batch, message)
            return False
        if isinstance(message, MemoryError):
            self.halve(batch, str(message))
        elif isinstance(message, str):
            raise WorkerError(f"training failed in {where}:\n{message}")
        else:
            self.finish(batch, message)
        return True

    def halve(self, batch: Batch[AnyJob], reason: str) -> None:
        """Have a batch whose worker died or ran out of memory trained again in two halves, or give a lone run up.

        Args:
            batch: What was in flight.
            reason: What happened, as the beginning of a sentence.
        """
        self._n_failures += 1
        del self._left[id(batch)]
        n_members = len(batch.configs)
        if n_members > 1:
            self._checkpoint(batch).remove()
            again = _halves(batch)
            _log.warning("%s while it trained %d runs; they are trained again in two halves", reason, n_members)
        else:
            address = batch.configs[0].address
            self._deaths[address] = self._deaths.get(address, 0) + 1
            if self._deaths[address] >= MOST_DEATHS:
                self._hopeless.append(f"{reason} while it trained run {address} alone")
                self.total -= batch.cost
                self.report()
                return
            again = [replace(batch)]
            _log.warning("%s while it trained one run, which is trained again", reason)
        self.waiting.extendleft(reversed(again))
        self._left |= {id(half): half.cost for half in again}
        self.report()

    def close(self) -> None:
        """End the sweep.

        Raises:
            WorkerError: Runs could not be trained even alone.
        """
        if self._hopeless:
            raise WorkerError(
                f"{len(self._hopeless)} of {self._n_total} runs could not be trained; all others are stored. "
                f"{self._hopeless[0]}. Repeat the command with fewer workers or on a machine with more memory"
            )

    def _checkpoint(self, batch: Batch[AnyJob]) -> Checkpoint:
        return checkpoint_of(self.folder, batch.configs)


def _halves(batch: Batch[AnyJob]) -> list[Batch[AnyJob]]:
    half = len(batch.configs) // 2
    return [replace(batch, configs=batch.configs[:half]), replace(batch, configs=batch.configs[half:])]


def _left_of(batch: Batch[AnyJob], lacking: Set[str]) -> list[Batch[AnyJob]]:
    """What is to be trained of a planned batch: all, nothing, or what is left of its halves, as a sweep halves them."""
    n_lacking = sum(config.address in lacking for config in batch.configs)
    if n_lacking == len(batch.configs):
        return [batch]
    return [piece for half in _halves(batch) for piece in _left_of(half, lacking)] if n_lacking else []


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory, of the host or of an accelerator, ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The CPU's allocator has no exception of its own.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def throttled(send: Progress) -> Progress:
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
