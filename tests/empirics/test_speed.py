from collections.abc import Iterator
from itertools import count

import pytest
import torch

from dcrit.empirics import speed
from dcrit.empirics.budget import ASSUMED_FRACTION


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "BATCH", (2, 3, 4, 5))


def test_operations_over_time_by_the_clock() -> None:
    ticks: Iterator[int] = count()
    # Ten ticks of a second are ten products of 2·2·3·4·5 operations.
    assert speed.product_rate(seconds=10.0, clock=lambda: float(next(ticks))) == 240.0


def test_threads_are_as_they_were() -> None:
    before = torch.get_num_threads()
    assert speed.product_rate(seconds=1e-6) > 0
    assert torch.get_num_threads() == before


def test_workers_add_up_and_a_fraction_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "product_rate", lambda _: 1e9)
    assert speed.training_rate("cpu", 3) == ASSUMED_FRACTION * 3e9
