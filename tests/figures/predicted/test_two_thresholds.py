import numpy as np
import pytest

from dcrit.api.report.bibliography import short
from dcrit.figures.predicted.two_thresholds import SizePoint, ThresholdPanel, draw, lines, points_of, published_points
from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.estimates import Interval
from dcrit.theory.literature.published import published_numbers
from dcrit.theory.problems.problem import Problem

SQUARE = thresholds_of(Problem(activation="square"))
ROWS = [
    {"n_symbols": 31, "size": 260.0, "interval": [250.0, 270.0], "at_rest": False},
    {"n_symbols": 31, "size": 190.0, "interval": None, "at_rest": True},
]


def panel(points: tuple[SizePoint, ...]) -> ThresholdPanel:
    return ThresholdPanel(title="square", law=SQUARE, width=128, horizon=4000, points=points)


def test_lines_are_the_laws_sizes() -> None:
    moduli, sizes, halves = lines(panel(()))
    assert (moduli[0], moduli[-1]) == (13, 199)
    clock = SQUARE.law.clock(199, 128)
    assert sizes[:, -1] == pytest.approx([float(clock.critical_size(4000)), clock.rest])
    assert (halves > 0).all()
    slopes = np.log(sizes[:, -1] / sizes[:, -30]) / np.log(moduli[-1] / moduli[-30])
    assert 1.4 < slopes[0] < 1.75
    assert 1.0 < slopes[1] < 1.3


@pytest.mark.slow
def test_every_point_and_both_thresholds_are_drawn_and_named() -> None:
    figure = draw([panel(points_of(ROWS)), panel(published_points(published_numbers(), short))])
    first, second = figure.axes
    labels = first.get_legend_handles_labels()[1]
    assert len(labels) == 4
    assert "measured, at rest" in labels
    assert any("T=4000" in label for label in labels)
    assert "modulus" in first.get_xlabel()
    assert "[examples]" in first.get_ylabel()
    assert "Varma et al. 2023, at rest" in second.get_legend_handles_labels()[1]


def test_ranges_stand_at_their_middle_with_their_ends() -> None:
    points = {point.source: point for point in published_points(published_numbers(), short) if point.at_rest}
    assert points["Varma et al. 2023"].size == pytest.approx(np.sqrt(800 * 1000))
    assert points["Varma et al. 2023"].interval == Interval(low=800.0, high=1000.0)
    with pytest.raises(ValueError, match="size must be above 0"):
        SizePoint(modulus=31, size=0.0)
