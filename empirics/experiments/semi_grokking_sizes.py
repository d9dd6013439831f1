"""Experiment: settled accuracies over the sizes around the measured critical size, many at that size itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dcrit.empirics.experiments.experiment import (
    PUBLISHED_TRANSFORMER,
    Experiment,
)
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import (
    BOTH_FAMILIES,
    Transition,
    TransitionsDesign,
    measure_series,
    transitions_stages,
)
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.work import Stage, in_turn
from dcrit.theory.checks import check_integer
from dcrit.theory.predictions.critical_size import CriticalSizePrediction
from dcrit.theory.problems.problem import Problem

#: Sizes around the critical one, in ln D.
OFFSETS = (-0.5, -0.35, -0.2, -0.1, 0.0, 0.1, 0.2, 0.35, 0.5)


@dataclass(frozen=True, kw_only=True)
class SemiGrokkingDesign:
    """Which transitions are looked at in full.

    Attributes:
        transitions: How the critical sizes are measured.
        seeds: Runs at each other size.
        central_seeds: Runs at the critical size.
        first_seed: Seeds count up from here; above those of the transitions, whose runs chose the critical size.

    Raises:
        ValueError: A field is out of range.
    """

    transitions: tuple[TransitionsDesign, ...]
    seeds: int = 4
    central_seeds: int = 16
    first_seed: int = 1000

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 2)
        check_integer("central_seeds", self.central_seeds, 2)
        check_integer("first_seed", self.first_seed, 0)

    def configs(self, problem: Problem, critical_size: float, steps: int) -> list[RunConfig]:
        """Runs around a critical size; sizes that no test set is left for are those with one pair to test on."""
        found: list[RunConfig] = []
        for offset in OFFSETS:
            size = min(problem.n_pairs - 1, max(1, round(critical_size * math.exp(offset))))
            count = self.seeds if offset else self.central_seeds
            first = self.first_seed + len(found)
            found += [
                RunConfig(problem=problem, n_train=size, seed=first + k, steps=steps, until="generalized")
                for k in range(count)
            ]
        return found


@dataclass(frozen=True, kw_only=True)
class SemiGrokkingEvidence:
    """One problem.

    Attributes:
        transition: The measured critical size.
        outcomes: Settled values of the runs around it, made after it; none where there is no transition.
        prediction: What was predicted before any run; None where no calibration speaks for the problem.
    """

    transition: Transition
    outcomes: Sequence[Outcome]
    prediction: CriticalSizePrediction | None

    @property
    def problem(self) -> Problem:
        """The problem."""
        return self.transition.problem

    @property
    def central(self) -> list[Outcome]:
        """Runs at the critical size."""
        estimate = self.transition.measured.value
        return [one for one in self.outcomes if estimate is not None and one.config.n_train == round(estimate)]


def measure(design: SemiGrokkingDesign, laboratory: Laboratory) -> list[SemiGrokkingEvidence]:
    """One entry a problem."""
    found = measure_series(design.transitions, laboratory)
    places = [(series, one) for series, ones in zip(design.transitions, found, strict=True) for one in ones]
    blocks = [
        [] if one.measured.value is None else design.configs(one.problem, one.measured.value, series.steps)
        for series, one in places
    ]
    outcomes = laboratory.outcomes(blocks, stage="around critical sizes")
    return [
        SemiGrokkingEvidence(transition=one, outcomes=made, prediction=laboratory.predict(one.problem))
        for (_, one), made in zip(places, outcomes, strict=True)
    ]


def stages(design: SemiGrokkingDesign) -> list[Stage]:
    """What the design trains at most, every run around a critical size on nearly all pairs."""
    n_runs = design.central_seeds + design.seeds * (len(OFFSETS) - 1)
    around = [one.largest for series in design.transitions for one in series.designs() for _ in range(n_runs)]
    return [*in_turn(map(transitions_stages, design.transitions)), Stage(largest=around)]


EXPERIMENT: Experiment[SemiGrokkingDesign, list[SemiGrokkingEvidence]] = Experiment(
    name="semi-grokking-sizes",
    designs={
        "standard": SemiGrokkingDesign(transitions=BOTH_FAMILIES),
        "paper": SemiGrokkingDesign(
            transitions=(TransitionsDesign(problems=(replace(PUBLISHED_TRANSFORMER, width=64),)),),
            seeds=11,
        ),
    },
    measure=measure,
    stages=stages,
)
