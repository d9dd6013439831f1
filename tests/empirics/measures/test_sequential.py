import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from dcrit.empirics.measures import sequential as module
from dcrit.empirics.measures.critical_size import COARSE_FRACTIONS
from dcrit.empirics.measures.sequential import (
    PsychometricPosterior,
    SequentialDesign,
    full_runs,
    measure_sequentially,
    midpoint_draws,
    posterior_of,
    sequential_transition_width,
)
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcome

PROBLEM = Problem(modulus=31, width=48)

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


def literal_density(midpoint: float, width: float, scatter: float, n_train: float, accuracy: float) -> float:
    """Density of one accuracy, or the probability of its tail, by the definition."""
    low, high = module.TRUSTED
    if low < accuracy < high:
        shift = math.log(n_train) - math.log(midpoint) - width * math.log(accuracy / (1 - accuracy))
        return float(student.pdf(shift / scatter, module.TAIL)) * width / (scatter * accuracy * (1 - accuracy))
    edge = high if accuracy >= high else low
    # A run is at that edge if its own midpoint is shifted by so much; smaller shifts make it better.
    shift = math.log(n_train) - math.log(midpoint) - width * math.log(edge / (1 - edge))
    return float(
        student.cdf(shift / scatter, module.TAIL) if edge == high else student.sf(shift / scatter, module.TAIL)
    )


def test_the_posterior_is_the_sum_over_all_widths_and_scatters(monkeypatch: pytest.MonkeyPatch) -> None:
    n_train, accuracy = np.array([200.0, 250.0, 270.0, 400.0]), np.array([0.05, 0.4, 0.6, 0.93])
    posterior = PsychometricPosterior(n_train=n_train, accuracy=accuracy, largest=961)
    log_sizes = np.log([235.0, 255.0, 270.0])
    monkeypatch.setattr(PsychometricPosterior, "log_sizes", log_sizes)
    widths, scatters = (module._grid(prior, n) for prior, n in ((module.WIDTH_PRIOR, 25), (module.SCATTER_PRIOR, 13)))
    expected = np.zeros(3)
    for place, midpoint in enumerate(np.exp(log_sizes)):
        for width in widths[::6]:
            for scatter in scatters[3::4]:
                weight = math.exp(
                    -0.5 * (math.log(width / module.WIDTH_PRIOR[0]) / module.WIDTH_PRIOR[1]) ** 2
                    - 0.5 * (math.log(scatter / module.SCATTER_PRIOR[0]) / module.SCATTER_PRIOR[1]) ** 2
                )
                for size, value in zip(n_train, accuracy, strict=True):
                    weight *= literal_density(midpoint, width, scatter, size, value)
                expected[place] += weight
    monkeypatch.setattr(
        module, "_grid", lambda prior, n: widths[::6] if prior is module.WIDTH_PRIOR else scatters[3::4]
    )
    found = posterior._posterior.sum(1)
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=1e-6)


def test_nothing_is_known_before_the_first_run() -> None:
    posterior = PsychometricPosterior(n_train=np.array([]), accuracy=np.array([]), largest=961)
    low, high = np.log(posterior.quantiles([0.25, 0.75]))
    assert high - low == pytest.approx(2.0, abs=0.02)  # half of the four that the grid spans
    assert posterior.width == pytest.approx(module.WIDTH_PRIOR[0])


def test_a_saturated_run_tells_its_side_alone() -> None:
    runs = [(300.0, 0.86), (300.0, 0.9999)]
    one, other = (
        PsychometricPosterior(n_train=np.array([size]), accuracy=np.array([value]), largest=961) for size, value in runs
    )
    assert one.quantiles([0.2, 0.5, 0.8]) == pytest.approx(other.quantiles([0.2, 0.5, 0.8]))
    assert one.quantiles([0.95])[0] < 300


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scatter"), [(0.06, 0.02), (0.12, 0.03), (0.27, 0.04)])
def test_intervals_cover_the_truth_within_a_tenth_of_the_grid(width: float, scatter: float) -> None:
    covered, costs, narrow, n_experiments = 0, [], 0, 15
    for world in range(n_experiments):
        midpoint = 961 * float(np.random.default_rng(world).uniform(0.2, 0.6))
        outcomes = measured(
            SequentialDesign(problem=PROBLEM), midpoint=midpoint, width=width, scatter=scatter, world=world
        )
        found = measure_sequentially(outcomes, tolerance=0.05)
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
    assert [one.n_train for one in probes] == [round(fraction * 961) for fraction in COARSE_FRACTIONS]
    assert {one.horizon for one in probes} == {400}
    assert [one.seed for one in probes] == list(range(7, 13))
    outcomes = measured(design)
    full = [one for one in outcomes if one.config.horizon == 4000]
    assert {one.config.until for one in full} == {"generalized"}
    assert len({one.config.seed for one in outcomes}) == len(outcomes)
    misled = [replace(one, test_accuracy=0.0) if one.config.horizon == 400 else one for one in outcomes]
    assert measure_sequentially(misled) == measure_sequentially(outcomes) == measure_sequentially(full)
    assert measure_sequentially(full).n_runs == len(full)


@pytest.mark.parametrize("start", [130.0, 260.0, 520.0])
def test_a_start_says_where_to_look_and_never_what_is_found(start: float) -> None:
    outcomes = measured(SequentialDesign(problem=PROBLEM, start=start))
    assert all(one.config.horizon == 4000 for one in outcomes)
    first = [one.config.n_train for one in outcomes[:2]]
    assert first[0] < start < first[1]
    found = measure_sequentially(outcomes)
    assert found.value == pytest.approx(260, rel=0.08)


def test_the_budget_is_kept_and_a_wide_interval_is_said_to_be_wide() -> None:
    design = SequentialDesign(problem=PROBLEM, tolerance=0.01, budget=4.7)
    outcomes = measured(design)
    assert 3.6 < horizons(outcomes) <= 4.7
    assert "budget" in measure_sequentially(outcomes, tolerance=0.01).reason
    assert measure_sequentially(outcomes).reason == ""
    assert horizons(measured(replace(design, budget=12.0))) > horizons(outcomes)


@pytest.mark.parametrize(("accuracy", "says"), [(0.03, "does not reach one half"), (0.97, "reaches one half")])
def test_no_transition_is_an_outcome(accuracy: float, says: str) -> None:
    design = SequentialDesign(problem=PROBLEM)
    outcomes: list[Outcome] = []
    while configs := design.propose(outcomes):
        outcomes += [outcome(config, test_accuracy=accuracy) for config in configs]
        assert len(outcomes) < 20
    found = measure_sequentially(outcomes)
    assert (found.value, found.interval) == (None, None)
    assert says in found.reason


def test_nothing_is_measured_from_no_runs() -> None:
    assert measure_sequentially([]).value is None
    assert "measured" in measure_sequentially([]).reason


def test_diverged_runs_are_counted_and_left_out() -> None:
    outcomes = measured(SequentialDesign(problem=PROBLEM))
    lost = [
        outcome(RunConfig(problem=PROBLEM, n_train=260, seed=900 + k), test_accuracy=math.nan, converged=False)
        for k in range(2)
    ]
    alone, beside = measure_sequentially(outcomes), measure_sequentially([*lost, *outcomes])
    assert (beside.value, beside.interval, beside.n_runs) == (alone.value, alone.interval, alone.n_runs)
    assert (alone.n_unconverged, beside.n_unconverged) == (0, 2)


def test_quantiles_of_the_draws_are_the_interval() -> None:
    outcomes = measured(SequentialDesign(problem=PROBLEM))
    draws = midpoint_draws(outcomes, 4000)
    assert draws.shape == (4000,)
    for level in (0.5, LEVEL, 0.99):
        interval = measure_sequentially(outcomes, level=level).interval
        assert interval is not None
        quantiles = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        np.testing.assert_allclose(quantiles, [interval.low, interval.high], rtol=1e-3)
    assert np.median(draws) == pytest.approx(measure_sequentially(outcomes).value, rel=1e-3)


def test_draws_are_the_same_in_an_order_of_their_seed() -> None:
    outcomes = measured(SequentialDesign(problem=PROBLEM))
    one, again, other = (midpoint_draws(outcomes, 500, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(np.sort(one), np.sort(other))
    # In random order: draws of two problems side by side are independent.
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(500)
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 4 / math.sqrt(500)


def test_probes_enter_neither_draws_nor_width() -> None:
    outcomes = measured(SequentialDesign(problem=PROBLEM))
    full = full_runs(outcomes)
    assert full == [one for one in outcomes if one.config.horizon == 4000]
    assert 0 < len(full) < len(outcomes)
    np.testing.assert_array_equal(midpoint_draws(outcomes, 100), midpoint_draws(full, 100))
    assert sequential_transition_width(outcomes) == sequential_transition_width(full)
    assert full_runs([]) == []


@pytest.mark.parametrize("width", [0.06, 0.27])
def test_the_posterior_width_tells_sharp_from_broad(width: float) -> None:
    outcomes = measured(SequentialDesign(problem=PROBLEM, tolerance=0.01, budget=12.0), width=width)
    assert sequential_transition_width(outcomes) == pytest.approx(width, rel=0.5)


def test_a_posterior_is_computed_once_for_all_who_ask() -> None:
    n_train, accuracy = np.array([200.0, 300.0]), np.array([0.2, 0.8])
    first = posterior_of(n_train, accuracy, 961)
    alone = PsychometricPosterior(n_train=n_train, accuracy=accuracy, largest=961)
    assert first.interval() == alone.interval()
    assert posterior_of(n_train.copy(), accuracy.copy(), 961) is first
    for other in ((n_train, accuracy, 900), (n_train + 1, accuracy, 961), (n_train, accuracy + 0.01, 961)):
        assert posterior_of(*other) is not first


def test_without_a_transition_there_is_no_width() -> None:
    flat = [outcome(RunConfig(problem=PROBLEM, n_train=size, seed=size), test_accuracy=0.1) for size in (200, 800)]
    assert sequential_transition_width(flat) is None
    assert sequential_transition_width([]) is None


@pytest.mark.parametrize("modulus", [3, 5, 7])
def test_small_problems_leave_pairs_to_test_on(modulus: int) -> None:
    problem = Problem(modulus=modulus)
    for midpoint in (0.2, 0.9):
        outcomes = measured(SequentialDesign(problem=problem), midpoint=midpoint * modulus**2, width=0.2)
        assert all(1 <= one.config.n_train <= problem.n_pairs - 1 for one in outcomes)


@pytest.mark.parametrize(
    "field", [{"tolerance": 0.0}, {"budget": -1.0}, {"first_seed": -1}, {"steps": -1}, {"start": 0.0}]
)
def test_a_bad_design_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        SequentialDesign(problem=PROBLEM, **field)  # type: ignore[arg-type]
