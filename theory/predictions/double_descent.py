"""Test accuracy over model size at a fixed training set: where it dips, how deep, and how that moves.

Test loss is not predicted. Constants say how often networks are right, and not how sure they are where they are wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.checks import FieldError, check_integer, check_level
from dcrit.theory.circuits.constants import ANCHOR
from dcrit.theory.estimates import LEVEL, Estimate, Interval, interval_of
from dcrit.theory.predictions.critical_size import check_covers, horizon_of, is_outside, law_normal, least_size
from dcrit.theory.predictions.edges import Transition, spread_normal
from dcrit.theory.predictions.phase_diagram import (
    N_DRAWS,
    aligned_draws,
    best_constants,
    between,
    check_widths,
    thinned,
)
from dcrit.theory.predictions.regime import probability_unfit
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: A fall of expected test accuracy counts as a dip from here on.
SMALLEST_DIP = 0.1

#: Exponents between which e^x, and ratios of two such, are doubles.
EXPONENTS = (-300.0, 300.0)


@dataclass(frozen=True, kw_only=True)
class DoubleDescent:
    """What a growing model does with the same training set.

    Attributes:
        problem: The question; its own width plays no part.
        n_train: D [examples].
        widths: H (K,), rising.
        n_params: N (K,) [parameters].
        accuracy: Expected test accuracy (K,).
        accuracy_low: Lower end of its interval (K,).
        accuracy_high: Upper end (K,).
        dip: Whether accuracy falls by ``SMALLEST_DIP`` at the best values.
        probability: That it does, over the draws.
        depth: How far it falls below the best smaller width [fraction].
        width: Where it is lowest, as a width; no value without a dip.
        place: The same in parameters.
        params_exponent: d ln N/d ln D of the place D_mem(N) = D.
        width_exponent: d ln H/d ln D of the place.
        horizon: T that accuracy is looked at after [steps].
        level: Probability content of the intervals.
        calibration: Name of the calibration used.

    Raises:
        ValueError: The probability is none.
    """

    problem: Problem
    n_train: int
    widths: NDArray[np.int64]
    n_params: FloatArray
    accuracy: FloatArray
    accuracy_low: FloatArray
    accuracy_high: FloatArray
    dip: bool
    probability: float
    depth: Estimate
    width: Estimate
    place: Estimate
    params_exponent: float
    width_exponent: float
    horizon: int
    level: float
    calibration: str

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise FieldError("probability", "be between 0 and 1", repr(self.probability))


def _odds(constants: FloatArray, n_pairs: int, n_train: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Odds of the generalizing share, and the deficit's median and spread: each (...) from (..., 8)."""
    x = math.log(n_train / (ANCHOR * n_pairs))
    c = np.moveaxis(constants, -1, 0)
    odds = np.exp(np.minimum(np.exp(c[3]) * (c[2] - c[0] + c[1] * x), EXPONENTS[1]))
    return odds, np.exp(np.clip(c[4] + c[5] * x, *EXPONENTS)), np.exp(np.clip(c[6] + c[7] * x, *EXPONENTS))


def accuracy_from(
    constants: FloatArray,
    n_pairs: int,
    n_train: int,
    memorized: ArrayLike,
    unfit: ArrayLike,
    *,
    mirrored: ArrayLike = 1.0,
) -> FloatArray:
    """Expected test accuracy of many networks at once, also beyond their capacity.

    acc = (1 − P(does not fit))·min(Φ((w/(1 − w) − ρ(D))/σ(D)), s(D))  for D ≤ D_mem,
    acc = 1 − P(does not fit)                                           for D > D_mem

    Within capacity this is :meth:`Competition.test_accuracy`, from scratch no more than the part of mirror images
    that is right: then the size at any accuracy is the larger of the mixture's and D_sym's. Beyond capacity the
    starting theory has no memorizing circuit: e_mem = A·D^(−β)·(1 − D/D_mem)^δ is zero there for every δ > 0, here
    in the limit of small δ. Measured networks do not do that: beyond capacity they memorize part of their examples
    and test accuracy stays low (docs/explanation/what-was-refuted.md), as a soft margin stays finite at
    capacity. With D_mem infinite the mixture holds throughout.

    Args:
        constants: (..., 8), in the order of ``CONSTANTS``; accuracy is NaN where they are.
        n_pairs: Pairs that exist [examples].
        n_train: D [examples].
        memorized: D_mem [examples], broadcast.
        unfit: Probability that the generalizing circuit does not fit, broadcast.
        mirrored: s, part of mirror images that is right, broadcast; 1 where both symbols are told apart.

    Source: huang2024 (progression).
    """
    odds, median, spread = _odds(constants, n_pairs, n_train)
    within = np.minimum(ndtr((odds - median) / spread), mirrored)
    beyond = np.where(np.isfinite(within), 1.0, np.nan)
    return (1 - np.asarray(unfit)) * np.where(n_train > np.asarray(memorized), beyond, within)


def accuracy_by_clock(
    law: Thresholds,
    problems: Sequence[Problem],
    n_train: int,
    horizon: int,
    *,
    memorized: ArrayLike,
    unfit: ArrayLike,
    normal: ArrayLike = 0.0,
    spread: ArrayLike = 0.0,
) -> FloatArray:
    """Expected test accuracy by the law of sizes from scratch, which critical sizes and times come from, too.

    acc = (1 − P(does not fit))·acc(D, T; z, u)  for D ≤ D_mem, 1 − P(does not fit) beyond

    Args:
        law: Constants.
        problems: K of them.
        n_train: D [examples].
        horizon: T [steps].
        memorized: D_mem beyond which nothing is memorized, broadcast to (K, n) [examples]; inf where networks go on.
        unfit: Probability that the generalizing circuit does not fit, broadcast to (K, n).
        normal: z, how far the law is off in its standard deviations, (n,).
        spread: How much wider the transition is than the law says, in standard deviations, (n,).

    Returns:
        (K, n); (K, 1) for one z.
    """
    off, wider = (np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (normal, spread))
    found = np.array(
        [Transition(law=law, problem=each, horizon=horizon).accuracies(n_train, off, wider) for each in problems]
    )
    return (1 - np.asarray(unfit)) * np.where(n_train > np.asarray(memorized), 1.0, found)


def _mirrored(
    problem: Problem, calibration: Calibration, n_train: int, n_draws: int, seed: int
) -> tuple[float, FloatArray]:
    """Part of mirror images that is right, its best value and draws (n,).

    1 where both symbols are told apart, and where a law of sizes from scratch says what memory of them does.
    """
    best, drawn = least_size(problem, calibration, n_draws, 0.5, seed)
    if calibration.thresholds is not None or calibration.symmetry is None or best == 0:
        return 1.0, np.ones(n_draws)
    law = calibration.symmetry
    return float(law.mirrored_at(n_train / best)), law.mirrored_at(n_train / drawn)


def deepest(accuracy: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Largest fall below the best smaller width that is recovered by half at a larger one: depth and its index.

    Args:
        accuracy: (K, n) over rising widths; NaN says nothing and falls nowhere.
    """
    filled = np.where(np.isfinite(accuracy), accuracy, -np.inf)
    before = np.maximum.accumulate(filled, axis=0)
    after = np.maximum.accumulate(filled[::-1], axis=0)[::-1]
    with np.errstate(invalid="ignore"):
        fall = np.where(np.isfinite(filled), np.minimum(before - filled, 2 * (after - filled)), 0.0)
    at = fall.argmax(axis=0)
    return fall.max(axis=0), at.astype(np.int64)


def place_exponents(problem: Problem, calibration: Calibration, n_train: int) -> tuple[float, float]:
    """How the place D_mem(N) = D moves with D: d ln N/d ln D and d ln H/d ln D, by central differences.

    N ∝ D^(1/s), hence H ∝ D^(1/(qs)) where N ∝ H^q: q = 1 for a pair-MLP, near 2 for wide transformers
    """
    step = problem.family.width_step
    grid = step * np.unique(np.geomspace(1, 4096, 200).round().astype(int))
    params = np.array([float(replace(problem, width=int(width)).n_params) for width in grid])
    memorized = calibration.capacity.capacity(params, problem.n_classes)
    ends = np.log([n_train / 1.5, n_train * 1.5])
    n, h = (np.interp(ends, np.log(memorized), np.log(values)) for values in (params, grid))
    return float(np.diff(n)[0] / np.diff(ends)[0]), float(np.diff(h)[0] / np.diff(ends)[0])


@dataclass(frozen=True, kw_only=True)
class _Curve:
    """Test accuracy over some widths.

    Attributes:
        n_params: N (K,) [parameters].
        accuracy: At the best values (K,).
        drawn: Accuracy of every draw at some of the widths (k, n).
    """

    n_params: FloatArray
    accuracy: FloatArray
    drawn: FloatArray


def _curve(
    problems: list[Problem],
    calibration: Calibration,
    *,
    n_train: int,
    steps: int,
    sharp_capacity: bool,
    n_draws: int,
    seed: int,
    some: NDArray[np.int64],
) -> _Curve:
    """Accuracy of problems that differ in width, and draws of that of some of them.

    Args:
        problems: The questions (K).
        calibration: Constants.
        n_train: D [examples].
        steps: T [steps].
        sharp_capacity: Whether memorizing stops at capacity.
        n_draws: n.
        seed: Of the draws.
        some: Indices of the problems that are drawn (k,).

    Raises:
        ValueError: The calibration says nothing of one of them.
    """
    constants = best_constants(problems, calibration, steps)
    first, widths = problems[0], [one.width for one in problems]
    n_params = np.array([float(each.n_params) for each in problems])
    # Measured networks over capacity go on mixing, so the starting theory's step is on demand only.
    memorized = calibration.capacity.capacity(n_params, first.n_classes)
    memorized = memorized if sharp_capacity else np.full_like(memorized, np.inf)
    unfit = probability_unfit(first, calibration, widths)
    law = calibration.thresholds
    if law is None:
        mirrored = np.array([_mirrored(each, calibration, n_train, 1, seed)[0] for each in problems])  # (K,)
        accuracy = accuracy_from(constants, first.n_pairs, n_train, memorized, unfit, mirrored=mirrored)
    else:
        accuracy = accuracy_by_clock(law, problems, n_train, steps, memorized=memorized[:, None], unfit=unfit[:, None])[
            :, 0
        ]
    few = [problems[int(k)] for k in some]
    limits: ArrayLike = np.inf
    if sharp_capacity:
        normal = np.random.default_rng([seed, 1]).standard_normal(n_draws)
        limits = np.array([calibration.memorized(each, deviation=normal) for each in few])
    if law is None:
        drawn = accuracy_from(
            aligned_draws(few, calibration, n_draws, seed, horizon=steps),
            first.n_pairs,
            n_train,
            limits,
            unfit[some, None],
            mirrored=np.array([_mirrored(each, calibration, n_train, n_draws, seed)[1] for each in few]),
        )
    else:
        drawn = accuracy_by_clock(
            law,
            few,
            n_train,
            steps,
            memorized=limits,
            unfit=unfit[some, None],
            normal=law_normal(n_draws, seed),
            spread=spread_normal(n_draws, seed),
        )
    return _Curve(n_params=n_params, accuracy=accuracy, drawn=drawn)


def _ends(drawn: FloatArray, level: float) -> FloatArray:
    """Both ends of the interval of drawn accuracies (k, n): (2, k); 0 and 1 where no draw says anything."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    spans = [np.quantile(row[np.isfinite(row)], tails) if np.isfinite(row).any() else [0.0, 1.0] for row in drawn]
    return np.array(spans).T


def predict_accuracies(
    problem: Problem,
    calibration: Calibration,
    *,
    n_train: int,
    widths: Sequence[int],
    horizon: int | None = None,
    sharp_capacity: bool = False,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> list[Estimate]:
    """Expected test accuracy at single widths, as :func:`predict_double_descent` has it, each with its interval.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants; must cover the problem.
        n_train: D [examples].
        widths: H, in any order; where the calibration does not reach one, there is no value there.
        horizon: T; None for the protocol's [steps].
        sharp_capacity: As for :func:`predict_double_descent`.
        level: Probability content of the intervals.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not cover the problem.
    """
    problem.check_n_train(n_train)
    check_level(level)
    check_covers(problem, calibration)
    steps = horizon_of(problem, calibration, horizon)
    found: list[Estimate] = []
    for width in widths:
        one = replace(problem, width=width)
        outside = is_outside(one, calibration, steps)
        told: dict[str, Any] = {"quantity": "test_accuracy", "unit": "fraction", "horizon": steps}
        try:
            curve = _curve(
                [one],
                calibration,
                n_train=n_train,
                steps=steps,
                sharp_capacity=sharp_capacity,
                n_draws=n_draws,
                seed=seed,
                some=np.zeros(1, dtype=np.int64),
            )
        except FieldError as silence:
            found.append(Estimate(value=None, reason=str(silence), extrapolated=outside, **told))
            continue
        value, (low, high) = float(curve.accuracy[0]), _ends(curve.drawn, level)[:, 0]
        span = Interval(low=float(low), high=float(high), level=level).around(value)
        found.append(Estimate(value=value, interval=span, extrapolated=outside, **told))
    return found


def predict_double_descent(
    problem: Problem,
    calibration: Calibration,
    *,
    n_train: int,
    widths: ArrayLike,
    horizon: int | None = None,
    sharp_capacity: bool = False,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> DoubleDescent:
    """Predict test accuracy over model size at a fixed training set, without training anything.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants; must cover the problem.
        n_train: D [examples].
        widths: H (K,), rising integers.
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        sharp_capacity: Whether memorizing stops at capacity, as in the starting theory; the mixture does not.
        level: Probability content of the intervals.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the widths.

    Source: huang2024.
    """
    whole = check_widths(widths)
    problem.check_n_train(n_train)
    check_level(level)
    check_integer("n_draws", n_draws, 1)
    problems = [replace(problem, width=width) for width in whole]
    steps = horizon_of(problem, calibration, horizon)
    # Draws are smooth over the width, so that those at some widths serve.
    some = thinned(len(whole))
    curve = _curve(
        problems,
        calibration,
        n_train=n_train,
        steps=steps,
        sharp_capacity=sharp_capacity,
        n_draws=n_draws,
        seed=seed,
        some=some,
    )
    n_params, accuracy, drawn = curve.n_params, curve.accuracy, curve.drawn
    log_params, ends = np.log(n_params), _ends(drawn, level)
    low, high = (between(log_params, log_params[some], end) for end in ends)

    depth, at = deepest(accuracy[:, None])
    depths, places = deepest(drawn)
    dips = depths >= SMALLEST_DIP
    probability = float(dips.mean())
    found = bool(depth[0] >= SMALLEST_DIP)
    beyond = any(is_outside(each, calibration, steps) for each in problems)

    def predicted(quantity: str, unit: str, value: float, draws: FloatArray, *, there: bool, index: int) -> Estimate:
        outside = is_outside(problems[index], calibration, steps)
        if not there:
            chance = f"probability of a dip {probability:.2f}"
            reason = f"no dip of {SMALLEST_DIP:g} or more at these widths by the best values ({chance})"
            return Estimate(quantity=quantity, value=None, unit=unit, horizon=steps, extrapolated=beyond, reason=reason)
        span = interval_of(draws if len(draws) else [value], level).around(value)
        return Estimate(quantity=quantity, value=value, interval=span, unit=unit, horizon=steps, extrapolated=outside)

    index = int(at[0])
    at_widths, at_params = np.asarray(whole)[some][places[dips]], n_params[some][places[dips]]
    exponents = place_exponents(problem, calibration, n_train)
    return DoubleDescent(
        problem=problem,
        n_train=n_train,
        widths=np.asarray(whole, dtype=np.int64),
        n_params=n_params,
        accuracy=accuracy,
        accuracy_low=np.minimum(low, accuracy),
        accuracy_high=np.maximum(high, accuracy),
        dip=found,
        probability=probability,
        depth=predicted("dip_depth", "fraction", float(depth[0]), depths, there=True, index=index),
        width=predicted("dip_width", "hidden units", float(whole[index]), at_widths, there=found, index=index),
        place=predicted("dip_n_params", "parameters", float(n_params[index]), at_params, there=found, index=index),
        params_exponent=exponents[0],
        width_exponent=exponents[1],
        horizon=steps,
        level=level,
        calibration=calibration.name,
    )
