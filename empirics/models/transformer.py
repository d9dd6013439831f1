"""Loss and gradient of many one-layer transformers at once, by hand: all of attention comes from tables of symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from dcrit.empirics.models.family import Examples
from dcrit.empirics.models.loss import residual_of
from dcrit.empirics.models.transformer_weights import Weights, heads, split
from dcrit.theory.families.transformer import EXPANSION, N_HEADS
from dcrit.theory.problems.problem import Problem

#: Hidden units of a member's examples beyond this are taken in pieces, which stay in a core's cache [bytes].
PIECE_BYTES = 1 << 20

#: Rows of a piece are a multiple of this: whole vector registers.
PIECE_ROWS = 16


@dataclass(kw_only=True)
class Transformers:
    """M independent transformers on [a, b, =], answered at ``=``, as one tensor.

    x = tokens + positions, then in each layer x ← x + attention(x), x ← x + outwardᵀ·σ(inward·x), and
    logits = unembed·x; causal attention by four heads, no LayerNorm, no biases.

    Attributes:
        theta: Token embeddings over positions over each layer's matrices over the unembedding, (M, N/d, d).
        activation: σ of the feed-forward block.
        n_classes: C.

    Source: nanda2023.
    """

    theta: Tensor
    activation: str
    n_classes: int

    @property
    def depth(self) -> int:
        """Layers."""
        return 1

    @property
    def weights(self) -> Weights:
        """Views of ``theta``."""
        return split(self.theta, self.depth, self.n_classes)

    def logits_of_all_pairs(self) -> Tensor:
        """Logits of all ordered pairs, row-major in (a, b): (M, C, S²)."""
        n_members, _, width = self.theta.shape
        weights = self.weights
        (layer,) = weights.layers
        n_symbols = weights.tokens.shape[1] - 1
        pairs = torch.arange(n_symbols**2, device=self.theta.device)  # (S²,)
        symbols = torch.stack([pairs // n_symbols, pairs % n_symbols], 1).expand(n_members, -1, -1)  # (M, S², 2)
        rows = table_rows(symbols, n_symbols)  # (2, M·S², 4)
        table = Tables(weights)
        scores = table.scores.take(rows)  # (2, M·S², 4)
        attention = torch.softmax(torch.cat([scores, torch.zeros_like(scores[:1])]), 0)[:2]  # (2, M·S², 4)
        summed = embedding_bag(
            rows.transpose(0, 1).flatten(1),
            table.moved.view(-1, width),
            per_sample_weights=attention.transpose(0, 1).flatten(1),
            mode="sum",
        )  # (M·S², d)
        residual = summed.view(n_members, -1, width) + table.unmixed()  # (M, S², d)
        hidden = torch.bmm(residual, layer.inward.mT)  # (M, S², 4d)
        hidden = hidden.square_() if self.activation == "square" else hidden.relu_()
        return torch.bmm(weights.unembed, torch.baddbmm(residual, hidden, layer.outward).mT)  # (M, C, S²)

    def neuron_squared_norms(self) -> Tensor:
        """‖θ_i‖² of every unit i, in float64: (M, units); all units together are all parameters.

        Units are, in this order: embeddings of tokens (S + 1), embeddings of positions (3), in each
        layer heads (4; their query, key, value and output) and hidden units (4d; their incoming and
        outgoing weights), and unembeddings of classes (C).
        """
        weights = split(self.theta.double().square(), self.depth, self.n_classes)
        norms = [weights.tokens.sum(2), weights.positions.sum(2)]
        for layer in weights.layers:
            attention = layer.query + layer.key + layer.value + layer.output  # (M, d, d)
            norms += [heads(attention).sum((2, 3)), (layer.inward + layer.outward).sum(2)]
        return torch.cat([*norms, weights.unembed.sum(2)], 1)  # (M, units)


def table_rows(symbols: Tensor, n_symbols: int) -> Tensor:
    """Where tables hold what each head meets at the two operands of each example.

    A member's block of a table holds, head by head, S rows for symbols at position 0, S for symbols
    at position 1 and one for ``=``.

    Args:
        symbols: (M, R, 2) operands.
        n_symbols: S.

    Returns:
        (2, M·R, 4) rows of tables (M·4·(2S + 1), …).
    """
    n_members, n_rows, _ = symbols.shape
    inputs = torch.stack([symbols[..., 0], symbols[..., 1] + n_symbols])  # (2, M, R)
    blocks = torch.arange(n_members * N_HEADS, device=symbols.device).view(n_members, 1, N_HEADS)  # (M, 1, 4)
    return (inputs[..., None] + (2 * n_symbols + 1) * blocks).view(2, n_members * n_rows, N_HEADS)


class Tables:
    """What the last position's attention computes of each possible input, before it is mixed.

    Scores and weighted sums only see inputs relative to that of ``=``, as attention weights add up to one.
    With δ = x − x₌ for a symbol at its position, and q = query·x₌, which no example changes:

        u_h = key_hᵀ·q_h/√(d/4),  score_h(δ) = u_h·δ,  moved_h(δ) = output_hᵀ·value_h·δ

    Args:
        weights: Of one-layer transformers.

    Attributes:
        inputs: δ of symbols at position 0, of symbols at position 1, and x₌ itself, (M, K, d) with K = 2S + 1.
        query: q by heads, (M·4, d/4, 1), divided by √(d/4).
        key: Key matrices by heads, (M·4, d/4, d).
        probes: u, (M, 4, d).
        scores: (M, 4, K).
        values: value_h·δ, (M·4, K, d/4).
        output: Output matrices by heads, (M·4, d/4, d).
        moved: (M·4, K, d).
    """

    def __init__(self, weights: Weights) -> None:
        (layer,) = weights.layers
        n_members, n_tokens, width = weights.tokens.shape
        n_symbols = n_tokens - 1
        last = weights.tokens[:, n_symbols:] + weights.positions[:, 2:]  # (M, 1, d)
        origin = weights.positions[:, :2] - last  # (M, 2, d)
        placed = weights.tokens[:, None, :n_symbols] + origin[:, :, None]  # (M, 2, S, d)
        self.inputs = torch.cat([placed.flatten(1, 2), last], 1)  # (M, K, d)
        n_inputs, blocks = 2 * n_symbols + 1, (n_members * N_HEADS, width // N_HEADS)
        query = torch.bmm(layer.query, last.mT)  # (M, d, 1)
        self.query = query.view(*blocks, 1).div_(math.sqrt(blocks[1]))  # (M·4, d/4, 1)
        self.key = layer.key.reshape(*blocks, width)  # (M·4, d/4, d)
        self.probes = torch.bmm(self.query.mT, self.key).view(n_members, N_HEADS, width)  # (M, 4, d)
        self.scores = torch.bmm(self.probes, self.inputs.mT)  # (M, 4, K)
        values = torch.bmm(self.inputs, layer.value.mT)  # (M, K, d)
        by_heads = values.unflatten(2, (N_HEADS, -1)).transpose(1, 2)  # (M, 4, K, d/4)
        self.values = by_heads.reshape(blocks[0], n_inputs, blocks[1])  # (M·4, K, d/4)
        self.output = layer.output.reshape(*blocks, width)  # (M·4, d/4, d)
        self.moved = torch.bmm(self.values, self.output)  # (M·4, K, d)

    def unmixed(self) -> Tensor:
        """The part of the residual stream that is the same in all examples, (M, 1, d)."""
        moved = self.moved[:, -1].view(-1, N_HEADS, self.moved.shape[2])  # (M, 4, d)
        return self.inputs[:, -1:] + moved.sum(1, keepdim=True)

    def backward(self, weights: Weights, grad: Weights, *, scores: Tensor, moved: Tensor, unmixed: Tensor) -> None:
        """Overwrite the gradients of embeddings and attention, from those of the tables.

        Args:
            weights: What the tables were made of.
            grad: Gradients, overwritten but for the feed-forward block's and the unembedding's.
            scores: ∂L/∂scores, (M, 4, K), zero in its last column.
            moved: ∂L/∂moved, (M, 4, K, d); its last row is overwritten.
            unmixed: ∂L/∂unmixed, (M, d).
        """
        (layer,), (grad_layer,) = weights.layers, grad.layers
        n_members, n_inputs, width = self.inputs.shape
        n_symbols, head = n_inputs // 2, width // N_HEADS
        moved[:, :, -1] = unmixed[:, None]
        flat = moved.flatten(0, 1)  # (M·4, K, d)
        heads(grad_layer.output).copy_(torch.bmm(self.values.mT, flat).view(n_members, N_HEADS, head, width))
        by_heads = torch.bmm(flat, self.output.mT).view(n_members, N_HEADS, n_inputs, head)  # (M, 4, K, d/4)
        values = by_heads.transpose(1, 2).reshape(n_members, n_inputs, width)  # (M, K, d)
        grad_layer.value.copy_(torch.bmm(values.mT, self.inputs))
        inputs = torch.bmm(values, layer.value).baddbmm_(scores.mT, self.probes)  # (M, K, d)
        probes = torch.bmm(scores, self.inputs)  # (M, 4, d)
        query = torch.bmm(self.key, probes.view(-1, width, 1)).div_(math.sqrt(head))  # (M·4, d/4, 1)
        query = query.view(n_members, width, 1)  # (M, d, 1)
        torch.mul(self.query.view(n_members, N_HEADS, head, 1), probes[:, :, None], out=heads(grad_layer.key))
        torch.mul(query, self.inputs[:, -1:], out=grad_layer.query)
        placed = inputs[:, :-1].unflatten(1, (2, n_symbols))  # (M, 2, S, d)
        positions = placed.sum(2)  # (M, 2, d)
        last = inputs[:, -1] + unmixed - positions.sum(1) + torch.bmm(query.mT, layer.query)[:, 0]  # (M, d)
        torch.sum(placed, 1, out=grad.tokens[:, :n_symbols])
        grad.tokens[:, n_symbols] = last
        grad.positions[:, :2] = positions
        grad.positions[:, 2] = last


class TrainingStep:
    """Gradient of the mean cross-entropy of every one-layer transformer over its own training set.

    Without LayerNorm, with one layer and only the last position read, an example differs from others
    by its attention weights α alone: the residual stream after attention is

        r = unmixed + Σ_{operand j, head h} α_hj·moved_h(δ_j),  α_h = softmax(score_h(δ_a), score_h(δ_b), 0)

    a weighted sum of 8 table rows. Backward, the rows' gradients are weighted sums over examples, the
    same operation with the roles of rows and examples exchanged. What is left to products over
    examples is the feed-forward block at the last position and the unembedding.

    Args:
        problem: Has d, S and C.
        examples: The training sets.
        dtype: Of parameters and gradients.
    """

    def __init__(self, problem: Problem, examples: Examples, dtype: torch.dtype) -> None:
        symbols, labels, weights = examples.symbols, examples.labels, examples.weights
        width, n_symbols, n_classes = problem.width, problem.n_symbols, problem.n_classes
        n_members, n_rows, _ = symbols.shape
        device, n_table = symbols.device, n_members * N_HEADS * (2 * n_symbols + 1)
        self.rows = table_rows(symbols, n_symbols)  # (2, M·R, 4)
        self.bags = self.rows.transpose(0, 1).flatten(1)  # (M·R, 8)
        self.operands = self.rows.view(-1)  # (2·M·R·4,)
        self.order = torch.argsort(self.operands, stable=True)  # (2·M·R·4,)
        self.examples = self.order // N_HEADS % (n_members * n_rows)  # (2·M·R·4,)
        self.offsets = torch.searchsorted(self.operands[self.order], torch.arange(n_table, device=device))  # (M·4·K,)
        self.labels = labels[:, None]  # (M, 1, R)
        self.weights = weights.to(dtype)[:, None]  # (M, 1, R)
        self.pieces = pieces(n_members, n_rows, EXPANSION * width * self.weights.element_size(), device.type)
        members, rows = self.pieces[0]
        n_some, n_part = members.stop, rows.stop
        # Scores of a, b and =; the last stay zero.
        self.scores = torch.zeros(3, n_members * n_rows, N_HEADS, dtype=dtype, device=device)  # (3, M·R, 4)
        self.grad_stream = torch.empty(n_members, n_rows, width, dtype=dtype, device=device)  # (M, R, d)
        # One piece, of m members and r rows each.
        self.logits = torch.empty(n_some * n_classes * n_part, dtype=dtype, device=device)  # (m·C·r,)
        self.stream = torch.empty(n_some * n_part * width, dtype=dtype, device=device)  # (m·r·d,)
        self.hidden = torch.empty(n_some * n_part * EXPANSION * width, dtype=dtype, device=device)  # (m·r·4d,)
        self.grad_hidden = torch.empty_like(self.hidden)  # (m·r·4d,)
        # Products are batched only into tensors of their own: into views of all gradients, members go one by one.
        self.grad_inward = torch.empty(n_members, EXPANSION * width, width, dtype=dtype, device=device)  # (M, 4d, d)
        self.grad_outward = torch.empty_like(self.grad_inward)  # (M, 4d, d)
        self.grad_unembed = torch.empty(n_members, n_classes, width, dtype=dtype, device=device)  # (M, C, d)

    def gradient(self, models: Transformers, grad: Tensor) -> None:
        """Overwrite ``grad`` (M, N/d, d) with the gradient in all parameters."""
        n_members, n_rows, width = self.grad_stream.shape
        weights, gradients = models.weights, split(grad, 1, models.n_classes)
        table = Tables(weights)
        torch.take(table.scores, self.rows, out=self.scores[:2])
        attention = torch.softmax(self.scores, 0)[:2]  # (2, M·R, 4)
        bag_weights = attention.transpose(0, 1).flatten(1).requires_grad_()  # (M·R, 8)
        with torch.enable_grad():
            # Autograd alone offers the gradient in a bag's weights without gathering the bag's rows.
            summed = embedding_bag(self.bags, table.moved.view(-1, width), per_sample_weights=bag_weights, mode="sum")
        residual = summed.detach().view(n_members, n_rows, width).add_(table.unmixed())  # (M, R, d)
        for members, rows in self.pieces:
            self._products(members, rows, weights, residual[members, rows], models.activation)
        gradients.layers[0].inward.copy_(self.grad_inward)
        gradients.layers[0].outward.copy_(self.grad_outward)
        gradients.unembed.copy_(self.grad_unembed)

        flat = self.grad_stream.view(-1, width)  # (M·R, d)
        (grad_bag_weights,) = torch.autograd.grad(summed, bag_weights, flat)  # (M·R, 8)
        slope = grad_bag_weights.view(-1, 2, N_HEADS).transpose(0, 1).contiguous()  # (2, M·R, 4)
        slope.mul_(attention)
        slope.addcmul_(attention, slope.sum(0), value=-1)  # through the softmax over positions
        scores = torch.zeros_like(table.scores)  # (M, 4, K)
        scores.view(-1).index_add_(0, self.operands, slope.view(-1))
        moved = embedding_bag(
            self.examples, flat, self.offsets, per_sample_weights=attention.view(-1)[self.order], mode="sum"
        ).view(n_members, N_HEADS, -1, width)  # (M, 4, K, d)
        table.backward(weights, gradients, scores=scores, moved=moved, unmixed=self.grad_stream.sum(1))

    def _products(self, members: slice, rows: slice, weights: Weights, residual: Tensor, activation: str) -> None:
        """Gradients of a piece in the feed-forward block, the unembedding and the residual stream after attention.

        Args:
            members: Which.
            rows: Of their examples.
            weights: Of all members.
            residual: Their residual stream after attention, (m, r, d).
            activation: σ.
        """
        (layer,), first = weights.layers, rows.start == 0
        inward, outward, unembed = layer.inward[members], layer.outward[members], weights.unembed[members]
        n_some, n_part, width = residual.shape
        hidden, grad_hidden = (
            buffer[: n_some * n_part * EXPANSION * width].view(n_some, n_part, -1)
            for buffer in (self.hidden, self.grad_hidden)
        )  # (m, r, 4d) each
        stream = self.stream[: residual.numel()].view_as(residual)  # (m, r, d)
        logits = self.logits[: n_some * unembed.shape[1] * n_part].view(n_some, -1, n_part)  # (m, C, r)
        torch.bmm(residual, inward.mT, out=hidden)
        before = hidden.clone() if activation == "square" else hidden.clamp_min_(0)  # (m, r, 4d)
        if activation == "square":
            hidden.square_()
        torch.bmm(hidden, outward, out=stream).add_(residual)
        torch.bmm(unembed, stream.mT, out=logits)
        error = torch.softmax(logits, 1, out=logits)  # (m, C, r)
        residual_of(error, self.labels[members, :, rows], self.weights[members, :, rows])  # (q − y)/D

        add = 0 if first else 1  # what pieces before left in the buffers
        grad_stream = self.grad_stream[members, rows]  # (m, r, d)
        self.grad_unembed[members].baddbmm_(error, stream, beta=add)
        torch.bmm(error.mT, unembed, out=grad_stream)
        self.grad_outward[members].baddbmm_(hidden.mT, grad_stream, beta=add)
        torch.bmm(grad_stream, outward.mT, out=grad_hidden)
        if activation == "square":
            grad_hidden.mul_(before).mul_(2)
        else:
            torch.ops.aten.threshold_backward.grad_input(grad_hidden, before, 0, grad_input=grad_hidden)
        self.grad_inward[members].baddbmm_(grad_hidden.mT, residual, beta=add)
        grad_stream.baddbmm_(grad_hidden, inward)


def pieces(n_members: int, n_rows: int, row_bytes: int, device: str) -> list[tuple[slice, slice]]:
    """How products over examples are divided: all at once, or large members one by one, some rows at a time.

    A member is divided by its own size alone, hence in the same way in any batch.

    Args:
        n_members: M.
        n_rows: R.
        row_bytes: Of the hidden units of one example.
        device: Where; an accelerator takes all at once.

    Returns:
        Members and rows of every piece, the first one the largest.
    """
    n_parts = -(-n_rows * row_bytes // PIECE_BYTES)
    if n_parts == 1 or device != "cpu":
        return [(slice(0, n_members), slice(0, n_rows))]
    part = -(-n_rows // n_parts)
    part += -part % PIECE_ROWS
    return [
        (slice(member, member + 1), slice(start, min(start + part, n_rows)))
        for member in range(n_members)
        for start in range(0, n_rows, part)
    ]
