"""What a study costs, timed before its first run, and how far it is."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from dcrit.empirics.study.design import (
    GENERALIZING_MULTIPLES,
    MEMORIZING_MULTIPLES,
    PROBE_FRACTION,
    StudyDesign,
    largest_of,
)
from dcrit.empirics.study.module_runs import Factory, Training
from dcrit.empirics.training.quiet import display_begins, is_silent
from dcrit.theory.checks import FieldError

#: Steps that are not timed, and for how long steps are timed at each of two sizes [s].
WARM_UP_STEPS, TIMED_SECONDS = 3, 0.1

#: Studies that last longer say what they cost and how far they are [s].
PATIENCE_SECONDS = 2.0

#: One thread is named to people where it is so many times as fast as those that are set.
MUCH_FASTER = 2.0

#: Where nobody watches a bar, a line is written so often [s].
LINE_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Time that steps and evaluations take on this machine.

    Attributes:
        step: Of a step, whatever its size [s].
        example: Of each example in a step [s].
        evaluation: Of one evaluation of all examples [s].
    """

    step: float
    example: float
    evaluation: float

    def seconds(self, design: StudyDesign, n_train: int, steps: int) -> float:
        """Time of one run [s]."""
        at_once = min(n_train, design.batch_size or n_train)
        evaluations = len(design.config("real", n_train, 0, steps=steps).evaluation_steps())
        return steps * (self.step + at_once * self.example) + evaluations * self.evaluation


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a study takes at most.

    Attributes:
        runs: Number of them.
        steps: Of all runs together.
        seconds: Of all runs together, by a timed start [s].
    """

    runs: int
    steps: int
    seconds: float

    def __str__(self) -> str:
        return f"at most {self.runs} runs, {self.steps:,} steps, {duration(self.seconds)} on this machine"


def duration(seconds: float) -> str:
    """A time in words."""
    for least, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * least:
            return f"about {seconds / least:.0f} {unit}"
    return f"about {max(1, round(seconds))} s"


def pace_of(factory: Factory, inputs: Tensor, labels: Tensor, design: StudyDesign, device: str) -> Pace:
    """How long steps and evaluations take, from a few of them at two sizes."""

    def timed(work: Callable[[], object]) -> float:
        for _ in range(WARM_UP_STEPS):
            work()
        _wait(device)
        taken: list[float] = []
        while sum(taken) < TIMED_SECONDS:
            began = time.perf_counter()
            work()
            _wait(device)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken)  # a step during which another process had the core counts once

    largest = largest_of(len(labels))
    sizes = sorted({max(1, largest // 8), largest})
    trainings = [
        Training(factory, inputs, labels, design.config("real", size, design.first_seed), device=device)
        for size in sizes
    ]
    small, large = timed(trainings[0].step), timed(trainings[-1].step)
    at_once = [min(size, design.batch_size or size) for size in sizes]
    example = max(0.0, large - small) / max(1, at_once[-1] - at_once[0])
    return Pace(step=max(0.0, small - at_once[0] * example), example=example, evaluation=timed(trainings[-1].evaluated))


def with_one_thread(work: Callable[[], Cost]) -> Cost:
    """What a study would cost with one thread: on a busy machine several threads of a small module wait in turn."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return work()
    finally:
        torch.set_num_threads(threads)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def cost_of(design: StudyDesign, n_examples: int, pace: Pace) -> Cost:
    """What a design takes at most; sizes that are yet to be chosen count as half of all examples."""
    half = max(1, n_examples // 2)
    horizon, made = design.horizon, [size for _, _, size in design.predicting()]
    if not design.why_unpredicted:
        unknown = len(GENERALIZING_MULTIPLES) * (not design.generalizing_sizes)
        unknown += len(MEMORIZING_MULTIPLES) * (not design.memorizing_sizes)
        made += [half] * (design.seeds * unknown) + [n_examples] * (design.seeds * (not design.overloading_sizes))
    made += [size for size in design.sizes for _ in range(design.seeds)] or [half] * design.max_runs
    probes = design.probe_sizes(n_examples) if design.needs_probes else ()
    short = math.ceil(PROBE_FRACTION * horizon)
    seconds = sum(pace.seconds(design, size, horizon) for size in made)
    seconds += sum(pace.seconds(design, size, short) for size in probes)
    return Cost(runs=len(made) + len(probes), steps=len(made) * horizon + len(probes) * short, seconds=seconds)


def check_budget(cost: Cost, design: StudyDesign, alone: Callable[[], Cost] | None = None) -> None:
    """Refuse a study that takes longer than it may.

    Args:
        cost: What it takes at most.
        design: Which study.
        alone: Times the cost with one thread; asked only where the study is refused.

    Raises:
        ValueError: It does; the message says what to change.
    """
    allowed = 60 * design.budget_minutes
    if cost.seconds <= allowed:
        return
    fits = math.floor(design.horizon * allowed / cost.seconds)
    changes = [f"budget_minutes={math.ceil(1.1 * cost.seconds / 60)}"]
    one = cost if alone is None else alone()
    if one.seconds < cost.seconds / MUCH_FASTER:
        changes.insert(
            0, f"the environment: OMP_NUM_THREADS=1 makes it {duration(one.seconds)}, as the machine is busy"
        )
    if (fits and fits >= 10 * design.time_constant) or not design.weight_decay:
        changes.append(f"steps={fits}")
    elif fits:
        why = f"steps={fits} would fit, but that is below 10/(ηλ) = {math.ceil(10 * design.time_constant):,}"
        changes.append(f"larger learning_rate= or weight_decay= ({why})")
    changes += ["fewer examples, or smaller seeds= or max_runs="]
    if design.predict and not design.why_unpredicted:
        changes.append("predict=False to measure alone")
    raise FieldError(
        "budget_minutes",
        f"be at least {math.ceil(cost.seconds / 60)} for {cost}",
        f"{design.budget_minutes:g}",
        why=f"change {'; or '.join(changes)}",
    )


class Watch:
    """Says on standard error what a study costs and how far it is: a bar for people, lines for files."""

    def __init__(self, cost: Cost, stack: ExitStack) -> None:
        self.cost, self.done, self.began = cost, 0, time.monotonic()
        self.said = self.began
        self.bar: Progress | None = None
        if cost.seconds < PATIENCE_SECONDS:
            self.console = None
            return
        display_begins()
        self.console = Console(file=sys.stderr, quiet=is_silent())
        self.console.print(f"study: {cost}", highlight=False)
        if self.console.is_interactive:
            self.bar = stack.enter_context(Progress(console=self.console, transient=True))
            self.bar.add_task("study", total=cost.runs)

    def tell(self, doing: str) -> None:
        """One more run is done."""
        self.done += 1
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.done, description=doing)
        elif self.console is not None and time.monotonic() - self.said >= LINE_SECONDS:
            self.said = time.monotonic()
            spent = duration(self.said - self.began)
            self.console.print(
                f"study: {self.done} of at most {self.cost.runs} runs after {spent}, {doing}", highlight=False
            )
