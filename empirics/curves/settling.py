"""What training curves settle at and which events they show, each by stated thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.curves.curve_files import CurveSet
from dcrit.empirics.runs.outcomes import SETTLED_FRACTION
from dcrit.theory.checks import FieldError, check_integer, check_positive
from dcrit.theory.circuits.regimes import FITTED, SEMI_GROKKING

FloatArray = NDArray[np.float64]

#: An event has happened when this many evaluations in a row agree: networks collapse and recover.
PERSISTENT_EVALUATIONS = 3

#: Fewest evaluations of a curve, and fewest in its last tenth, that a settled value rests on.
FEWEST_EVALUATIONS, FEWEST_SETTLED = 10, 2

#: An accuracy is still moving when its last tenth differs by more than this from its seventh tenth: semi-grokking
#: runs that are at balance wander by half of it.
MOVING = 0.1

#: Where a curve's earlier value is taken that its settled one is compared with, as parts of its steps from the end.
EARLIER = (0.3, 0.4)

#: Generalization is delayed when it takes at least this many times the steps of memorization.
DELAYED = 2.0

#: Pure memorization is told only when the run took this many times the steps of memorization.
PATIENCE = 5.0

#: The squared norm has fallen when it settles below this fraction of its largest value.
FALLEN = 0.9


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Every number that a verdict rests on.

    Attributes:
        fitted: Train accuracy from which the training set counts as memorized.
        low: Test accuracy below which a memorizing run shows ungrokking.
        high: Test accuracy from which it shows grokking.
        settled_fraction: Settled values are medians over this last fraction of the steps, below 0.3.
        moving: Largest move of a settled value, against the seventh tenth of the steps, of a run at its end.
        persistent_evaluations: Evaluations in a row that make an event.
        delayed: Steps to generalize over steps to memorize from which generalization is delayed.
        patience: Steps of the run over steps to memorize, below which generalization may still come.
        fallen: Settled over largest squared norm below which the norm has fallen.
    """

    fitted: float = FITTED
    low: float = SEMI_GROKKING[0]
    high: float = SEMI_GROKKING[1]
    settled_fraction: float = SETTLED_FRACTION
    moving: float = MOVING
    persistent_evaluations: int = PERSISTENT_EVALUATIONS
    delayed: float = DELAYED
    patience: float = PATIENCE
    fallen: float = FALLEN

    def __post_init__(self) -> None:
        for name in ("fitted", "low", "high", "moving", "fallen"):
            if not 0 <= getattr(self, name) <= 1:
                raise FieldError(name, "be between 0 and 1", repr(getattr(self, name)))
        if self.high < self.low:
            raise FieldError("high", f"be at least low {self.low!r}", repr(self.high))
        if not 0 < self.settled_fraction < EARLIER[0]:
            raise FieldError("settled_fraction", f"be above 0 and below {EARLIER[0]:.1f}", repr(self.settled_fraction))
        check_integer("persistent_evaluations", self.persistent_evaluations, 1)
        check_positive("delayed", self.delayed)
        check_positive("patience", self.patience)

    @classmethod
    def for_classes(cls, n_classes: int | None) -> Thresholds:
        """Thresholds for C classes: the levels of test accuracy lie that far between chance and 1.

        1/C + level·(1 − 1/C)

        Args:
            n_classes: C; None where it is not known, and chance counts as 0.

        Raises:
            ValueError: There are fewer than two classes.
        """
        if n_classes is None:
            return cls()
        check_integer("n_classes", n_classes, 2)
        low, high = (1 / n_classes + level * (1 - 1 / n_classes) for level in SEMI_GROKKING)
        return cls(low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Events:
    """When what happened, each confirmed by evaluations in a row.

    Attributes:
        memorized_at: Train accuracy comes to stay at or above ``fitted`` [steps].
        test_rose_at: Test accuracy comes to stay at or above ``low`` [steps].
        generalized_at: Test accuracy comes to stay at or above ``high`` [steps].
        lost_at: After that, test accuracy comes to stay below ``low`` [steps].
        delay: Steps to generalize over steps to memorize.
        delayed: Whether that counts as delayed; None where one of the two did not happen.
    """

    memorized_at: float | None = None
    test_rose_at: float | None = None
    generalized_at: float | None = None
    lost_at: float | None = None
    delay: float | None = None
    delayed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Side:
    """What is known of the accuracy on one of the two sets.

    Attributes:
        name: ``train`` or ``test``.
        step: (n,) steps of finite values.
        accuracy: (n,) accuracy, or what it is at least where only the loss is known.
        bounded: Only the loss is known.
        settled: Median of the end.
        moved: That, less the median of the seventh tenth.
        settled_loss: Of the loss; NaN where accuracy is known.
    """

    name: str
    step: FloatArray
    accuracy: FloatArray
    bounded: bool
    settled: float
    moved: float
    settled_loss: float = math.nan


def side_of(
    name: Literal["train", "test"], curves: CurveSet, n_classes: int | None, thresholds: Thresholds
) -> Side | str:
    """What is known of one set, or why that is nothing."""
    start = 1 - thresholds.settled_fraction
    end_part = f"last {thresholds.settled_fraction:.0%}"
    accuracy = curves.curves.get("train_accuracy" if name == "train" else "test_accuracy")
    loss = curves.curves.get("train_loss" if name == "train" else "test_loss")
    if accuracy is None and loss is None:
        return f"there is no {name} accuracy: no column is called {name} accuracy" + (
            " or validation accuracy" if name == "test" else ""
        )
    if accuracy is None and n_classes is None:
        return (
            f"of {name} there is only a loss, and nothing says over how many classes: with the number of classes, it "
            "is taken as a mean cross-entropy in nats"
        )
    kind = "loss" if accuracy is None else "accuracy"
    step, values = accuracy if accuracy is not None else loss  # type: ignore[misc]
    finite = np.isfinite(values)
    if not finite.any():
        return f"{name} {kind} is nowhere a finite number"
    if not finite[step >= start * step[-1]].all():
        return f"{name} {kind} is not finite in the {end_part} of the steps: the run diverged"
    end = max(float(steps[-1]) for steps, _ in curves.curves.values() if steps.size)
    if step[-1] < start * end:
        return f"{name} {kind} ends at step {step[-1]:g}, and the run at {end:g}"
    step, values = step[finite], values[finite]
    if step.size < FEWEST_EVALUATIONS:
        return f"there are {step.size} evaluations of {name} {kind}, and {FEWEST_EVALUATIONS} are needed"
    last = _between(step, values, start, 1.0)
    before = _between(step, values, 1 - EARLIER[1], 1 - EARLIER[0])
    if last.size < FEWEST_SETTLED or not before.size:
        return (
            f"{name} {kind} has {last.size} evaluations in the {end_part} of its steps, and {before.size} in the "
            f"seventh: {FEWEST_SETTLED} and 1 are needed to tell whether it has settled"
        )
    if kind == "accuracy":
        settled = float(np.median(last))
        return Side(
            name=name,
            step=step,
            accuracy=values,
            bounded=False,
            settled=settled,
            moved=settled - float(np.median(before)),
        )
    settled = float(_at_least(np.median(last)))
    return Side(
        name=name,
        step=step,
        accuracy=_at_least(values),
        bounded=True,
        settled=settled,
        moved=settled - float(_at_least(np.median(before))),
        settled_loss=float(np.median(last)),
    )


def _at_least(loss: FloatArray | np.floating[Any]) -> FloatArray:
    """Accuracy that a mean cross-entropy guarantees: 1 − L/ln 2, or 0."""
    return np.maximum(0.0, 1.0 - np.asarray(loss, dtype=np.float64) / math.log(2))


def _between(step: FloatArray, values: FloatArray, start: float, stop: float) -> FloatArray:
    return values[(step >= start * step[-1]) & (step <= stop * step[-1])]


def settled_values(curves: CurveSet, sides: list[Side], thresholds: Thresholds) -> dict[str, float]:
    """Medians over the end of every curve, the norm against its largest value, and how accuracies moved."""
    settled: dict[str, float] = {}
    start = 1 - thresholds.settled_fraction
    for field, (step, values) in curves.curves.items():
        finite = np.isfinite(values)
        if finite.any():
            settled[field] = float(np.median(_between(step[finite], values[finite], start, 1.0)))
            if field == "squared_norm":
                settled["norm_ratio"] = settled[field] / (float(values[finite].max()) or math.nan)
    for side in sides:
        prefix = f"{side.name}_accuracy"
        if side.bounded:
            settled[f"{prefix}_at_least"] = side.settled
        settled[f"{prefix}_moved"] = side.moved
    return settled


def _first_persistent(
    step: FloatArray, holds: NDArray[np.bool_], evaluations: int, after: float = -math.inf
) -> float | None:
    """First step after another from which on so many evaluations in a row agree."""
    streak = 0
    for place in range(step.size):
        streak = streak + 1 if holds[place] and step[place] > after else 0
        if streak == evaluations:
            return float(step[place - streak + 1])
    return None


def events_of(train: Side | None, test: Side | None, thresholds: Thresholds) -> Events:
    """When each event is confirmed, and how long generalization took against memorization."""
    memorized = generalized = rose = lost = delay = None
    row = thresholds.persistent_evaluations
    if train is not None:
        memorized = _first_persistent(train.step, train.accuracy >= thresholds.fitted, row)
    if test is not None:
        generalized = _first_persistent(test.step, test.accuracy >= thresholds.high, row)
        if not test.bounded:
            rose = _first_persistent(test.step, test.accuracy >= thresholds.low, row)
            if generalized is not None:
                lost = _first_persistent(test.step, test.accuracy < thresholds.low, row, generalized)
    if memorized and generalized is not None:
        delay = generalized / memorized
    return Events(
        memorized_at=memorized,
        test_rose_at=rose,
        generalized_at=generalized,
        lost_at=lost,
        delay=delay,
        delayed=None if delay is None else delay >= thresholds.delayed,
    )
