"""Several claims in one suite: the chance that any is decided wrongly stays at the level of a single one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dcrit.empirics.claims.effect import SIGNIFICANCE


def holm_thresholds(
    p_values: Sequence[float | None], significance: float = SIGNIFICANCE, *, n_claims: int | None = None
) -> list[float | None]:
    """Largest p-value that decides each claim, by Holm's step-down procedure.

    In ascending order p_(1) ≤ … ≤ p_(m) claim k is decided if p_(j) ≤ α/(m − j + 1) for all j ≤ k.

    Args:
        p_values: One a claim; None where nothing can be decided, which is as a p-value of 1.
        significance: α, chance of any wrong decision.
        n_claims: m, where more claims are corrected for than are judged here; their number if None.

    Returns:
        One threshold a claim: its own α/(m − k + 1), or that of the first claim in order that failed before it.

    Raises:
        ValueError: Fewer claims are corrected for than have a p-value.

    Source: holm1979.
    """
    m = len(p_values) if n_claims is None else n_claims
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None and math.isfinite(p))
    if m < len(order):
        raise ValueError(f"n_claims must be at least {len(order)}, got {m}")
    thresholds: list[float | None] = [None] * len(p_values)
    failed: float | None = None
    for rank, (p, index) in enumerate(order):
        own = significance / (m - rank)
        if failed is None and p > own:
            failed = own
        thresholds[index] = own if failed is None else failed
    return thresholds
