import math

import pytest

from dcrit.empirics.budget import Budget, LeftOut, duration


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_fits_is_made_and_what_does_not_is_left_out_with_its_need() -> None:
    budget = Budget(seconds=1800.0, rate=1e9, clock=Clock())
    assert budget.refusal(1.8e12) is None
    assert budget.refusal(1.9e12) == LeftOut(flops=1.9e12, seconds=1900.0, remaining=1800.0)


def test_time_that_has_passed_is_no_longer_there() -> None:
    clock = Clock()
    budget = Budget(seconds=1800.0, rate=1e9, clock=clock)
    clock.now += 1000.0
    assert budget.remaining == 800.0
    assert budget.refusal(1e12) == LeftOut(flops=1e12, seconds=1000.0, remaining=800.0)
    assert budget.refusal(7e11) is None
    clock.now += 1000.0
    assert budget.remaining == 0.0
    assert budget.refusal(1.0) is not None
    assert budget.refusal(0.0) is None


def test_the_reason_names_work_time_and_what_is_left() -> None:
    assert LeftOut(flops=3.1e16, seconds=144000.0, remaining=1800.0).reason == (
        "left out: 3.1e16 FLOPs, some 40 h here, where 30 minutes of the budget are left"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (1.26, "1.3 s"),
        (119.0, "119 s"),
        (120.0, "2 minutes"),
        (7199.0, "120 minutes"),
        (7200.0, "2 h"),
        (9000.0, "2.5 h"),
        (86400.0, "24 h"),
        (8640000.0, "100 days"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "rate", "says"),
    [(0.0, 1.0, "seconds"), (math.inf, 1.0, "seconds"), (1.0, 0.0, "rate"), (1.0, -1.0, "rate")],
)
def test_a_budget_validates_itself(seconds: float, rate: float, says: str) -> None:
    with pytest.raises(ValueError, match=f"{says} must be a finite number above 0, got"):
        Budget(seconds=seconds, rate=rate)
