"""Which runs are trained together: batches that suit a core's cache, and an estimate of what each costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dcrit.empirics.ensemble import batch_key, rows_of
from dcrit.empirics.runs import RunConfig
from dcrit.theory.problem import Problem

#: Most members of a batch: beyond, a member hardly gets cheaper on a core, while on an accelerator it does.
MEMBERS = {"cpu": 16, "cuda": 1024}

#: Most memory for logits and hidden units of all pairs while a batch is evaluated [bytes].
EVALUATION_BYTES = {"cpu": 256 << 20, "cuda": 8 << 30}

#: Tensors of a training step should stay in a core's cache: a member costs up to twice as much where they do not.
CACHE_BYTES = 4 << 20

#: A batch is at most this fraction of all work, so that workers end together, unless it would get too small.
LARGEST_SHARE = 1 / 8
FEWEST_MEMBERS = 4

#: What takes as long as so many FLOPs of matrix products, fitted to times of one core: a logit in a training step,
#: a logit in an evaluation, and a model's share of the calls that make a step.
LOGIT_FLOPS, EVALUATED_LOGIT_FLOPS, CALL_FLOPS = 200, 400, 300_000


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Runs that are trained together.

    Attributes:
        configs: What to run; all share a batch key.
        step_cost: Of one step of one model [FLOPs].
    """

    configs: tuple[RunConfig, ...]
    step_cost: int

    @property
    def cost(self) -> int:
        """Of all steps of all models [FLOPs]."""
        return self.step_cost * self.configs[0].total_steps * len(self.configs)


def step_cost(config: RunConfig) -> int:
    """Estimated cost of one step of one model, its share of the evaluations included [FLOPs].

    A step takes six operations for each weight that a training pair is multiplied with, an
    evaluation two for each that any pair is.
    """
    problem = config.problem
    weights, n_classes = _weights_met(problem), problem.n_classes
    rows = rows_of(config)
    if config.start == "generalized":
        rows = (rows + rows_of(config.before)) // 2
    step = rows * (6 * weights + LOGIT_FLOPS * n_classes) + CALL_FLOPS
    evaluation = problem.n_pairs * (2 * weights + EVALUATED_LOGIT_FLOPS * n_classes)
    return step + math.ceil(evaluation * len(config.evaluation_steps()) / config.total_steps)


def plan_batches(configs: Sequence[RunConfig], device: str = "cpu") -> list[Batch]:
    """Divide runs into batches, the most expensive first.

    The number of workers has no say in it: rounding may depend on the batch that a run is in, and
    no result may depend on how many cores a machine has.

    Args:
        configs: Different runs.
        device: ``cpu`` or ``cuda``.
    """
    groups: dict[tuple[object, ...], list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(batch_key(config), []).append(config)
    whole = [Batch(configs=tuple(group), step_cost=step_cost(group[0])) for group in groups.values()]
    largest = LARGEST_SHARE * sum(batch.cost for batch in whole)
    batches = [piece for batch in whole for piece in _divide(batch, largest, device)]
    return sorted(batches, key=lambda batch: -batch.cost)


def _divide(whole: Batch, largest: float, device: str) -> list[Batch]:
    n_members = len(whole.configs)
    most = _most_members(whole.configs[0], device)
    if device == "cpu":
        most = min(most, max(FEWEST_MEMBERS, round(largest / whole.cost * n_members)))
    n_pieces = math.ceil(n_members / most)
    edges = [n_members * piece // n_pieces for piece in range(n_pieces + 1)]
    return [Batch(configs=whole.configs[start:stop], step_cost=whole.step_cost) for start, stop in pairwise(edges)]


def _most_members(config: RunConfig, device: str) -> int:
    problem, n_classes = config.problem, config.problem.n_classes
    size = 4 if config.precision == "float32" else 8
    hidden = _hidden_values(problem)
    most = min(MEMBERS[device], EVALUATION_BYTES[device] // (size * problem.n_pairs * (n_classes + hidden)))
    if device == "cpu":
        # A row: hidden units before and after σ and their gradient, logits and theirs.
        # A parameter: itself, its gradient and two moments.
        step = size * (rows_of(config) * (3 * hidden + 2 * n_classes) + 4 * problem.n_params)
        most = min(most, round(CACHE_BYTES / step))
    return max(1, most)


def _weights_met(problem: Problem) -> int:
    """Weights that one pair is multiplied with; a transformer has three tokens."""
    unembed = problem.n_classes * problem.width
    return unembed if problem.model == "mlp" else 3 * 12 * problem.depth * problem.width**2 + unembed


def _hidden_values(problem: Problem) -> int:
    """Values kept for one pair beside its logits."""
    return problem.width if problem.model == "mlp" else 3 * 12 * problem.depth * problem.width
