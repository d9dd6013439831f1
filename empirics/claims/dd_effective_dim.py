"""Claim: effective dimensionality tells which model size is best at a given training-set size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_draws
from dcrit.empirics.experiments.dimensions import EXPERIMENT, DimensionCurve
from dcrit.empirics.measures.planes import DRAWS, mean_draws, means
from dcrit.theory.problems.problem import label

FloatArray = NDArray[np.float64]

#: Rank correlation of N_eff with test loss from which one predicts the other.
LEAST = 0.5

#: A loss of nothing has no logarithm [nats].
LEAST_LOSS = 1e-12


def rank_correlation(x: FloatArray, y: FloatArray) -> FloatArray:
    """Spearman's ρ of the rows of (n, K) arrays: (n,); 0 where one stands still."""
    ranks = [rankdata(one, axis=1) - (one.shape[1] + 1) / 2 for one in (x, y)]
    norm = np.sqrt(np.square(ranks[0]).sum(1) * np.square(ranks[1]).sum(1))
    return np.where(norm > 0, (ranks[0] * ranks[1]).sum(1) / np.where(norm > 0, norm, 1.0), 0.0)


def _judge_curve(curve: DimensionCurve) -> tuple[Row, Effect | None]:
    log_loss = np.log(np.maximum(curve.test_loss, LEAST_LOSS))
    usable = (np.isfinite(curve.dimension) & np.isfinite(log_loss)).sum(1) >= 2
    name = label(curve.problem, width=False)
    if usable.sum() < 3:
        return {"family": name, "n_train": float(curve.n_train), "note": "fewer than three widths are left"}, None
    widths = np.array(curve.widths)[usable]
    centre = [means(one[usable])[None] for one in (curve.dimension, log_loss)]
    drawn = [mean_draws(one[usable], seed=k) for k, one in enumerate((curve.dimension, log_loss))]
    effect = effect_of_draws(rank_correlation(*drawn), (LEAST, np.inf), value=float(rank_correlation(*centre)[0]))
    row: Row = {
        "family": name,
        "n_train": float(curve.n_train),
        "rank correlation": effect.value,
        "low": effect.interval.low,
        "high": effect.interval.high,
        **{
            f"at {factor}α": float(rank_correlation(means(values[usable])[None], centre[1])[0])
            for factor, values in ((0.1, curve.smaller), (10, curve.larger))
        },
        "best width": float(widths[centre[1][0].argmin()]),
        "width of least N_eff": float(widths[centre[0][0].argmin()]),
        "width of most N_eff": float(widths[centre[0][0].argmax()]),
        "note": "",
    }
    return row, effect


def judge(evidence: list[DimensionCurve]) -> Finding:
    """Rank correlation of N_eff with test loss over widths, for every family and size."""
    judged = [_judge_curve(curve) for curve in evidence]
    known = [(row, effect) for row, effect in judged if effect is not None]
    worst = min((effect for _, effect in known), key=lambda effect: effect.value, default=None)
    hits = sum(row["best width"] == row["width of least N_eff"] for row, _ in known)
    return finding_on(
        [row for row, _ in judged],
        [effect for _, effect in judged],
        worst,
        predicted=1.0,
        n_runs=sum(int(np.isfinite(curve.dimension).sum()) for curve in evidence),
        n_unconverged=sum(int(np.isnan(curve.dimension).sum()) for curve in evidence),
        reason=f"the width of least N_eff is the best one for {hits} of {len(known)} curves; rank correlations "
        + ", ".join(f"{effect.value:+.2f}" for _, effect in known),
    )


CLAIM: Claim[list[DimensionCurve]] = Claim(
    id="dd-effective-dim",
    order=13,
    statement="At a given training-set size the model of least effective dimensionality has the least test loss.",
    source=("maddox2020",),
    criterion=f"Spearman's rank correlation over widths of mean N_eff (Gauss–Newton matrix, α = ελ) with mean ln "
    f"test loss, at every family of pair-MLPs and size ({DRAWS} draws of the means): supported if at least {LEAST} at "
    "each, refuted if below at one (Bonferroni), inconclusive otherwise.",
    experiment=EXPERIMENT,
    judge=judge,
)
