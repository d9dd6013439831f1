"""Judging whether two critical sizes are equal: their ln ratio against a margin, in every pair."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dcrit.empirics.claims.claim import Finding, Row, label
from dcrit.empirics.claims.effect import Effect, effect_of_draws, every
from dcrit.empirics.experiments.transitions import Transition

DRAWS = 4000


def ratio_effect(first: Transition, second: Transition, margin: float) -> Effect | None:
    """ln(D_first/D_second) against ±margin; None where one has no transition."""
    # Two seeds of the draws: the posteriors are independent.
    above, below = first.log_size_draws(DRAWS, seed=0), second.log_size_draws(DRAWS, seed=1)
    return None if above is None or below is None else effect_of_draws(above - below, (-margin, margin))


def judge_equal(pairs: Sequence[tuple[Transition, Transition]], margin: float, names: Sequence[str]) -> Finding:
    """Finding on the claim that the critical sizes of every pair are equal within a margin.

    Args:
        pairs: What is compared, the reference second.
        margin: Largest |ln ratio| that counts as equal.
        names: Of the pairs, for the table and the reason.
    """
    effects = [ratio_effect(first, second, margin) for first, second in pairs]
    rows: list[Row] = [
        {
            "pair": name,
            "problem": label(first.problem),
            "D_crit": first.measured.estimate,
            "reference": second.measured.estimate,
            "ln ratio": None if effect is None else effect.estimate,
            "low": None if effect is None else effect.interval.low,
            "high": None if effect is None else effect.interval.high,
            "runs": first.measured.n_runs + second.measured.n_runs,
            "note": first.measured.reason or second.measured.reason,
        }
        for name, (first, second), effect in zip(names, pairs, effects, strict=True)
    ]
    known = [(effect, name) for effect, name in zip(effects, names, strict=True) if effect is not None]
    different = {one.problem: one.measured for pair in pairs for one in pair}.values()
    n_runs, n_lost = sum(one.n_runs for one in different), sum(one.n_unconverged for one in different)
    if not known:
        return Finding(
            predicted=0.0,
            measured=None,
            interval=None,
            n_runs=n_runs,
            n_unconverged=n_lost,
            reason="no pair has two measured transitions",
            p_inside=None,
            p_outside=None,
            rows=rows,
        )
    worst, worst_name = max(known, key=lambda entry: abs(entry[0].estimate))
    p_inside, p_outside = every(effects)
    equal = sum(-margin <= effect.interval.low and effect.interval.high <= margin for effect, _ in known)
    missing = len(pairs) - len(known)
    return Finding(
        predicted=0.0,
        measured=worst.estimate,
        interval=worst.interval,
        n_runs=n_runs,
        n_unconverged=n_lost,
        reason=f"largest ln ratio {worst.estimate:+.3f}, a factor {math.exp(worst.estimate):.2f}, in {worst_name}; the "
        f"interval lies within ±{margin} in {equal} of {len(known)} pairs"
        + (f"; {missing} without two transitions" if missing else ""),
        p_inside=p_inside,
        p_outside=p_outside,
        rows=rows,
    )
