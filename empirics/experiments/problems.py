"""Transformers that several experiments look at: the small one of the standard suite, and that of the papers."""

from __future__ import annotations

from dcrit.theory.problem import Problem

#: One layer that two cores train in seconds.
SMALL_TRANSFORMER = Problem(
    task="add", modulus=23, model="transformer", activation="relu", width=24, learning_rate=3e-3
)

#: Horizon of small transformers where many are trained: 15 time constants instead of 40 [steps].
TRANSFORMER_STEPS = 5000

#: Published: one layer, relu, width 128, learning rate 1e-3, weight decay 1. Source: nanda2023.
PUBLISHED_TRANSFORMER = Problem(
    task="add", modulus=113, model="transformer", activation="relu", width=128, learning_rate=1e-3
)
