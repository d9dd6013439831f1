"""Parameters of many transformers in one tensor: what is where, and how they start."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from dcrit.theory.families.transformer import EXPANSION, N_HEADS, N_TOKENS
from dcrit.theory.problems.problem import Problem

#: Rows of a layer's matrices, in widths: query, key, value, output and the two feed-forward ones.
LAYER_ROWS = 4 + 2 * EXPANSION


class Layer(NamedTuple):
    """Matrices of one layer; heads are blocks of rows.

    Attributes:
        query: (M, d, d), row an output feature.
        key: (M, d, d), row an output feature.
        value: (M, d, d), row an output feature.
        output: (M, d, d), row a feature of a head, column one of the residual stream.
        inward: (M, 4d, d), row i the incoming weights of hidden unit i.
        outward: (M, 4d, d), row i the outgoing weights of hidden unit i.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor
    inward: Tensor
    outward: Tensor


class Weights(NamedTuple):
    """All matrices of M transformers.

    Attributes:
        tokens: (M, S + 1, d) embeddings of the symbols, then of ``=``.
        positions: (M, 3, d), one for each of a, b and ``=``.
        layers: One entry a layer.
        unembed: (M, C, d).
    """

    tokens: Tensor
    positions: Tensor
    layers: tuple[Layer, ...]
    unembed: Tensor


def split(tensor: Tensor, depth: int, n_classes: int) -> Weights:
    """Views of a (M, N/d, d) tensor of parameters, or of gradients, as matrices."""
    width = tensor.shape[2]
    n_embedded = tensor.shape[1] - N_TOKENS - depth * LAYER_ROWS * width - n_classes
    block = [width] * 4 + [EXPANSION * width] * 2
    parts = tensor.split([n_embedded, N_TOKENS, *depth * block, n_classes], dim=1)
    layers = [Layer(*parts[2 + k * len(block) : 2 + (k + 1) * len(block)]) for k in range(depth)]
    return Weights(tokens=parts[0], positions=parts[1], layers=tuple(layers), unembed=parts[-1])


def initial_parameters(problem: Problem, generator: torch.Generator) -> Tensor:
    """Normal weights of standard deviation 1/√d, the unembedding's 1/√C, as (N/d, d) in float64.

    Source: nanda2023 (the reference code's initialization).
    """
    width, n_classes = problem.width, problem.n_classes
    theta = torch.randn(problem.n_params // width, width, generator=generator, dtype=torch.float64)  # (N/d, d)
    theta[:-n_classes] /= math.sqrt(width)
    theta[-n_classes:] /= math.sqrt(n_classes)
    return theta


def heads(matrix: Tensor) -> Tensor:
    """The blocks of rows that belong to heads, (M, d, d) to (M, 4, d/4, d), as a view."""
    return matrix.unflatten(1, (N_HEADS, -1))
