import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from dcrit.empirics.measures import critical_size as module
from dcrit.empirics.measures.critical_size import (
    COARSE_FRACTIONS,
    CriticalSizeDesign,
    Psychometric,
    accuracy_above_chance,
    bootstrap_midpoints,
    fit_psychometric,
    measure_critical_size,
    sizes_and_accuracies,
    transition_width,
)
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.estimates import LEVEL, interval_of
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcome, outcomes_at

PROBLEM = Problem(modulus=31, width=48)
TRUTH = Psychometric(midpoint=260.0, width=0.12)

#: Examples that accuracies are counted on.
N_TEST = 100


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round bootstraps its interval, which takes most of the time; its ends need not be exact here."""
    monkeypatch.setattr(module, "RESAMPLES", 12)


def simulated(config: RunConfig, truth: Psychometric = TRUTH, *, scatter: float = 0.0, world: int = 0) -> Outcome:
    """A run whose accuracy is counted on test examples; seeds differ in ln D_crit by ``scatter``."""
    rng = np.random.default_rng([world, config.n_train, config.seed])
    mine = replace(truth, midpoint=truth.midpoint * math.exp(scatter * rng.standard_normal()))
    return outcome(config, test_accuracy=rng.binomial(N_TEST, mine.accuracy(config.n_train)) / N_TEST)


def rounds(
    design: CriticalSizeDesign, truth: Psychometric = TRUTH, *, scatter: float = 0.0, world: int = 0
) -> list[list[Outcome]]:
    """Outcomes of every round until the design proposes nothing."""
    found: list[list[Outcome]] = []
    while proposals := design.propose([one for block in found for one in block]):
        found.append([simulated(config, truth, scatter=scatter, world=world) for config in proposals])
        assert len(found) <= design.max_runs
    return found


def adaptive(design: CriticalSizeDesign, truth: Psychometric = TRUTH, **world: float) -> list[Outcome]:
    return [one for block in rounds(design, truth, **world) for one in block]  # type: ignore[arg-type]


def grid(sizes: Sequence[float], seeds: int, *, scatter: float = 0.0, world: int = 0) -> list[Outcome]:
    return [
        simulated(RunConfig(problem=PROBLEM, n_train=round(size), seed=seed), scatter=scatter, world=world)
        for size in sizes
        for seed in range(seeds)
    ]


def likeliest_on_a_grid(n_train: Sequence[float], accuracy: Sequence[float]) -> tuple[float, float]:
    """Midpoint and width by trying all of them."""

    def log_likelihood(midpoint: float, width: float) -> float:
        total = 0.0
        for size, correct in zip(n_train, accuracy, strict=True):
            expected = 1 / (1 + math.exp(-(math.log(size) - math.log(midpoint)) / width))
            total += correct * math.log(expected) + (1 - correct) * math.log(1 - expected)
        return total

    midpoints = [200.0 + 0.5 * k for k in range(241)]
    widths = [0.05 + 0.0025 * k for k in range(81)]
    _, midpoint, width = max((log_likelihood(m, s), m, s) for m in midpoints for s in widths)
    return midpoint, width


def test_a_noiseless_curve_is_recovered() -> None:
    sizes = np.array([120.0, 180, 220, 260, 300, 370, 500])
    fit = fit_psychometric(sizes, np.array([TRUTH.accuracy(size) for size in sizes]))
    assert fit.midpoint == pytest.approx(TRUTH.midpoint, rel=1e-4)
    assert fit.width == pytest.approx(TRUTH.width, rel=1e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_fit_is_the_likeliest_of_a_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = np.repeat([170.0, 230.0, 280.0, 360.0], 3)
    accuracy = np.clip([TRUTH.accuracy(size) for size in sizes] + 0.15 * rng.standard_normal(sizes.size), 0.0, 1.0)
    midpoint, width = likeliest_on_a_grid(sizes.tolist(), accuracy.tolist())
    fit = fit_psychometric(sizes, accuracy)
    assert fit.midpoint == pytest.approx(midpoint, abs=0.5)
    assert fit.width == pytest.approx(width, abs=0.0025)


def test_accuracy_is_one_half_at_the_midpoint_and_logistic_in_log_size() -> None:
    assert TRUTH.accuracy(TRUTH.midpoint) == pytest.approx(0.5)
    assert TRUTH.accuracy(TRUTH.midpoint * math.exp(TRUTH.width)) == pytest.approx(1 / (1 + math.exp(-1)))


def test_a_far_tail_does_not_bend_the_midpoint() -> None:
    # Large sizes that never become perfect, as finite training leaves them, say nothing about one half.
    sizes = [180.0, 215.0, 240.0, 260.0, 280.0, 315.0, 370.0] * 2
    near = outcomes_at(PROBLEM, sizes, [TRUTH.accuracy(size) for size in sizes])
    outcomes = [*near, *outcomes_at(PROBLEM, [577.0, 865.0] * 2, [0.9] * 4)]
    assert fit_psychometric(*sizes_and_accuracies(outcomes)).midpoint > 1.02 * TRUTH.midpoint
    assert measure_critical_size(outcomes).value == pytest.approx(TRUTH.midpoint, rel=0.002)


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 60)
    n_experiments = 100
    sizes = [TRUTH.midpoint * math.exp(shift * TRUTH.width) for shift in (-2.0, -1.0, -0.4, 0.4, 1.0, 2.0)]
    covered = 0
    for world in range(n_experiments):
        outcomes = grid(sizes, 4, scatter=0.08, world=world)
        covered += TRUTH.midpoint in interval_of(bootstrap_midpoints(*sizes_and_accuracies(outcomes)))
    low, high = binom.interval(0.999, n_experiments, LEVEL)
    assert low <= covered <= high


@pytest.mark.slow
def test_two_runs_a_size_do_not_pass_for_little_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    # Resampling two runs shows half their variance; √½ = 0.71 would fail this.
    monkeypatch.setattr(module, "RESAMPLES", 60)
    sizes = [TRUTH.midpoint * math.exp(shift * TRUTH.width) for shift in (-2.0, -1.0, -0.4, 0.4, 1.0, 2.0)]
    experiments = [sizes_and_accuracies(grid(sizes, 2, scatter=0.08, world=world)) for world in range(100)]
    estimates = [math.log(fit_psychometric(*experiment).midpoint) for experiment in experiments]
    variances = [np.log(bootstrap_midpoints(*experiment)).var() for experiment in experiments[:40]]
    assert np.sqrt(np.mean(variances)) == pytest.approx(np.std(estimates), rel=0.2)


def test_a_single_run_at_a_size_is_resampled_with_its_neighbours() -> None:
    n_train = np.array([180.0, 180, 230, 230, 255, 270, 320, 320, 400, 400])
    accuracy = np.array([0.05, 0.05, 0.2, 0.2, 0.3, 0.8, 0.9, 0.9, 1.0, 1.0])
    draws = bootstrap_midpoints(n_train, accuracy)
    assert np.isfinite(draws).all()
    # Only the two single runs deviate from their neighbours.
    assert draws.std() > 0
    alike = bootstrap_midpoints(np.repeat(np.unique(n_train), 2), np.repeat([0.05, 0.2, 0.3, 0.8, 0.9, 1.0], 2))
    assert alike.std() == 0


def test_a_measurement_has_an_interval_at_the_level_asked_for() -> None:
    outcomes = grid([180, 210, 240, 260, 280, 320, 380], 4, scatter=0.08)
    found, narrow = measure_critical_size(outcomes), measure_critical_size(outcomes, level=0.5)
    assert (found.quantity, found.unit, found.n_runs, found.n_unconverged) == ("critical_size", "examples", 28, 0)
    assert found.value is not None
    assert found.interval is not None
    assert narrow.interval is not None
    assert found.interval.low < narrow.interval.low < found.value < narrow.interval.high < found.interval.high
    assert (found.interval.level, narrow.interval.level) == (LEVEL, 0.5)
    draws = bootstrap_midpoints(*sizes_and_accuracies(outcomes))
    assert (found.interval.low, found.interval.high) == tuple(np.quantile(draws, [0.05, 0.95]))


def test_the_width_of_the_transition_is_measured() -> None:
    sizes = np.repeat([150.0, 190, 220, 260, 300, 350, 450], 8)
    outcomes = outcomes_at(PROBLEM, sizes.tolist(), [TRUTH.accuracy(size) for size in sizes])
    assert transition_width(outcomes) == pytest.approx(TRUTH.width, rel=0.05)
    assert transition_width(outcomes[:8]) is None
    assert transition_width([]) is None


def test_diverged_runs_are_counted_and_left_out() -> None:
    outcomes = grid([180, 210, 240, 260, 280, 320, 380], 4)
    lost = [
        outcome(RunConfig(problem=PROBLEM, n_train=260, seed=50 + k), test_accuracy=math.nan, converged=False)
        for k in range(3)
    ]
    alone, beside = measure_critical_size(outcomes), measure_critical_size([*lost, *outcomes])
    assert (beside.value, beside.interval, beside.n_runs) == (alone.value, alone.interval, 28)
    assert beside.n_unconverged == 3


@pytest.mark.parametrize(("accuracy", "says"), [(0.03, "does not reach one half"), (0.97, "reaches one half")])
def test_no_transition_is_an_outcome(accuracy: float, says: str) -> None:
    outcomes = [outcome(config, test_accuracy=accuracy) for config in CriticalSizeDesign(problem=PROBLEM).propose([])]
    found = measure_critical_size(outcomes)
    assert (found.value, found.interval) == (None, None)
    assert found.n_runs == len(outcomes)
    assert f"{says} at every size from 115 to 865" in found.reason


def test_sizes_end_where_none_is_enough() -> None:
    design = CriticalSizeDesign(problem=PROBLEM)
    assert design.propose([outcome(config, test_accuracy=0.03) for config in design.propose([])]) == []


@pytest.mark.parametrize("midpoint", [60.0, 9.0])
def test_sizes_go_down_while_all_are_enough(midpoint: float) -> None:
    truth = Psychometric(midpoint=midpoint, width=0.12)
    first, second, *_ = blocks = rounds(CriticalSizeDesign(problem=PROBLEM, tolerance=1e-6), truth)
    assert min(one.config.n_train for one in first) == 115
    assert sorted(one.config.n_train for one in second) == [29, 29, 58, 58]
    found = measure_critical_size([one for block in blocks for one in block])
    assert found.value == pytest.approx(midpoint, rel=0.1)


def test_sizes_go_down_to_one_example_at_most() -> None:
    design, outcomes = CriticalSizeDesign(problem=PROBLEM), list[Outcome]()
    while proposals := design.propose(outcomes):
        outcomes += [outcome(config, test_accuracy=0.97) for config in proposals]
    assert min(one.config.n_train for one in outcomes) == 1
    assert len(outcomes) < design.max_runs


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
    outcomes = outcomes_at(problem, sizes, [0.5 + truth.accuracy(size) / 2 for size in sizes])
    assert measure_critical_size(outcomes).value == pytest.approx(110, rel=1e-3)
    guesses = outcomes_at(problem, sizes, [0.5, 0.51, 0.49, 0.52, 0.5, 0.51])
    assert "does not reach one half" in measure_critical_size(guesses).reason


def test_accuracy_that_falls_with_size_is_no_transition() -> None:
    found = measure_critical_size(outcomes_at(PROBLEM, [200, 400], [0.9, 0.1]))
    assert found.value is None
    assert found.reason


def test_nothing_is_measured_from_no_runs() -> None:
    found = measure_critical_size([])
    assert (found.value, found.n_runs) == (None, 0)
    assert found.reason
    lost = [outcome(config, test_accuracy=math.nan) for config in CriticalSizeDesign(problem=PROBLEM).propose([])]
    assert CriticalSizeDesign(problem=PROBLEM).propose(lost) == []


def test_the_first_round_spans_the_sizes_there_are() -> None:
    first = CriticalSizeDesign(problem=PROBLEM, first_seed=5).propose([])
    assert [(c.n_train, c.seed) for c in first] == [
        (round(fraction * 961), 5 + 2 * place + k) for place, fraction in enumerate(COARSE_FRACTIONS) for k in range(2)
    ]
    assert {c.problem for c in first} == {PROBLEM}
    assert {c.until for c in first} == {"generalized"}


@pytest.mark.parametrize("midpoint", [150.0, 260.0, 550.0])
def test_rounds_close_in_on_the_transition(midpoint: float) -> None:
    truth = Psychometric(midpoint=midpoint, width=0.12)
    _, *later = rounds(CriticalSizeDesign(problem=PROBLEM, tolerance=1e-6, max_runs=48), truth, scatter=0.1)
    assert len(later) == 3
    spans = [(min(one.config.n_train for one in block), max(one.config.n_train for one in block)) for block in later]
    assert all(0.6 * midpoint < low < high < 1.6 * midpoint for low, high in spans)
    assert min(low for low, _ in spans) < midpoint < max(high for _, high in spans)
    # Where a wide curve still says little, a round lies within one width of its own midpoint.
    assert all(math.log(high / low) < 2 * 0.8 * 3 * truth.width for low, high in spans)


@pytest.mark.parametrize("max_runs", [12, 13, 25, 40])
def test_the_budget_is_kept(max_runs: int) -> None:
    design = CriticalSizeDesign(problem=PROBLEM, tolerance=1e-6, max_runs=max_runs)
    assert len(adaptive(design, scatter=0.2)) == max_runs


@pytest.mark.slow
def test_runs_end_once_the_interval_is_narrow_enough() -> None:
    design = CriticalSizeDesign(problem=PROBLEM, tolerance=0.08, max_runs=200)
    outcomes = adaptive(design, scatter=0.1)
    assert 24 <= len(outcomes) < 200
    interval = measure_critical_size(outcomes).interval
    assert interval is not None
    assert math.log(interval.high / interval.low) / 2 <= 0.08
    assert len(adaptive(replace(design, tolerance=0.01), scatter=0.1)) > len(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("problem", [Problem(modulus=3), Problem(task="mul", modulus=5), Problem(modulus=7), PROBLEM])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.97])
def test_every_proposal_leaves_pairs_to_test_on_and_is_a_run_of_its_own(problem: Problem, fraction: float) -> None:
    for width in (0.01, 0.3):
        truth = Psychometric(midpoint=fraction * problem.n_pairs, width=width)
        design = CriticalSizeDesign(problem=problem, tolerance=1e-6, max_runs=30)
        configs = [one.config for one in adaptive(design, truth)]
        assert all(1 <= config.n_train <= problem.n_pairs - 1 for config in configs)
        assert len({config.address for config in configs}) == len(configs)


@pytest.mark.slow
def test_the_same_outcomes_lead_to_the_same_proposals() -> None:
    design = CriticalSizeDesign(problem=PROBLEM, tolerance=1e-6, max_runs=48)
    outcomes = adaptive(replace(design, max_runs=24), scatter=0.1)
    proposed = design.propose(outcomes)
    assert proposed
    assert replace(design).propose(list(outcomes)) == proposed
    assert [one.config for one in adaptive(design, scatter=0.1)] == [
        one.config for one in adaptive(design, scatter=0.1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("world", [0, 1, 2])
def test_few_chosen_runs_agree_with_a_full_grid(world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 40)
    chosen = measure_critical_size(
        adaptive(CriticalSizeDesign(problem=PROBLEM, tolerance=0.02), scatter=0.08, world=world)
    )
    full = measure_critical_size(grid(np.geomspace(110, 600, 18).tolist(), 12, scatter=0.08, world=world))
    assert chosen.n_runs <= 60 < full.n_runs
    assert chosen.value == pytest.approx(full.value, rel=0.05)
    assert chosen.interval is not None
    assert full.interval is not None
    assert chosen.interval.overlaps(full.interval)


@pytest.mark.parametrize(
    "field", [{"tolerance": 0.0}, {"tolerance": math.nan}, {"max_runs": 11}, {"first_seed": -1}, {"max_runs": 12.0}]
)
def test_a_bad_design_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        CriticalSizeDesign(problem=PROBLEM, **field)  # type: ignore[arg-type]
