"""Which of the four dynamics somebody's training curves show, with reasons, or why that cannot be told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dcrit.empirics.curves.curve_files import CurveSet
from dcrit.empirics.curves.settling import Events, Side, Thresholds, events_of, settled_values, side_of
from dcrit.theory.circuits.regimes import Dynamics

CannotTell = Literal["cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Classification:
    """The verdict on one run.

    Attributes:
        run: What the file calls it.
        dynamics: One of the four, or that it cannot be told.
        reasons: Sentences; the first one decides.
        events: When what happened.
        settled: Settled values by name, and by how much accuracies still moved.
        thresholds: What was compared with.
    """

    run: str
    dynamics: Dynamics | CannotTell
    reasons: tuple[str, ...]
    events: Events
    settled: Mapping[str, float]
    thresholds: Thresholds

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self) | {"reasons": list(self.reasons), "settled": dict(self.settled)}


def classify(curves: CurveSet, *, n_classes: int | None = None, thresholds: Thresholds | None = None) -> Classification:
    """Name the dynamics of one run by its settled accuracies.

    progression:   the training set is not fitted
    ungrokking:    it is, and test accuracy settles below ``low``
    semi-grokking: it is, and test accuracy settles between ``low`` and ``high``
    grokking:      it is, and test accuracy settles at ``high`` or above

    Where only a mean cross-entropy L over a known number of classes is there, accuracy is at least
    1 − L/ln 2, because an answer that is wrong has a probability of at most one half.

    Args:
        curves: The run.
        n_classes: C, number of classes, where it is known: then levels of test accuracy count from chance.
        thresholds: What to compare with; None for the usual ones, of that many classes.

    Raises:
        ValueError: ``n_classes`` is below 2.

    Source: huang2024.
    """
    thresholds = thresholds or Thresholds.for_classes(n_classes)
    settled: dict[str, float] = {}
    events = Events()

    def verdict(dynamics: Dynamics | CannotTell, *reasons: str) -> Classification:
        return Classification(
            run=curves.run,
            dynamics=dynamics,
            reasons=tuple(reason for reason in reasons if reason),
            events=events,
            settled=settled,
            thresholds=thresholds,
        )

    if curves.problem:
        return verdict("cannot tell", f"the rows make no curve: {curves.problem}")
    found = [side_of(name, curves, n_classes, thresholds) for name in ("train", "test")]
    sides = [side for side in found if isinstance(side, Side)]
    settled |= settled_values(curves, sides, thresholds)
    unusable = [side for side in found if isinstance(side, str)]
    train = next((side for side in sides if side.name == "train"), None)
    test = next((side for side in sides if side.name == "test"), None)
    events = events_of(train, test, thresholds)
    if unusable or train is None or test is None:
        return verdict("cannot tell", *unusable)
    moving = [_still_moving(side, thresholds) for side in sides]
    if any(moving):
        return verdict("cannot tell", *moving, _memorization(train, events, thresholds))
    more = (_norm(settled, thresholds), _history(events, thresholds))
    if train.settled < thresholds.fitted:
        if train.bounded and train.settled > 0:
            return verdict("cannot tell", _bound(train, f"fitted, at {thresholds.fitted:g}"))
        return verdict(
            "progression",
            f"the training set is not fitted: train {_level(train)}, below {thresholds.fitted:g}",
            _together(test, thresholds),
            *more,
        )
    fits = _memorization(train, events, thresholds)
    if test.settled >= thresholds.high:
        reached = f"test {_level(test)}, at or above {thresholds.high:.3g}"
        return verdict("grokking", reached, fits, _delay(events, thresholds), *more)
    if test.bounded:
        return verdict("cannot tell", _bound(test, f"generalizing, at {thresholds.high:.3g}", n_classes), fits, *more)
    if test.settled >= thresholds.low:
        between = f"test {_level(test)}, between {thresholds.low:.3g} and {thresholds.high:.3g}"
        return verdict("semi-grokking", between, fits, _chance(test, n_classes), *more)
    below = f"test {_level(test)}, below {thresholds.low:.3g}"
    taken = float(train.step[-1])
    if events.memorized_at is None:
        return verdict(
            "cannot tell", f"{below}, but train accuracy never stays fitted, so nothing says for how long", *more
        )
    if taken < thresholds.patience * events.memorized_at:
        return verdict(
            "cannot tell",
            f"{below}, but the run ends {taken / events.memorized_at:.3g} times the steps it took to memorize, less "
            f"than {thresholds.patience:g}: delayed generalization may still come",
            fits,
            *more,
        )
    return verdict("ungrokking", below, fits, *more)


def _level(side: Side) -> str:
    if side.bounded:
        return f"loss settles at {side.settled_loss:.3g}, so accuracy is at least {side.settled:.3g}"
    return f"accuracy settles at {side.settled:.3g}"


def _still_moving(side: Side, thresholds: Thresholds) -> str:
    """Why the end of the run decides nothing; empty where it does: beyond the outer thresholds, nothing can change."""
    rising, top = side.moved > 0, thresholds.fitted if side.name == "train" else thresholds.high
    beyond = side.settled >= top if rising else side.name == "test" and side.settled < thresholds.low
    if abs(side.moved) <= thresholds.moving or beyond:
        return ""
    what = f"{'the least ' if side.bounded else ''}{side.name} accuracy {'rose' if rising else 'fell'}"
    return (
        f"the run has not settled: {what} by {abs(side.moved):.2g} from the seventh tenth to the last "
        f"{thresholds.settled_fraction:.0%} of the steps, "
        f"more than {thresholds.moving:g}"
    )


def _memorization(train: Side, events: Events, thresholds: Thresholds) -> str:
    if events.memorized_at is None:
        return ""
    return (
        f"the training set is memorized from step {events.memorized_at:g} on: train {_level(train)}, "
        f"fitted from {thresholds.fitted:g}"
    )


def _bound(side: Side, what: str, n_classes: int | None = None) -> str:
    guess = f"; a constant guess has {math.log(n_classes):.3g}" if n_classes else ""
    return (
        f"{side.name} loss settles at {side.settled_loss:.3g}{guess}, so accuracy is at least {side.settled:.3g}, "
        f"which does not say whether the run is {what}: {side.name} accuracy would"
    )


def _together(test: Side, thresholds: Thresholds) -> str:
    if test.bounded:
        return f"test {_level(test)}"
    rises = "has risen with it" if test.settled >= thresholds.low else f"has not risen with it to {thresholds.low:.3g}"
    return f"test {_level(test)}: it {rises}"


def _delay(events: Events, thresholds: Thresholds) -> str:
    if events.delay is None:
        if events.memorized_at == 0:
            return "the training set is memorized at the first evaluation, so no delay can be told"
        return ""
    compared = f"{events.generalized_at:g} steps, {events.delay:.3g} times the {events.memorized_at:g} to memorize"
    if events.delayed:
        return f"generalization is delayed: it takes {compared}, {thresholds.delayed:g} or more"
    return (
        f"generalization is not delayed: it takes {compared}, less than {thresholds.delayed:g}; it comes together with "
        "fitting, as it does in the same region of the plane when data are ample"
    )


def _history(events: Events, thresholds: Thresholds) -> str:
    if events.lost_at is None:
        return ""
    return (
        f"the run had generalized from step {events.generalized_at:g} on, and test accuracy fell below "
        f"{thresholds.low:.3g} at step {events.lost_at:g}"
    )


def _chance(test: Side, n_classes: int | None) -> str:
    """A warning where a low level may be chance: with few classes, and nobody said how many."""
    guessed = round(1 / test.settled) if test.settled > 0 else 0
    if n_classes is None and 2 <= guessed <= 10 and abs(test.settled - 1 / guessed) <= 0.02:
        return (
            f"chance counts as 0 here: with {guessed} classes this test accuracy would be chance, and the number of "
            "classes would tell"
        )
    return ""


def _norm(settled: Mapping[str, float], thresholds: Thresholds) -> str:
    ratio = settled.get("norm_ratio", math.nan)
    if not math.isfinite(ratio):
        return ""
    if ratio < thresholds.fallen:
        return (
            f"the squared norm falls, to {ratio:.3g} of its largest value (below {thresholds.fallen:g}), as it does "
            "where a generalizing circuit takes over from memorization"
        )
    return (
        f"the squared norm does not fall: it settles at {ratio:.3g} of its largest value "
        f"({thresholds.fallen:g} or more)"
    )
