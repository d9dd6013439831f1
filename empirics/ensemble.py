"""Train many independent networks in one batch: other seeds, data, sizes and labels, same shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from dcrit.empirics.adamw import adamw_for
from dcrit.empirics.batch_keys import batch_key, rows_of
from dcrit.empirics.devices import Repeated
from dcrit.empirics.evaluation import deficits_and_losses
from dcrit.empirics.networks import Examples, family_of
from dcrit.empirics.outcomes import is_decided
from dcrit.empirics.runs import CURVE_NAMES, DEFICIT_QUANTILES, Curves, Ending, Run, RunConfig
from dcrit.theory.tasks import find_task

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
    table = find_task(task).labels(modulus, np.random.default_rng(seed))
    return torch.from_numpy(table.ravel())


def draw(config: RunConfig) -> Draw:
    """Initial parameters, labels and training set of one run, from its seed alone.

    The training sets of one seed are nested in D.
    """
    problem = config.problem
    generator = torch.Generator().manual_seed(config.seed)
    initial = family_of(problem).initial(problem, generator)  # (rows, columns)
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
            raise ValueError("configs must share one batch key, got several")
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
        self.family = family_of(problem)
        self.models = self.family.networks(problem, torch.stack([drawn.theta for drawn in draws]).to(device))
        self.optimizer = adamw_for(
            self.models.theta, learning_rate=problem.learning_rate, weight_decay=problem.weight_decay
        )
        self._prepare()

    def _prepare(self) -> None:
        """Buffers for the members there are."""
        problem = self.configs[0].problem
        self.grad = torch.zeros_like(self.models.theta)
        examples = Examples(symbols=self.data["symbols"], labels=self.data["labels"], weights=self.data["weights"])
        self.step = self.family.step(problem, examples, self.dtype)
        self.repeat = Repeated(self._advance_once, self.grad.device.type)

    def _advance_once(self) -> None:
        self.step.gradient(self.models, self.grad)
        self.optimizer.step(self.grad)

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

    def keep(self, members: list[int]) -> None:
        """Drop all other members; those kept go on exactly as before."""
        index = torch.tensor(members, device=self.models.theta.device)
        self.configs = [self.configs[member] for member in members]
        self.data = {key: value[index] for key, value in self.data.items()}
        self.optimizer = self.optimizer.keep(index)
        self.models = self.family.networks(self.configs[0].problem, self.optimizer.theta)
        self._prepare()


def train(configs: Sequence[RunConfig], *, device: str = "cpu", progress: Progress = lambda _: None) -> list[Run]:
    """Train every configuration to its end, in one batch.

    A member leaves the batch as soon as its outcome is decided or its loss is not finite; the
    others are not touched by it.

    Args:
        configs: Runs that share :func:`batch_key`.
        device: Where to train.
        progress: Called with the number of model-steps (steps × members still due) just finished.

    Returns:
        One finished run for each configuration, in the given order.
    """
    ensemble = Ensemble(configs, device)
    if configs[0].start == "generalized":
        ensemble.models.theta.copy_(_generalized_theta(configs, device, progress))
    active = list(range(len(configs)))
    rows: list[list[np.ndarray]] = [[] for _ in configs]
    steps: list[list[int]] = [[] for _ in configs]
    endings: dict[int, Ending] = {}
    spent = [0.0] * len(configs)
    done, horizon = 0, configs[0].horizon
    for target in configs[0].evaluation_steps():
        began = time.perf_counter()
        ensemble.advance(target - done)
        values = ensemble.evaluate()
        share = (time.perf_counter() - began) / len(active)
        progress((target - done) * len(active))
        done = target
        for row, member in zip(values, active, strict=True):
            rows[member].append(row)
            steps[member].append(done)
            spent[member] += share
            if not np.isfinite(row[0]):
                endings[member] = "diverged"
            elif is_decided(configs[member], np.array(steps[member]), np.array(rows[member])):
                endings[member] = "decided"
        keep = [place for place, member in enumerate(active) if member not in endings]
        if not keep:
            progress((horizon - done) * len(active))
            break
        if len(keep) < len(active):
            progress((horizon - done) * (len(active) - len(keep)))
            active = [active[place] for place in keep]
            ensemble.keep(keep)
    return [
        Run(
            config=config,
            curves=_curves(steps[member], rows[member]),
            ending=endings.get(member, "horizon"),
            seconds=spent[member],
        )
        for member, config in enumerate(configs)
    ]


def _generalized_theta(configs: Sequence[RunConfig], device: str, progress: Progress) -> Tensor:
    """Parameters of every member after the run before, shaped as its own."""
    ensemble, done = Ensemble([config.before for config in configs], device), 0
    for target in ensemble.configs[0].evaluation_steps():
        ensemble.advance(target - done)
        progress((target - done) * len(configs))
        done = target
    return ensemble.models.theta


def _curves(steps: list[int], rows: list[np.ndarray]) -> Curves:
    table = np.column_stack([np.array(steps, dtype=np.float64), np.array(rows)])
    return Curves(**dict(zip(CURVE_NAMES, table.T.copy(), strict=True)))
