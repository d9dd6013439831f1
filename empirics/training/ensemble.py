"""Train many independent networks in one batch: other seeds, data, sizes and labels, same shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast, get_args

import numpy as np
import torch
from torch import Tensor

from dcrit.empirics.models.family import Examples, architecture_of
from dcrit.empirics.models.loss import deficits_and_losses
from dcrit.empirics.models.padding import batch_key, rows_of
from dcrit.empirics.runs.outcomes import is_decided
from dcrit.empirics.runs.single import CURVE_NAMES, DEFICIT_QUANTILES, Curves, Ending, Run, RunConfig
from dcrit.empirics.store.checkpoint import Checkpoint, State, alike
from dcrit.empirics.training.adamw import adamw_for
from dcrit.empirics.training.devices import Repeated
from dcrit.theory.checks import FieldError
from dcrit.theory.problems.tasks import TASKS

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What a seed decides for one run, drawn on the CPU so that it is the same on every device.

    Attributes:
        theta: Initial parameters, (rows, columns).
        labels: Class of every pair, (S²,).
        train: Indices of the training pairs, (D,).
    """

    theta: Tensor
    labels: Tensor
    train: Tensor


@lru_cache(maxsize=256)
def _labels(task: str, modulus: int, seed: int) -> Tensor:
    table = TASKS[task].labels(modulus, np.random.default_rng(seed))
    return torch.from_numpy(table.ravel())


def draw(config: RunConfig) -> Draw:
    """Initial parameters, labels and training set of one run, from its seed alone.

    The training sets of one seed are nested in D.
    """
    problem = config.problem
    generator = torch.Generator().manual_seed(config.seed)
    initial = architecture_of(problem).initial(problem, generator)  # (rows, columns)
    order = torch.randperm(problem.n_pairs, generator=generator)  # (S²,)
    labels = _labels(problem.task, problem.modulus, config.seed)  # (S²,)
    theta = initial.to(getattr(torch, config.precision))  # (rows, columns)
    return Draw(theta=theta, labels=labels, train=order[: config.n_train])


class Ensemble:
    """M networks in one batch, each with its own data, trained by full-batch AdamW.

    Args:
        configs: Runs that share :func:`batch_key`.
        device: Where tensors live.

    Raises:
        ValueError: The runs do not share a batch key.
    """

    def __init__(self, configs: Sequence[RunConfig], device: str = "cpu") -> None:
        if len({batch_key(config) for config in configs}) != 1:
            raise FieldError("configs", "share one batch key", "several")
        first = configs[0]
        problem = first.problem
        draws = [draw(config) for config in configs]
        n_rows = rows_of(first)
        symbols = torch.zeros(len(configs), n_rows, 2, dtype=torch.int64)
        labels = torch.zeros(len(configs), n_rows, dtype=torch.int64)
        weights = torch.zeros(len(configs), n_rows, dtype=torch.float64)
        is_train = torch.zeros(len(configs), problem.n_pairs, dtype=torch.bool)
        for member, (config, drawn) in enumerate(zip(configs, draws, strict=True)):
            used = drawn.train
            symbols[member, : config.n_train, 0] = used // problem.n_symbols
            symbols[member, : config.n_train, 1] = used % problem.n_symbols
            labels[member, : config.n_train] = drawn.labels[used]
            weights[member, : config.n_train] = 1.0 / config.n_train
            is_train[member, used] = True
        self.dtype = getattr(torch, first.precision)
        self.configs = list(configs)
        self.data = {
            "symbols": symbols.to(device),
            "labels": labels.to(device),
            "weights": weights.to(device),
            "is_train": is_train.to(device),
            "all_labels": torch.stack([drawn.labels for drawn in draws]).to(device),
        }
        self.architecture = architecture_of(problem)
        self.models = self.architecture.networks(problem, torch.stack([drawn.theta for drawn in draws]).to(device))
        self.optimizer = adamw_for(self.models.theta, problem)
        self._prepare()

    def _prepare(self) -> None:
        """Buffers for the members there are."""
        problem = self.configs[0].problem
        self.grad = torch.zeros_like(self.models.theta)
        examples = Examples(symbols=self.data["symbols"], labels=self.data["labels"], weights=self.data["weights"])
        self.step = self.architecture.step(problem, examples, self.dtype)
        step, models, grad, optimizer = self.step, self.models, self.grad, self.optimizer

        # Without the ensemble itself, which would hold itself in memory by it.
        def once() -> None:
            step.gradient(models, grad)
            optimizer.step(grad)

        self.repeat = Repeated(once, grad.device.type)

    @torch.no_grad()
    def advance(self, n_steps: int) -> None:
        """Take ``n_steps`` optimizer steps with every member."""
        self.repeat(n_steps)

    @torch.no_grad()
    def evaluate(self) -> np.ndarray:
        """All curve values but the step, one row a member: (M, 11) in the order of ``CURVE_NAMES``."""
        logits = self.models.logits_of_all_pairs()  # (M, C, S²)
        deficit, loss = deficits_and_losses(logits, self.data["all_labels"][:, None])  # (M, S²)
        right = (deficit < 0).double()  # (M, S²)
        train = self.data["is_train"].double()  # (M, S²)
        test = 1 - train  # (M, S²)
        neuron = self.models.neuron_squared_norms()  # (M, units)
        decay = self.configs[0].problem.weight_decay
        load = (decay * self.models.theta.double().abs()).clamp(max=1)  # (M, rows, columns)
        quantiles = torch.tensor(DEFICIT_QUANTILES, dtype=torch.float64, device=deficit.device)
        columns = [
            (loss * train).sum(1) / train.sum(1),
            (right * train).sum(1) / train.sum(1),
            (loss * test).sum(1) / test.sum(1),
            (right * test).sum(1) / test.sum(1),
            neuron.sum(1),
            neuron.pow(1.5).sum(1).pow(1 / 3),
            self.models.theta.abs().amax((1, 2)).double(),
            (-2 * (load + torch.log1p(-load))).sum((1, 2)) / decay**2,
            *deficit.double().masked_fill(self.data["is_train"], torch.nan).nanquantile(quantiles, 1),
        ]
        return torch.stack(columns, 1).cpu().numpy()

    def state(self) -> dict[str, np.ndarray]:
        """Parameters and moments of the members there are, as :meth:`restore` takes them."""
        optimizer = self.optimizer
        moments = {"mean": optimizer.mean.cpu().numpy(), "square": optimizer.square.cpu().numpy()}
        return {"theta": optimizer.theta.cpu().numpy(), "n_steps": np.array(int(optimizer.n_steps)), **moments}

    def restore(self, state: State) -> None:
        """Go on from the parameters and moments of as many members."""
        for name in ("theta", "mean", "square"):
            getattr(self.optimizer, name).copy_(torch.from_numpy(state[name]))
        self.optimizer.set_n_steps(int(state["n_steps"]))

    def keep(self, members: list[int]) -> None:
        """Drop all other members; those kept go on exactly as before."""
        index = torch.tensor(members, device=self.models.theta.device)
        self.configs = [self.configs[member] for member in members]
        self.data = {key: value[index] for key, value in self.data.items()}
        self.optimizer = self.optimizer.keep(index)
        self.models = self.architecture.networks(self.configs[0].problem, self.optimizer.theta)
        self._prepare()


def train(
    configs: Sequence[RunConfig],
    *,
    device: str = "cpu",
    progress: Progress = lambda _: None,
    checkpoint: Checkpoint | None = None,
) -> list[Run]:
    """Train every configuration to its end, in one batch.

    A member leaves the batch as soon as its outcome is decided or its loss is not finite; the
    others are not touched by it. What was kept in the checkpoint is gone on from, to the same bits.

    Args:
        configs: Runs that share :func:`batch_key`.
        device: Where to train.
        progress: Called with the number of model-steps (steps × members still due) just finished.
        checkpoint: Where states are kept and found; None for nowhere.

    Returns:
        One finished run for each configuration, in the given order.
    """
    training, generalized = _Training(configs, device), configs[0].start == "generalized"
    kept = checkpoint and checkpoint.load(
        lambda state: training.fits(state) or (generalized and training.fits_before(state))
    )
    if kept and training.fits(kept):
        progress(training.restore(kept))
    elif generalized:
        training.ensemble.models.theta.copy_(_generalized_theta(configs, device, progress, checkpoint, kept))
    del kept
    for target in configs[0].evaluation_steps():
        if target <= training.done:
            continue
        progress(training.advance_to(target))
        if not training.active:
            break
        if checkpoint:
            checkpoint.keep(training.state)
    return training.runs()


class _Training:
    """Members of one batch on their way: what is still trained, and the curves of all.

    Attributes:
        ensemble: Members still trained.
        active: Their places among the configurations.
        done: Steps taken [steps]; -1 before the first evaluation.
    """

    def __init__(self, configs: Sequence[RunConfig], device: str) -> None:
        self.configs, self.ensemble = configs, Ensemble(configs, device)
        self.active, self.done = list(range(len(configs))), -1
        self._rows: list[list[np.ndarray]] = [[] for _ in configs]
        self._steps: list[list[int]] = [[] for _ in configs]
        self._endings: dict[int, Ending] = {}
        self._spent = [0.0] * len(configs)

    def advance_to(self, target: int) -> int:
        """Train to that step, evaluate, and drop members that ended; model-steps done, or no longer due."""
        began = time.perf_counter()
        before = max(0, self.done)
        self.ensemble.advance(target - before)
        values = self.ensemble.evaluate()
        share = (time.perf_counter() - began) / len(self.active)
        done = (target - before) * len(self.active)
        self.done = target
        for row, member in zip(values, self.active, strict=True):
            rows, steps = self._rows[member], self._steps[member]
            rows.append(row)
            steps.append(target)
            self._spent[member] += share
            if not np.isfinite(row[0]):
                self._endings[member] = "diverged"
            elif is_decided(self.configs[member], np.array(steps), np.array(rows)):
                self._endings[member] = "decided"
        left = [place for place, member in enumerate(self.active) if member not in self._endings]
        done += (self.configs[0].horizon - target) * (len(self.active) - len(left))
        if left and len(left) < len(self.active):
            self.ensemble.keep(left)
        self.active = [self.active[place] for place in left]
        return done

    def state(self) -> dict[str, np.ndarray]:
        """Everything that :meth:`restore` needs, as arrays."""
        return {
            **self.ensemble.state(),
            "active": np.array(self.active),
            "done": np.array(self.done),
            "lengths": np.array([len(rows) for rows in self._rows]),
            "steps": np.concatenate([np.array(steps) for steps in self._steps]),
            "rows": np.concatenate([np.array(rows) for rows in self._rows]),
            "endings": np.array([self._endings.get(member, "") for member in range(len(self.configs))]),
            "spent": np.array(self._spent),
        }

    def fits(self, state: State) -> bool:
        """Whether :meth:`restore` can take it."""
        n_members, (_, rows, columns) = len(self.configs), self.ensemble.optimizer.theta.shape
        parameters = dict.fromkeys(("theta", "mean", "square"), (None, rows, columns))
        counts: dict[str, tuple[int | None, ...]] = {"n_steps": (), "active": (None,), "done": (), "steps": (None,)}
        members = dict.fromkeys(("lengths", "endings", "spent"), (n_members,))
        rows_of_curves = {"rows": (None, len(CURVE_NAMES) - 1)}
        return (
            alike(state, {**parameters, **counts, **members, **rows_of_curves})
            and len(state["active"]) == len(state["theta"]) == len(state["mean"]) == len(state["square"]) > 0
            and set(state["active"].tolist()) <= set(range(n_members))
            and state["lengths"].sum() == len(state["steps"]) == len(state["rows"])
            and set(state["endings"].tolist()) <= {"", *get_args(Ending)}
        )

    def fits_before(self, state: State) -> bool:
        """Whether it is a state of the runs before, of as many members."""
        _, rows, columns = self.ensemble.optimizer.theta.shape
        parameters = dict.fromkeys(("theta", "mean", "square"), (len(_different_before(self.configs)), rows, columns))
        return alike(state, {**parameters, "n_steps": (), "done": ()})

    def restore(self, state: State) -> int:
        """Go on from a state of the same batch; model-steps that are done by it, or no longer due."""
        self.active, self.done = state["active"].tolist(), int(state["done"])
        if len(self.active) < len(self.configs):
            self.ensemble.keep(self.active)
        self.ensemble.restore(state)
        edges = np.cumsum(state["lengths"])[:-1].tolist()
        self._rows = [list(rows) for rows in np.split(state["rows"], edges)]
        self._steps = [steps.tolist() for steps in np.split(state["steps"], edges)]
        endings = cast("list[Ending]", state["endings"].tolist())
        self._endings = {member: ending for member, ending in enumerate(endings) if ending}
        self._spent = state["spent"].tolist()
        first, n_ended = self.configs[0], len(self.configs) - len(self.active)
        before = (first.total_steps - first.horizon) * len(self.configs)
        return before + self.done * len(self.active) + first.horizon * n_ended

    def runs(self) -> list[Run]:
        """Finished runs of all members, in the order of their configurations."""
        return [
            Run(
                config=config,
                curves=_curves(self._steps[member], self._rows[member]),
                ending=self._endings.get(member, "horizon"),
                seconds=self._spent[member],
            )
            for member, config in enumerate(self.configs)
        ]


def _generalized_theta(
    configs: Sequence[RunConfig],
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None,
    kept: State | None,
) -> Tensor:
    """Parameters of every member after the run before, shaped as its own; from what was kept of that run on.

    Members that have the run before in common share it.
    """
    before = _different_before(configs)
    ensemble, done = Ensemble(before, device), 0
    if kept:
        ensemble.restore(kept)
        done = int(kept["done"])
        progress(done * len(configs))
    for target in ensemble.configs[0].evaluation_steps():
        if target <= done:
            continue
        ensemble.advance(target - done)
        progress((target - done) * len(configs))
        done = target
        if checkpoint:
            checkpoint.keep(lambda done=done: {**ensemble.state(), "done": np.array(done)})
    return ensemble.models.theta[[before.index(config.before) for config in configs]]


def _different_before(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """Runs that members start from, each once."""
    return list(dict.fromkeys(config.before for config in configs))


def _curves(steps: list[int], rows: list[np.ndarray]) -> Curves:
    table = np.column_stack([np.array(steps, dtype=np.float64), np.array(rows)])
    return Curves(**dict(zip(CURVE_NAMES, table.T.copy(), strict=True)))
