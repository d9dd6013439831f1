"""Train sweeps on a Ray cluster: each batch is a task, on whatever node has the memory and the device for it."""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    WorkerCrashedError,
)

from dcrit.empirics.training import ray_cluster
from dcrit.empirics.training.batches import Batch
from dcrit.empirics.training.executor import BASE_BYTES, USABLE, Executor, usable_cores
from dcrit.empirics.training.ray_cluster import GPU_PARTS
from dcrit.empirics.training.sweep import REPORT_INTERVAL, Assignment, Sweep, WorkerError, out_of_memory
from dcrit.theory.checks import FieldError, check_choice, check_integer

_log = logging.getLogger(__name__)

#: Batches at the cluster for each core: no worker waits for its next one, and a cluster that grows by demand sees it.
QUEUED = 2

#: Reports that reach the driver from all workers together [1/s].
REPORT_RATE = 50.0

#: How a batch ends that lost its worker, and what is said of it.
DEATHS: dict[type[RayError], str] = {
    OutOfMemoryError: "memory ran out on a node of the cluster",
    WorkerCrashedError: "a worker of the cluster died",
    NodeDiedError: "a node of the cluster was lost",
    LocalRayletDiedError: "a node of the cluster was lost",
    ObjectLostError: "a node of the cluster was lost with its results",
}


class RayExecutor(Executor):
    """Trains sweeps on a Ray cluster: one that runs, or one that is started on this machine and stopped in the end.

    Workers need no access to the store: runs come back to this process, which stores them. Checkpoints are kept by
    those workers alone that see the store's folder. A batch whose worker dies is trained again in two halves.

    Args:
        address: Of a cluster that this machine is a node of, ``host:port`` or ``auto``; None to start one here. A
            connection that the caller has already is used, and left open.
        workers: Most batches in flight; None for as many as the cluster has room for.
        device: ``cpu``, ``cuda`` or ``auto``: a GPU where the cluster has one.

    Raises:
        ValueError: ``workers`` is below 1, there is no cluster at that address, it has no core or no such device.
    """

    def __init__(self, address: str | None = None, *, workers: int | None = None, device: str = "cpu") -> None:
        if workers is not None:
            check_integer("workers", workers, 1)
        check_choice("device", device, ("auto", "cpu", "cuda"))
        self.workers = workers
        self._is_ours = not ray.is_initialized()
        try:
            if not self._is_ours:
                pass
            elif address is None:
                ray_cluster.start_here(workers or usable_cores())
            else:
                ray_cluster.connect(address)
            self._take_stock(device)
        except BaseException:
            self._let_go()
            raise

    def _take_stock(self, device: str) -> None:
        nodes = ray_cluster.nodes()
        if not nodes:
            raise FieldError(
                "address", "be of a cluster in which some node has a core", "none", why="start its workers"
            )
        self.device = ray_cluster.resolve_device(device, nodes)
        self._most_memory = max(node.memory for node in nodes)
        if self.device == "cuda":
            self._gpu_memory = ray_cluster.smallest_gpu(nodes)
            self.memory = USABLE * self._gpu_memory
        else:
            shares = [node.memory / min(self.workers or math.inf, node.cpus) for node in nodes]
            self.memory = max(0.0, USABLE * (min(shares) - BASE_BYTES))

    def _let_go(self) -> None:
        if self._is_ours:
            ray.shutdown()

    def requirements(self, n_bytes: int) -> dict[str, float]:
        """What the cluster is asked for to train one batch.

        A node's whole memory at most: more than any node has would wait for ever.

        Args:
            n_bytes: Estimated memory of the batch [bytes].
        """
        needed = BASE_BYTES + n_bytes / USABLE
        if self.device == "cpu":
            return {"num_cpus": 1, "num_gpus": 0, "memory": min(needed, self._most_memory)}
        parts = min(GPU_PARTS, math.ceil(GPU_PARTS * needed / self._gpu_memory))
        return {"num_cpus": 1, "num_gpus": parts / GPU_PARTS, "memory": min(BASE_BYTES, self._most_memory)}

    def _train(self, sweep: Sweep[Any, Any]) -> None:
        if not sweep.waiting:
            return
        flying: dict[ray.ObjectRefGenerator, Batch[Any]] = {}
        room = 0
        with _marker(sweep.folder) as marker:
            try:
                while sweep.waiting or flying:
                    room = room or self._room()
                    while sweep.waiting and len(flying) < room:
                        batch = sweep.waiting.popleft()
                        flying[self._start(sweep, batch, marker, room)] = batch
                    # Returns at the first message; the second wait adds whatever else is there.
                    ray.wait(list(flying), fetch_local=False)
                    ready, _ = ray.wait(list(flying), num_returns=len(flying), timeout=0, fetch_local=False)
                    for task in ready:
                        if self._receive(task, sweep, flying):
                            room = 0  # nodes may have come or gone
            finally:
                for task in flying:
                    ray.cancel(task, force=True)

    def _room(self) -> int:
        return self.workers or max(1, int(QUEUED * ray.cluster_resources().get("CPU", 0.0)))

    def _start(
        self, sweep: Sweep[Any, Any], batch: Batch[Any], marker: Path | None, n_workers: int
    ) -> ray.ObjectRefGenerator:
        # No retries of Ray's own: the sweep decides what is trained again, and how.
        task = ray.remote(work).options(
            name=f"dcrit: {len(batch.configs)} runs",
            num_returns="streaming",
            max_retries=0,
            **self.requirements(batch.n_bytes),
        )
        interval = max(REPORT_INTERVAL, n_workers / REPORT_RATE)
        return task.remote(sweep.assignment(batch), installed(), marker, interval)

    def _receive(
        self, task: ray.ObjectRefGenerator, sweep: Sweep[Any, Any], flying: dict[ray.ObjectRefGenerator, Batch[Any]]
    ) -> bool:
        """Act on a task's next message; whether it was the last."""
        try:
            message = ray.get(next(task))
        except tuple(DEATHS) as error:
            sweep.halve(flying.pop(task), next(said for kind, said in DEATHS.items() if isinstance(error, kind)))
            return True
        except RayError as error:
            raise WorkerError(f"a task could not be run on the cluster:\n{error}") from error
        done = sweep.receive(flying[task], message, "a worker of the cluster")
        if done:
            del flying[task]
        return done


@contextlib.contextmanager
def _marker(folder: Path) -> Iterator[Path | None]:
    """A file by which workers tell whether they see the store's folder; None where none can be written."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".tmp"))
        except OSError as error:
            _log.warning("workers keep no checkpoints: %s cannot be written to: %s", folder, error.strerror)
            yield None
        else:
            yield Path(file.name)


#: What a worker's versions must agree in with the driver's: others may round, or even train, differently.
PACKAGES = ("dcrit", "torch", "numpy")

#: Model-steps just finished; all runs, at the end; that memory ran out; or how training failed otherwise.
Message = int | list[Any] | MemoryError | str


def installed() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: version(name) for name in PACKAGES}


def work(
    assignment: Assignment, versions: Mapping[str, str], marker: Path | None, interval: float
) -> Iterator[Message]:
    """Train a batch; the last message is its end.

    Args:
        assignment: What to train.
        versions: The driver's packages.
        marker: A file in the store's folder: where it is seen, checkpoints reach the store, and elsewhere none is kept.
        interval: Shortest time between two messages on the way [s].
    """
    here = installed()
    if here != versions:
        yield f"a node has {_listed(here)}, this machine {_listed(versions)}: they must be the same"
        return
    checkpoint = assignment.checkpoint if marker is not None and marker.exists() else None
    # The copy's time begins now: clocks of two machines do not agree.
    assignment = replace(assignment, checkpoint=checkpoint and replace(checkpoint))
    messages: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=lambda: messages.put(_answer(assignment, messages)), daemon=True).start()
    held, sent = 0, time.monotonic()
    while isinstance(message := messages.get(), int):
        held += message
        if time.monotonic() - sent >= interval:
            yield held
            held, sent = 0, time.monotonic()
    yield message


def _answer(assignment: Assignment, messages: SimpleQueue[Message]) -> Message:
    try:
        return assignment(messages.put)
    except Exception as error:
        return MemoryError("memory ran out in a worker") if out_of_memory(error) else traceback.format_exc()


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
