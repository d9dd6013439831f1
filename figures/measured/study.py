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


def draw_study(ax: Axes, result: StudyResult) -> None:
    """Test accuracy at each size on the real labels, with the measured and the predicted critical size."""
    canvas.prepare(ax)
    points = accuracies_of(result)
    shown: list[float] = [float(size) for size in points]
    _draw_points(ax, points, level=result.design.level)
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
    """One circle a run; where a size has several, their mean and its interval."""
    single = [(size, one) for size, some in points.items() for one in some]
    if single:
        ax.plot(
            *zip(*single, strict=True), "o", color=style.GREY, markerfacecolor="none", markersize=3.5, label="one run"
        )
    several = {size: some for size, some in points.items() if len(some) > 1}
    if several:
        means = [float(np.mean(some)) for some in several.values()]
        arms = [
            canvas.arms(mean, interval_of_mean(some, level=level)) or [[0.0], [0.0]]
            for mean, some in zip(means, several.values(), strict=True)
        ]
        ax.errorbar(
            list(several),
            means,
            yerr=np.hstack(arms),
            fmt="o",
            color=style.BLACK,
            markersize=3.5,
            label=f"mean of a size, {level:.0%} interval",
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
