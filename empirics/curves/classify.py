"""Which dynamics somebody's training curves show, with reasons, or why that cannot be told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from dcrit.empirics.curves.curve_files import CurveSet
from dcrit.empirics.curves.settling import (
    BELOW_SETTLED,
    NEARLY_FITTED,
    Events,
    Side,
    Thresholds,
    classes_by_start,
    events_of,
    jumps,
    origin_of,
    settled_values,
    side_of,
)
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.circuits.regimes import SEMI_GROKKING

#: Leaps of test accuracy at the end, from nothing to nearly all, that no training makes.
FEWEST_JUMPS = 2

#: What a run may show; see :func:`classify`.
Shown = Literal[
    "grokking",
    "generalized at once",
    "already generalized",
    "generalized below a ceiling",
    "semi-grokking",
    "unstable after generalizing",
    "ungrokking",
    "collapsed",
    "memorization",
    "partial memorization",
    "progression",
    "learned nothing",
    "cannot tell",
]
SHOWN: tuple[Shown, ...] = get_args(Shown)


@dataclass(frozen=True, kw_only=True)
class Classification:
    """The verdict on one run.

    Attributes:
        run: What the file calls it.
        dynamics: What it shows, or that this cannot be told.
        reasons: Sentences; the first one decides.
        events: When what happened.
        settled: Settled values by name, and by how much accuracies still moved.
        thresholds: What was compared with.
        ceiling_estimated: Test accuracy that was taken as the best possible, as it rests there; None otherwise.
        n_classes_estimated: Number of classes that was taken from where accuracies begin; None otherwise.
    """

    run: str
    dynamics: Shown
    reasons: tuple[str, ...]
    events: Events
    settled: Mapping[str, float]
    thresholds: Thresholds
    ceiling_estimated: float | None = None
    n_classes_estimated: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self) | {"reasons": list(self.reasons), "settled": dict(self.settled)}


def classify(
    curves: CurveSet,
    *,
    n_classes: int | None = None,
    ceiling: float | None = None,
    thresholds: Thresholds | None = None,
) -> Classification:
    """Name the dynamics of one run by its settled accuracies and by what came before them.

    Each rule is tried in this order, where train and test accuracy have settled:

    * learned nothing: neither ever stayed above chance by ``low``
    * unstable after generalizing: test accuracy stayed at ``high``, then fell twice or more, in 5 % of the evaluations
    * collapsed: train accuracy was fitted and is lost, and test accuracy is low or lost as well
    * ungrokking: test accuracy stayed at ``high``, the training set is fitted, and test accuracy settles well below
    * progression: the training set is not fitted, and test accuracy has risen with train accuracy
    * partial memorization: the training set is not fitted, though train accuracy has risen, and test accuracy is low
    * memorization: the training set is fitted, and test accuracy stays below ``low``
    * already generalized: both are there at the first evaluation
    * generalized at once: test accuracy comes to ``high`` in less than twice the steps of memorization
    * grokking: it comes later
    * generalized below a ceiling: either of them, up to an accuracy below 1 that was given, or at which it rests
    * semi-grokking: test accuracy settles between ``low`` and ``high``

    Where only a mean cross-entropy L over a known number of classes is there, accuracy is at least
    1 − L/ln 2, because an answer that is wrong has a probability of at most one half.

    Args:
        curves: The run.
        n_classes: C, number of classes, where it is known: then levels of test accuracy count from chance.
        ceiling: Best possible test accuracy; None to take 1, or a level at which test accuracy rests.
        thresholds: What to compare with; None for the usual ones, of that many classes and that ceiling.

    Raises:
        ValueError: ``n_classes`` is below 2, or the ceiling is not above chance.

    Source: huang2024.
    """
    given = thresholds is not None
    levels = thresholds or Thresholds.for_classes(n_classes, 1.0 if ceiling is None else ceiling)
    if curves.problem:
        return _verdict(curves, levels, "cannot tell", f"the rows make no curve: {curves.problem}")
    found = [side_of(name, curves, n_classes, levels) for name in ("train", "test")]
    sides = [side for side in found if isinstance(side, Side)]
    classes = classes_by_start(sides) if n_classes is None and not given else None
    if classes is not None:
        levels = Thresholds.for_classes(classes, 1.0 if ceiling is None else ceiling)
    judged = _Judged(
        curves=curves, found=found, levels=levels, n_classes=n_classes or classes, guessed=classes is not None
    ).verdict()
    if ceiling is None and not given and judged.dynamics == "semi-grokking" and len(sides) == 2:
        rests = _resting_at(sides[1], levels)
        if rests is not None:
            judged = _below_ceiling(curves, found, rests, n_classes or classes, guessed=classes is not None)
    return replace(judged, n_classes_estimated=classes)


def _verdict(curves: CurveSet, levels: Thresholds, dynamics: Shown, *reasons: str, **more: Any) -> Classification:
    return Classification(
        run=curves.run,
        dynamics=dynamics,
        reasons=tuple(reason for reason in reasons if reason),
        events=more.get("events", Events()),
        settled=more.get("settled", {}),
        thresholds=levels,
    )


def _resting_at(test: Side, levels: Thresholds) -> float | None:
    """The level at which test accuracy rests well above chance; None where it wanders, rises or is low."""
    middle = levels.chance + 0.5 * (1 - levels.chance)
    if test.bounded or test.settled < middle or test.spread > levels.still:
        return None
    return test.settled


def _below_ceiling(
    curves: CurveSet, found: list[Side | str], rests: float, n_classes: int | None, *, guessed: bool
) -> Classification:
    """The verdict where the level at which test accuracy rests is taken as the best possible."""
    levels = Thresholds.for_classes(n_classes, min(1.0, rests))
    judged = _Judged(curves=curves, found=found, levels=levels, n_classes=n_classes, guessed=guessed, rests=rests)
    return replace(judged.verdict(), ceiling_estimated=rests)


def _beside(value: float, level: float) -> tuple[str, str]:
    """Two numbers in as few digits as show which one is larger."""
    for digits in range(3, 18):
        one, other = f"{value:.{digits}g}", f"{level:.{digits}g}"
        if (float(one) > float(other), float(one) < float(other)) == (value > level, value < level):
            return one, f"{level:.3g}" if float(f"{level:.3g}") == float(other) else other
    return repr(value), repr(level)


def _compared(value: float, level: float) -> str:
    """A number and on which side of a level it lies."""
    one, other = _beside(value, level)
    return f"{one}, {'below' if value < level else 'at or above'} {other}"


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """One run against one set of levels."""

    curves: CurveSet
    found: list[Side | str]
    levels: Thresholds
    n_classes: int | None
    guessed: bool
    rests: float | None = None

    def verdict(self) -> Classification:
        """What the run shows."""
        levels = self.levels
        sides = [side for side in self.found if isinstance(side, Side)]
        train = next((side for side in sides if side.name == "train"), None)
        test = next((side for side in sides if side.name == "test"), None)
        origin = origin_of(self.curves)
        nearly = _nearly_fitted(train, test, levels)
        levels = replace(levels, fitted=nearly or levels.fitted)
        events = events_of(train, test, levels, origin)
        settled = settled_values(self.curves, sides, levels)

        def told(dynamics: Shown, *reasons: str) -> Classification:
            return _verdict(self.curves, levels, dynamics, *reasons, self._chance(), events=events, settled=settled)

        if train is None or test is None:
            return told("cannot tell", *(one for one in self.found if isinstance(one, str)))
        history = _history(events, levels)
        norm = _norm(settled, levels)
        if nothing := self._nothing(train, test):
            return told("learned nothing", nothing, norm)
        if events.falls >= 2 and events.fallen_share >= levels.unstable and not _lost_for_good(events):
            share, since = f"{events.fallen_share:.3g}", _at(events.generalized_at)
            return told(
                "unstable after generalizing",
                f"test accuracy came to {levels.high:.3g} at {since}, and has fallen "
                f"below {levels.high - levels.moving:.3g} {events.falls} times since, in {share} of the evaluations",
                f"it settles at {test.settled:.3g}, train accuracy at {train.settled:.3g}",
                history,
                norm,
            )
        if lost := _collapsed(train, test, events, levels):
            return told("collapsed", lost, history, norm)
        moving = [reason for side in sides if (reason := _still_moving(side, levels) or _jumping(side, levels))]
        fits = _memorization(train, events, levels)
        if nearly:
            fits += f", as noise may keep it below {self.levels.fitted:g} where the test set is generalized to"
        if moving:
            return told("cannot tell", *moving, fits, history)
        if train.settled < levels.fitted:
            return told(*self._unfitted(train, test, events), history, norm)
        if test.settled >= levels.high:
            return told(*self._generalized(test, events), fits, _delay(events, levels), history, norm)
        if test.bounded:
            return told("cannot tell", _bound(test, f"generalizing, at {levels.high:.3g}", self.n_classes), fits, norm)
        if events.generalized_at is not None and test.settled < levels.high - levels.moving:
            kept = test.settled >= levels.low
            reason = (
                f"test {_level(test)}: the run had generalized by {_at(events.generalized_at)}, and "
                f"{'a part of that is lost' if kept else 'that is lost'}"
            )
            return told("ungrokking", reason, fits, history, norm)
        if test.settled >= levels.low:
            low, high = _beside(test.settled, levels.low)[1], _beside(test.settled, levels.high)
            between = f"test accuracy settles at {high[0]}, between {low} and {high[1]}"
            return told("semi-grokking", between, fits, history, norm)
        return told(*self._memorizing(train, test, events), fits, history, norm)

    def _nothing(self, train: Side, test: Side) -> str:
        """Why the run has learned nothing; empty where it has."""
        levels = self.levels
        if not train.bounded and not test.bounded:
            if events_of(train, None, replace(levels, fitted=levels.low), 0.0).memorized_at is not None:
                return ""
            if events_of(None, test, levels, 0.0).test_rose_at is not None or train.settled >= levels.low:
                return ""
            return (
                f"train accuracy settles at {_compared(train.settled, levels.low)}, and test accuracy at "
                f"{test.settled:.3g}: neither ever stayed at {levels.low:.3g} for "
                f"{levels.persistent_evaluations} evaluations"
            )
        if train.bounded and self.n_classes is not None:
            guess = math.log(self.n_classes)
            if train.least_loss >= 0.95 * guess and (test.bounded or test.settled < levels.low):
                return (
                    f"train loss never falls below {train.least_loss:.3g}, and a constant guess among "
                    f"{self.n_classes} classes has {guess:.3g}"
                )
        return ""

    def _unfitted(self, train: Side, test: Side, events: Events) -> tuple[Any, ...]:
        """Dynamics and reasons of a run whose training set is not fitted at the end."""
        levels = self.levels
        if train.bounded:
            learned = (self.n_classes is not None and not test.bounded) or test.settled_loss < math.log(
                self.n_classes or 2
            )
            if train.settled > 0 or not learned:
                return (
                    "cannot tell",
                    _bound(train, f"fitted, at {levels.fitted:g}"),
                    _bound(test, "generalizing", self.n_classes) if test.bounded else "",
                )
        unfitted = f"the training set is not fitted: train {_level(train, levels.fitted)}"
        if test.bounded or test.settled >= levels.low:
            rises = f"test {_level(test)}" + ("" if test.bounded else ": it has risen with it")
            return "progression", unfitted, rises
        return (
            "partial memorization",
            f"train accuracy settles at {_compared(train.settled, levels.fitted)}, and test accuracy at "
            f"{_compared(test.settled, levels.low)}: a part of the training set is memorized, and nothing generalizes",
        )

    def _generalized(self, test: Side, events: Events) -> tuple[Any, ...]:
        """Dynamics and reason of a run that has generalized up to its ceiling."""
        levels = self.levels
        reached = f"test {_level(test, levels.high)}"
        plain_high = levels.chance + SEMI_GROKKING[1] * (1 - levels.chance)
        if levels.ceiling < 1 and test.settled < plain_high and not test.bounded:
            if self.rests is None:
                return (
                    "generalized below a ceiling",
                    f"{reached}, which counts up to the ceiling of {levels.ceiling:.3g}",
                )
            return (
                "generalized below a ceiling",
                Advice(
                    f"test accuracy rests at {test.settled:.3g}: its last 30% of evaluations keep within "
                    f"{test.spread:.2g}, at most {levels.still:g}, so this is taken as the best possible accuracy; "
                    "semi-grokking may rest as well: ",
                    Setting("ceiling"),
                    " says how high accuracy can be, 1 if all can be right",
                ),
            )
        if events.memorized_at == events.generalized_at == events.began_at:
            return "already generalized", f"{reached}, and both accuracies are there at the first evaluation"
        if events.delayed is False or (events.delayed is None and events.generalized_at == events.began_at):
            return "generalized at once", reached
        return (
            "generalized at once" if events.delayed is None and events.memorized_at is not None else "grokking"
        ), reached

    def _memorizing(self, train: Side, test: Side, events: Events) -> tuple[Any, ...]:
        """Dynamics and reasons of a run that fits its training set and nothing else."""
        levels = self.levels
        below = f"test {_level(test, levels.low)}"
        origin = float(events.began_at or 0.0)
        taken = max(float(train.step[-1]), float(test.step[-1])) - origin
        needed = (events.memorized_at or 0.0) - origin  # a training set that is fitted at the end was once fitted first
        if taken < levels.patience * needed:
            return (
                "cannot tell",
                f"{below}, but the run ends after {_beside(taken / needed, levels.patience)[0]} times the steps it "
                f"took to memorize, less than {levels.patience:g}: delayed generalization may still come",
            )
        return "memorization", f"{below}: it never generalized"

    def _chance(self) -> str:
        """What is assumed of chance, or a warning where a low level may be chance and nobody said how many classes."""
        if self.guessed:
            classes = f"both accuracies begin near {1 / (self.n_classes or 1):.3g}, so {self.n_classes} classes"
            return Advice(f"{classes} are assumed; ", Setting("n_classes"), " says how many there are")
        test = next((side for side in self.found if isinstance(side, Side) and side.name == "test"), None)
        if self.n_classes is not None or test is None or test.bounded or test.settled <= 0:
            return ""
        classes = round(1 / test.settled)
        flat = float(test.accuracy.max() - test.accuracy.min()) <= self.levels.moving or self.levels.low <= test.settled
        if 2 <= classes <= 10 and abs(test.settled - 1 / classes) <= 0.02 and flat:
            return Advice(
                f"chance counts as 0 here: with {classes} classes this test accuracy would be chance, and the number "
                "of classes (",
                Setting("n_classes"),
                ") would tell",
            )
        return ""


def _nearly_fitted(train: Side | None, test: Side | None, levels: Thresholds) -> float | None:
    """The level from which a training set counts as fitted that noise keeps below the usual one; None for others."""
    if train is None or test is None or train.bounded or test.settled < levels.high:
        return None
    if not NEARLY_FITTED <= train.settled < levels.fitted:
        return None
    return max(NEARLY_FITTED, train.settled - BELOW_SETTLED)


def _collapsed(train: Side, test: Side, events: Events, levels: Thresholds) -> str:
    """Why the run has lost what it had on both sets; empty where it has not."""
    what = (("fitted the training set", events.memorized_at), ("generalized", events.generalized_at))
    lost = " and ".join(f"{word} by {_at(at)}" for word, at in what if at is not None)
    fell = train.settled < levels.fitted - levels.moving and train.moved <= levels.moving and not train.bounded
    if not lost or not fell or test.settled >= levels.high - levels.moving:
        return ""
    return (
        f"train accuracy settles at {_compared(train.settled, levels.fitted)}, and test accuracy at "
        f"{test.settled:.3g}: the run had {lost}, which is lost"
    )


def _at(step: float | None) -> str:
    """A time by the only clock of all answers: the steps of the log."""
    return f"step {step or 0.0:.15g}"


def _lost_for_good(events: Events) -> bool:
    return events.lost_at is not None and events.recovered_at is None


def _level(side: Side, level: float | None = None) -> str:
    value = f"{side.settled:.3g}" if level is None else _compared(side.settled, level)
    if side.bounded:
        return f"loss settles at {side.settled_loss:.3g}, so accuracy is at least {value}"
    return f"accuracy settles at {value}"


def _still_moving(side: Side, thresholds: Thresholds) -> str:
    """Why the end of the run decides nothing; empty where it does: beyond the outer thresholds, nothing can change."""
    rising, top = side.moved > 0, thresholds.fitted if side.name == "train" else thresholds.high
    beyond = side.settled >= top if rising else side.name == "test" and side.settled < thresholds.low
    if abs(side.moved) <= thresholds.moving or beyond:
        return ""
    what = f"{'the least ' if side.bounded else ''}{side.name} accuracy {'rose' if rising else 'fell'}"
    by, most = _beside(abs(side.moved), thresholds.moving)
    return (
        f"the run has not settled: {what} by {by} from the seventh tenth to the last "
        f"{thresholds.settled_fraction:.0%} of the steps, more than {most}"
    )


def _jumping(side: Side, levels: Thresholds) -> str:
    """Why a median hides what accuracy does at the end; empty where it does not."""
    if side.name != "test" or side.bounded or side.settled >= levels.high:
        return ""
    times = jumps(side.accuracy, levels.low, levels.high)
    if times < FEWEST_JUMPS:
        return ""
    return (
        f"test accuracy leaps {times} times from below {levels.low:.3g} to {levels.high:.3g} or more in the last 30% "
        "of its evaluations: these may be two runs in one, or values that stand for nothing measured"
    )


def _memorization(train: Side, events: Events, thresholds: Thresholds) -> str:
    if events.memorized_at is None or train.settled < thresholds.fitted:
        return ""
    if events.memorized_at == events.began_at:
        return f"the training set is memorized from the first evaluation on: train {_level(train, thresholds.fitted)}"
    return f"the training set is memorized at {_at(events.memorized_at)}: train {_level(train, thresholds.fitted)}"


def _bound(side: Side, what: str, n_classes: int | None = None) -> str:
    guess = f"; a constant guess has {math.log(n_classes):.3g}" if n_classes else ""
    return (
        f"{side.name} loss settles at {side.settled_loss:.3g}{guess}, so accuracy is at least {side.settled:.3g}, "
        f"which does not say whether the run is {what}: {side.name} accuracy would"
    )


def _delay(events: Events, thresholds: Thresholds) -> str:
    if events.generalized_at is None or events.memorized_at is None or events.spacing is None:
        return ""
    later = events.generalized_at - events.memorized_at
    if abs(later) < events.spacing or (later == 0 and events.memorized_at == events.began_at):
        return f"any delay is below the spacing of evaluations, {events.spacing:g} steps"
    if events.delay is None:
        least = f"it takes {later:g} steps from there"
        return f"the log begins with a training set that is memorized, so no ratio of times can be told; {least}"
    ratio, level = _beside(events.delay, thresholds.delayed)
    began = f", counted from the first evaluation at {_at(events.began_at)}" if events.began_at else ""
    compared = f"it comes at {_at(events.generalized_at)}, {ratio} times as late as memorization{began}"
    if events.delayed:
        return f"generalization is delayed: {compared}, {level} or more"
    return (
        f"generalization is not delayed: {compared}, less than {level}; it comes together with fitting, as it "
        "does in the same region of the plane when data are ample"
    )


def _history(events: Events, thresholds: Thresholds) -> str:
    if events.lost_at is None:
        return ""
    fell = (
        f"the run had generalized by {_at(events.generalized_at)}, and test accuracy fell below "
        f"{thresholds.low:.3g} at {_at(events.lost_at)}"
    )
    if events.recovered_at is None:
        return fell
    return f"{fell}, and recovered to {thresholds.high:.3g} at {_at(events.recovered_at)}"


def _norm(settled: Mapping[str, float], thresholds: Thresholds) -> str:
    ratio = settled.get("norm_ratio", math.nan)
    if not math.isfinite(ratio):
        return ""
    value, level = _beside(ratio, thresholds.fallen)
    if ratio < thresholds.fallen:
        return (
            f"the squared norm falls, to {value} of its largest value (below {level}), as it does "
            "where a generalizing circuit takes over from memorization"
        )
    return f"the squared norm does not fall: it settles at {value} of its largest value ({level} or more)"
