import doctest
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from scipy.stats import t as student

from dcrit.empirics.measures import critical_size as module
from dcrit.empirics.measures.critical_size import (
    Psychometric,
    PsychometricPosterior,
    Sides,
    critical_size_of,
    measure_critical_size,
    posterior_of,
    posterior_of_outcomes,
    sides_of,
    sizes_and_accuracies,
    transition_width,
)
from dcrit.empirics.runs.outcomes import accuracy_above_chance
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.estimates import LEVEL, Estimate
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcome, outcomes_at

PROBLEM = Problem(modulus=31, width=48)
TRUTH = Psychometric(midpoint=250.0, width=0.12)

#: Examples that accuracies are counted on.
N_TEST = 600


def measured(n_train: Sequence[float], accuracy: Sequence[float], largest: float = 961.0) -> Estimate:
    sizes, values = np.array(n_train, dtype=np.float64), np.array(accuracy, dtype=np.float64)
    return critical_size_of(sizes, values, largest=largest, horizon=4000)


def ends(found: Estimate) -> tuple[float, float, float]:
    assert found.value is not None
    assert found.interval is not None
    return found.interval.low, found.value, found.interval.high


def accuracies(
    sizes: Sequence[float], *, world: int, scatter: float, midpoint: float = TRUTH.midpoint, width: float = TRUTH.width
) -> list[float]:
    """Accuracies counted on test examples of runs whose seeds differ in ln D_crit."""
    rng = np.random.default_rng(world)
    place = math.log(midpoint) + scatter * rng.standard_normal(len(sizes))
    expected = 1 / (1 + np.exp(-(np.log(sizes) - place) / width))
    return (rng.binomial(N_TEST, expected) / N_TEST).tolist()


def literal_density(midpoint: float, width: float, scatter: float, floor: float, run: tuple[float, float]) -> float:
    """Density of one accuracy, or the probability of its upper tail, by the definition."""
    n_train, accuracy = run

    def deviation(value: float) -> float:
        """ε/τ at which the run has that accuracy: f + (1 − f)·expit((ln D − μ − ε)/s + c), with c for 1/2 at μ."""
        curve, half = (value - floor) / (1 - floor), (0.5 - floor) / (1 - floor)
        shift = width * (math.log(curve / (1 - curve)) - math.log(half / (1 - half)))
        return (math.log(n_train) - math.log(midpoint) - shift) / scatter

    edge, high = EDGES[floor], module.TRUSTED[1]
    if accuracy >= high:
        # Smaller shifts of a run's own midpoint make it better.
        return float(student.cdf(deviation(high), module.TAIL))
    if accuracy > edge:
        slope = (deviation(accuracy - 1e-6) - deviation(accuracy + 1e-6)) / 2e-6
        return float(student.pdf(deviation(accuracy), module.TAIL)) * slope
    start = floor - 0.12
    resting = 1 / edge if floor == 0 else 0.99 / 0.24 if accuracy >= start else 0.01 / start
    return float(student.sf(deviation(edge), module.TAIL)) * resting


#: Up to where a run may rest on each floor.
EDGES = {0.0: 0.15, 0.2: 0.32, 0.3: 0.42, 0.4: 0.52}


@pytest.mark.parametrize(
    "accuracy",
    [
        (0.05, 0.4, 0.0, 0.6, 0.93),
        (0.41, 0.38, 0.35, 0.6, 0.93),
        (0.25, 0.31, 0.05, 0.22, 0.7),
        (0.15, 0.2, 0.3, 0.4, 1.0),
    ],
)
def test_the_posterior_is_the_sum_over_all_widths_scatters_and_floors(
    monkeypatch: pytest.MonkeyPatch, accuracy: tuple[float, ...]
) -> None:
    monkeypatch.setattr(module, "WIDTHS", 5)
    monkeypatch.setattr(module, "SCATTERS", 4)
    n_train, values = np.array([200.0, 250.0, 250.0, 270.0, 400.0]), np.array(accuracy)
    posterior = PsychometricPosterior(n_train=n_train, accuracy=values, largest=961)
    midpoints = np.array([150.0, 235.0, 255.0, 270.0, 300.0, 350.0, 500.0])
    expected = np.zeros(midpoints.size)
    places = itertools.product(enumerate(midpoints), np.linspace(-2.5, 2.5, 5), np.linspace(-2.5, 2.5, 4), EDGES)
    for (place, midpoint), a, b, floor in places:
        width = module.WIDTH_PRIOR[0] * math.exp(a * module.WIDTH_PRIOR[1])
        scatter = module.SCATTER_PRIOR[0] * math.exp(b * module.SCATTER_PRIOR[1])
        weight = math.exp(-(a**2) / 2 - b**2 / 2) * (0.85 if floor == 0 else 0.05)
        for size, value in zip(n_train, values, strict=True):
            weight *= literal_density(midpoint, width, scatter, floor, (size, value))
        expected[place] += weight
    found = posterior._density(np.log(midpoints)).sum(1)
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=1e-6)


def test_the_priors_of_the_floor_are_whole_and_each_density_is_one() -> None:
    assert sum(module.FLOOR_PRIOR) == pytest.approx(1)
    assert student.pdf(0, module.TAIL) == pytest.approx(module.STUDENT_PEAK)
    for floor in module.FLOORS:
        edge = module._floor_edge(floor)
        assert edge == pytest.approx(EDGES[floor])
        grid = (np.arange(20_000) + 0.5) / 20_000 * edge
        assert module._floor_density(grid, floor).mean() * edge == pytest.approx(1, abs=1e-3)


#: Sizes of a plane whose narrow models get a part right at all of them but the largest.
RESTING = (120.0, 170.0, 240.0, 330.0, 450.0)


@pytest.mark.parametrize("level", [0.2, 0.25, 0.3, 0.35, 0.4, 0.45])
@pytest.mark.parametrize("seeds", [1, 5])
def test_accuracy_that_rests_below_the_transition_is_no_slow_rise(level: float, seeds: int) -> None:
    found = measured(np.repeat(RESTING, seeds).tolist(), np.repeat([level] * 4 + [0.95], seeds).tolist(), 529.0)
    low, estimate, high = ends(found)
    # Accuracy crosses one half between 330 and 450, and the runs do not say where; one seed leaves longer tails.
    assert 340 < estimate < 400
    assert math.log(330 / low) < (0.15 if seeds == 1 else 0.02)
    assert math.log(high / 450) < (0.01 if seeds == 1 else 0.0)
    assert high / low > 1.12


def test_a_plateau_that_scatters_and_has_a_failed_run_is_a_plateau() -> None:
    values = np.repeat([0.4] * 4 + [0.95], 5) + np.r_[np.random.default_rng(4).normal(0, 0.05, 20), [0.0] * 5]
    values[3] = 0.0
    low, estimate, high = ends(measured(np.repeat(RESTING, 5).tolist(), values.tolist(), 529.0))
    assert 300 < low < 340 < estimate < high < 450


def test_accuracy_that_rises_slowly_is_no_plateau() -> None:
    sizes = np.repeat(np.geomspace(120, 500, 8), 2).tolist()
    truth = Psychometric(midpoint=240, width=0.3)
    found = measured(sizes, [truth.accuracy(size) for size in sizes])
    assert found.value == pytest.approx(240, rel=0.02)
    # Nor where nothing lies on the ground to tell it from one.
    sizes = [200.0, 225.0, 250.0, 280.0, 310.0]
    assert measured(sizes, [TRUTH.accuracy(size) for size in sizes]).value == pytest.approx(250, rel=0.02)


@pytest.mark.slow
def test_quantiles_and_width_are_those_of_an_even_fine_grid() -> None:
    sizes = [160.0, 200, 240, 280, 330]
    values = accuracies(sizes, world=3, scatter=0.05)
    posterior = PsychometricPosterior(n_train=np.array(sizes), accuracy=np.array(values), largest=961)
    grid = np.arange(math.log(961) - 4.0, math.log(961), 0.001)
    density = posterior._density(grid)
    cumulative = np.cumsum(density.sum(1)) / density.sum()
    for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
        expected = math.exp(np.interp(probability, cumulative, grid + 0.0005))
        assert posterior.quantiles([probability])[0] == pytest.approx(expected, rel=1e-3)
    log_widths = np.log(module._grid(module.WIDTH_PRIOR, module.WIDTHS))
    assert posterior.width == pytest.approx(math.exp(density.sum(0) @ log_widths / density.sum()), rel=1e-3)


@pytest.mark.parametrize("t", [-1e6, -3e3, -40.0, -1.0, -1e-9, 0.0, 0.7, 12.0, 1e5])
def test_the_closed_tail_is_that_of_students_distribution(t: float) -> None:
    assert module._log_tail(np.array([t]))[0] == pytest.approx(student.logcdf(t, module.TAIL), rel=1e-6, abs=1e-9)


def test_nothing_is_known_before_the_first_run() -> None:
    posterior = posterior_of(np.array([]), np.array([]), 961)
    low, high = np.log(posterior.quantiles([0.25, 0.75]))
    assert high - low == pytest.approx(module.BELOW_ALL / 2, abs=0.02)
    assert posterior.width == pytest.approx(module.WIDTH_PRIOR[0])


def test_a_saturated_run_tells_its_side_alone() -> None:
    one, other = (posterior_of(np.array([300.0]), np.array([value]), 961) for value in (0.86, 1.0))
    np.testing.assert_array_equal(one.quantiles([0.2, 0.5, 0.8]), other.quantiles([0.2, 0.5, 0.8]))
    assert one.quantiles([0.95])[0] < 300


@pytest.mark.parametrize("last", [0.956, 1.0])
def test_a_leap_between_two_sizes_resolves_no_more_than_their_distance(last: float) -> None:
    low, estimate, high = ends(measured([100, 180, 320], [0.0, 0.0, last]))
    assert estimate == pytest.approx(math.sqrt(180 * 320), rel=0.02)
    assert 180 < low < estimate < high < 320
    assert math.log(high / low) > 0.8 * math.log(320 / 180)
    # More seeds that agree say no more about where between the sizes it is, but for the width of the transition.
    low, _, high = ends(measured([100] * 5 + [180] * 5 + [320] * 5, [0.0] * 10 + [last] * 5))
    assert math.log(high / low) > 0.45 * math.log(320 / 180)


def test_accuracies_that_are_all_alike_on_each_side_are_handled() -> None:
    for sizes, values in (
        ([100, 200], [0.0, 1.0]),
        ([100] * 20 + [101] * 20, [0.0] * 20 + [1.0] * 20),
        ([1, 900], [0.0, 1.0]),
        ([250] * 12, [0.0] * 5 + [1.0] * 7),
    ):
        found = measured(sizes, values)
        if len(set(sizes)) == 1:
            assert found.value is None
        else:
            low, estimate, high = ends(found)
            assert low < estimate < high


RUNS = st.lists(
    st.tuples(st.integers(20, 900), st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.0, 1.0))),
    min_size=2,
    max_size=10,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(runs=RUNS, seed=st.integers(0, 9))
def test_every_estimate_lies_in_its_interval_which_says_where_it_leaves_the_sizes(
    runs: list[tuple[int, float]], seed: int
) -> None:
    sizes, values = zip(*runs, strict=True)
    found = measured(sizes, values)
    if sides_of(np.array(sizes), np.array(values)) is not Sides.BOTH:
        assert (found.value, found.interval) == (None, None)
        assert found.reason.startswith(("no transition by step 4000", "cannot tell the transition by step 4000"))
        return
    low, estimate, high = ends(found)
    assert 0 < low < estimate < high <= 961 * (1 + 1e-9)
    assert ("reaches beyond the sizes tried" in found.reason) == (low < min(sizes) or high > max(sizes))
    shuffled = np.random.default_rng(seed).permutation(len(runs))
    assert measured([sizes[k] for k in shuffled], [values[k] for k in shuffled]) == found


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(runs=RUNS, factor=st.floats(0.3, 30.0))
def test_sizes_in_other_units_give_the_same_answer_in_those(runs: list[tuple[int, float]], factor: float) -> None:
    sizes, values = np.array(runs).T
    if sides_of(sizes, values) is not Sides.BOTH:
        return
    one, other = (
        measured(sizes.tolist(), values.tolist()),
        measured((factor * sizes).tolist(), values.tolist(), factor * 961),
    )
    np.testing.assert_allclose(np.array(ends(other)) / factor, ends(one), rtol=1e-6)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(world=st.integers(0, 10_000), far=st.sampled_from([(12.0, 0.0), (25.0, 0.0), (940.0, 1.0), (800.0, 1.0)]))
def test_a_certain_size_far_away_changes_little(world: int, far: tuple[float, float]) -> None:
    sizes = [170.0, 200, 230, 260, 300, 350]
    values = accuracies(sizes, world=world, scatter=0.04)
    alone, beside = (ends(measured(s, v)) for s, v in ((sizes, values), ([*sizes, far[0]], [*values, far[1]])))
    np.testing.assert_allclose(np.log(beside), np.log(alone), atol=0.02)


def test_a_far_tail_that_never_becomes_perfect_does_not_bend_the_midpoint() -> None:
    sizes = [180.0, 215.0, 240.0, 260.0, 280.0, 315.0, 370.0] * 2
    near = [TRUTH.accuracy(size) for size in sizes]
    found = measured([*sizes, 577.0, 865.0, 577.0, 865.0], [*near, *[0.9] * 4])
    assert found.value == pytest.approx(TRUTH.midpoint, rel=0.002)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scatter", "floor"), [(0.0, 0.0), (0.066, 0.0), (0.1, 0.0), (0.066, 0.2), (0.066, 0.25), (0.066, 0.4)]
)
def test_the_interval_covers_the_truth_as_often_as_it_says(scatter: float, floor: float) -> None:
    n_experiments, covered = 40, 0
    sizes = np.repeat(np.geomspace(120, 500, 8), 2).tolist()
    for world in range(n_experiments):
        midpoint = TRUTH.midpoint * math.exp(np.random.default_rng(world).uniform(-0.1, 0.1))
        # Where the curve above the floor has come as far as accuracy one half.
        centre = midpoint * (1 - 2 * floor) ** -TRUTH.width
        curve = np.array(accuracies(sizes, world=world, scatter=scatter, midpoint=centre))
        noise = 0.03 * np.random.default_rng(world).standard_normal(len(sizes)) if floor else 0.0
        low, _, high = ends(measured(sizes, (floor + (1 - floor) * curve + noise * (1 - curve)).tolist()))
        covered += low <= midpoint <= high
    assert covered >= binom.ppf(0.01, n_experiments, LEVEL)


@pytest.mark.parametrize("width", [0.06, 0.27])
def test_the_posterior_width_tells_sharp_from_broad(width: float) -> None:
    sizes = (TRUTH.midpoint * np.exp(width * np.array([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5]))).round().tolist()
    runs = outcomes_at(PROBLEM, sizes, [Psychometric(midpoint=250, width=width).accuracy(size) for size in sizes])
    assert transition_width(runs) == pytest.approx(width, rel=0.15)
    assert transition_width(runs[:2]) is None
    assert transition_width([]) is None


def test_accuracy_is_one_half_at_the_midpoint_and_logistic_in_log_size() -> None:
    assert TRUTH.accuracy(TRUTH.midpoint) == pytest.approx(0.5)
    assert TRUTH.accuracy(TRUTH.midpoint * math.exp(TRUTH.width)) == pytest.approx(1 / (1 + math.exp(-1)))


def test_a_measurement_has_an_interval_at_the_level_asked_for_and_says_if_it_is_wide() -> None:
    sizes = [180.0, 210, 240, 260, 280, 320, 380]
    runs = outcomes_at(PROBLEM, sizes, accuracies(sizes, world=1, scatter=0.05))
    found, narrow = measure_critical_size(runs), measure_critical_size(runs, level=0.5)
    assert (found.quantity, found.unit, found.n_runs, found.n_unconverged) == ("critical_size", "examples", 7, 0)
    assert ends(found)[0] < ends(narrow)[0] < ends(found)[1] < ends(narrow)[2] < ends(found)[2]
    assert found.interval is not None
    assert narrow.interval is not None
    assert (found.interval.level, narrow.interval.level) == (LEVEL, 0.5)
    assert found.reason == ""
    assert "as narrow as asked for" in measure_critical_size(runs, tolerance=0.001).reason
    assert measure_critical_size(runs, tolerance=0.5).reason == ""


def test_quantiles_of_the_draws_are_the_interval() -> None:
    runs = outcomes_at(PROBLEM, [180, 230, 260, 320], [0.1, 0.35, 0.6, 0.9])
    draws = posterior_of_outcomes(runs).draws(4000)
    assert draws.shape == (4000,)
    low, estimate, high = ends(measure_critical_size(runs))
    np.testing.assert_allclose(np.quantile(draws, [0.05, 0.5, 0.95]), [low, estimate, high], rtol=1e-3)


def test_draws_are_the_same_in_an_order_of_their_seed() -> None:
    posterior = posterior_of(np.array([180.0, 230, 260, 320]), np.array([0.1, 0.35, 0.6, 0.9]), 961)
    one, again, other = (posterior.draws(500, seed=seed) for seed in (0, 0, (0, 1)))
    np.testing.assert_array_equal(one, again)
    np.testing.assert_allclose(np.sort(one), np.sort(other))
    # In random order: draws of two problems side by side are independent.
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(500)
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 4 / math.sqrt(500)


def test_a_posterior_is_computed_once_for_all_who_ask_in_any_order() -> None:
    n_train, accuracy = np.array([200.0, 300.0]), np.array([0.2, 0.8])
    first = posterior_of(n_train, accuracy, 961)
    assert posterior_of(n_train[::-1].copy(), accuracy[::-1].copy(), 961) is first
    for other in ((n_train, accuracy, 900), (n_train + 1, accuracy, 961), (n_train, accuracy + 0.01, 961)):
        assert posterior_of(*other) is not first


def test_diverged_runs_are_counted_and_left_out() -> None:
    runs = outcomes_at(PROBLEM, [180, 230, 260, 320], [0.1, 0.35, 0.6, 0.9])
    lost = [
        outcome(RunConfig(problem=PROBLEM, n_train=260, seed=50 + k), test_accuracy=math.nan, converged=False)
        for k in range(3)
    ]
    alone, beside = measure_critical_size(runs), measure_critical_size([*lost, *runs])
    assert (beside.value, beside.interval, beside.n_runs) == (alone.value, alone.interval, 4)
    assert (alone.n_unconverged, beside.n_unconverged) == (0, 3)


@pytest.mark.parametrize(
    ("sizes", "values", "sides", "said"),
    [
        ((100, 200), (0.1, 0.3), Sides.BELOW, "below one half at every size: 100 (0.10), 200 (0.30)"),
        ((100, 200), (0.6, 0.9), Sides.ABOVE, "one half or more at every size: 100 (0.60), 200 (0.90)"),
        ((100, 200), (0.6, 0.3), Sides.FALLING, "of one half or more: 100 (0.60), 200 (0.30)"),
        ((100, 100, 200), (0.9, 0.2, 0.3), Sides.FALLING, "of one half or more: 100 (0.55), 200 (0.30)"),
    ],
)
def test_no_transition_is_an_outcome_with_its_horizon(
    sizes: tuple[int, ...], values: tuple[float, ...], sides: Sides, said: str
) -> None:
    runs = outcomes_at(PROBLEM, sizes, values)
    assert sides_of(*sizes_and_accuracies(runs)) is sides
    found = measure_critical_size(runs)
    assert (found.value, found.interval, found.n_runs) == (None, None, len(sizes))
    what = "cannot tell the transition" if sides is Sides.FALLING else "no transition"
    assert found.reason.startswith(f"{what} by step 4000: mean test accuracy is ")
    assert found.reason.endswith(said)


def test_where_no_run_has_an_accuracy_nothing_is_measured() -> None:
    assert measure_critical_size([]).reason == "no transition at the horizon: no run has a test accuracy"
    lost = measure_critical_size(outcomes_at(PROBLEM, [100, 200], [math.nan, math.nan]))
    assert (lost.value, lost.n_runs, lost.n_unconverged) == (None, 0, 2)
    assert lost.reason == "no transition by step 4000: no run has a test accuracy"
    assert sides_of(np.array([]), np.array([])) is Sides.NO_RUN


def test_runs_of_two_horizons_are_never_mixed() -> None:
    probe = outcome(RunConfig(problem=PROBLEM, n_train=200, seed=9, steps=400), test_accuracy=0.9)
    runs = [*outcomes_at(PROBLEM, [180, 320], [0.1, 0.9]), probe]
    with pytest.raises(ValueError, match=r"outcomes must have one horizon, got \[400, 4000\]"):
        measure_critical_size(runs)
    with pytest.raises(ValueError, match="outcomes must have one horizon"):
        posterior_of_outcomes(runs)


@pytest.mark.parametrize(
    ("accuracy", "n_classes", "counted"),
    [(0.5, 2, 0.0), (0.75, 2, 0.5), (1.0, 2, 1.0), (0.3, 2, 0.0), (0.5, 3, 0.5), (0.04, 23, 0.04)],
)
def test_with_two_classes_a_guess_counts_nothing(accuracy: float, n_classes: int, counted: float) -> None:
    assert accuracy_above_chance(accuracy, n_classes) == pytest.approx(counted)


def test_the_critical_size_of_two_classes_is_midway_between_chance_and_certainty() -> None:
    problem = Problem(task="sparse-parity", modulus=10)
    sizes = [60, 80, 100, 125, 160, 200]
    truth = Psychometric(midpoint=110, width=0.2)
    runs = outcomes_at(problem, sizes, [0.5 + truth.accuracy(size) / 2 for size in sizes])
    assert measure_critical_size(runs).value == pytest.approx(110, rel=1e-2)
    guesses = outcomes_at(problem, sizes, [0.5, 0.51, 0.49, 0.52, 0.5, 0.51])
    assert "below one half at every size" in measure_critical_size(guesses).reason


def test_the_example_holds() -> None:
    attempted = doctest.testmod(module)
    assert attempted.attempted >= 5
    assert attempted.failed == 0
