"""Claim: the grokking delay goes with 1/(ηλ), diverges at the critical size, and is predicted before training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.claims.claim import Claim, Finding, Row, columns_of, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_draws, effect_of_error
from dcrit.empirics.experiments.delays import EXPERIMENT, DelayEvidence, DelayPoint
from dcrit.empirics.measures.statistics import fit_censored
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED
from dcrit.theory.literature.published import published_values
from dcrit.theory.problems.problem import label

FloatArray = NDArray[np.float64]

#: Exponents of 1/η and of 1/λ that count as 1.
PROPORTIONAL = (0.85, 1.15)

#: Exponents of 1/ln(D/D_crit) that count as 1.
DIVERGENCE = (0.75, 1.25)

#: Mean |predicted/measured − 1| to stay below, as published in truong2026.
PUBLISHED_ERROR = published_values("delay_error")["truong2026"]

#: Draws of configurations and their runs, and of critical sizes.
DRAWS, SIZE_DRAWS = 4000, 60


def judge(evidence: list[DelayEvidence]) -> Finding:
    """Exponents of the rates and of the divergence for each problem, and the error over all points."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    for entry in evidence:
        for name, effect, note in (*_rates(entry), _divergence(entry)):
            effects.append(effect)
            rows.append(_row(f"{label(entry.problem)}: {name}", 1.0, effect, note))
    points = [point for entry in evidence for point in entry.points]
    error, most, note = _error(points)
    effects.append(error)
    rows.append(_row("mean |predicted/measured − 1|", PUBLISHED_ERROR, error, note))
    rows += [_point_row(point) for point in points]
    reason = note if error is None else f"mean |predicted/measured − 1| {error.value:.2f}"
    if error is not None and most > error.value:
        reason += f" at least, {most:.2f} at most, as some runs did not generalize by the horizon"
    exponents = [row for row in rows if row.get("exponent") is not None]
    if exponents:
        reason += "; exponents " + ", ".join(f"{row['statement']} {row['exponent']:.2f}" for row in exponents)
    return finding_on(
        rows,
        effects,
        error,
        predicted=PUBLISHED_ERROR,
        n_runs=sum(len(point.delays) for point in points),
        n_unconverged=sum(point.n_lost for point in points),
        reason=reason,
    )


def _row(statement: str, predicted: float, effect: Effect | None, note: str) -> Row:
    value = "error" if "predicted/" in statement else "exponent"
    return {
        "statement": statement,
        "claimed": predicted,
        **columns_of(effect, value),
        "p inside": None if effect is None else effect.p_inside,
        "p outside": None if effect is None else effect.p_outside,
        "note": note,
    }


def _point_row(point: DelayPoint) -> Row:
    problem = point.problem
    known = point.predicted is not None and math.isfinite(point.predicted)
    return {
        "statement": label(problem),
        "learning rate": problem.learning_rate,
        "weight decay": problem.weight_decay,
        "n_train": point.n_train,
        "predicted delay": point.predicted if known else None,
        "median delay": point.median[0] if point.delays else None,
        "low": min(point.delays, default=None),
        "high": max(point.delays, default=None),
        "not by the horizon": point.n_censored,
        "runs": len(point.delays),
        "note": "predicted never" if point.predicted == math.inf else "",
    }


def _rates(entry: DelayEvidence) -> list[tuple[str, Effect | None, str]]:
    """Exponents of ln delay over ln 1/η and ln 1/λ at one size."""
    rows = [
        (one.problem.learning_rate, one.problem.weight_decay, delay, side)
        for one in entry.by_rate
        for delay, side in zip(one.delays, one.beyond, strict=True)
    ]
    names = ("1/η", "1/λ")
    if not rows:
        return [(name, None, "no size above the critical one was run") for name in names]
    rate, decay, delay, side = np.array(rows).T
    columns = np.stack([np.ones_like(rate), -np.log(rate), -np.log(decay)], 1)
    fit = fit_censored(columns, np.log(delay), side)
    if isinstance(fit, str):
        return [(name, None, fit) for name in names]
    return [
        (
            name,
            effect_of_error(
                float(fit.coefficients[k]), max(float(fit.errors[k]), 1e-9), PROPORTIONAL, freedom=fit.freedom
            ),
            f"{int((side > 0).sum())} of {len(rows)} runs censored",
        )
        for k, name in enumerate(names, start=1)
    ]


def _divergence(entry: DelayEvidence) -> tuple[str, Effect | None, str]:
    """Exponent of ln delay over −ln ln(D/D_crit), the critical size drawn from its posterior."""
    name = "1/ln(D/D_crit)"
    log_sizes = entry.transition.log_size_draws(SIZE_DRAWS)
    rows = [
        (one.n_train, delay, side) for one in entry.by_size for delay, side in zip(one.delays, one.beyond, strict=True)
    ]
    if log_sizes is None or not rows:
        return name, None, entry.transition.measured.reason or "no size above the critical one was run"
    size, delay, side = np.array(rows).T
    fits = []
    for log_size in log_sizes:
        above = np.log(size) - log_size
        if above.min() <= 0:
            return name, None, "the smallest size may lie below the critical one"
        fits.append(fit_censored(np.stack([np.ones_like(above), -np.log(above)], 1), np.log(delay), side))
    good = [fit for fit in fits if not isinstance(fit, str)]
    if len(good) < len(fits):
        return name, None, next(fit for fit in fits if isinstance(fit, str))
    slopes = np.array([fit.coefficients[1] for fit in good])
    within = float(np.mean([fit.errors[1] ** 2 for fit in good]))
    error = math.sqrt(within + float(slopes.var()))
    effect = effect_of_error(float(slopes.mean()), max(error, 1e-9), DIVERGENCE, freedom=good[0].freedom)
    return name, effect, f"{int((side > 0).sum())} of {len(rows)} runs censored"


def _bounds(point: DelayPoint) -> FloatArray:
    """Least and largest |predicted/measured − 1| of every run: (n, 2).

    A delay longer than b: between |p/b − 1| there and 1 at infinity, or any less if p lies beyond b. One shorter
    than the resolution counts with it. A prediction of never counts as one of the longest that was waited; beside a
    run that did not generalize by then it may be right, or off by as much as that lies below the delay.
    """
    assert point.predicted is not None
    longest = point.problem.horizon
    bounds = []
    for delay, side in zip(point.delays, point.beyond, strict=True):
        before = min(point.predicted, longest) if side != 1 else point.predicted
        if side != 1:
            bounds.append((abs(before / delay - 1),) * 2)
        elif math.isinf(before):
            bounds.append((0.0, 1.0))
        elif before < delay:
            bounds.append((1 - before / delay, 1.0))
        else:
            bounds.append((0.0, max(1.0, before / delay - 1)))
    return np.array(bounds).reshape(-1, 2)


def _error(points: Sequence[DelayPoint]) -> tuple[Effect | None, float, str]:
    """The error over all points, its largest mean, and what is missing."""
    known = [_bounds(point) for point in points if point.predicted is not None and point.delays]
    if not known:
        return None, math.nan, "no delay was predicted"
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(DRAWS):  # points are a sample too: both they and their runs are drawn anew
        picked = [known[k] for k in rng.integers(len(known), size=len(known))]
        draws.append(np.mean([own[rng.integers(len(own), size=len(own))].mean(0) for own in picked], axis=0))
    least, most = np.transpose(draws)
    centre = np.mean([own.mean(0) for own in known], axis=0)
    low = effect_of_draws(least, (-math.inf, PUBLISHED_ERROR), value=float(centre[0]))
    high = effect_of_draws(most, (-math.inf, PUBLISHED_ERROR), value=float(centre[1]))
    complete = len(known) == len(points)
    effect = Effect(
        value=low.value,
        interval=low.interval,
        p_inside=high.p_inside if complete else 1.0,
        p_outside=low.p_outside,
    )
    return effect, high.value, f"over {len(known)} of {len(points)} points"


CLAIM: Claim[list[DelayEvidence]] = Claim(
    id="delay-law",
    order=16,
    statement="The steps from memorization to generalization go with 1/(ηλ), diverge at D_crit like 1/ln(D/D_crit), "
    f"and are predicted before training with a mean relative error below {PUBLISHED_ERROR:.1%}.",
    source=("dcrit", "liu2022", "truong2026"),
    criterion=f"Delay from train accuracy {FITTED} to test accuracy {GENERALIZED}, runs that do not generalize by the "
    "horizon known to take longer. For every problem the exponents of 1/η and 1/λ (censored regression of ln delay) "
    f"lie within {PROPORTIONAL[0]}–{PROPORTIONAL[1]}, that of 1/ln(D/D_crit) within {DIVERGENCE[0]}–{DIVERGENCE[1]}, "
    f"and mean |predicted/measured − 1| over points is below {PUBLISHED_ERROR} (points and runs resampled; a run "
    "without a delay supports by its largest, refutes by its least possible error). Supported if all hold, refuted "
    "if one fails (Bonferroni), inconclusive otherwise.",
    experiment=EXPERIMENT,
    judge=judge,
)
