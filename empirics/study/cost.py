"""What a study costs, timed before its first run, and how far it is.

Times are those of an idle core: processor time is counted, which other processes do not lengthen. Where several
threads or a GPU are used, it is the time that passes.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from dcrit.empirics.study.design import PROBE_FRACTION, StudyDesign, largest_of, where_to_look
from dcrit.empirics.study.module_runs import Factory, Training
from dcrit.empirics.training.quiet import display_begins, is_silent
from dcrit.theory.advice import Advice, Setting, joined, told
from dcrit.theory.checks import FieldError

#: Steps that are not timed, and for how long steps are timed at each of two sizes [s].
WARM_UP_STEPS, TIMED_SECONDS = 3, 0.1

#: Studies that last longer say what they cost and how far they are [s].
PATIENCE_SECONDS = 2.0

#: One thread is named to people where it is so many times as fast as those that they set.
MUCH_FASTER = 2.0

#: Part of the horizon that runs across the transition take on average: about half of them generalize, and end early.
EARLY = 0.7

#: A search whose interval gets narrow ends before its last run; of those that are allowed, such a part is made.
SEARCHED = 0.8

#: How far above its budget a study may come out once sizes are known: what is told before is good to that factor.
LEEWAY = 2.0

#: Environment variables by which people say how many threads they want.
THREADS_SET = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

#: Where nobody watches a bar, a line is written so often [s].
LINE_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Time that steps and evaluations take on this machine.

    Attributes:
        step: Of a step, whatever its size [s].
        example: Of each example in a step [s].
        evaluation: Of one evaluation of all examples [s].
        threads: With so many threads; 0 for those that are set.
        idle: Whether processor time was counted, so that these are times on an idle core.
    """

    step: float
    example: float
    evaluation: float
    threads: int = 0
    idle: bool = False

    @property
    def where(self) -> str:
        """Where times are as told."""
        return "on an idle core" if self.idle else "on this machine"

    def seconds(self, design: StudyDesign, n_train: int, steps: int) -> float:
        """Time of one run [s]."""
        at_once = min(n_train, design.batch_size or n_train)
        evaluations = len(design.config("real", n_train, 0, steps=steps).evaluation_steps())
        return steps * (self.step + at_once * self.example) + evaluations * self.evaluation


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a study takes.

    Attributes:
        runs: Number of them at most.
        steps: Of all runs together at most.
        seconds: Of all runs together, by a timed start, as runs go that end early [s].
        where: Where the time is as told.
    """

    runs: int
    steps: int
    seconds: float
    where: str = "on this machine"

    @property
    def time(self) -> str:
        """The time in words, and where."""
        return f"{duration(self.seconds)} {self.where}"

    @property
    def minutes(self) -> int:
        """A budget that is enough [minutes]."""
        return math.ceil(1.1 * self.seconds / 60)

    def __str__(self) -> str:
        return f"at most {self.runs} runs, {self.steps:,} steps, {self.time}"


Price = Callable[[StudyDesign], Cost]


def duration(seconds: float) -> str:
    """A time in words."""
    for least, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * least:
            return f"about {seconds / least:.0f} {unit}"
    return f"about {max(1, round(seconds))} s"


@contextmanager
def using(threads: int) -> Iterator[None]:
    """So many threads of torch within, and as many as before afterwards; 0 to change nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_are_set() -> bool:
    """Whether somebody chose the number of threads: by the environment, or as none that torch takes by itself."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    by_itself = {cores, max(1, cores // 2), os.cpu_count(), max(1, (os.cpu_count() or 1) // 2)}
    return any(os.environ.get(name) for name in THREADS_SET) or torch.get_num_threads() not in by_itself


def best_pace(factory: Factory, inputs: Tensor, labels: Tensor, design: StudyDesign, device: str) -> Pace:
    """The pace with as many threads as are set, or with one where nobody set them and one is not slower.

    Several threads of a small module mostly wait for each other, and on a busy machine for other processes as well.
    """
    threads = torch.get_num_threads()
    timed = (factory, inputs, labels, design, device)
    if device != "cpu" or (threads > 1 and threads_are_set()):
        return pace_of(*timed)
    with using(1):
        alone = replace(pace_of(*timed, clock=time.process_time), threads=1, idle=True)
    if threads == 1:
        return alone
    together, largest = pace_of(*timed), largest_of(len(labels))
    faster = together.seconds(design, largest, design.horizon) < alone.seconds(design, largest, design.horizon)
    return together if faster else alone


def pace_of(
    factory: Factory,
    inputs: Tensor,
    labels: Tensor,
    design: StudyDesign,
    device: str,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Pace:
    """How long steps and evaluations take, from a few of them at two sizes, by a clock [s]."""

    def timed(work: Callable[[], object]) -> float:
        for _ in range(WARM_UP_STEPS):
            work()
        _wait(device)
        taken: list[float] = []
        while sum(taken) < TIMED_SECONDS:
            began = clock()
            work()
            _wait(device)
            taken.append(clock() - began)
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


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def cost_of(design: StudyDesign, n_examples: int, pace: Pace, *, probes: Sequence[int] | None = None) -> Cost:
    """What a design takes; sizes that are yet to be chosen count as if the transition lay amid those of the probes.

    Args:
        design: Which runs to make.
        n_examples: n.
        pace: What steps take.
        probes: Sizes of the short runs; None for those that the design needs.
    """
    place = where_to_look(design.probe_sizes(n_examples))
    filled = design.for_examples(n_examples)
    horizon, made = design.horizon, [size for _, _, size in filled.predicting()]
    across = [size for size in design.sizes for _ in range(design.seeds)]
    searched = 1.0 if across else SEARCHED
    across = across or [max(1, round(place))] * design.max_runs
    if probes is None:
        probes = design.probe_sizes(n_examples) if design.needs_probes else ()
    short = math.ceil(PROBE_FRACTION * horizon)
    seconds = sum(pace.seconds(design, size, horizon) for size in made)
    seconds += searched * EARLY * sum(pace.seconds(design, size, horizon) for size in across)
    seconds += sum(pace.seconds(design, size, short) for size in probes)
    n_full = len(made) + len(across)
    return Cost(
        runs=n_full + len(probes), steps=n_full * horizon + len(probes) * short, seconds=seconds, where=pace.where
    )


def priced(change: Setting, cost: Cost, design: StudyDesign) -> Advice:
    """A change with the time that the study then takes, and the budget that it needs where it is above this one."""
    if cost.seconds <= 60 * design.budget_minutes:
        return Advice(change, f" ({cost.time})")
    return Advice(change, " with ", Setting("budget_minutes", cost.minutes), f" ({cost.time})")


def check_budget(cost: Cost, design: StudyDesign, price: Price, alone: Callable[[], Cost] | None = None) -> None:
    """Refuse a study that takes longer than it may, and name changes of which each was found to fit.

    Args:
        cost: What it takes.
        design: Which study.
        price: What another design would cost.
        alone: Times the cost with one thread; asked only where the study is refused.

    Raises:
        ValueError: It does; the message says what to change.
    """
    allowed = 60 * design.budget_minutes
    if cost.seconds <= allowed:
        return
    fits = math.floor(design.horizon * allowed / cost.seconds)
    changes = [Advice(Setting("budget_minutes", cost.minutes))]
    if alone is not None and (one := alone()).seconds < cost.seconds / MUCH_FASTER:
        changes.insert(0, Advice(f"the environment: OMP_NUM_THREADS=1 makes it {one.time}"))
    if (fits and fits >= 10 * design.time_constant) or not design.weight_decay:
        changes.append(Advice(Setting("steps", fits)))
    else:
        faster = Advice("larger ", Setting("learning_rate"), " or ", Setting("weight_decay"))
        least = f"that is below 10/(ηλ) = {math.ceil(10 * design.time_constant):,}"
        why = Advice(" (", Setting("steps", fits), f" would fit, but {least})")
        changes.append(Advice(faster, why if fits else ", or fewer examples"))
    fewer = replace(design, seeds=1, max_runs=min(6, design.max_runs))
    others = [(Advice(Setting("seeds", 1), " and ", Setting("max_runs", fewer.max_runs)), fewer)]
    if design.predict and not design.why_unpredicted:
        others.append((Advice(Setting("predict", value=False), " to measure alone"), replace(design, predict=False)))
    for change, other in others:
        if (then := price(other)).seconds <= allowed:
            changes.append(Advice(change, f" ({then.time})"))
    raise FieldError(
        "budget_minutes",
        f"be at least {math.ceil(cost.seconds / 60)} for {cost}",
        f"{design.budget_minutes:g}",
        why=Advice("change ", joined("; or ", changes)),
    )


class Watch:
    """Says on standard error what a study costs and how far it is: a bar for people, lines for files.

    Args:
        cost: What the study takes, as far as it is known.
        stack: Ends the bar.
    """

    def __init__(self, cost: Cost, stack: ExitStack) -> None:
        self.cost, self.done, self.began = cost, 0, time.monotonic()
        self.paid, self.found = 0.0, 0.0  # expected seconds of the runs that were made, and of those that were there
        self.said = self.began
        self.bar: Progress | None = None
        self.console = Console(file=sys.stderr, quiet=is_silent())
        self.brief = cost.seconds < PATIENCE_SECONDS
        if self.brief:
            return
        display_begins()
        self.console.print(f"study: {cost}", highlight=False, soft_wrap=True)
        if self.console.is_interactive:
            self.bar = stack.enter_context(Progress(console=self.console, transient=True))
            self.bar.add_task("study", total=cost.runs)

    def say(self, text: str) -> None:
        """Something that people should know at once."""
        display_begins()
        self.console.print(f"study: {told(text)}", highlight=False, soft_wrap=True, markup=False)

    def renew(self, rest: Cost) -> None:
        """What is left was changed on the way: sizes moved, the horizon was prolonged, or nothing is predicted.

        Args:
            rest: What all runs take that are still to be made.
        """
        self.cost = replace(
            self.cost, runs=self.done + rest.runs, seconds=self.paid + self.found + rest.seconds, where=rest.where
        )
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], total=self.cost.runs)
        if not self.brief:
            self.say(f"now at most {self.cost.runs} runs, {self.left}")

    def tell(self, doing: str, seconds: float, *, found: bool = False) -> None:
        """One more run is done.

        Args:
            doing: What it is for.
            seconds: What it was expected to take [s].
            found: Whether it was there already.
        """
        self.done += 1
        if found:
            self.found += seconds
        else:
            self.paid += seconds
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.done, description=f"{doing}, {self.left}")
        elif not self.brief and time.monotonic() - self.said >= LINE_SECONDS:
            self.said = time.monotonic()
            spent = duration(self.said - self.began)
            self.console.print(
                f"study: {self.done} of at most {self.cost.runs} runs after {spent}, {self.left}, {doing}",
                highlight=False,
                soft_wrap=True,
            )

    @property
    def left(self) -> str:
        """How long the rest takes at the pace of the runs that were made here, in words."""
        rest = max(0.0, self.cost.seconds - self.paid - self.found)
        slower = (time.monotonic() - self.began) / self.paid if self.paid else 1.0
        return f"{duration(rest * slower)} left"
