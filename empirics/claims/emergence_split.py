"""Claim: a feed-forward block for each task brings the ability earlier than one block for all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dcrit.empirics.claims.claim import Claim, Finding, Row
from dcrit.empirics.claims.effect import Effect
from dcrit.empirics.claims.size_effects import effect_of_ratio, finding_on_ratios, ratio_columns, size_text
from dcrit.empirics.experiments.facts import EXPERIMENT, FactsPoint
from dcrit.theory.problems.problem import label

#: Least reduction of the critical size that counts as earlier.
EARLIER = 0.05


def pairs(points: Sequence[FactsPoint]) -> list[tuple[FactsPoint, FactsPoint]]:
    """Points with split blocks, each beside the one with a shared block and all else equal."""
    found = []
    for split in points:
        if split.series.blocks != "split":
            continue
        for shared in points:
            same = (shared.series.problem, shared.series.embedding) == (split.series.problem, split.series.embedding)
            plain = shared.series.blocks == "shared" and not shared.series.is_pretrained
            if same and plain and shared.n_facts == split.n_facts:
                found.append((split, shared))
    return found


def judge(evidence: list[FactsPoint]) -> Finding:
    """Ln of the critical size with split blocks over that with a shared one, beside facts."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    for split, shared in pairs(evidence):
        effect = effect_of_ratio(split.transition, shared.transition, (-math.inf, math.log1p(-EARLIER)))
        if split.n_facts:
            effects.append(effect)
        rows.append(
            {
                "problem": label(split.series.problem),
                "embedding": split.series.embedding,
                "facts": split.n_facts,
                "split": size_text(split.transition),
                "shared": size_text(shared.transition),
                **ratio_columns(effect),
                "note": "" if split.n_facts else "no facts: for comparison",
            }
        )
    return finding_on_ratios(
        rows,
        effects,
        [point.transition.measured for pair in pairs(evidence) for point in pair],
        predicted=1 - EARLIER,
        what="D_crit split over shared",
        compared="comparisons beside facts at equal total width",
        unknown="no critical size beside facts can be compared",
    )


CLAIM: Claim[list[FactsPoint]] = Claim(
    id="emergence-split",
    order=19,
    statement="At equal total width, a feed-forward block for each task lets the task be learned beside facts from "
    f"at least {EARLIER:.0%} fewer examples than one block for both.",
    source=("huang2024",),
    criterion=f"D_crit(D_r) split over shared, in every architecture and at every D_r above 0: supported if each ratio "
    f"is below {1 - EARLIER}, refuted if one is above (Bonferroni), inconclusive otherwise or where one is unknown. A "
    "size beyond all pairs that were tried counts as larger than these.",
    experiment=EXPERIMENT,
    judge=judge,
)
