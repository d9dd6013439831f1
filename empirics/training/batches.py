"""Which runs are trained together: batches that suit a core's cache, and an estimate of what each costs."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from dcrit.empirics.models.multitask_layout import Layout, multitask_key
from dcrit.empirics.models.padding import batch_key, padded_rows, rows_of
from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.cost import multitask_flops

#: Most members of a batch: beyond, a member hardly gets cheaper on a core, while on an accelerator it does.
MEMBERS = {"cpu": 16, "cuda": 1024}

#: Most memory for logits and hidden units of all pairs while a batch is evaluated [bytes].
EVALUATION_BYTES = {"cpu": 256 << 20, "cuda": 8 << 30}

#: A batch is at most this fraction of all work, so that workers end together, unless it would get too small.
LARGEST_SHARE = 1 / 8

#: What takes as long as so many FLOPs of matrix products, fitted to times of one core: a logit in a training step and
#: a logit in an evaluation.
LOGIT_FLOPS, EVALUATED_LOGIT_FLOPS = 200, 400


class Trainable(Protocol):
    """A configuration, as far as its cost goes."""

    @property
    def total_steps(self) -> int:
        """Steps at most, those taken before the recorded ones included [steps]."""
        ...


AnyTrainable = TypeVar("AnyTrainable", bound=Trainable)


@dataclass(frozen=True, kw_only=True)
class Batch(Generic[AnyTrainable]):
    """Runs that are trained together.

    Attributes:
        configs: What to run; all share a batch key.
        step_cost: Of one step of one model [FLOPs].
        member_bytes: Estimated memory of one model with its data, at its largest [bytes].
    """

    configs: tuple[AnyTrainable, ...]
    step_cost: int
    member_bytes: int

    @property
    def cost(self) -> int:
        """Of all steps of all models [FLOPs]."""
        return self.step_cost * self.configs[0].total_steps * len(self.configs)

    @property
    def n_bytes(self) -> int:
        """Estimated memory of all models with their data, at its largest [bytes]."""
        return self.member_bytes * len(self.configs)


def step_cost(config: RunConfig) -> int:
    """Estimated cost of one step of one model, its share of the evaluations included [FLOPs].

    A step takes six operations for each weight that a training pair is multiplied with, an
    evaluation two for each that any pair is.
    """
    problem, family = config.problem, config.problem.family
    weights, n_classes = family.weights_per_pair(problem), problem.n_classes
    other = family.other_flops_per_pair(problem)
    rows = rows_of(config)
    if config.start == "generalized":
        rows = (rows + rows_of(config.before)) // 2
    step = rows * (6 * weights + other + LOGIT_FLOPS * n_classes) + family.call_flops
    evaluation = problem.n_pairs * (2 * weights + other // 3 + EVALUATED_LOGIT_FLOPS * n_classes)
    return step + math.ceil(evaluation * len(config.evaluation_steps()) / config.total_steps)


def plan_batches(configs: Sequence[RunConfig], device: str = "cpu", memory: float = math.inf) -> list[Batch[RunConfig]]:
    """Divide runs into batches, the most expensive first.

    The number of workers has no say in it: rounding may depend on the batch that a run is in, and
    no result may depend on how many cores a machine has. Memory has one only where it would not hold a batch.

    Args:
        configs: Different runs.
        device: ``cpu`` or ``cuda``.
        memory: Of a worker [bytes].
    """
    groups: dict[tuple[object, ...], list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(batch_key(config), []).append(config)
    whole = [
        Batch(configs=tuple(group), step_cost=step_cost(group[0]), member_bytes=member_bytes(group[0]))
        for group in groups.values()
    ]
    largest = LARGEST_SHARE * sum(batch.cost for batch in whole)
    batches = [piece for batch in whole for piece in _divide(batch, largest, device, memory)]
    return sorted(batches, key=lambda batch: -batch.cost)


def _divide(whole: Batch[RunConfig], largest: float, device: str, memory: float) -> list[Batch[RunConfig]]:
    n_members = len(whole.configs)
    first = whole.configs[0]
    most = _most_members(first, device)
    if device == "cpu":
        most = min(most, max(first.problem.family.fewest_members, round(largest / whole.cost * n_members)))
    most = max(1, min(most, int(min(memory, sys.maxsize) // whole.member_bytes)))
    n_pieces = math.ceil(n_members / most)
    edges = [n_members * piece // n_pieces for piece in range(n_pieces + 1)]
    return [replace(whole, configs=whole.configs[start:stop]) for start, stop in pairwise(edges)]


def _most_members(config: RunConfig, device: str) -> int:
    problem, n_classes = config.problem, config.problem.n_classes
    size = 4 if config.precision == "float32" else 8
    hidden = problem.family.values_per_pair(problem)
    most = min(MEMBERS[device], EVALUATION_BYTES[device] // (size * problem.n_pairs * (n_classes + hidden)))
    if device == "cpu":
        # A member costs up to twice as much where its step's tensors are not in a core's cache.
        # A row: hidden units before and after σ and their gradient, logits and theirs.
        # A parameter: itself, its gradient and two moments.
        step = size * (rows_of(config) * (3 * hidden + 2 * n_classes) + 4 * problem.n_params)
        most = min(most, round(problem.family.cache_bytes / step))
    return max(1, most)


def member_bytes(config: RunConfig) -> int:
    """Tensors of one member of a batch, at most: those of a step and those of an evaluation [bytes].

    A row of a step: hidden units before and after σ and their gradient, logits and theirs; a parameter: itself, its
    gradient and two moments. A pair of an evaluation: logits and hidden units. Twice that, for what is held on the way.
    """
    problem, hidden = config.problem, config.problem.family.values_per_pair(config.problem)
    size = 4 if config.precision == "float32" else 8
    rows = rows_of(config.before if config.start == "generalized" else config)
    step = rows * (3 * hidden + 2 * problem.n_classes) + 4 * problem.n_params
    return 2 * size * (step + problem.n_pairs * (problem.n_classes + hidden))


def plan_multitask(
    configs: Sequence[MultitaskConfig], device: str = "cpu", memory: float = math.inf
) -> list[Batch[MultitaskConfig]]:
    """Divide runs into batches of the same shapes that suit a core's cache, the most expensive first.

    Args:
        configs: Different runs.
        device: ``cpu`` or ``cuda``.
        memory: Of a worker [bytes].
    """
    groups: dict[tuple[object, ...], list[MultitaskConfig]] = {}
    for config in configs:
        groups.setdefault(multitask_key(config), []).append(config)
    batches: list[Batch[MultitaskConfig]] = []
    for group in groups.values():
        first = group[0]
        most = MEMBERS[device]
        if device == "cpu":
            most = min(most, first.problem(0).family.cache_bytes // _step_bytes(first))
        whole = multitask_member_bytes(first)
        most = max(1, min(most, int(min(memory, sys.maxsize) // whole)))
        cost = multitask_step_cost(first)
        batches += [
            Batch(configs=tuple(group[start : start + most]), step_cost=cost, member_bytes=whole)
            for start in range(0, len(group), most)
        ]
    return sorted(batches, key=lambda batch: -batch.cost)


def _step_bytes(config: MultitaskConfig) -> int:
    """Tensors of one member's step: parameters with gradient and moments, units with theirs, logits [bytes]."""
    size = 4 if config.precision == "float32" else 8
    n_classes = max(config.problem(k).n_classes for k in range(len(config.components)))
    examples = max(padded_rows(component.n_train) for component in config.components)
    kept = config.problem(0).family.values_per_pair(config.problem(0))
    return size * (4 * Layout.of(config).n_rows * config.width + examples * (3 * kept + 2 * n_classes))


def multitask_step_cost(config: MultitaskConfig) -> int:
    """Estimated cost of one step of one model, without evaluations [FLOPs]."""
    problems = [config.problem(k) for k in range(len(config.components))]
    family = problems[0].family
    others = sum(
        component.n_train * (LOGIT_FLOPS * problem.n_classes + family.other_flops_per_pair(problem))
        for problem, component in zip(problems, config.components, strict=True)
    )
    return math.ceil(multitask_flops(config) / config.total_steps) + others + len(problems) * family.call_flops


def multitask_member_bytes(config: MultitaskConfig) -> int:
    """Tensors of one member of a batch, at most, as those of a single network are counted [bytes]."""
    size = 4 if config.precision == "float32" else 8
    problems = [config.problem(k) for k in range(len(config.components))]
    n_classes = max(one.n_classes for one in problems)
    rows = sum(padded_rows(component.n_train) for component in config.components)
    kept = problems[0].family.values_per_pair(problems[0])
    step = rows * (3 * kept + 2 * n_classes) + 4 * Layout.of(config).n_rows * config.width
    return 2 * size * (step + sum(one.n_pairs for one in problems) * (n_classes + kept))
