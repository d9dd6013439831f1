"""Experiments: critical sizes over the model size, and over the modulus."""

from __future__ import annotations

from dataclasses import replace

from dcrit.empirics.experiments.experiment import SMALL_TRANSFORMER, TRANSFORMER_STEPS, Experiment
from dcrit.empirics.experiments.transitions import SeriesDesign, SeriesEvidence, TransitionsDesign, measure, stages
from dcrit.theory.problems.problem import Problem


def _over_widths(
    problem: Problem, widths: tuple[int, ...], *, steps: int = 0, budget: float = 12.0
) -> TransitionsDesign:
    """One problem at several widths."""
    return TransitionsDesign(
        problems=tuple(replace(problem, width=width) for width in widths), steps=steps, budget=budget
    )


MODEL_SIZES: Experiment[SeriesDesign, SeriesEvidence] = Experiment(
    name="model-sizes",
    designs={
        "standard": SeriesDesign(
            series=(
                _over_widths(Problem(task="add", modulus=31, activation="square"), (32, 48, 64, 128, 256)),
                _over_widths(Problem(task="add", modulus=31, activation="relu"), (32, 48, 64, 128, 256)),
                _over_widths(SMALL_TRANSFORMER, (12, 16, 24, 32, 48), steps=TRANSFORMER_STEPS, budget=8.0),
            )
        ),
        "paper": SeriesDesign(
            series=(
                _over_widths(
                    Problem(task="add", modulus=113, model="transformer", activation="relu", learning_rate=1e-3),
                    (24, 32, 40, 48, 64, 80, 100, 128),
                ),
            )
        ),
    },
    measure=measure,
    stages=stages,
)


def _over_moduli(problem: Problem, moduli: tuple[int, ...]) -> TransitionsDesign:
    """One problem at several moduli."""
    return TransitionsDesign(problems=tuple(replace(problem, modulus=modulus) for modulus in moduli), budget=12.0)


MODULI: Experiment[SeriesDesign, SeriesEvidence] = Experiment(
    name="moduli",
    designs={
        "standard": SeriesDesign(
            series=(
                _over_moduli(Problem(task="add", activation="square", width=64), (13, 17, 23, 31, 41, 47)),
                _over_moduli(Problem(task="add", activation="relu", width=64), (13, 17, 23, 31, 41, 47)),
            )
        ),
        "paper": SeriesDesign(
            series=(
                _over_moduli(
                    Problem(task="add", model="transformer", activation="relu", width=128, learning_rate=1e-3),
                    (53, 67, 83, 97, 113),
                ),
            )
        ),
    },
    measure=measure,
    stages=stages,
)
