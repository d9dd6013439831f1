"""A study of somebody's own model: accuracy over training-set size, and where it was predicted to cross."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from dcrit.empirics.study.result import StudyResult
from dcrit.figures.drawing import canvas, scales, style
from dcrit.theory.estimates import Estimate


def draw_study(ax: Axes, result: StudyResult) -> None:
    """Mean test accuracy at each size on the real labels, with the measured and the predicted critical size."""
    canvas.prepare(ax)
    points = [one for one in result.generalizing if math.isfinite(one.test_accuracy)]
    shown: list[float] = [one.n_train for one in points]
    ax.plot(shown, [one.test_accuracy for one in points], "o", color=style.BLACK, label="mean of runs")
    ax.axhline(result.half_accuracy, color=style.GREY, linewidth=0.7, linestyle=":")
    for one, look in (
        (result.predicted, ("predicted", style.BLUE, "s")),
        (result.measured, ("measured", style.VERMILLION, "D")),
    ):
        shown += _mark(ax, one, result.half_accuracy, look)
    ends = scales.spread(shown)
    if ends is None:
        canvas.blank(ax, "No run has a test accuracy.", width=2.0)
        return
    scales.log_axis(ax, "x", *ends)
    ax.set(xlabel=style.SIZE_LABEL, ylabel="test accuracy [fraction]", ylim=(-0.04, 1.04))


def _mark(ax: Axes, one: Estimate, height: float, look: tuple[str, str, str]) -> list[float]:
    """One critical size with its interval; returns the sizes that are shown."""
    if one.value is None:
        return []
    label, colour, marker = look
    ax.errorbar(
        [one.value],
        [height],
        xerr=canvas.arms(one.value, one.interval),
        fmt=marker,
        color=colour,
        label=f"{label} critical size",
        zorder=4,
    )
    return [one.value] if one.interval is None else [one.interval.low, one.value, one.interval.high]
