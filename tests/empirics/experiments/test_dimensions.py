"""The store of effective dimensionalities, and one real measurement."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcrit.empirics.experiments.dimensions import DimensionCurve, DimensionsDesign, measure
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.instruments.dimension_runs import DIMENSIONS
from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun, DimensionValues
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.kinds import DimensionStore
from dcrit.empirics.training.executor import LocalExecutor
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, no_multitask

WIDTHS = (4, 8, 16, 32)
TINY = Problem(task="add", modulus=5, width=3, learning_rate=0.1)


def curve_of(dimension: Sequence[float], loss: Sequence[float], noise: float = 0.01) -> DimensionCurve:
    rng = np.random.default_rng(0)

    def seeds(mean: Sequence[float]) -> np.ndarray:
        return np.array(mean)[:, None] * np.exp(noise * rng.standard_normal((len(mean), 4)))

    n_eff = seeds(dimension)
    return DimensionCurve(
        problem=Problem(width=16),
        n_train=200,
        widths=WIDTHS,
        dimension=n_eff,
        smaller=2 * n_eff,
        larger=n_eff / 2,
        test_loss=seeds(loss),
    )


def measured_in(store: DimensionStore, configs: Sequence[DimensionConfig]) -> Sequence[DimensionRun]:
    with LocalExecutor(1) as executor:
        return executor.run_with(DIMENSIONS, configs, store)


def test_what_was_found_is_found_again(tmp_path: Path) -> None:
    configs = [DimensionConfig(run=RunConfig(problem=TINY, n_train=15, seed=seed)) for seed in (0, 1)]
    first = measured_in(DimensionStore(tmp_path), configs)
    store = DimensionStore(tmp_path)
    assert store.missing(configs) == []
    again = measured_in(store, configs)
    assert [(run.config.address, run.values) for run in again] == [(run.config.address, run.values) for run in first]
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    for run in first:
        assert 0 <= run.values.value <= TINY.n_params
        assert run.values.larger <= run.values.value <= run.values.smaller
        assert run.values.test_loss > 0


@pytest.mark.parametrize("stored", [(1, 2), (0, 3), (2,)])
def test_lacking_seeds_need_not_follow_each_other(tmp_path: Path, stored: tuple[int, ...]) -> None:
    configs = [DimensionConfig(run=RunConfig(problem=TINY, n_train=15, seed=seed)) for seed in range(4)]
    whole = measured_in(DimensionStore(tmp_path / "whole"), configs)
    parts = DimensionStore(tmp_path / "parts")
    measured_in(parts, [configs[seed] for seed in stored])
    found = measured_in(parts, configs)
    assert [one.config for one in found] == configs
    for one, expected in zip(found, whole, strict=True):
        # Networks that are trained in other company are rounded otherwise.
        np.testing.assert_allclose(
            list(one.values.to_dict().values()), list(expected.values.to_dict().values()), rtol=1e-3
        )


def test_points_of_one_list_are_looked_at_apart(tmp_path: Path) -> None:
    wider = replace(TINY, width=TINY.width + 1)
    configs = [
        DimensionConfig(run=RunConfig(problem=problem, n_train=size, seed=seed))
        for seed in (5, 0)
        for problem in (TINY, wider)
        for size in (15, 20)
    ]
    found = measured_in(DimensionStore(tmp_path), configs)
    assert [one.config for one in found] == configs
    assert len(list(tmp_path.glob("*.parquet"))) == 4
    alone = measured_in(DimensionStore(tmp_path / "alone"), [configs[2]])
    assert alone[0].values.value == pytest.approx(found[2].values.value, rel=1e-3)


def test_networks_that_start_generalized_are_not_looked_at() -> None:
    run = RunConfig(problem=TINY, n_train=15, seed=0, start="generalized")
    with pytest.raises(ValueError, match="start must be 'scratch' where curvature is looked at, got 'generalized'"):
        DimensionConfig(run=run)


def test_the_experiment_puts_every_network_in_its_place() -> None:
    def looked(configs: Sequence[DimensionConfig], /, *, stage: str) -> list[DimensionRun]:
        return [
            DimensionRun(
                config=one,
                values=DimensionValues(
                    value=100.0 * one.run.problem.width + one.run.seed,
                    smaller=2.0,
                    larger=1.0,
                    train_loss=0.0,
                    test_loss=float(one.run.n_train),
                    step=1.0,
                ),
                ending="horizon",
                seconds=2.0,
            )
            for one in configs
        ]

    bench = Laboratory(World(), no_multitask, [], looked)
    design = DimensionsDesign(problems=(TINY,), widths=(2, 3), sizes=(10, 12), seeds=2)
    curves = measure(design, bench)
    assert [curve.n_train for curve in curves] == [10, 12]
    assert curves[1].dimension.tolist() == [[200, 201], [300, 301]]
    assert (curves[1].test_loss == 12).all()


def test_a_laboratory_without_the_means_says_so() -> None:
    with pytest.raises(ValueError, match="dimensions must be given"):
        Laboratory(World(), no_multitask, []).dimensions([], stage="none")
