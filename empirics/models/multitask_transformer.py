"""One task's part of a training step of transformers that learn several, with exact gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from dcrit.empirics.models.family import Examples
from dcrit.empirics.models.multitask_layout import TransformerRows
from dcrit.empirics.models.transformer import TrainingStep, Transformers
from dcrit.theory.problems.problem import Problem


class TransformerTaskStep:
    """Loss gradient of one task, for every member at once: that of the transformer which its rows make.

    Attention to [a, b, =_t] and the answer at =_t need of other tasks' parameters none, so the step of transformers on
    one task serves; its gradient is added to that of the rows.

    Args:
        rows: Of the task.
        problem: The task, with the width of all.
        pairs: (M, R) pairs a·S + b of the examples, padded.
        labels: (M, R) classes.
        is_train: (M, R) 1 for training examples, 0 for padding.
        dtype: Of parameters and gradients.
    """

    def __init__(
        self,
        *,
        rows: TransformerRows,
        problem: Problem,
        pairs: Tensor,
        labels: Tensor,
        is_train: Tensor,
        dtype: torch.dtype,
    ) -> None:
        self.rows = torch.from_numpy(rows.indices).to(pairs.device)
        self.problem, self.is_train = problem, is_train
        symbols = torch.stack([pairs // problem.n_symbols, pairs % problem.n_symbols], 2)  # (M, R, 2)
        self.step = TrainingStep(problem, Examples(symbols=symbols, labels=labels, weights=is_train), dtype)

    def networks(self, theta: Tensor) -> Transformers:
        """The members' transformers of this task alone, a copy of parameters (M, n_rows, d)."""
        own = theta.index_select(1, self.rows)  # (M, N/d, d)
        return Transformers(theta=own, activation=self.problem.activation, n_classes=self.problem.n_classes)

    def add_gradient(self, theta: Tensor, grad: Tensor, weights: Tensor) -> None:
        """Add the gradient of Σ weight·cross-entropy to ``grad`` (M, n_rows, d); weights (M, 1, R) are 0 in padding."""
        self.step.weights = weights
        models = self.networks(theta)
        found = torch.empty_like(models.theta)
        self.step.gradient(models, found)
        grad.index_add_(1, self.rows, found)

    def logits_of_all_pairs(self, theta: Tensor) -> Tensor:
        """Logits of all pairs of symbols, (M, C, S²)."""
        return self.networks(theta).logits_of_all_pairs()
