"""Published numbers beside ours: what a calibration predicts for their configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcrit.theory.calibrations.calibration import Calibration, calibration_for
from dcrit.theory.estimates import Estimate, Interval
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
class Comparison:
    """A published number beside ours.

    Attributes:
        published: The number.
        predicted: What the calibrations say for its configuration; None where they do not.
        interval: Of the prediction.
        extrapolated: The configuration lies outside the calibrated domain.
        note: Why there is no prediction, or what limits it; empty otherwise.
    """

    published: PublishedNumber
    predicted: float | None
    interval: Interval | None
    extrapolated: bool
    note: str


def compare(numbers: Sequence[PublishedNumber], calibrations: Sequence[Calibration]) -> list[Comparison]:
    """One comparison a number.

    Args:
        numbers: What others published.
        calibrations: Constants for our predictions.
    """
    return [_comparison(number, calibrations) for number in numbers]


def _comparison(number: PublishedNumber, calibrations: Sequence[Calibration]) -> Comparison:
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
    return Comparison(published=number, predicted=value, interval=interval, extrapolated=extrapolated, note=note)


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
