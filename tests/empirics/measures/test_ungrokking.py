import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from dcrit.empirics.measures.ungrokking import (
    UngrokkingDesign,
    measure_hysteresis,
    started_generalized,
    ungrokking_outcome,
    ungrokking_runs,
)
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training import ensemble
from dcrit.empirics.training.batches import plan_batches
from dcrit.empirics.training.ensemble import Ensemble, draw, train
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcomes_at, run_of

PROBLEM = Problem(modulus=31, width=48)
CONFIG = RunConfig(problem=PROBLEM, n_train=200, seed=0, start="generalized")


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
def test_networks_of_one_seed_share_the_run_before(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(modulus=7, width=16, learning_rate=0.05)
    configs = [
        RunConfig(problem=problem, n_train=n_train, seed=seed, steps=60, start="generalized", precision="float64")
        for seed in range(2)
        for n_train in (9, 10, 12)
    ]
    trained: list[int] = []

    class Counted(Ensemble):
        def __init__(self, members: Sequence[RunConfig], device: str = "cpu") -> None:
            trained.append(len(members))
            super().__init__(members, device)

    monkeypatch.setattr(ensemble, "Ensemble", Counted)
    counted: list[int] = []
    together = train(configs, progress=counted.append)
    assert trained == [6, 2]
    assert sum(counted) == 2 * 60 * 6
    assert len({run.curves.squared_norm[0] for run in together}) == 2
    for run in together:
        (alone,) = train([run.config])
        np.testing.assert_allclose(run.curves.train_loss, alone.curves.train_loss, rtol=1e-8)


def test_small_sets_after_a_shared_run_share_a_batch() -> None:
    small = [RunConfig(problem=PROBLEM, n_train=size, seed=0, start="generalized") for size in (60, 80, 100, 108)]
    assert len(plan_batches(small)) == 1
    assert len(plan_batches([replace(one, start="scratch") for one in small])) == 3


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
    first = UngrokkingDesign(problem=PROBLEM).propose([])
    assert len(first) == 2  # no probes
    for config in first:
        assert (config.start, config.until, config.horizon) == ("generalized", "horizon", 4000)
    near = UngrokkingDesign(problem=PROBLEM, start=200.0).propose([])
    assert near[0].n_train < 200 < near[1].n_train


@pytest.mark.parametrize("start", [None, 180.0, 700.0])
def test_the_size_is_where_accuracy_falls_through_one_half(start: float | None) -> None:
    stages, run = world(260.0)
    design = UngrokkingDesign(problem=PROBLEM, budget=40.0, max_runs=40, start=start)
    outcomes = ungrokking_runs(design, run)
    found = design.measure(outcomes)
    assert stages[:2] == ["ungrokking, round 1", "ungrokking, round 2"]
    assert len({(one.config.n_train, one.config.seed) for one in outcomes}) == len(outcomes) <= 40
    assert found.quantity == "ungrokking_size"
    assert found.value == pytest.approx(260.0, rel=0.04)
    assert found.interval is not None
    assert 260.0 in found.interval
    assert found.n_runs == len(outcomes)


@pytest.mark.parametrize("max_runs", [1, 5, 12])
def test_a_maximum_of_runs_is_a_maximum(max_runs: int) -> None:
    _, run = world(260.0)
    design = UngrokkingDesign(problem=PROBLEM, tolerance=1e-6, budget=100.0, max_runs=max_runs)
    assert len(ungrokking_runs(design, run)) == max_runs


def test_runs_that_had_not_generalized_are_left_out_and_counted() -> None:
    _, run = world(260.0)
    design = UngrokkingDesign(problem=PROBLEM, tolerance=0.01, budget=12.0)
    outcomes = ungrokking_runs(design, run)
    runs = [fading(one.config, one.test_accuracy, at_first=1.0 if one.config.seed % 4 else 0.5) for one in outcomes]
    spoiled = [ungrokking_outcome(one) for one in runs]
    found = design.measure(spoiled)
    assert found.n_unconverged == sum(one.config.seed % 4 == 0 for one in outcomes) > 0
    assert found.n_runs + found.n_unconverged == len(outcomes)
    assert found.value == pytest.approx(260.0, rel=0.05)
    assert math.isnan(spoiled[0].test_accuracy)


@pytest.mark.parametrize(("wrong", "generalized"), [(0, True), (9, True), (10, False), (400, False)])
def test_nine_tenths_of_the_pairs_never_seen_have_to_be_right(wrong: int, generalized: bool) -> None:
    # 961 pairs, 865 of them in the larger training set: 96 were never seen, 761 are unseen from now on.
    run = fading(CONFIG, 0.0, at_first=1 - wrong / 761)
    assert started_generalized(run) is generalized


def test_where_nothing_generalized_before_nothing_can_be_lost() -> None:
    design = UngrokkingDesign(problem=PROBLEM)

    def never(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        return [fading(config, 0.0, at_first=0.5) for config in configs]

    outcomes = ungrokking_runs(design, never)
    found = design.measure(outcomes)
    assert (found.value, found.n_runs, found.n_unconverged) == (None, 0, 4)
    assert found.reason == "no network generalized on 90% of all pairs, so there is nothing to lose"


def test_hysteresis_is_the_log_ratio_of_both_sizes() -> None:
    sizes = (150, 180, 200, 220, 250, 280, 300, 350) * 2
    up = outcomes_at(PROBLEM, sizes, [1 / (1 + (250 / size) ** 12) for size in sizes])
    down = outcomes_at(PROBLEM, sizes, [1 / (1 + (200 / size) ** 12) for size in sizes])
    found = measure_hysteresis(up, down)
    assert found.value == pytest.approx(math.log(250 / 200), abs=0.02)
    assert found.interval is not None
    assert found.value is not None
    assert found.value in found.interval
    assert (found.n_runs, found.unit) == (32, "ln ratio of sizes")
    swapped = measure_hysteresis(down, up)
    assert swapped.value == pytest.approx(-(found.value or 0), abs=1e-9)


def test_hysteresis_needs_both_transitions() -> None:
    up = outcomes_at(PROBLEM, (150, 250, 350), (0.1, 0.5, 0.9))
    down = outcomes_at(PROBLEM, (150, 250, 350), (0.9, 0.9, 0.9))
    found = measure_hysteresis(up, down)
    assert (found.value, found.interval) == (None, None)
    assert "no transition" in found.reason
