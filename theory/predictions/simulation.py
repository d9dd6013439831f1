"""The two circuits' training curves, by integrating the dynamics of their amplitudes.

Where the calibration has a clock, test accuracy is the clock's at every step; the other curves are the amplitudes'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import expit, ndtr, ndtri

from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.checks import FieldError, check_finite, check_integer, check_positive
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.margin import log_efficiency_per_squared_norm, loss_from_margin
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.circuits.overload import NO_MEMORY
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED
from dcrit.theory.predictions.critical_size import CriticalSizePrediction
from dcrit.theory.predictions.delay import (
    DAMPING,
    LARGEST_LOG,
    SHARED_RATE,
    Start,
    balance_margin,
    time_to_generalize,
    time_to_memorize,
)
from dcrit.theory.problems.problem import Problem, protocol_horizon

FloatArray = NDArray[np.float64]

#: Accuracies of the integrator, relative to amplitudes: it works on their logarithms.
TOLERANCE = 1e-8

#: Nodes of the quadrature over unseen inputs.
NODES = 64

#: Between which values r_gen is looked for.
RATES = (1e-4, 1e2)

#: Least and largest σ over ρ by which unseen inputs' losses are told.
SPREADS = (1e-3, 1e3)


@dataclass(frozen=True, kw_only=True)
class AmplitudeFlow:
    """Two circuits at one training-set size, with the optimizer that lets them compete.

    Amplitudes v_i give margins γ_i = e_i·v_i^d, and together the squared norm Q = (v_gen² + v_mem²)^(d/κ).
    For d = κ circuits share nothing: Q_i = v_i², the additive rule. For d = 2(1 − 1/b) the cheapest
    circuits are the mixture of :class:`Competition`, with odds γ_gen/γ_mem = (e_gen/e_mem)^b. In time t = η·step

        d ln v_i/dt = r_i·(κ/d)·(κ e_i v_i^(d−2)·(v_gen² + v_mem²)^(1−d/κ)·(−L′(γ))/s − λ),  γ = γ_gen + γ_mem
        s = ε + κγ·(−L′(γ))/√(Q·N)

    which for d = κ is du_i/dt = r_i·(κ e_i u_i^(κ−1)·(−L′)/s − λu_i). The scale s stands for AdamW's
    preconditioner: far from balance the typical weight moves by η a step, at balance gradients are
    as small as ε. It is common to both circuits, so it moves no crossing. ε = 1 and N = ∞ is gradient
    flow; at the measured efficiencies λ = 1 would then extinguish both circuits.

    For d ≥ 2 the winner takes all, from e_gen = e_mem on and not from where the mixture has test accuracy one half.

    Attributes:
        generalizing: e_gen in the ℓ2 norm [nats per Q^(κ/2)].
        memorizing: e_mem in the ℓ2 norm [nats per Q^(κ/2)].
        median: ρ, median deficit of unseen inputs per memorizing margin.
        spread: σ, its standard deviation.
        degree: d.
        homogeneity: κ.
        n_classes: C.
        weight_decay: λ [1/time].
        learning_rate: η [time/step].
        n_params: N; inf for plain gradient flow.
        damping: ε.
        rates: r_gen and r_mem.

    Raises:
        ValueError: A number is out of range.

    Source: varma2023 (the competition), loshchilov2017 (the optimizer).
    """

    generalizing: float
    memorizing: float
    median: float
    spread: float
    degree: float
    homogeneity: float
    n_classes: int
    weight_decay: float
    learning_rate: float
    n_params: float = math.inf
    damping: float = DAMPING
    rates: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        for name in ("generalizing", "memorizing", "spread", "degree", "homogeneity", "weight_decay", "learning_rate"):
            check_positive(name, getattr(self, name))
        check_positive("damping", self.damping)
        check_finite("median", self.median)
        check_integer("n_classes", self.n_classes, 2)
        if not self.n_params > 0:
            raise FieldError("n_params", "be above 0", repr(self.n_params))
        if len(self.rates) != 2 or not all(0 < rate < math.inf for rate in self.rates):
            raise FieldError("rates", "be two finite numbers above 0", repr(self.rates))

    @property
    def horizon(self) -> int:
        """Steps of a run by the protocol, 40/(ηλ) [steps]."""
        return protocol_horizon(self.learning_rate, self.weight_decay)

    def margins(self, log_amplitudes: FloatArray) -> FloatArray:
        """γ_gen and γ_mem [nats] of ln v: (2, ...) to (2, ...)."""
        efficiencies = np.log([self.generalizing, self.memorizing])
        logs = efficiencies.reshape(-1, *[1] * (log_amplitudes.ndim - 1)) + self.degree * log_amplitudes
        return np.exp(np.clip(logs, -LARGEST_LOG, LARGEST_LOG))

    def squared_norm(self, log_amplitudes: FloatArray) -> FloatArray:
        """Q of ln v: (2, ...) to (...)."""
        total = np.logaddexp(2 * log_amplitudes[0], 2 * log_amplitudes[1]) * self.degree / self.homogeneity
        return np.exp(np.clip(total, -LARGEST_LOG, LARGEST_LOG))

    def velocity(self, log_amplitudes: FloatArray) -> FloatArray:
        """D ln v/dt [1/time] at ln v: (2,) to (2,)."""
        gamma = float(self.margins(log_amplitudes).sum())
        # −L′(γ) is the probability of a wrong answer.
        error = float(expit(math.log(self.n_classes - 1) - gamma))
        norm = float(self.squared_norm(log_amplitudes))
        scale = self.damping + self.homogeneity * gamma * error / math.sqrt(norm * self.n_params)
        shared = np.logaddexp(2 * log_amplitudes[0], 2 * log_amplitudes[1]) * (1 - self.degree / self.homogeneity)
        logs = np.log([self.generalizing, self.memorizing]) + (self.degree - 2) * log_amplitudes + shared
        push = self.homogeneity * np.exp(np.clip(logs, -LARGEST_LOG, LARGEST_LOG)) * error / scale
        return np.array(self.rates) * (self.homogeneity / self.degree) * (push - self.weight_decay)


def flow_at(problem: Problem, competition: Competition, n_train: float, *, shared: bool = True) -> AmplitudeFlow:
    """The circuits of a problem at one training-set size.

    Args:
        problem: Task, architecture and optimizer; its homogeneity is κ.
        competition: The laws, as :func:`predict_critical_size` finds them.
        n_train: D [examples].
        shared: Whether circuits share weights as the laws have it, d = 2(1 − 1/b) and r_gen as measured, or
            nothing, d = κ and r_gen = 1.

    Raises:
        ValueError: ``n_train`` is not above 0.
    """
    check_positive("n_train", n_train)
    x = math.log(n_train)

    def per_squared_norm(law: MemorizingLaw | GeneralizingLaw) -> float:
        log_e = log_efficiency_per_squared_norm(law.log_efficiency(x), problem.norm_units, problem.homogeneity)
        return math.exp(max(-LARGEST_LOG, float(log_e)))

    return AmplitudeFlow(
        generalizing=per_squared_norm(competition.generalizing),
        memorizing=per_squared_norm(competition.memorizing),
        median=math.exp(float(competition.deficits.log_median(x))),
        spread=math.exp(float(competition.deficits.log_spread(x))),
        degree=2 * (1 - 1 / competition.mixing) if shared else float(problem.homogeneity),
        homogeneity=problem.homogeneity,
        n_classes=problem.n_classes,
        weight_decay=problem.weight_decay,
        learning_rate=problem.learning_rate,
        n_params=problem.n_params,
        damping=problem.epsilon,
        rates=(SHARED_RATE if shared else 1.0, 1.0),
    )


def balance_amplitude(circuits: AmplitudeFlow, efficiency: float) -> float:
    """Amplitude v* at which one circuit alone comes to rest, from γ* = e·v*^d; NaN where it does not."""
    gamma = balance_margin(
        efficiency,
        homogeneity=circuits.homogeneity,
        n_classes=circuits.n_classes,
        weight_decay=circuits.weight_decay,
        n_params=circuits.n_params,
        damping=circuits.damping,
    )
    return float(gamma / efficiency) ** (1 / circuits.degree)


#: What is seen at every step.
CURVES = (
    *("train_accuracy", "test_accuracy", "train_loss", "test_loss"),
    *("generalizing_margin", "memorizing_margin", "squared_norm"),
)


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Training curves by the theory, or why there are none.

    The norm peaks once memory is complete, and falls back as the cheaper rule takes over. So do measured norms of
    transformers; those of pair-MLPs go on rising instead (``norm_falls``).

    Attributes:
        steps: (E,) log-spaced, from 0 on [steps].
        generalizing_margin: (E,) γ_gen [nats].
        memorizing_margin: (E,) γ_mem [nats].
        squared_norm: (E,) Q.
        train_loss: (E,) L(γ_gen + γ_mem) [nats].
        test_loss: (E,) mean of L(γ_gen − γ_mem·(ρ + σz)) over normal z [nats].
        train_accuracy: (E,) e^(−L): accuracy of answers drawn from the softmax, 1/C without any margin.
        test_accuracy: (E,) Φ((γ_gen/γ_mem − ρ)/σ).
        reason: Why the integrator gave up and the curves are shorter or empty; empty otherwise.

    Raises:
        ValueError: The curves are of different lengths.
    """

    steps: FloatArray
    generalizing_margin: FloatArray
    memorizing_margin: FloatArray
    squared_norm: FloatArray
    train_loss: FloatArray
    test_loss: FloatArray
    train_accuracy: FloatArray
    test_accuracy: FloatArray
    reason: str = ""

    @property
    def norm_falls(self) -> bool:
        """Whether the squared norm ends more than a hundredth below its largest value."""
        return self.squared_norm.size > 0 and bool(self.squared_norm[-1] < 0.99 * self.squared_norm.max())

    def __post_init__(self) -> None:
        if self.steps.ndim != 1 or any(getattr(self, name).shape != self.steps.shape for name in CURVES):
            raise FieldError("steps", "be of one length with the curves", self.steps.shape)


def trajectory_of(
    circuits: AmplitudeFlow,
    steps: FloatArray,
    log_amplitudes: FloatArray,
    *,
    accuracy: FloatArray | None = None,
    reason: str = "",
) -> Trajectory:
    """What is seen of amplitudes at some steps.

    Args:
        circuits: Whose amplitudes they are.
        steps: (E,) [steps].
        log_amplitudes: Ln v (2, E).
        accuracy: Test accuracy (E,) where something else than the amplitudes says it: σ is then such that they agree,
            where the median says the same of which half is right.
        reason: Why there are no more steps.
    """
    gen, mem = circuits.margins(log_amplitudes)
    odds = np.exp(np.clip(np.log(gen) - np.log(mem), -LARGEST_LOG, LARGEST_LOG))
    spread = np.full(odds.shape, circuits.spread)
    if accuracy is None:
        accuracy = np.asarray(ndtr((odds - circuits.median) / circuits.spread), dtype=np.float64)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            own = (odds / circuits.median - 1) / np.asarray(ndtri(accuracy), dtype=np.float64)
        spread = np.where(own > 0, np.clip(own, *SPREADS) * circuits.median, spread)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    seen = gen - mem * (circuits.median + spread * nodes[:, None])  # (NODES, E)
    train_loss = loss_from_margin(gen + mem, circuits.n_classes)
    return Trajectory(
        steps=steps,
        generalizing_margin=gen,
        memorizing_margin=mem,
        squared_norm=circuits.squared_norm(log_amplitudes),
        train_loss=train_loss,
        test_loss=weights @ loss_from_margin(seen, circuits.n_classes) / weights.sum(),
        train_accuracy=np.exp(-train_loss),
        test_accuracy=accuracy,
        reason=reason,
    )


def nothing_because(reason: str) -> Trajectory:
    """No curves, and why."""
    nothing = np.empty(0)
    return Trajectory(**dict.fromkeys(("steps", *CURVES), nothing), reason=reason)


def log_start(circuits: AmplitudeFlow, start: Start) -> FloatArray:
    """Ln v_gen and ln v_mem at step 0: (2,); NaN where decay extinguishes both circuits."""
    rest = circuits.homogeneity / circuits.degree
    total = math.log(balance_amplitude(circuits, max(circuits.generalizing, circuits.memorizing))) + rest * math.log(
        start.memorizing
    )
    mem = total - math.log1p(start.generalizing**2) / 2
    return np.array([mem + math.log(start.generalizing), mem])


def _integrated(circuits: AmplitudeFlow, begin: FloatArray, times: FloatArray) -> tuple[FloatArray, str]:
    """Logarithms of the amplitudes (2, E) at steps (E,), the first of which is 0, and why the integrator gave up."""

    def velocity(_: float, log_amplitudes: FloatArray) -> FloatArray:
        return circuits.velocity(log_amplitudes) * circuits.learning_rate

    with np.errstate(all="ignore"):
        solved = solve_ivp(
            velocity, (0.0, float(times[-1])), begin, method="LSODA", t_eval=times, rtol=TOLERANCE, atol=TOLERANCE
        )
    return np.asarray(solved.y, dtype=np.float64), "" if solved.success else str(solved.message)


def clocked_flow(
    problem: Problem, calibration: Calibration, prediction: CriticalSizePrediction, n_train: int
) -> AmplitudeFlow:
    """The circuits of a problem at the pace of the calibration's clock; as of :func:`flow_at` where it has none.

    The deficits are those from scratch, so that margins at balance have the odds of test accuracy 1/2 at D_crit(T).
    r_gen is such that they have these odds at the clock's time to 1/2. Where the clock puts that beyond T, or no r_gen
    gives it, r_gen is that of :func:`flow_at`.

    Args:
        problem: Task, architecture and optimizer.
        calibration: Whose clock it is.
        prediction: What it predicts of the problem at a horizon T.
        n_train: D [examples].

    Raises:
        ValueError: ``n_train`` is not above 0.
    """
    circuits = flow_at(problem, prediction.from_scratch, n_train)
    half = time_to_generalize(problem, calibration, n_train, 0.5)
    begin = log_start(circuits, Start())
    if half is None or half > (prediction.critical_size.horizon or circuits.horizon) or not np.isfinite(begin).all():
        return circuits

    def excess(log_rate: float) -> float:
        """Logarithm of (γ_gen/γ_mem)/ρ at the clock's time."""
        paced = replace(circuits, rates=(math.exp(log_rate), 1.0))
        gen, mem = paced.margins(_integrated(paced, begin, np.array([0.0, half]))[0])
        return math.log(gen[-1]) - math.log(mem[-1]) - math.log(circuits.median)

    low, high = (math.log(rate) for rate in RATES)
    if excess(low) > 0 or excess(high) < 0:
        return circuits
    return replace(circuits, rates=(math.exp(float(brentq(excess, low, high, xtol=1e-6))), 1.0))


def simulate_by_clock(
    problem: Problem,
    calibration: Calibration,
    prediction: CriticalSizePrediction,
    n_train: int,
    *,
    n_points: int = 200,
) -> Trajectory:
    """Training curves whose test accuracy is that of the calibration's clock, as delays and critical sizes are.

    Test accuracy at step t is what the law says of D and the horizon t, and 0 before the training set is memorized. So
    it passes every level when :func:`predict_delay` says, and ends as the law has it at T. Margins, norm and training
    curves are those of the amplitudes of :func:`clocked_flow`; so is the test loss, with a σ by which the margins have
    that accuracy. How the amplitudes begin was seen in pair-MLPs alone, and a transformer's κ is an effective one. Far
    above D_crit the amplitudes of transformers memorize later than :func:`delay_steps` says.

    Args:
        problem: Task, architecture and optimizer.
        calibration: Whose clock it is.
        prediction: What it predicts of the problem at a horizon T, at which the curves end.
        n_train: D [examples].
        n_points: As of :func:`simulate`.

    Returns:
        The curves; none, with a reason, where the law says nothing of the problem or decay extinguishes both circuits.

    Raises:
        ValueError: A number is out of range, or the calibration has no clock.
    """
    law, horizon = calibration.thresholds, prediction.critical_size.horizon or problem.horizon
    if law is None:
        raise FieldError("calibration", "have a clock", calibration.name)
    if silence := law.silence(problem, horizon):
        return nothing_because(silence)
    circuits = clocked_flow(problem, calibration, prediction, n_train)

    def accuracy(steps: FloatArray) -> FloatArray:
        first = time_to_memorize(problem, calibration, n_train)
        found = law.clocks(problem).accuracy(n_train, np.maximum(steps, 1.0))
        return np.where(steps < first, 0.0, found)

    return simulate(circuits, steps=horizon, n_points=n_points, accuracy=accuracy)


def simulate(
    circuits: AmplitudeFlow,
    start: Start | FloatArray | None = None,
    *,
    steps: int | None = None,
    n_points: int = 200,
    accuracy: Callable[[FloatArray], FloatArray] | None = None,
) -> Trajectory:
    """Training curves, by a stiff integrator on the logarithms of the amplitudes.

    Args:
        circuits: What competes.
        start: Amplitudes at step 0, or their logarithms (2,); None for the defaults of :class:`Start`.
        steps: Horizon [steps]; None for 40/(ηλ).
        n_points: Steps at which curves are evaluated: 0, and log-spaced ones from 1 to the horizon.
        accuracy: Test accuracy at steps (E,), where something else than the amplitudes says it.

    Returns:
        The curves; where decay extinguishes both circuits or the integrator gives up, a reason with them.

    Raises:
        ValueError: A number is out of range.
    """
    last = circuits.horizon if steps is None else steps
    check_integer("steps", last, 1)
    check_integer("n_points", n_points, 2)
    begin = start if isinstance(start, np.ndarray) else log_start(circuits, start or Start())
    if not np.isfinite(begin).all():
        return nothing_because("weight decay extinguishes both circuits")
    times = np.unique(np.concatenate([[0.0], np.geomspace(1.0, last, n_points - 1)]))
    times[-1] = last
    found, failure = _integrated(circuits, begin, times)
    good = np.isfinite(found[0] + found[1])
    end = len(good) if good.all() else int(np.argmin(good))
    reason = "" if not failure and end == len(times) else f"the integrator gave up: {failure}"
    times = times[:end]
    said = None if accuracy is None else accuracy(times)
    return trajectory_of(circuits, times, found[:, :end], accuracy=said, reason=reason)


@dataclass(frozen=True, kw_only=True)
class Milestones:
    """When training and test accuracy get to stay up; None for what does not happen within the curves.

    Attributes:
        memorized: Step from which train accuracy stays fitted [steps].
        generalized: Step from which test accuracy stays above its level [steps].
    """

    memorized: float | None
    generalized: float | None

    @property
    def delay(self) -> float | None:
        """Grokking delay, the one minus the other [steps]; negative where generalization comes first."""
        if self.memorized is None or self.generalized is None:
            return None
        return self.generalized - self.memorized


def _passage(x: FloatArray, values: FloatArray, level: float) -> float | None:
    """The last upward passage of a curve through a level, linear between points; None if it does not end above."""
    below = np.flatnonzero(values < level)
    if len(values) == 0 or values[-1] < level:
        return None
    if len(below) == 0:
        return float(x[0])
    last = int(below[-1])
    share = (level - values[last]) / (values[last + 1] - values[last])
    return float(x[last] + share * (x[last + 1] - x[last]))


def grokking_delay(trajectory: Trajectory, *, level: float = GENERALIZED, fitted: float = FITTED) -> Milestones:
    """Steps to memorize and to generalize, read off the curves.

    Args:
        trajectory: The curves.
        level: Test accuracy that counts as generalization.
        fitted: Train accuracy that counts as memorization.
    """
    return Milestones(
        memorized=_passage(trajectory.steps, trajectory.train_accuracy, fitted),
        generalized=_passage(trajectory.steps, trajectory.test_accuracy, level),
    )


@dataclass(frozen=True, kw_only=True)
class Hysteresis:
    """Final test accuracy over training-set size, on two ways.

    Attributes:
        n_trains: (K,) rising sizes [examples].
        scratch: (K,) accuracy after training from scratch; NaN where the integrator gave up.
        ungrokking: (K,) accuracy after the data of a network that generalizes was shrunk to D.
        scratch_size: Size at which the former passes one half for good [examples]; None where it does not.
        ungrokking_size: The same for the latter; None too where it is above one half at every size.
    """

    n_trains: FloatArray
    scratch: FloatArray
    ungrokking: FloatArray
    scratch_size: float | None
    ungrokking_size: float | None


def hysteresis_by_law(
    calibration: Calibration, prediction: CriticalSizePrediction, n_trains: ArrayLike
) -> Hysteresis | None:
    """Both ways by the law of two thresholds: accuracy passes 1/2 at D_crit(T) from scratch, and at D_rest after.

    Log-odds are as wide about D_rest as about D_crit(T).

    Args:
        calibration: Whose law it is.
        prediction: What it predicts of a problem at a horizon T.
        n_trains: (K,) sizes [examples].

    Returns:
        Both ways; None where the law says nothing of one of them.
    """
    law, scratch, rest = calibration.thresholds, prediction.critical_size, prediction.at_rest
    if law is None or scratch.value is None or rest.value is None or scratch.horizon is None:
        return None
    sizes, clocks = np.unique(np.asarray(n_trains, dtype=np.float64)), law.clocks(prediction.problem)
    alone = replace(clocks, memory=NO_MEMORY)
    critical = float(alone.half.critical_size(scratch.horizon))
    return Hysteresis(
        n_trains=sizes,
        scratch=clocks.accuracy(sizes, scratch.horizon),
        ungrokking=alone.accuracy(sizes * critical / rest.value, scratch.horizon),
        scratch_size=scratch.value,
        ungrokking_size=rest.value,
    )


def ungrokking_and_scratch(
    problem: Problem,
    competition: Competition,
    n_trains: ArrayLike,
    *,
    shared: bool = True,
    start: Start | None = None,
    steps: int | None = None,
) -> Hysteresis:
    """Where training from scratch begins to generalize, and where shrinking the data ends it.

    From scratch, circuits begin as :class:`Start` says. On the other way v_gen begins at its balance with
    all pairs, and v_mem below it by the factor by which v_gen is below v_mem from scratch. Additive
    circuits at κ = 3 remember where they came from: a circuit grows only if e_i·v_i is the larger one, so
    the two sizes differ by about that factor to the power ±1/β. At κ = 2 both end at e_gen = e_mem but
    for the finite horizon, and with shared weights at the mixture's one half.

    Args:
        problem: Task, architecture and optimizer.
        competition: The laws.
        n_trains: (K,) sizes [examples].
        shared: As in :func:`circuits_at`.
        start: Amplitudes from scratch; None for the defaults.
        steps: Horizon of every training [steps]; None for 40/(ηλ).

    Source: varma2023.
    """
    sizes = np.unique(np.asarray(n_trains, dtype=np.float64))
    begin = start or Start()
    full = flow_at(problem, competition, competition.generalizing.n_pairs, shared=shared)
    gen = math.log(balance_amplitude(full, full.generalizing))
    grokked = np.array([gen, gen + math.log(begin.generalizing)])

    def final(size: float, way: Start | FloatArray) -> float:
        circuits = flow_at(problem, competition, size, shared=shared)
        found = simulate(circuits, way, steps=steps, n_points=2)
        return math.nan if found.reason else float(found.test_accuracy[-1])

    scratch = np.array([final(float(size), begin) for size in sizes])
    ungrokking = np.array([final(float(size), grokked) for size in sizes])

    def size_of(accuracy: FloatArray) -> float | None:
        known = np.isfinite(accuracy)
        if not known.any() or accuracy[known].min() >= 0.5:
            return None
        found = _passage(np.log(sizes[known]), accuracy[known], 0.5)
        return None if found is None else math.exp(found)

    return Hysteresis(
        n_trains=sizes,
        scratch=scratch,
        ungrokking=ungrokking,
        scratch_size=size_of(scratch),
        ungrokking_size=size_of(ungrokking),
    )
