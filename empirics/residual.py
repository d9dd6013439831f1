"""What logits should change by, probability minus label, also where rounding leaves nothing of it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


def collapsed_loss(dtype: torch.dtype) -> float:
    """Mean loss below which 1 − q of the correct class, taken by subtraction, is mostly rounding: ε/2 [nats].

    Half the distance of 1 from the number after it, 6e-8 in float32 and 1.1e-16 in float64: a
    probability that near to 1 is rounded to it, and the gradient of its logit to zero.
    """
    return torch.finfo(dtype).eps / 2


@runtime_checkable
class Mending(Protocol):
    """A training step that can take the residual of some members from the other classes."""

    def mend(self, collapsed: Tensor) -> None:
        """From now on do so for these members, (M,) booleans, and only for them."""
        ...


class Residual:
    """G = (q − y)/D of every training example, with q = softmax of its logits and y its label's indicator.

    At the correct class q − 1 is zero in floating-point numbers as soon as q is rounded to 1, though
    Σ_{others} q is not: the wrong logits still fall and the correct one stands. Members that have come
    there get −Σ_{others} q instead, to full relative precision; all others keep their bits.

    Args:
        labels: (M, R) classes.
        weights: (M, R) 1/D for training examples, 0 for padding.

    Attributes:
        collapsed: (M, 1, 1) members whose correct class is taken from the others; None for none.
    """

    def __init__(self, labels: Tensor, weights: Tensor) -> None:
        self.labels = labels[:, None]  # (M, 1, R)
        self.weights = weights[:, None]  # (M, 1, R)
        self.target = -self.weights  # (M, 1, R)
        self.collapsed: Tensor | None = None

    def mend(self, collapsed: Tensor) -> None:
        """Take these members, (M,) booleans, from the other classes from now on, and only these."""
        self.collapsed = collapsed[:, None, None] if bool(collapsed.any()) else None

    def of(self, logits: Tensor) -> Tensor:
        """Residuals in the place of logits, (M, C, R)."""
        residual = torch.softmax(logits, 1, out=logits)  # (M, C, R)
        if self.collapsed is None:
            return residual.mul_(self.weights).scatter_add_(1, self.labels, self.target)
        others = residual.scatter(1, self.labels, 0).sum(1, keepdim=True).mul_(self.target)  # (M, 1, R)
        residual.mul_(self.weights).scatter_add_(1, self.labels, self.target)
        correct = residual.gather(1, self.labels)  # (M, 1, R)
        return residual.scatter_(1, self.labels, torch.where(self.collapsed, others, correct))
