"""One task's part of a training step of networks that learn several, with exact gradients."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from dcrit.empirics.models.loss import residual_of
from dcrit.empirics.models.multitask_layout import Rows


class TaskStep:
    """Look-ups and loss gradient of one task, for every member at once.

    With x = U[a] + V[b] + T[t], z = Ax, h = σ(z), q = softmax(Wh) and y the labels' indicator,

        G = (q − y)·weight,  ∂L/∂W = Gh,  ∂L/∂z = (GᵀW)·σ'(z),  ∂L/∂A = (∂L/∂z)ᵀx,  ∂L/∂x = Aᵀ∂L/∂z

    Look-ups and their gradient are both sums over bags of rows; padding is in no bag of the gradient.

    Args:
        rows: Of the task.
        n_rows: Of all parameters of a member.
        pairs: (M, R) pairs a·S + b of the examples, padded.
        labels: (M, R) classes.
        is_train: (M, R) 1 for training examples, 0 for others and for padding.
        activation: σ.
    """

    def __init__(
        self, *, rows: Rows, n_rows: int, pairs: Tensor, labels: Tensor, is_train: Tensor, activation: str
    ) -> None:
        n_members, n_examples = pairs.shape
        n_symbols, device = rows.n_symbols, pairs.device
        self.rows, self.labels, self.is_train, self.activation = rows, labels[:, None], is_train, activation
        first, second = pairs // n_symbols, pairs % n_symbols  # (M, R) each
        parts = [rows.first + first, rows.second + second]
        if rows.token is not None:
            parts.append(torch.full_like(pairs, rows.token))
        member = torch.arange(n_members, device=device)[:, None]  # (M, 1)
        self.bags = (torch.stack(parts, 2) + member[:, :, None] * n_rows).flatten(0, 1)  # (M·R, 2 or 3)
        # Bag 2S·member + symbol holds the examples with that first operand, those of second operands follow.
        holder = torch.stack([first, second + n_symbols]) + 2 * n_symbols * member  # (2, M, R)
        holder, example = holder.flatten(), torch.arange(n_members * n_examples, device=device).repeat(2)
        used = (is_train > 0).flatten().repeat(2)
        order = holder[used].argsort(stable=True)
        self.examples = example[used][order]  # (n,)
        counts = torch.bincount(holder[used], minlength=2 * n_symbols * n_members)  # (M·2S,)
        self.offsets = counts.cumsum(0) - counts  # (M·2S,)

    def hidden(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs x, sums z and units h of the block, (M, R, H) each, for parameters (M, n_rows, H)."""
        n_members, _, width = theta.shape
        x = embedding_bag(self.bags, theta.view(-1, width), mode="sum").view(n_members, -1, width)  # (M, R, H)
        z = x if self.rows.block is None else torch.bmm(x, theta[:, self.rows.block].mT)  # (M, R, H)
        return x, z, z * z if self.activation == "square" else z.clamp_min(0)

    def logits(self, theta: Tensor) -> Tensor:
        """Logits of the step's pairs, (M, C, R)."""
        _, _, hidden = self.hidden(theta)
        return torch.bmm(theta[:, self.rows.head], hidden.mT)

    def add_gradient(self, theta: Tensor, grad: Tensor, weights: Tensor) -> None:
        """Add the gradient of Σ weight·cross-entropy to ``grad`` (M, n_rows, H); weights (M, 1, R) are 0 in padding."""
        n_members, _, width = theta.shape
        x, z, hidden = self.hidden(theta)
        head = theta[:, self.rows.head]  # (M, C, H)
        residual = residual_of(torch.softmax(torch.bmm(head, hidden.mT), 1), self.labels, weights)  # (M, C, R)
        grad[:, self.rows.head] += torch.bmm(residual, hidden)  # (M, C, H)
        back = torch.bmm(residual.mT, head)  # (M, R, H)
        back = back.mul_(z).mul_(2) if self.activation == "square" else back.mul_(z > 0)
        if self.rows.block is not None:
            grad[:, self.rows.block] += torch.bmm(back.mT, x)  # (M, H, H)
            back = torch.bmm(back, theta[:, self.rows.block])  # (M, R, H)
        flat, n_symbols = back.view(-1, width), self.rows.n_symbols
        by_symbol = embedding_bag(self.examples, flat, self.offsets, mode="sum").view(
            n_members, -1, width
        )  # (M, 2S, H)
        grad[:, self.rows.first : self.rows.first + n_symbols] += by_symbol[:, :n_symbols]
        grad[:, self.rows.second : self.rows.second + n_symbols] += by_symbol[:, n_symbols:]
        if self.rows.token is not None:
            # Every example has the token once.
            grad[:, self.rows.token] += by_symbol[:, :n_symbols].sum(1)  # (M, H)
