"""What a task on a cluster does: train one batch, and tell the driver on the way."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dcrit.empirics.sweep import Assignment, out_of_memory

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
