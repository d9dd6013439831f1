"""The slow, literal twin of the trainer: one-hot inputs, torch's layers, autograd, plain AdamW, one run at a time."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dcrit.empirics.runs.single import DEFICIT_QUANTILES, RunConfig
from dcrit.empirics.training.ensemble import draw


class OneHotPairMLP(nn.Module):
    """logits = W·σ(E·[one-hot(a), one-hot(b)])."""

    def __init__(self, config: RunConfig, theta: Tensor) -> None:
        super().__init__()
        problem = config.problem
        self.activation = problem.activation
        self.embed = nn.Linear(2 * problem.n_symbols, problem.width, bias=False, dtype=theta.dtype)
        self.unembed = nn.Linear(problem.width, problem.n_classes, bias=False, dtype=theta.dtype)
        with torch.no_grad():
            self.embed.weight.copy_(theta[: 2 * problem.n_symbols].T)
            self.unembed.weight.copy_(theta[2 * problem.n_symbols :])

    def forward(self, one_hot: Tensor) -> Tensor:
        hidden = self.embed(one_hot)
        return self.unembed(hidden**2 if self.activation == "square" else torch.relu(hidden))

    def incoming_and_outgoing(self) -> Tensor:
        """All weights of hidden unit i in row i."""
        return torch.cat([self.embed.weight, self.unembed.weight.T], dim=1)


def one_hot_pairs(n_symbols: int, dtype: torch.dtype) -> Tensor:
    """Every ordered pair (a, b), row-major, as two one-hot vectors side by side."""
    rows = torch.zeros(n_symbols**2, 2 * n_symbols, dtype=dtype)
    for a in range(n_symbols):
        for b in range(n_symbols):
            rows[a * n_symbols + b, a] = 1
            rows[a * n_symbols + b, n_symbols + b] = 1
    return rows


def train_literally(config: RunConfig) -> tuple[dict[str, np.ndarray], OneHotPairMLP]:
    """Curves by name over the whole horizon, and the trained network."""
    problem, start = config.problem, draw(config)
    model = OneHotPairMLP(config, start.theta)
    inputs = one_hot_pairs(problem.n_symbols, start.theta.dtype)
    chosen = set(start.train.tolist())
    train = torch.tensor(sorted(chosen))
    test = torch.tensor([pair for pair in range(problem.n_pairs) if pair not in chosen], dtype=torch.int64)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=problem.learning_rate,
        betas=(0.9, problem.beta2),
        eps=problem.epsilon,
        weight_decay=problem.weight_decay,
        fused=False,
        foreach=False,
    )
    rows: list[dict[str, float]] = []
    evaluate_at = set(config.evaluation_steps())
    for step in range(config.horizon + 1):
        if step in evaluate_at:
            rows.append({"step": step} | _losses(model, inputs, start.labels, train, test) | _norms(model, config))
        optimizer.zero_grad()
        cross_entropy(model(inputs[train]), start.labels[train]).backward()
        if step < config.horizon:
            optimizer.step()
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}, model


@torch.no_grad()
def _norms(model: OneHotPairMLP, config: RunConfig) -> dict[str, float]:
    units = model.incoming_and_outgoing().double().tolist()
    weights = [weight for unit in units for weight in unit]
    decay = config.problem.weight_decay
    return {
        "squared_norm": sum(weight**2 for weight in weights),
        "neuron_norm": sum(math.hypot(*unit) ** 3 for unit in units) ** (1 / 3),
        "max_norm": max(abs(weight) for weight in weights),
        "barrier_norm": sum(_barrier(decay * abs(weight)) for weight in weights) / decay**2,
    }


@torch.no_grad()
def _losses(model: OneHotPairMLP, inputs: Tensor, labels: Tensor, train: Tensor, test: Tensor) -> dict[str, float]:
    columns: dict[str, float] = {}
    deficits: list[float] = []
    for name, pairs in (("train", train), ("test", test)):
        logits, classes = model(inputs[pairs]).double(), labels[pairs]
        deficits = [
            max(value for c, value in enumerate(row) if c != label) - row[label]
            for row, label in zip(logits.tolist(), classes.tolist(), strict=True)
        ]
        columns[f"{name}_loss"] = cross_entropy(logits, classes).item() if deficits else math.nan
        columns[f"{name}_accuracy"] = sum(d < 0 for d in deficits) / len(deficits) if deficits else math.nan
    for name, level in zip(("low", "median", "high"), DEFICIT_QUANTILES, strict=True):
        columns[f"deficit_{name}"] = _quantile(deficits, level)
    return columns


def _barrier(load: float) -> float:
    return -2 * (load + math.log1p(-load)) if load < 1 else math.inf


def _quantile(values: list[float], level: float) -> float:
    """Linear interpolation between order statistics; NaN of nothing."""
    if not values:
        return math.nan
    ordered, place = sorted(values), level * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
