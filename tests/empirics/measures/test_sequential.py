import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.sequential import PROBE_SIZES, SequentialDesign
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcome

PROBLEM = Problem(modulus=31, width=48)
DESIGN = SequentialDesign(problem=PROBLEM)

#: Examples that accuracies are counted on.
N_TEST = 600


def simulated(config: RunConfig, *, midpoint: float, width: float, scatter: float, world: int) -> Outcome:
    """A run whose accuracy is counted on test examples; seeds differ in ln D_crit, and short runs lag behind."""
    rng = np.random.default_rng([world, config.n_train, config.seed, config.horizon])
    lag = rng.normal(0.3, 0.07) if config.horizon < RunConfig(problem=config.problem, n_train=1, seed=0).horizon else 0
    place = math.log(midpoint) + lag + scatter * rng.standard_normal()
    accuracy = 1 / (1 + math.exp(-(math.log(config.n_train) - place) / width))
    return outcome(config, test_accuracy=rng.binomial(N_TEST, accuracy) / N_TEST)


def measured(
    design: SequentialDesign,
    *,
    midpoint: float = 260.0,
    width: float = 0.12,
    scatter: float = 0.03,
    world: int = 0,
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while configs := design.propose(outcomes):
        outcomes += [
            simulated(config, midpoint=midpoint, width=width, scatter=scatter, world=world) for config in configs
        ]
    return outcomes


def horizons(outcomes: Sequence[Outcome]) -> float:
    return sum(one.config.horizon for one in outcomes) / max(one.config.horizon for one in outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scatter"), [(0.06, 0.02), (0.12, 0.03), (0.27, 0.04)])
def test_intervals_cover_the_truth_within_a_tenth_of_the_grid(width: float, scatter: float) -> None:
    covered, costs, narrow, n_experiments = 0, [], 0, 15
    for world in range(n_experiments):
        midpoint = 961 * float(np.random.default_rng(world).uniform(0.2, 0.6))
        outcomes = measured(DESIGN, midpoint=midpoint, width=width, scatter=scatter, world=world)
        found = DESIGN.measure(outcomes)
        assert found.interval is not None
        covered += midpoint in found.interval
        narrow += math.log(found.interval.high / found.interval.low) / 2 <= 0.05
        costs.append(horizons(outcomes))
    assert max(costs) <= 60 / 10
    assert np.mean(costs) < 5.2
    assert covered >= binom.ppf(0.001, n_experiments, LEVEL)
    assert narrow >= 0.7 * n_experiments


def test_probes_come_first_are_short_and_never_estimated_from() -> None:
    design = SequentialDesign(problem=PROBLEM, first_seed=7)
    probes = design.propose([])
    assert [one.n_train for one in probes] == [round(fraction * 961) for fraction in PROBE_SIZES]
    assert {one.horizon for one in probes} == {400}
    assert [one.seed for one in probes] == list(range(7, 13))
    outcomes = measured(design)
    full = [one for one in outcomes if one.config.horizon == 4000]
    assert {one.config.until for one in full} == {"generalized"}
    assert len({one.config.seed for one in outcomes}) == len(outcomes)
    misled = [replace(one, test_accuracy=0.0) if one.config.horizon == 400 else one for one in outcomes]
    assert design.full_runs(outcomes) == full
    assert design.measure(misled) == design.measure(outcomes) == measure_critical_size(full, tolerance=0.05)
    assert design.measure(outcomes).n_runs == len(full)


@pytest.mark.parametrize("start", [130.0, 260.0, 520.0])
def test_a_start_says_where_to_look_and_never_what_is_found(start: float) -> None:
    outcomes = measured(SequentialDesign(problem=PROBLEM, start=start))
    assert all(one.config.horizon == 4000 for one in outcomes)
    first = [one.config.n_train for one in outcomes[:2]]
    assert first[0] < start < first[1]
    found = DESIGN.measure(outcomes)
    assert found.value == pytest.approx(260, rel=0.08)


def test_the_budget_is_kept_and_a_wide_interval_is_said_to_be_wide() -> None:
    design = SequentialDesign(problem=PROBLEM, tolerance=0.01, budget=4.7)
    outcomes = measured(design)
    assert 3.6 < horizons(outcomes) <= 4.7
    assert "ended before the interval was as narrow as asked for" in design.measure(outcomes).reason
    assert measure_critical_size(design.full_runs(outcomes)).reason == ""
    assert horizons(measured(replace(design, budget=12.0))) > horizons(outcomes)


@pytest.mark.parametrize(("accuracy", "says"), [(0.03, "below one half"), (0.97, "one half or more")])
def test_no_transition_is_an_outcome(accuracy: float, says: str) -> None:
    design = SequentialDesign(problem=PROBLEM)
    outcomes: list[Outcome] = []
    while configs := design.propose(outcomes):
        outcomes += [outcome(config, test_accuracy=accuracy) for config in configs]
        assert len(outcomes) < 20
    found = design.measure(outcomes)
    assert (found.value, found.interval) == (None, None)
    assert says in found.reason


@pytest.mark.parametrize("budget", [0.3, 1.0, 1.59])
def test_from_probes_alone_nothing_is_measured(budget: float) -> None:
    design = SequentialDesign(problem=PROBLEM, budget=budget)
    outcomes = measured(design)
    assert {one.config.horizon for one in outcomes} == {400}
    # Their accuracies pass one half, and say nothing of the horizon.
    assert min(one.test_accuracy for one in outcomes) < 0.5 < max(one.test_accuracy for one in outcomes)
    found = design.measure(outcomes)
    assert (found.value, found.interval, found.n_runs) == (None, None, 0)
    assert found.reason == f"not measured: a budget of {budget:g} horizons left no full run"
    limited = replace(design, budget=9.0, max_runs=6)
    assert limited.propose(outcomes) == []
    assert "a budget of 9 horizons and at most 6 runs left no full run" in limited.measure(outcomes).reason
    assert design.measure([]).value is None


@pytest.mark.parametrize("max_runs", [1, 5, 6, 7, 12, 17])
def test_a_maximum_of_runs_is_a_maximum(max_runs: int) -> None:
    # A narrow tolerance and a large budget, so that nothing else ends the measurement.
    design = SequentialDesign(problem=PROBLEM, tolerance=1e-6, budget=100.0, max_runs=max_runs)
    assert len(measured(design)) == max_runs


def test_diverged_runs_are_counted_and_left_out() -> None:
    outcomes = measured(DESIGN)
    lost = [
        outcome(RunConfig(problem=PROBLEM, n_train=260, seed=900 + k), test_accuracy=math.nan, converged=False)
        for k in range(2)
    ]
    alone, beside = DESIGN.measure(outcomes), DESIGN.measure([*lost, *outcomes])
    assert (beside.value, beside.interval, beside.n_runs) == (alone.value, alone.interval, alone.n_runs)
    assert (alone.n_unconverged, beside.n_unconverged) == (0, 2)


@pytest.mark.parametrize("modulus", [3, 5, 7])
def test_small_problems_leave_pairs_to_test_on(modulus: int) -> None:
    problem = Problem(modulus=modulus)
    for midpoint in (0.2, 0.9):
        outcomes = measured(SequentialDesign(problem=problem), midpoint=midpoint * modulus**2, width=0.2)
        assert all(1 <= one.config.n_train <= problem.n_pairs - 1 for one in outcomes)


@pytest.mark.parametrize(
    "field", [{"tolerance": 0.0}, {"budget": -1.0}, {"first_seed": -1}, {"steps": -1}, {"start": 0.0}, {"max_runs": 0}]
)
def test_a_bad_design_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        SequentialDesign(problem=PROBLEM, **field)  # type: ignore[arg-type]


def test_runs_that_all_diverge_end_the_measurement() -> None:
    outcomes: list[Outcome] = []
    while configs := DESIGN.propose(outcomes):
        outcomes += [outcome(config, test_accuracy=math.nan, converged=False) for config in configs]
        assert len(outcomes) < 20
    found = DESIGN.measure(outcomes)
    assert (found.value, found.n_runs) == (None, 0)
    assert found.n_unconverged == len(DESIGN.full_runs(outcomes)) == 4
    assert found.reason == "no transition by step 4000: no run has a test accuracy"
