import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from dcrit.empirics.measures import critical_size
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.ungrokking import (
    UngrokkingDesign,
    measure_hysteresis,
    measure_ungrokking_size,
    started_generalized,
    ungrokking_outcome,
    ungrokking_runs,
    with_horizon,
)
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.ensemble import Ensemble, draw, train
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcomes_at, run_of

PROBLEM = Problem(modulus=31, width=48)
CONFIG = RunConfig(problem=PROBLEM, n_train=200, seed=0, start="generalized")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(critical_size, "RESAMPLES", 40)


def fading(config: RunConfig, final: float, *, at_first: float = 1.0) -> Run:
    """A run whose test accuracy falls from the first step to the middle of the horizon, then stands still."""
    progress = np.minimum(1.0, 2 * np.array(config.evaluation_steps()) / config.horizon)
    return run_of(config, train_loss=1e-3, squared_norm=100.0, test_accuracy=at_first + (final - at_first) * progress)


def world(midpoint: float, *, at_first: float = 1.0) -> tuple[list[str], Runner[RunConfig, Run]]:
    stages: list[str] = []

    def run(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        stages.append(stage)
        return [
            fading(config, 1 / (1 + (midpoint / config.n_train) ** 10), at_first=at_first if config.seed else 1.0)
            for config in configs
        ]

    return stages, run


@pytest.mark.slow
def test_the_start_is_the_end_of_the_run_before() -> None:
    problem = Problem(modulus=7, width=16, learning_rate=0.05)
    configs = [
        RunConfig(problem=problem, n_train=n_train, seed=seed, steps=60, start="generalized", precision="float64")
        for seed, n_train in enumerate((9, 10, 12))
    ]
    counted: list[int] = []
    found = train(configs, progress=counted.append)
    assert sum(counted) == 2 * 60 * 3
    for config, run in zip(configs, found, strict=True):
        (before,) = train([config.before])
        larger = Ensemble([config.before])
        larger.advance(60)
        alone = Ensemble([replace(config, start="scratch")])
        alone.models.theta.copy_(larger.models.theta)
        # Norms do not know which pairs are trained on.
        assert run.curves.squared_norm[0] == before.curves.squared_norm[-1]
        for step in (0, 60):
            alone.advance(step)
            place = 0 if step == 0 else -1
            row = [getattr(run.curves, name)[place] for name in ("train_loss", "test_accuracy", "max_norm")]
            np.testing.assert_allclose(alone.evaluate()[0][[0, 3, 6]], row, rtol=1e-9)
        assert set(draw(config).train.tolist()) < set(draw(config.before).train.tolist())
        assert torch.equal(draw(config).theta, draw(config.before).theta)


@pytest.mark.slow
def test_a_network_that_generalized_forgets_on_few_examples_and_not_on_many() -> None:
    problem = Problem(modulus=11, width=32, learning_rate=0.05)
    few, many = (
        train([RunConfig(problem=problem, n_train=n_train, seed=0, start="generalized")])[0] for n_train in (12, 100)
    )
    assert started_generalized(few)
    assert ungrokking_outcome(few).test_accuracy < 0.2
    assert ungrokking_outcome(many).test_accuracy > 0.8


def test_the_design_starts_generalized_and_never_ends_early() -> None:
    for config in UngrokkingDesign(problem=PROBLEM).propose([]):
        assert (config.start, config.until, config.horizon) == ("generalized", "horizon", 4000)


def test_the_size_is_where_accuracy_falls_through_one_half() -> None:
    stages, run = world(260.0)
    runs = ungrokking_runs(UngrokkingDesign(problem=PROBLEM, max_runs=40), run)
    found = measure_ungrokking_size(runs)
    assert stages[:2] == ["ungrokking, round 1", "ungrokking, round 2"]
    assert len({(one.config.n_train, one.config.seed) for one in runs}) == len(runs) <= 40
    assert found.quantity == "ungrokking_size"
    assert found.value == pytest.approx(260.0, rel=0.02)
    assert found.n_runs == len(runs)


def test_runs_that_had_not_generalized_are_left_out_and_counted() -> None:
    _, run = world(260.0)
    runs = ungrokking_runs(UngrokkingDesign(problem=PROBLEM), run)
    spoiled = [fading(one.config, 1.0, at_first=0.5) if one.config.seed % 3 == 0 else one for one in runs]
    found = measure_ungrokking_size(spoiled)
    assert found.n_unconverged == sum(one.config.seed % 3 == 0 for one in runs) > 0
    assert found.n_runs + found.n_unconverged == len(runs)
    assert found.value == pytest.approx(260.0, rel=0.05)
    assert math.isnan(ungrokking_outcome(spoiled[0]).test_accuracy)


@pytest.mark.parametrize(("wrong", "generalized"), [(0, True), (9, True), (10, False), (400, False)])
def test_nine_tenths_of_the_pairs_never_seen_have_to_be_right(wrong: int, generalized: bool) -> None:
    # 961 pairs, 865 of them in the larger training set: 96 were never seen, 761 are unseen from now on.
    run = fading(CONFIG, 0.0, at_first=1 - wrong / 761)
    assert started_generalized(run) is generalized


def test_where_nothing_generalized_before_nothing_can_be_lost() -> None:
    design = UngrokkingDesign(problem=PROBLEM)
    runs = [fading(config, 0.0, at_first=0.5) for config in design.propose([])]
    found = measure_ungrokking_size(runs)
    assert design.propose([ungrokking_outcome(one) for one in runs]) == []
    assert (found.value, found.n_runs, found.n_unconverged) == (None, 0, 12)
    assert found.reason == "no network generalized on 90% of all pairs, so there is nothing to lose"


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ((0.1, 0.3), "below one half at every size tried: 100 (0.10), 200 (0.30)"),
        ((0.6, 0.9), "one half or more at every size tried: 100 (0.60), 200 (0.90)"),
        ((0.6, 0.3), "does not rise through one half over the sizes tried: 100 (0.60), 200 (0.30)"),
    ],
)
def test_no_transition_is_an_outcome_with_its_horizon(accuracies: tuple[float, float], said: str) -> None:
    outcomes = outcomes_at(PROBLEM, (100, 200), accuracies)
    found = with_horizon(measure_critical_size(outcomes), outcomes)
    assert (found.value, found.interval, found.n_runs) == (None, None, 2)
    assert found.reason.startswith("no transition by step 4000: mean test accuracy ")
    assert found.reason.endswith(said)


def test_a_transition_needs_no_horizon() -> None:
    outcomes = outcomes_at(PROBLEM, (100, 150, 200, 250), (0.1, 0.3, 0.6, 0.9))
    measured = measure_critical_size(outcomes)
    assert with_horizon(measured, outcomes) is measured


def test_where_every_run_diverged_the_horizon_is_all_there_is_to_say() -> None:
    outcomes = outcomes_at(PROBLEM, (100, 200), (math.nan, math.nan))
    assert with_horizon(measure_critical_size(outcomes), outcomes).reason == "no run stayed finite to step 4000"


@pytest.mark.slow
def test_hysteresis_is_the_log_ratio_of_both_sizes() -> None:
    sizes = (150, 200, 250, 300, 350) * 4
    up = outcomes_at(PROBLEM, sizes, [1 / (1 + (250 / size) ** 12) for size in sizes])
    down = outcomes_at(PROBLEM, sizes, [1 / (1 + (200 / size) ** 12) for size in sizes])
    found = measure_hysteresis(up, down)
    assert found.value == pytest.approx(math.log(250 / 200), abs=0.01)
    assert found.interval is not None
    assert found.interval.low <= found.interval.high
    assert (found.n_runs, found.unit) == (40, "ln ratio of sizes")
    swapped = measure_hysteresis(down, up)
    assert swapped.value == pytest.approx(-(found.value or 0), abs=1e-12)


def test_hysteresis_needs_both_transitions() -> None:
    up = outcomes_at(PROBLEM, (150, 250, 350), (0.1, 0.5, 0.9))
    down = outcomes_at(PROBLEM, (150, 250, 350), (0.9, 0.9, 0.9))
    found = measure_hysteresis(up, down)
    assert (found.value, found.interval) == (None, None)
    assert "no transition" in found.reason
