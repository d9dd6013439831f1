"""Effective dimensionalities on disk, and those a list of them lacks measured by training the networks again."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from dcrit.empirics.instruments.effective_dimension import EffectiveDimensionDesign, dimension_of, settled_snapshots
from dcrit.empirics.instruments.snapshots import Snapshot
from dcrit.empirics.runs.dimensions import DIMENSION_VALUES, DimensionConfig, DimensionRun, DimensionValues
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.kinds import DimensionStore

NOTHING = DimensionValues(**dict.fromkeys(DIMENSION_VALUES, math.nan))


def measurable(configs: Sequence[RunConfig]) -> EffectiveDimensionDesign:
    """The design whose runs these are, in this order.

    Raises:
        ValueError: They are not runs of one problem and size that differ in consecutive seeds alone.
    """
    first = configs[0]
    design = EffectiveDimensionDesign(
        problem=first.problem, n_train=first.n_train, seeds=len(configs), first_seed=first.seed
    )
    if [one.address for one in design.configs()] != [one.address for one in configs]:
        raise ValueError("configs must be runs of the protocol that differ in consecutive seeds alone")
    return design


def unseen_loss(snapshot: Snapshot) -> float:
    """Mean cross-entropy on all pairs that are not trained on; NaN where there are none [nats]."""
    pairs = (~snapshot.is_train).nonzero()[0]
    if not len(pairs):
        return math.nan
    logits, labels = torch.from_numpy(snapshot.logits[:, pairs].T), torch.from_numpy(snapshot.labels[pairs])
    return torch.nn.functional.cross_entropy(logits, labels).item()


class DimensionTrainer:
    """Effective dimensionalities, measured by the calling process where a store lacks them, each point kept when found.

    Args:
        store: Where they are found and kept.
        device: Where to train.
    """

    def __init__(self, store: DimensionStore, *, device: str = "cpu") -> None:
        self.store, self.device = store, device

    def __call__(self, configs: Sequence[DimensionConfig], /) -> list[DimensionRun]:
        """What was found, in the order of the configurations.

        Raises:
            ValueError: A lacking run is none of the protocol, or the store's folder cannot be written to.
            StoreWriteError: What was found cannot be stored.
        """
        found = self.store.find(configs)
        lacking = {c.address: c for c in configs if c.address not in found}
        points: dict[tuple[Any, ...], list[DimensionConfig]] = {}
        for config in lacking.values():
            run = config.run
            points.setdefault((run.problem, run.n_train, run.steps), []).append(config)
        if points:
            self.store.prepare()
            self.store.set_aside()
        for group in points.values():
            made = self._look(sorted(group, key=lambda config: config.run.seed))
            self.store.add(made)
            found |= {one.config.address: one for one in made}
        return [found[config.address] for config in configs]

    def _look(self, group: Sequence[DimensionConfig]) -> list[DimensionRun]:
        began, design = time.monotonic(), measurable([config.run for config in group])
        made: list[tuple[DimensionConfig, DimensionValues]] = []
        for config, snapshot in zip(group, settled_snapshots(design, device=self.device), strict=True):
            if snapshot is None:
                made.append((config, NOTHING))
                continue
            seen = dimension_of(snapshot, design)
            values = DimensionValues(
                value=seen.value,
                smaller=seen.smaller,
                larger=seen.larger,
                train_loss=seen.train_loss,
                test_loss=unseen_loss(snapshot),
                step=float(seen.step),
            )
            made.append((config, values))
        seconds = (time.monotonic() - began) / len(group)
        return [
            DimensionRun(
                config=config, values=values, ending="diverged" if values is NOTHING else "horizon", seconds=seconds
            )
            for config, values in made
        ]
