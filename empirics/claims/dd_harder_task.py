"""Claim: the square of a sum has a higher critical size than the sum, and shows a dip where the sum does not."""

from __future__ import annotations

import numpy as np

from dcrit.empirics.claims.claim import Claim, Finding, Row, columns_of, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_draws
from dcrit.empirics.experiments.size_grid import EASY, EXPERIMENT, HARD, Grid, GridEvidence
from dcrit.empirics.experiments.star import critical_draws
from dcrit.empirics.measures.planes import dip_of, p_dip
from dcrit.theory.predictions.double_descent import SMALLEST_DIP

#: Widest models that the critical sizes are compared on.
WIDEST = 3


def harder(easy: Grid, hard: Grid) -> Effect | None:
    """Mean ln(D_crit of the square/D_crit of the sum) over the widest models; None where one has no transition."""
    # Two seeds: planes of one shape would share their noise, and a difference lose it.
    drawn = [critical_draws(grid, seed=seed)[-WIDEST:] for seed, grid in enumerate((easy, hard))]
    ratio = (drawn[1] - drawn[0]).mean(0) if all(np.isfinite(one).mean() > 0.99 for one in drawn) else None
    if ratio is None:
        return None
    return effect_of_draws(ratio[np.isfinite(ratio)], (0.0, np.inf))


def _judge_pair(easy: Grid, hard: Grid) -> tuple[list[Row], Effect | None]:
    effect = harder(easy, hard)
    name = f"{hard.plane.problem.activation} {hard.plane.problem.model}"
    rows: list[Row] = []
    only: list[float] = []
    never: list[float] = []
    for n_train, simple, square in zip(easy.plane.sizes, easy.test_accuracy, hard.test_accuracy, strict=True):
        dips = dip_of(simple), dip_of(square)
        if dips[0] is None or dips[1] is None:
            continue
        flat = [dip.p_deeper(SMALLEST_DIP) for dip in dips if dip is not None]
        only.append(max(p_dip(dips[1]), flat[0]))
        never.append(min(1.0, 2 * min(flat[1], p_dip(dips[0]))))
        rows.append(
            {
                "model": name,
                "n_train": float(n_train),
                "dip of the sum": dips[0].depth,
                "dip of the square": dips[1].depth,
                "p (no dip of the square)": dips[1].p_rising,
                "p (dip of the sum)": flat[0],
                **columns_of(effect, "ln D_crit ratio"),
            }
        )
    if effect is None or not only:
        return rows, None
    dipped = min(1.0, len(only) * min(only))
    return rows, Effect(
        value=effect.value,
        interval=effect.interval,
        p_inside=max(effect.p_inside, dipped),
        p_outside=min(1.0, 2 * min(effect.p_outside, max(never))),
    )


def judge(evidence: GridEvidence) -> Finding:
    """Both halves of the claim for every model that was trained on both tasks at the same sizes."""
    by_task = {task: [grid for grid in evidence.grids if grid.plane.problem.task == task] for task in (EASY, HARD)}
    pairs = [
        (easy, hard)
        for easy in by_task[EASY]
        for hard in by_task[HARD]
        if (easy.plane.problem.model, easy.plane.problem.activation, easy.plane.sizes)
        == (hard.plane.problem.model, hard.plane.problem.activation, hard.plane.sizes)
    ]
    judged = [_judge_pair(*pair) for pair in pairs]
    effects = [effect for _, effect in judged]
    known = [effect for effect in effects if effect is not None]
    ratios = [
        f"{hard.plane.problem.activation} {hard.plane.problem.model} {effect.value:+.2f}"
        for (_, hard), effect in zip(pairs, effects, strict=True)
        if effect is not None
    ]
    highest = max(known, key=lambda effect: effect.value, default=None)
    used = [grid for pair in pairs for grid in pair]
    return finding_on(
        [row for part, _ in judged for row in part],
        effects,
        highest,
        predicted=0.0,
        n_runs=sum(grid.n_runs for grid in used),
        n_unconverged=sum(grid.n_lost for grid in used),
        reason=f"ln(D_crit of the square/D_crit of the sum) in the {WIDEST} widest models: "
        + (", ".join(ratios) or "none"),
    )


CLAIM: Claim[GridEvidence] = Claim(
    id="dd-harder-task",
    order=11,
    statement="The task (a + b)² mod p has a higher critical size than a + b, "
    "and dips over model size where a + b does not.",
    source=("huang2024",),
    criterion=f"For every model: supported if ln of the ratio of critical sizes in the {WIDEST} widest models is above "
    f"0 and at some size the square dips by {SMALLEST_DIP:g} beyond noise (Bonferroni) while the sum does not; refuted "
    "if in one model the ratio is below 0, or at every size the square does not dip or the sum does (Bonferroni); "
    "inconclusive otherwise.",
    experiment=EXPERIMENT,
    judge=judge,
)
