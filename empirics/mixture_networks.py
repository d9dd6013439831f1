"""Train many networks that learn several tasks, of the same shapes, in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from dcrit.empirics.adamw import AdamW
from dcrit.empirics.batch_keys import padded_rows
from dcrit.empirics.checkpoint import State
from dcrit.empirics.evaluation import deficits_and_losses
from dcrit.empirics.mixture_layout import Layout, Rows, mixture_key
from dcrit.empirics.mixtures import MixtureConfig
from dcrit.empirics.residual import residual_of
from dcrit.theory.problem import Activation

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class MixtureDraw:
    """What a seed decides for one run, drawn on the CPU so that it is the same on every device.

    Attributes:
        theta: Initial parameters, (n_rows, H).
        labels: Class of every pair, (S²,) for each task.
        train: Indices of the training pairs, (D,) for each task.
    """

    theta: Tensor
    labels: tuple[Tensor, ...]
    train: tuple[Tensor, ...]


def draw_mixture(config: MixtureConfig) -> MixtureDraw:
    """Initial parameters, labels and training sets of one run, from its seed alone.

    Layers start as ``torch.nn.Linear`` does: uniform within ±1/√fan_in, the embedding seen as a layer on
    one-hot vectors of the operands, and of the task where it has a token. With one component, split blocks and a
    merged embedding everything is what the pair-MLP draws. Training sets of one seed are nested in D.
    """
    layout, generator = Layout.of(config), torch.Generator().manual_seed(config.seed)

    def uniform(n_rows: int, fan_in: int) -> Tensor:
        unit = torch.rand(n_rows, config.width, generator=generator, dtype=torch.float64)
        return (2 * unit - 1) / fan_in**0.5

    # Own rows of split blocks are layers of their own.
    apart = config.blocks == "split" and config.embedding == "merged"
    embed = uniform(layout.n_embedding, 1)  # (n_embedding, H)
    scale = torch.full((layout.n_embedding, 1), float(layout.n_embedding), dtype=torch.float64)  # (n_embedding, 1)
    if apart:
        for rows in layout.tasks:
            for start in (rows.first, rows.second):
                scale[start : start + rows.n_symbols] = 2 * rows.n_symbols
    inner = uniform(layout.n_rows - layout.n_embedding, config.width)  # (rest, H)
    theta = torch.cat([embed / scale.sqrt(), inner])  # (n_rows, H)
    labels, train = [], []
    for k, component in enumerate(config.components):
        problem = component.problem
        order = torch.randperm(problem.n_pairs, generator=generator)  # (S²,)
        rng = np.random.default_rng(config.seed if k == 0 else [config.seed, k])
        labels.append(torch.from_numpy(problem.definition.labels(problem.modulus, rng).ravel()))
        train.append(order[: component.n_train])
    dtype = getattr(torch, config.precision)
    return MixtureDraw(theta=theta.to(dtype), labels=tuple(labels), train=tuple(train))


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
        self, *, rows: Rows, n_rows: int, pairs: Tensor, labels: Tensor, is_train: Tensor, activation: Activation
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


class MixtureEnsemble:
    """M networks in one batch, each with its own data, trained by full-batch AdamW phase by phase.

    Args:
        configs: Runs that share :func:`mixture_key`.
        device: Where tensors live.

    Raises:
        ValueError: The runs do not share a key.
    """

    def __init__(self, configs: Sequence[MixtureConfig], device: str = "cpu") -> None:
        if len({mixture_key(config) for config in configs}) != 1:
            raise ValueError("configs must share one batch key, got several")
        first = configs[0]
        self.configs, self.layout = list(configs), Layout.of(first)
        draws = [draw_mixture(config) for config in configs]
        self.theta = torch.stack([drawn.theta for drawn in draws]).to(device)  # (M, n_rows, H)
        self.grad = torch.zeros_like(self.theta)  # (M, n_rows, H)
        self.steps: list[TaskStep] = []
        self.everywhere: list[TaskStep] = []
        for k, rows in enumerate(self.layout.tasks):
            n_pairs = rows.n_symbols**2
            n_rows = padded_rows(first.components[k].n_train)
            pairs = torch.zeros(len(configs), n_rows, dtype=torch.int64)
            is_train = torch.zeros(len(configs), n_rows, dtype=torch.float64)
            trained = torch.zeros(len(configs), n_pairs, dtype=torch.float64)
            for member, drawn in enumerate(draws):
                used = drawn.train[k]
                pairs[member, : len(used)] = used
                is_train[member, : len(used)] = 1
                trained[member, used] = 1
            labels = torch.stack([drawn.labels[k] for drawn in draws])  # (M, S²)
            every = torch.arange(n_pairs).expand(len(configs), -1)  # (M, S²)
            for found, chosen, mask in ((self.steps, pairs, is_train), (self.everywhere, every, trained)):
                found.append(
                    TaskStep(
                        rows=rows,
                        n_rows=self.layout.n_rows,
                        pairs=chosen.to(device),
                        labels=labels.gather(1, chosen).to(device),
                        is_train=mask.to(device),
                        activation=first.activation,
                    )
                )
        self.begin(0)

    def begin(self, phase: int) -> None:
        """Start a phase: new moments, and whatever only idle tasks use stands still."""
        first = self.configs[0]
        self.tasks = first.phases[phase].tasks
        self.optimizer = AdamW(self.theta, learning_rate=first.learning_rate, weight_decay=first.weight_decay)
        used = np.stack([self.layout.tasks[k].mask(self.layout.n_rows) for k in self.tasks]).any(0)  # (n_rows,)
        self.idle = torch.from_numpy(~used).nonzero()[:, 0].to(self.theta.device)
        self.kept = self.theta[:, self.idle].clone()  # (M, idle, H)
        total = torch.stack([self.steps[k].is_train.sum(1) for k in self.tasks]).sum(0)[:, None]  # (M, 1)
        self.weights = [(self.steps[k].is_train / total).to(self.theta.dtype)[:, None] for k in self.tasks]

    def state(self) -> dict[str, np.ndarray]:
        """Parameters and moments, as :meth:`restore` takes them."""
        optimizer = self.optimizer
        moments = {"mean": optimizer.mean.cpu().numpy(), "square": optimizer.square.cpu().numpy()}
        return {"theta": self.theta.cpu().numpy(), "n_steps": np.array(optimizer.n_steps), **moments}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the arrays of :meth:`state`."""
        return {name: array.shape for name, array in self.state().items()}

    def restore(self, phase: int, state: State) -> None:
        """Go on within a phase from a state of the same batch."""
        self.theta.copy_(torch.from_numpy(state["theta"]))
        self.begin(phase)
        self.optimizer.mean.copy_(torch.from_numpy(state["mean"]))
        self.optimizer.square.copy_(torch.from_numpy(state["square"]))
        self.optimizer.n_steps = int(state["n_steps"])

    @torch.no_grad()
    def gradient(self) -> Tensor:
        """Gradient of every member's loss in the current phase: (M, n_rows, H)."""
        self.grad.zero_()
        for k, weights in zip(self.tasks, self.weights, strict=True):
            self.steps[k].add_gradient(self.theta, self.grad, weights)
        return self.grad

    @torch.no_grad()
    def advance(self, n_steps: int) -> None:
        """Take ``n_steps`` optimizer steps with every member."""
        for _ in range(n_steps):
            self.optimizer.step(self.gradient())
            if len(self.idle):
                self.theta[:, self.idle] = self.kept

    @torch.no_grad()
    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """Values of ``TASK_CURVES`` (M, 4, K) and squared norms (M,)."""
        columns = []
        for step in self.everywhere:
            _, _, hidden = step.hidden(self.theta)  # (M, S², H)
            logits = torch.bmm(self.theta[:, step.rows.head], hidden.mT)  # (M, C, S²)
            deficit, loss = deficits_and_losses(logits, step.labels)  # (M, S²)
            right = (deficit < 0).double()  # (M, S²)
            parts = [(value, mask) for mask in (step.is_train, 1 - step.is_train) for value in (loss, right)]
            columns.append(torch.stack([(value * mask).sum(1) / mask.sum(1) for value, mask in parts], 1))  # (M, 4)
        norms = self.theta.double().square().sum((1, 2))  # (M,)
        return torch.stack(columns, 2).cpu().numpy(), norms.cpu().numpy()
