"""What is in the pictures of planes and of effective dimensionality is what was measured."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.size_grid import GridEvidence, predicted_map
from dcrit.empirics.experiments.star import star_of
from dcrit.figures.measured import effective_dimension, model_size, phase_map
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.circuits.regimes import DYNAMICS
from tests.empirics.experiments.test_dimensions import curve_of
from tests.worlds.planes import SIZES, WIDTHS, dipped, plane, rising
from tests.worlds.runs import World, no_multitask


def bars(ax: Axes) -> list[ErrorbarContainer]:
    return [one for one in ax.containers if isinstance(one, ErrorbarContainer)]


def mark(bar: ErrorbarContainer) -> Any:
    assert bar.lines[0] is not None
    return bar.lines[0]


def test_curves_are_means_over_seeds_within_their_intervals() -> None:
    grid = plane(dipped, loss=lambda size, width: size / width)
    ax = Figure().subplots()
    model_size.draw_curves(ax, grid, "test_accuracy")
    assert len(bars(ax)) == len(SIZES)
    for s, bar in enumerate(bars(ax)):
        assert_allclose(mark(bar).get_ydata(), grid.test_accuracy[s].mean(1))
        assert bar.get_label() == f"$D$ = {SIZES[s]}"
    ax = Figure().subplots()
    model_size.draw_curves(ax, grid, "test_loss")
    assert_allclose(mark(bars(ax)[0]).get_ydata(), np.exp(np.log(grid.test_loss[0]).mean(1)))


def test_sizes_differ_in_marker_and_colour() -> None:
    ax = Figure().subplots()
    model_size.draw_curves(ax, plane(rising), "test_accuracy")
    lines = [mark(bar) for bar in bars(ax)]
    assert len({line.get_marker() for line in lines}) == len(SIZES)
    assert len({line.get_color() for line in lines}) == len(SIZES)


def test_points_show_what_most_seeds_do() -> None:
    grid = plane(rising, fitted=lambda _, width: width > 4)
    codes = phase_map.observed(grid)
    assert (codes[:, 0] == DYNAMICS.index("progression")).all()
    assert codes[0, 3] == DYNAMICS.index("ungrokking")
    assert codes[-1, 3] == DYNAMICS.index("grokking")
    test = grid.test_accuracy.copy()
    test[0, 3] = np.nan
    assert phase_map.observed(replace(grid, test_accuracy=test))[0, 3] == -1
    ax = Figure().subplots()
    phase_map.draw_points(ax, grid)
    drawn = sum(len(np.asarray(line.get_xdata())) for line in ax.lines)
    assert drawn == len(SIZES) * len(WIDTHS)


def test_the_measured_star_is_drawn_with_its_intervals() -> None:
    grid = plane(rising)
    ax = Figure().subplots()
    assert phase_map.draw_measured(ax, grid) == ""
    star = star_of(grid)
    assert star is not None
    (bar,) = bars(ax)
    middle = star.middle()
    assert middle is not None
    assert_allclose(mark(bar).get_xydata(), [middle])
    along = star.params_interval()
    assert along is not None
    ends = bar.lines[2][0].get_segments()[0][:, 0]
    assert_allclose(ends, [along.low, along.high])
    assert "fewer than two" in phase_map.draw_measured(Figure().subplots(), replace(grid, memorized={}))
    assert "cross among these models" in phase_map.draw_measured(Figure().subplots(), plane(lambda *_: 0.1))


@pytest.mark.slow
@pytest.mark.parametrize("n", [0, 1, 3])
def test_planes_are_drawn_whole(n: int) -> None:
    mlp = plane(rising, model="mlp")
    bench = Laboratory(World(), no_multitask, shipped_calibrations())
    grids = [replace(mlp, diagram=predicted_map(mlp.plane, bench)), plane(dipped), plane(lambda *_: 0.1)][:n]
    for module in (model_size, phase_map):
        figure = module.draw(GridEvidence(grids=grids))
        figure.draw_without_rendering()
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1
        for ax in figure.axes:
            assert n == 0 or ax.get_xlabel().endswith("]")
            assert n == 0 or ax.get_ylabel().endswith("]")


@pytest.mark.slow
def test_dimensions_stand_against_losses() -> None:
    curve = curve_of([40, 30, 20, 10], [8, 4, 2, 1])
    drawn = effective_dimension.draw_curve(Figure().subplots(), curve)
    points = np.transpose(drawn[:, 0])
    assert (drawn[:, 1] < drawn[:, 0]).all()
    assert (drawn[:, 0] < drawn[:, 2]).all()
    expected = np.transpose([curve.dimension.mean(1), np.exp(np.log(curve.test_loss).mean(1))])
    assert_allclose(points, expected)
    figure = effective_dimension.draw([curve, curve])
    figure.draw_without_rendering()
    assert len(figure.axes) == 2
    assert {text.get_text() for text in figure.axes[0].texts} == {"$H=4$", "$H=8$", "$H=16$", "$H=32$"}
    effective_dimension.draw([]).draw_without_rendering()
