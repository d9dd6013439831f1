import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from dcrit.empirics.measures.capacity import FRACTIONS, OVERLOADED, CapacityDesign, measure_capacity, memorized_count
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcome

PROBLEM = Problem(modulus=11, width=4)
RANDOM = PROBLEM.on_random_labels()


def remembering(counts: list[float], n_train: int = 121) -> list[Outcome]:
    """Runs that know so many examples by heart and guess the others, one class in eleven right."""
    return [
        outcome(
            RunConfig(problem=RANDOM, n_train=n_train, seed=seed),
            train_accuracy=(count + (n_train - count) / 11) / n_train,
            converged=False,
        )
        for seed, count in enumerate(counts)
    ]


def test_the_design_loads_random_labels_on_the_model_of_the_problem() -> None:
    problem = Problem(task="mul", modulus=13, width=3, activation="relu", weight_decay=0.5)
    configs = CapacityDesign(problem=problem, seeds=2, first_seed=4).configs()
    assert [(c.n_train, c.seed) for c in configs] == [(round(f * 144), seed) for f in FRACTIONS for seed in (4, 5)]
    assert {c.problem for c in configs} == {replace(problem, task="random", modulus=12)}
    assert {c.until for c in configs} == {"horizon"}
    assert max(FRACTIONS) == 1


@pytest.mark.parametrize(("field", "value"), [("seeds", 0), ("first_seed", -1)])
def test_a_bad_design_is_refused(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=field):
        CapacityDesign(problem=PROBLEM, **{field: value})


@pytest.mark.parametrize("count", [0.0, 17.0, 100.0])
@pytest.mark.parametrize("n_train", [97, 121])
def test_lucky_guesses_do_not_count(count: float, n_train: int) -> None:
    (run,) = remembering([count] if count <= n_train else [n_train], n_train)
    assert memorized_count(run) == pytest.approx(min(count, n_train), abs=1e-9)


def test_capacity_is_the_mean_count_of_overloaded_runs() -> None:
    counts = [60.0, 64.0, 70.0, 66.0]
    found = measure_capacity(remembering(counts))
    assert (found.quantity, found.unit, found.n_runs, found.n_unconverged) == ("capacity", "examples", 4, 0)
    assert found.value == pytest.approx(65.0)
    assert found.interval is not None
    # Standard deviation √(52/3) of four, and Student's 2.3534 for three degrees of freedom.
    half = 2.3533634 * math.sqrt(52 / 3 / 4)
    assert (found.interval.low, found.interval.high) == pytest.approx((65 - half, 65 + half), rel=1e-6)
    assert found.interval.level == LEVEL


def test_the_level_decides_the_interval() -> None:
    runs = remembering([60.0, 64.0, 70.0, 66.0])
    wide, narrow = measure_capacity(runs, level=0.99).interval, measure_capacity(runs, level=0.5).interval
    assert wide is not None
    assert narrow is not None
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (wide.level, narrow.level) == (0.99, 0.5)


def test_a_capacity_is_not_below_nothing() -> None:
    interval = measure_capacity(remembering([1.0, 9.0])).interval
    assert interval is not None
    assert interval.low == 0.0
    unlucky = measure_capacity([replace(one, train_accuracy=0.0) for one in remembering([0.0, 0.0])])
    assert unlucky.value == 0.0
    assert unlucky.interval is not None
    assert (unlucky.interval.low, unlucky.interval.high) == (0.0, 0.0)


def test_runs_of_which_nearly_everything_is_memorized_say_nothing() -> None:
    full = [outcome(one.config, train_accuracy=OVERLOADED) for one in remembering([0.0, 0.0, 0.0], n_train=97)]
    loaded = remembering([80.0, 84.0])
    mixed = measure_capacity([*full, *loaded])
    assert mixed.value == pytest.approx(82.0)
    assert mixed.n_runs == 2


def test_a_model_with_room_for_everything_has_no_measured_capacity() -> None:
    found = measure_capacity(remembering([121.0] * 6))
    assert (found.value, found.interval, found.n_runs) == (None, None, 6)
    assert "not overloaded" in found.reason
    assert "121" in found.reason


def test_one_overloaded_run_is_not_enough() -> None:
    assert measure_capacity(remembering([60.0, 121.0])).value is None
    assert measure_capacity([]).value is None


def test_diverged_runs_are_counted_and_left_out() -> None:
    runs = remembering([60.0, 70.0])
    lost = [replace(one, train_accuracy=math.nan) for one in remembering([0.0])]
    found = measure_capacity([*runs, *lost])
    assert (found.value, found.n_runs, found.n_unconverged) == (pytest.approx(65.0), 2, 1)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    truth, n_experiments, covered = 65.0, 300, 0
    for experiment in range(n_experiments):
        rng = np.random.default_rng(experiment)
        interval = measure_capacity(remembering((truth + 3 * rng.standard_normal(6)).tolist())).interval
        assert interval is not None
        covered += truth in interval
    low, high = binom.interval(0.999, n_experiments, LEVEL)
    assert low <= covered <= high
