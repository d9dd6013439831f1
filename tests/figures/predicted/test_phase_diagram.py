from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import dcrit
from dcrit.figures.drawing import canvas, style
from dcrit.figures.predicted.double_descent import new_double_descent
from dcrit.figures.predicted.phase_diagram import AT_REST, CAPACITY, CRITICAL, draw_phase_diagram, name_widths
from dcrit.theory.calibrations.calibration import calibration_of, shipped_calibrations
from dcrit.theory.predictions.double_descent import predict_double_descent
from dcrit.theory.predictions.phase_diagram import phase_diagram
from dcrit.theory.problems.problem import Problem

WIDTHS = np.arange(12, 100, 4)
CHOSEN = next(calibration for calibration in shipped_calibrations() if calibration.covers(Problem()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("widths", "largest", "inside"),
    [(np.arange(4, 49, 4), 529, True), (np.arange(4, 49, 4), 90, False), (np.arange(16, 49, 4), 529, False)],
)
def test_the_map_says_its_units_and_where_its_star_is(widths: np.ndarray, largest: int, inside: bool) -> None:
    problem = Problem(model="transformer")
    sizes, calibration = np.geomspace(10, largest, 20), calibration_of(problem, None)
    found = phase_diagram(problem, calibration, widths=widths, n_trains=sizes, n_draws=30)
    with style.context():
        figure = canvas.new_figure(5, 4)
        ax = figure.subplots()
        draw_phase_diagram(ax, found)
        name_widths(ax, found)
        canvas.legend(figure, columns=4)
        figure.draw_without_rendering()
    labels = ax.get_legend_handles_labels()[1]
    n_params, n_train = found.star.n_params.value, found.star.n_train.value
    assert n_params is not None
    assert n_train is not None
    outside = f"star outside the picture:\nN = {n_params:.0f}, D = {n_train:.0f}"
    assert [one for one in labels if "star" in one] == ["star" if inside else outside]
    assert "ungrokking (memorization)" in labels
    assert len(set(labels)) == len(labels)
    stars = [line for line in ax.lines if line.get_label() == "star"]
    assert [line.get_clip_on() for line in stars] == [False] * inside  # a star at the frame is whole
    ticks = [label.get_text().split("\n") for label in ax.get_xticklabels()]
    drawn = dict(zip(found.n_params.round().astype(int).tolist(), widths.tolist(), strict=True))
    assert {int(n.replace("\u2009", "")): int(width) for n, width in ticks}.items() <= drawn.items()
    assert [int(ticks[k][1]) for k in (0, -1)] == [widths[0], widths[-1]]
    assert len(ticks) >= 3
    assert [one for one in labels if "interval" in one] == ["90% interval"]
    assert {CRITICAL, CAPACITY} <= set(labels)
    assert "[parameters]" in ax.get_xlabel()
    assert "[examples]" in ax.get_ylabel()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "least", "seen"),
    [
        (Problem(modulus=31), 13, {CRITICAL, AT_REST, CAPACITY}),
        (Problem(modulus=23, activation="relu"), 17, {CRITICAL, AT_REST, CAPACITY}),
        (Problem(modulus=13), 48, {CRITICAL, AT_REST}),  # all of D_mem lies above all pairs
    ],
    ids=["square", "relu", "wide"],
)
def test_curves_are_named_where_they_leave_the_picture_and_names_do_not_cover_each_other(
    problem: Problem, least: int, seen: set[str]
) -> None:
    ax = dcrit.phase_diagram(problem, points=30, min_width=least).plot()
    figure = ax.figure
    figure.draw_without_rendering()  # type: ignore[union-attr]
    named = {text.get_text().split(",")[0]: text for text in ax.texts}
    assert named.keys() == seen
    boxes = {name: text.get_window_extent() for name, text in named.items()}
    for one, other in combinations(boxes.values(), 2):
        assert not one.overlaps(other)
    legend = ax.get_legend()
    assert legend is not None
    assert not any(legend.get_window_extent().overlaps(box) for box in boxes.values())
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    labels = [text.get_text() for text in legend.get_texts()]
    assert not {CRITICAL, CAPACITY, AT_REST} & set(labels)
    assert labels.count("90% interval") == 1
    # At every width the size at rest lies below the one from scratch, and has no value where nothing fits.
    critical, capacity, rest = (np.asarray(line.get_ydata()) for line in ax.lines[:3])
    assert len(critical) == len(capacity) == len(rest)
    both = np.isfinite(critical) & np.isfinite(rest)
    assert both.any()
    assert (rest[both] < critical[both]).all()


@pytest.mark.slow
@pytest.mark.parametrize("n_train", [200, 529])
def test_double_descent_is_drawn_with_its_units(n_train: int) -> None:
    found = predict_double_descent(Problem(), CHOSEN, n_train=n_train, widths=WIDTHS, n_draws=30)
    (ax,) = new_double_descent(found, Problem(), title="").axes  # without runs, there is no loss
    assert "[fraction]" in ax.get_ylabel()
    assert any("dip" in label for label in ax.get_legend_handles_labels()[1]) == found.dip


def test_notes_are_no_alarm() -> None:
    red, green, blue = to_rgb(style.NOTE)
    assert red == green == blue
