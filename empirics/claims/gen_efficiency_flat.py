"""Claim: the efficiency of a generalizing network does not depend on the training-set size."""

from __future__ import annotations

import numpy as np

from dcrit.empirics.claims.claim import Claim, Evidence, Verdict, label, rule
from dcrit.empirics.efficiency import slope_of_log_efficiency, usable
from dcrit.empirics.outcomes import FITTED
from dcrit.theory.estimates import interval_of

#: Largest |d ln e/d ln D| that still counts as flat.
MARGIN = 0.1


#: Problems that have to speak.
FEWEST_PROBLEMS = 2


def judge(evidence: Evidence) -> Verdict:
    """Slope of ln e over ln D among runs that generalize fully, averaged over problems."""
    rows: list[dict[str, str | float | None]] = []
    slopes: list[np.ndarray] = []
    n_runs = n_unconverged = 0
    for entry in evidence.problems:
        fitted, unconverged, _ = usable(entry.generalizing)
        n_unconverged += unconverged
        # At all pairs there is no test set; a run that fits them all has the rule or a table of everything.
        general = [o for o in fitted if not o.test_accuracy < FITTED]
        if len({o.config.n_train for o in general}) < 2:
            rows.append({"problem": label(entry.problem), "slope": None, "runs": len(general)})
            continue
        slope, draws = slope_of_log_efficiency(general)
        interval = interval_of(draws)
        slopes.append(draws)
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
    if len(slopes) < FEWEST_PROBLEMS:
        return Verdict(
            claim=CLAIM.id,
            verdict="inconclusive",
            predicted=0.0,
            measured=float(np.mean([draws.mean() for draws in slopes])) if slopes else None,
            interval=interval_of(slopes[0]) if slopes else None,
            n_runs=n_runs,
            n_unconverged=n_unconverged,
            reason=f"{len(slopes)} of {len(evidence.problems)} problems have converged runs at two sizes that "
            f"generalize fully, {FEWEST_PROBLEMS} needed",
            rows=rows,
        )
    mean = np.mean(slopes, axis=0)
    interval = interval_of(mean)
    measured = float(np.mean([row["slope"] for row in rows if isinstance(row["slope"], float)]))
    return Verdict(
        claim=CLAIM.id,
        verdict=rule(interval, inside=(-MARGIN, MARGIN)),
        predicted=0.0,
        measured=measured,
        interval=interval,
        n_runs=n_runs,
        n_unconverged=n_unconverged,
        reason=f"ln e changes by {measured:+.3f} per ln D over {len(slopes)} of {len(evidence.problems)} problems",
        rows=rows,
    )


CLAIM = Claim(
    id="gen-efficiency-flat",
    statement="The efficiency of a generalizing network does not depend on the training-set size.",
    source=("varma2023",),
    criterion=f"Mean slope d ln e/d ln D over problems: supported if its 90 % interval lies within ±{MARGIN}, "
    "refuted if it lies outside, inconclusive otherwise or "
    f"where fewer than {FEWEST_PROBLEMS} problems have fully generalizing runs at two sizes.",
    judge=judge,
)
