"""What an experiment is: designs by suite, the runs they ask for, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.training.work import Stage, Work, work_of
from dcrit.theory.problems.problem import Problem

SuiteName = Literal["quick", "standard", "paper"]
Design = TypeVar("Design")
Evidence = TypeVar("Evidence")


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[Design, Evidence]):
    """Runs that one or several claims and figures rest on.

    Attributes:
        name: What it measures, in a few words joined by hyphens.
        designs: What is run, by suite; a suite that is not named has no part of it.
        measure: Makes the runs of a design and turns them into evidence.
        stages: What a design trains at most, stage by stage.
    """

    name: str
    designs: Mapping[SuiteName, Design]
    measure: Callable[[Design, Laboratory], Evidence]
    stages: Callable[[Design], Sequence[Stage]]

    def work(self, suite: SuiteName, device: str = "cpu") -> Work:
        """Upper bound of what it trains in a suite.

        Args:
            suite: One that it has a part of.
            device: ``cpu`` or ``cuda``.
        """
        return work_of(self.stages(self.designs[suite]), device)


#: One layer that two cores train in seconds.
SMALL_TRANSFORMER = Problem(
    task="add", modulus=23, model="transformer", activation="relu", width=24, learning_rate=3e-3
)

#: Horizon of small transformers where many are trained: 15 time constants instead of 40 [steps].
TRANSFORMER_STEPS = 5000

#: Published: one layer, relu, width 128, learning rate 1e-3, weight decay 1. Source: nanda2023.
PUBLISHED_TRANSFORMER = Problem(
    task="add", modulus=113, model="transformer", activation="relu", width=128, learning_rate=1e-3
)
