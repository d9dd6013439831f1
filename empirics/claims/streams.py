"""What fresh seeds are asked: runs that differ in the seed alone, and the one number that each seed gives."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from dcrit.empirics.experiments.laboratory import AnyConfig
from dcrit.empirics.measures.capacity import OVERLOADED, memorized_count
from dcrit.empirics.measures.planes import peaks
from dcrit.empirics.measures.ungrokking import ungrokking_outcome
from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
from dcrit.empirics.runs.outcomes import (
    HALF_PERSISTENCE,
    accuracy_above_chance,
    generalized_at,
    memorized_at,
    outcome_of,
    passage,
    settled_value,
)
from dcrit.empirics.runs.single import Run, RunConfig, Start, Until
from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.circuits.regimes import FITTED, SEMI_GROKKING
from dcrit.theory.problems.problem import Problem

#: Seeds of verdicts count up from here: no run below was fresh when sizes and ranges were chosen.
FIRST_SEED = 10_000

#: Seeds in a block, and in one of slopes, whose evidence needs no more than one more at a time.
BLOCK, SLOPE_BLOCK = 4, 1

AnyRun = Run | MultitaskRun | DimensionRun


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Runs of one network on one training-set size; they differ in the seed.

    Attributes:
        problem: What is trained.
        n_train: D [examples].
        steps: Horizon [steps]; 0 for the protocol's.
        until: When runs end, as of :class:`~dcrit.empirics.runs.single.RunConfig`.
        start: From where, likewise.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    n_train: int
    steps: int = 0
    until: Until = "generalized"
    start: Start = "scratch"

    def __post_init__(self) -> None:
        self.config(0)

    def config(self, seed: int) -> RunConfig:
        """The run of a seed."""
        # What has generalized so far may still lose it where it began generalized.
        until = "horizon" if self.start == "generalized" else self.until
        return RunConfig(
            problem=self.problem, n_train=self.n_train, seed=seed, steps=self.steps, until=until, start=self.start
        )


@dataclass(frozen=True, kw_only=True)
class SeveralTasksArm:
    """Runs of one network on several tasks; they differ in the seed.

    Attributes:
        config_of_first: The run of seed 0; the first task is the one that is looked at.
        problem: That task and the network.
        n_train: D of it [examples].
    """

    problem: Problem
    n_train: int
    config_of_first: MultitaskConfig

    def config(self, seed: int) -> MultitaskConfig:
        """The run of a seed."""
        first, *others = self.config_of_first.components
        return replace(self.config_of_first, seed=seed, components=(replace(first, n_train=self.n_train), *others))


@dataclass(frozen=True, kw_only=True)
class DimensionArm:
    """Networks whose effective dimensionality is looked at; they differ in the seed.

    Attributes:
        arm: How they are trained.
    """

    arm: Arm

    @property
    def problem(self) -> Problem:
        """What is trained."""
        return self.arm.problem

    @property
    def n_train(self) -> int:
        """D [examples]."""
        return self.arm.n_train

    def config(self, seed: int) -> DimensionConfig:
        """What is asked for with a seed."""
        return DimensionConfig(run=self.arm.config(seed))


AnyArm = Arm | SeveralTasksArm | DimensionArm


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The number that a seed gives.

    Attributes:
        words: What it is, to people.
        of: From the runs of the seed, one an arm, to the number; NaN where they do not tell, which is counted.
        span: Ends of what it can be; None where it has none and is taken to be normal.
        arms: How many it takes; None for two or more.
    """

    words: str
    of: Callable[[Sequence[Any]], float]
    span: tuple[float, float] | None = (0.0, 1.0)
    arms: int | None = 1


def _accuracy(run: Run | MultitaskRun) -> float:
    """Test accuracy above chance at the horizon; NaN for a diverged run."""
    if isinstance(run, MultitaskRun):
        return accuracy_above_chance(run.settled("test_accuracy"), run.config.problem(0).n_classes)
    found = ungrokking_outcome(run) if run.config.start == "generalized" else outcome_of(run)
    return accuracy_above_chance(found.test_accuracy, run.config.n_classes)


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Least-squares slope; NaN where a value is none."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if np.isfinite(y).all() and min(y) > 0 else math.nan


def _efficiency_slope(runs: Sequence[Run], *, generalizing: bool) -> float:
    """D ln e/d ln D over the runs of a seed; NaN unless each is at rest, fits, and generalizes where it has to."""
    outcomes = [outcome_of(run) for run in runs]
    for one in outcomes:
        if not one.converged or not one.train_accuracy >= FITTED or (generalizing and one.test_accuracy < FITTED):
            return math.nan
    return _slope([one.config.n_train for one in outcomes], [one.efficiency for one in outcomes])


def _slope_beside_memorizing(runs: Sequence[Run]) -> float:
    """Slope of ln e on the task minus a third of that on random labels, which are the second half of the runs."""
    half = len(runs) // 2
    on_task = _efficiency_slope(runs[:half], generalizing=True)
    return on_task - _efficiency_slope(runs[half:], generalizing=False) / 3


def _peak_exponent(runs: Sequence[Run]) -> float:
    """Whether the test loss of a seed peaks at a number of parameters that goes as D^0.35 to D^0.65.

    The slope d ln N/d ln D of the place of the largest test loss over the widths, at every size with a peak between the
    end widths; fewer than three of those are evidence against, too.
    """
    places: dict[int, float] = {}
    for size in sorted({run.config.n_train for run in runs}):
        own = sorted((run for run in runs if run.config.n_train == size), key=lambda run: run.config.problem.n_params)
        loss = np.array([settled_value(run, "test_loss") for run in own])
        if not np.isfinite(loss).all():
            return math.nan
        log_params = np.log([run.config.problem.n_params for run in own])
        (place,) = peaks(log_params, np.log(np.maximum(loss, LEAST_LOSS))[None])
        if math.isfinite(place):
            places[size] = float(place)
    if len(places) < FEWEST_PEAKS:
        return 0.0
    exponent = np.polyfit(np.log(list(places)), list(places.values()), 1)[0]
    return float(SQUARE_ROOT[0] <= exponent <= SQUARE_ROOT[1])


def _rank_of_dimension(runs: Sequence[Run | DimensionRun]) -> float:
    """Spearman's rank correlation of N_eff with the test loss, over the networks of a seed that fit.

    The first half are runs, the second half the same networks looked at; fewer than three that fit do not tell.
    """
    half = len(runs) // 2
    pairs = [
        (looked.values.value, looked.values.test_loss)
        for run, looked in zip(runs[:half], runs[half:], strict=True)
        if isinstance(run, Run) and isinstance(looked, DimensionRun) and settled_value(run, "train_accuracy") >= FITTED
    ]
    if len(pairs) < FEWEST_PEAKS or not np.isfinite(pairs).all():
        return math.nan
    found = float(spearmanr(*np.transpose(pairs)).statistic)
    return found if math.isfinite(found) else 0.0


#: Exponents that count as a square root, and peaks, or networks that fit, without which there is none.
SQUARE_ROOT, FEWEST_PEAKS = (0.35, 0.65), 3

#: A loss of nothing has no logarithm [nats].
LEAST_LOSS = 1e-12


def _capacity_slope(runs: Sequence[Run]) -> float:
    """D ln D_mem/d ln N over the runs of a seed, by what overloaded networks memorize; NaN where one is not."""
    outcomes = [outcome_of(run) for run in runs]
    counts = [memorized_count(one) if one.train_accuracy < OVERLOADED else math.nan for one in outcomes]
    return _slope([run.config.problem.n_params for run in runs], counts)


def _progresses(runs: Sequence[Run]) -> float:
    accuracy = settled_value(runs[0], "train_accuracy")
    return float(accuracy < FITTED) if math.isfinite(accuracy) else math.nan


def _fits(runs: Sequence[Run]) -> float:
    accuracy = settled_value(runs[0], "train_accuracy")
    return float(accuracy >= FITTED) if math.isfinite(accuracy) else math.nan


def _settles(run: Run, low: float, high: float) -> float:
    """Whether the run fits and its test accuracy ends in a range, and moved by no more than 0.05 in its second half."""
    found = outcome_of(run)
    if not math.isfinite(found.test_accuracy):
        return math.nan
    steps, accuracy = run.curves.step, run.curves.test_accuracy
    # A run that ended early had generalized for good.
    half = accuracy[np.searchsorted(steps, steps[-1] / 2)] if run.ending == "horizon" else found.test_accuracy
    at_rest = abs(float(half) - found.test_accuracy) <= SETTLED
    return float(found.train_accuracy >= FITTED and low <= found.test_accuracy <= high and at_rest)


#: Most that test accuracy may move from half the horizon to the horizon where a run has settled.
SETTLED = 0.05

#: How many times later than it fits its training set a run must generalize to have grokked.
DELAY = 2.0


def _groks(runs: Sequence[Run]) -> float:
    """Whether the run fits, and test accuracy 0.9 comes for good at least twice as late."""
    (run,) = runs
    if run.ending == "diverged":
        return math.nan
    curves = run.curves
    fitted = memorized_at(run.config, curves.step, curves.train_accuracy)
    grokked = generalized_at(run.config, curves.step, curves.test_accuracy)
    return float(fitted is not None and grokked is not None and grokked >= DELAY * fitted)


def _generalizes_together(runs: Sequence[Run]) -> float:
    """Whether the run fits and generalizes without such a delay."""
    (run,) = runs
    found = outcome_of(run)
    if not math.isfinite(found.test_accuracy):
        return math.nan
    return float(found.test_accuracy >= SEMI_GROKKING[1] and found.train_accuracy >= FITTED and not _groks(runs))


def _memorizes(runs: Sequence[Run]) -> float:
    found = outcome_of(runs[0])
    if not math.isfinite(found.test_accuracy):
        return math.nan
    return float(found.train_accuracy >= FITTED and found.test_accuracy < SEMI_GROKKING[0])


def _log_time(run: Run) -> float:
    """Ln of the interpolated step at which test accuracy passes one half for good; NaN if it does not."""
    constant = run.config.problem.time_constant
    time = passage(run.curves.step, run.curves.test_accuracy, 0.5, HALF_PERSISTENCE * constant)
    return math.log(time) if time else math.nan


def _time_slope(runs: Sequence[Run], name: str) -> float:
    """Slope of ln t over the ln of a field of the optimizer, over the runs of a seed."""
    times = [math.exp(_log_time(run)) for run in runs]
    return _slope([getattr(run.config.problem, name) for run in runs], times)


def _band_advantage(runs: Sequence[Run | MultitaskRun]) -> float:
    """Accuracy of the first run minus the mean of the others."""
    first, *others = map(_accuracy, runs)
    return first - float(np.mean(others))


def _time_steepens(runs: Sequence[Run]) -> float:
    """Slope of ln t over ln D between the first two sizes minus that between the last two."""
    sizes, times = [run.config.n_train for run in runs], [math.exp(_log_time(run)) for run in runs]
    return _slope(sizes[:2], times[:2]) - _slope(sizes[2:], times[2:])


def _norm_change(run: Run, start: float, end: float) -> float:
    """Ln of the squared norm at one step over that at another; NaN beyond the run's end."""
    steps = run.curves.step
    if not end <= steps[-1]:
        return math.nan
    log_norm = np.log(run.curves.squared_norm)
    return float(np.interp(end, steps, log_norm) - np.interp(start, steps, log_norm))


def _norm_falls(runs: Sequence[Run]) -> float:
    """How much more the norm changes in a grokking run than in a memorizing control, over the same steps.

    From the step at which the grokking run fits to five time constants after it generalizes.
    """
    grokking, control = runs
    curves, constant = grokking.curves, grokking.config.problem.time_constant
    start = memorized_at(grokking.config, curves.step, curves.train_accuracy)
    end = generalized_at(grokking.config, curves.step, curves.test_accuracy)
    if start is None or end is None or "diverged" in (grokking.ending, control.ending):
        return math.nan
    last = end + 5 * constant
    return _norm_change(grokking, start, last) - _norm_change(control, start, last)


def _norm_rise(runs: Sequence[Run]) -> float:
    """Ln of the settled squared norm over that at the start."""
    (run,) = runs
    return math.log(settled_value(run, "squared_norm") / float(run.curves.squared_norm[0]))


#: Every number that verdicts rest on.
MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure(words="test accuracy", of=lambda runs: _accuracy(runs[0])),
    "advantage": Measure(
        words="test accuracy of the first minus that of the second",
        of=lambda runs: _accuracy(runs[0]) - _accuracy(runs[1]),
        span=(-1.0, 1.0),
        arms=2,
    ),
    "band-advantage": Measure(
        words="test accuracy of the first minus the mean of the others",
        of=_band_advantage,
        span=(-1.0, 1.0),
        arms=None,
    ),
    "fits": Measure(words="part of the runs that fit their training set", of=_fits),
    "progresses": Measure(words="part of the runs that do not fit their training set", of=_progresses),
    "memorizes": Measure(words="part of the runs that fit, and are right on under a tenth of the rest", of=_memorizes),
    "semi-groks": Measure(
        words="part of the runs that settle at partial test accuracy", of=lambda runs: _settles(runs[0], *SEMI_GROKKING)
    ),
    "groks": Measure(words="part of the runs that generalize, and twice as late as they fit", of=_groks),
    "generalizes": Measure(words="part of the runs that generalize without delay", of=_generalizes_together),
    "generalizing-slope": Measure(
        words="slope d ln e/d ln D of generalizing networks",
        of=lambda runs: _efficiency_slope(runs, generalizing=True),
        span=None,
        arms=None,
    ),
    "memorizing-slope": Measure(
        words="slope d ln e/d ln D on random labels",
        of=lambda runs: _efficiency_slope(runs, generalizing=False),
        span=None,
        arms=None,
    ),
    "generalizing-beside-memorizing": Measure(
        words="slope d ln e/d ln D of generalizing networks minus a third of that on random labels",
        of=_slope_beside_memorizing,
        span=None,
        arms=None,
    ),
    "peaks-as-root": Measure(
        words="part of the seeds whose test loss peaks at a size N that goes as the root of D",
        of=_peak_exponent,
        arms=None,
    ),
    "log-time": Measure(
        words="ln t, t the step at which test accuracy passes one half", of=lambda runs: _log_time(runs[0]), span=None
    ),
    "delay-over-rate": Measure(
        words="slope of ln t over ln η", of=lambda runs: _time_slope(runs, "learning_rate"), span=None, arms=None
    ),
    "delay-over-decay": Measure(
        words="slope of ln t over ln λ", of=lambda runs: _time_slope(runs, "weight_decay"), span=None, arms=None
    ),
    "delay-steepens": Measure(
        words="slope of ln t over ln D near the critical size minus that far above it",
        of=_time_steepens,
        span=None,
        arms=4,
    ),
    "rank-of-dimension": Measure(
        words="rank correlation of N_eff with test loss over the widths that fit",
        of=_rank_of_dimension,
        span=(-1.0, 1.0),
        arms=None,
    ),
    "capacity-slope": Measure(words="slope d ln D_mem/d ln N", of=_capacity_slope, span=None, arms=None),
    "norm-beside-control": Measure(
        words="change of ln Q in a grokking run minus that in a memorizing one", of=_norm_falls, span=None, arms=2
    ),
    "norm-rise": Measure(words="ln of the last over the first Q", of=_norm_rise, span=None),
}


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Fresh seeds of the same runs, and the number that each gives.

    Attributes:
        measure: Which number, one of ``MEASURES``.
        arms: What is run with each seed.
        blocks: Most blocks of seeds.

    Raises:
        ValueError: There is no such measure, or it takes another number of arms.
    """

    measure: str
    arms: tuple[AnyArm, ...]
    blocks: int

    def __post_init__(self) -> None:
        check_choice("measure", self.measure, tuple(MEASURES))
        check_integer("blocks", self.blocks, 1)
        wanted = MEASURES[self.measure].arms
        if len(self.arms) != wanted if wanted is not None else len(self.arms) < 2:
            raise FieldError("arms", f"be {wanted or 'two or more'} for {self.measure}", len(self.arms))

    @property
    def span(self) -> tuple[float, float] | None:
        """Ends of what the number can be; None where it is taken to be normal."""
        return MEASURES[self.measure].span

    @property
    def words(self) -> str:
        """What the number is."""
        return MEASURES[self.measure].words

    @staticmethod
    def plain(value: float) -> float:
        """A mean as people read it: as it is."""
        return value

    @staticmethod
    def block_of(span: tuple[float, float] | None) -> int:
        """Seeds in a block of numbers that lie between such ends, or have none."""
        return SLOPE_BLOCK if span is None else BLOCK

    @property
    def block(self) -> int:
        """Seeds in a block."""
        return self.block_of(self.span)

    @cached_property
    def first_seed(self) -> int:
        """Seeds count up from here: streams of other runs have others, so that they are independent."""
        told = " ".join([self.measure, *(arm.config(0).address for arm in self.arms)])
        return FIRST_SEED * (1 + int(hashlib.sha256(told.encode()).hexdigest()[:4], 16))

    def configs(self, unit: int) -> list[AnyConfig]:
        """Runs of a seed, one an arm.

        Args:
            unit: Which seed, counted from 0.
        """
        return [arm.config(self.first_seed + unit) for arm in self.arms]

    def value(self, runs: Sequence[AnyRun]) -> float:
        """The number of a seed from its runs; NaN where they do not tell."""
        return MEASURES[self.measure].of(runs)
