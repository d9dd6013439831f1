"""Critical sizes over modulus and model size: what is drawn is what was measured."""

import math

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from dcrit.empirics.experiments.scaling import LAWS, fit_moduli
from dcrit.empirics.experiments.transitions import Transition
from dcrit.figures import FIGURES
from dcrit.figures.drawing import style
from dcrit.figures.measured import modulus_scaling, size_scaling
from dcrit.theory.problems.problem import Problem
from tests.worlds.transitions import transition, with_width

MODULI = (17, 23, 31, 41)


@pytest.fixture(scope="module")
def moduli() -> list[Transition]:
    return [transition(Problem(modulus=p, width=64), 2.5 * p * math.log(p), predicted=2.4 * p**1.3) for p in MODULI]


@pytest.fixture(scope="module")
def widths() -> list[Transition]:
    found = [
        transition(one, 300 * (one.width / 32) ** -0.1, predicted=290.0)
        for one in with_width(Problem(modulus=31, activation="relu"), 32, 64, 128)
    ]
    return [*found, transition(Problem(modulus=31, activation="relu", width=16), None)]


def bars(figure: Figure, label: str) -> list[ErrorbarContainer]:
    ax = figure.axes[0]
    return [one for one in ax.containers if isinstance(one, ErrorbarContainer) and one.get_label() == label]


def check_bars(found: list[ErrorbarContainer], expected: list[tuple[float, float, float, float]]) -> None:
    """Points and the ends of their vertical bars: (x, y, low, high)."""
    assert len(found) == len(expected)
    for bar, (x, y, low, high) in zip(found, expected, strict=True):
        assert bar.lines[0] is not None
        assert_allclose(np.asarray(bar.lines[0].get_xydata()), [(x, y)])
        (ends,) = bar.lines[2][0].get_segments()
        assert_allclose(ends, [(x, low), (x, high)])


def rows(series: list[Transition], *, predicted: bool, over: str) -> list[tuple[float, float, float, float]]:
    found: list[tuple[float, float, float, float]] = []
    for one in series:
        value = one.measured.value
        interval = one.measured.interval
        if predicted:
            value = None if one.predicted is None else one.predicted.value
            interval = None if one.predicted is None else one.predicted.interval
        if value is not None and interval is not None:
            found.append((float(getattr(one.problem, over)), value, interval.low, interval.high))
    return found


def test_sizes_over_the_modulus_have_their_intervals(moduli: list[Transition]) -> None:
    figure = modulus_scaling.draw([moduli])
    check_bars(bars(figure, "square, measured"), rows(moduli, predicted=False, over="modulus"))
    check_bars(bars(figure, "square, predicted"), rows(moduli, predicted=True, over="modulus"))
    assert [round(float(tick)) for tick in figure.axes[0].get_xticks()] == list(MODULI)


def test_sizes_over_the_model_size_have_their_intervals(widths: list[Transition]) -> None:
    figure = size_scaling.draw([widths])
    check_bars(bars(figure, "relu, measured"), rows(widths, predicted=False, over="n_params"))
    check_bars(bars(figure, "relu, predicted"), rows(widths, predicted=True, over="n_params"))


def test_each_law_runs_through_the_sizes_it_is_compared_with(moduli: list[Transition]) -> None:
    ax = Figure().subplots()
    modulus_scaling.draw_laws(ax, fit_moduli(moduli), (17, 41))
    lines = {str(line.get_label()): line for line in ax.lines}
    assert len(lines) == len(LAWS)
    line = lines[r"$\propto p\,\ln p$"]
    p, height = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert_allclose(height, 2.5 * p * np.log(p), rtol=0.02)


def test_the_power_law_has_the_measured_slope(widths: list[Transition]) -> None:
    figure = size_scaling.draw([widths])
    (line,) = [one for one in figure.axes[0].lines if one.get_label() == f"relu, {size_scaling.POWER_LAW}"]
    x, y = np.log(np.asarray(line.get_xdata())), np.log(np.asarray(line.get_ydata()))
    assert (y[-1] - y[0]) / (x[-1] - x[0]) == pytest.approx(-0.1, abs=0.01)


def test_a_size_without_transition_is_named(widths: list[Transition]) -> None:
    figure = size_scaling.draw([widths])
    texts = " ".join(text.get_text() for text in figure.axes[0].texts).replace("\n", " ")
    assert "add p=31 relu H=16: no transition" in texts


def test_a_series_without_transitions_says_so() -> None:
    lost = [transition(one, None) for one in with_width(Problem(), 32, 64)]
    for figure in (size_scaling.draw([lost]), modulus_scaling.draw([lost])):
        assert any("No critical size was measured" in text.get_text() for text in figure.axes[0].texts)
        figure.draw_without_rendering()


def test_without_evidence_there_is_still_a_figure() -> None:
    for module in (size_scaling, modulus_scaling):
        figure = module.draw([])
        assert any("No critical size was measured" in text.get_text() for text in figure.axes[0].texts)


def test_measured_marks_are_filled_and_predicted_ones_open(widths: list[Transition]) -> None:
    figure = size_scaling.draw([widths])
    for label, face in (("relu, measured", style.colour_of("relu")), ("relu, predicted", "white")):
        mark = bars(figure, label)[0].lines[0]
        assert mark is not None
        assert mark.get_markerfacecolor() == face
        assert mark.get_marker() == style.marker_of("relu")


def test_a_narrow_range_is_widened_about_its_middle_and_a_wide_one_stays() -> None:
    assert_allclose(size_scaling.at_least((90.0, 110.0), 2.0), np.sqrt(90 * 110) * np.array([0.5, 2.0]) ** 0.5)
    assert_allclose(size_scaling.at_least((10.0, 100.0), 2.0), (10.0, 100.0))


def test_both_are_registered() -> None:
    assert {"modulus-scaling", "size-scaling"} <= set(FIGURES)
