"""Predictions from a calibration, before any training: critical size, capacity, efficiency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.calibrations.thresholds import HALF, WIDEST, Thresholds
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.constants import CONSTANTS, competition_from, sizes_from, through_sizes
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.estimates import LEVEL, Estimate, Interval, half_width, interval_of
from dcrit.theory.predictions.edges import Transition
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

N_DRAWS = 1000

#: A size and draws of it.
Least = tuple[float, FloatArray]
NO_LEAST: Least = (0.0, np.zeros(1))

#: Logarithms and exponents of drawn constants are cut off here: larger ones mean nothing, but overflow.
LARGEST_CONSTANT = 30.0

#: A network has more than these: an efficiency of memorizing that falls, and circuits that mix.
LEAST_EXPONENT, LEAST_MIXING = 0.05, 0.02

#: Longest horizon that is answered for [steps].
MOST_HORIZON = 10**12

#: Units of estimates that may be near 0, so that the ratio of their interval's ends says nothing.
ABSOLUTE = ("probability", "fraction")

#: A probability is not said where it is above this, or below what is left of 1.
SURE = 0.995

#: Beyond this fraction of all pairs nothing is left to test on, so no transition can be seen.
LARGEST_FRACTION = 0.98


def told(estimate: Estimate, outside: Sequence[str] = ()) -> Estimate:
    """An estimate outside the calibration as it is, or that nothing can be told where its interval says nothing.

    Probabilities and accuracies are left as they are: near 0 their interval's ends may well be far apart.

    Args:
        estimate: A prediction.
        outside: What of the question lies outside, and by how much, where the estimate's own reason does not say.
    """
    interval = estimate.interval
    if interval is None or not estimate.extrapolated or estimate.unit in ABSOLUTE:
        return estimate
    low, high = interval.low, interval.high
    if high <= WIDEST * low or low == high:
        return estimate
    ratio = high / low if low > 0 else math.inf
    apart = "more than 100 times apart" if ratio > 100 else f"{ratio:.2g} times apart"
    why = f"cannot tell: so far outside the calibration the interval's ends would be {apart}"
    reasons = [why, *(one for one in outside if one not in estimate.reason), estimate.reason]
    return replace(estimate, value=None, interval=None, reason="; ".join(one for one in reasons if one))


@dataclass(frozen=True, kw_only=True)
class CriticalSizePrediction:
    """Everything that is predicted about the transition of one problem.

    Attributes:
        problem: The question.
        critical_size: Size at which training from scratch ends at test accuracy one half [examples]: D_crit(T) of the
            law of two thresholds and a clock, where the calibration has it. Else the larger of ``mixture`` and
            ``symmetric_size``: a network that sees (a, b) and (b, a) alike generalizes only once it memorizes a
            commutative table as unordered pairs.
        at_rest: D_rest, at which a network that generalizes has that accuracy after its data shrank [examples]: by that
            law, else the mixture's.
        mixture: Size at which the mixture of both circuits at rest has that accuracy [examples].
        symmetric_size: D_sym, from which on memory is of unordered pairs [examples]; None where nothing says so.
        crossing: Size at which both circuits are equally efficient [examples].
        onset: Size at test accuracy 10 %, where semi-grokking begins [examples].
        completion: Size at test accuracy 90 %, where it ends [examples].
        capacity: D_mem [examples].
        generalizing_efficiency: e_gen [nats per norm^κ].
        competition: The laws behind the mixture at rest, at best values.
        from_scratch: The same circuits with deficits by which test accuracy passes 0.1, 1/2 and 0.9 where it does from
            scratch; where the calibration has no law of that, the same.
        calibration: Name of the calibration used.
        outside: What of the problem lies outside the calibrated circuits, and by how much: one phrase each.
    """

    problem: Problem
    critical_size: Estimate
    at_rest: Estimate
    mixture: Estimate
    symmetric_size: Estimate | None
    crossing: Estimate
    onset: Estimate
    completion: Estimate
    capacity: Estimate
    generalizing_efficiency: Estimate
    competition: Competition
    from_scratch: Competition
    calibration: str
    outside: tuple[str, ...] = ()

    def estimates(self) -> dict[str, Estimate]:
        """Every predicted number there is by its name, without a value where its interval says nothing."""
        found = (
            *(self.critical_size, self.at_rest, self.mixture, self.symmetric_size, self.crossing),
            *(self.onset, self.completion, self.capacity, self.generalizing_efficiency),
        )
        return {one.quantity: told(one, self.outside) for one in found if one is not None}

    def by_accuracy(self) -> dict[float, Estimate]:
        """Training-set sizes by the test accuracy that they are defined by."""
        return {SEMI_GROKKING[0]: self.onset, 0.5: self.critical_size, SEMI_GROKKING[1]: self.completion}

    def to_dict(self) -> dict[str, Any]:
        """Problem, estimates and calibration as JSON values."""
        estimates = {name: one.to_dict() for name, one in self.estimates().items()}
        return {"problem": self.problem.to_dict(), **estimates, "calibration": self.calibration}


def size_prediction(
    quantity: str,
    best: Competition,
    draws: FloatArray,
    *,
    accuracy: float | None = 0.5,
    level: float = LEVEL,
    extrapolated: bool = False,
    least: Least = NO_LEAST,
    horizon: int | None = None,
) -> Estimate:
    """A size with its interval from the best laws and from draws of their constants.

    Draws without a transition count as sizes of all pairs: the interval's upper end is then all
    pairs, and the reason says how likely there is none.

    Args:
        quantity: Name of the size.
        best: Laws at the best constants.
        draws: (n, 8) drawn constants.
        accuracy: Test accuracy that defines the size; None for the efficiency crossing.
        level: Probability content of the interval.
        extrapolated: Whether the question is outside the calibrated domain.
        least: What the size is not below, its best value and draws, (n,) or (1,).
        horizon: T, where the size is one from scratch; None for one at rest [steps].
    """
    when = "at rest" if horizon is None else f"within {horizon} steps"
    n_pairs = round(best.generalizing.n_pairs)
    outcome = best.crossing() if accuracy is None else best.size_at_accuracy(accuracy)
    sizes = np.maximum(sizes_from(draws, n_pairs, accuracy), least[1])
    visible = sizes <= LARGEST_FRACTION * n_pairs
    missing = 1.0 - float(visible.mean())
    reason = f"with probability {missing:.2f} there is no transition {when} below all {n_pairs} examples"
    if missing < 0.005:
        reason = ""
    # Where generalizing wins at every size, D_sym alone is left.
    balance = outcome.n_train if isinstance(outcome, Crossing) else 0.0
    value = max(balance, least[0])
    if not isinstance(outcome, Crossing) and (outcome.winner == "memorizing" or value == 0.0):
        reason = f"{outcome.reason} (probability of no transition {missing:.2f})"
    elif value > LARGEST_FRACTION * n_pairs:
        reason = (
            f"the transition would need {value:.0f} of {n_pairs} examples, so none are left to test {when} "
            f"(probability of no transition {missing:.2f})"
        )
    else:
        found = interval_of(np.where(visible, sizes, n_pairs), level)
        # Far outside the calibration the draws are skewed; what is called best must not lie outside its interval.
        return Estimate(
            quantity=quantity,
            value=value,
            interval=found.around(value),
            unit="examples",
            horizon=horizon,
            extrapolated=extrapolated,
            reason=reason,
        )
    return Estimate(
        quantity=quantity, value=None, unit="examples", horizon=horizon, extrapolated=extrapolated, reason=reason
    )


def describes_network(constants: FloatArray) -> NDArray[np.bool_]:
    """Whether drawn constants let the memorizing efficiency fall and the circuits mix: (..., 8) to (...)."""
    return (constants[..., 1] > LEAST_EXPONENT) & (constants[..., 3] > LEAST_MIXING)


def sensible_draws(problem: Problem, calibration: Calibration, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Drawn constants that describe a network: (m, 8) with m ≤ n_draws, columns in the order of ``CONSTANTS``."""
    drawn = calibration.draw(problem, n_draws, rng)
    return np.clip(drawn[describes_network(drawn)], -LARGEST_CONSTANT, LARGEST_CONSTANT)


def least_size(problem: Problem, calibration: Calibration, n_draws: int, accuracy: float, seed: int) -> Least:
    """Least size from scratch of an accuracy s, where mirror images decide; draws of all accuracies move together.

    D_sym·(s/(1 − s))^w

    Args:
        problem: The question.
        calibration: Constants.
        n_draws: How many draws.
        accuracy: s between 0 and 1.
        seed: Of the draws.

    Returns:
        Best value and draws (n_draws,) [examples]; both 0 where nothing says that mirror images decide.
    """
    return calibration.symmetric_sizes(problem, n_draws, np.random.default_rng([seed, 2]), accuracy=accuracy)


def horizon_of(problem: Problem, calibration: Calibration, horizon: int | None) -> int:
    """T of an answer: the protocol's, 40/(ηλ), unless another is asked for and a clock is known [steps].

    Raises:
        ValueError: It is out of range, or no clock is known and it is not the protocol's.
    """
    if horizon is None:
        return problem.horizon
    check_integer("horizon", horizon, 1, MOST_HORIZON)
    if calibration.thresholds is None and horizon != problem.horizon:
        raise FieldError(
            "horizon",
            f"be {problem.horizon}, the protocol's 40/(ηλ)",
            horizon,
            why=f"no clock is known of {calibration.name}",
        )
    return horizon


def check_covers(problem: Problem, calibration: Calibration) -> None:
    """Refuse a calibration that does not speak for a problem.

    Raises:
        ValueError: It does not.
    """
    if not calibration.covers(problem):
        raise FieldError(
            "calibration",
            f"be for task '{problem.task}', model {problem.model} and activation {problem.activation}",
            calibration.name,
        )


def law_sizes(law: Thresholds, problem: Problem, horizon: int, accuracy: float, normal: FloatArray) -> Least:
    """Size from scratch of a test accuracy, by the law: best value and draws [examples].

    ln D = ln D_ℓ(T) + s·z,  z ~ N(0, 1)

    Args:
        law: Constants.
        problem: The question.
        horizon: T [steps].
        accuracy: ℓ.
        normal: z (n,), the same at all accuracies and widths.
    """
    best = law.clocks(problem).size(accuracy, horizon)
    return best, best * np.exp(law.deviation(problem, horizon) * normal)


def law_normal(n_draws: int, seed: int) -> FloatArray:
    """Standard normal draws (n,) that say how far the law is off, in its standard deviations."""
    return np.random.default_rng([seed, 3]).standard_normal(n_draws)


def from_scratch_constants(
    constants: FloatArray, problem: Problem, calibration: Calibration, horizon: int, normal: ArrayLike = 0.0
) -> FloatArray:
    """Constants by which test accuracy passes 0.1, 1/2 and 0.9 where it does from scratch; as they are without a law.

    Args:
        constants: (8,) best values, or (n, 8) draws.
        problem: The question.
        calibration: Whose law it is.
        horizon: T [steps].
        normal: How far the law is off, in its standard deviations, (n,) for draws.
    """
    law = calibration.thresholds
    if law is None:
        return constants
    off = np.asarray(normal, dtype=np.float64)
    onset, half, completion = (
        law_sizes(law, problem, horizon, accuracy, off)[1]
        for accuracy in levels_below(law.clocks(problem).memory.ceiling)
    )
    return through_sizes(constants, problem.n_pairs, onset, half, completion)


def levels_below(most: float) -> tuple[float, float, float]:
    """Test accuracies 0.1, 1/2 and 0.9, of which those that a network never reaches are taken below its best, in order.

    Args:
        most: Largest test accuracy of the network.
    """
    low, high = SEMI_GROKKING
    half = HALF if most > HALF else most * (1 + HALF) / 2
    return min(low, most * (1 + low) / 2), half, max(min(high, most * (1 + high) / 2), (half + most) / 2)


def is_outside(problem: Problem, calibration: Calibration, horizon: int) -> bool:
    """Whether a question about sizes from scratch lies outside what was calibrated.

    Args:
        problem: The question.
        calibration: What was calibrated.
        horizon: T [steps].
    """
    law = calibration.thresholds
    return calibration.distance(problem) > 0 if law is None else bool(law.outside(problem, horizon))


def law_estimate(
    law: Thresholds,
    problem: Problem,
    horizon: int,
    *,
    quantity: str,
    accuracy: float,
    capacity: Interval,
    level: float,
) -> Estimate:
    """A size from scratch by the law, with what of the question lies outside its calibration.

    Args:
        law: Constants.
        problem: The question.
        horizon: T [steps].
        quantity: Name of the size.
        accuracy: Test accuracy at the horizon.
        capacity: D_mem, its interval [examples].
        level: Probability content of the interval.
    """
    outside = "; ".join(law.outside(problem, horizon))
    transition, most = Transition(law=law, problem=problem, horizon=horizon), LARGEST_FRACTION * problem.n_pairs
    clocks = transition.clocks
    size, ceiling = clocks.size(accuracy, horizon), clocks.memory.ceiling
    silence = law.silence(problem, horizon)
    missing = 0.0 if silence else 1 - float(transition.chance(accuracy, most))
    if not silence and math.isinf(size):
        silence = _too_narrow(problem, ceiling, accuracy)
        if missing < SURE:
            silence += f" (probability {missing:.2f})"
    if not silence and size > capacity.high and law.overload is None:
        silence = f"cannot tell: it would be {size:.0f} by step {horizon}, over the capacity of {capacity.high:.0f}"
    if not silence and size > most:
        silence = (
            f"the transition would need {size:.0f} of {problem.n_pairs} examples, so none are left to test within "
            f"{horizon} steps"
        )
    if silence:
        return Estimate(
            quantity=quantity,
            value=None,
            unit="examples",
            horizon=horizon,
            extrapolated=bool(outside),
            reason=silence,
        )
    if accuracy == HALF:
        spread = half_width(law.deviation(problem, horizon), level=level)
        low, high = size * math.exp(-spread), size * math.exp(spread)
    else:
        tails = ((1 - level) / 2, (1 + level) / 2)
        low, high = (transition.size_at(accuracy, tail) for tail in tails)
    over = ""
    if law.overload is not None and size > capacity.high:
        over = f"D_crit is above the capacity of {capacity.high:.0f}: the rule is found before everything is memorized"
    what = "there is no transition" if accuracy == HALF else f"accuracy does not reach {accuracy:g}"
    chance = f"with probability {missing:.2f} {what} within {horizon} steps below all {problem.n_pairs} examples"
    return Estimate(
        quantity=quantity,
        value=size,
        interval=Interval(
            low=min(low, size),
            high=max(high, size) if high <= most else problem.n_pairs,
            level=level,
        ),
        unit="examples",
        horizon=horizon,
        extrapolated=bool(outside),
        reason="; ".join(one for one in (chance if missing >= 1 - SURE else "", over, outside) if one),
    )


def _too_narrow(problem: Problem, ceiling: float, accuracy: float) -> str:
    """Why a network is never right on so many."""
    return f"width {problem.width} can hold {ceiling:.2f} of the rule, so accuracy never reaches {accuracy:g}"


def rest_estimate(law: Thresholds, problem: Problem, *, level: float) -> Estimate:
    """D_rest by the law; none of a network that is never right on one half.

    Args:
        law: Constants.
        problem: The question.
        level: Probability content of the interval.
    """
    clocks = law.clocks(problem)
    size, ceiling = clocks.half.rest, clocks.memory.ceiling
    spread = half_width(law.deviation_at_rest(problem), level=level)
    outside = "; ".join((*law.outside(problem, problem.horizon), *law.outside_at_rest(problem)))
    silence = law.silence(problem, problem.horizon)
    if not silence and ceiling <= HALF:
        silence = _too_narrow(problem, ceiling, HALF)
    return Estimate(
        quantity="at_rest",
        value=None if silence else size,
        interval=None if silence else Interval(low=size * math.exp(-spread), high=size * math.exp(spread), level=level),
        unit="examples",
        extrapolated=bool(outside),
        reason=silence or outside,
    )


def predict_critical_size(
    problem: Problem,
    calibration: Calibration,
    *,
    horizon: int | None = None,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> CriticalSizePrediction:
    """Predict the transition of a problem from a calibration, without training anything.

    Args:
        problem: The question.
        calibration: Constants; must cover the problem.
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: The calibration does not speak for the problem or of that horizon, or its laws, extrapolated that
            far, describe no network.
    """
    check_covers(problem, calibration)
    steps = horizon_of(problem, calibration, horizon)
    law = calibration.thresholds
    extrapolated = calibration.distance(problem) > 0
    rng = np.random.default_rng(seed)
    central = calibration.constants(problem)
    if not describes_network(central) or np.abs(central).max() > LARGEST_CONSTANT:
        found = ", ".join(f"{name} {value:.3g}" for name, value in zip(CONSTANTS, central, strict=True))
        raise FieldError(
            "calibration",
            f"reach {problem.n_symbols} symbols at width {problem.width}",
            f"{calibration.name}, whose laws do not reach so far outside",
            why=found,
        )
    best = competition_from(central, problem.n_pairs)
    sensible = sensible_draws(problem, calibration, n_draws, rng)

    half = half_width(1.0, level=level)
    memorized, low, high = (float(calibration.memorized(problem, deviation=z)) for z in (0.0, -half, half))
    held = Interval(low=low, high=high, level=level)

    silence = calibration.silence(problem, steps)

    def untold(quantity: str, *, horizon: int | None = None) -> Estimate:
        return Estimate(
            quantity=quantity, value=None, unit="examples", horizon=horizon, extrapolated=extrapolated, reason=silence
        )

    def mixture_at_rest() -> Estimate:
        return untold("at_rest") if silence else replace(mixture, quantity="at_rest")

    def size(quantity: str, accuracy: float | None, *, from_scratch: bool = True) -> Estimate:
        if law is not None and from_scratch and accuracy is not None:
            return law_estimate(law, problem, steps, quantity=quantity, accuracy=accuracy, capacity=held, level=level)
        if from_scratch and accuracy is not None and silence:
            return untold(quantity, horizon=steps)
        least = least_size(problem, calibration, len(sensible), accuracy or 0.5, seed)
        found = size_prediction(
            quantity,
            best,
            sensible,
            accuracy=accuracy,
            level=level,
            extrapolated=extrapolated,
            least=least if from_scratch else NO_LEAST,
            horizon=steps if from_scratch else None,
        )
        return replace(found, reason="; ".join(one for one in (found.reason, *calibration.outside(problem)) if one))

    symmetric, drawn = least_size(problem, calibration, len(sensible), 0.5, seed)
    mixture = size("mixture", 0.5, from_scratch=False)
    efficiency = math.exp(float(best.generalizing.log_efficiency(0.0)))
    return CriticalSizePrediction(
        problem=problem,
        critical_size=size("critical_size", 0.5),
        at_rest=rest_estimate(law, problem, level=level) if law is not None else mixture_at_rest(),
        mixture=mixture,
        symmetric_size=Estimate(
            quantity="symmetric_size",
            value=symmetric,
            interval=interval_of(drawn, level).around(symmetric),
            unit="examples",
            extrapolated=extrapolated,
        )
        if symmetric
        else None,
        crossing=size("crossing", None, from_scratch=False),
        onset=size("onset", 0.1),
        completion=size("completion", 0.9),
        capacity=Estimate(
            quantity="capacity",
            value=memorized,
            interval=held,
            unit="examples",
            extrapolated=extrapolated,
        ),
        generalizing_efficiency=Estimate(
            quantity="generalizing_efficiency",
            value=efficiency,
            interval=interval_of(np.exp(sensible[:, 2]), level).around(efficiency),
            unit="nats per norm^kappa",
            extrapolated=extrapolated,
        ),
        competition=best,
        from_scratch=competition_from(from_scratch_constants(central, problem, calibration, steps), problem.n_pairs),
        calibration=calibration.name,
        outside=calibration.outside(problem),
    )
