"""Which mixtures are trained together, and an estimate of what each costs; without torch."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from dcrit.empirics.batch_keys import padded_rows
from dcrit.empirics.batches import CACHE_BYTES, CALL_FLOPS, LOGIT_FLOPS, MEMBERS, Batch
from dcrit.empirics.cost import mixture_flops
from dcrit.empirics.mixture_layout import Layout, mixture_key
from dcrit.empirics.mixtures import MixtureConfig


def plan_mixtures(
    configs: Sequence[MixtureConfig], device: str = "cpu", memory: float = math.inf
) -> list[Batch[MixtureConfig]]:
    """Divide runs into batches of the same shapes that suit a core's cache, the most expensive first.

    Args:
        configs: Different runs.
        device: ``cpu`` or ``cuda``.
        memory: Of a worker [bytes].
    """
    groups: dict[tuple[object, ...], list[MixtureConfig]] = {}
    for config in configs:
        groups.setdefault(mixture_key(config), []).append(config)
    batches: list[Batch[MixtureConfig]] = []
    for group in groups.values():
        first = group[0]
        most = MEMBERS[device]
        if device == "cpu":
            most = min(most, CACHE_BYTES // _step_bytes(first))
        whole = mixture_member_bytes(first)
        most = max(1, min(most, int(min(memory, sys.maxsize) // whole)))
        cost = mixture_step_cost(first)
        batches += [
            Batch(configs=tuple(group[start : start + most]), step_cost=cost, member_bytes=whole)
            for start in range(0, len(group), most)
        ]
    return sorted(batches, key=lambda batch: -batch.cost)


def _step_bytes(config: MixtureConfig) -> int:
    """Tensors of one member's step: parameters with gradient and moments, units with theirs, logits [bytes]."""
    size = 4 if config.precision == "float32" else 8
    n_classes = max(config.problem(k).n_classes for k in range(len(config.components)))
    examples = max(padded_rows(component.n_train) for component in config.components)
    return size * (4 * Layout.of(config).n_rows * config.width + examples * (3 * config.width + 2 * n_classes))


def mixture_step_cost(config: MixtureConfig) -> int:
    """Estimated cost of one step of one model, without evaluations [FLOPs]."""
    logits = sum(component.n_train * config.problem(k).n_classes for k, component in enumerate(config.components))
    calls = len(config.components) * CALL_FLOPS["mlp"]
    return math.ceil(mixture_flops(config) / config.total_steps) + LOGIT_FLOPS * logits + calls


def mixture_member_bytes(config: MixtureConfig) -> int:
    """Tensors of one member of a batch, at most, as those of a single network are counted [bytes]."""
    size = 4 if config.precision == "float32" else 8
    problems = [config.problem(k) for k in range(len(config.components))]
    n_classes = max(one.n_classes for one in problems)
    rows = sum(padded_rows(component.n_train) for component in config.components)
    step = rows * (3 * config.width + 2 * n_classes) + 4 * Layout.of(config).n_rows * config.width
    return 2 * size * (step + sum(one.n_pairs for one in problems) * (n_classes + config.width))
