"""Claim: a network that was trained on another task before learns a second one from fewer examples."""

from __future__ import annotations

import math

from dcrit.empirics.claims.claim import Claim, Finding, Row
from dcrit.empirics.claims.effect import Effect, every
from dcrit.empirics.claims.size_effects import effect_of_ratio, size_text
from dcrit.empirics.experiments.second_tasks import EXPERIMENT, SecondTask
from dcrit.theory.estimates import Interval
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
                "ratio": None if effect is None else math.exp(effect.value),
                "low": None if effect is None else math.exp(effect.interval.low),
                "high": None if effect is None else math.exp(effect.interval.high),
                "p inside": None if effect is None else effect.p_inside,
                "p outside": None if effect is None else effect.p_outside,
            }
        )
    known = [effect for effect in effects if effect is not None]
    p_inside, p_outside = every(effects)
    ratios = sorted(math.exp(effect.value) for effect in known)
    worst = max(known, key=lambda effect: effect.value, default=None)
    measured = [one.measured for entry in evidence for one in (entry.fresh, entry.tuned)]
    return Finding(
        predicted=1 - EARLIER,
        measured=None if worst is None else math.exp(worst.value),
        interval=None
        if worst is None
        else Interval(low=math.exp(worst.interval.low), high=math.exp(worst.interval.high)),
        n_runs=sum(one.n_runs for one in measured),
        n_unconverged=sum(one.n_unconverged for one in measured),
        reason=f"D_crit after pretraining over from scratch {ratios[0]:.2f} to {ratios[-1]:.2f} in {len(known)} of "
        f"{len(effects)} comparisons"
        if ratios
        else "no critical size of a second task can be compared",
        p_inside=p_inside,
        p_outside=p_outside,
        rows=rows,
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
