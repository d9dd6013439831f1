"""Every seed, the mean of each width, and an interval that is Student's."""

from dataclasses import replace

import pytest

from dcrit.empirics.measures.over_width import over_width
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=7)


def runs(width: int, *accuracies: float) -> list[Run]:
    configs = [
        RunConfig(problem=replace(PROBLEM, width=width), n_train=20, seed=seed) for seed in range(len(accuracies))
    ]
    return [run_of(config, test_accuracy=value) for config, value in zip(configs, accuracies, strict=True)]


def test_each_width_has_its_seeds_their_mean_and_its_interval() -> None:
    wide, narrow, alone = over_width([*runs(16, 0.2, 0.4, 0.6), *runs(8, 1.0, 1.0), *runs(4, 0.7)])[::-1]
    assert [one.width for one in (alone, narrow, wide)] == [4, 8, 16]
    assert wide.accuracies == (0.2, 0.4, 0.6)
    assert wide.mean == pytest.approx(0.4)
    assert wide.n_params == replace(PROBLEM, width=16).n_params
    assert wide.interval is not None
    # 0.4 ± t·s/√3 with s = 0.2 and t = 2.92, Student's quantile for two degrees of freedom; draws come close.
    assert wide.interval.low == pytest.approx(0.4 - 2.92 * 0.2 / 3**0.5, abs=0.03)
    assert wide.interval.high == pytest.approx(0.4 + 2.92 * 0.2 / 3**0.5, abs=0.03)
    assert narrow.interval is not None
    assert (narrow.interval.low, narrow.interval.high) == (1.0, 1.0)
    assert (alone.accuracies, alone.mean, alone.interval) == ((0.7,), pytest.approx(0.7), None)


def test_an_interval_stays_between_no_accuracy_and_all() -> None:
    (one,) = over_width(runs(8, 0.0, 1.0))
    assert one.interval is not None
    assert (one.interval.low, one.interval.high) == (0.0, 1.0)
    (narrower,) = over_width(runs(8, 0.4, 0.5, 0.6), level=0.5)
    (wider,) = over_width(runs(8, 0.4, 0.5, 0.6), level=0.9)
    assert narrower.interval is not None
    assert wider.interval is not None
    assert wider.interval.low < narrower.interval.low
    assert wider.interval.high > narrower.interval.high
