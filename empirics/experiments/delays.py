"""Experiment: how long generalization lags behind memorization, over training-set size, step size and decay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.experiments.experiment import PUBLISHED_TRANSFORMER, Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import (
    Transition,
    TransitionsDesign,
    measure_transitions,
    transitions_stages,
)
from dcrit.empirics.runs.outcomes import generalized_at, memorized_at
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.work import Stage
from dcrit.theory.calibrations.calibration import Calibration, calibration_for
from dcrit.theory.checks import FieldError, check_integer, check_positive
from dcrit.theory.circuits.regimes import GENERALIZED
from dcrit.theory.predictions.delay import predict_delay
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Largest fraction of all pairs that is trained on: accuracy on the others must be told from its level.
LARGEST_FRACTION = 0.9

#: Shortest delay that evaluations tell from none, in time constants.
RESOLUTION = 0.1

#: Sizes of a predicted curve.
CURVE_POINTS = 40


@dataclass(frozen=True, kw_only=True)
class DelaysDesign:
    """Where delays are measured.

    Attributes:
        problems: Their learning rate and weight decay are the reference.
        factors: Sizes in measured critical sizes, above 1; those beyond ``LARGEST_FRACTION`` are left out.
        rates_at: Size at which learning rate and weight decay are varied, likewise.
        rates: Factors of the reference, of one while the other stays.
        seeds: Runs per size and rate.
        tolerance: Of the critical sizes.
        budget: Of each critical size, in horizons.

    Raises:
        ValueError: A field is out of range.
    """

    problems: tuple[Problem, ...]
    factors: tuple[float, ...] = (1.1, 1.2, 1.3, 1.4, 1.5)
    rates_at: float = 1.4
    rates: tuple[float, ...] = (0.5, 2.0)
    seeds: int = 6
    tolerance: float = 0.03
    budget: float = 12.0

    def __post_init__(self) -> None:
        for factor in (*self.factors, self.rates_at):
            if not factor > 1:
                raise FieldError("factors", "be above 1", repr(factor))
        for rate in self.rates:
            check_positive("rates", rate)
        check_integer("seeds", self.seeds, 1)

    def transitions(self) -> TransitionsDesign:
        """How the critical sizes are measured."""
        return TransitionsDesign(problems=self.problems, tolerance=self.tolerance, budget=self.budget)

    def variants(self, problem: Problem) -> list[Problem]:
        """The problem with other learning rates and with other weight decays."""
        return [replace(problem, learning_rate=rate * problem.learning_rate) for rate in self.rates] + [
            replace(problem, weight_decay=rate * problem.weight_decay) for rate in self.rates
        ]

    def cases(self, problem: Problem, critical_size: float) -> list[tuple[Problem, int]]:
        """Problems and sizes to run, the one at which rates vary first."""
        largest = LARGEST_FRACTION * problem.n_pairs
        at = round(self.rates_at * critical_size)
        cases = [] if at > largest else [(one, at) for one in (problem, *self.variants(problem))]
        sizes = [round(factor * critical_size) for factor in self.factors]
        return cases + [(problem, size) for size in sizes if size <= largest and (problem, size) not in cases]


@dataclass(frozen=True, kw_only=True)
class DelayPoint:
    """Delays of several seeds at one size.

    Attributes:
        problem: With its learning rate and weight decay.
        n_train: D [examples].
        delays: (n,) steps from memorization to generalization [steps]; a bound where ``beyond`` is not 0.
        beyond: (n,) 0 known, 1 longer (not by the horizon), −1 shorter (not told from none).
        n_lost: Runs that diverged or never memorized.
        predicted: Before any run [steps]; inf for never, None where no calibration speaks.
    """

    problem: Problem
    n_train: int
    delays: tuple[float, ...]
    beyond: tuple[int, ...]
    n_lost: int
    predicted: float | None

    @property
    def n_censored(self) -> int:
        """Runs that did not generalize by the horizon."""
        return self.beyond.count(1)

    @property
    def median(self) -> tuple[float, bool]:
        """Median delay of at least one run, and whether it is itself a bound from below.

        Bounds from below come last, whatever they are: they exceed all that is known to the horizon.
        """
        ranked = sorted(zip(self.delays, self.beyond, strict=True), key=lambda one: (one[1] == 1, one[0]))
        middle = (ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2])
        return sum(delay for delay, _ in middle) / 2, middle[1][1] == 1


@dataclass(frozen=True, kw_only=True)
class DelayEvidence:
    """Delays of one problem.

    Attributes:
        transition: Its critical size.
        points: One a size and rate; none where there is no critical size, or not room enough above it.
        rates_at: Size at which rates vary [examples]; None likewise.
        curve: (2, m) sizes and predicted delays, inf for never; empty where no calibration speaks.
    """

    transition: Transition
    points: Sequence[DelayPoint]
    rates_at: int | None
    curve: FloatArray

    @property
    def problem(self) -> Problem:
        """The problem with its reference rates."""
        return self.transition.problem

    @property
    def by_rate(self) -> list[DelayPoint]:
        """Points at the size at which rates vary."""
        return [point for point in self.points if point.n_train == self.rates_at]

    @property
    def by_size(self) -> list[DelayPoint]:
        """Points at the reference rates, by size."""
        return sorted((one for one in self.points if one.problem == self.problem), key=lambda one: one.n_train)


def measure(design: DelaysDesign, laboratory: Laboratory) -> list[DelayEvidence]:
    """One entry a problem."""
    transitions = measure_transitions(design.transitions(), laboratory)
    cases = [[] if (size := one.measured.value) is None else design.cases(one.problem, size) for one in transitions]
    flat = [case for own in cases for case in own]
    blocks = [
        [RunConfig(problem=problem, n_train=size, seed=seed, until="generalized") for seed in range(design.seeds)]
        for problem, size in flat
    ]
    runs = iter(laboratory.blocks(blocks, stage="delays"))
    found: list[DelayEvidence] = []
    for transition, own in zip(transitions, cases, strict=True):
        calibration = _speaking_for(transition.problem, laboratory)
        points = [
            _point(problem, size, next(runs), None if calibration is None else predicted(problem, calibration, size))
            for problem, size in own
        ]
        varied = [size for problem, size in own if problem != transition.problem]
        found.append(
            DelayEvidence(
                transition=transition,
                points=points,
                rates_at=varied[0] if varied else None,
                curve=_curve(transition, calibration),
            )
        )
    return found


def _speaking_for(problem: Problem, laboratory: Laboratory) -> Calibration | None:
    """The calibration that predicts delays of the problem; its start is known of exactly homogeneous logits alone."""
    return calibration_for(problem, laboratory.calibrations) if problem.family.exactly_homogeneous else None


def predicted(problem: Problem, calibration: Calibration, n_train: int) -> float:
    """Delay before any run [steps]; inf for never."""
    found = predict_delay(problem, calibration, n_train, GENERALIZED)
    memorize, generalize = found.memorize_steps.value, found.generalize_steps.value
    return math.inf if memorize is None or generalize is None else generalize - memorize


def _curve(transition: Transition, calibration: Calibration | None) -> FloatArray:
    if calibration is None or transition.measured.value is None:
        return np.empty((2, 0))
    problem = transition.problem
    sizes = np.unique(np.geomspace(transition.measured.value, LARGEST_FRACTION * problem.n_pairs, CURVE_POINTS).round())
    return np.array([sizes, [predicted(problem, calibration, int(size)) for size in sizes]])


def delay_of(run: Run) -> tuple[float, int] | None:
    """Steps from memorization to test accuracy 0.9, and 0; a bound and 1 or −1; None for a run that never memorized."""
    curves, config = run.curves, run.config
    memorized = memorized_at(config, curves.step, curves.train_accuracy)
    if memorized is None:
        return None
    generalized = generalized_at(config, curves.step, curves.test_accuracy)
    if generalized is None:
        return float(curves.step[-1]) - memorized, 1
    shortest = RESOLUTION * config.problem.time_constant
    return (shortest, -1) if generalized - memorized < shortest else (generalized - memorized, 0)


def _point(problem: Problem, n_train: int, runs: Sequence[Run], before: float | None) -> DelayPoint:
    known = [delay for delay in map(delay_of, runs) if delay is not None]
    return DelayPoint(
        problem=problem,
        n_train=n_train,
        delays=tuple(delay for delay, _ in known),
        beyond=tuple(side for _, side in known),
        n_lost=len(runs) - len(known),
        predicted=before,
    )


def stages(design: DelaysDesign) -> list[Stage]:
    """What the design trains at most, every run on the largest set."""
    configs = [
        RunConfig(problem=one, n_train=round(LARGEST_FRACTION * problem.n_pairs), seed=seed, until="generalized")
        for problem in design.problems
        for one in (*[problem] * len(design.factors), problem, *design.variants(problem))
        for seed in range(design.seeds)
    ]
    return [*transitions_stages(design.transitions()), Stage(largest=configs)]


EXPERIMENT: Experiment[DelaysDesign, list[DelayEvidence]] = Experiment(
    name="delays",
    designs={
        "standard": DelaysDesign(
            problems=tuple(
                Problem(task="add", modulus=31, activation=activation, width=64) for activation in ("square", "relu")
            )
        ),
        "paper": DelaysDesign(
            problems=(PUBLISHED_TRANSFORMER,),
            seeds=4,
        ),
    },
    measure=measure,
    stages=stages,
)
