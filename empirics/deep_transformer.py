"""Transformers of any depth, many at once, literally: every position in full, gradients by autograd."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dcrit.empirics.transformer import N_POSITIONS, Layer, Transformers
from dcrit.theory.problem import N_HEADS, Activation


@dataclass(kw_only=True)
class DeepTransformers(Transformers):
    """M independent transformers of several layers on [a, b, =], as one tensor.

    Only what the answer needs is computed: the last layer's query and feed-forward block look at the
    last position alone.

    Attributes:
        n_layers: Depth.
    """

    n_layers: int

    @property
    def depth(self) -> int:
        """Layers."""
        return self.n_layers

    def logits(self, symbols: Tensor) -> Tensor:
        """Logits of pairs given by their operands, (M, R, 2) to (M, C, R)."""
        weights = self.weights
        n_members, n_rows, _ = symbols.shape
        n_tokens, width = weights.tokens.shape[1:]
        last = symbols.new_full((n_members, n_rows, 1), n_tokens - 1)
        blocks = n_tokens * torch.arange(n_members, device=symbols.device)[:, None, None]  # (M, 1, 1)
        rows = torch.cat([symbols, last], 2) + blocks  # (M, R, 3)
        embedded = torch.nn.functional.embedding(rows, weights.tokens.reshape(-1, width))  # (M, R, 3, d)
        stream = embedded + weights.positions[:, None]  # (M, R, 3, d)
        for place, layer in enumerate(weights.layers):
            n_read = 1 if place == self.n_layers - 1 else N_POSITIONS
            stream = stream[:, :, -n_read:] + attend(layer, stream, n_read)  # (M, R, n, d)
            stream = stream + feed_forward(layer, stream, self.activation)  # (M, R, n, d)
        return torch.bmm(weights.unembed, stream[:, :, -1].mT)  # (M, C, R)

    def logits_of_all_pairs(self) -> Tensor:
        """Logits of all ordered pairs, row-major in (a, b): (M, C, S²)."""
        n_symbols = self.weights.unembed.shape[1]
        symbols = torch.arange(n_symbols, device=self.theta.device)
        pairs = torch.cartesian_prod(symbols, symbols)  # (S², 2)
        return self.logits(pairs.expand(self.theta.shape[0], -1, -1))


def apply(stream: Tensor, matrix: Tensor) -> Tensor:
    """Each member's matrix on all its positions: (M, R, n, i) by (M, i, o) to (M, R, n, o)."""
    return torch.bmm(stream.flatten(1, 2), matrix).view(*stream.shape[:3], -1)


def attend(layer: Layer, stream: Tensor, n_read: int) -> Tensor:
    """Causal attention of the last ``n_read`` positions to all before them and themselves.

    Args:
        layer: Its matrices.
        stream: (M, R, 3, d).
        n_read: n.

    Returns:
        (M, R, n, d), to be added to the residual stream.
    """
    query, key, value = (
        apply(source, matrix.mT).unflatten(3, (N_HEADS, -1))
        for source, matrix in ((stream[:, :, -n_read:], layer.query), (stream, layer.key), (stream, layer.value))
    )  # (M, R, n, 4, d/4), then (M, R, 3, 4, d/4) twice
    # Sequences of three are too short for products: sums over a head's features are taken as they are.
    scores = (query[:, :, :, None] * key[:, :, None]).sum(5) / math.sqrt(query.shape[4])  # (M, R, n, 3, 4)
    future = torch.ones(n_read, N_POSITIONS, dtype=torch.bool, device=stream.device).triu(N_POSITIONS - n_read + 1)
    attention = torch.softmax(scores.masked_fill(future[:, :, None], -math.inf), 3)  # (M, R, n, 3, 4)
    mixed = (attention[..., None] * value[:, :, None]).sum(3)  # (M, R, n, 4, d/4)
    return apply(mixed.flatten(3), layer.output)


def feed_forward(layer: Layer, stream: Tensor, activation: Activation) -> Tensor:
    """The feed-forward block's addition to the residual stream, (M, R, n, d) to (M, R, n, d)."""
    hidden = apply(stream, layer.inward.mT)  # (M, R, n, 4d)
    return apply(hidden.square() if activation == "square" else hidden.relu(), layer.outward)


class DeepTrainingStep:
    """Gradient of the mean cross-entropy of every transformer over its own training set, by autograd.

    Args:
        symbols: (M, R, 2) first and second operand of every training example.
        labels: (M, R) classes.
        weights: (M, R) 1/D for training examples, 0 for padding.
        dtype: Of parameters and gradients.
    """

    def __init__(self, *, symbols: Tensor, labels: Tensor, weights: Tensor, dtype: torch.dtype) -> None:
        self.symbols, self.labels, self.weights = symbols, labels, weights.to(dtype)

    def gradient(self, models: DeepTransformers, grad: Tensor) -> None:
        """Overwrite ``grad`` (M, N/d, d) with the gradient in all parameters."""
        with torch.enable_grad():
            theta = models.theta.detach().requires_grad_()
            twins = DeepTransformers(theta=theta, activation=models.activation, n_layers=models.n_layers)
            losses = torch.nn.functional.cross_entropy(twins.logits(self.symbols), self.labels, reduction="none")
            (found,) = torch.autograd.grad((losses * self.weights).sum(), theta)
        grad.copy_(found)
