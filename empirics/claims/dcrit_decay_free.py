"""Claim: the critical size does not depend on the weight decay."""

from __future__ import annotations

from dcrit.empirics.claims.claim import Claim, Finding
from dcrit.empirics.claims.size_effects import judge_equal
from dcrit.empirics.experiments.size_series import WEIGHT_DECAYS
from dcrit.empirics.experiments.transitions import SeriesEvidence
from dcrit.theory.problems.problem import label

#: Largest |ln ratio| of critical sizes that counts as the same size.
MARGIN = 0.10


def judge(evidence: SeriesEvidence) -> Finding:
    """Each other weight decay against the first of its series."""
    pairs = [(one, series[0]) for series in evidence for one in series[1:]]
    names = [
        f"{label(one.problem)} at decay {one.problem.weight_decay:g} against {reference.problem.weight_decay:g}"
        for one, reference in pairs
    ]
    return judge_equal(pairs, MARGIN, names)


CLAIM: Claim[SeriesEvidence] = Claim(
    id="dcrit-decay-free",
    order=4,
    statement="The critical size does not depend on the weight decay.",
    source=("varma2023",),
    criterion="ln ratio of the critical size at each other weight decay to that at 1, each after the protocol's "
    f"horizon: supported if the 90 % interval lies within ±{MARGIN} for every one, refuted if it lies outside for one "
    "(Bonferroni), inconclusive otherwise or where a transition is missing.",
    experiment=WEIGHT_DECAYS,
    judge=judge,
)
