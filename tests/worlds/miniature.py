"""The quick suite in miniature: the same experiments and claims, with runs of a hundred steps."""

from dataclasses import replace
from typing import Any

import pytest

from dcrit.empirics.claims import suites
from dcrit.empirics.claims.claim import CLAIMS
from dcrit.empirics.claims.suites import Suite
from dcrit.empirics.experiments.capacities import EXPERIMENT as CAPACITIES
from dcrit.empirics.experiments.capacities import CapacitiesDesign
from dcrit.empirics.experiments.competition import EXPERIMENT as COMPETITION
from dcrit.empirics.experiments.competition import CompetitionDesign
from dcrit.empirics.experiments.dynamics_points import EXPERIMENT as DYNAMICS
from dcrit.empirics.experiments.dynamics_points import DynamicsDesign
from dcrit.empirics.experiments.experiment import Experiment
from dcrit.theory.problems.problem import Problem


def stand_in(patch: pytest.MonkeyPatch, **made: Suite) -> None:
    """Have some suites, named by keyword, be others than those of the package."""
    whole = suites.suite_of
    patch.setattr(suites, "suite_of", lambda name: made.get(name) or whole(name))


def miniature_experiments(problem: Problem, *, seeds: int, budget: float) -> dict[str, Experiment[Any, Any]]:
    """Experiments by name, whose quick designs are of one problem."""
    designs: list[tuple[Experiment[Any, Any], Any]] = [
        (COMPETITION, CompetitionDesign(problems=(problem,), seeds=seeds, tolerance=0.2, budget=budget)),
        (CAPACITIES, CapacitiesDesign(problems=(problem,), widths=(1, 2, 3), seeds=seeds)),
        (DYNAMICS, DynamicsDesign(problems=(problem,), seeds=seeds)),
    ]
    return {experiment.name: replace(experiment, designs={"quick": design}) for experiment, design in designs}


def miniature_suite(problem: Problem, *, seeds: int, budget: float = 6.0) -> Suite:
    """The claims on those experiments, under the name of the quick suite."""
    experiments = miniature_experiments(problem, seeds=seeds, budget=budget)
    claims = [one for one in CLAIMS.values() if one.experiment.name in experiments]
    return Suite(
        name="quick", claims=tuple(replace(one, experiment=experiments[one.experiment.name]) for one in claims)
    )
