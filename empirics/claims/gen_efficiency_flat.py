"""Claim: the efficiency of a generalizing network does not depend on the training-set size."""

from __future__ import annotations

import math

import numpy as np

from dcrit.empirics.claims.claim import Claim, Finding, Row
from dcrit.empirics.claims.effect import effect_of_error
from dcrit.empirics.experiments.competition import EXPERIMENT, ProblemEvidence
from dcrit.empirics.measures.efficiency import slope_of_log_efficiency, usable
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.estimates import interval_of
from dcrit.theory.problems.problem import label

#: Largest |d ln e/d ln D| that still counts as flat.
MARGIN = 0.1


#: Problems that have to speak.
FEWEST_PROBLEMS = 2


def judge(evidence: list[ProblemEvidence]) -> Finding:
    """Slope of ln e over ln D among runs that generalize fully, averaged over problems."""
    rows: list[Row] = []
    slopes: list[float] = []
    errors: list[float] = []
    n_runs = n_unconverged = 0
    for entry in evidence:
        fitted, unconverged, _ = usable(entry.generalizing)
        n_unconverged += unconverged
        # At all pairs there is no test set; a run that fits them all has the rule or a table of everything.
        general = [o for o in fitted if not o.test_accuracy < FITTED]
        if len({o.config.n_train for o in general}) < 2:
            rows.append({"problem": label(entry.problem), "slope": None, "runs": len(general)})
            continue
        slope, draws = slope_of_log_efficiency(general)
        interval = interval_of(draws)
        slopes.append(slope)
        errors.append(float(draws.std(ddof=1)))
        n_runs += len(general)
        rows.append(
            {
                "problem": label(entry.problem),
                "slope": slope,
                "low": interval.low,
                "high": interval.high,
                "runs": len(general),
            }
        )
    shared = {"predicted": 0.0, "n_runs": n_runs, "n_unconverged": n_unconverged, "rows": rows}
    if not slopes:
        return Finding(
            **shared,  # type: ignore[arg-type]
            measured=None,
            interval=None,
            reason="no problem has converged runs at two sizes that generalize fully",
            p_inside=None,
            p_outside=None,
        )
    # Runs of a problem scatter, and problems differ: the larger of the two errors counts.
    within = math.sqrt(sum(error**2 for error in errors)) / len(slopes)
    between = float(np.std(slopes, ddof=1)) / math.sqrt(len(slopes)) if len(slopes) > 1 else 0.0
    freedom = len(slopes) - 1 if between > within else math.inf
    effect = effect_of_error(float(np.mean(slopes)), max(within, between), (-MARGIN, MARGIN), freedom=freedom)
    enough = len(slopes) >= FEWEST_PROBLEMS
    reason = f"ln e changes by {effect.value:+.3f} per ln D over {len(slopes)} of {len(evidence)} problems"
    if not enough:
        reason = (
            f"{len(slopes)} of {len(evidence)} problems have converged runs at two sizes that generalize fully, "
            f"{FEWEST_PROBLEMS} needed"
        )
    return Finding(
        **shared,  # type: ignore[arg-type]
        measured=effect.value,
        interval=effect.interval,
        reason=reason,
        p_inside=effect.p_inside if enough else None,
        p_outside=effect.p_outside if enough else None,
    )


CLAIM: Claim[list[ProblemEvidence]] = Claim(
    id="gen-efficiency-flat",
    order=1,
    statement="The efficiency of a generalizing network does not depend on the training-set size.",
    source=("varma2023",),
    criterion=f"Mean slope d ln e/d ln D over problems: supported if its 90 % interval lies within ±{MARGIN}, "
    "refuted if it lies outside, inconclusive otherwise or "
    f"where fewer than {FEWEST_PROBLEMS} problems have fully generalizing runs at two sizes.",
    experiment=EXPERIMENT,
    judge=judge,
)
