"""The model size at which a task is learned beside facts to memorize, before any training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.calibrations.facts import FactsConstants, facts_constants
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.checks import FieldError, check_integer, check_level
from dcrit.theory.circuits.clock import LevelClocks
from dcrit.theory.circuits.constants import sizes_from
from dcrit.theory.circuits.facts import affordable_facts, emergent_sizes_from
from dcrit.theory.circuits.facts_from_scratch import effective_size
from dcrit.theory.circuits.overload import NO_MEMORY
from dcrit.theory.estimates import LEVEL, Estimate, Interval, interval_of
from dcrit.theory.predictions.critical_size import LARGEST_FRACTION, horizon_of, law_normal, told
from dcrit.theory.predictions.phase_diagram import aligned_draws, central_constants, check_told, default_widths
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Widths looked at, and draws at each.
N_WIDTHS, N_DRAWS = 40, 300


@dataclass(frozen=True, kw_only=True)
class EmergencePrediction:
    """The model size at which a task is learned beside facts to memorize.

    Attributes:
        problem: The question; its own width plays no part.
        n_facts: D_r [examples].
        n_train: D, examples of the task [examples].
        width: Smallest width with D_crit(N, D_r) ≤ D and D_mem(N) ≥ D_r [hidden units].
        n_params: The same in parameters.
        widths: H (K,), rising: those looked at.
        critical_size: D_crit(N, D_r) (K,) [examples]; inf where there is none below all pairs.
        critical_size_alone: D_crit(N, 0) (K,) [examples]; inf likewise.
        capacity: D_mem (K,) [examples].
        horizon: T that D_crit speaks of [steps].
        level: Probability content of the intervals.
        calibration: Name of the calibration used.

    Raises:
        ValueError: The arrays' shapes do not agree.
    """

    problem: Problem
    n_facts: int
    n_train: int
    width: Estimate
    n_params: Estimate
    widths: IntArray
    critical_size: FloatArray
    critical_size_alone: FloatArray
    capacity: FloatArray
    horizon: int
    level: float
    calibration: str

    def __post_init__(self) -> None:
        for name in ("critical_size", "critical_size_alone", "capacity"):
            if getattr(self, name).shape != self.widths.shape:
                raise FieldError(name, f"be of shape {self.widths.shape}", getattr(self, name).shape)


def _slack(constants: FloatArray, n_pairs: int, n_train: float) -> FloatArray:
    """Facts to spare at D_r = 0, (...) for (..., 8): below 0, minus the examples that the task alone lacks."""
    spare = affordable_facts(constants, n_pairs, n_train)
    alone = sizes_from(constants.reshape(-1, constants.shape[-1]), n_pairs, 0.5).reshape(spare.shape)
    return np.where(np.isneginf(spare), n_train - np.minimum(alone, n_pairs), spare)


def _first_widths(log_widths: FloatArray, slack: FloatArray) -> FloatArray:
    """Ln of the smallest width at which slack (K, n) is not below 0, interpolated: (n,); inf where none."""
    found = np.full(slack.shape[1], np.inf)
    for j, column in enumerate(slack.T):
        known = np.isfinite(column)
        x, y = log_widths[known], column[known]
        good = np.flatnonzero(y >= 0)
        if len(good):
            i = int(good[0])
            found[j] = x[0] if i == 0 else x[i - 1] + (x[i] - x[i - 1]) * y[i - 1] / (y[i - 1] - y[i])
    return found


@dataclass(frozen=True, kw_only=True)
class EmergenceCurve:
    """Threshold widths over numbers of facts.

    Attributes:
        n_facts: D_r (F,), rising [examples].
        n_train: D [examples].
        width: H (F,) [hidden units]; inf where no width looked at suffices.
        low: Lower end of its interval (F,) [hidden units].
        high: Upper end (F,); the largest width looked at stands for all beyond it [hidden units].
        largest: Largest width looked at [hidden units].
        level: Probability content of the intervals.

    Raises:
        ValueError: The arrays' shapes do not agree.
    """

    n_facts: IntArray
    n_train: int
    width: FloatArray
    low: FloatArray
    high: FloatArray
    largest: int
    level: float

    def __post_init__(self) -> None:
        for name in ("width", "low", "high"):
            if getattr(self, name).shape != self.n_facts.shape:
                raise FieldError(name, f"be of shape {self.n_facts.shape}", getattr(self, name).shape)


@dataclass(frozen=True, kw_only=True)
class _Plane:
    """What decides at every width, as functions of D_r.

    Attributes:
        widths: H (K,).
        slack: Best (K, 1) and drawn (K, n) slack, below 0 where a network does not learn the task beside the facts.
        sizes: D_crit beside the facts (K,) [examples].
        capacity: D_mem (K,) [examples].
        outside: What of a number of facts and a width lies outside the calibration, one phrase each.
        silence: Why nothing is said of a number of facts; empty where something is.
    """

    widths: IntArray
    slack: Callable[[int], tuple[FloatArray, FloatArray]]
    sizes: Callable[[int], FloatArray]
    capacity: FloatArray
    outside: Callable[[int, float], tuple[str, ...]]
    silence: Callable[[int], str]

    def thresholds(self, n_facts: int, step: int) -> tuple[float, FloatArray]:
        """Best and drawn smallest widths for D_r facts, rounded up to multiples of ``step``; inf where none."""
        log_widths = np.log(self.widths.astype(np.float64))

        def widths_of(slack: FloatArray) -> FloatArray:
            return step * np.ceil(np.exp(_first_widths(log_widths, slack)) / step - 1e-9)

        best, drawn = self.slack(n_facts)
        return float(widths_of(best)[0]), widths_of(drawn)


def _plane(
    problem: Problem,
    calibration: Calibration,
    *,
    n_train: int,
    horizon: int,
    widths: IntArray | None,
    n_draws: int,
    seed: int,
) -> _Plane:
    """Everything that does not depend on the facts; raises what both predictions raise."""
    problem.check_n_train(n_train)
    check_integer("n_draws", n_draws, 1)
    looked = default_widths(problem, calibration, N_WIDTHS) if widths is None else np.asarray(widths, dtype=np.int64)
    if len(looked) < 2 or (np.diff(looked) <= 0).any():
        raise FieldError("widths", "be at least two rising integers", looked.tolist())
    visible = min(n_train, LARGEST_FRACTION * problem.n_pairs)
    normal = np.random.default_rng([seed, 1]).standard_normal(n_draws)
    law, beside = calibration.thresholds, facts_constants(problem)
    if law is not None and beside is not None:
        problems = [replace(problem, width=int(width)) for width in looked]
        check_told(problems, calibration, horizon)
        drawn_capacity = np.array([calibration.memorized(each, deviation=normal) for each in problems])
        return _from_scratch(
            problems, law, beside, visible=visible, horizon=horizon, drawn_capacity=drawn_capacity, seed=seed
        )
    constants = central_constants([replace(problem, width=int(width)) for width in looked], calibration, horizon)
    steep = constants[:, 1] > 1
    if widths is None:
        # Half the smallest calibrated width may be too far outside for the laws to make sense.
        looked, constants, steep = looked[~steep], constants[~steep], steep[~steep]
    if widths is None and not len(looked):
        raise FieldError("calibration", "have a memorizing exponent of at most 1", calibration.name)
    if len(looked) < 2:
        raise FieldError("widths", "be at least two that the calibration reaches", looked.tolist())
    if steep.any():
        raise FieldError(
            "calibration",
            f"have a memorizing exponent of at most 1 at width {looked[int(steep.argmax())]}",
            calibration.name,
        )
    problems = [replace(problem, width=int(width)) for width in looked]
    drawn = aligned_draws(problems, calibration, n_draws, seed, horizon=horizon)  # (K, n, 8)
    memorized = calibration.capacity.capacity([each.n_params for each in problems], problem.n_classes)
    drawn_memorized = np.array([calibration.memorized(each, deviation=normal) for each in problems])
    best = np.minimum(_slack(constants, problem.n_pairs, visible), memorized)[:, None]
    each_draw = np.minimum(_slack(drawn, problem.n_pairs, visible), drawn_memorized)
    covered = [cell.width for cell in calibration.cells]

    def outside(_facts: int, width: float) -> tuple[str, ...]:
        elsewhere = calibration.distance(replace(problem, width=covered[0])) > 0
        return ("",) if elsewhere or not min(covered) <= width <= max(covered) else ()

    return _Plane(
        widths=looked,
        slack=lambda facts: (best - facts, each_draw - facts),
        sizes=lambda facts: emergent_sizes_from(constants, problem.n_pairs, facts),
        capacity=memorized,
        outside=outside,
        silence=lambda _facts: "",
    )


def _from_scratch(
    problems: Sequence[Problem],
    law: Thresholds,
    beside: FactsConstants,
    *,
    visible: float,
    horizon: int,
    drawn_capacity: FloatArray,
    seed: int,
) -> _Plane:
    """By the law of sizes from scratch, where examples beside facts to memorize count for less.

    Args:
        problems: One a width (K,).
        law: D_crit(T) without facts.
        beside: What facts do to it.
        visible: D, or the most that leaves pairs to test on [examples].
        horizon: T [steps].
        drawn_capacity: Draws of D_mem (K, n) [examples].
        seed: Of the draws.
    """
    n_draws = int(drawn_capacity.shape[1])
    alone = [law.clocks(one) for one in problems]
    capacity = np.array([one.memory.capacity for one in alone])  # (K,)
    off = np.array([law.deviation(one, horizon) for one in problems])  # (K,)
    normal = law_normal(n_draws, seed)
    strength = np.random.default_rng([seed, 4]).standard_normal(n_draws)
    scatter = np.random.default_rng([seed, 5]).standard_normal(n_draws)
    interference = beside.interference * np.exp(beside.log_error * strength)  # (n,)
    widths = np.array([one.width for one in problems], dtype=np.int64)

    def over(clocks: LevelClocks, facts: int, a: ArrayLike, lengthened: ArrayLike) -> FloatArray:
        """Test accuracy from D examples less 1/2: for each a, and each factor of D_crit."""
        memory = replace(clocks.memory, n_facts=float(facts))
        counted = memory.effective(visible) * effective_size(visible, facts, a) / visible / np.asarray(lengthened)
        found = replace(clocks, memory=NO_MEMORY).accuracy(counted, horizon)
        return memory.ceiling * (found + (1 - found) * memory.known(visible)) - 0.5

    def slack(facts: int) -> tuple[FloatArray, FloatArray]:
        room = np.log(capacity / max(facts, 1))[:, None], np.log(drawn_capacity / max(facts, 1))
        more = beside.scatter * scatter if facts else np.zeros(n_draws)
        best = np.array([over(one, facts, beside.interference, 1.0) for one in alone])[:, None]
        drawn = [
            over(one, facts, interference, np.exp(own * normal + more)) for one, own in zip(alone, off, strict=True)
        ]
        return np.minimum(best, room[0]), np.minimum(np.array(drawn), room[1])

    def sizes(facts: int) -> FloatArray:
        return np.array([beside.beside(one, facts).size(0.5, horizon) for one in alone])

    def outside(facts: int, width: float) -> tuple[str, ...]:
        k = int(np.abs(widths - width).argmin())
        return (*law.outside(problems[k], horizon), *beside.outside(problems[k], facts, alone[k].size(0.5, horizon)))

    return _Plane(
        widths=widths,
        slack=slack,
        sizes=sizes,
        capacity=capacity,
        outside=outside,
        silence=lambda facts: beside.silence(facts, max(one.size(0.5, horizon) for one in alone)),
    )


def _span(best: float, drawn: FloatArray, largest: float, level: float) -> Interval:
    """Interval of a threshold, rounded outwards to whole widths."""
    found = interval_of(np.minimum(drawn, largest), level)
    return Interval(low=min(math.floor(found.low), best), high=max(math.ceil(found.high), best), level=level)


def predict_emergence(
    problem: Problem,
    calibration: Calibration,
    *,
    n_facts: int,
    n_train: int,
    horizon: int | None = None,
    level: float = LEVEL,
    widths: IntArray | None = None,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> EmergencePrediction:
    """Predict the smallest model that learns a task from D examples beside D_r facts, without training anything.

    N_c = min{N: D_crit(N, D_r) ≤ D and D_mem(N) ≥ D_r}, interpolated in ln H between the widths looked at

    The same random numbers serve all widths. Draws without a threshold count as the largest width. Of D no more
    counts than leaves pairs to test on.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants; must cover the problem.
        n_facts: D_r [examples].
        n_train: D [examples].
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.
        widths: H (K,), rising integers; None for ``N_WIDTHS`` in the calibrated range and half below it.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the widths.

    Source: huang2024 (that such a size exists).
    """
    check_integer("n_facts", n_facts, 0)
    check_level(level)
    steps = horizon_of(problem, calibration, horizon)
    plane = _plane(problem, calibration, n_train=n_train, horizon=steps, widths=widths, n_draws=n_draws, seed=seed)
    looked, n_pairs, step = plane.widths, problem.n_pairs, problem.family.width_step
    best, drawn = plane.thresholds(n_facts, step)
    smallest, largest = int(looked[0]), int(looked[-1])
    silence = plane.silence(n_facts)
    missing, certain = float(np.mean(np.isinf(drawn))), math.isfinite(best) and not silence
    reasons: list[str] = []
    if silence:
        reasons.append(silence)
    elif not certain:
        short = float(plane.capacity.max())
        why = (
            f"{n_facts} facts exceed the capacity of {short:.0f}"
            if short < n_facts
            else f"{n_train} examples are fewer than D_crit after {steps} steps beside {n_facts} facts"
        )
        reasons.append(f"no threshold up to width {largest}: {why} (probability {missing:.2f})")
    else:
        if best <= smallest:
            reasons.append("the smallest width that was tried is enough, so the threshold may be smaller")
        if missing >= 0.005:
            reasons.append(f"with probability {missing:.2f} there is no threshold up to width {largest}")
    outside = plane.outside(n_facts, best if certain else largest)
    reasons += [one for one in outside if one]
    extrapolated = bool(outside) or not certain
    span = _span(best, drawn, largest, level) if certain else None

    def params(width: float) -> float:
        """N at a real width, linear between those that exist."""
        below = step * math.floor(width / step)
        first, second = (replace(problem, width=whole).n_params for whole in (below, below + step))
        return first + (width - below) / step * (second - first)

    def predicted(quantity: str, unit: str, scale: Callable[[float], float]) -> Estimate:
        return told(
            Estimate(
                quantity=quantity,
                value=scale(best) if certain else None,
                interval=None if span is None else Interval(low=scale(span.low), high=scale(span.high), level=level),
                unit=unit,
                horizon=steps,
                extrapolated=extrapolated,
                reason="; ".join(reasons),
            )
        )

    def sizes(facts: int) -> FloatArray:
        found = plane.sizes(facts)
        return np.where(found > LARGEST_FRACTION * n_pairs, math.inf, found)

    return EmergencePrediction(
        problem=problem,
        n_facts=n_facts,
        n_train=n_train,
        width=predicted("threshold_width", problem.family.width_unit, float),
        n_params=predicted("threshold_n_params", "parameters", params),
        widths=looked,
        critical_size=sizes(n_facts),
        critical_size_alone=sizes(0),
        capacity=plane.capacity,
        horizon=steps,
        level=level,
        calibration=calibration.name,
    )


def emergence_curve(
    problem: Problem,
    calibration: Calibration,
    *,
    n_facts: Sequence[int],
    n_train: int,
    horizon: int | None = None,
    level: float = LEVEL,
    widths: IntArray | None = None,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> EmergenceCurve:
    """Threshold widths for several numbers of facts, each as :func:`predict_emergence` gives it.

    Args:
        problem: The question; its width is replaced.
        calibration: Constants; must cover the problem.
        n_facts: D_r (F,), rising integers [examples].
        n_train: D [examples].
        horizon: As for :func:`predict_emergence`.
        level: Probability content of the intervals.
        widths: As for :func:`predict_emergence`.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the widths.
    """
    for facts in n_facts:
        check_integer("n_facts", facts, 0)
    check_level(level)
    steps = horizon_of(problem, calibration, horizon)
    plane = _plane(problem, calibration, n_train=n_train, horizon=steps, widths=widths, n_draws=n_draws, seed=seed)
    found = [plane.thresholds(facts, problem.family.width_step) for facts in n_facts]
    largest = int(plane.widths[-1])
    spans = [_span(min(best, largest), drawn, largest, level) for best, drawn in found]
    return EmergenceCurve(
        n_facts=np.asarray(n_facts, dtype=np.int64),
        n_train=n_train,
        width=np.array([best for best, _ in found]),
        low=np.array([span.low for span in spans]),
        high=np.array([span.high for span in spans]),
        largest=largest,
        level=level,
    )
