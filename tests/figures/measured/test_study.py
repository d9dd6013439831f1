from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from dcrit.api.own import Study
from dcrit.figures.drawing import style
from dcrit.figures.measured.study import accuracies_of, draw_study
from dcrit.theory.estimates import Estimate, Interval


def run(n_train: int, accuracy: float) -> Any:
    return SimpleNamespace(config=SimpleNamespace(n_train=n_train), settled=lambda _: accuracy)


def size(value: float) -> Estimate:
    span = Interval(low=0.96 * value, high=1.04 * value, level=0.9)
    return Estimate(quantity="critical_size", value=value, interval=span, unit="examples")


RESULT: Any = SimpleNamespace(
    runs=[
        *(("probing", run(20, 0.0)), ("memorizing", run(50, 0.5)), ("generalizing", run(155, 0.95))),
        *(("transition", run(130, 0.3)), ("transition", run(130, 0.5)), ("transition", run(140, 0.7))),
        *(("transition", run(130, 0.4)), ("transition", run(140, 0.9))),
        ("transition", run(145, float("nan"))),
    ],
    predicted=size(128.0),
    measured=size(136.0),
    half_accuracy=0.5,
    design=SimpleNamespace(level=0.9),
)


def test_runs_on_real_labels_of_full_length_are_shown_by_size() -> None:
    assert accuracies_of(RESULT) == {130: [0.3, 0.5, 0.4], 140: [0.7, 0.9], 155: [0.95]}


def test_a_short_axis_has_ticks_enough_and_several_runs_an_interval() -> None:
    with style.context():
        ax = Figure().subplots()
        draw_study(ax, RESULT)
    low, high = ax.get_xlim()
    assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 3
    assert sum(bool(label.get_text()) for label in ax.get_xticklabels()) >= 3
    (circles,) = [line for line in ax.lines if line.get_label() == "one run"]
    assert len(np.asarray(circles.get_xdata())) == 6
    (means,) = [line for line in ax.lines if line.get_label() == "mean of a size"]
    assert np.asarray(means.get_xdata()).tolist() == [130, 140]
    assert np.asarray(means.get_ydata()) == pytest.approx([0.4, 0.8])
    # Two runs have a mean, and no interval.
    (bars,) = [one for one in ax.containers if "its 90% interval, from 3 runs on" in str(one.get_label())]
    (arm,) = bars.lines[2][0].get_segments()  # type: ignore[attr-defined]
    assert arm[0][0] == 130
    assert 0 <= arm[0][1] < 0.4 < arm[1][1] <= 1


def test_the_title_has_both_sizes_with_their_intervals() -> None:
    result: Any = SimpleNamespace(**vars(RESULT), n_params=576, n_examples=256)
    with style.context():
        ax = Study(result=result).plot(Figure(figsize=(6, 4)).subplots())
    assert ax.get_title() == (
        "study: 576 parameters, 256 examples\npredicted 128 (123 – 133), measured 136 (131 – 141)"
    )
    result.predicted = Estimate(quantity="critical_size", value=None, interval=None, unit="examples", reason="none")
    with style.context():
        ax = Study(result=result).plot(Figure(figsize=(6, 4)).subplots())
    assert ax.get_title().endswith("predicted: none, measured 136 (131 – 141)")
