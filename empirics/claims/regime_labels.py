"""Claim: the popular labels of four corners of the plane of model and training-set size hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, Statistic, effect_of_count
from dcrit.empirics.experiments.size_grid import EASY, EXPERIMENT, Grid, GridEvidence
from dcrit.empirics.measures.planes import dip_of, p_dip
from dcrit.theory.circuits.regimes import FITTED, SEMI_GROKKING
from dcrit.theory.estimates import interval_of
from dcrit.theory.predictions.double_descent import SMALLEST_DIP

BoolArray = NDArray[np.bool_]

#: Fraction of the runs of a corner that have to show what its label says.
MAJORITY = 0.5

#: Small and large models are the so many smallest and largest widths.
ENDS = 2

#: Training sets by the fraction of all pairs: little up to the first, moderate between the next two, excess above.
LITTLE, MODERATE, EXCESS = 0.36, (0.4, 0.6), 0.8

#: A run has grokked if it generalizes so many times later than it fits.
DELAY = 2.0


def underfits(grid: Grid) -> BoolArray:
    """Runs that do not fit their training set (S, K, n)."""
    return grid.train_accuracy < FITTED


def groks(grid: Grid) -> BoolArray:
    """Runs that fit, and generalize much later (S, K, n)."""
    delayed = np.isfinite(grid.grokked_at) & (grid.grokked_at >= DELAY * grid.fitted_at)
    return (grid.train_accuracy >= FITTED) & (grid.test_accuracy >= SEMI_GROKKING[1]) & delayed


def overfits(grid: Grid) -> BoolArray:
    """Runs that fit and do not generalize (S, K, n)."""
    return (grid.train_accuracy >= FITTED) & (grid.test_accuracy < SEMI_GROKKING[1])


def _sizes(grid: Grid, holds: Callable[[float], bool]) -> list[int]:
    n_pairs = grid.plane.problem.n_pairs
    return [index for index, size in enumerate(grid.plane.sizes) if holds(size / n_pairs)]


def _count(grid: Grid, label: str, sizes: list[int], widths: slice, shown: BoolArray) -> tuple[Row, Effect | None]:
    corner, known = shown[sizes][:, widths], np.isfinite(grid.test_accuracy[sizes][:, widths])
    hits, total = int((corner & known).sum()), int(known.sum())
    effect = effect_of_count(hits, total, MAJORITY) if total else None
    train, test = grid.train_accuracy[sizes][:, widths][known], grid.test_accuracy[sizes][:, widths][known]
    row: Row = {
        "plane": grid.name,
        "label": label,
        "shown": float(hits),
        "of": float(total),
        "train accuracy": float(train.mean()) if total else None,
        "test accuracy": float(test.mean()) if total else None,
    }
    return row, effect


def _descent(grid: Grid, sizes: list[int]) -> tuple[Row, Effect | None]:
    """Whether accuracy dips over the upper half of the widths at some moderate size."""
    half = slice(len(grid.plane.widths) // 2 - 1, None)
    dips = [dip for dip in (dip_of(grid.test_accuracy[size, half]) for size in sizes) if dip is not None]
    row: dict[str, str | float | None] = {"plane": grid.name, "label": "large, moderate: double descent"}
    if not dips:
        return row, None
    deepest = max(dips, key=lambda dip: dip.depth)
    row |= {
        "shown": float(sum(dip.depth >= SMALLEST_DIP for dip in dips)),
        "of": float(len(dips)),
        "test accuracy": float(np.nanmean(grid.test_accuracy[sizes][:, half])),
        "deepest dip": deepest.depth,
    }
    return row, Effect(
        value=deepest.depth,
        interval=interval_of(deepest.depths),
        p_inside=min(1.0, len(dips) * min(map(p_dip, dips))),
        p_outside=max(dip.p_deeper(SMALLEST_DIP) for dip in dips),
    )


def judge(evidence: GridEvidence) -> Finding:
    """Every label in every plane of addition."""
    grids = [grid for grid in evidence.grids if grid.plane.problem.task == EASY]
    small, large = slice(None, ENDS), slice(-ENDS, None)
    judged: list[tuple[Row, Effect | None]] = []
    for grid in grids:
        little = _sizes(grid, lambda fraction: fraction <= LITTLE)
        moderate = _sizes(grid, lambda fraction: MODERATE[0] <= fraction <= MODERATE[1])
        excess = _sizes(grid, lambda fraction: fraction >= EXCESS)
        judged += [
            _count(grid, "small, little: underfits", little, small, underfits(grid)),
            _count(grid, "large, little: groks", little, large, groks(grid)),
            _descent(grid, moderate),
            _count(grid, "large, excess: overfits", excess, large, overfits(grid)),
        ]
    effects = [effect for _, effect in judged]
    counted = [
        f"{row['plane']}, {row['label']} {row['shown']:.0f}/{row['of']:.0f}"
        for row, effect in judged
        if effect is not None
    ]
    holding = sum(effect is not None and effect.p_inside < effect.p_outside for effect in effects)
    return finding_on(
        [row for row, _ in judged],
        effects,
        Statistic(value=holding / len(effects), interval=None) if effects else None,
        predicted=1.0,
        n_runs=sum(grid.n_runs for grid in grids),
        n_unconverged=sum(grid.n_lost for grid in grids),
        reason="; ".join(counted) or "no plane was measured",
    )


CLAIM: Claim[GridEvidence] = Claim(
    id="regime-labels",
    order=9,
    statement="Small models on little data underfit, large ones on little data grok, on moderate data show double "
    "descent and on excess data overfit.",
    source=("huang2024",),
    criterion=f"In every plane of addition, small and large are the {ENDS} smallest and largest widths, little, "
    f"moderate and excess data up to {LITTLE}, {MODERATE[0]}–{MODERATE[1]} and at least {EXCESS} of all pairs. More "
    f"than {MAJORITY:.0%} of the runs of a corner show its label (exact binomial tests): train accuracy below "
    f"{FITTED}; fitted, and test accuracy {SEMI_GROKKING[1]} reached at least {DELAY:g} times later and kept; "
    f"fitted with test accuracy below {SEMI_GROKKING[1]}. Double descent is a dip by {SMALLEST_DIP:g} over the upper "
    "half of the widths beyond noise (Bonferroni) at some moderate size. Supported if each holds, refuted if one "
    "fails (Bonferroni), inconclusive otherwise.",
    experiment=EXPERIMENT,
    judge=judge,
)
