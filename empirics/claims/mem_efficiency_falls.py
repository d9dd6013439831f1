"""Claim: the efficiency of memorizing falls with the training-set size, as a power law."""

from __future__ import annotations

import math

import numpy as np

from dcrit.empirics.claims.claim import Claim, Finding, Row
from dcrit.empirics.claims.effect import Effect, effect_of_error, every
from dcrit.empirics.experiments.competition import EXPERIMENT, ProblemEvidence
from dcrit.empirics.measures.efficiency import slope_of_log_efficiency, usable
from dcrit.theory.estimates import Interval
from dcrit.theory.problems.problem import label

#: Slope that memorizing must at least have.
LEAST_SLOPE = -0.2

#: Largest root mean square deviation from a power law, in ln e.
SCATTER = 0.1


def judge(evidence: list[ProblemEvidence]) -> Finding:
    """Slope of ln e over ln D on random labels, and the deviation from a straight line, per problem."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    straight = True
    n_runs = n_unconverged = 0
    for entry in evidence:
        fitted, unconverged, unfitted = usable(entry.memorizing)
        n_unconverged += unconverged
        row: dict[str, str | float | None] = {
            "problem": label(entry.problem),
            "slope": None,
            "runs": len(fitted),
            "over capacity": unfitted,
        }
        rows.append(row)
        if len({o.config.n_train for o in fitted}) < 3:
            effects.append(None)
            continue
        n_runs += len(fitted)
        slope, draws = slope_of_log_efficiency(fitted)
        effect = effect_of_error(slope, float(draws.std(ddof=1)), (-math.inf, LEAST_SLOPE), freedom=len(fitted) - 2)
        effects.append(effect)
        x, y = np.log([o.config.n_train for o in fitted]), np.log([o.efficiency for o in fitted])
        scatter = float(np.std(y - np.polyval(np.polyfit(x, y, 1), x)))
        straight &= scatter <= SCATTER
        row |= {"slope": slope, "low": effect.interval.low, "high": effect.interval.high, "scatter": scatter}
    found = [effect for effect in effects if effect is not None]
    slopes = [effect.value for effect in found]
    half = math.sqrt(sum((effect.interval.high - effect.value) ** 2 for effect in found)) / max(1, len(found))
    measured = float(np.mean(slopes)) if found else None
    p_inside, p_outside = every(effects)
    reason = "no problem has converged memorizing runs at three sizes"
    if found:
        reason = f"exponents {min(slopes):.2f} to {max(slopes):.2f} over {len(found)} problems"
        if not straight:
            reason += f"; runs scatter about a power law by more than {SCATTER} in ln e"
    return Finding(
        predicted=None,
        measured=measured,
        interval=None if measured is None else Interval(low=measured - half, high=measured + half),
        n_runs=n_runs,
        n_unconverged=n_unconverged,
        reason=reason,
        p_inside=p_inside if straight else None,
        p_outside=p_outside,
        rows=rows,
    )


CLAIM: Claim[list[ProblemEvidence]] = Claim(
    id="mem-efficiency-falls",
    order=2,
    statement="The efficiency of memorizing falls with the training-set size, as a power law below capacity.",
    source=("varma2023",),
    criterion=f"For every problem, slope d ln e/d ln D on random labels: supported if its 90 % interval lies below "
    f"{LEAST_SLOPE} and the scatter about the line is at most {SCATTER} in ln e; refuted if the interval lies "
    "above; inconclusive otherwise. Refuted by one problem, supported by all.",
    experiment=EXPERIMENT,
    judge=judge,
)
