from pathlib import Path

import numpy as np
import pytest

from dcrit.api.report.bibliography import short
from dcrit.empirics.ablations.over_modulus import rest_beyond
from dcrit.figures.predicted.two_thresholds import (
    BEYOND,
    CURVES,
    FITTED,
    MEASURED,
    SizePoint,
    ThresholdPanel,
    draw,
    far,
    lines,
    points_of,
    published_points,
)
from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.estimates import Interval
from dcrit.theory.literature.published import published_numbers
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "results"
SQUARE = thresholds_of(Problem(activation="square"))
ROWS = [
    {"n_symbols": 31, "size": 260.0, "interval": [250.0, 270.0], "at_rest": False, "apart": ""},
    {"n_symbols": 31, "size": 190.0, "interval": None, "at_rest": True, "apart": "$H=64$"},
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
    assert len(labels) == 5
    assert {MEASURED, FITTED, "90% interval"} <= set(labels)
    assert "T=4000" in first.get_title()
    assert {text.get_text() for text in first.texts} >= {name for _, name, _ in CURVES}
    (legend,) = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert len(set(shown)) == len(shown)
    assert set(shown) == {label for ax in figure.axes for label in ax.get_legend_handles_labels()[1]}
    assert "modulus" in first.get_xlabel()
    assert "[examples]" in first.get_ylabel()
    assert "Varma et al. 2023, at rest" in second.get_legend_handles_labels()[1]


def test_points_far_from_their_line_say_what_sets_them_apart() -> None:
    clock = SQUARE.law.clock(31, 128)
    sizes = {"from scratch": float(clock.critical_size(4000)), "at rest": clock.rest}
    points = tuple(
        SizePoint(modulus=31, size=factor * size, at_rest=name == "at rest", apart=f"{name} {factor}")
        for name, size in sizes.items()
        for factor in (1.0, 1.04, 1.5, 0.5)
    )
    nameless = SizePoint(modulus=31, size=900.0)
    shown = panel((*points, nameless))
    expected = {f"{name} {factor}" for name in sizes for factor in (1.5, 0.5)}
    assert {point.apart for point in far(shown)} == expected
    (ax,) = draw([shown]).axes
    assert {text.get_text() for text in ax.texts} & {point.apart for point in points} == expected


def test_the_picture_has_all_sizes_at_rest_and_names_networks_that_need_more() -> None:
    law = thresholds_of(Problem(model="transformer"))
    rows = rest_beyond(RESULTS, law, 128)
    # Ten were asked of which one has no size, and one was known before.
    assert len(rows) == 10
    found = far(ThresholdPanel(title="", law=law, width=128, horizon=13_333, points=points_of(rows, at_rest=BEYOND)))
    assert [(point.modulus, point.apart, point.source) for point in found] == [
        (37, "$d=16$", BEYOND),
        (43, "$d=16$", BEYOND),
    ]
    known = [row for row in rest_beyond(RESULTS, SQUARE, 128) if not row["apart"]]
    assert {row["n_symbols"]: row["size"] for row in known}[113] == pytest.approx(775.0)


def test_ranges_stand_at_their_middle_with_their_ends() -> None:
    points = {point.source: point for point in published_points(published_numbers(), short) if point.at_rest}
    assert points["Varma et al. 2023, at rest"].size == pytest.approx(np.sqrt(800 * 1000))
    assert points["Varma et al. 2023, at rest"].interval == Interval(low=800.0, high=1000.0)
    with pytest.raises(ValueError, match="size must be above 0"):
        SizePoint(modulus=31, size=0.0)
