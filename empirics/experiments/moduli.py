"""Experiment: critical sizes over the modulus at a fixed width."""

from __future__ import annotations

from dataclasses import replace

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.series import SeriesDesign, SeriesEvidence, measure, stages
from dcrit.empirics.experiments.transitions import TransitionsDesign
from dcrit.theory.problem import Problem


def _series(problem: Problem, moduli: tuple[int, ...]) -> TransitionsDesign:
    """One problem at several moduli."""
    return TransitionsDesign(problems=tuple(replace(problem, modulus=modulus) for modulus in moduli), budget=12.0)


EXPERIMENT: Experiment[SeriesDesign, SeriesEvidence] = Experiment(
    name="moduli",
    designs={
        "standard": SeriesDesign(
            series=(
                _series(Problem(task="add", activation="square", width=64), (13, 17, 23, 31, 41, 47)),
                _series(Problem(task="add", activation="relu", width=64), (13, 17, 23, 31, 41, 47)),
            )
        ),
        "paper": SeriesDesign(
            series=(
                _series(
                    Problem(task="add", model="transformer", activation="relu", width=128, learning_rate=1e-3),
                    (53, 67, 83, 97, 113),
                ),
            )
        ),
    },
    measure=measure,
    stages=stages,
)
