"""What a finished run amounts to: settled values, convergence, and which of the four dynamics it shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.runs.single import CURVE_NAMES, Run, RunConfig
from dcrit.theory.circuits.margin import efficiency, margin_from_loss
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED, SEMI_GROKKING, Dynamics

FloatArray = NDArray[np.float64]

#: Values are medians over this last fraction of the steps: networks at a high learning rate collapse and recover.
SETTLED_FRACTION = 0.1

#: A run has converged when ln e moved less than this between its seventh and its last tenth.
CONVERGENCE_TOLERANCE = 0.05

#: An outcome needs this long a row of evaluations that agree, in time constants 1/(ηλ).
PERSISTENCE = 5.0

#: A run that is asked for its time to one half ends after this long there, in time constants: an evaluation or two.
HALF_PERSISTENCE = 0.5


#: Generalization is delayed when it takes at least this many times the steps of memorization.
DELAYED = 2.0

#: What a single run may show beside the four dynamics.
Shown = Literal["memorization", "partial memorization", "generalized at once", "collapsed", "learned nothing"]


class HasSize(Protocol):
    """A configuration, as far as estimators look at it."""

    @property
    def n_train(self) -> int:
        """D, training-set size [examples]."""
        ...

    @property
    def n_classes(self) -> int:
        """C."""
        ...

    @property
    def horizon(self) -> int:
        """T, steps after which the run ends at the latest [steps]."""
        ...


class Settled(Protocol):
    """Settled values of a run of any model, as far as estimators look at them; see :class:`Outcome`."""

    @property
    def config(self) -> HasSize: ...  # noqa: D102
    @property
    def train_accuracy(self) -> float: ...  # noqa: D102
    @property
    def test_accuracy(self) -> float: ...  # noqa: D102
    @property
    def efficiency(self) -> float: ...  # noqa: D102
    @property
    def deficits(self) -> tuple[float, float, float]: ...  # noqa: D102
    @property
    def converged(self) -> bool: ...  # noqa: D102


_COLUMN = {name: column - 1 for column, name in enumerate(CURVE_NAMES)}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Settled values of one run.

    Attributes:
        config: What was run.
        train_accuracy: On the training set.
        test_accuracy: On all other pairs; NaN where there are none.
        margin: γ, soft margin on the training set [nats].
        squared_norm: Q.
        efficiency: e = γ/(‖θ‖₂·‖θ‖_{2,κ})^(κ/2) [nats per norm^κ].
        log_efficiency_drift: ln e in the last tenth minus ln e in the seventh tenth.
        deficits: Quantiles (10, 50, 90 %) over unseen pairs of best wrong minus correct logit, in units of γ.
        converged: The run took all its steps, is finite and its efficiency stands still.
    """

    config: RunConfig
    train_accuracy: float
    test_accuracy: float
    margin: float
    squared_norm: float
    efficiency: float
    log_efficiency_drift: float
    deficits: tuple[float, float, float]
    converged: bool


def _median_between(run: Run, name: str, start: float, stop: float) -> float:
    """Median of a curve over the steps between two fractions of the run's length.

    NaN for a diverged run, and where nothing was recorded in between.
    """
    step = run.curves.step
    window = (step >= start * step[-1]) & (step <= stop * step[-1])
    if run.ending == "diverged" or not window.any():
        return math.nan
    return float(np.median(getattr(run.curves, name)[window]))


def settled_value(run: Run, name: str) -> float:
    """Median of a curve over the run's last tenth; NaN for a diverged run."""
    return _median_between(run, name, 1.0 - SETTLED_FRACTION, 1.0)


def _squared_norm_of_price(run: Run, start: float, stop: float) -> float:
    """‖θ‖₂·‖θ‖_{2,κ}: the ℓ2,3 norm is recorded for κ = 3, and for κ = 2 both factors are the ℓ2 norm."""
    squared = _median_between(run, "squared_norm", start, stop)
    if run.config.problem.homogeneity == 3:
        return math.sqrt(squared) * _median_between(run, "neuron_norm", start, stop)
    return squared


def outcome_of(run: Run) -> Outcome:
    """Settled values of a run: medians over its last tenth.

    Args:
        run: A finished run; a diverged one gives NaN and is not converged.
    """
    problem = run.config.problem

    def log_efficiency(start: float, stop: float) -> float:
        margin = margin_from_loss(_median_between(run, "train_loss", start, stop), problem.n_classes)
        norm = _squared_norm_of_price(run, start, stop)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.log(efficiency(margin, norm, problem.homogeneity)))

    last = 1.0 - SETTLED_FRACTION
    margin = float(margin_from_loss(_median_between(run, "train_loss", last, 1.0), problem.n_classes))
    drift = log_efficiency(last, 1.0) - log_efficiency(0.6, 0.7)
    # A network that decayed to nothing has margin zero, and no deficit in units of it.
    deficits = [
        _median_between(run, f"deficit_{level}", last, 1.0) / (margin or math.nan)
        for level in ("low", "median", "high")
    ]
    return Outcome(
        config=run.config,
        train_accuracy=_median_between(run, "train_accuracy", last, 1.0),
        test_accuracy=_median_between(run, "test_accuracy", last, 1.0),
        margin=margin,
        squared_norm=_median_between(run, "squared_norm", last, 1.0),
        efficiency=float(np.exp(log_efficiency(last, 1.0))),
        log_efficiency_drift=drift,
        deficits=(deficits[0], deficits[1], deficits[2]),
        converged=run.ending == "horizon" and bool(abs(drift) <= CONVERGENCE_TOLERANCE),
    )


def generalized_at(
    config: RunConfig, step: FloatArray, test_accuracy: FloatArray, level: float = GENERALIZED
) -> float | None:
    """First step from which test accuracy stays at a level for the persistence time; None if it never does.

    Args:
        config: What is run.
        step: (E,) evaluation steps.
        test_accuracy: (E,) curve, NaN where there is nothing to test on.
        level: Accuracy that counts as generalization.
    """
    return first_persistent(step, test_accuracy >= level, PERSISTENCE * config.problem.time_constant)


def memorized_at(config: RunConfig, step: FloatArray, train_accuracy: FloatArray) -> float | None:
    """First step from which train accuracy stays fitted for the persistence time; None if it never does."""
    return first_persistent(step, train_accuracy >= FITTED, PERSISTENCE * config.problem.time_constant)


def first_persistent(step: FloatArray, holds: NDArray[np.bool_], duration: float) -> float | None:
    """First step from which a condition holds at every evaluation for some time; None if it never does.

    Args:
        step: (E,) evaluation steps.
        holds: (E,) whether the condition holds there.
        duration: For how long it has to hold [steps].
    """
    start: float | None = None
    for at, held in zip(step, holds, strict=True):
        if not held:
            start = None
        elif start is None:
            start = float(at)
        if start is not None and at - start >= duration:
            return start
    return None


def passage(step: FloatArray, accuracy: FloatArray, level: float, duration: float) -> float | None:
    """Interpolated step at which accuracy passes a level for good: for a duration or to the end; None if never.

    Args:
        step: (E,) evaluations [steps].
        accuracy: (E,) test accuracy.
        level: Level.
        duration: For how long it has to stay there [steps].
    """
    start: int | None = None
    for k in range(len(step)):
        if accuracy[k] < level:
            start = None
            continue
        start = k if start is None else start
        if step[k] - step[start] >= duration:
            break
    if start is None:
        return None
    if start == 0:
        return float(step[0])
    part = (level - accuracy[start - 1]) / (accuracy[start] - accuracy[start - 1])
    return float(step[start - 1] + part * (step[start] - step[start - 1]))


def level_beyond_mirrors(config: RunConfig) -> float:
    """Test accuracy of a network that is right on mirror images of trained pairs and on half of the other unseen pairs.

    (1 + φ(D))/2, with φ the part of unseen pairs that are such images; 1/2 where labels of a pair and its image differ

    Args:
        config: What is run.
    """
    problem = config.problem
    if not problem.definition.commutative:
        return 0.5
    from dcrit.theory.circuits.symmetry import mirrored_fraction  # noqa: PLC0415 - it loads scipy, which 'classify' spares

    return (1 + float(mirrored_fraction(config.n_train, problem.n_symbols))) / 2


def is_decided(config: RunConfig, step: FloatArray, values: FloatArray) -> bool:
    """Whether the run may end here: what it was asked for, to generalize or to pass one half, has come and stayed.

    A low test accuracy decides nothing before the horizon: delayed generalization may still come.

    Args:
        config: What is run.
        step: (E,) evaluation steps so far.
        values: (E, columns) curve values so far, in the order of ``CURVE_NAMES`` without the step.
    """
    if config.until == "horizon":
        return False
    accuracy = values[:, _COLUMN["test_accuracy"]]
    if config.until in ("half", "beyond-mirrors"):
        level = 0.5 if config.until == "half" else level_beyond_mirrors(config)
        return first_persistent(step, accuracy >= level, HALF_PERSISTENCE * config.problem.time_constant) is not None
    # Where runs end is part of their protocol: stored ones ended at this level.
    return generalized_at(config, step, accuracy, FITTED) is not None


def accuracy_above_chance(accuracy: float, n_classes: int) -> float:
    """Test accuracy as the critical size counts it.

    With two classes a guess is right half of the time and one half says nothing: there it is 2·acc − 1, at least 0,
    which passes one half midway between chance and certainty. With more classes it is the accuracy itself.
    """
    return max(0.0, 2 * accuracy - 1) if n_classes == 2 and math.isfinite(accuracy) else accuracy


def dynamics_of(run: Run) -> Dynamics:
    """Which of the four dynamics a run shows, by its settled accuracies.

    progression: the training set is not fitted; otherwise ungrokking, semi-grokking or grokking as
    test accuracy settles below, between or above the two levels of ``SEMI_GROKKING``; of two classes it is
    counted from chance.

    Args:
        run: A finished run with a test set.

    Source: huang2024.
    """
    outcome = outcome_of(run)
    if not outcome.train_accuracy >= FITTED:
        return "progression"
    low, high = SEMI_GROKKING
    accuracy = accuracy_above_chance(outcome.test_accuracy, run.config.n_classes)
    if accuracy < low:
        return "ungrokking"
    return "semi-grokking" if accuracy < high else "grokking"


def shown_by(run: Run) -> Dynamics | Shown:
    """What a run from scratch shows, in the words of ``dcrit classify``.

    The four dynamics are named after regions of the plane of model size and training-set size, and a region is called
    ungrokking after what a network that generalizes does there when its data shrink. Of a single run, ungrokking means
    that it lost what it had; one that never had it shows memorization.

    Args:
        run: A finished run with a test set.
    """
    region, outcome, curves = dynamics_of(run), outcome_of(run), run.curves
    generalized = generalized_at(run.config, curves.step, curves.test_accuracy)
    memorized = memorized_at(run.config, curves.step, curves.train_accuracy)
    low, n_classes = SEMI_GROKKING[0], run.config.n_classes
    if region == "ungrokking":
        return "memorization" if generalized is None else region
    if region == "grokking":
        soon = memorized is not None and generalized is not None and generalized < DELAYED * memorized
        return "generalized at once" if soon else region
    if region == "progression" and accuracy_above_chance(outcome.test_accuracy, n_classes) < low:
        if memorized is not None or generalized is not None:
            return "collapsed"
        learned = accuracy_above_chance(float(curves.train_accuracy.max()), n_classes) >= low
        return "partial memorization" if learned else "learned nothing"
    return region


def norm_ratio(run: Run) -> float:
    """Settled squared norm over the largest one of the whole run: 1 where the norm only ever rose."""
    return _median_between(run, "squared_norm", 1.0 - SETTLED_FRACTION, 1.0) / float(run.curves.squared_norm.max())


def summary_of(run: Run) -> dict[str, Any]:
    """A run in one row of JSON values: configuration, dynamics, settled values, events, ending.

    The dynamics are "unsettled" where the efficiency still moves at the horizon: accuracies may then still change.
    They are None where a run diverged or has no unseen pairs.
    """
    outcome, curves = outcome_of(run), run.curves
    dynamics = None
    if math.isfinite(outcome.test_accuracy):
        dynamics = shown_by(run) if outcome.converged else "unsettled"
    row = {
        "n_train": run.config.n_train,
        "seed": run.config.seed,
        "dynamics": dynamics,
        "train_accuracy": outcome.train_accuracy,
        "test_accuracy": outcome.test_accuracy,
        "margin": outcome.margin,
        "squared_norm": outcome.squared_norm,
        "efficiency": outcome.efficiency,
        "memorized_at": memorized_at(run.config, curves.step, curves.train_accuracy),
        "generalized_at": generalized_at(run.config, curves.step, curves.test_accuracy),
        "steps": int(curves.step[-1]),
        "ending": run.ending,
        "converged": outcome.converged,
        "address": run.config.address,
    }
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
