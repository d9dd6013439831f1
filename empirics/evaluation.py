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
