"""Loss and gradient of many pair-MLPs at once, by hand: two table look-ups, one product, no one-hot matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dcrit.empirics.models.family import Examples, Step, SymbolTables
from dcrit.empirics.models.loss import residual_of
from dcrit.theory.problems.problem import Problem

#: Buffers of a training step should stay in a core's cache [bytes]: those of several members, which change places
#: with the parameters of all, and those of a part of one member, whose W stays beside them.
STEP_CACHE_BYTES, PART_CACHE_BYTES = 3 << 20, 2 << 20

#: Float32 numbers of a vector register; rows in a multiple of it leave no remainder.
LANES = 16


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
    activation: str
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
    Members are taken a few at a time, so that the buffers they share stay in a core's cache. Of a member too large
    for it, examples are taken some at a time, in the order of their first symbol: then a piece has no gradient in
    U's rows before its own. Rows that only pad a member have weight zero and are in no bag of the gradient.

    Args:
        problem: Has H, S and C.
        examples: The training sets.
        dtype: Of parameters and gradients.
    """

    def __init__(self, problem: Problem, examples: Examples, dtype: torch.dtype) -> None:
        symbols, labels, weights = examples.symbols, examples.labels, examples.weights
        width, n_symbols, n_classes = problem.width, problem.n_symbols, problem.n_classes
        n_members, n_rows, _ = symbols.shape
        device = symbols.device
        n_some, n_part = piece_shape(
            n_members, n_rows, width=width, n_classes=n_classes, dtype=dtype, device=device.type
        )
        n_used = [n_rows] * n_members
        if n_part < n_rows:
            order = torch.argsort(torch.where(weights > 0, symbols[..., 0], n_symbols), dim=1, stable=True)  # (M, R)
            labels, weights = labels.gather(1, order), weights.gather(1, order)  # (M, R)
            symbols = symbols.gather(1, order[..., None].expand_as(symbols))  # (M, R, 2)
            n_used = (weights > 0).sum(1).tolist()  # padding comes last, and whole pieces of it are left out
        buffers = _Buffers(
            logits=torch.empty(n_some * n_classes * n_part, dtype=dtype, device=device),
            hidden=torch.empty(n_some * n_part * width, dtype=dtype, device=device),
            unembed=torch.empty(n_some, n_classes, width, dtype=dtype, device=device),
            grad_unembed=torch.empty(n_some, n_classes, width, dtype=dtype, device=device),
        )
        self.pieces = [
            _Piece(
                members=slice(first, first + n_some),
                symbols=symbols[first : first + n_some, row : row + n_part],
                labels=labels[first : first + n_some, row : row + n_part],
                weights=weights[first : first + n_some, row : row + n_part].to(dtype),
                n_symbols=n_symbols,
                is_first=row == 0,
                is_last=row + n_part >= n_used[first],
                buffers=buffers,
            )
            for first in range(0, n_members, n_some)
            for row in range(0, n_used[first], n_part)
        ]
        self.bound: tuple[Tensor, Tensor] | None = None

    def gradient(self, models: PairMLPs, grad: Tensor) -> None:
        """Overwrite ``grad`` (M, 2S + C, H) with the gradient in all parameters."""
        # Views are made once for all steps: each takes as long as adding up a thousand numbers.
        if self.bound is None or self.bound[0] is not models.theta or self.bound[1] is not grad:
            for piece in self.pieces:
                piece.bind(models.theta, grad)
            self.bound = models.theta, grad
        # Without autograd's bookkeeping, which no_grad does not end, each of the calls is half a microsecond shorter.
        with torch.inference_mode():
            for piece in self.pieces:
                piece.gradient(models.activation)


@dataclass(frozen=True, kw_only=True)
class _Buffers:
    """What the pieces of a step use in turn, for m members and r rows at most.

    Attributes:
        logits: (m·C·r,).
        hidden: (m·r·H,).
        unembed: (m, C, H) W of the members at work.
        grad_unembed: (m, C, H) theirs, summed over pieces.
    """

    logits: Tensor
    hidden: Tensor
    unembed: Tensor
    grad_unembed: Tensor


class _Piece:
    """A part of a step: some members with all their examples, or some examples of one member.

    Args:
        members: Which of all members.
        symbols: (m, r, 2) operands.
        labels: (m, r) classes.
        weights: (m, r) 1/D, 0 in padding.
        n_symbols: S.
        is_first: The members' first examples are among these.
        is_last: Their last are.
        buffers: Shared by all pieces.
    """

    def __init__(
        self,
        *,
        members: slice,
        symbols: Tensor,
        labels: Tensor,
        weights: Tensor,
        n_symbols: int,
        is_first: bool,
        is_last: bool,
        buffers: _Buffers,
    ) -> None:
        n_members, n_rows, _ = symbols.shape
        _, n_classes, width = buffers.unembed.shape
        device = symbols.device
        self.members, self.is_first, self.is_last = members, is_first, is_last
        self.labels, self.weights = labels[:, None], weights[:, None]  # (m, 1, r) each
        used = weights > 0  # (m, r)
        first_symbol = 0 if is_first else int(symbols[..., 0][used].min())
        #: Rows of U and V that the gradient of this piece is added to, k of them, or all where it is the first.
        self.touched = slice(first_symbol, 2 * n_symbols)
        n_touched = 2 * n_symbols - first_symbol
        member = torch.arange(n_members, device=device)[:, None, None]  # (m, 1, 1)
        rows = symbols + torch.tensor([0, n_symbols], device=device)  # (m, r, 2), V's rows lie behind U's
        #: Rows of U and V, in all parameters of these members, of every example, and where those of each begin.
        self.pairs = (rows + member * (2 * n_symbols + n_classes)).flatten().int()  # (m·r·2,)
        self.pair_offsets = torch.arange(0, len(self.pairs), 2, device=device, dtype=torch.int32)  # (m·r,)
        used = used[..., None].expand_as(rows)  # (m, r, 2)
        example = torch.arange(n_members * n_rows, device=device).view(n_members, n_rows, 1).expand_as(rows)
        symbol, example = (rows - first_symbol + member * n_touched)[used], example[used]  # (n,) each
        # A stable order keeps the order of summation, hence rounding, that of the examples.
        #: Examples by the symbol they have, first or second, padding left out, and where those of each symbol begin.
        self.examples = example[torch.argsort(symbol, stable=True)].int()  # (n,)
        counts = torch.bincount(symbol, minlength=n_members * n_touched)  # (m·k,)
        self.offsets = (counts.cumsum(0) - counts).int()  # (m·k,)
        self.logits = buffers.logits[: n_members * n_classes * n_rows].view(n_members, n_classes, n_rows)  # (m, C, r)
        self.hidden = buffers.hidden[: n_members * n_rows * width].view(n_members, n_rows, width)  # (m, r, H)
        self.unembed, self.grad_unembed = buffers.unembed[:n_members], buffers.grad_unembed[:n_members]  # (m, C, H)

    def bind(self, theta: Tensor, grad: Tensor) -> None:
        """Take parameters from ``theta`` and put the gradient into ``grad``, each (M, 2S + C, H), from now on."""
        split = self.touched.stop
        self.theta = theta[self.members].view(-1, theta.shape[2])  # (m·(2S + C), H)
        self.theta_unembed = theta[self.members, split:]  # (m, C, H)
        self.grad_touched = grad[self.members, self.touched]  # (m, k, H)
        self.grad_theta_unembed = grad[self.members, split:]  # (m, C, H)

    def gradient(self, activation: str) -> None:
        """Overwrite the members' gradient where these are their first examples, else add to it."""
        # Products of many matrices want theirs next to each other: W as a part of all parameters costs a third more.
        if self.is_first:
            self.unembed.copy_(self.theta_unembed)
        summed = _sums_of_rows(self.theta, self.pairs, self.pair_offsets).view_as(self.hidden)  # (m, r, H)
        hidden = torch.square(summed, out=self.hidden) if activation == "square" else summed.clamp_min_(0)  # (m, r, H)
        torch.bmm(self.unembed, hidden.mT, out=self.logits)  # (m, C, r)
        probabilities = torch.softmax(self.logits, 1, out=self.logits)  # (m, C, r)
        residual = residual_of(probabilities, self.labels, self.weights)  # (m, C, r)
        before = 0 if self.is_first else 1
        torch.baddbmm(self.grad_unembed, residual, hidden, beta=before, out=self.grad_unembed)  # (m, C, H)
        if self.is_last:
            self.grad_theta_unembed.copy_(self.grad_unembed)
        # From here on h is needed for relu alone, and z for the square, whose h may be overwritten.
        if activation == "square":
            # A product times two costs nothing, and a power of two is exact.
            torch.baddbmm(self.hidden, residual.mT, self.unembed, beta=0, alpha=2, out=self.hidden)  # (m, r, H)
            self.hidden.mul_(summed)
        else:
            torch.bmm(residual.mT, self.unembed, out=self.hidden)  # (m, r, H)
            torch.ops.aten.threshold_backward.grad_input(self.hidden, hidden, 0, grad_input=self.hidden)
        by_symbol = _sums_of_rows(self.hidden.flatten(0, 1), self.examples, self.offsets)  # (m·k, H)
        gather = self.grad_touched.copy_ if self.is_first else self.grad_touched.add_
        gather(by_symbol.view_as(self.grad_touched))


def _sums_of_rows(table: Tensor, rows: Tensor, offsets: Tensor) -> Tensor:
    """Sum of the rows in every bag, (bags, columns); ``torch.nn.functional``'s checks take longer than small sums."""
    return torch.embedding_bag(table, rows, offsets)[0]


def piece_shape(
    n_members: int, n_rows: int, *, width: int, n_classes: int, dtype: torch.dtype, device: str = "cpu"
) -> tuple[int, int]:
    """Members and rows whose step's buffers fit into a core's cache together, in pieces of equal size.

    All rows of some members, or some rows of one; on an accelerator all of all.

    Args:
        n_members: M.
        n_rows: R, rows of a member's training set.
        width: H.
        n_classes: C.
        dtype: Of parameters and gradients.
        device: Type of the device.

    Returns:
        m and r.
    """
    if device != "cpu":
        return n_members, n_rows
    member_bytes = dtype.itemsize * n_rows * (2 * width + n_classes)
    if member_bytes <= STEP_CACHE_BYTES:
        n_pieces = math.ceil(n_members / (STEP_CACHE_BYTES // member_bytes))
        return math.ceil(n_members / n_pieces), n_rows
    n_parts = math.ceil(member_bytes / PART_CACHE_BYTES)
    return 1, min(n_rows, LANES * math.ceil(n_rows / n_parts / LANES))


class PairMLPArchitecture:
    """The architecture of the pair-MLP."""

    def initial(self, problem: Problem, generator: torch.Generator) -> Tensor:
        """U over V over W, (2S + C, H), as ``torch.nn.Linear`` starts: uniform within ±1/√fan_in.

        The embedding is seen as a layer on two one-hot vectors, of fan_in 2S.
        """
        n_symbols, width, n_classes = problem.n_symbols, problem.width, problem.n_classes

        def uniform(*shape: int, fan_in: int) -> Tensor:
            return (2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1) / fan_in**0.5

        embed = uniform(2 * n_symbols, width, fan_in=2 * n_symbols)  # (2S, H)
        unembed = uniform(n_classes, width, fan_in=width)  # (C, H)
        return torch.cat([embed, unembed])  # (2S + C, H)

    def networks(self, problem: Problem, theta: Tensor) -> PairMLPs:
        """Networks of parameters (M, 2S + C, H)."""
        return PairMLPs(theta=theta, activation=problem.activation, n_classes=problem.n_classes)

    def step(self, problem: Problem, examples: Examples, dtype: torch.dtype) -> Step[Any]:
        """A training step on the members' training sets."""
        return TrainingStep(problem, examples, dtype)

    def pair_logits(self, problem: Problem, theta: Tensor, symbols: Tensor) -> Tensor:
        """Logits on pairs (D, 2), (D, C)."""
        first, second, unembed = self._split(problem, theta)
        hidden = first[symbols[:, 0]] + second[symbols[:, 1]]  # (D, H)
        return (hidden.square() if problem.activation == "square" else hidden.relu()) @ unembed.T

    def symbol_tables(self, problem: Problem, theta: Tensor) -> SymbolTables:
        """U, V and W."""
        return SymbolTables(*self._split(problem, theta))

    def _split(self, problem: Problem, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second, unembed = theta.split([problem.n_symbols, problem.n_symbols, problem.n_classes])
        return first, second, unembed


ARCHITECTURE = PairMLPArchitecture()
