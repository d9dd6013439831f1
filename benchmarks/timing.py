"""Times that are fair to compare: taken in turns, on one thread, by its own clock, and the shortest of several."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

import torch


def shortest_times(
    calls: Mapping[str, Callable[[], object]], repeats: int, *, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Shortest time of every call over rounds in which each is made once [s].

    Processor time of this process, where nothing else is said: what other processes take meanwhile lengthens it
    little, where it would double the time on the wall. Several threads share no processor time.

    Args:
        calls: What to time, by name.
        repeats: Rounds.
        clock: Tells the time.
    """
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            began = clock()
            call()
            best[name] = min(best[name], clock() - began)
    return best


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, as worker processes have it: then processor time is time at work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
