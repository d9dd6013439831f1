"""What of a question lies outside what was calibrated, and by how much, in words."""

from __future__ import annotations

from collections.abc import Iterable

from dcrit.theory.problems.problem import Problem

#: Its name, the value that is asked for, and the least and largest calibrated.
Axis = tuple[str, float, tuple[float, float]]


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


def beyond(axes: Iterable[Axis]) -> tuple[str, ...]:
    """One phrase for each value that lies outside its range.

    Args:
        axes: What is asked for.
    """
    return tuple(
        f"{name} {value:g} is {max(low / value, value / high):.2g} times "
        f"{'below the least' if value < low else 'above the largest'} calibrated, {low if value < low else high:g}"
        for name, value, (low, high) in axes
        if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
    )
