"""Claim: the two measured curves cross, at a located star."""

from __future__ import annotations

import math

import numpy as np

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, Statistic
from dcrit.empirics.experiments.size_grid import EASY, EXPERIMENT, Grid, GridEvidence
from dcrit.empirics.experiments.star import star_of
from dcrit.empirics.measures.planes import DRAWS
from dcrit.theory.estimates import Estimate, Interval

#: A star is located if N* is known to within this factor on either side.
FACTOR = 2.0


def _ends(interval: Interval | None, name: str) -> dict[str, float | None]:
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return {f"{name} low": low, f"{name} high": high}


def _predicted(prediction: Estimate | None, name: str) -> dict[str, float | None]:
    value, interval = (None, None) if prediction is None else (prediction.value, prediction.interval)
    return {f"{name} predicted": value, **_ends(interval, f"{name} predicted")}


def _judge_grid(grid: Grid) -> tuple[Row, Effect | None]:
    star = star_of(grid)
    theory = None if grid.diagram is None else grid.diagram.star
    predicted = _predicted(theory and theory.n_params, "N*") | _predicted(theory and theory.n_train, "D*")
    if star is None:
        note = "fewer than two models are overloaded by random labels, so that there is no curve of capacity"
        return {"plane": grid.name, "N*": None, "D*": None, **predicted, "note": note}, None
    middle = star.middle()
    row: Row = {
        "plane": grid.name,
        "N*": None if middle is None else middle[0],
        **_ends(star.params_interval(), "N*"),
        "D*": None if middle is None else middle[1],
        **_ends(star.size_interval(), "D*"),
        **predicted,
        "cross": star.share,
        "note": "",
    }
    centre = math.nan if middle is None else math.log(middle[0])
    near = int((np.abs(star.log_params - centre) <= math.log(FACTOR)).sum())
    n, crossing = len(star.log_params), int(star.located.sum())
    effect = Effect(
        value=star.share,
        interval=Interval(low=near / n, high=crossing / n),
        p_inside=(n - near + 1) / (n + 1),
        p_outside=(crossing + 1) / (n + 1),
    )
    return row, effect


def judge(evidence: GridEvidence) -> Finding:
    """Where the curves cross in every plane of addition."""
    grids = [grid for grid in (*evidence.grids, *evidence.star_grids) if grid.plane.problem.task == EASY]
    judged = [_judge_grid(grid) for grid in grids]
    effects = [effect for _, effect in judged]
    located = sum(effect is not None and effect.interval.low >= 0.9 for effect in effects)
    widths = [
        f"{row['plane']}: N* {row['N*']:.0f} ({row['N* low']:.0f}–{row['N* high']:.0f}), D* {row['D*']:.0f}"
        for row, _ in judged
        if isinstance(row["N*"], float)
    ]
    return finding_on(
        [row for row, _ in judged],
        effects,
        Statistic(value=located / len(grids), interval=None) if grids else None,
        predicted=1.0,
        n_runs=sum(grid.n_runs + sum(map(len, grid.memorized.values())) for grid in grids),
        n_unconverged=sum(grid.n_lost for grid in grids),
        reason=f"{located} of {len(grids)} planes have a star known to a factor {FACTOR:g}; " + "; ".join(widths),
    )


CLAIM: Claim[GridEvidence] = Claim(
    id="star-located",
    order=8,
    statement="The critical size and the capacity, both measured over model size, cross at a located star (N*, D*).",
    source=("dcrit",),
    criterion=f"In every plane of addition, of {DRAWS} draws of both curves (Student's t of the mean over seeds at "
    f"every point): supported if they cross between the smallest and the largest model, within a factor {FACTOR:g} of "
    "the median N*, refuted if in one plane they do not cross there (Bonferroni), inconclusive otherwise. D_crit is "
    "where mean test accuracy passes 1/2; D_mem a power law through the models that random labels overload.",
    experiment=EXPERIMENT,
    judge=judge,
)
