from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
import torch

from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training import speed
from dcrit.empirics.training.batches import step_cost
from dcrit.theory.problems.problem import Problem

#: 20 steps and 12 evaluations; 4 members are the fewest of a batch that is divided.
TINY = RunConfig(problem=Problem(modulus=5, width=4), n_train=12, seed=0, steps=20)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "BATCH", (2, 3, 4, 5))
    monkeypatch.setattr(speed, "REFERENCE_MEMBERS", 4)


def ticking() -> Iterator[float]:
    return (float(tick) for tick in count())


def test_operations_over_time_by_the_clock() -> None:
    ticks = ticking()
    # Ten ticks of a second are ten products of 2·2·3·4·5 operations.
    assert speed.product_rate(seconds=10.0, clock=lambda: next(ticks)) == 240.0


def test_an_ensembles_rate_is_its_estimated_cost_over_time() -> None:
    ticks = ticking()
    steps = TINY.horizon // len(TINY.evaluation_steps())
    expected = 4 * steps * step_cost(TINY)
    assert speed.ensemble_rate(TINY, seconds=10.0, clock=lambda: next(ticks)) == expected


def test_runs_take_as_long_a_step_as_was_timed() -> None:
    ticks = ticking()
    steps = TINY.horizon // len(TINY.evaluation_steps())
    # Ten ticks of a second are ten stretches, whatever the network is.
    configs = [TINY, replace(TINY, problem=replace(TINY.problem, width=8))]
    found = speed.seconds_of(configs, seconds=10.0, clock=lambda: next(ticks))
    assert found == pytest.approx(2 * TINY.total_steps / steps)


@pytest.mark.parametrize(("cheap", "dear"), [(1e-3, 5e-3), (5e-3, 1e-3)])
def test_seconds_of_a_step_lie_between_those_of_the_cheapest_and_the_dearest(
    cheap: float, dear: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [replace(TINY, problem=replace(TINY.problem, width=width)) for width in (4, 8, 64)]
    times = {4: cheap, 64: dear}
    monkeypatch.setattr(speed, "_step_seconds", lambda batch, **_: times[batch.configs[0].problem.width])
    low, middle, high = map(step_cost, configs)
    between = cheap + (dear - cheap) * (middle - low) / (high - low)
    expected = cheap + between + dear if dear > cheap else 3 * cheap
    assert speed.seconds_of(configs) == pytest.approx(TINY.total_steps * expected)


def test_references_count_by_the_same_amount_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {8: 1e9, 16: 4e9}
    monkeypatch.setattr(speed, "ensemble_rate", lambda config, seconds: rates[config.problem.width])
    configs = [RunConfig(problem=Problem(width=width), n_train=10, seed=0) for width in rates]
    assert speed.core_rate(configs) == pytest.approx(1.6e9)


@pytest.mark.usefixtures("three_threads")
def test_threads_are_as_they_were() -> None:
    before = torch.get_num_threads()
    assert speed.product_rate(seconds=1e-6) > 0
    assert speed.ensemble_rate(TINY, seconds=1e-6) > 0
    assert torch.get_num_threads() == before


def test_a_fraction_is_assumed_of_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "product_rate", lambda device: {"cuda": 1e12}[device])
    found = speed.measure_speed("cuda", 1)
    assert (found.device, found.rate) == ("cuda", speed.ASSUMED_FRACTION * 1e12)


@pytest.mark.processes
def test_workers_are_timed_together() -> None:
    found = speed.measure_speed("cpu", 2, seconds=0.01)
    assert found.device == "cpu"
    assert found.rate > 0


def test_no_workers_have_no_speed() -> None:
    with pytest.raises(ValueError, match="workers must be an integer of at least 1, got 0"):
        speed.measure_speed("cpu", 0)
