"""What logits should change by, probability minus label, to full relative precision."""

from __future__ import annotations

from torch import Tensor


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
