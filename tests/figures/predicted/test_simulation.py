"""The picture of simulated training curves: what is drawn, and that it can be read."""

import re
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dcrit.figures.drawing import canvas, style
from dcrit.figures.predicted.simulation import SMALLEST_LOSS, draw_simulation, new_simulation
from dcrit.theory.predictions.simulation import Trajectory, flow_at, simulate
from dcrit.theory.problems.problem import Problem, label
from tests.figures.measured.test_figures import check_texts, overlap, said
from tests.worlds.theory import EXACT

LAWS = EXACT.competition(Problem(), np.random.default_rng(0))
CIRCUITS = flow_at(Problem(), LAWS, 300)
CURVES = simulate(CIRCUITS)
SHORT = simulate(CIRCUITS, steps=3, n_points=3)
TITLE = label(Problem()) + ", $D=300$"


def nothing() -> Trajectory:
    empty = np.empty(0)
    names = [name for name in Trajectory.__dataclass_fields__ if name != "reason"]
    return Trajectory(**dict.fromkeys(names, empty), reason="weight decay extinguishes both circuits")


@pytest.fixture(params=[CURVES, SHORT, nothing()], ids=["complete", "short", "nothing"])
def figure(request: pytest.FixtureRequest) -> Iterator[Figure]:
    drawn = new_simulation(request.param, title=TITLE)
    FigureCanvasAgg(drawn).draw()
    yield drawn
    drawn.clear()


@pytest.mark.slow
def test_nothing_is_cut_off_or_covered(figure: Figure) -> None:
    check_texts(figure)
    panels = [ax.get_window_extent() for ax in figure.axes]
    assert all(overlap(legend.get_window_extent(), panel) == 0 for legend in figure.legends for panel in panels)


def by_label(ax: Axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata()) for line in ax.lines}


def test_curves_are_those_of_the_trajectory() -> None:
    drawn = new_simulation(CURVES)
    accuracies, losses, margins, norm = map(by_label, drawn.axes)
    assert np.array_equal(accuracies["train"], CURVES.train_accuracy)
    assert np.array_equal(accuracies["test"], CURVES.test_accuracy)
    assert np.array_equal(losses["test"], np.maximum(CURVES.test_loss, SMALLEST_LOSS))
    assert np.array_equal(margins["memorizing circuit"], CURVES.memorizing_margin)
    assert np.array_equal(margins["generalizing circuit"], CURVES.generalizing_margin)
    assert np.array_equal(norm["squared norm"], CURVES.squared_norm)
    assert all(np.array_equal(line.get_xdata(), CURVES.steps) for ax in drawn.axes for line in ax.lines)


def test_axes_say_their_units_and_lines_differ_without_colour() -> None:
    drawn = new_simulation(CURVES)
    for ax in drawn.axes:
        assert re.fullmatch(r".+ \[.+\]", ax.get_ylabel())
        assert len({line.get_linestyle() for line in ax.lines}) == len(ax.lines)
    assert [ax.get_xlabel() for ax in drawn.axes[2:]] == ["training time [steps]"] * 2
    assert drawn.axes[0].get_xscale() == "symlog"


def test_missing_curves_are_said_in_words() -> None:
    assert said(new_simulation(nothing())).count("weight decay extinguishes both circuits") == 4


def test_settings_are_left_as_they_were() -> None:
    before = {name: value for name, value in mpl.rcParams.items() if name != "backend"}
    draw_simulation(canvas.new_figure(style.DOUBLE, 4.0), SHORT)
    new_simulation(SHORT)
    assert {name: value for name, value in mpl.rcParams.items() if name != "backend"} == before
