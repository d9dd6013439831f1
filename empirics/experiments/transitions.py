"""Measured critical sizes of several problems beside their predictions, all measured together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.clock_method import MOST_RUNS, ClockDesign, TimedRun, timed_runs
from dcrit.empirics.measures.critical_size import posterior_of_outcomes
from dcrit.empirics.measures.sequential import ROUND_RUNS, SequentialDesign
from dcrit.empirics.measures.ungrokking import FIRST_LOOK, UngrokkingDesign, ungrokking_runs
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import Run, RunConfig, Start, check_trainable
from dcrit.empirics.training.work import Stage, Trained, in_turn
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.estimates import Estimate
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]


class TransitionDesign(Protocol):
    """Which runs measure one transition, decided round by round from those made."""

    def propose(self, outcomes: Sequence[Outcome], /) -> list[RunConfig]:
        """Runs to make next; none at the end."""
        ...


@dataclass(frozen=True, kw_only=True)
class TransitionsDesign:
    """Which critical sizes are measured, and how well.

    Attributes:
        problems: What to measure.
        tolerance: Relative half width of the 90 % interval at which a measurement ends.
        budget: Most model-steps of one measurement, in horizons.
        steps: Horizon [steps]; 0 stands for the protocol's.
        first_seed: Seeds count up from here.

    Raises:
        ValueError: A field is out of range.
    """

    problems: tuple[Problem, ...]
    tolerance: float = 0.05
    budget: float = 12.0
    steps: int = 0
    first_seed: int = 0

    def __post_init__(self) -> None:
        self.designs()

    def designs(self) -> list[SequentialDesign]:
        """One design a problem."""
        return [
            SequentialDesign(
                problem=problem,
                tolerance=self.tolerance,
                budget=self.budget,
                steps=self.steps,
                first_seed=self.first_seed,
            )
            for problem in self.problems
        ]


@dataclass(frozen=True, kw_only=True)
class Transition:
    """A measured critical size beside what was predicted before.

    Attributes:
        problem: What was measured.
        predicted: By the calibration that speaks for the problem; None where none does.
        outcomes: Of the full runs, without the probes that only say where to look.
        measured: Critical size from them.
    """

    problem: Problem
    predicted: Estimate | None
    outcomes: Sequence[Outcome]
    measured: Estimate

    def log_size_draws(self, n_draws: int, *, seed: int = 0) -> FloatArray | None:
        """Draws of ln D_crit from its posterior, (n_draws,); None where there is no transition."""
        return log_size_draws(self.outcomes, self.measured, n_draws, seed=seed)


def log_size_draws(
    outcomes: Sequence[Outcome], measured: Estimate, n_draws: int, *, seed: int = 0
) -> FloatArray | None:
    """Draws of the ln of a size from its posterior, (n_draws,); None where there is none.

    Args:
        outcomes: Full runs.
        measured: The size from them.
        n_draws: How many.
        seed: Of their order.
    """
    if measured.value is None:
        return None
    return np.log(posterior_of_outcomes(outcomes).draws(n_draws, seed=seed))


def measure_transitions(design: TransitionsDesign, laboratory: Laboratory) -> list[Transition]:
    """One transition a problem; predictions are made first."""
    (found,) = measure_series([design], laboratory)
    return found


def measure_series(series: Sequence[TransitionsDesign], laboratory: Laboratory) -> list[list[Transition]]:
    """The transitions of several designs, in the same rounds."""
    designs = [design.designs() for design in series]
    predictions = [[laboratory.predict(one.problem) for one in each] for each in designs]
    found = iter(advance_together([one for each in designs for one in each], laboratory.runs))
    return [
        [_transition(one, prediction, next(found)) for one, prediction in zip(each, told, strict=True)]
        for each, told in zip(designs, predictions, strict=True)
    ]


def _transition(
    design: SequentialDesign, prediction: CriticalSizePrediction | None, outcomes: Sequence[Outcome]
) -> Transition:
    return Transition(
        problem=design.problem,
        predicted=None if prediction is None else prediction.critical_size,
        outcomes=design.full_runs(outcomes),
        measured=design.measure(outcomes),
    )


def advance_together(designs: Sequence[TransitionDesign], run: Runner[RunConfig, Run]) -> list[list[Outcome]]:
    """Outcomes of the adaptive runs of every design, round by round, so that every round fills the machine."""
    found: list[list[Outcome]] = [[] for _ in designs]
    rounds = 0
    while True:
        proposals = [design.propose(outcomes) for design, outcomes in zip(designs, found, strict=True)]
        if not any(proposals):
            return found
        rounds += 1
        runs = iter(run([one for new in proposals for one in new], stage=f"critical sizes, round {rounds}"))
        for outcomes, new in zip(found, proposals, strict=True):
            outcomes.extend(outcome_of(next(runs)) for _ in new)


#: From where a critical size is measured; ``both`` is each, and how far they lie apart.
Starts = Literal["scratch", "generalized", "both"]

#: Horizons of steps that a size from above may take, those before the data shrank included: four runs.
MOST_FROM_ABOVE = 8

#: How: full runs on both sides of the transition, or short ones above it that the clock carries on.
Method = Literal["posterior", "clock"]


class Counted:
    """A runner that counts the steps taken, those before data shrank included."""

    def __init__(self, run: Runner[RunConfig, Run]) -> None:
        self._run, self.steps = run, 0

    def __call__(self, configs: Sequence[RunConfig], /, *, stage: str) -> Sequence[Run]:
        """The runs of those configurations."""
        found = self._run(configs, stage=stage)
        before = sum(one.total_steps - one.horizon for one in configs)
        self.steps += before + sum(int(one.curves.step[-1]) for one in found)
        return found


@dataclass(frozen=True, kw_only=True)
class Direction:
    """A critical size measured from one start.

    Attributes:
        measured: The size.
        outcomes: Of the full runs that it rests on, without the probes that only say where to look.
        timed: The short runs of the clock's method, which has no full ones.
        method: How it was measured.
        steps: Steps taken, all runs together, those before data shrank included [steps].
    """

    measured: Estimate
    outcomes: Sequence[Outcome] = ()
    timed: Sequence[TimedRun] = ()
    method: Method = "posterior"
    steps: int = 0


@dataclass(frozen=True, kw_only=True)
class DirectionsDesign:
    """Which runs measure one critical size: from scratch, from above (ungrokking), or each.

    Attributes:
        problem: What to measure.
        start: From where.
        method: How; ``clock`` goes with ``scratch`` alone.
        tolerance: Relative half width of the interval to reach.
        max_runs: Runs at most, and horizons that their steps make up at most, for each start; from above the steps of
            all runs, those before the data shrank included, are never more than ``MOST_FROM_ABOVE`` horizons.
        steps: Horizon [steps]; 0 for the protocol's.
        first_seed: Seeds count up from here.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    start: Starts = "scratch"
    method: Method = "posterior"
    tolerance: float = 0.05
    max_runs: int = 60
    steps: int = 0
    first_seed: int = 0

    def __post_init__(self) -> None:
        check_choice("start", self.start, get_args(Starts))
        check_choice("method", self.method, get_args(Method))
        if self.method == "clock" and self.start != "scratch":
            raise FieldError("method", f"be posterior where start is {self.start}", "clock")
        check_integer("max_runs", self.max_runs, 1)
        check_trainable(self.problem)
        self._design(UngrokkingDesign)

    def _design(self, kind: type[SequentialDesign]) -> SequentialDesign:
        return kind(
            problem=self.problem,
            tolerance=self.tolerance,
            budget=float(self.max_runs),
            max_runs=self.max_runs,
            steps=self.steps,
            first_seed=self.first_seed,
        )

    def stages(self) -> list[Stage]:
        """What it trains at most, if it goes on to the end of its budget."""
        if self.method == "clock":
            return rounds(self._design(SequentialDesign).largest, MOST_RUNS)
        scratch = [] if self.start == "generalized" else transition_stages(self._design(SequentialDesign))
        return scratch if self.start == "scratch" else [*scratch, *transition_stages(self._from_above())]

    def _from_above(self) -> SequentialDesign:
        most = self._design(UngrokkingDesign)
        # A horizon of that budget is one before the data shrank and one after.
        return replace(most, budget=min(most.budget, MOST_FROM_ABOVE / 2))

    def measure(self, run: Runner[RunConfig, Run]) -> dict[Start, Direction]:
        """The sizes by their start, from scratch first.

        Args:
            run: Trains runs, or finds them.
        """
        if self.method == "clock":
            return {"scratch": self._by_clock(run)}
        found: dict[Start, Direction] = {}
        size = None
        if self.start != "generalized":
            design = self._design(SequentialDesign)
            outcomes = advance_together([design], counted := Counted(run))[0]
            found["scratch"] = _direction(design, outcomes, counted.steps)
            size = found["scratch"].measured.value
        if self.start != "scratch":
            design = replace(self._from_above(), start=self._look_from_above(size))
            outcomes = ungrokking_runs(design, counted := Counted(run))
            found["generalized"] = _direction(design, outcomes, counted.steps)
        return found

    def _look_from_above(self, scratch: float | None) -> float | None:
        """Size to look at first from above: by the law, by the size from scratch, or by the mixture; it is no evidence.

        Args:
            scratch: The size from scratch, where it was measured.
        """
        calibration = calibration_for(self.problem, shipped_calibrations())
        law = None if calibration is None else calibration.thresholds
        if law is not None:
            return law.clocks(self.problem).half.rest
        if scratch is not None:
            return FIRST_LOOK * scratch
        return None if calibration is None else predict_critical_size(self.problem, calibration).at_rest.value

    def _by_clock(self, run: Runner[RunConfig, Run]) -> Direction:
        calibration = calibration_for(self.problem, shipped_calibrations())
        design = ClockDesign(
            problem=self.problem,
            law=None if calibration is None else calibration.thresholds,
            tolerance=self.tolerance,
            max_runs=min(self.max_runs, MOST_RUNS),
            steps=self.steps,
            first_seed=self.first_seed,
        )
        runs = timed_runs(design, counted := Counted(run))
        return Direction(measured=design.measure(runs), timed=runs, method="clock", steps=counted.steps)


def _direction(design: SequentialDesign, outcomes: Sequence[Outcome], steps: int) -> Direction:
    return Direction(measured=design.measure(outcomes), outcomes=design.full_runs(outcomes), steps=steps)


def transition_stages(design: SequentialDesign) -> list[Stage]:
    """Runs of a measurement that goes on to the end of its budget, every full run in place on nearly all pairs."""
    probes = design.propose([])
    if any(probe.horizon == design.horizon for probe in probes):
        return rounds(design.largest, math.floor(design.budget + 1e-9))
    spent = sum(probe.horizon for probe in probes) / design.horizon
    return [Stage(known=probes), *rounds(design.largest, math.floor(design.budget - spent + 1e-9))]


def rounds(largest: Trained, n_runs: int) -> list[Stage]:
    """Rounds of runs whose sizes are chosen one after the other.

    Args:
        largest: None of the runs takes longer.
        n_runs: In all rounds.
    """
    return [Stage(largest=[largest] * min(ROUND_RUNS, n_runs - made)) for made in range(0, max(0, n_runs), ROUND_RUNS)]


def transitions_stages(design: TransitionsDesign) -> list[Stage]:
    """What the design trains at most, its problems in the same rounds."""
    return in_turn(map(transition_stages, design.designs()))


@dataclass(frozen=True, kw_only=True)
class SeriesDesign:
    """Which series are measured.

    Attributes:
        series: One design a series, its problems in order.

    Raises:
        ValueError: A series has fewer than two problems, or a field of its runs is out of range.
    """

    series: tuple[TransitionsDesign, ...]

    def __post_init__(self) -> None:
        for one in self.series:
            if len(one.problems) < 2:
                raise FieldError("problems", "be at least 2 in each series", len(one.problems))
            one.designs()


#: Transitions of each series, in the order of its problems.
SeriesEvidence = Sequence[Sequence[Transition]]


def measure(design: SeriesDesign, laboratory: Laboratory) -> SeriesEvidence:
    """One list of transitions a series."""
    return measure_series(design.series, laboratory)


def stages(design: SeriesDesign) -> list[Stage]:
    """What the design trains at most, all series in the same rounds."""
    return in_turn(map(transitions_stages, design.series))
