"""What of a question lies outside what was calibrated, and by how much, in words."""

from __future__ import annotations

from collections.abc import Iterable

from dcrit.theory.problems.problem import Problem

#: Its name, the value that is asked for, and the least and largest calibrated.
Axis = tuple[str, float, tuple[float, float]]

#: The two sets of runs behind a calibration, each with ranges of its own: sizes and times come from the one, and
#: efficiencies and mixtures from the other.
LAW, CELLS = "the law of sizes", "circuits at rest"


def optimizer_axes(
    problem: Problem, *, weight_decay: float, learning_rate: float, beta2: float, epsilon: float
) -> tuple[Axis, ...]:
    """The optimizer of a question beside the one that was calibrated.

    Args:
        problem: The question.
        weight_decay: λ of the runs.
        learning_rate: η of the runs.
        beta2: β₂ of the runs; what counts is 1 − β₂, one over the steps that AdamW remembers.
        epsilon: ε of the runs.
    """
    return (
        ("the weight decay", problem.weight_decay, (weight_decay, weight_decay)),
        ("the learning rate", problem.learning_rate, (learning_rate, learning_rate)),
        ("AdamW's 1 − β₂", 1 - problem.beta2, (1 - beta2, 1 - beta2)),
        ("AdamW's ε", problem.epsilon, (epsilon, epsilon)),
    )


def beyond(axes: Iterable[Axis], calibrated: str = "") -> tuple[str, ...]:
    """One phrase for each value that lies outside its range.

    Args:
        axes: What is asked for.
        calibrated: What the runs calibrated that the ranges are of, where there may be several such sets of runs.
    """
    of = f" for {calibrated}" if calibrated else ""
    return tuple(
        f"{name} {_short(value)} is {_side(value, low, high, of)}"
        for name, value, (low, high) in axes
        if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
    )


def _side(value: float, low: float, high: float, of: str) -> str:
    """Which end of the calibrated range a value lies beyond, and by how much."""
    if value < low:
        return f"{low / value:.3g} times below the least calibrated{of}, {_short(low)}"
    return f"{value / high:.3g} times the largest calibrated{of}, {_short(high)}"


def _short(value: float) -> str:
    """A number with as many digits as say something; a whole one has all of them."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"
