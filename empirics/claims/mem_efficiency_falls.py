"""Claim: the efficiency of memorizing falls with the training-set size, as a power law."""

from __future__ import annotations

import numpy as np

from dcrit.empirics.claims.claim import Claim, Evidence, Ruling, Verdict, combine, label
from dcrit.empirics.efficiency import slope_of_log_efficiency, usable
from dcrit.theory.estimates import interval_of

#: Slope that memorizing must at least have.
STEEPEST_ALLOWED = -0.2

#: Largest root mean square deviation from a power law, in ln e.
SCATTER = 0.1


def judge(evidence: Evidence) -> Verdict:
    """Slope of ln e over ln D on random labels, and the deviation from a straight line, per problem."""
    rows: list[dict[str, str | float | None]] = []
    slopes: list[np.ndarray] = []
    rulings: list[Ruling] = []
    n_runs = n_unconverged = 0
    for entry in evidence.problems:
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
            rulings.append("inconclusive")
            continue
        n_runs += len(fitted)
        slope, draws = slope_of_log_efficiency(fitted)
        slopes.append(draws)
        interval = interval_of(draws)
        x, y = np.log([o.config.n_train for o in fitted]), np.log([o.efficiency for o in fitted])
        scatter = float(np.std(y - np.polyval(np.polyfit(x, y, 1), x)))
        row |= {"slope": slope, "low": interval.low, "high": interval.high, "scatter": scatter}
        if interval.low > STEEPEST_ALLOWED:
            rulings.append("refuted")
        else:
            falls = interval.high < STEEPEST_ALLOWED
            rulings.append("supported" if falls and scatter <= SCATTER else "inconclusive")
    mean = np.mean(slopes, axis=0) if slopes else np.array([])
    found = [row["slope"] for row in rows if isinstance(row["slope"], float)]
    return Verdict(
        claim=CLAIM.id,
        verdict=combine(rulings),
        predicted=None,
        measured=float(np.mean(found)) if found else None,
        interval=interval_of(mean) if slopes else None,
        n_runs=n_runs,
        n_unconverged=n_unconverged,
        reason=f"exponents {min(found):.2f} to {max(found):.2f} over {len(found)} problems"
        if found
        else "no problem has converged memorizing runs at three sizes",
        rows=rows,
    )


CLAIM = Claim(
    id="mem-efficiency-falls",
    statement="The efficiency of memorizing falls with the training-set size, as a power law below capacity.",
    source=("varma2023",),
    criterion=f"For every problem, slope d ln e/d ln D on random labels: supported if its 90 % interval lies below "
    f"{STEEPEST_ALLOWED} and the scatter about the line is at most {SCATTER} in ln e; refuted if the interval lies "
    "above; inconclusive otherwise. Refuted by one problem, supported by all.",
    judge=judge,
)
