"""No answer prints an interval that says nothing, however far outside the calibration a question lies."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import dcrit
from dcrit.theory.calibrations.thresholds import WIDEST
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.predictions.critical_size import told

#: Estimates that may be wide: probabilities near 0, a depth of 0, and times near D_inf, where they diverge.
WIDE = {"symmetric", "dip_depth", "generalize_steps", "generalize_if_symmetric", "generalize_if_ordered"}

FAMILIES = [{}, {"activation": "relu"}, {"model": "transformer"}]
PLACES: list[dict[str, Any]] = [
    {"modulus": 7, "width": 4},
    {"modulus": 31, "width": 64, "learning_rate": 1e-4},
    {"modulus": 31, "width": 64, "weight_decay": 20.0},
    {"modulus": 31, "width": 2048},
    {"modulus": 113, "width": 2048},
    {"modulus": 1009, "width": 64},
    {"modulus": 1009, "width": 2048},
]


def estimates(document: Any) -> Iterator[dict[str, Any]]:
    """Every estimate of a document."""
    if isinstance(document, dict):
        if "quantity" in document and "interval" in document:
            yield document
        for value in document.values():
            yield from estimates(value)


def answers(problem: dcrit.Problem) -> Iterator[Any]:
    """Every prediction of a problem that the calibration does not refuse."""
    n_train = problem.n_pairs // 3
    for ask in (
        lambda: dcrit.predict(problem),
        lambda: dcrit.predict(problem, horizon=50),
        lambda: dcrit.regime(problem, n_train),
        lambda: dcrit.delay(problem, n_train),
        lambda: dcrit.simulate(problem, n_train),
        lambda: dcrit.double_descent(problem, n_train, points=10),
        lambda: dcrit.emergence(problem, n_train, 20),
        lambda: dcrit.phase_diagram(problem, points=10),
    ):
        try:
            answer = ask()
        except ValueError as error:
            if not str(error).startswith("calibration must "):
                raise
            continue
        yield answer


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_no_interval_says_nothing(family: dict[str, Any], place: dict[str, Any]) -> None:
    seen = 0
    for answer in answers(dcrit.Problem(**family, **place)):
        assert f"T = {answer.to_dict().get('horizon') or answer.horizon} steps" in answer.title
        assert str(answer).endswith(answer.title)
        for one in estimates(answer.to_dict()):
            seen += 1
            if one["value"] is None:
                assert one["reason"]
            elif one["interval"] is not None and one["quantity"] not in WIDE:
                low, high = one["interval"]["low"], one["interval"]["high"]
                assert None not in (low, high)
                assert high <= WIDEST * low
    if place["modulus"] < 1009:
        assert seen > 10


CAPACITY = Estimate(
    quantity="capacity", value=30.0, interval=Interval(low=5.0, high=100.0), unit="examples", extrapolated=True
)


def test_what_cannot_be_told_names_what_lies_outside() -> None:
    found = told(CAPACITY, ("the width 2048 is 8 times the largest calibrated, 256",))
    assert (found.value, found.interval) == (None, None)
    assert "20 times apart" in found.reason
    assert "the width 2048 is 8 times the largest calibrated, 256" in found.reason
    endless = told(replace(CAPACITY, interval=Interval(low=5.0, high=math.inf)))
    assert "more than 100 times apart" in endless.reason


@pytest.mark.parametrize(
    "kept",
    [
        replace(CAPACITY, extrapolated=False),
        replace(CAPACITY, unit="probability"),
        replace(CAPACITY, interval=Interval(low=10.1, high=100.0)),
        replace(CAPACITY, value=0.0, interval=Interval(low=0.0, high=0.0)),
    ],
    ids=["inside", "a probability", "narrow", "a point"],
)
def test_other_intervals_stay(kept: Estimate) -> None:
    assert told(kept) == kept
