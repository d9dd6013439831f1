"""Judging whether two critical sizes are equal: their ln ratio against a margin, in every pair."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.claims.claim import Finding, Row, columns_of, finding_on
from dcrit.empirics.claims.effect import Effect, Range, Statistic, effect_of_draws
from dcrit.empirics.experiments.multitask_transitions import MultitaskTransition
from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.measures.statistics import FEWEST_SIZES, ScalingPosterior
from dcrit.theory.estimates import Estimate, Interval, interval_of
from dcrit.theory.problems.problem import Problem, label

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
            "D_crit": first.measured.value,
            "reference": second.measured.value,
            **columns_of(effect, "ln ratio"),
            "runs": first.measured.n_runs + second.measured.n_runs,
            "note": first.measured.reason or second.measured.reason,
        }
        for name, (first, second), effect in zip(names, pairs, effects, strict=True)
    ]
    known = [(effect, name) for effect, name in zip(effects, names, strict=True) if effect is not None]
    different = {one.problem: one.measured for pair in pairs for one in pair}.values()
    n_runs, n_lost = sum(one.n_runs for one in different), sum(one.n_unconverged for one in different)
    worst, reason = None, "no pair has two measured transitions"
    if known:
        worst, worst_name = max(known, key=lambda entry: abs(entry[0].value))
        equal = sum(-margin <= effect.interval.low and effect.interval.high <= margin for effect, _ in known)
        missing = len(pairs) - len(known)
        reason = (
            f"largest ln ratio {worst.value:+.3f}, a factor {math.exp(worst.value):.2f}, in {worst_name}; the "
            f"interval lies within ±{margin} in {equal} of {len(known)} pairs"
            + (f"; {missing} without two transitions" if missing else "")
        )
    return finding_on(rows, effects, worst, predicted=0.0, n_runs=n_runs, n_unconverged=n_lost, reason=reason)


FloatArray = NDArray[np.float64]

#: 0: the draws are of the quantity; 1 and −1: it lies above, or below, what is drawn.
Side = Literal[-1, 0, 1]

#: Draws of every critical size: one in so many, times the comparisons of a claim, must be able to decide beside others.
DRAWS = 20_000


def log_sizes(transition: MultitaskTransition, *, seed: int = 0) -> tuple[FloatArray, Side] | None:
    """Draws of ln D_crit, or the largest size tried as a bound below it; None where there is neither.

    Args:
        transition: What was measured.
        seed: Of the draws; sizes that are compared need different ones.
    """
    draws = transition.log_size_draws(DRAWS, seed=seed)
    if draws is not None:
        return draws, 0
    return (np.full(DRAWS, math.log(transition.largest)), 1) if transition.is_beyond else None


def effect_of_bound(draws: FloatArray, allowed: Range, side: Side) -> Effect:
    """An effect of which draws are known, or draws of a bound.

    Args:
        draws: (n,).
        allowed: Ends of the range.
        side: What the draws are of; a bound from below can leave a range only at its upper end, and lie in it for
            sure only where that is open, and likewise from above.
    """
    low, high = allowed
    if side == 0:
        return effect_of_draws(draws, allowed)
    edge = high if side == 1 else low
    effect = effect_of_draws(draws, (-math.inf, high) if side == 1 else (low, math.inf))
    if math.isfinite(edge):
        return replace(effect, p_inside=1.0)
    return replace(effect_of_draws(draws, allowed), p_outside=1.0)


def effect_of_ratio(above: MultitaskTransition, below: MultitaskTransition, allowed: Range) -> Effect | None:
    """Ln of the ratio of two critical sizes; None where one is not known, or both only from one side.

    Args:
        above: The numerator.
        below: The denominator.
        allowed: Ends of the range of the logarithm.
    """
    first, second = log_sizes(above), log_sizes(below, seed=1)
    if first is None or second is None or (first[1] and second[1]):
        return None
    side: Side = 1 if first[1] else -1 if second[1] else 0
    return effect_of_bound(first[0] - second[0], allowed, side)


def ratio_columns(effect: Effect | None) -> Row:
    """The ratio behind an effect of its logarithm in a table, with both p-values."""
    return {
        "ratio": None if effect is None else math.exp(effect.value),
        "low": None if effect is None else math.exp(effect.interval.low),
        "high": None if effect is None else math.exp(effect.interval.high),
        "p inside": None if effect is None else effect.p_inside,
        "p outside": None if effect is None else effect.p_outside,
    }


def finding_on_ratios(
    rows: Sequence[Row],
    effects: Sequence[Effect | None],
    measured: Sequence[Estimate],
    *,
    predicted: float,
    what: str,
    compared: str,
    unknown: str,
) -> Finding:
    """The finding on a claim that every ratio of two critical sizes is small; it shows the largest ratio.

    Args:
        rows: One a comparison, for tables.
        effects: Ln of every ratio against the claim's range; None where one is not known.
        measured: The sizes that are compared, each as often as its runs count.
        predicted: What the claim puts there.
        what: The ratio in words.
        compared: What there is one ratio for.
        unknown: Why there is no ratio at all, where there is none.
    """
    known = sorted((effect for effect in effects if effect is not None), key=lambda effect: effect.value)
    worst, reason = None, unknown
    if known:
        low, high = (math.exp(end) for end in (known[-1].interval.low, known[-1].interval.high))
        worst = Statistic(value=math.exp(known[-1].value), interval=Interval(low=low, high=high))
        reason = (
            f"{what} {math.exp(known[0].value):.2f} to {worst.value:.2f} in {len(known)} of {len(effects)} {compared}"
        )
    n_runs, n_lost = sum(one.n_runs for one in measured), sum(one.n_unconverged for one in measured)
    return finding_on(rows, effects, worst, predicted=predicted, n_runs=n_runs, n_unconverged=n_lost, reason=reason)


def size_text(transition: MultitaskTransition) -> str:
    """The measured size with its interval, for tables."""
    measured = transition.measured
    if measured.value is None:
        return f"over {transition.largest}" if transition.is_beyond else measured.reason
    interval = measured.interval
    return f"{measured.value:.0f}" + ("" if interval is None else f" ({interval.low:.0f} – {interval.high:.0f})")


#: Draws of exponents and of measured sizes.
DRAWS = 4000


@dataclass(frozen=True, kw_only=True)
class SeriesFit:
    """How the critical sizes of one series scale.

    Attributes:
        transitions: Those with a measured critical size.
        posterior: Of the power law through them; None where they are fewer than three.
        predicted: Exponent of the sizes predicted for the same problems; None where one of them has no prediction.
    """

    transitions: Sequence[Transition]
    posterior: ScalingPosterior | None
    predicted: float | None

    @property
    def interval(self) -> Interval | None:
        """Of the measured exponent."""
        return None if self.posterior is None else interval_of(self.posterior.slope_draws(DRAWS))


def fit_series(series: Sequence[Transition], x_of: Callable[[Problem], float]) -> SeriesFit:
    """Power law of measured critical sizes in a property of their problems.

    Args:
        series: Transitions of problems that differ in that property.
        x_of: The property, above 0.
    """
    found = [one for one in series if one.measured.value is not None]
    if len(found) < FEWEST_SIZES:
        return SeriesFit(transitions=found, posterior=None, predicted=None)
    log_x = np.log([x_of(one.problem) for one in found])
    draws = np.array([one.log_size_draws(DRAWS) for one in found])  # (n, DRAWS)
    predicted = [None if one.predicted is None else one.predicted.value for one in found]
    known = [math.log(value) for value in predicted if value is not None]
    return SeriesFit(
        transitions=found,
        posterior=ScalingPosterior(log_x=log_x, log_size=draws.mean(axis=1), errors=draws.std(axis=1)),
        predicted=float(np.polyfit(log_x, known, 1)[0]) if len(known) == len(found) else None,
    )
