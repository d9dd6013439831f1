"""Experiment: both circuits' efficiencies and the transition of several problems, beside their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import (
    Transition,
    TransitionsDesign,
    measure_transitions,
    transitions_stages,
)
from dcrit.empirics.measures.efficiency import (
    CompetitionFit,
    EfficiencyDesign,
    NoLaws,
    fit_competition,
    implied_critical_size,
)
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.training.work import Stage
from dcrit.theory.checks import check_integer
from dcrit.theory.estimates import Estimate
from dcrit.theory.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class CompetitionDesign:
    """Which problems are measured whole.

    Attributes:
        problems: At moduli above those of the shipped calibrations.
        seeds: Runs per size when efficiencies are measured.
        tolerance: Relative half width to which critical sizes are measured.
        budget: Most model-steps of a critical size, in horizons.

    Raises:
        ValueError: A field is out of range.
    """

    problems: tuple[Problem, ...]
    seeds: int = 3
    tolerance: float = 0.05
    budget: float = 12.0

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 1)
        self.transitions()

    def efficiencies(self) -> list[EfficiencyDesign]:
        """One design a problem."""
        return [EfficiencyDesign(problem=problem, seeds=self.seeds) for problem in self.problems]

    def transitions(self) -> TransitionsDesign:
        """How the critical sizes are measured."""
        return TransitionsDesign(problems=self.problems, tolerance=self.tolerance, budget=self.budget)


@dataclass(frozen=True, kw_only=True)
class ProblemEvidence:
    """What was measured on one problem.

    Attributes:
        memorizing: Outcomes on random labels.
        generalizing: Outcomes on the real task well above the transition.
        fit: The competition fitted to those two, or why there is none.
        implied: Critical size implied by ``fit``; no measured critical size enters it.
        transition: The measured critical size, and its prediction before any of these runs.
    """

    memorizing: Sequence[Outcome]
    generalizing: Sequence[Outcome]
    fit: CompetitionFit | NoLaws
    implied: Estimate
    transition: Transition

    @property
    def problem(self) -> Problem:
        """The problem."""
        return self.transition.problem


def measure(design: CompetitionDesign, laboratory: Laboratory) -> list[ProblemEvidence]:
    """One entry a problem."""
    efficiencies = design.efficiencies()
    blocks = [one.memorizing() for one in efficiencies] + [one.generalizing() for one in efficiencies]
    found = laboratory.outcomes(blocks, stage="efficiencies")
    memorizing, generalizing = found[: len(efficiencies)], found[len(efficiencies) :]
    transitions = measure_transitions(design.transitions(), laboratory)
    entries: list[ProblemEvidence] = []
    for problem, memory, general, transition in zip(
        design.problems, memorizing, generalizing, transitions, strict=True
    ):
        fit = fit_competition(problem, memory, general)
        entries.append(
            ProblemEvidence(
                memorizing=memory,
                generalizing=general,
                fit=fit,
                implied=implied_critical_size(fit),
                transition=transition,
            )
        )
    return entries


def stages(design: CompetitionDesign) -> list[Stage]:
    """What the design trains at most."""
    configs = [config for one in design.efficiencies() for config in (*one.memorizing(), *one.generalizing())]
    return [Stage(known=configs), *transitions_stages(design.transitions())]


EXPERIMENT: Experiment[CompetitionDesign, list[ProblemEvidence]] = Experiment(
    name="competition",
    designs={
        "quick": CompetitionDesign(
            problems=tuple(
                Problem(task="add", modulus=31, activation=activation, width=width)
                for activation in ("square", "relu")
                for width in (32, 64)
            )
        ),
        "standard": CompetitionDesign(
            problems=(
                *(
                    Problem(task="add", modulus=31, activation=activation, width=width)
                    for activation in ("square", "relu")
                    for width in (32, 64, 128)
                ),
                Problem(task="add", modulus=37, activation="square", width=64),
                Problem(task="square-of-sum", modulus=31, activation="square", width=64),
                Problem(task="sum-squares", modulus=31, activation="square", width=64),
                Problem(task="add", modulus=31, model="transformer", activation="relu", width=24, learning_rate=3e-3),
            )
        ),
        # The published configuration of Huang et al. and Nanda et al., at the optimizer settings of the latter.
        "paper": CompetitionDesign(
            problems=tuple(
                Problem(task="add", modulus=113, model="transformer", activation="relu", width=d, learning_rate=1e-3)
                for d in (32, 64, 128)
            )
        ),
    },
    measure=measure,
    stages=stages,
)
