"""A task learned after another one, in the network that learned the first, or in a fresh one with the same tokens."""

from __future__ import annotations

from dcrit.empirics.runs.multitask import Component, MultitaskConfig, Phase
from dcrit.theory.problems.problem import Problem

#: Part of all pairs of the first task that are trained on.
FRACTION = 0.9


def second_task(problem: Problem, first: str, *, is_pretrained: bool) -> MultitaskConfig:
    """The second task after the first one, or in the same architecture without it.

    Args:
        problem: The second task, width and optimizer; a pair-MLP.
        first: Task that the network is pretrained on, over the protocol's horizon.
        is_pretrained: Whether it is.
    """
    before, steps = Problem(task=first, modulus=problem.modulus), problem.horizon
    tuning = Phase(tasks=(0,), steps=steps)
    return MultitaskConfig(
        components=(
            Component(task=problem.task, modulus=problem.modulus, n_train=1),
            Component(task=first, modulus=problem.modulus, n_train=round(FRACTION * before.n_pairs)),
        ),
        seed=0,
        phases=(Phase(tasks=(1,), steps=steps), tuning) if is_pretrained else (tuning,),
        activation=problem.activation,
        width=problem.width,
        **problem.optimizer,
    )
