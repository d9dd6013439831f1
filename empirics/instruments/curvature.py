"""Curvature of one network's training loss, as products with vectors: Gauss–Newton matrix or Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.func import grad, vjp, vmap
from torch.nn.functional import cross_entropy

from dcrit.empirics.instruments.snapshots import Snapshot
from dcrit.empirics.models.family import architecture_of

Matrix = Literal["gauss-newton", "hessian"]

#: (k, N) vectors to (k, N) products.
Product = Callable[[Tensor], Tensor]

#: Vectors that are multiplied at once.
BLOCK = 64


def curvature_product(snapshot: Snapshot, matrix: Matrix) -> Product:
    """Products with the curvature of the mean cross-entropy on the training set, in float64.

    Gauss–Newton: G = 1/D Σ_i J_iᵀ (diag q_i − q_i q_iᵀ) J_i, with J_i = ∂logits_i/∂θ and q_i the probabilities.
    Hessian: ∂²L/∂θ², which is G plus 1/D Σ_i Σ_c (q_ic − y_ic)·∂²logit_ic/∂θ².

    Args:
        snapshot: The network.
        matrix: Which of the two.
    """
    problem = snapshot.config.problem
    architecture = architecture_of(problem)
    theta = snapshot.theta.double()  # (rows, columns)
    pairs = torch.from_numpy(snapshot.is_train.nonzero()[0])  # (D,)
    symbols = torch.stack([pairs // problem.n_symbols, pairs % problem.n_symbols], 1)  # (D, 2)
    labels = torch.from_numpy(snapshot.labels)[pairs]  # (D,)

    def logits(flat: Tensor) -> Tensor:
        return architecture.pair_logits(problem, flat.view_as(theta), symbols)  # (D, C)

    flat = theta.flatten()  # (N,)
    if matrix == "hessian":
        # It is symmetric: products from the left are products.
        turn = _pullback(grad(lambda parameters: cross_entropy(logits(parameters), labels)), flat)
        return vmap(turn)
    q = logits(flat).softmax(1)  # (D, C)
    pull = _pullback(logits, flat)  # (D, C) to (N,)
    push = _pullback(pull, torch.zeros_like(q))  # its transpose, J: (N,) to (D, C)

    def multiply(vector: Tensor) -> Tensor:
        moved = push(vector)  # (D, C)
        return pull(q * (moved - (q * moved).sum(1, keepdim=True)) / len(labels))

    return vmap(multiply)


def _pullback(function: Callable[[Tensor], Tensor], at: Tensor) -> Callable[[Tensor], Tensor]:
    """Products with the transposed Jacobian of a function at a point."""
    pull = vjp(function, at)[1]
    return lambda vector: pull(vector)[0]


def dense(product: Product, n_params: int, progress: Callable[[int], None] = lambda _: None) -> Tensor:
    """The matrix behind a product, column by column: (N, N), symmetrized.

    Args:
        product: Of a symmetric matrix.
        n_params: N.
        progress: Called with the number of products just finished.
    """
    matrix = torch.empty(n_params, n_params, dtype=torch.float64)
    for start in range(0, n_params, BLOCK):
        stop = min(n_params, start + BLOCK)
        unit = torch.zeros(stop - start, n_params, dtype=torch.float64)
        unit[torch.arange(stop - start), torch.arange(start, stop)] = 1
        matrix[start:stop] = product(unit)
        progress(stop - start)
    return (matrix + matrix.T) / 2
