"""Claim: the efficiency of memorizing falls with the training-set size, as a power law."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_error, mean_of
from dcrit.empirics.experiments.competition import EXPERIMENT, ProblemEvidence
from dcrit.empirics.measures.efficiency import slope_of_log_efficiency, usable
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
    slopes = [effect.value for effect in effects if effect is not None]
    reason = "no problem has converged memorizing runs at three sizes"
    if slopes:
        reason = f"exponents {min(slopes):.2f} to {max(slopes):.2f} over {len(slopes)} problems"
        if not straight:
            reason += f"; runs scatter about a power law by more than {SCATTER} in ln e"
    finding = finding_on(
        rows,
        effects,
        mean_of(effects),
        predicted=None,
        n_runs=n_runs,
        n_unconverged=n_unconverged,
        reason=reason,
    )
    return finding if straight else replace(finding, p_inside=None)


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
