"""How fast training is, and a budget of time for a suite: which runs there is still time for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dcrit.empirics.training.work import Work
from dcrit.theory.checks import check_choice, check_integer, check_positive


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast one worker trains.

    Attributes:
        device: ``cpu`` or ``cuda``; says what counts as cost, see :class:`~dcrit.empirics.training.work.Work`.
        rate: Cost that it does in a second [FLOP/s].

    Raises:
        ValueError: A field is out of range.
    """

    device: str
    rate: float

    def __post_init__(self) -> None:
        check_choice("device", self.device, ("cpu", "cuda"))
        check_positive("rate", self.rate)

    def seconds(self, work: Work, workers: int = 1) -> float:
        """Time until the last of some workers ends, at most [s].

        Args:
            work: Estimated for the device.
            workers: Each as fast as one.
        """
        check_integer("workers", workers, 1)
        return work.makespan(workers) / self.rate


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Time for the runs of a suite; what is left shrinks as they are made.

    Attributes:
        seconds: All of it [s].
        speed: Of a worker.
        workers: That train at a time.
        clock: Seconds from some origin.
        began: When the time began to run, by the clock [s].

    Raises:
        ValueError: A field is not above 0.
    """

    seconds: float
    speed: Speed
    workers: int = 1
    clock: Callable[[], float] = time.monotonic
    began: float | None = field(default=None)

    def __post_init__(self) -> None:
        check_positive("seconds", self.seconds)
        check_integer("workers", self.workers, 1)
        if self.began is None:
            object.__setattr__(self, "began", self.clock())

    @property
    def remaining(self) -> float:
        """What is left [s]; 0 where nothing is."""
        assert self.began is not None
        return max(0.0, self.seconds - (self.clock() - self.began))

    @property
    def total_cost(self) -> float:
        """Cost that all of it is good for on all workers [FLOPs]."""
        return self.seconds * self.workers * self.speed.rate

    def suffices(self, work: Work) -> bool:
        """Whether there is time for so much work.

        Args:
            work: Most that is trained.
        """
        return self.speed.seconds(work, self.workers) <= self.remaining


def duration(seconds: float) -> str:
    """A time as people say it: two digits and the largest unit of which there are two or more."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{_two_digits(seconds / length)} {unit}"
    return f"{_two_digits(seconds)} s"


def _two_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
