import math
from typing import Any

import pytest

from dcrit.empirics.training.budget import Budget, Speed, duration
from dcrit.empirics.training.work import Work

SPEED = Speed(device="cpu", rate=1e9)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_there_is_time_for_what_fits() -> None:
    budget = Budget(seconds=1800.0, speed=SPEED, clock=Clock())
    assert budget.suffices(Work(flops=1.8e12, cost=1.8e12, longest=1.8e12))
    assert not budget.suffices(Work(flops=1.9e12, cost=1.9e12, longest=1.9e12))


def test_time_that_has_passed_is_no_longer_there() -> None:
    clock = Clock()
    budget = Budget(seconds=1800.0, speed=SPEED, clock=clock)
    clock.now += 1000.0
    assert budget.remaining == 800.0
    assert not budget.suffices(Work(flops=1e12, cost=1e12, longest=1e12))
    assert budget.suffices(Work(flops=7e11, cost=7e11, longest=7e11))
    clock.now += 1000.0
    assert budget.remaining == 0.0
    assert not budget.suffices(Work(flops=1.0, cost=1.0, longest=1.0))
    assert budget.suffices(Work())


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
    ("fields", "says"),
    [
        ({"seconds": 0.0}, "seconds must be a finite number above 0, got 0.0"),
        ({"seconds": math.inf}, "seconds must be a finite number above 0, got inf"),
        ({"workers": 0}, "workers must be an integer of at least 1, got 0"),
    ],
)
def test_a_budget_validates_itself(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Budget(**({"seconds": 1.0, "speed": SPEED} | fields))


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_speed_validates_itself(rate: float) -> None:
    with pytest.raises(ValueError, match="rate must be a finite number above 0, got"):
        Speed(device="cpu", rate=rate)
    with pytest.raises(ValueError, match="device must be one of cpu, cuda, got 'tpu'"):
        Speed(device="tpu", rate=1.0)
    with pytest.raises(ValueError, match="workers must be an integer of at least 1, got 0"):
        SPEED.seconds(Work(), 0)


def test_workers_share_the_work_but_not_the_longest_ensemble() -> None:
    work = Work(flops=1e12, cost=8e12, longest=1e12)
    assert SPEED.seconds(work) == 8000.0
    assert SPEED.seconds(work, 4) == 2000.0 + 750.0
    assert Budget(seconds=2800.0, speed=SPEED, workers=4, clock=Clock()).suffices(work)
    assert not Budget(seconds=2700.0, speed=SPEED, workers=4, clock=Clock()).suffices(work)
