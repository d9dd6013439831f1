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
from dcrit.theory.problems.problem import Model, Problem

#: Most members of a batch: beyond, a member hardly gets cheaper on a core, while on an accelerator it does.
MEMBERS = {"cpu": 16, "cuda": 1024}

#: Most memory for logits and hidden units of all pairs while a batch is evaluated [bytes].
EVALUATION_BYTES = {"cpu": 256 << 20, "cuda": 8 << 30}

#: Tensors of a training step should stay in a core's cache: a member costs up to twice as much where they do not.
#: Transformers do more with each number, and are held together by the calls they share.
CACHE_BYTES = 4 << 20
TRANSFORMER_CACHE_BYTES = 16 << 20

#: A batch is at most this fraction of all work, so that workers end together, unless it would get too small: a
#: step of transformers is many more calls.
LARGEST_SHARE = 1 / 8
FEWEST_MEMBERS: dict[Model, int] = {"mlp": 4, "transformer": 8}

#: What takes as long as so many FLOPs of matrix products, fitted to times of one core: a logit in a training step,
#: a logit in an evaluation, and a model's share of the calls that make a step.
LOGIT_FLOPS, EVALUATED_LOGIT_FLOPS = 200, 400
CALL_FLOPS: dict[Model, int] = {"mlp": 300_000, "transformer": 6_000_000}

#: The same for what one layer of transformers does to one position of one example outside of products.
ATTENTION_FLOPS = 30_000


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
    problem = config.problem
    weights, n_classes = _weights_met(problem), problem.n_classes
    attention = ATTENTION_FLOPS * _positions_read(problem)
    rows = rows_of(config)
    if config.start == "generalized":
        rows = (rows + rows_of(config.before)) // 2
    step = rows * (6 * weights + attention + LOGIT_FLOPS * n_classes) + CALL_FLOPS[problem.model]
    evaluation = problem.n_pairs * (2 * weights + attention // 3 + EVALUATED_LOGIT_FLOPS * n_classes)
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
        fewest = FEWEST_MEMBERS[first.problem.model]
        most = min(most, max(fewest, round(largest / whole.cost * n_members)))
    most = max(1, min(most, int(min(memory, sys.maxsize) // whole.member_bytes)))
    n_pieces = math.ceil(n_members / most)
    edges = [n_members * piece // n_pieces for piece in range(n_pieces + 1)]
    return [replace(whole, configs=whole.configs[start:stop]) for start, stop in pairwise(edges)]


def _most_members(config: RunConfig, device: str) -> int:
    problem, n_classes = config.problem, config.problem.n_classes
    size = 4 if config.precision == "float32" else 8
    hidden = _hidden_values(problem)
    most = min(MEMBERS[device], EVALUATION_BYTES[device] // (size * problem.n_pairs * (n_classes + hidden)))
    if device == "cpu":
        # A row: hidden units before and after σ and their gradient, logits and theirs.
        # A parameter: itself, its gradient and two moments.
        step = size * (rows_of(config) * (3 * hidden + 2 * n_classes) + 4 * problem.n_params)
        cache = CACHE_BYTES if problem.model == "mlp" else TRANSFORMER_CACHE_BYTES
        most = min(most, round(cache / step))
    return max(1, most)


def member_bytes(config: RunConfig) -> int:
    """Tensors of one member of a batch, at most: those of a step and those of an evaluation [bytes].

    A row of a step: hidden units before and after σ and their gradient, logits and theirs; a parameter: itself, its
    gradient and two moments. A pair of an evaluation: logits and hidden units. Twice that, for what is held on the way.
    """
    problem, hidden = config.problem, _hidden_values(config.problem)
    size = 4 if config.precision == "float32" else 8
    rows = rows_of(config.before if config.start == "generalized" else config)
    step = rows * (3 * hidden + 2 * problem.n_classes) + 4 * problem.n_params
    return 2 * size * (step + problem.n_pairs * (problem.n_classes + hidden))


def _positions_read(problem: Problem) -> int:
    """Positions of one pair, over all layers, that attend to others: one in the last layer, all in those before."""
    return 0 if problem.model == "mlp" else 3 * (problem.depth - 1) + 1


def _weights_met(problem: Problem) -> int:
    """Weights that one pair is multiplied with.

    Of a transformer's last layer that is the feed-forward block at one position, and in deeper ones
    keys and values at three; of one layer, attention is made of tables that pairs share.
    """
    width, depth = problem.width, problem.depth
    unembed = problem.n_classes * width
    if problem.model == "mlp":
        return unembed
    return ((depth > 1) * (36 * (depth - 1) + 8) + 8) * width**2 + unembed


def _hidden_values(problem: Problem) -> int:
    """Values kept for one pair beside its logits.

    Of one layer, hidden units and the residual stream; of several, what autograd keeps of each position.
    """
    if problem.model == "mlp":
        return problem.width
    return 5 * problem.width if problem.depth == 1 else 36 * problem.depth * problem.width


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
            most = min(most, CACHE_BYTES // _step_bytes(first))
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
    return size * (4 * Layout.of(config).n_rows * config.width + examples * (3 * config.width + 2 * n_classes))


def multitask_step_cost(config: MultitaskConfig) -> int:
    """Estimated cost of one step of one model, without evaluations [FLOPs]."""
    logits = sum(component.n_train * config.problem(k).n_classes for k, component in enumerate(config.components))
    calls = len(config.components) * CALL_FLOPS["mlp"]
    return math.ceil(multitask_flops(config) / config.total_steps) + LOGIT_FLOPS * logits + calls


def multitask_member_bytes(config: MultitaskConfig) -> int:
    """Tensors of one member of a batch, at most, as those of a single network are counted [bytes]."""
    size = 4 if config.precision == "float32" else 8
    problems = [config.problem(k) for k in range(len(config.components))]
    n_classes = max(one.n_classes for one in problems)
    rows = sum(padded_rows(component.n_train) for component in config.components)
    step = rows * (3 * config.width + 2 * n_classes) + 4 * Layout.of(config).n_rows * config.width
    return 2 * size * (step + sum(one.n_pairs for one in problems) * (n_classes + config.width))
