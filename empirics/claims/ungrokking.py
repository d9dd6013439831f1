"""Claim: a network that generalizes loses it as its data shrink, below the size that training from scratch needs."""

from __future__ import annotations

import math

from dcrit.empirics.claims.claim import Claim, Finding, Row, columns_of, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_draws
from dcrit.empirics.experiments.ungrokking_sizes import EXPERIMENT, UngrokkingEvidence
from dcrit.theory.problems.problem import label

#: Smallest ln(D_scratch/D_ungrok) that counts as hysteresis.
LEAST_HYSTERESIS = 0.05

#: Largest |ln(predicted/measured)| of an ungrokking size that counts as predicted.
TARGET = 0.10

#: No constant was measured at this modulus or above; predictions below it are no test.
BLIND_MODULUS = 31

DRAWS = 4000


def hysteresis_effect(entry: UngrokkingEvidence) -> Effect | None:
    """ln(D_scratch/D_ungrok) against the least hysteresis; None where a direction has no transition."""
    up, down = entry.transition.log_size_draws(DRAWS, seed=0), entry.log_size_draws(DRAWS, seed=1)
    return None if up is None or down is None else effect_of_draws(up - down, (LEAST_HYSTERESIS, math.inf))


def crossing_effect(entry: UngrokkingEvidence) -> Effect | None:
    """ln(crossing/D_ungrok), the crossing as predicted, against ±TARGET; None where one of them is missing."""
    draws = entry.log_size_draws(DRAWS, seed=1)
    crossing = None if entry.prediction is None else entry.prediction.crossing.value
    return None if draws is None or crossing is None else effect_of_draws(math.log(crossing) - draws, (-TARGET, TARGET))


def judge(evidence: list[UngrokkingEvidence]) -> Finding:
    """Hysteresis of every network, and the ungrokking size against the crossing where that was predicted."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    crossings: list[Effect] = []
    said: list[str] = []
    for entry in evidence:
        apart, error = hysteresis_effect(entry), crossing_effect(entry)
        effects.append(apart)
        if entry.problem.modulus >= BLIND_MODULUS:
            effects.append(error)
            crossings += [] if error is None else [error]
        scratch, below = entry.transition.measured, entry.measured
        shared, additive = entry.shared, entry.additive
        rows.append(
            {
                "problem": label(entry.problem),
                "from scratch": scratch.value,
                "ungrokking": below.value,
                "low": None if below.interval is None else below.interval.low,
                "high": None if below.interval is None else below.interval.high,
                **columns_of(apart, "hysteresis", ends="hysteresis "),
                "crossing": None if entry.prediction is None else entry.prediction.crossing.value,
                "ln(crossing/ungrokking)": None if error is None else error.value,
                "shared: from scratch": None if shared is None else shared.scratch_size,
                "shared: ungrokking": None if shared is None else shared.ungrokking_size,
                "additive: from scratch": None if additive is None else additive.scratch_size,
                "additive: ungrokking": None if additive is None else additive.ungrokking_size,
                "note": scratch.reason or below.reason,
            }
        )
        if apart is None:
            said.append(f"{label(entry.problem)}: {scratch.reason or below.reason}")
        else:
            off = "" if error is None else f", crossing off by {error.value:+.2f}"
            said.append(f"{label(entry.problem)}: hysteresis {apart.value:.2f}{off}")
    worst = max(crossings, key=lambda effect: abs(effect.value), default=None)
    return finding_on(
        rows,
        effects,
        worst,
        predicted=0.0,
        n_runs=sum(entry.transition.measured.n_runs + entry.measured.n_runs for entry in evidence),
        n_unconverged=sum(entry.transition.measured.n_unconverged + entry.measured.n_unconverged for entry in evidence),
        reason="; ".join(said) or "nothing was measured",
    )


CLAIM: Claim[list[UngrokkingEvidence]] = Claim(
    id="ungrokking",
    order=14,
    statement="A network that generalizes loses it when its training set shrinks, at fewer examples than training from "
    "scratch needs: at the size where both circuits are equally efficient, as predicted.",
    source=("varma2023", "dcrit"),
    criterion=f"In every network ln(D_scratch/D_ungrok) is at least {LEAST_HYSTERESIS}, and at moduli from "
    f"{BLIND_MODULUS} on, where no constant was measured, |ln(predicted crossing/D_ungrok)| is at most {TARGET}: "
    "supported if the 90 % intervals say so of each, refuted if one lies outside (Bonferroni), inconclusive otherwise "
    "or where a transition is missing. The number shown is the worst ln(predicted crossing/D_ungrok). "
    "In the standard suite transformers train for 5000 steps, 15 time constants 1/(ηλ), instead of 40.",
    experiment=EXPERIMENT,
    judge=judge,
)
