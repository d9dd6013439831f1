"""Experiment: critical sizes over the model size."""

from __future__ import annotations

from dataclasses import replace

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.problems import SMALL_TRANSFORMER, TRANSFORMER_STEPS
from dcrit.empirics.experiments.series import SeriesDesign, SeriesEvidence, measure, stages
from dcrit.empirics.experiments.transitions import TransitionsDesign
from dcrit.theory.problem import Problem


def _series(problem: Problem, widths: tuple[int, ...], *, steps: int = 0, budget: float = 12.0) -> TransitionsDesign:
    """One problem at several widths."""
    return TransitionsDesign(
        problems=tuple(replace(problem, width=width) for width in widths), steps=steps, budget=budget
    )


EXPERIMENT: Experiment[SeriesDesign, SeriesEvidence] = Experiment(
    name="model-sizes",
    designs={
        "standard": SeriesDesign(
            series=(
                _series(Problem(task="add", modulus=31, activation="square"), (32, 48, 64, 128, 256)),
                _series(Problem(task="add", modulus=31, activation="relu"), (32, 48, 64, 128, 256)),
                _series(SMALL_TRANSFORMER, (12, 16, 24, 32, 48), steps=TRANSFORMER_STEPS, budget=8.0),
            )
        ),
        "paper": SeriesDesign(
            series=(
                _series(
                    Problem(task="add", modulus=113, model="transformer", activation="relu", learning_rate=1e-3),
                    (24, 32, 40, 48, 64, 80, 100, 128),
                ),
            )
        ),
    },
    measure=measure,
    stages=stages,
)
