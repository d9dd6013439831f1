"""Judges of the plane of model and training-set size give each ruling where it is due."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.size_grid import (
    EXPERIMENT,
    STANDARD,
    Grid,
    GridDesign,
    GridEvidence,
    Plane,
    measure,
)
from dcrit.empirics.experiments.star import critical_draws, critical_sizes, star_of
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.problems.problem import Problem
from tests.worlds.planes import SIZES, WIDTHS, asked, plane, rising
from tests.worlds.runs import World, no_multitask


def evidence(*grids: Grid) -> GridEvidence:
    return GridEvidence(grids=grids)


def test_grids_hold_every_run_in_its_place() -> None:
    small = Plane(
        problem=Problem(task="add", modulus=17, activation="square"),
        widths=(4, 32),
        sizes=(90, 200),
        capacity_widths=(2, 4),
        seeds=2,
        capacity_seeds=1,
    )
    world = World()
    found = measure(GridDesign(planes=(small,)), Laboratory(world, no_multitask, shipped_calibrations()))
    (grid,) = found.grids
    assert grid.test_accuracy.shape == (2, 2, 2)
    assert len(world.asked) == 8 + 4
    for s, size in enumerate(small.sizes):
        for k, width in enumerate(small.widths):
            runs = [world.run(c) for c in small.configs() if (c.n_train, c.problem.width) == (size, width)]
            assert grid.test_accuracy[s, k] == pytest.approx([run.curves.test_accuracy[-1] for run in runs])
    assert sorted(grid.memorized) == [2, 4]
    assert grid.diagram is not None


def test_planes_refuse_what_cannot_be_run() -> None:
    with pytest.raises(ValueError, match="n_train must be at most 529"):
        replace(asked(), sizes=(100, 600))
    with pytest.raises(ValueError, match="sizes must leave pairs to test on, got 529 of 529"):
        replace(asked(), sizes=(100, 529))
    with pytest.raises(ValueError, match="seeds must be an integer of at least 2, got 1"):
        replace(asked(), seeds=1)


@pytest.mark.slow
def test_designs_cover_both_tasks_and_models_and_the_paper_costs_more() -> None:
    kinds = {(f.problem.task, f.problem.model, f.problem.activation) for f in STANDARD.planes}
    assert len(kinds) == 6
    assert all(f.problem.modulus >= 31 for f in STANDARD.star_planes)
    assert EXPERIMENT.work("paper").flops > 100 * EXPERIMENT.work("standard").flops
    assert "quick" not in EXPERIMENT.designs


def test_the_star_of_a_plane_is_where_its_curves_cross() -> None:
    star = star_of(plane(rising))
    assert star is not None
    middle = star.middle()
    assert middle is not None
    assert middle[1] == pytest.approx(250, rel=0.1)
    assert middle[0] == pytest.approx(250 / 0.3, rel=0.15)
    assert critical_sizes(plane(rising))[3] == pytest.approx(250, rel=0.05)


def last_only(accuracy: float) -> Grid:
    """A plane whose models get that much right at the largest size, with errors of 0.05, and nothing below."""
    return plane(lambda size, _: accuracy if size == SIZES[-1] else 0.0, noise=0.05)


@pytest.mark.slow
def test_means_just_below_one_half_leave_open_whether_it_was_crossed() -> None:
    grid = last_only(0.48)
    drawn, last = critical_draws(grid), grid.test_accuracy[-1].mean(-1)  # (K, n), (K,)
    crossed = np.isfinite(drawn).mean(1)
    assert (last < 0.5).any()
    np.testing.assert_array_equal(np.argsort(crossed), np.argsort(last))
    near = np.abs(last - 0.49) < 0.012
    assert near.sum() >= 2
    assert ((crossed[near] > 0.15) & (crossed[near] < 0.85)).all()
    assert drawn[np.isfinite(drawn)].min() > math.log(SIZES[-2])


def test_means_far_from_one_half_leave_nothing_open() -> None:
    assert np.isinf(critical_draws(last_only(0.2))).all()
    assert np.isinf(critical_draws(plane(lambda *_: 0.2))).mean() > 0.99
    at_first = critical_draws(plane(lambda *_: 0.95)) == math.log(SIZES[0])
    assert at_first.mean() > 0.99

    def falling(size: int, _: int) -> float:
        return 0.8 if size < 200 else 0.2

    assert (critical_draws(plane(falling)) == math.inf).all()


def loss_with_exponent(exponent: float):
    """A loss that peaks at N ∝ D^exponent, amid the widths."""
    made = asked()

    def loss(size: int, width: int) -> float:
        place = math.log(2500) + exponent * math.log(size / 230)
        return math.exp(2 - (math.log(made.at(width).n_params) - place) ** 2)

    return loss


def labelled(size: int, width: int) -> float:
    """Groks on little, dips over large widths on moderate, overfits on excess."""
    if size < 200:
        return 0.97
    if size < 320:
        return 0.3 if width == 24 else 0.9
    return 0.5


def test_planes_are_of_the_shape_that_judges_expect() -> None:
    assert plane(rising).test_accuracy.shape == (len(SIZES), len(WIDTHS), 5)
