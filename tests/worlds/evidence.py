"""Evidence on problems as experiments would gather it, made by hand."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dcrit.empirics.experiments.competition import ProblemEvidence
from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.efficiency import NoLaws
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcome

SQUARE, RELU = Problem(modulus=31, width=48), Problem(modulus=31, width=48, activation="relu")
BOTH = (SQUARE, RELU)
SIZES = (580, 670, 770, 860, 961)


def prediction(value: float | None, *, reason: str = "") -> Estimate:
    """A predicted size, or that there is none."""
    interval = None if value is None else Interval(low=0.8 * value, high=1.25 * value)
    return Estimate(
        quantity="critical_size",
        value=value,
        interval=interval,
        unit="examples",
        reason=reason or ("" if value else "none"),
    )


def entry(
    problem: Problem = SQUARE,
    *,
    memorizing: Sequence[Outcome] = (),
    generalizing: Sequence[Outcome] = (),
    transition: Sequence[Outcome] = (),
    implied: float | None = None,
    predicted: Estimate | None = None,
) -> ProblemEvidence:
    return ProblemEvidence(
        memorizing=memorizing,
        generalizing=generalizing,
        fit=NoLaws(cause=Cause.LEFT_OUT, reason="not looked at"),
        implied=prediction(implied),
        transition=Transition(
            problem=problem,
            predicted=predicted,
            outcomes=transition,
            measured=measure_critical_size(transition),
        ),
    )


def power_law(
    slope: float, *, noise: float = 0.01, sizes: Sequence[int] = SIZES, bend: float = 0.0, seed: int = 0, **changed: Any
) -> list[Outcome]:
    """Three runs a size with e = D^slope, bent in ln D by ``bend``."""
    rng = np.random.default_rng(seed)
    middle = float(np.mean(np.log(sizes)))

    def log_efficiency(size: int) -> float:
        x = math.log(size) - middle
        return slope * x + bend * x * x + noise * rng.standard_normal()

    return [
        outcome(
            RunConfig(problem=SQUARE, n_train=size, seed=seed),
            efficiency=math.exp(log_efficiency(size)),
            **({"test_accuracy": math.nan if size == SQUARE.n_pairs else 1.0} | changed),
        )
        for size in sizes
        for seed in range(3)
    ]
