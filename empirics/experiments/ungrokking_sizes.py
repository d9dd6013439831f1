"""Experiment: critical sizes from below and from above, beside what the theory says of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dcrit.empirics.experiments.experiment import (
    PUBLISHED_TRANSFORMER,
    Experiment,
)
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import (
    BOTH_FAMILIES,
    Transition,
    TransitionsDesign,
    log_size_draws,
    measure_series,
    transition_stages,
    transitions_stages,
)
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.ungrokking import FIRST_LOOK, UngrokkingDesign, ungrokking_outcome
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import Run
from dcrit.empirics.training.work import Stage, in_turn
from dcrit.theory.checks import check_positive
from dcrit.theory.estimates import Estimate
from dcrit.theory.predictions.critical_size import CriticalSizePrediction
from dcrit.theory.predictions.simulation import Hysteresis, ungrokking_and_scratch
from dcrit.theory.problems.problem import Problem

#: Sizes at which the theory's networks are simulated, as fractions of all pairs.
SIMULATED = tuple(np.geomspace(0.03, 0.98, 30).tolist())


@dataclass(frozen=True, kw_only=True)
class UngrokkingSizesDesign:
    """Which networks are measured in both directions.

    Attributes:
        scratch: How the sizes from scratch are measured; those from above as well as these.
        budget: Most model-steps of a measurement from above, in pairs of horizons.

    Raises:
        ValueError: A field is out of range.
    """

    scratch: tuple[TransitionsDesign, ...]
    budget: float = 10.0

    def __post_init__(self) -> None:
        check_positive("budget", self.budget)
        for one in self.scratch:
            one.designs()


@dataclass(frozen=True, kw_only=True)
class UngrokkingEvidence:
    """One problem in both directions.

    Attributes:
        transition: From scratch.
        outcomes: Of networks that generalized before their training set shrank; those that did not have no accuracy.
        measured: Ungrokking size.
        prediction: What was predicted before any run; None where no calibration speaks for the problem.
        shared: Both sizes as simulated with circuits that share weights, the default; None without a prediction.
        additive: The same with circuits whose costs add.
    """

    transition: Transition
    outcomes: Sequence[Outcome]
    measured: Estimate
    prediction: CriticalSizePrediction | None
    shared: Hysteresis | None
    additive: Hysteresis | None

    @property
    def problem(self) -> Problem:
        """The problem."""
        return self.transition.problem

    def log_size_draws(self, n_draws: int, *, seed: int = 0) -> np.ndarray | None:
        """Draws of the ln of the ungrokking size from its posterior, (n_draws,); None where there is no transition."""
        return log_size_draws(self.outcomes, self.measured, n_draws, seed=seed)


def measure(design: UngrokkingSizesDesign, laboratory: Laboratory) -> list[UngrokkingEvidence]:
    """One entry a problem."""
    scratch = measure_series(design.scratch, laboratory)
    places = [(series, one) for series, found in zip(design.scratch, scratch, strict=True) for one in found]
    downward = [_downward(design, series, one) for series, one in places]
    made: list[list[Run]] = [[] for _ in places]
    rounds = 0
    while True:
        proposals = [
            [] if one is None else one.propose([ungrokking_outcome(run) for run in runs])
            for one, runs in zip(downward, made, strict=True)
        ]
        if not any(proposals):
            break
        rounds += 1
        for runs, new in zip(made, laboratory.blocks(proposals, stage=f"ungrokking, round {rounds}"), strict=True):
            runs.extend(new)
    return [
        _evidence(found, one, [ungrokking_outcome(run) for run in runs], laboratory)
        for (_, found), one, runs in zip(places, downward, made, strict=True)
    ]


def _downward(design: UngrokkingSizesDesign, series: TransitionsDesign, found: Transition) -> UngrokkingDesign | None:
    if found.measured.value is None:
        return None
    return _design_from(design, series, found.problem, FIRST_LOOK * found.measured.value)


def _design_from(
    design: UngrokkingSizesDesign, series: TransitionsDesign, problem: Problem, start: float
) -> UngrokkingDesign:
    return UngrokkingDesign(
        problem=problem,
        tolerance=series.tolerance,
        budget=design.budget,
        steps=series.steps,
        first_seed=series.first_seed,
        start=start,
    )


def _evidence(
    found: Transition, design: UngrokkingDesign | None, outcomes: Sequence[Outcome], laboratory: Laboratory
) -> UngrokkingEvidence:
    problem = found.problem
    prediction = laboratory.predict(problem)

    def simulated(*, shared: bool) -> Hysteresis | None:
        if prediction is None:
            return None
        sizes = [fraction * problem.n_pairs for fraction in SIMULATED]
        return ungrokking_and_scratch(problem, prediction.competition, sizes, shared=shared)

    if design is None:
        nothing = measure_critical_size(outcomes)
        measured = replace(nothing, quantity="ungrokking_size", reason="no transition from scratch to begin below")
    else:
        measured = design.measure(outcomes)
    return UngrokkingEvidence(
        transition=found,
        outcomes=outcomes,
        measured=measured,
        prediction=prediction,
        shared=simulated(shared=True),
        additive=simulated(shared=False),
    )


def stages(design: UngrokkingSizesDesign) -> list[Stage]:
    """What the design trains at most, every run from above on nearly all pairs."""
    downward = [
        _design_from(design, series, problem, FIRST_LOOK * problem.n_pairs)
        for series in design.scratch
        for problem in series.problems
    ]
    return [*in_turn(map(transitions_stages, design.scratch)), *in_turn(map(transition_stages, downward))]


EXPERIMENT: Experiment[UngrokkingSizesDesign, list[UngrokkingEvidence]] = Experiment(
    name="ungrokking-sizes",
    designs={
        "standard": UngrokkingSizesDesign(scratch=BOTH_FAMILIES),
        "paper": UngrokkingSizesDesign(scratch=(TransitionsDesign(problems=(PUBLISHED_TRANSFORMER,)),)),
    },
    measure=measure,
    stages=stages,
)
