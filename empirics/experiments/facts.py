"""Experiment: critical sizes of a task beside facts to memorize, in networks that share more or less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.multitask_transitions import (
    MultitaskTransition,
    measure_multitask_transitions,
    multitask_transitions_stages,
)
from dcrit.empirics.runs.multitask import Blocks, Embedding, MultitaskConfig, beside_facts
from dcrit.empirics.training.work import Stage
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.facts import additive_critical_size, emergent_critical_size
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.predictions.critical_size import CriticalSizePrediction
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FactsSeries:
    """Critical sizes beside several numbers of facts, all else equal.

    Attributes:
        problem: The task; its width is that of all blocks of a pair-MLP together.
        n_facts: D_r [examples].
        blocks: As of :class:`~dcrit.empirics.runs.multitask.MultitaskConfig`.
        embedding: Likewise.
        is_pretrained: Trained on the task alone first, as long as on both then.

    Raises:
        ValueError: A field is out of range, or a block for each task would have half a unit.
    """

    problem: Problem
    n_facts: tuple[int, ...]
    blocks: Blocks = "shared"
    embedding: Embedding = "merged"
    is_pretrained: bool = False

    def __post_init__(self) -> None:
        for facts in self.n_facts:
            check_integer("n_facts", facts, 0)
        if self.halves and self.problem.width % 2:
            raise FieldError("width", "be even to be split in two blocks", self.problem.width)

    @property
    def halves(self) -> bool:
        """Whether each task has half of the units; a transformer with split blocks has a feed-forward block more."""
        return self.blocks == "split" and self.problem.model != "transformer"

    @property
    def network(self) -> Problem:
        """The task in a network whose width is that of a block."""
        return replace(self.problem, width=self.problem.width // 2) if self.halves else self.problem

    def config(self, n_facts: int) -> MultitaskConfig:
        """What is trained; seeds count up from 0 and the size is chosen round by round."""
        config = beside_facts(
            self.network,
            n_train=1,
            n_facts=n_facts,
            blocks=self.blocks,
            embedding=self.embedding,
        )
        if not self.is_pretrained:
            return config
        (joint,) = config.phases
        return replace(config, phases=(replace(joint, tasks=(0,)), joint))


@dataclass(frozen=True, kw_only=True)
class FactsDesign:
    """Which critical sizes are measured.

    Attributes:
        series: One architecture each.
        tolerance: Relative half width of the 90 % interval to reach.
        budget: Most model-steps of a critical size, in horizons of its last phase.
    """

    series: tuple[FactsSeries, ...]
    tolerance: float = 0.05
    budget: float = 10.0

    def cases(self) -> Iterator[tuple[FactsSeries, int]]:
        """Every critical size to measure."""
        return ((series, facts) for series in self.series for facts in series.n_facts)


@dataclass(frozen=True, kw_only=True)
class FactsPoint:
    """A critical size beside facts.

    Attributes:
        series: In which architecture.
        n_facts: D_r [examples].
        transition: What was measured.
        predicted: D_crit without facts and without the token of the task, before any run; None where no
            calibration speaks for the problem.
    """

    series: FactsSeries
    n_facts: int
    transition: MultitaskTransition
    predicted: CriticalSizePrediction | None


def measure(design: FactsDesign, laboratory: Laboratory) -> list[FactsPoint]:
    """One point a series and number of facts."""
    cases = list(design.cases())
    predictions = [laboratory.predict(series.problem) for series, _ in cases]
    found = measure_multitask_transitions(
        [series.config(facts) for series, facts in cases],
        laboratory,
        tolerance=design.tolerance,
        budget=design.budget,
        stage="critical sizes beside facts",
    )
    return [
        FactsPoint(series=series, n_facts=facts, transition=transition, predicted=prediction)
        for (series, facts), transition, prediction in zip(cases, found, predictions, strict=True)
    ]


def alone(points: Sequence[FactsPoint], series: FactsSeries) -> FactsPoint | None:
    """The point of a series without facts; None where it was not measured."""
    return next((one for one in points if one.series == series and one.n_facts == 0), None)


def shared(points: Sequence[FactsPoint]) -> list[FactsPoint]:
    """Points of networks that share everything, trained on all at once: those that the claim is about."""
    plain = ("shared", "merged", False)
    return [one for one in points if (one.series.blocks, one.series.embedding, one.series.is_pretrained) == plain]


def additive(point: FactsPoint, size_alone: FloatArray) -> FloatArray | None:
    """D_crit(D_r) by the additive formula from D_crit(0), the exponent by the calibration; None without one."""
    if point.predicted is None:
        return None
    power = 2 * point.predicted.competition.memorizing.exponent / point.series.problem.homogeneity
    return additive_critical_size(size_alone, point.n_facts, power)


def rule(point: FactsPoint, size_alone: float | None = None) -> float | None:
    """D_crit(D_r) by the rule of ``theory/circuits/facts.py``; None where there is none.

    Args:
        point: The question.
        size_alone: Measured D_crit(0), which then scales facts and answer; None for the bare prediction.
    """
    if point.predicted is None or point.predicted.critical_size.value is None:
        return None
    laws: Competition = point.predicted.from_scratch
    scale = 1.0 if size_alone is None else size_alone / point.predicted.critical_size.value
    found = emergent_critical_size(laws, point.n_facts / scale)
    return scale * found.n_train if isinstance(found, Crossing) else None


def stages(design: FactsDesign) -> list[Stage]:
    """What the design trains at most."""
    return multitask_transitions_stages(
        [series.config(facts) for series, facts in design.cases()], budget=design.budget
    )


def _series(problem: Problem, facts: Sequence[int], *, narrow: int, wide: int, relu: bool) -> tuple[FactsSeries, ...]:
    """All comparisons on one task: more facts, other widths, the other activation, blocks apart, pretraining.

    Args:
        problem: The task.
        facts: Three rising numbers, the middle one for all comparisons.
        narrow: A smaller width.
        wide: A larger one.
        relu: Whether the other activation is ``relu``, which is ``square`` otherwise.
    """
    few, some, many = facts
    other = replace(problem, activation="relu" if relu else "square")
    return (
        FactsSeries(problem=problem, n_facts=(0, few, some, many)),
        FactsSeries(problem=other, n_facts=(0, some)),
        FactsSeries(problem=replace(problem, width=narrow), n_facts=(0, some)),
        FactsSeries(problem=replace(problem, width=wide), n_facts=(0, some)),
        FactsSeries(problem=problem, n_facts=(0, some, many), blocks="split"),
        FactsSeries(problem=problem, n_facts=(some,), embedding="apart"),
        FactsSeries(problem=problem, n_facts=(some,), embedding="apart", blocks="split"),
        FactsSeries(problem=problem, n_facts=(some,), is_pretrained=True),
    )


EXPERIMENT: Experiment[FactsDesign, list[FactsPoint]] = Experiment(
    name="facts",
    designs={
        "standard": FactsDesign(
            series=_series(
                Problem(task="add", modulus=31, activation="square", width=64),
                (50, 100, 200),
                narrow=32,
                wide=128,
                relu=True,
            )
        ),
        # Several tasks are built for pair-MLPs only; modulus and optimizer are those of the published transformers.
        "paper": FactsDesign(
            series=_series(
                Problem(task="add", modulus=113, activation="relu", width=256, learning_rate=1e-3, weight_decay=1.0),
                (700, 1400, 2800),
                narrow=128,
                wide=512,
                relu=False,
            )
        ),
    },
    measure=measure,
    stages=stages,
)
