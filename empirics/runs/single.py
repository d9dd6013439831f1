"""One training run: its configuration, its address in a store and its recorded curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.runs.addressed import address_of, addressed_fields, canonical
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.problems.problem import HORIZON, Problem

Precision = Literal["float32", "float64"]
Until = Literal["horizon", "generalized", "half", "beyond-mirrors"]
Start = Literal["scratch", "generalized"]
FloatArray = NDArray[np.float64]

#: Raised whenever the trainer changes what a configuration means, so that no stored run is mistaken for a new one.
#: 2: gradients of logits are exact at the correct class; by subtraction they had been mostly rounding at rest.
PROTOCOL = 2

#: Most steps of a run.
LONGEST = 10**8

#: Most pairs, whose labels are a table, and parameters of a network that is trained.
MOST_PAIRS, MOST_PARAMS = 10**7, 10**9

#: Evaluations sit at log-spaced steps until they are this fraction of a time constant apart, then evenly.
EVALUATION_SPACING = 0.5

#: A network that starts generalized was trained on this fraction of all pairs before.
STARTING_FRACTION = 0.9

#: Levels of the recorded quantiles of the deficit on unseen pairs.
DEFICIT_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides the result of one run.

    Attributes:
        problem: Task, architecture and optimizer.
        n_train: D, training-set size [examples].
        seed: Draws the training set, the initial parameters and, for random tasks, the labels.
        steps: Horizon [steps]; 0 stands for the protocol's 40/(ηλ).
        until: ``horizon``: take all steps; ``generalized``: stop once test accuracy has persisted at its top;
            ``half``: stop once it has stayed at one half for some steps, which tells the time to one half alone;
            ``beyond-mirrors``: the same at half of what mirror images of trained pairs leave.
        precision: Floating-point type of parameters, gradients and loss.
        start: ``scratch``: from the initial draw; ``generalized``: from where :attr:`before` ended, by an
            optimizer with fresh moments.

    Raises:
        ValueError: A field has a value outside its range.
    """

    problem: Problem
    n_train: int
    seed: int
    steps: int = 0
    until: Until = "horizon"
    precision: Precision = "float32"
    start: Start = "scratch"

    ADDED_LATER: ClassVar[Mapping[str, Any]] = {"start": "scratch"}

    def __post_init__(self) -> None:
        if self.problem.n_pairs > MOST_PAIRS:
            raise FieldError(
                "modulus",
                f"make at most {MOST_PAIRS} pairs to be trained on",
                f"{self.problem.modulus}, which makes {self.problem.n_pairs}",
            )
        if self.problem.n_params > MOST_PARAMS:
            raise FieldError(
                "width",
                f"make at most {MOST_PARAMS} parameters to be trained",
                f"{self.problem.width}, which makes {self.problem.n_params}",
            )
        self.problem.check_n_train(self.n_train)
        check_integer("seed", self.seed, 0)
        check_choice("until", self.until, get_args(Until))
        check_integer("steps", self.steps, 0, LONGEST)
        if self.horizon > LONGEST:
            allowed = Advice(
                f"be at least {HORIZON / LONGEST:g}/η beside ",
                Setting("learning_rate", self.problem.learning_rate),
                f", so that the horizon {HORIZON}/(ηλ) has at most {LONGEST} steps",
            )
            raise FieldError("weight_decay", allowed, f"{self.problem.weight_decay:g}")
        check_choice("precision", self.precision, ("float32", "float64"))
        check_choice("start", self.start, ("scratch", "generalized"))

    @property
    def horizon(self) -> int:
        """Steps after which the run ends at the latest [steps]."""
        return self.steps or self.problem.horizon

    @property
    def total_steps(self) -> int:
        """Steps at most, those taken before the recorded ones included [steps]."""
        return self.horizon * (1 if self.start == "scratch" else 2)

    @property
    def before(self) -> Self:
        """The run that a generalized start goes on from: as many steps on a larger set that contains this one."""
        n_train = max(self.n_train, round(STARTING_FRACTION * self.problem.n_pairs))
        return replace(self, n_train=n_train, until="horizon", start="scratch")

    @property
    def n_classes(self) -> int:
        """C, classes of its task."""
        return self.problem.n_classes

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values, the horizon resolved: two ways to write one run share one address."""
        return addressed_fields(self) | {"steps": self.horizon, "protocol": PROTOCOL}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        rest = {key: value for key, value in fields.items() if key not in ("problem", "protocol")}
        return cls(problem=Problem.from_dict(fields["problem"]), **{**cls.ADDED_LATER, **rest})

    @cached_property
    def address(self) -> str:
        """Content address: 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return address_of(canonical(self))

    def evaluation_steps(self) -> list[int]:
        """Steps at which curves are recorded."""
        return evaluation_steps(self.horizon, self.problem.time_constant)


def evaluation_steps(horizon: int, time_constant: float) -> list[int]:
    """Steps at which curves are recorded: 0, then log-spaced, then evenly, then the horizon.

    Every evaluation costs about one training step, so spacing grows to half a time constant,
    below which nothing that decides an outcome changes.

    Args:
        horizon: Last step [steps].
        time_constant: 1/(ηλ) [steps].
    """
    spacing = max(1, round(EVALUATION_SPACING * time_constant))
    steps, step = [0], 1
    while step < horizon:
        steps.append(step)
        step += min(spacing, max(1, round(0.3 * step)))
    return [*steps, horizon]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Recorded curves of one run, one entry an evaluation.

    Attributes:
        step: Optimizer steps taken [steps].
        train_loss: Mean cross-entropy on the training set [nats].
        train_accuracy: Fraction of the training set that is classified correctly.
        test_loss: Mean cross-entropy on all other pairs [nats]; NaN where every pair is trained on.
        test_accuracy: Accuracy on all other pairs; NaN where every pair is trained on.
        squared_norm: Q = ‖θ‖², squared ℓ2 norm of all parameters.
        neuron_norm: ‖θ‖_{2,3} = (Σ_i ‖θ_i‖³)^{1/3} over hidden units i.
        max_norm: ‖θ‖_∞, largest absolute parameter.
        barrier_norm: Σ_i −2(x_i + ln(1 − x_i))/λ², x_i = λ|θ_i|: the penalty whose stationary points are
            AdamW's fixed points; Q for small weights, infinite at |θ_i| = 1/λ.
        deficit_low: 10 % quantile, over all other pairs, of the best wrong logit minus the correct one [nats].
        deficit_median: Its median; the network is right where the deficit is negative.
        deficit_high: Its 90 % quantile.
    """

    step: FloatArray
    train_loss: FloatArray
    train_accuracy: FloatArray
    test_loss: FloatArray
    test_accuracy: FloatArray
    squared_norm: FloatArray
    neuron_norm: FloatArray
    max_norm: FloatArray
    barrier_norm: FloatArray
    deficit_low: FloatArray
    deficit_median: FloatArray
    deficit_high: FloatArray


CURVE_NAMES = tuple(Curves.__dataclass_fields__)

#: Why a run ended.
Ending = Literal["horizon", "decided", "diverged"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run.

    Attributes:
        config: What was run.
        curves: What was recorded.
        ending: ``horizon`` (all steps taken), ``decided`` (settled earlier) or ``diverged`` (not finite).
        seconds: Share of the ensemble's wall time [s].
    """

    config: RunConfig
    curves: Curves
    ending: Ending
    seconds: float = field(compare=False)


def check_trainable(problem: Problem) -> None:
    """Refuse a problem of which no run can be made: too large, or too slow by the protocol's horizon.

    Raises:
        ValueError: A field is beyond what is trained.
    """
    RunConfig(problem=problem, n_train=1, seed=0)


def configs_of(
    problem: Problem,
    n_train: int | Sequence[int] | NDArray[np.integer],
    seeds: int | Sequence[int] | NDArray[np.integer] = 3,
    *,
    steps: int = 0,
    precision: Precision = "float32",
) -> list[RunConfig]:
    """Runs of one problem at every size with every seed, in this order.

    Args:
        problem: What to train.
        n_train: One training-set size or several [examples].
        seeds: How many, counted from 0, or which.
        steps: Horizon [steps]; 0 for the protocol's.
        precision: Floating-point type.

    Raises:
        ValueError: A value is out of range.
    """
    if not isinstance(seeds, (Sequence, np.ndarray)):
        check_integer("seeds", seeds, 1)
        seeds = range(seeds)
    return [
        RunConfig(problem=problem, n_train=size, seed=seed, steps=steps, precision=precision)
        for size in np.atleast_1d(n_train).tolist()
        for seed in np.asarray(seeds).tolist()
    ]
