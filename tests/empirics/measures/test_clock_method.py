import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from dcrit.empirics.measures.clock_method import (
    DRAWS,
    FIRST,
    FIRST_CUT,
    MOST_RUNS,
    SCATTER,
    ClockDesign,
    TimedRun,
    timed,
    timed_runs,
)
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.ensemble import train
from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=31, width=64)


DESIGN = ClockDesign(problem=PROBLEM, law=thresholds_of(PROBLEM), steps=4000)


def experiment(design: ClockDesign, world: int, *, shift: float | None = None) -> tuple[list[TimedRun], float]:
    """Runs whose times are drawn from a clock with other constants and another prefactor, and the size they hide."""
    assert design.law is not None
    rng, scatter = np.random.default_rng(world), SCATTER
    clock = design.law.drawn_clocks(design.problem, DRAWS + 1 + world)[-1]
    factor = math.exp(0.12 * rng.standard_normal()) if shift is None else shift
    runs: list[TimedRun] = []
    while configs := design.propose(runs):
        (config,) = configs
        time = float(clock.time(config.n_train / factor * math.exp(scatter * rng.standard_normal())))
        passes = time <= config.horizon
        last = min(config.horizon, math.ceil(time + 75)) if passes else config.horizon
        runs.append(TimedRun(config=config, time=time if passes else None, last_step=last))
    return runs, factor * float(clock.critical_size(0.95 * design.horizon))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "steps"),
    [
        (PROBLEM, 1000),
        (Problem(modulus=59, width=128), 10_000),
        (Problem(modulus=67, width=128, activation="relu"), 4000),
    ],
)
def test_sizes_hidden_in_times_are_found_and_intervals_cover_them(problem: Problem, steps: int) -> None:
    design = ClockDesign(problem=problem, law=thresholds_of(problem), steps=steps)
    errors: list[float] = []
    covered, n_experiments = 0, 20
    for world in range(n_experiments):
        runs, hidden = experiment(design, world)
        found = design.measure(runs)
        assert found.value is not None
        assert found.interval is not None
        errors.append(abs(math.log(found.value / hidden)))
        covered += hidden in found.interval
        assert 2 <= len(runs) <= MOST_RUNS
        assert sum(one.last_step for one in runs) <= steps
    assert np.median(errors) < 0.04
    assert covered >= binom.ppf(0.001, n_experiments, LEVEL)


def test_of_transformers_it_says_nothing_as_measurements_proved_it_wrong() -> None:
    problem = Problem(modulus=59, width=32, model="transformer", activation="relu", learning_rate=3e-3)
    design = ClockDesign(problem=problem, law=thresholds_of(problem))
    assert design.propose([]) == []
    found = design.measure([])
    assert (found.value, found.interval, found.n_runs) == (None, None, 0)
    assert found.reason.startswith("cannot tell: short runs of a transformer put the size too high")


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.8, 1.3])
def test_the_prefactor_of_the_law_is_not_taken_as_true(shift: float) -> None:
    for world in range(3):
        runs, hidden = experiment(DESIGN, world, shift=shift)
        found = DESIGN.measure(runs)
        assert found.value == pytest.approx(hidden, rel=0.12)
        assert abs(math.log(found.value / hidden)) < 0.5 * abs(math.log(shift))  # type: ignore[operator]


def test_the_first_run_is_well_above_and_later_ones_go_nearer() -> None:
    clock = thresholds_of(PROBLEM).clocks(PROBLEM).half
    (first,) = DESIGN.propose([])
    assert first.n_train == round(FIRST * float(clock.critical_size(4000)))
    assert (first.until, first.start, first.horizon, first.seed) == ("half", "scratch", FIRST_CUT * 4000, 0)
    runs, _ = experiment(DESIGN, 1)
    sizes = [one.config.n_train for one in runs]
    assert min(sizes[1:]) < sizes[0]
    assert [one.config.seed for one in runs] == list(range(len(runs)))
    # A short horizon would be passed faster than by any run that the law is from.
    (early,) = replace(DESIGN, steps=600).propose([])
    at_horizon, earliest = clock.critical_size([600, thresholds_of(PROBLEM).calibrated.steps[0]]).tolist()
    assert 1.05 * at_horizon < early.n_train <= max(1.1 * at_horizon, earliest) + 1


def test_a_run_that_does_not_pass_in_time_counts() -> None:
    (first,) = DESIGN.propose([])
    failed = TimedRun(config=first, time=None, last_step=first.horizon)
    (second,) = DESIGN.propose([failed])
    assert second.n_train > first.n_train
    passed = TimedRun(config=second, time=1000.0, last_step=1075)
    both, alone = DESIGN.measure([failed, passed]), DESIGN.measure([passed])
    assert both.n_runs == 2
    assert (both.value or 0) >= (alone.value or 0)
    # One that nearly contradicts the other moves the size.
    near = replace(passed, config=replace(second, n_train=round(1.02 * first.n_train)))
    assert (DESIGN.measure([failed, near]).value or 0) > 1.01 * (DESIGN.measure([near]).value or 0)


def test_without_a_run_that_passes_there_is_no_size() -> None:
    runs: list[TimedRun] = []
    while configs := DESIGN.propose(runs):
        runs += [TimedRun(config=one, time=None, last_step=one.horizon) for one in configs]
        assert sum(one.last_step for one in runs) <= 4000
    found = DESIGN.measure(runs)
    assert (found.value, found.interval, found.n_runs) == (None, None, len(runs))
    assert found.reason.startswith(f"cannot tell: no run passed test accuracy 1/2: {runs[0].config.n_train} (by step")
    assert DESIGN.measure([]).reason == "cannot tell: no run was made"


def test_where_no_law_speaks_nothing_is_trained() -> None:
    design = ClockDesign(problem=Problem(modulus=31, width=64, model="transformer", activation="relu"), law=None)
    assert design.propose([]) == []
    assert design.measure([]).reason == "cannot tell: no law of the time to generalize speaks for this problem"
    narrow = ClockDesign(problem=Problem(modulus=97, width=8), law=thresholds_of(PROBLEM))
    assert narrow.propose([]) == []
    assert "there are 12.1 symbols per unit of width" in narrow.measure([]).reason


def test_diverged_runs_are_counted_and_left_out() -> None:
    runs, _ = experiment(DESIGN, 0)
    lost = replace(runs[0], time=None, diverged=True)
    alone, beside = DESIGN.measure(runs), DESIGN.measure([*runs, lost])
    assert (beside.value, beside.n_runs, beside.n_unconverged) == (alone.value, len(runs), 1)


@pytest.mark.parametrize(("max_runs", "budget"), [(1, 1.0), (2, 1.0), (4, 0.6), (4, 0.1)])
def test_both_limits_hold(max_runs: int, budget: float) -> None:
    design = replace(DESIGN, max_runs=max_runs, budget=budget, tolerance=1e-6)
    runs, _ = experiment(design, 3)
    assert len(runs) <= max_runs
    assert sum(one.last_step for one in runs) <= budget * 4000
    assert (len(runs) == 0) == (budget == 0.1)


@pytest.mark.parametrize("field", [{"tolerance": 0.0}, {"budget": 0.0}, {"max_runs": -1}, {"steps": -1}])
def test_a_bad_design_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        replace(DESIGN, **field)  # type: ignore[arg-type]


def test_outside_the_calibration_is_said() -> None:
    runs, _ = experiment(DESIGN, 0)
    assert not DESIGN.measure(runs).extrapolated
    faster = replace(DESIGN, problem=replace(PROBLEM, learning_rate=0.02))
    assert faster.measure(runs).extrapolated


def test_a_time_is_read_where_accuracy_passes_one_half() -> None:
    config = RunConfig(problem=PROBLEM, n_train=400, seed=0, steps=1000, until="half")
    steps = np.array(config.evaluation_steps(), dtype=np.float64)
    found = timed(run_of(config, test_accuracy=steps / 1000))
    assert found.time == pytest.approx(500.0)
    assert (found.last_step, found.diverged) == (1000, False)
    assert timed(run_of(config, test_accuracy=0.4)).time is None


def trained(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
    assert "by the clock" in stage
    return train(configs)


@pytest.mark.slow
def test_a_small_problem_is_measured_with_one_horizon_of_steps() -> None:
    problem = Problem(modulus=17, width=64)
    design = ClockDesign(problem=problem, law=thresholds_of(problem))
    runs = timed_runs(design, trained)
    found = design.measure(runs)
    # `dcrit measure critical-size --modulus 17 --width 64` has 116 (113 – 122), by its other method.
    assert found.value == pytest.approx(116, rel=0.06)
    assert found.interval is not None
    assert 116 in found.interval
    assert sum(one.last_step for one in runs) <= 4000
    assert all(one.last_step < one.config.horizon for one in runs if one.time is not None and one.time < 700)
