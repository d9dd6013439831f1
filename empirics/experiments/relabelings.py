"""Experiment: critical sizes of tasks that are relabelings of each other."""

from __future__ import annotations

from dataclasses import replace

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.series import SeriesDesign, SeriesEvidence, measure, stages
from dcrit.empirics.experiments.transitions import TransitionsDesign
from dcrit.theory.problem import Problem


def _pairs(problem: Problem) -> tuple[TransitionsDesign, ...]:
    """Subtraction beside addition, and products of nonzero residues beside addition modulo p − 1.

    Differences are addition after b → −b, products after the discrete logarithm of every symbol.
    """
    twins = (
        (problem, replace(problem, task="sub")),
        (replace(problem, modulus=problem.modulus - 1), replace(problem, task="mul")),
    )
    return tuple(TransitionsDesign(problems=twin, tolerance=0.02, budget=24.0) for twin in twins)


EXPERIMENT: Experiment[SeriesDesign, SeriesEvidence] = Experiment(
    name="relabelings",
    designs={
        "standard": SeriesDesign(
            series=(
                *_pairs(Problem(task="add", modulus=23, activation="square", width=64)),
                *_pairs(Problem(task="add", modulus=23, activation="relu", width=64)),
            )
        ),
        # A transformer embeds both symbols alike: to it subtraction is no relabeling of addition.
        "paper": SeriesDesign(series=_pairs(Problem(task="add", modulus=113, activation="square", width=512))),
    },
    measure=measure,
    stages=stages,
)
