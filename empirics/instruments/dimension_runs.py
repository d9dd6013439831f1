"""Effective dimensionalities as a kind of run that sweeps train: networks trained again, then looked at."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch

from dcrit.empirics.instruments.effective_dimension import EffectiveDimensionDesign, dimension_of, settled_snapshots
from dcrit.empirics.instruments.snapshots import Snapshot
from dcrit.empirics.runs.dimensions import DIMENSION_VALUES, DimensionConfig, DimensionRun, DimensionValues
from dcrit.empirics.store.checkpoint import Checkpoint
from dcrit.empirics.training.batches import Batch, member_bytes, step_cost
from dcrit.empirics.training.ensemble import Progress
from dcrit.empirics.training.sweep import Trainer
from dcrit.theory.problems.problem import Problem

NOTHING = DimensionValues(**dict.fromkeys(DIMENSION_VALUES, math.nan))


def unseen_loss(snapshot: Snapshot) -> float:
    """Mean cross-entropy on all pairs that are not trained on; NaN where there are none [nats]."""
    pairs = (~snapshot.is_train).nonzero()[0]
    if not len(pairs):
        return math.nan
    logits, labels = torch.from_numpy(snapshot.logits[:, pairs].T), torch.from_numpy(snapshot.labels[pairs])
    return torch.nn.functional.cross_entropy(logits, labels).item()


def plan_dimensions(
    configs: Sequence[DimensionConfig], device: str = "cpu", memory: float = math.inf
) -> list[Batch[DimensionConfig]]:
    """One batch for each problem, size and horizon, whatever its seeds are, the most expensive first.

    Args:
        configs: Different networks.
        device: Plays no part: :func:`settled_snapshots` divides a batch as ``device`` asks for.
        memory: Plays no part either.
    """
    del device, memory
    points: dict[tuple[Problem, int, int], list[DimensionConfig]] = {}
    for config in configs:
        points.setdefault((config.run.problem, config.run.n_train, config.run.horizon), []).append(config)
    batches = [
        Batch(configs=tuple(point), step_cost=step_cost(point[0].run), member_bytes=member_bytes(point[0].run))
        for point in points.values()
    ]
    return sorted(batches, key=lambda batch: -batch.cost)


def measure_dimensions(
    configs: Sequence[DimensionConfig],
    *,
    device: str = "cpu",
    progress: Progress = lambda _: None,
    checkpoint: Checkpoint | None = None,
) -> list[DimensionRun]:
    """Train networks and look at the curvature of each, N_eff at α = ελ.

    Args:
        configs: Of one problem, size and horizon.
        device: Where to train; curvature is looked at on the CPU.
        progress: Called with the number of model-steps just finished.
        checkpoint: Plays no part: what is seen on the way is not kept.

    Returns:
        What was found, in the order of the configurations.
    """
    del checkpoint
    began, runs = time.monotonic(), [config.run for config in configs]
    design = EffectiveDimensionDesign(problem=runs[0].problem, n_train=runs[0].n_train)
    values: list[DimensionValues] = []
    for snapshot in settled_snapshots(runs, device=device, progress=progress):
        if snapshot is None:
            values.append(NOTHING)
            continue
        seen = dimension_of(snapshot, design)
        values.append(
            DimensionValues(
                value=seen.value,
                smaller=seen.smaller,
                larger=seen.larger,
                train_loss=seen.train_loss,
                test_loss=unseen_loss(snapshot),
                step=float(seen.step),
            )
        )
    seconds = (time.monotonic() - began) / len(configs)
    return [
        DimensionRun(config=config, values=one, ending="diverged" if one is NOTHING else "horizon", seconds=seconds)
        for config, one in zip(configs, values, strict=True)
    ]


#: How effective dimensionalities are measured.
DIMENSIONS: Trainer[DimensionConfig, DimensionRun] = Trainer(plan=plan_dimensions, train=measure_dimensions)
