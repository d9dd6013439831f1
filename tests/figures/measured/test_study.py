from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

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
        ("transition", run(145, float("nan"))),
    ],
    predicted=size(128.0),
    measured=size(136.0),
    half_accuracy=0.5,
    design=SimpleNamespace(level=0.9),
)


def test_runs_on_real_labels_of_full_length_are_shown_by_size() -> None:
    assert accuracies_of(RESULT) == {130: [0.3, 0.5], 140: [0.7], 155: [0.95]}


def test_a_short_axis_has_ticks_enough_and_several_runs_an_interval() -> None:
    with style.context():
        ax = Figure().subplots()
        draw_study(ax, RESULT)
    low, high = ax.get_xlim()
    assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 3
    assert sum(bool(label.get_text()) for label in ax.get_xticklabels()) >= 3
    (circles,) = [line for line in ax.lines if line.get_label() == "one run"]
    assert len(np.asarray(circles.get_xdata())) == 4
    (bars,) = [one for one in ax.containers if "mean of a size, 90% interval" in str(one.get_label())]
    (arm,) = bars.lines[2][0].get_segments()  # type: ignore[attr-defined]
    assert arm[0][0] == 130
    assert 0 <= arm[0][1] < 0.4 < arm[1][1] <= 1
