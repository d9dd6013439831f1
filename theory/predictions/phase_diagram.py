"""The plane of model size and training-set size: two curves, the star where they cross, and the map between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.checks import FieldError, check_integer, check_level
from dcrit.theory.circuits.constants import CONSTANTS, sizes_from
from dcrit.theory.circuits.regimes import SEMI_GROKKING, dynamics_codes
from dcrit.theory.estimates import LEVEL, Estimate, half_width, interval_of
from dcrit.theory.predictions.critical_size import (
    LARGEST_CONSTANT,
    LARGEST_FRACTION,
    check_covers,
    describes_network,
    from_scratch_constants,
    horizon_of,
    is_outside,
    law_normal,
    law_sizes,
    least_size,
    rest_estimate,
    told,
)
from dcrit.theory.predictions.regime import REGIMES, UNFIT, probability_unfit, shares_by_law
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Intervals are computed at no more than this many widths, from fewer draws than those of one prediction.
THINNED, N_DRAWS = 64, 200

#: Smallest training-set size of the default grid, as a fraction of all pairs.
SMALLEST_FRACTION = 0.03


@dataclass(frozen=True, kw_only=True)
class Star:
    """The point (N*, D*) where D_crit(N) crosses D_mem(N): D_crit(N*) = D_mem(N*) = D*.

    Attributes:
        width: H*, as if widths were real numbers [hidden units].
        n_params: N* [parameters].
        n_train: D* [examples].
    """

    width: Estimate
    n_params: Estimate
    n_train: Estimate


@dataclass(frozen=True, kw_only=True)
class PhaseDiagram:
    """Both curves over K widths, and the regimes of M training-set sizes at each.

    Attributes:
        problem: The question; its own width plays no part.
        widths: H (K,), rising.
        n_trains: D (M,), rising [examples].
        n_params: N (K,) [parameters].
        critical_size: D_crit (K,) [examples]; inf where test accuracy stays below one half.
        critical_low: Lower end of its interval (K,) [examples].
        critical_high: Upper end (K,); all pairs where there may be no transition [examples].
        onset: Where semi-grokking begins (K,) [examples]; may be inf.
        completion: Where it ends (K,) [examples]; may be inf.
        capacity: D_mem (K,) [examples].
        capacity_low: Lower end of its interval (K,) [examples].
        capacity_high: Upper end (K,) [examples].
        at_rest: D_rest (K,) [examples]; NaN where nothing is told of it, or where a network holds too little of the
            rule to reach one half.
        rest_low: Lower end of its interval (K,) [examples]; NaN as well where the calibration has no law of sizes.
        rest_high: Upper end (K,) [examples].
        unfit: Probability that the generalizing circuit does not fit (K,).
        codes: The likeliest regime (M, K), indices into ``REGIMES``: that at the best values where no law of sizes from
            scratch is known; 4 where not fitting is more likely than not.
        star: Where the two curves cross.
        extrapolated: Widths outside the calibrated domain (K,).
        horizon: T that D_crit and regimes speak of [steps].
        level: Probability content of the intervals.
        calibration: Name of the calibration used.

    Raises:
        ValueError: The arrays' shapes do not agree.
    """

    problem: Problem
    widths: IntArray
    n_trains: FloatArray
    n_params: FloatArray
    critical_size: FloatArray
    critical_low: FloatArray
    critical_high: FloatArray
    onset: FloatArray
    completion: FloatArray
    capacity: FloatArray
    capacity_low: FloatArray
    capacity_high: FloatArray
    at_rest: FloatArray
    rest_low: FloatArray
    rest_high: FloatArray
    unfit: FloatArray
    codes: IntArray
    star: Star
    extrapolated: NDArray[np.bool_]
    horizon: int
    level: float
    calibration: str

    def __post_init__(self) -> None:
        if self.codes.shape != (len(self.n_trains), len(self.widths)):
            raise FieldError("codes", f"be of shape {(len(self.n_trains), len(self.widths))}", self.codes.shape)

    def to_dict(self) -> dict[str, Any]:
        """Problem, whose width plays no part, star, and every array as a list; sizes that do not exist are None."""
        star = {"width": self.star.width, "n_params": self.star.n_params, "n_train": self.star.n_train}
        arrays = {name: _finite(getattr(self, name)) for name in ARRAYS}
        return {
            "problem": self.problem.to_dict(),
            "horizon": self.horizon,
            "level": self.level,
            "calibration": self.calibration,
            "star": {name: one.to_dict() for name, one in star.items()},
            "regimes": list(REGIMES),
            **arrays,
        }


#: Fields that are arrays, in the order in which they are written.
ARRAYS = (
    *("widths", "n_params", "critical_size", "critical_low", "critical_high", "onset", "completion"),
    *("capacity", "capacity_low", "capacity_high", "at_rest", "rest_low", "rest_high"),
    *("unfit", "extrapolated", "n_trains", "codes"),
)


def _finite(values: NDArray[Any]) -> list[Any]:
    """An array as a list; None in the place of what is not finite."""
    if values.dtype.kind != "f":
        return values.tolist()
    return [value if math.isfinite(value) else None for value in values.tolist()]


def check_widths(widths: ArrayLike) -> list[int]:
    """Widths as integers.

    Raises:
        ValueError: They are not at least two rising integers above 0.
    """
    found: NDArray[Any] = np.asarray(widths)
    if found.ndim != 1 or len(found) < 2 or found.dtype.kind != "i" or found[0] < 1 or (np.diff(found) <= 0).any():
        raise FieldError("widths", "be at least two rising integers of at least 1", found.tolist())
    return [int(width) for width in found]


def _describe_networks(constants: FloatArray) -> NDArray[np.bool_]:
    """Whether best constants (K, 8) are such as :func:`predict_critical_size` accepts: (K,)."""
    return describes_network(constants) & (np.abs(constants).max(axis=1) <= LARGEST_CONSTANT)


def default_widths(
    problem: Problem, calibration: Calibration, n: int, *, smallest: int | None = None, largest: int | None = None
) -> IntArray:
    """At most n widths, evenly spaced in ln H as far as integers can be.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants.
        n: Most widths.
        smallest: First width; None for half the smallest calibrated one, or where the laws begin to describe networks;
            for the narrowest network of runs over capacity, where there are any.
        largest: Last width; None for the largest calibrated one.

    Raises:
        ValueError: A number is out of range.
    """
    check_integer("points", n, 2)
    step = problem.family.width_step
    seen = [cell.width for cell in calibration.cells]
    narrow = None if calibration.thresholds is None else calibration.thresholds.overload
    least = min(min(seen) // 2, min(seen) if narrow is None else narrow.width)
    low = max(step, least) if smallest is None else smallest
    high = max(seen) if largest is None else largest
    check_integer("min_width", low, 1)
    check_integer("max_width", high, low + 1)
    widths = np.unique(step * np.geomspace(low / step, high / step, n).round().astype(np.int64))
    if smallest is None:
        good = [calibration.constants(replace(problem, width=int(width))) for width in widths]
        dumb = ~_describe_networks(np.array(good)) & (widths < min(seen))
        asked = [replace(problem, width=int(width)) for width in widths]
        silent = np.array([bool(calibration.silence(each, each.horizon)) for each in asked])
        wrong = np.flatnonzero(dumb | silent)
        told = widths[0 if not len(wrong) else int(wrong[-1]) + 1 :]
        if silent.any() and len(told) < 2:
            why = calibration.silence(replace(problem, width=high), problem.horizon)
            raise FieldError("calibration", f"reach widths {low} to {high}", calibration.name, why=why)
        widths = told
    return widths


def few_widths(widths: IntArray, step: int, most: int = 7) -> list[int]:
    """A few of many widths: both ends, and between them steps times 1, 2, 3, 4, 6, 8, 12 and so on.

    Args:
        widths: Rising.
        step: What widths of the family are multiples of.
        most: How many at most, and no fewer than three where there are as many.
    """
    low, high = int(widths[0]), int(widths[-1])
    powers = [2**k for k in range(high.bit_length())]
    for every in ([*powers, *(3 * one for one in powers)], powers, powers[::2], powers[::4]):
        found = sorted({low, high, *(step * one for one in every if low < step * one < high)})
        if 3 <= len(found) <= most:
            return found
    wanted = np.geomspace(low, high, most)
    return sorted({int(widths[np.abs(np.log(widths / one)).argmin()]) for one in wanted})


def check_told(problems: list[Problem], calibration: Calibration, horizon: int) -> None:
    """Refuse widths of which a calibration says nothing.

    Raises:
        ValueError: The calibration does not speak for the problems, or is silent at one of them.
    """
    check_covers(problems[0], calibration)
    for problem in problems:
        if silence := calibration.silence(problem, horizon):
            raise FieldError("calibration", f"reach width {problem.width}", calibration.name, why=silence)


def best_constants(problems: list[Problem], calibration: Calibration, horizon: int) -> FloatArray:
    """Best constants of problems that differ in width, at rest: (K, 8).

    Args:
        problems: The questions.
        calibration: Whose constants they are.
        horizon: T [steps].

    Raises:
        ValueError: The calibration does not speak for them, or its laws describe no network that far outside.
    """
    check_told(problems, calibration, horizon)
    constants = np.array([calibration.constants(problem) for problem in problems])
    wrong = ~_describe_networks(constants)
    if wrong.any():
        raise FieldError(
            "calibration",
            f"reach {problems[0].n_symbols} symbols at width {problems[int(wrong.argmax())].width}",
            f"{calibration.name}, whose laws do not reach so far outside",
        )
    return constants


def central_constants(problems: list[Problem], calibration: Calibration, horizon: int) -> FloatArray:
    """The same as they act from scratch: (K, 8).

    Args:
        problems: The questions.
        calibration: Whose constants they are.
        horizon: T [steps].

    Raises:
        ValueError: As of :func:`best_constants`.
    """
    acting = [
        from_scratch_constants(one, problem, calibration, horizon)
        for one, problem in zip(best_constants(problems, calibration, horizon), problems, strict=True)
    ]
    return np.array(acting)


def aligned_draws(
    problems: list[Problem], calibration: Calibration, n_draws: int, seed: int, *, horizon: int
) -> FloatArray:
    """Constants drawn alike at every width, as they act from scratch by T: (K, n, 8); NaN where a draw is no network.

    The same random numbers serve all widths, so that a draw is a smooth curve over N: how far a draw is
    from the best constants, in standard errors, is the same at all of them.
    """
    drawn = np.full((len(problems), n_draws, len(CONSTANTS)), np.nan)
    normal = law_normal(n_draws, seed)
    for k, problem in enumerate(problems):
        every = calibration.draw(problem, n_draws, np.random.default_rng(seed))
        kept = describes_network(every)
        clipped = np.clip(every[kept], -LARGEST_CONSTANT, LARGEST_CONSTANT)
        drawn[k, kept] = from_scratch_constants(clipped, problem, calibration, horizon, normal[kept])
    return drawn


def thinned(n: int) -> IntArray:
    """At most ``THINNED`` of n indices, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, THINNED)).round().astype(np.int64))


def last_fall(log_widths: FloatArray, excess: FloatArray) -> FloatArray:
    """Ln H at which ln D_crit − ln D_mem falls through zero for the last time.

    Args:
        log_widths: ln H (K,), rising.
        excess: (K, n); NaN where a draw says nothing.

    Returns:
        (n,); −inf where D_crit is below D_mem at all widths, inf where it is above at the largest.
    """
    roots = np.full(excess.shape[1], -np.inf)
    for j, column in enumerate(excess.T):
        known = np.isfinite(column)
        x, y = log_widths[known], column[known]
        above = np.flatnonzero(y > 0)
        if len(above):
            i = int(above[-1])
            roots[j] = math.inf if i == len(x) - 1 else x[i] + (x[i + 1] - x[i]) * y[i] / (y[i] - y[i + 1])
    return roots


def between(x: FloatArray, known: FloatArray, values: FloatArray) -> FloatArray:
    """Linear interpolation of values (k,) at known places (k,) to the places x (n,)."""
    return np.interp(x, known, values)


#: Standard deviation of ln N* about what the law and the capacity say: the root mean square over the five stars that
#: were known when the law was made (docs/results/model-size.md, †). Near their capacity pair-MLPs need more examples
#: than the law says, which neither of its errors knows.
STAR_SCATTER = 0.178


def _star(
    problems: Sequence[Problem],
    best: tuple[FloatArray, FloatArray],
    drawn: tuple[FloatArray, FloatArray],
    *,
    horizon: int,
    level: float,
    off: FloatArray,
    outside: Callable[[Problem], tuple[str, ...]],
) -> Star:
    """The star from ln D_crit(T) and ln D_mem over problems of rising width: best (K,) and drawn (K, n).

    Args:
        problems: K of them.
        best: Both curves.
        drawn: Draws of both.
        horizon: T [steps].
        level: Probability content of the intervals.
        off: What is added to ln N* of each draw (n,).
        outside: What of a problem lies outside the calibration.
    """
    widths = np.array([float(one.width) for one in problems])
    n_params, log_widths = np.array([float(one.n_params) for one in problems]), np.log(widths)
    names = (("star_width", "hidden units"), ("star_n_params", "parameters"), ("star_n_train", "examples"))
    low, high = float(log_widths[0]), float(log_widths[-1])
    root = float(last_fall(log_widths, (best[0] - best[1])[:, None])[0])
    roots = last_fall(log_widths, drawn[0] - drawn[1])
    beyond = float(np.mean(~np.isfinite(roots)))
    chance = f"with probability {beyond:.2f} it lies outside the widths that were tried" if beyond >= 0.005 else ""
    if not math.isfinite(root):
        side = "below the smallest" if root < 0 else "above the largest"
        reason = f"the curves cross {side} width that was tried, {math.exp(low if root < 0 else high):.0f}"
        none = [
            Estimate(quantity=name, value=None, unit=unit, horizon=horizon, extrapolated=True, reason=reason)
            for name, unit in names
        ]
        return Star(width=none[0], n_params=none[1], n_train=none[2])
    log_params = np.log(n_params)
    clipped = np.clip(roots, low, high)
    moved = between(between(clipped, log_widths, log_params) + off, log_params, log_widths)
    clipped = np.where(np.isfinite(roots), moved, clipped)
    # D* of a draw lies on its own capacity, which is nearly linear in ln H.
    sizes: FloatArray = np.array(
        [between(clipped[j : j + 1], log_widths, column)[0] for j, column in enumerate(drawn[1].T)]
    )
    nearest = problems[int(np.abs(log_widths - root).argmin())]
    far = outside(nearest)
    reason = "; ".join(one for one in (chance, *far) if one)
    estimate = partial(Estimate, horizon=horizon, extrapolated=bool(far), reason=reason)
    found: list[Estimate] = []
    for (name, unit), value, draws in (
        (names[0], root, clipped),
        (names[1], float(np.interp(root, log_widths, log_params)), np.interp(clipped, log_widths, log_params)),
        (names[2], float(np.interp(root, log_widths, best[1])), sizes),
    ):
        best_value = math.exp(value)
        span = interval_of(np.exp(draws), level).around(best_value)
        found.append(told(estimate(quantity=name, value=best_value, interval=span, unit=unit)))
    if silent := next((one for one in found if one.value is None), None):
        # A star of which one number cannot be told is none.
        found = [replace(one, value=None, interval=None, reason=silent.reason) for one in found]
    return Star(width=found[0], n_params=found[1], n_train=found[2])


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Sizes from scratch over K problems that differ in width.

    Attributes:
        onset: At test accuracy 0.1 (K,) [examples]; inf where it is never reached, as the others.
        critical: At 1/2 (K,) [examples]; inf above the largest size that leaves pairs to test on.
        completion: At 0.9 (K,) [examples].
        drawn: Draws of the one at 1/2 (K, n) [examples]; NaN where a draw is no network.
    """

    onset: FloatArray
    critical: FloatArray
    completion: FloatArray
    drawn: FloatArray


def curves_of(
    problems: list[Problem], calibration: Calibration, horizon: int, *, some: IntArray, n_draws: int, seed: int
) -> Curves:
    """Sizes from scratch: best values at every width, draws at some.

    Args:
        problems: The questions.
        calibration: Constants.
        horizon: T [steps].
        some: Indices of problems at which draws are made.
        n_draws: How many.
        seed: Of the draws.

    Raises:
        ValueError: The calibration's laws describe no network at one of them.
    """
    n_pairs, law = problems[0].n_pairs, calibration.thresholds
    few = [problems[int(k)] for k in some]
    levels = (SEMI_GROKKING[0], 0.5, SEMI_GROKKING[1])
    if law is not None:
        found = [[law.clocks(each).size(accuracy, horizon) for each in problems] for accuracy in levels]
        normal = law_normal(n_draws, seed)
        drawn = np.array([law_sizes(law, each, horizon, 0.5, normal)[1] for each in few])  # (k, n)
    else:
        constants = central_constants(problems, calibration, horizon)
        least = [[least_size(each, calibration, 1, accuracy, seed)[0] for each in problems] for accuracy in levels]
        found = [
            np.maximum(sizes_from(constants, n_pairs, accuracy), one).tolist()
            for accuracy, one in zip(levels, least, strict=True)
        ]
        aligned = aligned_draws(few, calibration, n_draws, seed, horizon=horizon)  # (k, n, 8)
        known = np.isfinite(aligned[..., 0])
        drawn = np.full(known.shape, np.nan)
        drawn_least = np.array([least_size(each, calibration, n_draws, 0.5, seed)[1] for each in few])  # (k, n)
        drawn[known] = np.maximum(sizes_from(aligned[known], n_pairs, 0.5), drawn_least[known])
    onset, critical, completion = (np.asarray(one, dtype=np.float64) for one in found)
    most = LARGEST_FRACTION * n_pairs
    return Curves(
        onset=onset,
        critical=np.where(critical > most, np.inf, critical),
        completion=completion,
        drawn=np.where(drawn > most, float(n_pairs), drawn),
    )


def rest_of(problems: list[Problem], calibration: Calibration, horizon: int, *, level: float) -> FloatArray:
    """Sizes at rest over K problems, each with the ends of its interval: (3, K) [examples].

    They are those of ``predict_critical_size``; NaN where it tells none. Without a law of sizes they are best values of
    the mixture at rest, and their ends are NaN.

    Args:
        problems: The questions.
        calibration: Constants.
        horizon: T, of which sizes at rest do not depend [steps].
        level: Probability content of the intervals.

    Raises:
        ValueError: The calibration's laws describe no network at one of them.
    """
    law = calibration.thresholds
    found = np.full((3, len(problems)), np.nan)
    if law is None:
        n_pairs = problems[0].n_pairs
        sizes = sizes_from(best_constants(problems, calibration, horizon), n_pairs, 0.5)
        found[0] = np.where((sizes > 0) & (sizes <= LARGEST_FRACTION * n_pairs), sizes, np.nan)
        return found
    for k, problem in enumerate(problems):
        one = told(rest_estimate(law, problem, level=level))
        if one.value is not None and one.interval is not None:
            found[:, k] = one.value, one.interval.low, one.interval.high
    return found


def star_widths(problem: Problem, calibration: Calibration) -> list[int]:
    """Widths at which the star is looked for: from the narrowest network that the laws describe to the widest seen."""
    law, step = calibration.thresholds, problem.family.width_step
    largest = max(*(cell.width for cell in calibration.cells), *(law.calibrated.width if law is not None else ()))
    widths = np.unique(step * np.geomspace(1, largest / step, THINNED).round().astype(np.int64))
    if law is None:
        told = _describe_networks(
            np.array([calibration.constants(replace(problem, width=int(width))) for width in widths])
        )
        wrong = np.flatnonzero(~told)
        widths = widths[0 if not len(wrong) else int(wrong[-1]) + 1 :]
    return [int(width) for width in widths]


def predict_star(
    problem: Problem,
    calibration: Calibration,
    *,
    horizon: int | None = None,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Star:
    """Predict where D_crit(N, T) meets D_mem(N), without training anything.

    It is interpolated between widths, linearly in ln H and ln D. Near it networks are narrow: where the law of sizes
    from scratch would say nothing of so narrow ones, it is carried on to them, and the reason says how far.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants; must cover the problem.
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the problem at any width.

    Source: huang2024.
    """
    check_level(level)
    check_integer("n_draws", n_draws, 1)
    steps, law = horizon_of(problem, calibration, horizon), calibration.thresholds
    widths = star_widths(problem, calibration)
    problems = [replace(problem, width=width) for width in widths]
    check_told(problems[-1:], calibration, steps)
    if len(widths) < 2:
        raise FieldError("calibration", f"reach {problem.n_symbols} symbols", calibration.name)
    # What narrow networks add to the error is in the scatter of measured stars.
    found = curves_of(
        problems, calibration.carried_on, steps, some=np.arange(len(problems)), n_draws=n_draws, seed=seed
    )
    memorized = np.array([float(calibration.memorized(each)) for each in problems])
    normal = np.random.default_rng([seed, 1]).standard_normal(n_draws)
    drawn_capacity = np.array([calibration.memorized(each, deviation=normal) for each in problems])
    scatter = 0.0 if law is None else STAR_SCATTER
    off = scatter * np.random.default_rng([seed, 2]).standard_normal(n_draws)
    return _star(
        problems,
        (np.log(np.minimum(found.critical, problem.n_pairs)), np.log(memorized)),
        (np.log(found.drawn), np.log(np.maximum(drawn_capacity, 1e-9))),
        horizon=steps,
        level=level,
        off=off,
        outside=calibration.outside if law is None else partial(law.outside, horizon=steps),
    )


def explain_star(star: Star) -> str:
    """Where both curves meet, as a paragraph of plain text."""
    lead = "Larger models can memorize sets on which they generalize: the star, where D_mem(N*) = D_crit(N*, T) = D*."
    if star.n_params.value is None or star.n_train.value is None or star.width.value is None:
        return f"{lead}\n{star.n_params.reason}"
    numbers = (
        f"N* = {star.n_params.value:.4g} parameters (width {star.width.value:.3g}), "
        f"D* = {star.n_train.value:.4g} examples, T = {star.n_train.horizon} steps"
    )
    return "\n".join(one for one in (lead, numbers, star.n_params.reason) if one)


def phase_diagram(
    problem: Problem,
    calibration: Calibration,
    *,
    widths: ArrayLike,
    n_trains: ArrayLike,
    horizon: int | None = None,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> PhaseDiagram:
    """Predict both curves, the star and the regime of every point of a grid, without training anything.

    Best values are solved for at every width. Intervals are computed at ``THINNED`` widths and
    interpolated in ln N; the star is that of :func:`predict_star`, wherever it lies.
    Draws without a transition count as sizes of all pairs.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants; must cover the problem.
        widths: H (K,), rising integers.
        n_trains: D (M,), rising [examples].
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the widths.

    Source: huang2024.
    """
    whole = check_widths(widths)
    sizes = np.asarray(n_trains, dtype=np.float64)
    if sizes.ndim != 1 or not len(sizes) or not (sizes > 0).all() or (np.diff(sizes) <= 0).any():
        raise FieldError("n_trains", "be rising numbers above 0", sizes.tolist())
    check_level(level)
    check_integer("n_draws", n_draws, 1)
    problems = [replace(problem, width=width) for width in whole]
    n_pairs = problem.n_pairs
    steps = horizon_of(problem, calibration, horizon)
    law = calibration.thresholds
    check_told(problems, calibration, steps)
    some = thinned(len(whole))
    few = [problems[int(k)] for k in some]
    curves = curves_of(problems, calibration, steps, some=some, n_draws=n_draws, seed=seed)
    critical, drawn_critical = curves.critical, curves.drawn
    n_params = np.array([float(each.n_params) for each in problems])
    memorized = calibration.capacity.capacity(n_params, problem.n_classes)
    normal = np.random.default_rng([seed, 1]).standard_normal(n_draws)
    drawn_capacity = np.array([calibration.memorized(each, deviation=normal) for each in few])
    tails = [(1 - level) / 2, (1 + level) / 2]
    log_params = np.log(n_params)
    spans = [
        np.quantile(row[np.isfinite(row)], tails) if np.isfinite(row).any() else [1.0, n_pairs]
        for row in drawn_critical
    ]
    if law is not None:
        ends = half_width(1.0, level=level) * np.array([-1.0, 1.0])
        spans = [np.minimum(law_sizes(law, each, steps, 0.5, ends)[1], n_pairs) for each in few]
    critical_low, critical_high = (
        np.exp(np.interp(log_params, log_params[some], np.log([span[side] for span in spans]))) for side in (0, 1)
    )
    edges: FloatArray = np.asarray(np.quantile(drawn_capacity, tails, axis=1), dtype=np.float64)
    capacity_low, capacity_high = (between(log_params, log_params[some], edges[side]) for side in (0, 1))

    at_rest, rest_low, rest_high = rest_of(problems, calibration, steps, level=level)
    unfit = probability_unfit(problem, calibration, whole)
    if law is None:
        codes = dynamics_codes(sizes[:, None], memorized, curves.onset, curves.completion)
    else:
        shares = np.array([shares_by_law(each, calibration, sizes, steps) for each in problems])  # (K, M, 4)
        codes = shares.argmax(axis=-1).T
    codes[:, unfit > 0.5] = UNFIT
    visible = np.minimum(critical, n_pairs)
    return PhaseDiagram(
        problem=problem,
        widths=np.asarray(whole, dtype=np.int64),
        n_trains=sizes,
        n_params=n_params,
        critical_size=critical,
        critical_low=np.minimum(critical_low, visible),
        critical_high=np.maximum(critical_high, visible),
        onset=curves.onset,
        completion=curves.completion,
        capacity=memorized,
        capacity_low=np.minimum(capacity_low, memorized),
        capacity_high=np.maximum(capacity_high, memorized),
        at_rest=at_rest,
        rest_low=rest_low,
        rest_high=rest_high,
        unfit=unfit,
        codes=codes,
        star=predict_star(problem, calibration, horizon=steps, level=level, n_draws=n_draws, seed=seed),
        extrapolated=np.array([is_outside(each, calibration, steps) for each in problems]),
        horizon=steps,
        level=level,
        calibration=calibration.name,
    )


def diagram_over(
    problem: Problem,
    calibration: Calibration,
    *,
    points: int = 200,
    min_width: int | None = None,
    max_width: int | None = None,
    horizon: int | None = None,
    level: float = LEVEL,
) -> PhaseDiagram:
    """The phase diagram over widths and sizes that are evenly spaced in their logarithms.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants; must cover the problem.
        points: Training-set sizes, from ``SMALLEST_FRACTION`` of all pairs to all, and at most as many widths.
        min_width: First width; None for half the smallest calibrated one.
        max_width: Last width; None for the largest calibrated one.
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the widths.
    """
    widths = default_widths(problem, calibration, points, smallest=min_width, largest=max_width)
    n_trains = np.geomspace(max(1.0, SMALLEST_FRACTION * problem.n_pairs), problem.n_pairs, points)
    return phase_diagram(problem, calibration, widths=widths, n_trains=n_trains, horizon=horizon, level=level)
