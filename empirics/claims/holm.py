"""Several claims in one suite: the chance that any is decided wrongly stays at the level of a single one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dcrit.empirics.claims.effect import SIGNIFICANCE


def holm_thresholds(p_values: Sequence[float | None], significance: float = SIGNIFICANCE) -> list[float | None]:
    """Largest p-value that decides each claim, by Holm's step-down procedure.

    In ascending order p_(1) ≤ … ≤ p_(m) claim k is decided if p_(j) ≤ α/(m − j + 1) for all j ≤ k.

    Args:
        p_values: One a claim; None where nothing can be decided, which then counts for nothing.
        significance: α, chance of any wrong decision.

    Returns:
        One threshold a claim: its own α/(m − k + 1), or that of the first claim in order that failed before it.

    Source: holm1979.
    """
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None and math.isfinite(p))
    thresholds: list[float | None] = [None] * len(p_values)
    failed: float | None = None
    for rank, (p, index) in enumerate(order):
        own = significance / (len(order) - rank)
        if failed is None and p > own:
            failed = own
        thresholds[index] = own if failed is None else failed
    return thresholds
