"""A suite in miniature: claims of each kind, with runs of a hundred steps."""

from dataclasses import replace

import pytest

from dcrit.empirics.claims import suites
from dcrit.empirics.claims.claim import Claim, Condition, Part
from dcrit.empirics.claims.streams import Arm, Stream
from dcrit.empirics.claims.suites import Suite
from dcrit.empirics.experiments.capacities import EXPERIMENT, Capacities, CapacitiesDesign
from dcrit.empirics.experiments.experiment import Experiment
from dcrit.theory.problems.problem import Problem


def stand_in(patch: pytest.MonkeyPatch, **made: Suite) -> None:
    """Have some suites, named by keyword, be others than those of the package."""
    whole = suites.suite_of
    patch.setattr(suites, "suite_of", lambda name: made.get(name) or whole(name))


def claim_of(
    name: str, *conditions: Condition, statement: str = "A statement.", source: tuple[str, ...] = ("dcrit",)
) -> Claim:
    """A claim of one part."""
    part = Part(name="all of it", conditions=conditions, suites=("quick", "paper"))
    return Claim(id=name, statement=statement, source=source, criterion="A criterion.", parts=(part,))


def accuracy(problem: Problem, n_train: int, *, blocks: int = 2) -> Stream:
    """Test accuracy of fresh seeds."""
    return Stream(measure="accuracy", arms=(Arm(problem=problem, n_train=n_train),), blocks=blocks)


def miniature_suite(problem: Problem, *, blocks: int = 1) -> Suite:
    """Three claims on small networks, under the name of the quick suite."""
    labels = problem.on_random_labels()
    slope = Stream(
        measure="memorizing-slope",
        arms=tuple(Arm(problem=labels, n_train=size, until="horizon") for size in (10, 20, 30)),
        blocks=2 * blocks,
    )
    fits = Stream(measure="fits", arms=(Arm(problem=labels, n_train=20, until="horizon"),), blocks=blocks)
    few = accuracy(problem, 10, blocks=blocks)
    return Suite(
        name="quick",
        claims=(
            claim_of("few-fail", Condition(stream=few, high=0.5)),
            claim_of("labels-fit", Condition(stream=fits, low=0.5)),
            claim_of("efficiency-falls", Condition(stream=slope, high=-0.2)),
        ),
    )


def capacities_of(problem: Problem) -> Experiment[CapacitiesDesign, Capacities]:
    """The experiment on capacities, its quick design of one problem at three widths."""
    return replace(EXPERIMENT, designs={"quick": CapacitiesDesign(problems=(problem,), widths=(1, 2, 3), seeds=1)})
