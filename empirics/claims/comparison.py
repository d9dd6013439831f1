"""Published numbers beside ours: what a calibration predicts for their configuration, and what a suite measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import cast

from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.measures.capacity import CapacityLine
from dcrit.theory.calibrations.calibration import Calibration, calibration_for
from dcrit.theory.estimates import Estimate, Interval, half_width
from dcrit.theory.literature.published import PublishedNumber
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.predictions.delay import predict_delay

#: Published sizes that a prediction holds, by the names of its fields.
PREDICTED_SIZES = {
    "critical_size": "critical_size",
    "onset": "onset",
    "completion": "completion",
    "ungrokking_size": "at_rest",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One of our measurements of a published quantity.

    Attributes:
        what: Which models, in a few words.
        value: Best value, in the published number's unit.
        interval: Its interval.
    """

    what: str
    value: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A published number beside ours.

    Attributes:
        published: The number.
        predicted: What the calibrations say for its configuration; None where they do not.
        interval: Of the prediction.
        extrapolated: The configuration lies outside the calibrated domain.
        note: Why there is no prediction, or what limits it; empty otherwise.
        measured: What the suite measured of the same quantity.
    """

    published: PublishedNumber
    predicted: float | None
    interval: Interval | None
    extrapolated: bool
    note: str
    measured: tuple[Measured, ...]


def compare(
    numbers: Sequence[PublishedNumber], calibrations: Sequence[Calibration], evidence: object
) -> list[Comparison]:
    """One comparison a number.

    Args:
        numbers: What others published.
        calibrations: Constants for our predictions.
        evidence: Everything that the experiments of a suite gave, nested as they please.
    """
    parts = list(_parts(evidence))
    return [_comparison(number, calibrations, _measured(number, parts)) for number in numbers]


def _comparison(
    number: PublishedNumber, calibrations: Sequence[Calibration], measured: tuple[Measured, ...]
) -> Comparison:
    value, interval, extrapolated = None, None, False
    found = _prediction(number, calibrations)
    if isinstance(found, str):
        note = found
    elif isinstance(found, CriticalSizePrediction):
        assert number.n_train is not None
        value, note = float(found.from_scratch.test_accuracy(float(number.n_train))), ""
        extrapolated = found.critical_size.extrapolated
    else:
        value, interval, extrapolated, note = found.value, found.interval, found.extrapolated, found.reason
    return Comparison(
        published=number, predicted=value, interval=interval, extrapolated=extrapolated, note=note, measured=measured
    )


def _prediction(
    number: PublishedNumber, calibrations: Sequence[Calibration]
) -> CriticalSizePrediction | Estimate | str:
    """The quantity at the number's own horizon (for an accuracy everything predicted), or why nothing is predicted."""
    if number.problem is None:
        return "no configuration of ours"
    if number.quantity not in (*PREDICTED_SIZES, "test_accuracy", "time_to_generalize"):
        return "no prediction of this quantity"
    calibration = calibration_for(number.problem, calibrations)
    if calibration is None:
        return "no calibration"
    # Without a clock a calibration answers for the protocol's horizon alone.
    horizon = number.horizon if calibration.thresholds is not None else None
    try:
        if number.quantity == "time_to_generalize":
            assert number.n_train is not None
            delay = predict_delay(number.problem, calibration, number.n_train, 0.5, horizon=horizon)
            return delay.generalize_steps
        found = predict_critical_size(number.problem, calibration, horizon=horizon)
        size = PREDICTED_SIZES.get(number.quantity)
        return found if size is None else getattr(found, size)
    except ValueError as error:
        return f"no prediction: {error}"


def _parts(value: object, name: str = "") -> Iterator[tuple[str, Transition | CapacityLine]]:
    """Measurements of published quantities, wherever they are in the evidence, with the key they lie under."""
    if isinstance(value, (Transition, CapacityLine)):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            yield from _parts(item, " ".join(map(str, key)) if isinstance(key, tuple) else str(key))
    elif isinstance(value, (list, tuple)):
        for item in cast("Sequence[object]", value):
            yield from _parts(item, name)
    elif is_dataclass(value):
        for one in fields(value):
            yield from _parts(getattr(value, one.name), name)


def _measured(number: PublishedNumber, parts: Sequence[tuple[str, Transition | CapacityLine]]) -> tuple[Measured, ...]:
    found: dict[str, Measured] = {}
    for name, part in parts:
        if number.quantity == "bits_per_parameter" and isinstance(part, CapacityLine):
            half = half_width(part.bits_error, freedom=part.n_sizes - 1)
            one = Measured(what=name, value=part.bits, interval=Interval(low=part.bits - half, high=part.bits + half))
        elif number.quantity == "critical_size" and isinstance(part, Transition) and part.problem == number.problem:
            if part.measured.value is None:
                continue
            one = Measured(what="the same", value=part.measured.value, interval=part.measured.interval)
        else:
            continue
        # Claims that share runs would otherwise say the same twice.
        found.setdefault(f"{one.what} {one.value}", one)
    return tuple(found.values())
