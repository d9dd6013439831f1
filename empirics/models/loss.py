"""What logits are worth on every example: by how much the correct class falls short, and the cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


def deficits_and_losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Best wrong minus correct logit, and cross-entropy ln(1 + Σ exp(rival − correct)), of every example.

    An example counts as right where its deficit is below zero: a tie is wrong, since the correct class has to win
    alone. Written so, the loss keeps full relative precision where it is tiny.

    Args:
        logits: (…, C, n), overwritten.
        labels: (…, 1, n) classes.

    Returns:
        Deficits (…, n) in the precision of the logits, and losses (…, n) in double precision [nats].
    """
    correct = logits.gather(-2, labels).squeeze(-2)  # (…, n)
    rivals = logits.scatter_(-2, labels, -torch.inf)  # (…, C, n)
    losses = softplus(rivals.logsumexp(-2).double() - correct.double())  # (…, n)
    return rivals.amax(-2) - correct, losses  # (…, n)


def residual_of(probabilities: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """G = weight·(q − y) of every example, in the place of its probabilities q; y is the label's indicator.

    At the correct class q − 1 is −Σ_{others} q. Where a network rests at a large margin, q of the correct class is 1
    but for a few times the spacing of floating-point numbers there, and the subtraction would return
    rounding: in float32 it moves critical sizes of squared networks by some percent, and makes transformers
    collapse. The sum of the others has no such error.

    Args:
        probabilities: q (M, C, R), overwritten.
        labels: (M, 1, R) classes.
        weights: (M, 1, R) 1/D for training examples, 0 for padding.

    Returns:
        G (M, C, R).
    """
    others = probabilities.scatter_(1, labels, 0).mul_(weights).sum(1, keepdim=True)  # (M, 1, R)
    return probabilities.scatter_(1, labels, others.neg_())
