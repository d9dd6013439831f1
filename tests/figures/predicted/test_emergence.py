import numpy as np
import pytest

from dcrit.figures.drawing import canvas, style
from dcrit.figures.predicted.emergence import draw_emergence
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.predictions.emergence import emergence_curve, predict_emergence
from dcrit.theory.problems.problem import Problem

WIDTHS = np.unique(np.geomspace(16, 256, 10).round().astype(np.int64))
CHOSEN = next(calibration for calibration in shipped_calibrations() if calibration.covers(Problem()))


@pytest.mark.slow
@pytest.mark.parametrize(("n_train", "beyond"), [(60, True), (230, True), (520, False)])
def test_the_threshold_is_drawn_with_its_units_and_its_end(n_train: int, beyond: bool) -> None:
    curve = emergence_curve(Problem(), CHOSEN, n_facts=[0, 20, 40, 160], n_train=n_train, widths=WIDTHS, n_draws=30)
    asked = predict_emergence(Problem(), CHOSEN, n_facts=20, n_train=n_train, widths=WIDTHS, n_draws=30)
    with style.context():
        figure = canvas.new_figure(4, 3)
        ax = figure.subplots()
        draw_emergence(ax, curve, asked)
        canvas.legend(figure, columns=2)
        figure.draw_without_rendering()
    labels = ax.get_legend_handles_labels()[1]
    assert ("largest width looked at" in labels) == beyond
    assert ("20 facts" in labels) == (asked.width.value is not None)
    assert "[examples]" in ax.get_xlabel()
    assert "[hidden units]" in ax.get_ylabel()
