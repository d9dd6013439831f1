"""Pictures of somebody's curves mark the events that the verdict rests on."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure

import dcrit

STEP = np.arange(0, 10_001, 100)


def level(start: float, end: float, at: int) -> np.ndarray:
    return np.where(at > STEP, start, end)


TRAIN, TEST = level(0.1, 1.0, 300), level(0.02, 0.97, 6000)


def drawn(ax: Axes | None = None, **columns: Any) -> Axes:
    return dcrit.classify({"step": STEP, **columns}).plot(ax or Figure().subplots())


def upright(ax: Axes) -> dict[str, float]:
    """Lines across the whole height, by their labels."""
    found = [(str(one.get_label()), np.asarray(one.get_data())) for one in ax.lines]
    return {label: float(across[0]) for label, (across, up) in found if list(up) == [0, 1]}


def labels(ax: Axes) -> list[str]:
    return ax.get_legend_handles_labels()[1]


@pytest.mark.parametrize(
    ("column", "unit"), [("step", "steps"), ("epoch", "epochs"), ("batch", "batches"), ("global_step", "steps")]
)
def test_the_axis_counts_what_the_column_of_the_log_counts_and_names_it(column: str, unit: str) -> None:
    found = dcrit.classify({column: STEP, "train_acc": TRAIN, "test_acc": TEST})
    ax = found.plot(Figure().subplots())
    assert ax.get_xlabel() == f"training time [{unit}], column '{column}'"
    assert found.curves.unit == unit


def test_where_no_column_counts_the_axis_counts_evaluations() -> None:
    ax = dcrit.classify({"train_acc": TRAIN, "test_acc": TEST}).plot(Figure().subplots())
    assert ax.get_xlabel() == "training time [evaluations]"


def test_an_axis_is_named_by_a_column_that_was_given_for_it() -> None:
    curves = {"when $x$": STEP, "train_acc": TRAIN, "test_acc": TEST}
    ax = dcrit.classify(curves, columns={"step": "when $x$"}).plot(Figure().subplots())
    assert ax.get_xlabel() == r"training time [steps], column 'when \$x\$'"


def test_both_events_and_the_delay_between_them_are_marked() -> None:
    ax = drawn(train_acc=TRAIN, test_acc=TEST)
    assert upright(ax) == {"memorized at 300": 300.0, "generalized at 6000": 6000.0}
    assert [one.get_text() for one in ax.texts if one.get_text()] == ["delay ×20"]
    (arrow,) = [one for one in ax.texts if getattr(one, "arrow_patch", None) is not None]
    assert (arrow.xyann[0], arrow.xy[0]) == (300.0, 6000.0)  # type: ignore[attr-defined]
    later = dcrit.classify({"step": STEP + 44_000, "train_acc": level(1.0, 1.0, 0), "test_acc": TEST})
    assert [one.get_text() for one in later.plot(Figure().subplots()).texts if one.get_text()] == ["delay 6000 steps"]


def test_what_did_not_happen_is_not_marked() -> None:
    ax = drawn(train_acc=TRAIN, test_acc=level(0.02, 0.02, 0))
    assert upright(ax) == {"memorized at 300": 300.0}
    assert list(ax.texts) == []
    assert not any("ceiling" in one or "again" in one for one in labels(ax))


def test_ceilings_and_falls_are_drawn_where_the_verdict_rests_on_them() -> None:
    ax = drawn(train_acc=TRAIN, test_acc=level(0.02, 0.75, 6000))
    (ceiling,) = [one for one in ax.lines if one.get_label() == "ceiling 0.75, estimated"]
    assert np.asarray(ceiling.get_ydata()).tolist() == [0.75, 0.75]
    given = dcrit.classify({"step": STEP, "train_acc": TRAIN, "test_acc": TEST * 0.8}, ceiling=0.8)
    assert "ceiling 0.8, given" in labels(given.plot(Figure().subplots()))
    lost = np.where((STEP >= 1000) & (STEP < 5000), 0.97, 0.02)
    ax = drawn(train_acc=TRAIN, test_acc=lost)
    assert upright(ax)["below 0.1 at 5000"] == 5000.0
    (shade,) = ax.collections
    assert shade.get_label() == "test below 0.8 again"
    (path,) = shade.get_paths()
    across = np.asarray(path.vertices)[:, 0]
    assert (across.min(), across.max()) == (5000.0, 10_000.0)


def test_events_of_several_runs_are_marked_on_their_curves() -> None:
    ax = drawn(train_acc_0=TRAIN, test_acc_0=TEST, train_acc_1=TRAIN, test_acc_1=level(0.02, 0.02, 0))
    assert upright(ax) == {}
    points = [one for one in ax.lines if np.size(one.get_xdata()) == 1]
    assert [np.asarray(one.get_xdata()).item() for one in points] == [300, 6000, 300]
    assert same_color(points[0].get_color(), points[1].get_color())
    assert not same_color(points[0].get_color(), points[2].get_color())


@pytest.mark.slow
def test_nothing_of_the_legend_is_cut_off() -> None:
    ax = dcrit.classify({"step": STEP, "train_acc": TRAIN, "test_acc": level(0.02, 0.75, 6000)}).plot()
    figure, legend = ax.figure, ax.get_legend()
    figure.canvas.draw()
    assert legend is not None
    assert legend.get_window_extent().x1 <= figure.bbox.x1
