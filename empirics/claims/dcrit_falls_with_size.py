"""Claim: the critical size falls with the model size; the opposite is claimed as well."""

from __future__ import annotations

import math

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect
from dcrit.empirics.claims.size_effects import fit_series
from dcrit.empirics.experiments.size_series import MODEL_SIZES
from dcrit.empirics.experiments.transitions import SeriesEvidence
from dcrit.theory.problems.problem import label

#: Smallest probability of a sign that is told from another, lest a logarithm be infinite.
LEAST = 1e-12


def judge(evidence: SeriesEvidence) -> Finding:
    """Sign of d ln D_crit/d ln N in each family."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    predictions: list[float | None] = []
    said: list[str] = []
    for series in evidence:
        family = label(series[0].problem, width=False)
        fit = fit_series(series, lambda problem: problem.n_params)
        posterior, interval = fit.posterior, fit.interval
        sizes = ", ".join(f"{one.problem.width}: {one.measured.value:.0f}" for one in fit.transitions)
        row: dict[str, str | float | None] = {"family": family, "D_crit by width": sizes, "predicted": fit.predicted}
        rows.append(row)
        if posterior is None or interval is None:
            effects.append(None)
            predictions.append(None)
            said.append(f"{family}: only {len(fit.transitions)} of {len(series)} widths have a transition")
            row["note"] = "too few measured transitions"
            continue
        rising = posterior.probability_above(0.0)
        effects.append(
            Effect(value=posterior.slope, interval=interval, p_inside=rising, p_outside=max(0.0, 1 - rising))
        )
        predictions.append(fit.predicted)
        factor = math.log10(max(LEAST, 1 - rising) / max(LEAST, rising))
        row |= {"slope": posterior.slope, "low": interval.low, "high": interval.high, "log10 falls/rises": factor}
        said.append(f"{family}: {posterior.slope:+.3f}, log10 odds of falling {factor:+.1f}")
    known = [(effect, at) for effect, at in zip(effects, predictions, strict=True) if effect is not None]
    highest, predicted = max(known, key=lambda entry: entry[0].value) if known else (None, None)
    return finding_on(
        rows,
        effects,
        highest,
        predicted=predicted,
        n_runs=sum(one.measured.n_runs for series in evidence for one in series),
        n_unconverged=sum(one.measured.n_unconverged for series in evidence for one in series),
        reason=f"slopes d ln D_crit/d ln N: {'; '.join(said)}",
    )


CLAIM: Claim[SeriesEvidence] = Claim(
    id="dcrit-falls-with-size",
    order=5,
    statement="The critical size falls with the model size.",
    source=("huang2024", "zhu2024"),
    criterion="Posterior probability that the slope d ln D_crit/d ln N over widths, with unknown scatter about the "
    "line, is negative: supported (Huang) if it is in every family, refuted (Zhu) if it is positive in one "
    "(Bonferroni), at the error allowed beside the other claims; inconclusive otherwise. The number shown is the "
    "highest slope; odds of the two signs are those of equal prior chances. Standard: transformers train for 5000 "
    "steps, 15 time constants 1/(ηλ), instead of 40.",
    experiment=MODEL_SIZES,
    judge=judge,
)
