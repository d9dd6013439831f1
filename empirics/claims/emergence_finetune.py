"""Claim: a network that was trained on another task before learns a second one from fewer examples."""

from __future__ import annotations

import math

from dcrit.empirics.claims.claim import Claim, Finding, Row
from dcrit.empirics.claims.effect import Effect
from dcrit.empirics.claims.size_effects import effect_of_ratio, finding_on_ratios, ratio_columns, size_text
from dcrit.empirics.experiments.second_tasks import EXPERIMENT, SecondTask
from dcrit.theory.problems.problem import label

#: Least reduction of the critical size that counts as earlier.
EARLIER = 0.05


def judge(evidence: list[SecondTask]) -> Finding:
    """Ln of the critical size after pretraining over that from scratch."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    for entry in evidence:
        effect = effect_of_ratio(entry.tuned, entry.fresh, (-math.inf, math.log1p(-EARLIER)))
        effects.append(effect)
        rows.append(
            {
                "problem": label(entry.problem),
                "pretrained on": entry.first,
                "after pretraining": size_text(entry.tuned),
                "from scratch": size_text(entry.fresh),
                **ratio_columns(effect),
            }
        )
    return finding_on_ratios(
        rows,
        effects,
        [one.measured for entry in evidence for one in (entry.fresh, entry.tuned)],
        predicted=1 - EARLIER,
        what="D_crit after pretraining over from scratch",
        compared="comparisons",
        unknown="no critical size of a second task can be compared",
    )


CLAIM: Claim[list[SecondTask]] = Claim(
    id="emergence-finetune",
    order=18,
    statement="A network pretrained on another task learns a second one from at least "
    f"{EARLIER:.0%} fewer examples than the same network from scratch.",
    source=("dcrit",),
    criterion="D_crit of the second task after pretraining over from scratch, for every first task and activation: "
    f"supported if each ratio is below {1 - EARLIER}, refuted if one is above (Bonferroni), inconclusive otherwise or "
    "where one is unknown. A size beyond all pairs that were tried counts as larger than these.",
    experiment=EXPERIMENT,
    judge=judge,
)
