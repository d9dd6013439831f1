"""Steps to memorize and steps to generalize, in closed form and before any training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.checks import FieldError, check_integer, check_positive
from dcrit.theory.circuits.branches import BranchLaw
from dcrit.theory.circuits.constants import ANCHOR, constants_of
from dcrit.theory.circuits.margin import log_efficiency_per_squared_norm
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.estimates import LEVEL, Estimate, Interval
from dcrit.theory.predictions.critical_size import (
    N_DRAWS,
    horizon_of,
    is_outside,
    law_normal,
    predict_critical_size,
    sensible_draws,
    told,
)
from dcrit.theory.predictions.edges import Transition, spread_normal
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: ε of the protocol's AdamW.
DAMPING = Problem.epsilon

#: Logarithms of amplitudes and of rates are cut off here, so that a dead circuit stays a number.
LARGEST_LOG = 300.0

#: From this part of the unseen pairs on, mirror images of trained ones are spoken of.
NOTABLE = 0.05

#: r_gen of circuits that share weights: one number, chosen on seven passages of test accuracy through 0.5 and 0.9 in
#: own runs of both activations at p = 23, H = 64. Their steps agree to 0.5 in ln rms: 65 % either way.
SHARED_RATE = 0.25


@dataclass(frozen=True, kw_only=True)
class Start:
    """Amplitudes at step 0.

    The memorizing default is √(Q(0)/Q*) of pair-MLPs of the protocol at p = 23, H = 64 (Q(0) = 29, Q* from
    1270 to 3100). The generalizing one is a guess of its size: it is what the delay depends on.

    Attributes:
        memorizing: √Q at step 0 over √Q at balance of the more efficient circuit alone.
        generalizing: v_gen/v_mem at step 0.

    Raises:
        ValueError: A number is not above 0.

    Source: own runs, by ``dcrit train``.
    """

    memorizing: float = 0.12
    generalizing: float = 0.1

    def __post_init__(self) -> None:
        check_positive("memorizing", self.memorizing)
        check_positive("generalizing", self.generalizing)


def balance_margin(
    efficiency: ArrayLike,
    *,
    homogeneity: float,
    n_classes: int,
    weight_decay: float,
    n_params: float = math.inf,
    damping: float = DAMPING,
) -> FloatArray:
    """Margin at which one circuit alone comes to rest under decay.

    κγ(−L′(γ))·(1 − λ√(Q/N)) = λεQ,  Q = (γ/e)^(2/κ): the solution above γ = ln(C − 1)

    Args:
        efficiency: e [nats per norm^κ], any shape.
        homogeneity: κ.
        n_classes: C.
        weight_decay: λ.
        n_params: N; inf for gradient flow.
        damping: ε.

    Returns:
        γ* [nats], same shape; NaN where decay extinguishes the circuit before it fits its examples.
    """
    log_e = np.log(np.asarray(efficiency, dtype=np.float64))
    half = math.log(n_classes - 1)

    def excess(gamma: FloatArray) -> FloatArray:
        """Ln of the left side over the right one; −inf where decay outruns the largest step."""
        log_norm = (2 / homogeneity) * (np.log(gamma) - log_e)
        room = 1 - weight_decay * np.exp(np.minimum(log_norm / 2 - math.log(n_params) / 2, LARGEST_LOG))
        with np.errstate(divide="ignore"):
            log_room = np.log(np.maximum(room, 0.0))
        push = math.log(homogeneity) + np.log(gamma) - np.logaddexp(0.0, gamma - half)
        return push + log_room - math.log(weight_decay * damping) - log_norm

    low, high = np.full(log_e.shape, max(half, 1e-3)), np.full(log_e.shape, 1000.0)
    fits = excess(low) > 0
    for _ in range(60):
        middle = (low + high) / 2
        above = excess(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(fits, (low + high) / 2, np.nan)


def growth_time(log_start: ArrayLike, log_end: ArrayLike, log_advantage: ArrayLike, degree: ArrayLike) -> FloatArray:
    """Time in which a small generalizing amplitude catches up with a memorizing one that is at balance.

    dy/dτ = R·y^(d−1) − y,  y = v_gen/v_mem,  R = e_gen/e_mem; with z = y^(2−d):  dz/dτ = (2 − d)·(R − z)

        τ = ln((R − z_0)/(R − z_1))/(2 − d), and ln(y_1/y_0)/(R − 1) at d = 2

    Args:
        log_start: ln y_0.
        log_end: ln y_1.
        log_advantage: ln R.
        degree: d.

    Returns:
        τ in units of 1/(growth of memorization), of the broadcast shape; 0 where y_0 is beyond y_1
        already, inf where the amplitude does not get there: for d ≤ 2 because it comes to rest
        before, at d ≥ 2 because it shrinks from the start.
    """
    y0, y1, gap, d = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (log_start, log_end, log_advantage, degree))
    )
    way, power = y1 - y0, 2 - d
    # Growth rates at both ends, R·y^(d−2) − 1; between them the rate is monotonic.
    first, last = (
        np.expm1(np.minimum(gap - power * y0, LARGEST_LOG)),
        np.expm1(np.minimum(gap - power * y1, LARGEST_LOG)),
    )
    with np.errstate(all="ignore"):
        # ln((R − z_0)/(R − z_1)) = ln(first/last) − (2 − d)·ln(y_1/y_0), of which the limit d → 2 is stable.
        general = (np.log(first) - np.log(last) - power * way) / power
        near = way / np.expm1(gap - power * (y0 + y1) / 2)
    time = np.where(np.abs(power) * np.maximum(np.abs(way), 1.0) < 1e-6, near, general)
    return np.where(way <= 0, 0.0, np.where((first > 0) & (last > 0), time, np.inf))


@dataclass(frozen=True, kw_only=True)
class DelayPrediction:
    """When a network memorizes and when it generalizes.

    Attributes:
        problem: The question.
        n_train: D [examples].
        level: Test accuracy that counts as generalization.
        memorize_steps: Steps to train accuracy 99 % [steps].
        generalize_steps: Steps to test accuracy ``level`` [steps].
        probability: Probability that it generalizes to that level at all.
        probability_by_horizon: Probability that it does so within T steps.
        horizon: T [steps].
        calibration: Name of the calibration used.
        symmetric: Probability that a seed memorizes unordered pairs; None where nothing is known of that.
        generalize_if_symmetric: ``generalize_steps`` of such a seed [steps].
        generalize_if_ordered: Of another [steps].
    """

    problem: Problem
    n_train: int
    level: float
    memorize_steps: Estimate
    generalize_steps: Estimate
    probability: float
    probability_by_horizon: float
    horizon: int
    calibration: str
    symmetric: Estimate | None = None
    generalize_if_symmetric: Estimate | None = None
    generalize_if_ordered: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Steps of many sets of constants, inf for never.

    Attributes:
        memorize: (n,) T_mem [steps].
        generalize: (n,) T_gen [steps].
    """

    memorize: FloatArray
    generalize: FloatArray


def delay_steps(
    constants: FloatArray,
    problem: Problem,
    n_train: ArrayLike,
    *,
    level: float = GENERALIZED,
    start: Start | None = None,
    shared: bool = True,
) -> Steps:
    """Closed forms of both times for many sets of constants.

    Far from balance AdamW moves the norm at a fixed speed, d√Q/dt = √N − λ√Q; with e the larger efficiency, per
    Q^(κ/2)

        T_mem = ln((√N − λ√Q_0)/(√N − λ√Q_fit))/(ηλ),  Q_fit = ((ln(C − 1) + ln(99))/e)^(2/κ)

    and T_b likewise up to the balance. Meanwhile ln v_mem grows by Δ = (κ/d)·ln(√Q*/√Q_0) and y = v_gen/v_mem as

        z_b = rR + (z_0 − rR)·e^(−(2 − d)Δ),  z = y^(2−d),  or ln y_b = ln y_0 + (rR − 1)Δ at d = 2

    From then on :func:`growth_time` holds:

        T_gen = T_b + τ(y_b, y_1)·d/(κ·r·ηλ),  y_1 = ((ρ + Φ⁻¹(level)·σ)/R)^(1/d)

    For d = κ = 2, r = 1 the second term is the delay law ln(y_1/y_b)/(ηλ(e_gen/e_mem − 1)). At κ = 3 additive
    circuits give ln((R − z_1)/(R − z_b))/(ηλ), z = u_mem/u_gen: finite only if R·u_gen > u_mem at once. The
    memorizing amplitude is taken to stay at balance: near R·y^d = 1 the competitor slows it, which is left out.

    Args:
        constants: (n, 8) in the order of ``CONSTANTS``.
        problem: The question.
        n_train: D, one for all or one for each (n,) [examples].
        level: Test accuracy.
        start: Amplitudes at step 0.
        shared: Whether circuits share weights, d = 2(1 − 1/b), or nothing, d = κ.

    Source: varma2023 (that the more efficient circuit wins late).
    """
    begin = start or Start()
    kappa, decay, n_classes = float(problem.homogeneity), problem.weight_decay, problem.n_classes
    x = np.log(np.asarray(n_train, dtype=np.float64) / (ANCHOR * problem.n_pairs))
    log_mem = log_efficiency_per_squared_norm(constants[:, 0] - constants[:, 1] * x, problem.norm_units, kappa)
    log_gen = log_efficiency_per_squared_norm(constants[:, 2], problem.norm_units, kappa)
    degree = 2 * (1 - np.exp(-constants[:, 3])) if shared else np.full(len(constants), kappa)
    rate = SHARED_RATE if shared else 1.0
    median, spread = np.exp(constants[:, 4] + constants[:, 5] * x), np.exp(constants[:, 6] + constants[:, 7] * x)
    log_best, log_gap = np.maximum(log_mem, log_gen), log_gen - log_mem
    margin = balance_margin(
        np.exp(log_best),
        homogeneity=kappa,
        n_classes=n_classes,
        weight_decay=decay,
        n_params=problem.n_params,
        damping=problem.epsilon,
    )
    fit_margin = math.log(n_classes - 1) + math.log(FITTED / (1 - FITTED))
    with np.errstate(all="ignore"):
        # √Q as fractions of √N/λ, the most that decay lets steps of η build.
        top = math.log(problem.n_params) / 2 - math.log(decay)
        rest = np.exp((np.log(margin) - log_best) / kappa - top)
        fit = np.exp((math.log(fit_margin) - log_best) / kappa - top)
        initial = np.minimum(rest * begin.memorizing, rest)
        memorize = np.maximum(0.0, np.log1p(-initial) - np.log1p(-np.minimum(fit, rest)))
        memorize = np.where(margin > fit_margin, memorize, np.inf)
        balance = np.log1p(-initial) - np.log1p(-rest)
        needed = median + float(ndtri(level)) * spread
        log_end = np.where(needed > 0, (np.log(np.maximum(needed, 1e-300)) - log_gap) / degree, -np.inf)
        grown = math.log(1 / min(1.0, begin.memorizing)) * kappa / degree
        log_y = _after_memorizing(math.log(begin.generalizing), math.log(rate) + log_gap, degree, grown)
        clock = growth_time(log_y, log_end, log_gap, degree) * degree / (kappa * rate)
        generalize = np.maximum(memorize, np.where(log_y >= log_end, 0.0, balance + clock))
    return Steps(memorize=memorize * problem.time_constant, generalize=generalize * problem.time_constant)


def _after_memorizing(log_start: float, log_advantage: FloatArray, degree: FloatArray, grown: FloatArray) -> FloatArray:
    """Ln y after ln v_mem has grown by Δ: dy/d ln v_mem = rR·y^(d−1) − y; inf where v_gen wins the race."""
    power = 2 - degree
    # A finite bound keeps the limit d → 2 stable: y_b = y_0·e^(−Δ)·(1 + (2 − d)·rR·y_0^(d−2)·∫e^((2−d)x)dx)^(1/(2−d)).
    gain = np.where(np.abs(power * grown) < 1e-9, grown, np.expm1(power * grown) / np.where(power == 0, 1.0, power))
    fed = np.exp(np.minimum(log_advantage - power * log_start, LARGEST_LOG)) * gain
    inside = power * fed
    ratio = np.where(np.abs(inside) < 1e-9, fed, np.log1p(np.maximum(inside, -1.0)) / np.where(power == 0, 1.0, power))
    return log_start - grown + ratio


def _prediction(
    quantity: str,
    best: float,
    draws: FloatArray,
    *,
    level: float,
    extrapolated: bool,
    never: str,
    told_from: float = 0.0,
    least: float = 1.0,
    note: str = "",
) -> Estimate:
    """A number of steps with its interval; draws in which it does not happen count as infinitely many steps.

    Args:
        quantity: Name of the number.
        best: Its best value [steps].
        draws: Of it [steps].
        level: Probability content of the interval.
        extrapolated: Whether the question is outside what was calibrated.
        never: What there is to say if it does not happen.
        told_from: Times before this one are not told apart: an interval of such a time reaches up to it [steps].
        least: It begins here then [steps].
        note: What else there is to say if it does.
    """
    times = np.where(np.isfinite(draws), draws, np.inf)
    missing = 1.0 - float(np.isfinite(times).mean()) if len(times) else 1.0
    chance = f"with probability {missing:.2f}, {never}" if missing >= 0.005 else ""
    if not math.isfinite(best):
        reason = f"{never} (probability {missing:.2f})"
        return Estimate(
            quantity=quantity, value=None, interval=None, unit="steps", extrapolated=extrapolated, reason=reason
        )
    ends = np.quantile(times, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf") if len(times) else [best, best]
    low, high = min(float(ends[0]), best), max(float(ends[1]), best)
    if best < told_from:
        low, high = min(low, max(1.0, least)), max(high, told_from)
        early = f"it comes before step {told_from:.0f}; the clock does not resolve earlier times"
        note = "; ".join(one for one in (early, note) if one)
    chance = "; ".join(one for one in (chance, note) if one)
    interval = Interval(low=low, high=high, level=level)
    return Estimate(
        quantity=quantity, value=best, interval=interval, unit="steps", extrapolated=extrapolated, reason=chance
    )


def _of_memory(estimate: Estimate, problem: Problem, calibration: Calibration, outside: Sequence[str]) -> Estimate:
    """The time to memorize; nothing where it would be never at a larger weight decay than that of calibration runs.

    The balance of one circuit says that ``relu`` at p = 23, H = 64 and λ = 2 memorizes nothing; all runs there do.
    """
    if estimate.value is not None or problem.weight_decay <= calibration.weight_decay:
        return told(estimate, outside)
    reasons = "; ".join(outside)
    return replace(estimate, reason=f"cannot tell whether weight decay lets the network memorize: {reasons}")


def time_to_generalize(problem: Problem, calibration: Calibration, n_train: int, level: float) -> float | None:
    """Steps to a test accuracy by the calibration's clock, though not before the training set is memorized.

    max(t, T_mem),  1/t = r·x^m·ln x

    Args:
        problem: The question.
        calibration: Constants.
        n_train: D [examples].
        level: Test accuracy.

    Returns:
        Steps, inf for never; None where the calibration has no clock [steps].

    Raises:
        ValueError: The level is not between 0 and 1.
    """
    law = calibration.thresholds
    if law is None:
        return None
    return max(float(law.clocks(problem).time(level, n_train)), time_to_memorize(problem, calibration, n_train))


def time_to_memorize(problem: Problem, calibration: Calibration, n_train: int) -> float:
    """Least time to generalize: that to memorize, 0 where it never happens [steps].

    Args:
        problem: The question.
        calibration: Constants.
        n_train: D [examples].
    """
    memorize = float(delay_steps(calibration.constants(problem)[None], problem, n_train).memorize[0])
    return memorize if math.isfinite(memorize) else 0.0


def _of_mirrors(problem: Problem, n_train: int) -> str:
    """What to say where a network with one embedding is right on many unseen pairs without any rule."""
    share = float(mirrored_fraction(n_train, problem.n_symbols)) if problem.family.shares_embedding else 0.0
    if share < NOTABLE:
        return ""
    return f"{share:.2f} of the unseen pairs are mirror images of trained ones and may come out right sooner"


def _of_branches(branches: BranchLaw, problem: Problem, n_train: int, level: float, *, extrapolated: bool) -> Estimate:
    """Probability that a seed memorizes unordered pairs."""
    return Estimate(
        quantity="symmetric",
        value=float(branches.probability(problem.n_symbols, problem.width, n_train)),
        interval=branches.interval(problem.n_symbols, problem.width, n_train, level=level),
        unit="probability",
        extrapolated=extrapolated,
    )


def predict_delay(
    problem: Problem,
    calibration: Calibration,
    n_train: int,
    level: float = GENERALIZED,
    *,
    horizon: int | None = None,
    content: float = LEVEL,
    start: Start | None = None,
    shared: bool = True,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> DelayPrediction:
    """Predict when a problem is memorized and when it generalizes, without training anything.

    Steps to generalize are those of the clock, 1/t = r·x^m·ln x, where the calibration has one: the same law as that of
    critical sizes, so that t ≤ T where D ≥ D_crit(T). They are never fewer than those to memorize. Runs that the clock
    was calibrated on tell no times apart before some step: the interval of an earlier one reaches up to it. Steps to
    memorize are those of :func:`delay_steps`, whose amplitudes at step 0 were seen in pair-MLPs alone. The clock of
    transformers is of unseen pairs that do not mirror trained ones: where many do, test accuracy comes sooner.

    Else, and if ``start`` or circuits that share nothing are asked for, the equations are those of
    :func:`delay_steps`, and intervals carry the uncertainty of the calibrated constants, not that of the amplitudes at
    step 0 or of r_gen, nor the slow last tenth of κ = 2 networks:
    at p = 31, H = 64 eight of nine runs passed 0.9 within the interval for σ = square at D = 350, 450 and 600 (1193,
    585 and 201 steps in the median against 920, 482 and 303), and two of three later for relu at D = 750 (3810 and
    3997 against 1407); at 650 none did for good.
    An upper end of inf means that within the interval's probability the network may never generalize. Times fall
    steeply with D near D_inf: their interval is wide there, though that of the size it follows from is narrow.

    Args:
        problem: The question.
        calibration: Constants; must cover the problem.
        n_train: D [examples].
        level: Test accuracy that counts as generalization.
        horizon: T of the critical sizes beside it; None for the protocol's 40/(ηλ) [steps].
        content: Probability content of the intervals.
        start: Amplitudes at step 0; None for the defaults.
        shared: Whether circuits share weights as the calibration has it, or nothing.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the problem.
    """
    problem.check_n_train(n_train)
    for value in (level, content):
        if not 0 < value < 1:
            raise FieldError("level", "be between 0 and 1", repr(value))
    check_integer("n_draws", n_draws, 1)
    steps = horizon_of(problem, calibration, horizon)
    found = predict_critical_size(problem, calibration, horizon=steps, level=content, n_draws=n_draws, seed=seed)
    draws = sensible_draws(problem, calibration, n_draws, np.random.default_rng(seed))
    best = delay_steps(constants_of(found.competition)[None], problem, n_train, level=level, start=start, shared=shared)
    drawn = delay_steps(draws, problem, n_train, level=level, start=start, shared=shared)
    extrapolated = calibration.distance(problem) > 0
    never = f"{n_train} examples are too few: test accuracy never stays above {level:g}"
    times, generalize = drawn.generalize, float(best.generalize[0])
    silence = "" if calibration.thresholds is not None else calibration.silence(problem, steps)
    law = calibration.thresholds if start is None and shared else None
    told_from, floor, in_time = 0.0, 1.0, None
    branches: dict[str, Estimate] = {}
    if law is not None:
        clocks, off = law.clocks(problem), (law_normal(n_draws, seed), spread_normal(n_draws, seed))
        transition = Transition(law=law, problem=problem, horizon=steps)
        if level >= clocks.memory.ceiling:
            held = f"width {problem.width} can hold {clocks.memory.ceiling:.2f} of the rule"
            never = f"{held}, so accuracy never reaches {level:g}"
        floor = least = time_to_memorize(problem, calibration, n_train)
        # Draws would say the same, but for their number.
        in_time = float(transition.chance(level, n_train)) if least <= steps else 0.0
        told_from = law.earliest(problem)
        extrapolated, silence = is_outside(problem, calibration, steps), law.silence(problem, steps)

        def as_if(shift: float) -> tuple[float, FloatArray]:
            """Steps with so much more ln D, and draws of them."""
            size = n_train * math.exp(shift)
            drawn_steps = np.maximum(transition.times(level, size, *off), least)
            return max(float(clocks.time(level, size)), least), drawn_steps

        generalize, times = as_if(0.0)
        if law.branches is not None and not silence:
            branches = {"symmetric": _of_branches(law.branches, problem, n_train, content, extrapolated=extrapolated)}
            for name, symmetric in (("generalize_if_symmetric", True), ("generalize_if_ordered", False)):
                best_of_branch, drawn_of_branch = as_if(law.branches.shift(symmetric=symmetric))
                branches[name] = _prediction(
                    name,
                    best_of_branch,
                    drawn_of_branch,
                    level=content,
                    extrapolated=extrapolated,
                    never=never,
                    told_from=told_from,
                    least=least,
                )
    return DelayPrediction(
        problem=problem,
        n_train=n_train,
        level=level,
        memorize_steps=_of_memory(
            _prediction(
                "memorize_steps",
                float(best.memorize[0]),
                drawn.memorize,
                level=content,
                extrapolated=calibration.distance(problem) > 0,
                never=f"weight decay keeps the network from memorizing {n_train} examples",
            ),
            problem,
            calibration,
            found.outside,
        ),
        generalize_steps=_prediction(
            "generalize_steps",
            generalize,
            times,
            level=content,
            extrapolated=extrapolated,
            never=never,
            told_from=told_from,
            least=floor,
            note="" if law is None else _of_mirrors(problem, n_train),
        )
        if not silence
        else Estimate(quantity="generalize_steps", value=None, unit="steps", extrapolated=extrapolated, reason=silence),
        probability=float(np.isfinite(times).mean()) if len(times) and not silence else 0.0,
        probability_by_horizon=0.0
        if silence or not len(times)
        else float((times <= steps).mean())
        if in_time is None
        else in_time,
        horizon=steps,
        calibration=found.calibration,
        **branches,
    )
