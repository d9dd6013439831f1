"""Loss and gradient of many pair-MLPs at once, by hand: two table look-ups, one product, no one-hot matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from dcrit.theory.problem import Activation


@dataclass(kw_only=True)
class PairMLPs:
    """M independent pair-MLPs, logits(a, b) = W·σ(U[a] + V[b]), as one tensor.

    Attributes:
        theta: U over V over W, (M, 2S + C, H) for S symbols, C classes and H hidden units:
            column i of a member is hidden unit i.
        activation: σ.
        n_classes: C; None for as many as symbols.
    """

    theta: Tensor
    activation: Activation
    n_classes: int | None = None

    @property
    def n_symbols(self) -> int:
        """S, symbols an operand can be."""
        n_rows = self.theta.shape[1]
        return n_rows // 3 if self.n_classes is None else (n_rows - self.n_classes) // 2

    def split(self, tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """U and V, each (M, S, H), and W, (M, C, H), of a tensor shaped as ``theta``."""
        n_symbols = self.n_symbols
        return tensor[:, :n_symbols], tensor[:, n_symbols : 2 * n_symbols], tensor[:, 2 * n_symbols :]

    def logits_of_all_pairs(self) -> Tensor:
        """Logits of all ordered pairs, row-major in (a, b): (M, C, S²)."""
        first, second, unembed = self.split(self.theta)
        hidden = first[:, :, None, :] + second[:, None, :, :]  # (M, S, S, H)
        hidden = hidden.square_() if self.activation == "square" else hidden.relu_()
        return torch.bmm(unembed, hidden.flatten(1, 2).mT)  # (M, C, S²)

    def neuron_squared_norms(self) -> Tensor:
        """‖θ_i‖² of every hidden unit i: (M, H), in float64."""
        return self.theta.double().square().sum(1)


class TrainingStep:
    """Gradient of the mean cross-entropy of every member over its own training set.

    With z = U[a] + V[b], h = σ(z), q = softmax(Wh) and y the labels' indicator,

        G = (q − y)/D,  ∂L/∂W = Gh,  ∂L/∂z = (GᵀW)·σ'(z),  ∂L/∂U[a] = Σ_{examples with a} ∂L/∂z.

    Logits are kept class-major, (C, R): rows of examples are long and C is often odd, so products
    and the softmax vectorize over examples. Buffers are allocated once. Rows that only pad a member
    have weight zero.

    Args:
        symbols: (M, R, 2) first and second operand of every training example.
        labels: (M, R) classes.
        weights: (M, R) 1/D for training examples, 0 for padding.
        width: H.
        n_symbols: S.
        dtype: Of parameters and gradients.
        n_classes: C; None for as many as symbols.
    """

    def __init__(
        self,
        *,
        symbols: Tensor,
        labels: Tensor,
        weights: Tensor,
        width: int,
        n_symbols: int,
        dtype: torch.dtype,
        n_classes: int | None = None,
    ) -> None:
        n_members, n_rows, _ = symbols.shape
        device = symbols.device
        n_classes = n_symbols if n_classes is None else n_classes
        member = torch.arange(n_members, device=device)[:, None, None] * (2 * n_symbols + n_classes)  # (M, 1, 1)
        second = torch.tensor([0, n_symbols], device=device)  # V's rows lie behind U's
        self.bags = (symbols + second + member).reshape(-1, 2).contiguous()  # (M·R, 2)
        self.first, self.second = self.bags[:, 0].contiguous(), self.bags[:, 1].contiguous()  # (M·R,) each
        self.labels = labels[:, None]  # (M, 1, R)
        self.weights = weights.to(dtype)[:, None]  # (M, 1, R)
        self.target = -self.weights  # (M, 1, R)
        self.logits = torch.empty(n_members, n_classes, n_rows, dtype=dtype, device=device)  # (M, C, R)
        self.grad_hidden = torch.empty(n_members, n_rows, width, dtype=dtype, device=device)  # (M, R, H)
        self.hidden = torch.empty_like(self.grad_hidden)  # (M, R, H)

    def gradient(self, models: PairMLPs, grad: Tensor) -> None:
        """Overwrite ``grad`` (M, 2S + C, H) with the gradient in all parameters."""
        n_members, n_rows, width = self.hidden.shape
        _, _, unembed = models.split(models.theta)  # (M, C, H)
        summed = embedding_bag(self.bags, models.theta.view(-1, width), mode="sum")  # (M·R, H)
        summed = summed.view(n_members, n_rows, width)  # (M, R, H)
        if models.activation == "square":
            torch.mul(summed, summed, out=self.hidden)
        else:
            torch.clamp_min(summed, 0, out=self.hidden)
        torch.bmm(unembed, self.hidden.mT, out=self.logits)  # (M, C, R)
        residual = torch.softmax(self.logits, 1)  # (M, C, R)
        residual.mul_(self.weights).scatter_add_(1, self.labels, self.target)  # (q − y)/D
        grad_first, grad_second, grad_unembed = models.split(grad)  # (M, S, H) twice, (M, C, H)
        torch.bmm(residual, self.hidden, out=grad_unembed)  # (M, C, H)
        torch.bmm(residual.mT, unembed, out=self.grad_hidden)  # (M, R, H)
        if models.activation == "square":
            self.grad_hidden.mul_(summed).mul_(2)
        else:
            self.grad_hidden.mul_(self.hidden > 0)
        grad_first.zero_()
        grad_second.zero_()
        flat = self.grad_hidden.view(-1, width)  # (M·R, H)
        grad.view(-1, width).index_add_(0, self.first, flat).index_add_(0, self.second, flat)
