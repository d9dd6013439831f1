"""Where sweeps are trained: what executors on one machine and on a cluster have in common."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from dcrit.empirics.batches import plan_batches
from dcrit.empirics.ensemble import train
from dcrit.empirics.parquet_store import ParquetStore
from dcrit.empirics.runs import Run, RunConfig
from dcrit.empirics.store import Store
from dcrit.empirics.stored_runs import StoredRuns
from dcrit.empirics.sweep import AnyJob, AnyRun, Report, Sweep, Trainer

_log = logging.getLogger(__name__)


class Executor(ABC):
    """Trains what stores lack, batch by batch; results do not depend on which executor trains them.

    Attributes:
        device: ``cpu`` or ``cuda``, where every batch is trained.
        memory: What a worker has for one batch [bytes].
    """

    device: str
    memory: float

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Let go of all workers."""

    @abstractmethod
    def _train(self, sweep: Sweep[Any, Any]) -> None:
        """Train all waiting batches of a sweep; :meth:`Sweep.halve` those whose worker died or ran out of memory."""

    def run(self, configs: Sequence[RunConfig], store: Store, report: Report = lambda _: None) -> Sequence[Run]:
        """Runs of single networks, as :meth:`run_with` trains them."""
        return self.run_with(Trainer(plan=plan_batches, train=train), configs, store, report)

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
            grow with their number.

        Raises:
            ValueError: Something has to be trained and the store's folder cannot be written to.
            StoreWriteError: A finished batch cannot be stored.
            WorkerError: Training failed, or a run cannot be trained at all.
        """
        # A file may turn out to be damaged, or gone, only when its runs are read: those are trained then.
        for _ in range(2):
            self.sweep(trainer, configs, store, report)
            if store.readable(configs):
                return StoredRuns(store, configs)
        raise RuntimeError(
            f"finished runs vanish from {store.folder} while they are read; does another program clean it?"
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
