"""Claim: tasks that are relabelings of each other have the same critical size."""

from __future__ import annotations

from dcrit.empirics.claims.claim import Claim, Finding
from dcrit.empirics.claims.size_effects import judge_equal
from dcrit.empirics.experiments.size_series import RELABELINGS
from dcrit.empirics.experiments.transitions import SeriesEvidence
from dcrit.theory.problems.problem import label

#: Largest |ln ratio| of critical sizes that counts as the same size.
MARGIN = 0.10


def judge(evidence: SeriesEvidence) -> Finding:
    """The relabeled task of each pair against addition."""
    pairs = [(other, addition) for addition, other in evidence]
    names = [f"{label(other.problem)} against {label(addition.problem)}" for other, addition in pairs]
    return judge_equal(pairs, MARGIN, names)


CLAIM: Claim[SeriesEvidence] = Claim(
    id="task-isomorphism",
    order=21,
    statement="In pair-MLPs, tasks that are relabelings of each other, subtraction and addition, products of nonzero "
    "residues and addition modulo p − 1, have the same critical size.",
    source=("dcrit",),
    criterion=f"ln ratio of the two critical sizes of each pair: supported if the 90 % interval lies within ±{MARGIN} "
    "for every pair, refuted if it lies outside for one (Bonferroni), inconclusive otherwise or where a transition is "
    "missing.",
    experiment=RELABELINGS,
    judge=judge,
)
