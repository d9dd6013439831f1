"""Claim: double descent in model size occurs only at training-set sizes below the star."""

from __future__ import annotations

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect
from dcrit.empirics.experiments.size_grid import EXPERIMENT, Grid, GridEvidence
from dcrit.empirics.experiments.star import star_of
from dcrit.empirics.measures.planes import Dip, dip_of, p_dip
from dcrit.theory.estimates import interval_of
from dcrit.theory.predictions.double_descent import SMALLEST_DIP


def _judge_grid(grid: Grid) -> tuple[list[Row], Effect | None]:
    star = star_of(grid)
    size = None if star is None else star.size_interval()
    rows: list[Row] = []
    sides: dict[str, list[Dip]] = {"below": [], "above": [], "at": [], "no star": []}
    for values, n_train in zip(grid.test_accuracy, grid.plane.sizes, strict=True):
        dip = dip_of(values)
        if dip is None:
            continue
        side = (
            "no star" if size is None else "below" if n_train < size.low else "above" if n_train > size.high else "at"
        )
        sides[side].append(dip)
        rows.append(
            {
                "plane": grid.name,
                "n_train": float(n_train),
                "star": side,
                "dip": dip.depth,
                "at width": float(grid.plane.widths[dip.index]) if dip.depth > 0 else None,
                "p (no dip)": dip.p_rising,
                "p (dip)": dip.p_deeper(SMALLEST_DIP),
            }
        )
    below, above = sides["below"], sides["above"]
    if not below or not above:
        return rows, None
    found = min(1.0, len(below) * min(map(p_dip, below)))
    flat = max(dip.p_deeper(SMALLEST_DIP) for dip in above)
    nowhere = max(dip.p_deeper(SMALLEST_DIP) for dip in below)
    elsewhere = len(above) * min(map(p_dip, above))
    deepest = max(below, key=lambda dip: dip.depth)
    return rows, Effect(
        value=deepest.depth,
        interval=interval_of(deepest.depths),
        p_inside=max(found, flat),
        p_outside=min(1.0, 2 * min(nowhere, elsewhere)),
    )


def judge(evidence: GridEvidence) -> Finding:
    """Dips below and above the star in every plane."""
    judged = [_judge_grid(grid) for grid in evidence.grids]
    effects = [effect for _, effect in judged]
    known = [effect for effect in effects if effect is not None]
    deepest = max(known, key=lambda effect: effect.value, default=None)
    rows = [row for part, _ in judged for row in part]
    dips = {
        side: sum(isinstance(row["dip"], float) and row["dip"] >= SMALLEST_DIP for row in rows if row["star"] == side)
        for side in ("below", "above")
    }
    totals = {side: sum(row["star"] == side for row in rows) for side in ("below", "above")}
    return finding_on(
        rows,
        effects,
        deepest,
        predicted=SMALLEST_DIP,
        n_runs=sum(grid.n_runs for grid in evidence.grids),
        n_unconverged=sum(grid.n_lost for grid in evidence.grids),
        reason=f"mean accuracy dips by {SMALLEST_DIP:g} or more at {dips['below']} of {totals['below']} sizes below "
        f"the star and {dips['above']} of {totals['above']} above, noise not counted; {len(known)} of {len(effects)} "
        "planes have sizes on both sides",
    )


CLAIM: Claim[GridEvidence] = Claim(
    id="dd-below-star",
    order=10,
    statement="Double descent in model size occurs at training-set sizes below the star and only there.",
    source=("huang2024",),
    criterion=f"The dip is the largest fall of seed-averaged test accuracy below a smaller width that a larger width "
    f"recovers by half. In every plane with sizes on both sides of the 90 % interval of D*: supported if some size "
    f"below has a dip by {SMALLEST_DIP:g} that a curve rising with width does not show by noise (bootstrap, "
    f"Bonferroni) and every size above none by {SMALLEST_DIP:g}; refuted if in one plane no size below has such a dip, "
    "or one above has; inconclusive otherwise, and not supported where a plane has no star, or no size on one side of "
    "it.",
    experiment=EXPERIMENT,
    judge=judge,
)
