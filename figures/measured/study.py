"""A study of somebody's own model: accuracy over training-set size, and where it was predicted to cross."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from dcrit.empirics.measures.planes import interval_of_mean
from dcrit.empirics.study.result import StudyResult
from dcrit.figures.drawing import canvas, scales, style
from dcrit.theory.estimates import Estimate

#: Fewest runs of a size from which an interval of their mean is drawn.
FEWEST_FOR_INTERVAL = 3


def draw_study(ax: Axes, result: StudyResult) -> None:
    """Test accuracy at each size on the real labels, with the measured and the predicted critical size."""
    canvas.prepare(ax)
    points = accuracies_of(result)
    shown: list[float] = [float(size) for size in points]
    _draw_points(ax, points, level=result.design.level)
    half = f"one half, {result.half_accuracy:.3g}"
    ax.axhline(result.half_accuracy, color=style.GREY, linewidth=0.7, linestyle=":", label=half)
    for one, look in (
        (result.predicted, ("predicted", style.BLUE, "s")),
        (result.measured, ("measured", style.VERMILLION, "D")),
    ):
        shown += _mark(ax, one, result.half_accuracy, look)
    ends = scales.spread(shown)
    if ends is None:
        canvas.blank(ax, "No run has a test accuracy.", width=2.0)
        return
    scales.log_axis(ax, "x", *ends, fewest=3)
    ax.set(xlabel=style.SIZE_LABEL, ylabel="test accuracy [fraction]", ylim=(-0.04, 1.04))


def accuracies_of(result: StudyResult) -> dict[int, list[float]]:
    """Test accuracies of the runs of full length on real labels, by training-set size, rising.

    Args:
        result: Of a study.
    """
    found: dict[int, list[float]] = {}
    for role, run in result.runs:
        accuracy = run.settled("test_accuracy")
        if role in ("transition", "generalizing") and math.isfinite(accuracy):
            found.setdefault(run.config.n_train, []).append(accuracy)
    return dict(sorted(found.items()))


def _draw_points(ax: Axes, points: Mapping[int, Sequence[float]], *, level: float) -> None:
    """One circle a run; the mean of each size that has several, and its interval where these are enough for one."""
    single = [(size, one) for size, some in points.items() for one in some]
    if single:
        ax.plot(
            *zip(*single, strict=True), "o", color=style.GREY, markerfacecolor="none", markersize=3.5, label="one run"
        )
    means = {size: float(np.mean(some)) for size, some in points.items() if len(some) > 1}
    if means:
        ax.plot(*zip(*means.items(), strict=True), "_", color=style.BLACK, markersize=7, label="mean of a size")
    # An interval from two runs is nearly all of 0 to 1, whatever they show: the runs themselves say more.
    many = {size: some for size, some in points.items() if len(some) >= FEWEST_FOR_INTERVAL}
    if many:
        arms = [
            canvas.arms(means[size], interval_of_mean(some, level=level)) or [[0.0], [0.0]]
            for size, some in many.items()
        ]
        ax.errorbar(
            list(many),
            [means[size] for size in many],
            yerr=np.hstack(arms),
            fmt="none",
            ecolor=style.BLACK,
            elinewidth=0.7,
            label=f"its {level:.0%} interval, from {FEWEST_FOR_INTERVAL} runs on",
        )


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
