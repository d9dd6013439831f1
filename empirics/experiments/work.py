"""How much an experiment trains, before it does."""

from __future__ import annotations

from collections.abc import Iterable

from dcrit.empirics.cost import step_flops
from dcrit.empirics.runs import RunConfig


def flops_of(configs: Iterable[RunConfig]) -> float:
    """Counted operations of runs that take all their steps [FLOPs]."""
    return float(sum(step_flops(one.problem, one.n_train) * one.total_steps for one in configs))
