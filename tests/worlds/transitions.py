"""Measured transitions with a critical size that is known."""

import math
from dataclasses import replace

import numpy as np
from scipy.special import expit

from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcomes_at

#: Width of every transition in ln D.
WIDTH = 0.1


def outcomes_around(problem: Problem, size: float, n_runs: int = 16) -> list[Outcome]:
    """Runs on a logistic curve with its midpoint at a size."""
    n_train = [min(problem.n_pairs - 1.0, round(size * math.exp(offset))) for offset in np.linspace(-0.2, 0.2, n_runs)]
    return outcomes_at(problem, n_train, expit(np.log(np.array(n_train) / size) / WIDTH).tolist())


def transition(problem: Problem, size: float | None, *, predicted: float | None = None, n_runs: int = 16) -> Transition:
    """A transition at that size, or none up to 60 % of all pairs."""
    if size is None:
        sizes = [0.2 * problem.n_pairs, 0.4 * problem.n_pairs, 0.6 * problem.n_pairs]
        outcomes = outcomes_at(problem, sizes, [0.02, 0.05, 0.1])
    else:
        outcomes = outcomes_around(problem, size, n_runs)
    return Transition(
        problem=problem,
        predicted=None
        if predicted is None
        else Estimate(
            quantity="critical_size",
            value=predicted,
            interval=Interval(low=0.9 * predicted, high=1.1 * predicted),
            unit="examples",
        ),
        outcomes=outcomes,
        measured=measure_critical_size(outcomes),
    )


def with_width(problem: Problem, *widths: int) -> list[Problem]:
    """The problem at several widths."""
    return [replace(problem, width=width) for width in widths]
