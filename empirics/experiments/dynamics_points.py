"""Experiment: what networks do at the places where the two predicted curves put each of the four dynamics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.runs.outcomes import dynamics_of, norm_ratio
from dcrit.empirics.runs.single import Curves, RunConfig
from dcrit.empirics.training.work import Stage
from dcrit.theory.calibrations.calibration import Calibration, calibration_for
from dcrit.theory.checks import check_integer
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.regimes import DYNAMICS, Dynamics, dynamics_codes
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.predictions.simulation import Trajectory, flow_at, simulate, simulate_by_clock
from dcrit.theory.problems.problem import Problem

#: Width at which progression is looked for: small enough that all pairs overload it.
OVERLOADED_WIDTH = 4

#: Where each dynamics is looked for, well inside its region, as factors of the boundary that limits it.
BELOW_ONSET, ABOVE_COMPLETION = 0.75, 1.2

#: Fraction of all pairs that a run with a test set may use.
MOST_PAIRS = 0.9

#: Most places looked at for one problem.
PLACES = 4


@dataclass(frozen=True, kw_only=True)
class DynamicsDesign:
    """Where the four dynamics are looked for.

    Attributes:
        problems: Their predicted curves say where; one that no calibration speaks for is left out.
        seeds: Runs per place.

    Raises:
        ValueError: A field is out of range.
    """

    problems: tuple[Problem, ...]
    seeds: int = 4

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 1)


@dataclass(frozen=True, kw_only=True)
class DynamicsEvidence:
    """Runs at a point where the two curves put one of the four dynamics.

    Attributes:
        problem: The problem, its width included.
        n_train: D [examples].
        predicted: The dynamics that the curves put there.
        observed: What each run showed that did not diverge.
        norm_ratios: Settled squared norm of each of them over its largest.
        example: Curves of the first of them, for pictures.
        simulated: Curves by the theory, before any run; None beyond capacity, of which the two circuits know nothing.
        n_lost: Runs that diverged: they fit nothing, and would pass for progression.
    """

    problem: Problem
    n_train: int
    predicted: Dynamics
    observed: tuple[Dynamics, ...]
    norm_ratios: tuple[float, ...]
    example: Curves
    simulated: Trajectory | None = None
    n_lost: int = 0


@dataclass(frozen=True, kw_only=True)
class _Point:
    problem: Problem
    n_train: int
    predicted: Dynamics
    simulated: Trajectory | None = None


def _simulated(prediction: CriticalSizePrediction, calibration: Calibration, n_train: int) -> Trajectory:
    """Curves at the pace of the calibration's clock, by the amplitudes alone where it has none."""
    if calibration.thresholds is not None:
        return simulate_by_clock(prediction.problem, calibration, prediction, n_train)
    return simulate(flow_at(prediction.problem, prediction.from_scratch, n_train))


def _points(prediction: CriticalSizePrediction, calibration: Calibration) -> Iterator[_Point]:
    """Sizes below, at and above the transition, and one beyond capacity, with what the two curves put there."""
    problem, memorized = prediction.problem, prediction.capacity.value
    if memorized is None:
        return
    largest = MOST_PAIRS * problem.n_pairs
    small = replace(problem, width=OVERLOADED_WIDTH)
    room = memorized * small.n_params / problem.n_params
    if 2 * room <= largest:
        yield _Point(problem=small, n_train=round(2 * room), predicted="progression")
    onset, half, completion = (prediction.from_scratch.size_at_accuracy(level) for level in (0.1, 0.5, 0.9))
    if not (isinstance(onset, Crossing) and isinstance(half, Crossing)):
        return
    end = completion.n_train if isinstance(completion, Crossing) else math.inf
    for size in (BELOW_ONSET * onset.n_train, half.n_train, ABOVE_COMPLETION * end):
        if size <= largest:
            code = int(dynamics_codes(round(size), memorized, onset.n_train, end))
            curves = None if DYNAMICS[code] == "progression" else _simulated(prediction, calibration, round(size))
            yield _Point(problem=problem, n_train=round(size), predicted=DYNAMICS[code], simulated=curves)


def measure(design: DynamicsDesign, laboratory: Laboratory) -> list[DynamicsEvidence]:
    """One entry a place."""
    points: list[_Point] = []
    for problem in design.problems:
        calibration = calibration_for(problem, laboratory.calibrations)
        if calibration is not None:
            asked = {(point.problem, point.n_train) for point in points}
            more = _points(predict_critical_size(problem, calibration), calibration)
            points += [point for point in more if (point.problem, point.n_train) not in asked]
    blocks = [
        [RunConfig(problem=point.problem, n_train=point.n_train, seed=seed) for seed in range(design.seeds)]
        for point in points
    ]
    found = laboratory.blocks(blocks, stage="the four dynamics")
    return [
        DynamicsEvidence(
            problem=point.problem,
            n_train=point.n_train,
            predicted=point.predicted,
            observed=tuple(dynamics_of(one) for one in kept),
            norm_ratios=tuple(norm_ratio(one) for one in kept),
            example=(kept or made)[0].curves,
            simulated=point.simulated,
            n_lost=len(made) - len(kept),
        )
        for point, made in zip(points, found, strict=True)
        for kept in ([one for one in made if one.ending != "diverged"],)
    ]


def stages(design: DynamicsDesign) -> list[Stage]:
    """What the design trains at most, every run on as many pairs as it may use, at the problem's own width."""
    configs = [
        RunConfig(problem=problem, n_train=round(MOST_PAIRS * problem.n_pairs), seed=seed)
        for problem in design.problems
        for seed in range(design.seeds)
        for _ in range(PLACES)
    ]
    return [Stage(largest=configs)]


EXPERIMENT: Experiment[DynamicsDesign, list[DynamicsEvidence]] = Experiment(
    name="four-dynamics",
    designs={
        "quick": DynamicsDesign(
            problems=tuple(
                Problem(task="add", modulus=31, activation=activation, width=width)
                for activation in ("square", "relu")
                for width in (32, 64)
            ),
            # The fewest that decide a place beside four other claims, were all alike.
            seeds=7,
        ),
        "standard": DynamicsDesign(
            problems=(
                *(Problem(task="add", modulus=31, activation=kind, width=64) for kind in ("square", "relu")),
                Problem(task="add", modulus=31, model="transformer", activation="relu", width=24, learning_rate=3e-3),
            ),
            seeds=10,
        ),
        "paper": DynamicsDesign(
            problems=tuple(
                Problem(task="add", modulus=113, model="transformer", activation="relu", width=d, learning_rate=1e-3)
                for d in (32, 64)
            ),
            seeds=11,
        ),
    },
    measure=measure,
    stages=stages,
)
