"""Experiment: critical sizes of a task in networks that were trained on another one before, and in fresh ones."""

from __future__ import annotations

from dataclasses import dataclass

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.multitask_transitions import (
    MultitaskTransition,
    measure_multitask_transitions,
    multitask_transitions_stages,
)
from dcrit.empirics.runs.multitask import Component, MultitaskConfig, Phase
from dcrit.empirics.training.work import Stage
from dcrit.theory.checks import FieldError, check_positive
from dcrit.theory.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class SecondTasksDesign:
    """Which tasks follow which.

    Attributes:
        problems: The second task, width and optimizer; pair-MLPs.
        first: Tasks that the network is pretrained on, one at a time, over the protocol's horizon.
        fraction: Of all pairs of the first task that are trained on.
        tolerance: Relative half width of the 90 % interval to reach.
        budget: Most model-steps of a critical size, in horizons of the second task.

    Raises:
        ValueError: A field is out of range.
    """

    problems: tuple[Problem, ...]
    first: tuple[str, ...]
    fraction: float = 0.9
    tolerance: float = 0.05
    budget: float = 8.0

    def __post_init__(self) -> None:
        check_positive("fraction", self.fraction)
        if self.fraction > 1:
            raise FieldError("fraction", "be at most 1", repr(self.fraction))

    def config(self, problem: Problem, first: str, *, is_pretrained: bool) -> MultitaskConfig:
        """The second task after the first one, or in the same architecture without it."""
        before = Problem(task=first, modulus=problem.modulus)
        steps = problem.horizon
        tuning = Phase(tasks=(0,), steps=steps)
        return MultitaskConfig(
            components=(
                Component(task=problem.task, modulus=problem.modulus, n_train=1),
                Component(task=first, modulus=problem.modulus, n_train=round(self.fraction * before.n_pairs)),
            ),
            seed=0,
            phases=(Phase(tasks=(1,), steps=steps), tuning) if is_pretrained else (tuning,),
            activation=problem.activation,
            width=problem.width,
            **problem.optimizer,
        )

    def templates(self) -> list[MultitaskConfig]:
        """For every problem one fresh network, then one after each first task."""
        return [
            self.config(problem, first, is_pretrained=is_pretrained)
            for problem in self.problems
            for first, is_pretrained in ((self.first[0], False), *((one, True) for one in self.first))
        ]


@dataclass(frozen=True, kw_only=True)
class SecondTask:
    """The same task learned after another one, and alone.

    Attributes:
        problem: The second task.
        first: What the network was pretrained on.
        fresh: Critical size from scratch.
        tuned: Critical size after pretraining.
    """

    problem: Problem
    first: str
    fresh: MultitaskTransition
    tuned: MultitaskTransition


def measure(design: SecondTasksDesign, laboratory: Laboratory) -> list[SecondTask]:
    """One entry a problem and first task."""
    found = iter(
        measure_multitask_transitions(
            design.templates(),
            laboratory,
            tolerance=design.tolerance,
            budget=design.budget,
            stage="critical sizes of second tasks",
        )
    )
    entries: list[SecondTask] = []
    for problem in design.problems:
        fresh = next(found)
        entries += [SecondTask(problem=problem, first=first, fresh=fresh, tuned=next(found)) for first in design.first]
    return entries


def stages(design: SecondTasksDesign) -> list[Stage]:
    """What the design trains at most."""
    return multitask_transitions_stages(design.templates(), budget=design.budget)


EXPERIMENT: Experiment[SecondTasksDesign, list[SecondTask]] = Experiment(
    name="second-tasks",
    designs={
        "standard": SecondTasksDesign(
            problems=tuple(
                Problem(task="add", modulus=23, activation=activation, width=64) for activation in ("square", "relu")
            ),
            first=("sub", "sum-squares"),
            tolerance=0.025,
            budget=16.0,
        ),
        # Several tasks are built for pair-MLPs only; modulus and optimizer are those of the published transformers.
        "paper": SecondTasksDesign(
            problems=(
                Problem(task="add", modulus=113, activation="relu", width=256, learning_rate=1e-3, weight_decay=1.0),
            ),
            first=("sub", "sum-squares"),
        ),
    },
    measure=measure,
    stages=stages,
)
