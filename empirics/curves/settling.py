"""What training curves settle at and which events they show, by stated thresholds; time counts from their start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.curves.curve_files import CurveSet
from dcrit.empirics.curves.names import ColumnOf, listed
from dcrit.empirics.runs.outcomes import DELAYED, SETTLED_FRACTION
from dcrit.theory.advice import Advice, Setting
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

#: Pure memorization is told only when the run took this many times the steps of memorization.
PATIENCE = 5.0

#: The squared norm has fallen when it settles below this fraction of its largest value.
FALLEN = 0.9

#: Test accuracy rests when nine tenths of its last 30 % of values lie this close together. The package's own runs that
#: semi-grok, on 130 to 160 unseen pairs, keep within 0.02 at the least.
STILL = 0.015

#: Zeros that come back this often after one half or more, in this part of the evaluations, may be no measurements.
PLACEHOLDER_TIMES, PLACEHOLDER_SHARE = 5, 0.2

#: Part of the evaluations after generalizing that lie well below it, in several falls, from which a run is unstable.
UNSTABLE = 0.05

#: Numbers of classes that are told by where both accuracies begin, if that lies this close to 1/C, and this part of it.
FEW_CLASSES, NEAR_CHANCE, NEAR_PART = (2, 3, 4, 5, 10), 0.03, 0.15

#: A training set that generalizes counts as fitted from here on if its accuracy settles below ``fitted``: noise of
#: batches or of dropout keeps it there. Events then take place this far below the settled value.
NEARLY_FITTED, BELOW_SETTLED = 0.95, 0.02


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Every number that a verdict rests on.

    Attributes:
        fitted: Train accuracy from which the training set counts as memorized.
        low: Test accuracy below which nothing has generalized.
        high: Test accuracy from which the run has generalized.
        chance: Accuracy of a guess, from which ``low`` and ``high`` are counted.
        ceiling: Best possible test accuracy, up to which they are counted.
        settled_fraction: Settled values are medians over this last fraction of the steps, below 0.3.
        moving: Largest move of a settled value, against the seventh tenth of the steps, of a run at its end; also how
            far accuracy has to fall for something to be lost.
        persistent_evaluations: Evaluations in a row that make an event.
        delayed: Steps to generalize over steps to memorize from which generalization is delayed.
        patience: Steps of the run over steps to memorize, below which generalization may still come.
        fallen: Settled over largest squared norm below which the norm has fallen.
        still: Spread of test accuracy over its last 30 % of evaluations up to which it rests at a ceiling.
        unstable: Part of the evaluations after generalizing that fell, from which a run is unstable.
    """

    fitted: float = FITTED
    low: float = SEMI_GROKKING[0]
    high: float = SEMI_GROKKING[1]
    chance: float = 0.0
    ceiling: float = 1.0
    settled_fraction: float = SETTLED_FRACTION
    moving: float = MOVING
    persistent_evaluations: int = PERSISTENT_EVALUATIONS
    delayed: float = DELAYED
    patience: float = PATIENCE
    fallen: float = FALLEN
    still: float = STILL
    unstable: float = UNSTABLE

    def __post_init__(self) -> None:
        for name in ("fitted", "low", "high", "chance", "ceiling", "moving", "fallen", "still", "unstable"):
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
    def for_classes(cls, n_classes: int | None, ceiling: float = 1.0) -> Thresholds:
        """Thresholds for C classes and a ceiling c: the levels of test accuracy lie that far between chance and c.

        1/C + level·(c − 1/C)

        Args:
            n_classes: C; None where it is not known, and chance counts as 0.
            ceiling: c, best possible test accuracy.

        Raises:
            ValueError: There are fewer than two classes, or the ceiling is not above chance.
        """
        if n_classes is not None:
            check_integer("n_classes", n_classes, 2)
        chance = 0.0 if n_classes is None else 1 / n_classes
        if not chance < ceiling <= 1:
            raise FieldError("ceiling", f"be above chance, {chance:.3g}, and at most 1", repr(ceiling))
        low, high = (chance + level * (ceiling - chance) for level in SEMI_GROKKING)
        return cls(low=low, high=high, chance=chance, ceiling=ceiling)


@dataclass(frozen=True, kw_only=True)
class Events:
    """When what happened, each confirmed by evaluations in a row; steps as the log counts them.

    Attributes:
        began_at: First step of the log, from which delays are counted [steps].
        memorized_at: Train accuracy comes to stay at or above ``fitted`` [steps].
        test_rose_at: Test accuracy comes to stay at or above ``low`` [steps].
        generalized_at: Test accuracy comes to stay at or above ``high`` [steps].
        lost_at: After that, test accuracy comes to stay below ``low`` [steps].
        recovered_at: After that, it comes to stay at or above ``high`` again [steps].
        falls: How many times test accuracy fell by ``moving`` below ``high`` after that.
        fallen_share: Part of the evaluations after generalizing that lie there.
        delay: Steps to generalize over steps to memorize, both from the start of the log.
        spacing: Steps between the evaluations that the delay rests on: nothing shorter can be told.
        delayed: Whether that counts as delayed; None where one of the two did not happen or nothing tells.
    """

    began_at: float | None = None
    memorized_at: float | None = None
    test_rose_at: float | None = None
    generalized_at: float | None = None
    lost_at: float | None = None
    recovered_at: float | None = None
    falls: int = 0
    fallen_share: float = 0.0
    delay: float | None = None
    spacing: float | None = None
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
        spread: Nine tenths of the last 30 % of the values lie this close together.
        settled_loss: Of the loss; NaN where accuracy is known.
        least_loss: Smallest loss; NaN where accuracy is known.
    """

    name: str
    step: FloatArray
    accuracy: FloatArray
    bounded: bool
    settled: float
    moved: float
    spread: float
    settled_loss: float = math.nan
    least_loss: float = math.nan


def origin_of(curves: CurveSet) -> float:
    """First step that any curve of a run was evaluated at, where its time begins; 0 without curves."""
    return min((float(step[0]) for step, _ in curves.curves.values() if step.size), default=0.0)


def side_of(
    name: Literal["train", "test"], curves: CurveSet, n_classes: int | None, thresholds: Thresholds
) -> Side | str:
    """What is known of one set, or why that is nothing."""
    accuracy = curves.curves.get("train_accuracy" if name == "train" else "test_accuracy")
    loss = curves.curves.get("train_loss" if name == "train" else "test_loss")
    if accuracy is None and loss is None:
        validation = " or validation accuracy" if name == "test" else ""
        return Advice(
            f"there is no {name} accuracy: no column is called {name} accuracy{validation}; ",
            ColumnOf(f"{name}_accuracy"),
            ", ",
            ColumnOf(f"{name}_error"),
            " or ",
            ColumnOf(f"{name}_loss"),
            " names one",
            f", which may be one of {listed(curves.left, 10)}" if curves.left else "",
        )
    if accuracy is None and n_classes is None:
        return Advice(
            f"of {name} there is only a loss, and nothing says over how many classes: with the number of classes (",
            Setting("n_classes"),
            "), it is taken as a mean cross-entropy in nats",
            f"; {name} accuracy may be one of {listed(curves.left, 10)}" if curves.left else "",
        )
    kind = "loss" if accuracy is None else "accuracy"
    step, values = accuracy if accuracy is not None else loss  # type: ignore[misc]
    finite = np.isfinite(values)
    if not finite.any():
        return f"{name} {kind} is nowhere a finite number"
    origin = origin_of(curves)
    end = max(float(steps[-1]) for steps, _ in curves.curves.values() if steps.size)
    lost = _diverged_for(values)
    if lost:
        return f"{name} {kind} is not finite in its last {lost} evaluations: the run diverged"
    step, values = step[finite], values[finite]
    if step[-1] - origin < (1 - thresholds.settled_fraction) * (end - origin):
        return f"{name} {kind} ends at step {step[-1]:g}, and the run at step {end:g}"
    if step.size < FEWEST_EVALUATIONS:
        are = "is 1 evaluation" if step.size == 1 else f"are {step.size} evaluations"
        return f"there {are} of {name} {kind}, and {FEWEST_EVALUATIONS} are needed"
    if kind == "accuracy" and (doubt := suspected_placeholder(values)):
        return Advice(f"{name} accuracy ", doubt)
    settled_part, before = windows(step, thresholds.settled_fraction)
    rest = values[-max(round(EARLIER[0] * values.size), FEWEST_SETTLED) :]
    last, earlier = float(np.median(values[settled_part])), float(np.median(values[before]))
    known = kind == "accuracy"
    settled = last if known else float(_at_least(last))
    low, high = np.quantile(rest, (0.05, 0.95))
    return Side(
        name=name,
        step=step,
        accuracy=values if known else _at_least(values),
        bounded=not known,
        settled=settled,
        moved=settled - (earlier if known else float(_at_least(earlier))),
        spread=float(high - low),
        settled_loss=math.nan if known else last,
        least_loss=math.nan if known else float(values.min()),
    )


def _diverged_for(values: FloatArray) -> int:
    """How many evaluations at the end are no numbers, where that is divergence and not a place left empty.

    Infinite ones are; NaN ones are where there are three or more of them, and more than ever between numbers.
    """
    finite = np.flatnonzero(np.isfinite(values))
    trailing = values.size - 1 - int(finite[-1])
    longest = int(np.diff(finite).max(initial=1)) - 1
    if trailing and np.isinf(values[-trailing:]).any():
        return trailing
    return trailing if trailing >= PERSISTENT_EVALUATIONS and trailing > longest else 0


def suspected_placeholder(values: FloatArray) -> str:
    """Why zeros between other values may stand for nothing measured; empty where nothing hints at that."""
    zero = values == 0
    begins = int(np.count_nonzero(zero[1:] & (values[:-1] >= 0.5)))
    if begins < PLACEHOLDER_TIMES or zero.mean() < PLACEHOLDER_SHARE:
        return ""
    return Advice(
        f"is exactly 0 in {int(zero.sum())} of {values.size} evaluations, {begins} times right after one half or "
        "more: where that stands for nothing measured, ",
        Setting("missing", [0]),
        " says so",
    )


def jumps(values: FloatArray, low: float, high: float) -> int:
    """How many times accuracy leaps from below one level to another in the last 30 % of the evaluations."""
    rest = values[-max(round(EARLIER[0] * values.size), FEWEST_SETTLED) :]
    sides = np.where(rest >= high, 1, np.where(rest < low, -1, 0))
    sides = sides[sides != 0]
    return int(np.count_nonzero((sides[1:] == 1) & (sides[:-1] == -1)))


def windows(step: FloatArray, settled_fraction: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which evaluations are the last tenth of the steps and which the seventh.

    Where these hold too few, as where evaluations grow rarer, tenths of the evaluations are taken instead.
    """
    place = (step - step[0]) / ((step[-1] - step[0]) or 1.0)
    last, before = place >= 1 - settled_fraction, (place >= 1 - EARLIER[1]) & (place <= 1 - EARLIER[0])
    if last.sum() >= FEWEST_SETTLED and before.any():
        return last, before
    left = np.arange(step.size, 0, -1) / step.size  # part of the evaluations from this one on
    last = left <= max(settled_fraction, FEWEST_SETTLED / step.size)
    return last, (left > EARLIER[0]) & (left <= EARLIER[1])


def _at_least(loss: FloatArray | float) -> FloatArray:
    """Accuracy that a mean cross-entropy guarantees: 1 − L/ln 2, or 0."""
    return np.maximum(0.0, 1.0 - np.asarray(loss, dtype=np.float64) / math.log(2))


def settled_values(curves: CurveSet, sides: list[Side], thresholds: Thresholds) -> dict[str, float]:
    """Medians over the end of every curve, the norm against its largest value, and how accuracies moved."""
    settled: dict[str, float] = {}
    for field, (step, values) in curves.curves.items():
        finite = np.isfinite(values)
        if finite.any():
            last, _ = windows(step[finite], thresholds.settled_fraction)
            settled[field] = float(np.median(values[finite][last]))
            if field == "squared_norm":
                settled["norm_ratio"] = settled[field] / (float(values[finite].max()) or math.nan)
    for side in sides:
        prefix = f"{side.name}_accuracy"
        if side.bounded:
            settled[f"{prefix}_at_least"] = side.settled
        settled[f"{prefix}_moved"] = side.moved
    return settled


def classes_by_start(sides: list[Side]) -> int | None:
    """Number of classes, where both accuracies begin at the chance of a few; None where nothing tells.

    Args:
        sides: Train and test.
    """
    if len(sides) != 2 or any(side.bounded for side in sides):
        return None
    starts = [float(np.median(side.accuracy[:n])) for side, n in zip(sides, (1, 3), strict=True)]
    fitting = [c for c in FEW_CLASSES if all(abs(start - 1 / c) <= min(NEAR_CHANCE, NEAR_PART / c) for start in starts)]
    return fitting[0] if fitting else None


def first_persistent(
    step: FloatArray, holds: NDArray[np.bool_], evaluations: int, after: float = -math.inf
) -> float | None:
    """First step after another from which on so many evaluations in a row agree."""
    agree = holds & (step > after)
    if agree.size < evaluations:
        return None
    rows = np.convolve(agree.astype(np.int64), np.ones(evaluations, dtype=np.int64), mode="valid")
    places = np.flatnonzero(rows == evaluations)
    return float(step[places[0]]) if places.size else None


def _reached(side: Side, level: float, evaluations: int) -> float | None:
    """First step from which so many evaluations are at a level; the first that is, where it settles there without."""
    holds = side.accuracy >= level
    found = first_persistent(side.step, holds, evaluations)
    if found is None and side.settled >= level and holds.any():
        return float(side.step[np.flatnonzero(holds)[0]])
    return found


def _gap_before(step: FloatArray, at: float) -> float:
    """Steps between an evaluation and the one before it, or after it where it is the first."""
    place = int(np.searchsorted(step, at))
    return float(step[place] - step[place - 1]) if place else float(step[1] - step[0]) if step.size > 1 else 0.0


def events_of(train: Side | None, test: Side | None, thresholds: Thresholds, origin: float) -> Events:
    """When each event is confirmed, and how long generalization took against memorization.

    Args:
        train: Train accuracy, if it is known.
        test: Test accuracy, if it is known.
        thresholds: Levels.
        origin: First step of the log.
    """
    memorized = generalized = rose = lost = recovered = delay = spacing = delayed = None
    falls, share = 0, 0.0
    row = thresholds.persistent_evaluations
    if train is not None:
        memorized = _reached(train, thresholds.fitted, row)
    if test is not None:
        generalized = _reached(test, thresholds.high, row)
        if not test.bounded:
            rose = first_persistent(test.step, test.accuracy >= thresholds.low, row)
        if generalized is not None and not test.bounded:
            later = test.step >= generalized
            below = test.accuracy[later] < thresholds.high - thresholds.moving
            falls = int(np.count_nonzero(below[1:] & ~below[:-1]))
            share = float(below.mean())
            lost = first_persistent(test.step, test.accuracy < thresholds.low, row, generalized)
            if lost is not None:
                recovered = first_persistent(test.step, test.accuracy >= thresholds.high, row, lost)
    if train is not None and test is not None and memorized is not None and generalized is not None:
        spacing = max(_gap_before(train.step, memorized), _gap_before(test.step, generalized))
        if memorized > origin:
            delay = (generalized - origin) / (memorized - origin)
            delayed = delay >= thresholds.delayed and generalized - memorized >= spacing
        elif generalized > origin:
            delayed = True if generalized - origin > spacing else None
    return Events(
        began_at=origin,
        memorized_at=memorized,
        test_rose_at=rose,
        generalized_at=generalized,
        lost_at=lost,
        recovered_at=recovered,
        falls=falls,
        fallen_share=share,
        delay=delay,
        spacing=spacing,
        delayed=delayed,
    )
