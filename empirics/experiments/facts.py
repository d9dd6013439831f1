"""Experiment: critical sizes of a task beside facts to memorize, in networks that share more or less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
from dcrit.theory.predictions.critical_size import CriticalSizePrediction
from dcrit.theory.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class FactsSeries:
    """Critical sizes beside several numbers of facts, all else equal.

    Attributes:
        problem: The task; its width is that of all blocks together.
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
        if self.blocks == "split" and self.problem.width % 2:
            raise FieldError("width", "be even to be split in two blocks", self.problem.width)

    def config(self, n_facts: int) -> MultitaskConfig:
        """What is trained; seeds count up from 0 and the size is chosen round by round."""
        width = self.problem.width // (2 if self.blocks == "split" else 1)
        config = beside_facts(
            replace(self.problem, width=width),
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
