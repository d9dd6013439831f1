"""Experiment: how many random labels models of several sizes memorize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.capacity import CapacityDesign, CapacityLine
from dcrit.empirics.training.work import Stage
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class CapacitiesDesign:
    """Which models are overloaded.

    Attributes:
        problems: One a family; its width is replaced.
        seeds: Runs per width.
        widths: At which every family is overloaded; None for those of its calibration.

    Raises:
        ValueError: A field is out of range.
    """

    problems: tuple[Problem, ...]
    seeds: int = 3
    widths: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 1)
        if self.widths is not None and not self.widths:
            raise FieldError("widths", "hold at least one width", "()")
        for width in self.widths or ():
            check_integer("widths", width, 1)

    def designs(self) -> dict[str, list[CapacityDesign]]:
        """One list a family, one design a width."""
        return {
            problem.variant: [
                CapacityDesign(problem=replace(problem, width=width), seeds=self.seeds)
                for width in (problem.family.capacity_widths if self.widths is None else self.widths)
            ]
            for problem in self.problems
        }


Capacities = Mapping[str, CapacityLine | str]


def measure(design: CapacitiesDesign, laboratory: Laboratory) -> Capacities:
    """Capacity over model size by family, or why there is no line."""
    designs = design.designs()
    blocks = [one.configs() for group in designs.values() for one in group]
    found = iter(laboratory.outcomes(blocks, stage="capacities"))
    return {name: CapacityLine.fit([(one.problem, next(found)) for one in group]) for name, group in designs.items()}


def stages(design: CapacitiesDesign) -> list[Stage]:
    """What the design trains."""
    return [Stage(known=[config for group in design.designs().values() for one in group for config in one.configs()])]


#: The small transformer, at the modulus and learning rate at which its calibration measures capacity.
TRANSFORMER = Problem(task="add", modulus=29, model="transformer", activation="relu", width=8, learning_rate=3e-3)

EXPERIMENT: Experiment[CapacitiesDesign, Capacities] = Experiment(
    name="capacities",
    designs={
        "quick": CapacitiesDesign(
            problems=tuple(Problem(task="add", modulus=31, activation=kind) for kind in ("square", "relu"))
        ),
        "standard": CapacitiesDesign(
            problems=(
                *(Problem(task="add", modulus=31, activation=kind) for kind in ("square", "relu")),
                TRANSFORMER,
            )
        ),
        "paper": CapacitiesDesign(
            problems=(Problem(task="add", modulus=113, model="transformer", activation="relu", learning_rate=1e-3),)
        ),
    },
    measure=measure,
    stages=stages,
)
