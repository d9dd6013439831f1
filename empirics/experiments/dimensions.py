"""Experiment: effective dimensionality and test loss of settled networks over model size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.work import Stage
from dcrit.theory.checks import check_integer
from dcrit.theory.predictions.phase_diagram import check_widths
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DimensionsDesign:
    """Which networks are looked at.

    Attributes:
        problems: Their width is replaced.
        widths: Rising.
        sizes: D, rising [examples].
        seeds: Runs per point.

    Raises:
        ValueError: A list does not rise, or a number is out of range.
    """

    problems: tuple[Problem, ...]
    widths: tuple[int, ...]
    sizes: tuple[int, ...]
    seeds: int = 4

    def __post_init__(self) -> None:
        check_widths(self.widths)
        check_widths(self.sizes)
        check_integer("seeds", self.seeds, 2)

    def curves(self) -> Iterator[tuple[Problem, int, list[DimensionConfig]]]:
        """Problem, size, and its networks: widths, then seeds."""
        for problem in self.problems:
            for size in self.sizes:
                yield (
                    problem,
                    size,
                    [
                        DimensionConfig(run=RunConfig(problem=replace(problem, width=width), n_train=size, seed=seed))
                        for width in self.widths
                        for seed in range(self.seeds)
                    ],
                )


@dataclass(frozen=True, kw_only=True)
class DimensionCurve:
    """N_eff and test loss over width at one training-set size: arrays (widths, seeds), NaN where a run diverged.

    Attributes:
        problem: The family; its own width plays no part.
        n_train: D [examples].
        widths: Rising.
        dimension: N_eff at α [parameters].
        smaller: At α/10 [parameters].
        larger: At 10α [parameters].
        test_loss: On unseen pairs [nats].
    """

    problem: Problem
    n_train: int
    widths: tuple[int, ...]
    dimension: FloatArray
    smaller: FloatArray
    larger: FloatArray
    test_loss: FloatArray


def measure(design: DimensionsDesign, laboratory: Laboratory) -> list[DimensionCurve]:
    """One curve a family and size."""
    curves = list(design.curves())
    found = iter(
        laboratory.dimensions([config for _, _, configs in curves for config in configs], stage="effective dimensions")
    )
    shape = (len(design.widths), design.seeds)
    entries: list[DimensionCurve] = []
    for problem, n_train, configs in curves:
        made = [next(found).values for _ in configs]
        dimension, smaller, larger, test_loss = (
            np.array([getattr(one, name) for one in made]).reshape(shape)
            for name in ("value", "smaller", "larger", "test_loss")
        )
        entries.append(
            DimensionCurve(
                problem=problem,
                n_train=n_train,
                widths=design.widths,
                dimension=dimension,
                smaller=smaller,
                larger=larger,
                test_loss=test_loss,
            )
        )
    return entries


def stages(design: DimensionsDesign) -> list[Stage]:
    """What the design trains, point by point; the curvature is not part of it."""
    points = [
        configs[k : k + design.seeds] for *_, configs in design.curves() for k in range(0, len(configs), design.seeds)
    ]
    return [Stage(known=point) for point in points]


EXPERIMENT: Experiment[DimensionsDesign, list[DimensionCurve]] = Experiment(
    name="effective-dimensions",
    designs={
        "standard": DimensionsDesign(
            problems=tuple(Problem(task="add", modulus=23, activation=kind) for kind in ("square", "relu")),
            widths=(4, 8, 12, 16, 24, 32),
            sizes=(185, 291, 400),
        ),
        "paper": DimensionsDesign(
            problems=(
                Problem(task="add", modulus=113, model="transformer", activation="relu", width=128, learning_rate=1e-3),
            ),
            widths=(8, 16, 28, 36, 48, 64),
            sizes=(2600, 3000, 4000),
        ),
    },
    measure=measure,
    stages=stages,
)
