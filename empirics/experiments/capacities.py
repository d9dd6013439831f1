"""Experiment: how many random labels models of several sizes memorize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dcrit.empirics.calibrate import CAPACITY_WIDTHS, CapacityLine
from dcrit.empirics.capacity import CapacityDesign
from dcrit.empirics.experiments.experiment import Experiment, Laboratory
from dcrit.empirics.experiments.work import flops_of
from dcrit.theory.problem import Activation, Problem, check_integer


@dataclass(frozen=True, kw_only=True)
class CapacitiesDesign:
    """Which models are overloaded.

    Attributes:
        families: Problems whose width is replaced, one an activation.
        widths: Small enough that random labels on all pairs overload them.
        seeds: Runs per width.

    Raises:
        ValueError: A field is out of range.
    """

    families: tuple[Problem, ...]
    widths: tuple[int, ...] = CAPACITY_WIDTHS
    seeds: int = 3

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 1)

    def designs(self) -> dict[Activation, list[CapacityDesign]]:
        """One list an activation, one design a width."""
        return {
            family.activation: [
                CapacityDesign(problem=replace(family, width=width), seeds=self.seeds) for width in self.widths
            ]
            for family in self.families
        }


Capacities = Mapping[Activation, CapacityLine | str]


def measure(design: CapacitiesDesign, laboratory: Laboratory) -> Capacities:
    """Capacity over model size by activation, or why there is no line."""
    designs = design.designs()
    blocks = [one.configs() for group in designs.values() for one in group]
    found = iter(laboratory.outcomes(blocks, stage="capacities"))
    return {
        activation: CapacityLine.fit([(one.problem, next(found)) for one in group])
        for activation, group in designs.items()
    }


def flops(design: CapacitiesDesign) -> float:
    """Most that the design trains [FLOPs]."""
    return flops_of(config for group in design.designs().values() for one in group for config in one.configs())


EXPERIMENT: Experiment[CapacitiesDesign, Capacities] = Experiment(
    name="capacities",
    designs={
        "quick": CapacitiesDesign(
            families=tuple(Problem(task="add", modulus=31, activation=kind) for kind in ("square", "relu"))
        ),
    },
    measure=measure,
    flops=flops,
)
