"""Loss and gradient of many pair-MLPs at once, by hand: two table look-ups, one product, no one-hot matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from dcrit.empirics.residual import residual_of
from dcrit.theory.problem import Activation

#: Buffers of a training step should stay in a core's cache [bytes].
STEP_CACHE_BYTES = 3 << 20


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
    and the softmax vectorize over examples. Look-ups and their gradient are both sums over bags of rows.
    Members are taken a few at a time, so that the buffers they share stay in a core's cache. Rows that
    only pad a member have weight zero and are in no bag of the gradient.

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
        device, n_classes = symbols.device, n_symbols if n_classes is None else n_classes
        self.at_once = members_at_once(
            n_members, n_rows, width=width, n_classes=n_classes, dtype=dtype, device=device.type
        )
        self.pieces = [
            _Piece(
                members=slice(start, start + self.at_once),
                symbols=symbols[start : start + self.at_once],
                labels=labels[start : start + self.at_once],
                weights=weights[start : start + self.at_once].to(dtype),
                n_symbols=n_symbols,
                n_classes=n_classes,
            )
            for start in range(0, n_members, self.at_once)
        ]
        self.logits = torch.empty(self.at_once, n_classes, n_rows, dtype=dtype, device=device)  # (m, C, R)
        self.hidden = torch.empty(self.at_once, n_rows, width, dtype=dtype, device=device)  # (m, R, H)
        self.unembed = torch.empty(self.at_once, n_classes, width, dtype=dtype, device=device)  # (m, C, H)
        self.grad_unembed = torch.empty_like(self.unembed)  # (m, C, H)

    def gradient(self, models: PairMLPs, grad: Tensor) -> None:
        """Overwrite ``grad`` (M, 2S + C, H) with the gradient in all parameters."""
        for piece in self.pieces:
            part = replace(models, theta=models.theta[piece.members])
            self._gradient(piece, part, grad[piece.members])

    def _gradient(self, piece: _Piece, models: PairMLPs, grad: Tensor) -> None:
        n_members, _, width = models.theta.shape
        logits, spare = self.logits[:n_members], self.hidden[:n_members]  # (m, C, R), (m, R, H)
        # Products of many matrices want theirs next to each other: W as a part of all parameters costs a third more.
        unembed = self.unembed[:n_members].copy_(models.theta[:, 2 * models.n_symbols :])  # (m, C, H)
        summed = embedding_bag(piece.pairs, models.theta.view(-1, width), mode="sum").view_as(spare)  # (m, R, H)
        square = models.activation == "square"
        hidden = torch.mul(summed, summed, out=spare) if square else summed.clamp_min_(0)  # (m, R, H)
        torch.bmm(unembed, hidden.mT, out=logits)  # (m, C, R)
        residual = residual_of(torch.softmax(logits, 1, out=logits), piece.labels, piece.weights)  # (m, C, R)
        grad_unembed = torch.bmm(residual, hidden, out=self.grad_unembed[:n_members])  # (m, C, H)
        grad[:, 2 * models.n_symbols :] = grad_unembed
        # From here on h is needed for relu alone, and z for the square, whose h may be overwritten.
        if square:
            # Twice W instead of twice the product: a power of two is exact, and W is smaller.
            grad_hidden = torch.bmm(residual.mT, unembed.mul_(2), out=spare).mul_(summed)  # (m, R, H)
        else:
            grad_hidden = torch.bmm(residual.mT, unembed, out=spare)  # (m, R, H)
            torch.ops.aten.threshold_backward.grad_input(grad_hidden, hidden, 0, grad_input=grad_hidden)
        flat = grad_hidden.view(-1, width)  # (m·R, H)
        by_symbol = embedding_bag(piece.examples, flat, piece.offsets, mode="sum")  # (m·2S, H)
        grad[:, : 2 * models.n_symbols] = by_symbol.view(n_members, -1, width)


class _Piece:
    """What a step has to know of some members: which rows to look up, which examples share a symbol, and labels.

    Attributes:
        members: Which of all members.
        pairs: (m·R, 2) rows of U and V, in all parameters of these members, of every example.
        examples: (n,) examples in the order of the symbol they have, then their own, padding left out.
        offsets: (m·2S,) where in ``examples`` those of each symbol begin.
        labels: (m, 1, R) classes.
        weights: (m, 1, R) 1/D, 0 in padding.
    """

    def __init__(
        self, *, members: slice, symbols: Tensor, labels: Tensor, weights: Tensor, n_symbols: int, n_classes: int
    ) -> None:
        n_members, n_rows, _ = symbols.shape
        device = symbols.device
        self.members = members
        member = torch.arange(n_members, device=device)[:, None, None]  # (m, 1, 1)
        behind = torch.tensor([0, n_symbols], device=device)  # V's rows lie behind U's
        rows = symbols + behind  # (m, R, 2)
        self.pairs = (rows + member * (2 * n_symbols + n_classes)).reshape(-1, 2).int()  # (m·R, 2)
        example = torch.arange(n_members * n_rows, device=device).view(n_members, n_rows, 1).expand_as(rows)
        used = (weights > 0)[..., None].expand_as(rows)  # (m, R, 2)
        symbol, example = (rows + member * (2 * n_symbols))[used], example[used]  # (n,) each
        # A stable order keeps the order of summation, hence rounding, that of the examples.
        self.examples = example[torch.argsort(symbol, stable=True)].int()  # (n,)
        counts = torch.bincount(symbol, minlength=2 * n_symbols * n_members)  # (m·2S,)
        self.offsets = (counts.cumsum(0) - counts).int()  # (m·2S,)
        self.labels = labels[:, None]  # (m, 1, R)
        self.weights = weights[:, None]  # (m, 1, R)


def members_at_once(
    n_members: int, n_rows: int, *, width: int, n_classes: int, dtype: torch.dtype, device: str = "cpu"
) -> int:
    """Members whose step's buffers fit into a core's cache together, in pieces of equal size; all on an accelerator.

    Args:
        n_members: M.
        n_rows: R, rows of a member's training set.
        width: H.
        n_classes: C.
        dtype: Of parameters and gradients.
        device: Type of the device.
    """
    if device != "cpu":
        return n_members
    most = max(1, STEP_CACHE_BYTES // (dtype.itemsize * n_rows * (2 * width + n_classes)))
    n_pieces = -(-n_members // most)
    return -(-n_members // n_pieces)
