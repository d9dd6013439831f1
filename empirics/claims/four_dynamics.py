"""Claim: each of the four dynamics is found where the two curves put it, with its norm signature."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from dcrit.empirics.claims.claim import Claim, Evidence, Ruling, Verdict, combine, label
from dcrit.theory.estimates import LEVEL, Interval

#: Fraction of runs at a point that have to show the dynamics predicted there.
MAJORITY = 0.5

#: The norm has fallen when it settles below this fraction of its largest value.
FALLEN = 0.9


def judge(evidence: Evidence) -> Verdict:
    """Fraction of runs that show the predicted dynamics at each point, and where the norm went."""
    rows: list[dict[str, str | float | None]] = []
    placed: list[Ruling] = []
    signed: list[Ruling] = []
    hits = total = 0
    for point in evidence.dynamics:
        right = sum(observed == point.predicted for observed in point.observed)
        n = len(point.observed)
        hits, total = hits + right, total + n
        interval = _interval(right, n)
        placed.append(
            "supported" if interval.low > MAJORITY else "refuted" if interval.high < MAJORITY else "inconclusive"
        )
        ratio = float(np.median(point.norm_ratios))
        signature = ""
        if point.predicted in ("progression", "grokking"):
            should_fall = point.predicted == "grokking"
            holds = (ratio < FALLEN) == should_fall
            signed.append("supported" if holds else "refuted")
            signature = f"{'falls' if should_fall else 'rises'}: {'yes' if holds else 'no'}"
        rows.append(
            {
                "problem": label(point.problem),
                "n_train": point.n_train,
                "predicted": point.predicted,
                "observed": ", ".join(f"{kind} {point.observed.count(kind)}" for kind in sorted(set(point.observed))),
                "right": right / n,
                "final/largest norm": ratio,
                "norm": signature,
            }
        )
    if not total:
        return Verdict(
            claim=CLAIM.id,
            verdict="inconclusive",
            predicted=1.0,
            measured=None,
            interval=None,
            n_runs=0,
            n_unconverged=0,
            reason="the curves leave no point to look at",
            rows=rows,
        )
    places, signatures = combine(placed), combine(signed)
    return Verdict(
        claim=CLAIM.id,
        verdict=combine([places, signatures]),
        predicted=1.0,
        measured=hits / total,
        interval=_interval(hits, total),
        n_runs=total,
        n_unconverged=0,
        reason=f"places {places} ({hits} of {total} runs as predicted), norm signatures {signatures} "
        f"({signed.count('supported')} of {len(signed)})",
        rows=rows,
    )


def _interval(hits: int, total: int) -> Interval:
    """Wilson interval of a fraction."""
    interval = binomtest(hits, total).proportion_ci(confidence_level=LEVEL, method="wilson")
    return Interval(low=float(interval.low), high=float(interval.high), level=LEVEL)


CLAIM = Claim(
    id="four-dynamics",
    statement="Each of the four dynamics is found where the two curves put it: progression with a rising norm, "
    "grokking with a falling one.",
    source=("huang2024",),
    criterion="Places: at every point the 90 % Wilson interval of the fraction of runs that show the dynamics "
    f"predicted there lies above {MAJORITY:.0%}; refuted if it lies below at one, inconclusive otherwise. Norms: the "
    f"median settled norm is below {FALLEN} of its largest value for grokking, and not for progression. Refuted if "
    "either fails.",
    judge=judge,
)
