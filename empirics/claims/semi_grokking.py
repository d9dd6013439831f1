"""Claim: near the critical size runs settle at partial accuracy, over an interval as wide as the mixture predicts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dcrit.empirics.claims.claim import Claim, Finding, Row, columns_of, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_count, effect_of_draws
from dcrit.empirics.experiments.semi_grokking_sizes import EXPERIMENT, SemiGrokkingEvidence
from dcrit.empirics.measures.semi_grokking import PartialInterval, measure_partial_interval
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.problems.problem import label

#: Fraction of runs at the critical size that have to settle between the two levels.
MAJORITY = 0.5

#: Largest factor between the measured and the predicted width ln(D_90/D_10).
FACTOR = 1.5

#: No constant was measured at this modulus or above; predictions below it are no test.
BLIND_MODULUS = 31

DRAWS = 4000


def predicted_log_width(entry: SemiGrokkingEvidence) -> float | None:
    """ln(D_90/D_10) of the mixture; None where an end is not predicted."""
    if entry.prediction is None:
        return None
    onset, completion = entry.prediction.onset.value, entry.prediction.completion.value
    return None if onset is None or completion is None else math.log(completion / onset)


def width_effect(found: PartialInterval | str, predicted: float | None) -> Effect | None:
    """ln(measured/predicted width) against ±ln of the factor; None where one of them is missing."""
    if isinstance(found, str) or predicted is None:
        return None
    limit = math.log(FACTOR)
    # Draws of no width at all would have no logarithm.
    draws = np.log(np.maximum(found.log_widths, 1e-6) / predicted)
    effect = effect_of_draws(draws, (-limit, limit), value=math.log(found.log_width / predicted))
    # A width known only from below may be any larger one: it supports nothing, and is too small for nothing.
    widest = np.where(found.reached, draws, max(limit, float(draws.max())) + 1.0)
    too_small = effect_of_draws(widest, (-limit, math.inf)).p_outside
    too_large = effect_of_draws(draws, (-math.inf, limit)).p_outside
    return replace(
        effect,
        p_inside=effect_of_draws(widest, (-limit, limit)).p_inside,
        p_outside=min(too_small, too_large),
    )


def judge(evidence: list[SemiGrokkingEvidence]) -> Finding:
    """Runs at the critical size that settle in between, and the width of the interval against the mixture's."""
    low, high = SEMI_GROKKING
    rows: list[Row] = []
    effects: list[Effect | None] = []
    widths: list[Effect] = []
    said: list[str] = []
    for entry in evidence:
        name, central = label(entry.problem), [o for o in entry.central if math.isfinite(o.test_accuracy)]
        partial = sum(low < one.test_accuracy < high for one in central)
        effects.append(effect_of_count(partial, len(central), MAJORITY) if central else None)
        predicted = predicted_log_width(entry)
        found = measure_partial_interval(entry.outcomes, DRAWS)
        error = width_effect(found, predicted)
        if entry.problem.modulus >= BLIND_MODULUS:
            effects.append(error)
            widths += [] if error is None else [error]
        missing = found if isinstance(found, str) else ""
        width = None if isinstance(found, str) else found.log_width
        rows.append(
            {
                "problem": name,
                "D_crit": entry.transition.measured.value,
                "partial there": f"{partial} of {len(central)}",
                "onset": None if isinstance(found, str) else found.onset,
                "completion": None if isinstance(found, str) else found.completion,
                "ln width": width,
                "predicted ln width": predicted,
                **columns_of(error, "ln(measured/predicted)"),
                "note": entry.transition.measured.reason or missing,
            }
        )
        measured = missing if width is None else f"ln width {width:.2f}"
        against = "" if predicted is None else f" against {predicted:.2f} predicted"
        said.append(f"{name}: {partial} of {len(central)} partial, {measured}{against}")
    worst = max(widths, key=lambda effect: abs(effect.value), default=None)
    return finding_on(
        rows,
        effects,
        worst,
        predicted=0.0,
        n_runs=sum(len(entry.outcomes) for entry in evidence),
        n_unconverged=sum(not math.isfinite(one.test_accuracy) for entry in evidence for one in entry.outcomes),
        reason="; ".join(said) or "nothing was measured",
    )


CLAIM: Claim[list[SemiGrokkingEvidence]] = Claim(
    id="semi-grokking",
    order=15,
    statement="Near the critical size runs settle at partial test accuracy, over an interval of sizes as wide as the "
    "mixture of both circuits predicts.",
    source=("varma2023", "huang2024", "dcrit"),
    criterion=f"More than {MAJORITY:.0%} of the runs at the measured critical size end, at the horizon, between "
    f"{SEMI_GROKKING[0]} and {SEMI_GROKKING[1]} (exact binomial test), in every network; and at moduli from "
    f"{BLIND_MODULUS} on, where no constant was measured, ln(D_90/D_10) is within a factor {FACTOR} of the predicted "
    "one (runs resampled): supported if each holds, refuted if one fails (Bonferroni), inconclusive otherwise or where "
    "a level is not reached. The number shown is the worst ln(measured/predicted width). "
    "In the standard suite transformers train for 5000 steps, 15 time constants 1/(ηλ), instead of 40.",
    experiment=EXPERIMENT,
    judge=judge,
)
