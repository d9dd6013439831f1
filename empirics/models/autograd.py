"""Gradients by autograd, for architectures that have no faster way."""

from __future__ import annotations

import copy
from typing import Protocol

import torch
from torch import Tensor

from dcrit.empirics.models.family import Examples


class GivesLogits(Protocol):
    """Networks whose logits on any pairs can be differentiated.

    Attributes:
        theta: All parameters, (M, rows, columns).
    """

    theta: Tensor

    def logits(self, symbols: Tensor, /) -> Tensor:
        """Logits of pairs given by their operands, (M, R, 2) to (M, C, R)."""
        ...


class AutogradStep:
    """Gradient of the mean cross-entropy of every network over its own training set.

    Args:
        examples: The training sets.
        dtype: Of parameters and gradients.
    """

    def __init__(self, examples: Examples, dtype: torch.dtype) -> None:
        self.symbols, self.labels, self.weights = examples.symbols, examples.labels, examples.weights.to(dtype)

    def gradient(self, models: GivesLogits, grad: Tensor) -> None:
        """Overwrite ``grad``, shaped as ``theta``, with the gradient in all parameters."""
        with torch.enable_grad():
            theta = models.theta.detach().requires_grad_()
            twins = copy.copy(models)
            twins.theta = theta
            logits, labels = twins.logits(self.symbols), self.labels[:, None]  # (M, C, R), (M, 1, R)
            # ln(1 + Σ exp(rival − correct)): at rest, subtracting a probability from 1 would leave its rounding.
            rivals = logits.scatter(1, labels, -torch.inf).logsumexp(1)  # (M, R)
            losses = torch.nn.functional.softplus(rivals - logits.gather(1, labels)[:, 0])  # (M, R)
            (found,) = torch.autograd.grad((losses * self.weights).sum(), theta)
        grad.copy_(found)
