"""Train many networks that learn several tasks, of the same shapes, in one batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dcrit.empirics.models.loss import deficits_and_losses
from dcrit.empirics.models.multitask import TaskStep
from dcrit.empirics.models.multitask_layout import Layout, Rows, TransformerRows, multitask_key
from dcrit.empirics.models.multitask_transformer import TransformerTaskStep
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
    merged embedding everything is what the pair-MLP draws. Transformers start as single ones do, and with one
    component draw what these draw. Training sets of one seed are nested in D.
    """
    layout, generator = Layout.of(config), torch.Generator().manual_seed(config.seed)
    theta = (_transformer_start if config.is_transformer else _pair_mlp_start)(config, layout, generator)
    labels, train = [], []
    for k, component in enumerate(config.components):
        problem = component.problem
        order = torch.randperm(problem.n_pairs, generator=generator)  # (S²,)
        rng = np.random.default_rng(config.seed if k == 0 else [config.seed, k])
        labels.append(torch.from_numpy(problem.definition.labels(problem.modulus, rng).ravel()))
        train.append(order[: component.n_train])
    dtype = getattr(torch, config.precision)
    return MultitaskDraw(theta=theta.to(dtype), labels=tuple(labels), train=tuple(train))


def _transformer_start(config: MultitaskConfig, layout: Layout, generator: torch.Generator) -> Tensor:
    """Normal weights of standard deviation 1/√d, unembeddings' 1/√C: (n_rows, d) in float64."""
    theta = torch.randn(layout.n_rows, config.width, generator=generator, dtype=torch.float64)  # (n_rows, d)
    scale = torch.full((layout.n_rows, 1), math.sqrt(config.width), dtype=torch.float64)  # (n_rows, 1)
    for k, rows in enumerate(layout.tasks):
        scale[rows.head] = math.sqrt(config.problem(k).n_classes)
    return theta / scale


def _pair_mlp_start(config: MultitaskConfig, layout: Layout, generator: torch.Generator) -> Tensor:
    """Uniform weights: (n_rows, H) in float64."""

    def uniform(n_rows: int, fan_in: int) -> Tensor:
        unit = torch.rand(n_rows, config.width, generator=generator, dtype=torch.float64)
        return (2 * unit - 1) / fan_in**0.5

    # Own rows of split blocks are layers of their own.
    apart = config.blocks == "split" and config.embedding == "merged"
    embed = uniform(layout.n_embedding, 1)  # (n_embedding, H)
    scale = torch.full((layout.n_embedding, 1), float(layout.n_embedding), dtype=torch.float64)  # (n_embedding, 1)
    if apart:
        for rows in layout.tasks:
            assert isinstance(rows, Rows)
            for start in (rows.first, rows.second):
                scale[start : start + rows.n_symbols] = 2 * rows.n_symbols
    inner = uniform(layout.n_rows - layout.n_embedding, config.width)  # (rest, H)
    return torch.cat([embed / scale.sqrt(), inner])  # (n_rows, H)


@dataclass(frozen=True, kw_only=True)
class _Evaluated:
    """All pairs of one task.

    Attributes:
        logits: Of them, (M, C, S²), from parameters (M, n_rows, H).
        labels: (M, 1, S²) classes.
        is_train: (M, S²) 1 for training examples, 0 for others.
    """

    logits: Callable[[Tensor], Tensor]
    labels: Tensor
    is_train: Tensor


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
        self.steps: list[TaskStep | TransformerTaskStep] = []
        self.everywhere: list[_Evaluated] = []
        for k, rows in enumerate(self.layout.tasks):
            n_pairs = first.problem(k).n_pairs
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
            step, logits = self._task(k, rows, pairs=pairs, labels=labels, is_train=is_train, device=device)
            self.steps.append(step)
            self.everywhere.append(
                _Evaluated(logits=logits, labels=labels[:, None].to(device), is_train=trained.to(device))
            )
        self.begin(0)

    def _task(
        self,
        task: int,
        rows: Rows | TransformerRows,
        *,
        pairs: Tensor,
        labels: Tensor,
        is_train: Tensor,
        device: str,
    ) -> tuple[TaskStep | TransformerTaskStep, Callable[[Tensor], Tensor]]:
        """A task's training step, and logits of all its pairs from the parameters.

        Args:
            task: Its place.
            rows: Of it.
            pairs: (M, R) of its examples, padded.
            labels: (M, S²) classes of all pairs.
            is_train: (M, R) 0 in padding.
            device: Where tensors live.
        """
        first = self.configs[0]
        trained = {
            "pairs": pairs.to(device),
            "labels": labels.gather(1, pairs).to(device),
            "is_train": is_train.to(device),
        }
        if isinstance(rows, TransformerRows):
            step = TransformerTaskStep(rows=rows, problem=first.problem(task), dtype=self.theta.dtype, **trained)
            return step, step.logits_of_all_pairs
        n_pairs, n_rows, activation = labels.shape[1], self.layout.n_rows, first.activation
        every = {
            "pairs": torch.arange(n_pairs).expand(len(labels), -1).to(device),  # (M, S²)
            "labels": labels.to(device),
            "is_train": torch.zeros_like(labels, dtype=torch.float64).to(device),  # none is trained on here
        }
        here, everywhere = (
            TaskStep(rows=rows, n_rows=n_rows, activation=activation, **one) for one in (trained, every)
        )
        return here, everywhere.logits

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
        for task in self.everywhere:
            deficit, loss = deficits_and_losses(task.logits(self.theta), task.labels)  # (M, S²)
            right = (deficit < 0).double()  # (M, S²)
            parts = [(value, mask) for mask in (task.is_train, 1 - task.is_train) for value in (loss, right)]
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
