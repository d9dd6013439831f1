"""Claim: each of the four dynamics is found where the two curves put it, with its norm signature."""

from __future__ import annotations

import numpy as np

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_count
from dcrit.empirics.experiments.dynamics_points import EXPERIMENT, DynamicsEvidence
from dcrit.theory.circuits.regimes import DYNAMICS, Dynamics
from dcrit.theory.problems.problem import label

#: Fraction of runs at a point that have to show the dynamics predicted there.
MAJORITY = 0.5

#: The norm has fallen when it settles below this fraction of its largest value.
FALLEN = 0.9


def judge(evidence: list[DynamicsEvidence]) -> Finding:
    """Fraction of runs that show the predicted dynamics at each point, and where the norm went."""
    rows: list[Row] = []
    placed: list[Effect | None] = []
    signed: dict[Dynamics, list[bool]] = {}
    hits = total = 0
    for point in evidence:
        right = sum(observed == point.predicted for observed in point.observed)
        n = len(point.observed)
        hits, total = hits + right, total + n
        placed.append(effect_of_count(right, n, MAJORITY) if n else None)
        signature = ""
        if point.predicted in ("progression", "grokking"):
            should_fall = point.predicted == "grokking"
            holds = [(ratio < FALLEN) == should_fall for ratio in point.norm_ratios]
            signed.setdefault(point.predicted, []).extend(holds)
            signature = f"{'falls' if should_fall else 'rises'}: {sum(holds)} of {n}"
        rows.append(
            {
                "problem": label(point.problem),
                "n_train": point.n_train,
                "predicted": point.predicted,
                "observed": ", ".join(f"{kind} {point.observed.count(kind)}" for kind in sorted(set(point.observed))),
                "right": right / n if n else None,
                "final/largest norm": float(np.median(point.norm_ratios)) if n else None,
                "norm": signature,
            }
        )
    # A dynamics that was looked for nowhere in a family leaves refuting alone.
    kinds: dict[str, set[Dynamics]] = {}
    for point in evidence:
        kinds.setdefault(label(point.problem, width=False), set()).add(point.predicted)
    missing = [f"{family}: {kind}" for family, seen in kinds.items() for kind in DYNAMICS if kind not in seen]
    signatures = {kind: effect_of_count(sum(holds), len(holds), MAJORITY) for kind, holds in signed.items() if holds}
    norms = ", ".join(f"{kind} {sum(holds)} of {len(holds)}" for kind, holds in signed.items())
    reason = "the curves leave no point to look at, or every run diverged"
    if total:
        reason = f"{hits} of {total} runs show the dynamics predicted; runs with the norm signature: {norms or 'none'}"
        reason += f"; the curves leave no place for {', '.join(missing)}" if missing else ""
    return finding_on(
        rows,
        [*placed, *signatures.values(), *(None for _ in missing)],
        effect_of_count(hits, total, MAJORITY) if total else None,
        predicted=1.0,
        n_runs=total,
        n_unconverged=sum(point.n_lost for point in evidence),
        reason=reason,
    )


CLAIM: Claim[list[DynamicsEvidence]] = Claim(
    id="four-dynamics",
    order=7,
    statement="Each of the four dynamics is found where the two curves put it: progression with a rising norm, "
    "grokking with a falling one.",
    source=("huang2024",),
    criterion=f"At every point more than {MAJORITY:.0%} of runs show the dynamics predicted there, and more than "
    f"{MAJORITY:.0%} of all runs predicted to grok settle below {FALLEN} of their largest squared norm, and of those "
    "predicted to progress do not (exact binomial tests). Supported if each of these holds, refuted if one fails "
    "(Bonferroni), inconclusive otherwise. Runs that diverged are left out.",
    experiment=EXPERIMENT,
    judge=judge,
)
