"""Where to train, and how one step is repeated there."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from dcrit.theory.checks import FieldError, check_choice

_log = logging.getLogger(__name__)

#: Steps taken one by one before a graph is recorded: libraries allocate and choose their kernels in the first.
WARM_UP = 3


def resolve_device(name: str) -> str:
    """The device behind ``auto``, ``cpu`` or ``cuda``: a GPU where there is one, else the CPU.

    Raises:
        ValueError: The name is unknown, or CUDA is asked for where there is none.
    """
    check_choice("device", name, ("auto", "cpu", "cuda"))
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise FieldError("device", "be 'cpu' or 'auto' on this machine", "'cuda'", why="torch finds no CUDA device")
    return name


class Repeated:
    """One step, taken again and again; on a GPU recorded once and replayed without the host.

    A step of a small network is some ten kernels of a few microseconds, as long as it takes to launch
    each. A CUDA graph launches all of them at once. Every tensor that the step reads or writes must be
    the same one in every step, and nothing may depend on a number of the host that changes.

    Where a step cannot be recorded, it is taken kernel by kernel, and a warning says so.

    Args:
        step: What to repeat.
        device: ``cpu`` or ``cuda``, with or without an index.
    """

    def __init__(self, step: Callable[[], object], device: str) -> None:
        self.step = step
        self.is_recorded = torch.device(device).type == "cuda"
        self._n_taken = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, n_steps: int) -> None:
        """Take so many steps; those before the recording count as any other."""
        for _ in range(n_steps):
            if self.is_recorded and self._graph is None and self._n_taken >= WARM_UP:
                self._graph = self._recorded()
            if self._graph is None:
                self._take()
            else:
                self._graph.replay()
            self._n_taken += 1

    def _take(self) -> None:
        if not self.is_recorded:
            self.step()
            return
        # What is to be recorded must not have run on the default stream before.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.step()
        torch.cuda.current_stream().wait_stream(side)

    def _recorded(self) -> torch.cuda.CUDAGraph | None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self.step()
        except RuntimeError as error:
            _log.warning("a step cannot be recorded as a CUDA graph and is taken kernel by kernel: %s", error)
            self.is_recorded = False
            return None
        return graph
