"""Validation suites: which problems and claims, in what order the runs are made, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from dcrit.empirics.calibrate import CAPACITY_WIDTHS, CapacityLine
from dcrit.empirics.capacity import CapacityDesign
from dcrit.empirics.claims import CLAIMS
from dcrit.empirics.claims.claim import Claim, DynamicsEvidence, Evidence, ProblemEvidence, Verdict
from dcrit.empirics.critical_size import CriticalSizeDesign, measure_critical_size
from dcrit.empirics.efficiency import CompetitionFit, EfficiencyDesign, fit_competition
from dcrit.empirics.outcomes import Outcome, dynamics_of, norm_ratio, outcome_of
from dcrit.empirics.runs import RunConfig, Runner
from dcrit.theory.calibration import Calibration, calibration_for, constants_of
from dcrit.theory.crossing import Crossing
from dcrit.theory.estimates import Prediction
from dcrit.theory.prediction import CriticalSizePrediction, predict_critical_size, size_prediction
from dcrit.theory.problem import Activation, Problem
from dcrit.theory.regimes import DYNAMICS, Dynamics, dynamics_codes

#: Width at which progression is looked for: small enough that all pairs overload it.
OVERLOADED_WIDTH = 4

#: Where each dynamics is looked for, well inside its region, as factors of the boundary that limits it.
BELOW_ONSET, ABOVE_COMPLETION = 0.75, 1.2

#: Fraction of all pairs that a run with a test set may use.
MOST_PAIRS = 0.9


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a validation trains and judges.

    Attributes:
        name: Word on the command line.
        problems: Configurations; moduli above those of the shipped calibration.
        claims: What is judged.
        seeds: Runs per size when efficiencies and capacities are measured.
        tolerance: Relative half width to which critical sizes are measured.
        max_runs: Runs per critical size at most.
        dynamics_seeds: Runs per point of the four dynamics.
    """

    name: str
    problems: tuple[Problem, ...]
    claims: tuple[Claim, ...]
    seeds: int
    tolerance: float
    max_runs: int
    dynamics_seeds: int


QUICK = Suite(
    name="quick",
    problems=tuple(
        Problem(task="add", modulus=31, activation=activation, width=width)
        for activation in ("square", "relu")
        for width in (32, 64)
    ),
    claims=tuple(CLAIMS.values()),
    seeds=3,
    tolerance=0.05,
    max_runs=36,
    dynamics_seeds=4,
)

SUITES: dict[str, Suite] = {suite.name: suite for suite in (QUICK,)}


def select(suite: Suite, claims: Sequence[str]) -> Suite:
    """The suite with only the claims of those ids; all of them where none is named.

    Raises:
        ValueError: An id is not among the suite's claims.
    """
    known = {claim.id: claim for claim in suite.claims}
    for name in claims:
        if name not in known:
            raise ValueError(f"claim must be one of {', '.join(known)}, got '{name}'")
    return replace(suite, claims=tuple(known[name] for name in claims)) if claims else suite


def gather(suite: Suite, run: Runner, calibrations: Sequence[Calibration]) -> Evidence:
    """Make the suite's runs and turn them into evidence.

    Predictions from the calibrations are made first. Adaptive measurements of all problems advance
    together, so that every round fills the machine.

    Args:
        suite: What to run.
        run: Trains, or finds in a store.
        calibrations: Constants for the predictions made before any training.
    """
    predictions = [_a_priori(problem, calibrations) for problem in suite.problems]
    efficiencies = [EfficiencyDesign(problem=problem, seeds=suite.seeds) for problem in suite.problems]
    overloaded: dict[Activation, list[CapacityDesign]] = {
        problem.activation: _capacity_designs(suite, problem.activation) for problem in suite.problems
    }
    blocks = [design.memorizing() for design in efficiencies]
    blocks += [design.generalizing() for design in efficiencies]
    blocks += [design.configs() for designs in overloaded.values() for design in designs]
    results = iter(_run_blocks(run, blocks, stage="efficiencies and capacities"))
    memorizing = [next(results) for _ in efficiencies]
    generalizing = [next(results) for _ in efficiencies]
    lines: dict[Activation, CapacityLine | str] = {
        activation: CapacityLine.fit([(design.problem, next(results)) for design in designs])
        for activation, designs in overloaded.items()
    }
    transitions = measure_transitions(
        [
            CriticalSizeDesign(problem=problem, tolerance=suite.tolerance, max_runs=suite.max_runs)
            for problem in suite.problems
        ],
        run,
    )
    fits = [
        fit_competition(problem, memory, general)
        for problem, memory, general in zip(suite.problems, memorizing, generalizing, strict=True)
    ]
    entries = [
        ProblemEvidence(
            problem=problem,
            memorizing=memory,
            generalizing=general,
            fit=fit,
            transition=transition,
            critical_size=measure_critical_size(transition),
            implied=implied_critical_size(fit),
            a_priori=None if prediction is None else prediction.critical_size,
        )
        for problem, memory, general, fit, transition, prediction in zip(
            suite.problems, memorizing, generalizing, fits, transitions, predictions, strict=True
        )
    ]
    return Evidence(problems=entries, capacities=lines, dynamics=_dynamics(suite, predictions, run))


def judge(suite: Suite, evidence: Evidence) -> list[tuple[Claim, Verdict]]:
    """Every claim of the suite with its verdict."""
    return [(claim, claim.judge(evidence)) for claim in suite.claims]


class TransitionDesign(Protocol):
    """Which runs measure one transition, decided round by round from those made."""

    def propose(self, outcomes: Sequence[Outcome], /) -> list[RunConfig]:
        """Runs to make next; none at the end."""
        ...


def measure_transitions(designs: Sequence[TransitionDesign], run: Runner) -> list[list[Outcome]]:
    """Outcomes of the adaptive runs of every design, all designs advancing round by round together."""
    found: list[list[Outcome]] = [[] for _ in designs]
    rounds = 0
    while True:
        proposals = [design.propose(outcomes) for design, outcomes in zip(designs, found, strict=True)]
        if not any(proposals):
            return found
        rounds += 1
        for outcomes, new in zip(
            found, _run_blocks(run, proposals, stage=f"critical sizes, round {rounds}"), strict=True
        ):
            outcomes.extend(new)


def implied_critical_size(fit: CompetitionFit | str) -> Prediction:
    """Critical size that measured efficiencies imply; no measured critical size enters it."""
    if isinstance(fit, str):
        return Prediction(quantity="critical_size", value=None, interval=None, unit="examples", reason=fit)
    draws = np.array([constants_of(competition) for competition in fit.draws])
    return size_prediction("critical_size", fit.competition, draws)


def _a_priori(problem: Problem, calibrations: Sequence[Calibration]) -> CriticalSizePrediction | None:
    calibration = calibration_for(problem, calibrations)
    return None if calibration is None else predict_critical_size(problem, calibration)


def _run_blocks(run: Runner, blocks: Sequence[Sequence[RunConfig]], *, stage: str) -> list[list[Outcome]]:
    outcomes = map(outcome_of, run([config for block in blocks for config in block], stage=stage))
    return [[next(outcomes) for _ in block] for block in blocks]


def _capacity_designs(suite: Suite, activation: Activation) -> list[CapacityDesign]:
    first = next(problem for problem in suite.problems if problem.activation == activation)
    return [CapacityDesign(problem=replace(first, width=width), seeds=suite.seeds) for width in CAPACITY_WIDTHS]


@dataclass(frozen=True, kw_only=True)
class _Point:
    problem: Problem
    n_train: int
    predicted: Dynamics


def _points(prediction: CriticalSizePrediction) -> Iterator[_Point]:
    """Sizes below, at and above the transition, and one beyond capacity, with what the two curves put there."""
    problem, memorized = prediction.problem, prediction.capacity.value
    if memorized is None:
        return
    largest = MOST_PAIRS * problem.n_pairs
    small = replace(problem, width=OVERLOADED_WIDTH)
    room = memorized * small.n_params / problem.n_params
    if 2 * room <= largest:
        yield _Point(problem=small, n_train=round(2 * room), predicted="progression")
    onset, half, completion = (prediction.competition.size_at_accuracy(level) for level in (0.1, 0.5, 0.9))
    if not (isinstance(onset, Crossing) and isinstance(half, Crossing)):
        return
    end = completion.n_train if isinstance(completion, Crossing) else math.inf
    for size in (BELOW_ONSET * onset.n_train, half.n_train, ABOVE_COMPLETION * end):
        if size <= largest:
            code = int(dynamics_codes(round(size), memorized, onset.n_train, end))
            yield _Point(problem=problem, n_train=round(size), predicted=DYNAMICS[code])


def _dynamics(
    suite: Suite, predictions: Sequence[CriticalSizePrediction | None], run: Runner
) -> list[DynamicsEvidence]:
    points: list[_Point] = []
    for prediction in predictions:
        if prediction is not None:
            points += [point for point in _points(prediction) if point not in points]
    blocks = [
        [RunConfig(problem=point.problem, n_train=point.n_train, seed=seed) for seed in range(suite.dynamics_seeds)]
        for point in points
    ]
    runs = iter(run([config for block in blocks for config in block], stage="the four dynamics"))
    found: list[DynamicsEvidence] = []
    for point, block in zip(points, blocks, strict=True):
        made = [next(runs) for _ in block]
        found.append(
            DynamicsEvidence(
                problem=point.problem,
                n_train=point.n_train,
                predicted=point.predicted,
                observed=tuple(dynamics_of(one) for one in made),
                norm_ratios=tuple(norm_ratio(one) for one in made),
                example=made[0].curves,
            )
        )
    return found
