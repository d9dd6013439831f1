"""Transformers of any depth, many at once, literally: every position in full, gradients by autograd."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dcrit.empirics.models.autograd import AutogradStep
from dcrit.empirics.models.family import Examples, Step, SymbolTables
from dcrit.empirics.models.transformer import TrainingStep, Transformers
from dcrit.empirics.models.transformer_weights import Layer, initial_parameters
from dcrit.theory.families.transformer import N_HEADS, N_TOKENS
from dcrit.theory.problems.problem import Problem


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
        streams = [
            embedded[:, :, place] + weights.positions[:, place, None] for place in range(N_TOKENS)
        ]  # (M, R, d) each
        for place, layer in enumerate(weights.layers):
            n_read = 1 if place == self.n_layers - 1 else N_TOKENS
            moved = attend(layer, streams, n_read)
            streams = [stream + more for stream, more in zip(streams[-n_read:], moved, strict=True)]
            streams = [stream + feed_forward(layer, stream, self.activation) for stream in streams]
        return torch.bmm(weights.unembed, streams[-1].mT)  # (M, C, R)

    def logits_of_all_pairs(self) -> Tensor:
        """Logits of all ordered pairs, row-major in (a, b): (M, C, S²)."""
        n_symbols = self.weights.tokens.shape[1] - 1
        symbols = torch.arange(n_symbols, device=self.theta.device)
        pairs = torch.cartesian_prod(symbols, symbols)  # (S², 2)
        return self.logits(pairs.expand(self.theta.shape[0], -1, -1))


def attend(layer: Layer, streams: list[Tensor], n_read: int) -> list[Tensor]:
    """Causal attention of each of the last positions to all before it and itself.

    Sequences of three are too short for products of queries and keys: pairs of positions are taken one
    by one, and sums over a head's features are products with a matrix of zeros and ones.

    Args:
        layer: Its matrices.
        streams: The residual stream at each position, (M, R, d).
        n_read: Positions that attend, the last ones.

    Returns:
        What is to be added to the residual stream at each of them, (M, R, d).
    """
    width = streams[0].shape[2]
    head = torch.arange(width, device=streams[0].device) * N_HEADS // width  # (d,)
    belongs = torch.nn.functional.one_hot(head, N_HEADS).to(streams[0].dtype)  # (d, 4)
    keys = [torch.bmm(stream, layer.key.mT) for stream in streams]  # (M, R, d) each
    values = [torch.bmm(stream, layer.value.mT) for stream in streams]  # (M, R, d) each
    found: list[Tensor] = []
    for place in range(len(streams) - n_read, len(streams)):
        query = torch.bmm(streams[place], layer.query.mT) / math.sqrt(width // N_HEADS)  # (M, R, d)
        scores = torch.stack([query * key @ belongs for key in keys[: place + 1]])  # (n, M, R, 4)
        attention = torch.softmax(scores, 0) @ belongs.T  # (n, M, R, d)
        mixed = torch.stack([weight * value for weight, value in zip(attention, values, strict=False)]).sum(0)
        found.append(torch.bmm(mixed, layer.output))  # (M, R, d)
    return found


def feed_forward(layer: Layer, stream: Tensor, activation: str) -> Tensor:
    """The feed-forward block's addition to the residual stream, (M, R, d) to (M, R, d)."""
    hidden = torch.bmm(stream, layer.inward.mT)  # (M, R, 4d)
    return torch.bmm(hidden.square() if activation == "square" else hidden.relu(), layer.outward)


class DeepTransformerArchitecture:
    """The architecture of transformers of any depth, by autograd."""

    def initial(self, problem: Problem, generator: torch.Generator) -> Tensor:
        """Initial parameters, (N/d, d)."""
        return initial_parameters(problem, generator)

    def networks(self, problem: Problem, theta: Tensor) -> Transformers:
        """Networks of parameters (M, N/d, d)."""
        return _deep(problem, theta)

    def step(self, problem: Problem, examples: Examples, dtype: torch.dtype) -> Step[Any]:
        """A training step on the members' training sets."""
        del problem
        return AutogradStep(examples, dtype)

    def pair_logits(self, problem: Problem, theta: Tensor, symbols: Tensor) -> Tensor:
        """Logits on pairs (D, 2), (D, C)."""
        return _deep(problem, theta[None]).logits(symbols[None])[0].T

    def symbol_tables(self, problem: Problem, theta: Tensor) -> SymbolTables:
        """The embedding of tokens, which serves both operands; attention and feed-forward have no axis of symbols."""
        return SymbolTables(first=theta[: problem.n_symbols], second=None, unembed=None)


class TransformerArchitecture(DeepTransformerArchitecture):
    """The architecture of transformers: of one layer by tables of symbols, which is faster."""

    def networks(self, problem: Problem, theta: Tensor) -> Transformers:
        """Networks of parameters (M, N/d, d)."""
        if problem.depth > 1:
            return super().networks(problem, theta)
        return Transformers(theta=theta, activation=problem.activation, n_classes=problem.n_classes)

    def step(self, problem: Problem, examples: Examples, dtype: torch.dtype) -> Step[Any]:
        """A training step on the members' training sets."""
        if problem.depth > 1:
            return super().step(problem, examples, dtype)
        return TrainingStep(problem, examples, dtype)


def _deep(problem: Problem, theta: Tensor) -> DeepTransformers:
    return DeepTransformers(
        theta=theta, activation=problem.activation, n_classes=problem.n_classes, n_layers=problem.depth
    )


ARCHITECTURE = TransformerArchitecture()
