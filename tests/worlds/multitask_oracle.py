"""The slow, literal twin of the multitask trainer: named matrices, autograd, torch's AdamW, one example at a time."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.empirics.training.multitask_ensemble import MultitaskDraw, draw_multitask


class LiteralMultitask:
    """One network on several tasks, cut out of the drawn parameters by counting rows."""

    def __init__(self, config: MultitaskConfig, theta: Tensor) -> None:
        self.config, self.matrices = config, dict[str, Tensor]()
        n_tasks, row = len(config.components), 0
        self.symbols = {self.table(k): config.problem(k).n_symbols for k in range(n_tasks)}
        self.all_blocks = list(dict.fromkeys(self.block(k) for k in range(n_tasks)))
        sizes = self.first_matrices()
        for head in dict.fromkeys(self.head(k) for k in range(n_tasks)):
            sizes[f"W{head}"] = max(config.problem(k).n_classes for k in range(n_tasks) if self.head(k) == head)
        for name, n_rows in sizes.items():
            self.matrices[name] = theta[row : row + n_rows].clone().requires_grad_()
            row += n_rows
        assert row == len(theta)

    def first_matrices(self) -> dict[str, int]:
        """Rows of every matrix before the heads, in the order in which they lie."""
        sizes = {f"{name}{table}": n for name in ("U", "V") for table, n in self.symbols.items()}
        if self.config.blocks == "shared":
            sizes |= {f"T{k}": 1 for k in range(len(self.config.components))}
        if self.config.embedding == "apart":
            sizes |= {f"A{block}": self.config.width for block in self.all_blocks}
        return sizes

    def table(self, task: int) -> str:
        """Which U and V a task reads."""
        config = self.config
        own = config.components[task].operands == "own"
        return str(task) if own or (config.blocks == "split" and config.embedding == "merged") else "shared"

    def block(self, task: int) -> str:
        """Which A."""
        return str(task) if self.config.blocks == "split" else "shared"

    def head(self, task: int) -> str:
        """Which W."""
        return str(task) if self.config.heads == "own" else "shared"

    def names(self, task: int) -> list[str]:
        """Matrices that a task uses."""
        names = [f"U{self.table(task)}", f"V{self.table(task)}", f"W{self.head(task)}"]
        names += [f"T{task}"] if self.config.blocks == "shared" else []
        return names + ([f"A{self.block(task)}"] if self.config.embedding == "apart" else [])

    def logits(self, task: int, a: int, b: int) -> Tensor:
        """(C,) logits of one pair."""
        m = self.matrices
        x = m[f"U{self.table(task)}"][a] + m[f"V{self.table(task)}"][b]
        if self.config.blocks == "shared":
            x = x + m[f"T{task}"][0]
        z = x if self.config.embedding == "merged" else m[f"A{self.block(task)}"] @ x
        return m[f"W{self.head(task)}"] @ (z**2 if self.config.activation == "square" else torch.relu(z))

    def losses(self, drawn: MultitaskDraw, task: int, pairs: list[int]) -> list[Tensor]:
        """Cross-entropy of every pair."""
        n_symbols = self.config.problem(task).n_symbols
        return [
            cross_entropy(self.logits(task, pair // n_symbols, pair % n_symbols), drawn.labels[task][pair])
            for pair in pairs
        ]

    def loss(self, drawn: MultitaskDraw, tasks: tuple[int, ...]) -> Tensor:
        """Mean over all training examples of those tasks."""
        return torch.stack([each for k in tasks for each in self.losses(drawn, k, drawn.train[k].tolist())]).mean()

    def flat(self) -> Tensor:
        """All parameters, (n_rows, H)."""
        return torch.cat([matrix.detach() for matrix in self.matrices.values()])


class LiteralTransformer(LiteralMultitask):
    """One transformer on several tasks: three positions in full, head by head."""

    def table(self, task: int) -> str:
        """Which embedding of symbols a task reads."""
        return str(task) if self.config.components[task].operands == "own" else "shared"

    def first_matrices(self) -> dict[str, int]:
        """Rows of every matrix before the heads, in the order in which they lie."""
        width = self.config.width
        sizes = {f"E{table}": n for table, n in self.symbols.items()}
        sizes |= {f"={k}": 1 for k in range(len(self.config.components))} | {"P": 3}
        sizes |= dict.fromkeys(("query", "key", "value", "output"), width)
        return sizes | {f"{way}{block}": 4 * width for block in self.all_blocks for way in ("in", "out")}

    def names(self, task: int) -> list[str]:
        """Matrices that a task uses."""
        block, shared = self.block(task), ["P", "query", "key", "value", "output"]
        return [f"E{self.table(task)}", f"={task}", *shared, f"in{block}", f"out{block}", f"W{self.head(task)}"]

    def logits(self, task: int, a: int, b: int) -> Tensor:
        """(C,) logits of one pair."""
        m, block = self.matrices, self.block(task)
        symbols, size = m[f"E{self.table(task)}"], self.config.width // 4
        x = torch.stack([symbols[a], symbols[b], m[f"={task}"][0]]) + m["P"]  # (3, d)
        query, keys, values = m["query"] @ x[2], x @ m["key"].T, x @ m["value"].T
        stream = x[2]
        for head in (slice(start, start + size) for start in range(0, 4 * size, size)):
            attention = torch.softmax(keys[:, head] @ query[head] / math.sqrt(size), 0)  # (3,)
            stream = stream + attention @ values[:, head] @ m["output"][head]
        z = m[f"in{block}"] @ stream
        stream = stream + (z**2 if self.config.activation == "square" else torch.relu(z)) @ m[f"out{block}"]
        return m[f"W{self.head(task)}"] @ stream


def literal(config: MultitaskConfig, theta: Tensor) -> LiteralMultitask:
    """The network of drawn parameters."""
    return (LiteralTransformer if config.model == "transformer" else LiteralMultitask)(config, theta)


def train_multitask_literally(config: MultitaskConfig) -> tuple[dict[str, np.ndarray], LiteralMultitask]:
    """Curves by name and the trained network."""
    drawn = draw_multitask(config)
    model = literal(config, drawn.theta)
    rows, evaluations, done = [_evaluated(model, drawn)], set(config.evaluation_steps()), 0
    for phase in config.phases:
        used = list(dict.fromkeys(name for k in phase.tasks for name in model.names(k)))
        optimizer = torch.optim.AdamW(
            [model.matrices[name] for name in used],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            betas=(0.9, config.beta2),
            eps=config.epsilon,
        )
        for _ in range(phase.steps):
            optimizer.zero_grad()
            model.loss(drawn, phase.tasks).backward()
            optimizer.step()
            done += 1
            if done in evaluations:
                rows.append(_evaluated(model, drawn))
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    curves = {name: np.array([[task[column] for task in row[0]] for row in rows]) for column, name in enumerate(names)}
    curves["squared_norm"] = np.array([row[1] for row in rows])
    return curves, model


@torch.no_grad()
def _evaluated(model: LiteralMultitask, drawn: MultitaskDraw) -> tuple[list[list[float]], float]:
    found = []
    for task in range(len(model.config.components)):
        n_symbols, train = model.config.problem(task).n_symbols, drawn.train[task].tolist()
        test = [pair for pair in range(n_symbols**2) if pair not in set(train)]
        columns: list[float] = []
        for pairs in (train, test):
            losses = [float(each) for each in model.losses(drawn, task, pairs)]
            right = [_wins(model, drawn, task, pair) for pair in pairs]
            columns += [math.fsum(values) / len(pairs) if pairs else math.nan for values in (losses, right)]
        found.append(columns)
    return found, sum(float(matrix.square().sum()) for matrix in model.matrices.values())


def _wins(model: LiteralMultitask, drawn: MultitaskDraw, task: int, pair: int) -> bool:
    """Whether the label's logit is above all others: a tie is no win."""
    n_symbols, label = model.config.problem(task).n_symbols, int(drawn.labels[task][pair])
    logits = model.logits(task, pair // n_symbols, pair % n_symbols).tolist()
    return all(logit < logits[label] for place, logit in enumerate(logits) if place != label)
