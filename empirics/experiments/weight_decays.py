"""Experiment: critical sizes over the weight decay."""

from __future__ import annotations

from dataclasses import replace

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.series import SeriesDesign, SeriesEvidence, measure, stages
from dcrit.empirics.experiments.transitions import TransitionsDesign
from dcrit.theory.problem import Problem


def _series(problem: Problem, decays: tuple[float, ...], budget: float = 16.0) -> TransitionsDesign:
    """One problem at several weight decays; the horizon is the protocol's 40/(ηλ) at each."""
    return TransitionsDesign(
        problems=tuple(replace(problem, weight_decay=decay) for decay in decays), tolerance=0.03, budget=budget
    )


#: The first problem of each series has the protocol's weight decay, which the others are compared with.
EXPERIMENT: Experiment[SeriesDesign, SeriesEvidence] = Experiment(
    name="weight-decays",
    designs={
        "standard": SeriesDesign(
            series=(
                _series(Problem(task="add", modulus=23, activation="square", width=64), (1.0, 0.5, 2.0)),
                _series(Problem(task="add", modulus=23, activation="relu", width=64), (1.0, 0.5, 2.0)),
                _series(
                    Problem(
                        task="add", modulus=23, model="transformer", activation="relu", width=24, learning_rate=3e-3
                    ),
                    (1.0, 2.0),
                    budget=8.0,
                ),
            )
        ),
        "paper": SeriesDesign(
            series=(
                _series(
                    Problem(
                        task="add", modulus=113, model="transformer", activation="relu", width=128, learning_rate=1e-3
                    ),
                    (1.0, 0.1, 0.3, 3.0),
                ),
            )
        ),
    },
    measure=measure,
    stages=stages,
)
