"""Train many networks that learn several tasks, of the same shapes, in one batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dcrit.empirics.models.loss import deficits_and_losses
from dcrit.empirics.models.multitask import TaskStep
from dcrit.empirics.models.multitask_layout import Layout, multitask_key
from dcrit.empirics.models.padding import padded_rows
from dcrit.empirics.runs.multitask import TASK_CURVES, MultitaskConfig, MultitaskCurves, MultitaskRun
from dcrit.empirics.runs.single import Ending
from dcrit.empirics.store.checkpoint import Checkpoint, State, alike
from dcrit.empirics.training.adamw import AdamW
from dcrit.empirics.training.batches import plan_multitask
from dcrit.empirics.training.ensemble import Progress
from dcrit.empirics.training.sweep import Trainer
from dcrit.theory.checks import FieldError


@dataclass(frozen=True, kw_only=True)
class MultitaskDraw:
    """What a seed decides for one run, drawn on the CPU so that it is the same on every device.

    Attributes:
        theta: Initial parameters, (n_rows, H).
        labels: Class of every pair, (S²,) for each task.
        train: Indices of the training pairs, (D,) for each task.
    """

    theta: Tensor
    labels: tuple[Tensor, ...]
    train: tuple[Tensor, ...]


def draw_multitask(config: MultitaskConfig) -> MultitaskDraw:
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
    return MultitaskDraw(theta=theta.to(dtype), labels=tuple(labels), train=tuple(train))


class MultitaskEnsemble:
    """M networks in one batch, each with its own data, trained by full-batch AdamW phase by phase.

    Args:
        configs: Runs that share :func:`multitask_key`.
        device: Where tensors live.

    Raises:
        ValueError: The runs do not share a key.
    """

    def __init__(self, configs: Sequence[MultitaskConfig], device: str = "cpu") -> None:
        if len({multitask_key(config) for config in configs}) != 1:
            raise FieldError("configs", "share one batch key", "several")
        first = configs[0]
        self.configs, self.layout = list(configs), Layout.of(first)
        draws = [draw_multitask(config) for config in configs]
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
        self.optimizer = AdamW(self.theta, first.problem(0))
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


def train_multitask(
    configs: Sequence[MultitaskConfig],
    *,
    device: str = "cpu",
    progress: Progress = lambda _: None,
    checkpoint: Checkpoint | None = None,
) -> list[MultitaskRun]:
    """Train every configuration through all its phases, in one batch.

    Args:
        configs: Runs that share :func:`multitask_key`.
        device: Where to train.
        progress: Called with the number of model-steps just finished.
        checkpoint: Where states are kept and found; None for nowhere.

    Returns:
        One finished run for each configuration, in the given order; a member whose loss ceases to be finite
        has its curves to the end and is marked as diverged.
    """
    began = time.perf_counter()
    ensemble = MultitaskEnsemble(configs, device)
    steps, ends = configs[0].evaluation_steps(), np.cumsum([phase.steps for phase in configs[0].phases]).tolist()
    values, norms, done, phase = [], [], 0, 0
    curves_shape = (len(configs), len(TASK_CURVES), len(configs[0].components))
    shapes = {"values": (None, *curves_shape), "norms": (None, len(configs)), "done": (), "phase": (), "seconds": ()}
    kept = checkpoint and checkpoint.load(lambda state: alike(state, {**ensemble.shapes(), **shapes}))
    if kept:
        done, phase, began = int(kept["done"]), int(kept["phase"]), began - float(kept["seconds"])
        values, norms = list(kept["values"]), list(kept["norms"])
        ensemble.restore(phase, kept)
        progress(done * len(configs))
    for target in steps[len(values) :]:
        if done == ends[phase] and target > done:
            phase += 1
            ensemble.begin(phase)
        ensemble.advance(target - done)
        progress((target - done) * len(configs))
        done = target
        row, norm = ensemble.evaluate()
        values.append(row)
        norms.append(norm)
        if checkpoint:
            seconds = time.perf_counter() - began
            recorded = {"values": np.stack(values), "norms": np.stack(norms)}
            counts = {"done": np.array(done), "phase": np.array(phase), "seconds": np.array(seconds)}
            checkpoint.keep(lambda recorded=recorded, counts=counts: {**ensemble.state(), **recorded, **counts})
    table, norm = np.stack(values, 1), np.stack(norms, 1)  # (M, E, 4, K), (M, E)
    seconds = (time.perf_counter() - began) / len(configs)
    runs = []
    for member, config in enumerate(configs):
        ending: Ending = "horizon" if np.isfinite(table[member, :, 0]).all() else "diverged"
        curves = {name: table[member, :, column].copy() for column, name in enumerate(TASK_CURVES)}
        step = np.array(steps, dtype=np.float64)
        recorded = MultitaskCurves(step=step, squared_norm=norm[member].copy(), **curves)
        runs.append(MultitaskRun(config=config, curves=recorded, ending=ending, seconds=seconds))
    return runs


#: How networks with several tasks are trained.
MULTITASK: Trainer[MultitaskConfig, MultitaskRun] = Trainer(plan=plan_multitask, train=train_multitask)
