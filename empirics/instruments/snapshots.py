"""Networks at chosen steps of their training: what curves do not hold, for instruments that look inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcrit.empirics.runs.outcomes import SETTLED_FRACTION
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.batches import plan_batches
from dcrit.empirics.training.ensemble import Ensemble, Progress
from dcrit.theory.checks import FieldError

T = TypeVar("T")

#: Steps before the last tenth, log-spaced, and in it, evenly: settled values are medians over the latter.
EARLY, SETTLED = 16, 5


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One network at one step.

    Attributes:
        config: What is run.
        step: Optimizer steps taken [steps].
        theta: Parameters as the model keeps them; (3S, H) for the pair-MLP.
        logits: Of all ordered pairs, row-major in (a, b): (C, S²).
        labels: Class of every pair, (S²,).
        is_train: Whether a pair is trained on, (S²,).
    """

    config: RunConfig
    step: int
    theta: Tensor
    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    is_train: NDArray[np.bool_]

    @property
    def settled(self) -> bool:
        """Whether the step lies in the last tenth of the horizon."""
        return self.step >= (1 - SETTLED_FRACTION) * self.config.horizon

    @property
    def finite(self) -> bool:
        """Whether training has not diverged."""
        return bool(np.isfinite(self.logits).all())


def snapshot_steps(config: RunConfig, n_early: int = EARLY) -> list[int]:
    """Steps to look at: the first, log-spaced ones, and some evenly spaced over the last tenth.

    Args:
        config: What is run.
        n_early: Log-spaced steps before the last tenth.
    """
    last = (1 - SETTLED_FRACTION) * config.horizon
    early = np.geomspace(1, last, n_early, endpoint=False).round() if n_early else []
    settled = np.linspace(np.ceil(last), config.horizon, SETTLED).round()
    return sorted({0, *map(int, early), *map(int, settled)}) if n_early else sorted(set(map(int, settled)))


def snapshots(
    configs: Sequence[RunConfig],
    steps: Sequence[int],
    *,
    device: str = "cpu",
    progress: Progress = lambda _: None,
) -> Iterator[list[Snapshot]]:
    """Train runs in one batch and look at every one of them at each of the steps.

    Training is that of :func:`dcrit.empirics.training.ensemble.train`, but no run ends before the last step.

    Args:
        configs: Runs from scratch that share a batch key.
        steps: In rising order.
        device: Where to train.
        progress: Called with the number of model-steps just finished.

    Yields:
        The snapshots of one step, in the order of ``configs``.

    Raises:
        ValueError: A run does not start from scratch.
    """
    if any(config.start != "scratch" for config in configs):
        raise FieldError("start", "be 'scratch' for snapshots", "'generalized'")
    ensemble, done = Ensemble(configs, device), 0
    labels = ensemble.data["all_labels"].cpu().numpy()
    is_train = ensemble.data["is_train"].cpu().numpy()
    for step in sorted(steps):
        ensemble.advance(step - done)
        progress((step - done) * len(configs))
        done = step
        logits = ensemble.models.logits_of_all_pairs().double().cpu().numpy()  # (M, C, S²)
        theta = ensemble.models.theta.detach().cpu().clone()
        yield [
            Snapshot(
                config=config,
                step=step,
                theta=theta[member],
                logits=logits[member],
                labels=labels[member],
                is_train=is_train[member],
            )
            for member, config in enumerate(configs)
        ]


def visit(
    configs: Sequence[RunConfig],
    steps: Sequence[int],
    look: Callable[[Snapshot], T],
    *,
    device: str = "cpu",
    progress: Progress = lambda _: None,
) -> list[list[T]]:
    """What is seen of every run at every step, batch after batch.

    Args:
        configs: Runs from scratch, to one horizon.
        steps: In rising order.
        look: What to make of a snapshot.
        device: Where to train.
        progress: Called with the number of model-steps just finished.

    Returns:
        For each configuration, in the given order, what was seen at each step.
    """
    seen: dict[str, list[T]] = {config.address: [] for config in configs}
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as sweeps do: the number of threads changes rounding
    try:
        for batch in plan_batches(configs, device):
            for taken in snapshots(batch.configs, steps, device=device, progress=progress):
                for snapshot in taken:
                    seen[snapshot.config.address].append(look(snapshot))
    finally:
        torch.set_num_threads(n_threads)
    return [seen[config.address] for config in configs]
