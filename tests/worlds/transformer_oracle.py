"""The slow, literal twin of the transformers: torch modules, three positions in full, autograd, plain AdamW."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.ensemble import draw
from dcrit.theory.problems.problem import Problem


class Attention(nn.Module):
    """Causal attention by four heads without biases."""

    def __init__(self, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = (
            nn.Linear(width, width, bias=False, dtype=dtype) for _ in range(4)
        )

    def forward(self, stream: Tensor) -> Tensor:
        n_rows, n_positions, width = stream.shape
        query, key, value = (
            layer(stream).view(n_rows, n_positions, 4, width // 4).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(width // 4)  # (R, 4, 3, 3)
        allowed = torch.tril(torch.ones(n_positions, n_positions, dtype=torch.bool))
        mixed = torch.softmax(scores.masked_fill(~allowed, -math.inf), 3) @ value  # (R, 4, 3, d/4)
        return self.output(mixed.transpose(1, 2).reshape(n_rows, n_positions, width))


class FeedForward(nn.Module):
    """Two linear layers with σ between them."""

    def __init__(self, width: int, activation: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.inward = nn.Linear(width, 4 * width, bias=False, dtype=dtype)
        self.outward = nn.Linear(4 * width, width, bias=False, dtype=dtype)
        self.activation = activation

    def forward(self, stream: Tensor) -> Tensor:
        hidden = self.inward(stream)
        return self.outward(hidden**2 if self.activation == "square" else torch.relu(hidden))


class PlainTransformer(nn.Module):
    """Decoder-only transformer on [a, b, =] that answers at the last position."""

    def __init__(self, problem: Problem, theta: Tensor) -> None:
        super().__init__()
        width, n_symbols, dtype = problem.width, problem.n_symbols, theta.dtype
        self.n_symbols = n_symbols
        self.tokens = nn.Embedding(n_symbols + 1, width, dtype=dtype)
        self.positions = nn.Embedding(3, width, dtype=dtype)
        self.layers = nn.ModuleList(
            nn.ModuleList([Attention(width, dtype), FeedForward(width, problem.activation, dtype)])
            for _ in range(problem.depth)
        )
        self.unembed = nn.Linear(width, problem.n_classes, bias=False, dtype=dtype)
        self.read(theta)

    def matrices(self) -> list[tuple[Tensor, bool]]:
        """Every parameter in the order of ``theta``, and whether it is stored there transposed."""
        found = [(self.tokens.weight, False), (self.positions.weight, False)]
        for attention, block in self.layers:  # pyright: ignore[reportGeneralTypeIssues]
            found += [(attention.query.weight, False), (attention.key.weight, False), (attention.value.weight, False)]
            found += [(attention.output.weight, True), (block.inward.weight, False), (block.outward.weight, True)]
        return [*found, (self.unembed.weight, False)]

    @torch.no_grad()
    def read(self, theta: Tensor) -> None:
        """Take over parameters (N/d, d)."""
        start = 0
        for parameter, transposed in self.matrices():
            target = parameter.T if transposed else parameter
            target.copy_(theta[start : start + len(target)])
            start += len(target)
        assert start == len(theta)

    def theta(self, *, gradient: bool = False) -> Tensor:
        """Parameters, or their gradients, as (N/d, d)."""
        found = [(parameter.grad if gradient else parameter, transposed) for parameter, transposed in self.matrices()]
        return torch.cat([matrix.detach().T if transposed else matrix.detach() for matrix, transposed in found])  # type: ignore[union-attr]

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (R, C) of pairs (R, 2)."""
        sequence = torch.cat([pairs, torch.full_like(pairs[:, :1], self.n_symbols)], 1)  # (R, 3)
        stream = self.tokens(sequence) + self.positions(torch.arange(3))  # (R, 3, d)
        for attention, block in self.layers:  # pyright: ignore[reportGeneralTypeIssues]
            stream = stream + attention(stream)
            stream = stream + block(stream)
        return self.unembed(stream)[:, -1]


def plain_optimizer(model: nn.Module, problem: Problem) -> torch.optim.Optimizer:
    """Torch's AdamW by the protocol."""
    return torch.optim.AdamW(
        model.parameters(),
        lr=problem.learning_rate,
        betas=(0.9, problem.beta2),
        eps=problem.epsilon,
        weight_decay=problem.weight_decay,
    )


def plain_step(model: nn.Module, optimizer: torch.optim.Optimizer, pairs: Tensor, labels: Tensor) -> float:
    """One step as everybody writes it; the loss before it."""
    optimizer.zero_grad()
    loss = cross_entropy(model(pairs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def training_set(config: RunConfig) -> tuple[Tensor, Tensor]:
    """Pairs (D, 2) and labels (D,) of one run."""
    start, n_symbols = draw(config), config.problem.n_symbols
    return torch.stack([start.train // n_symbols, start.train % n_symbols], 1), start.labels[start.train]


def trained_plainly(config: RunConfig, n_steps: int) -> tuple[list[float], PlainTransformer]:
    """Training loss before each step and after the last, and the network then."""
    model = PlainTransformer(config.problem, draw(config).theta)
    pairs, labels = training_set(config)
    optimizer = plain_optimizer(model, config.problem)
    losses: list[float] = []
    for _ in range(n_steps):
        losses.append(plain_step(model, optimizer, pairs, labels))
    return [*losses, cross_entropy(model(pairs), labels).item()], model
