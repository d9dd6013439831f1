"""Test accuracy of a growing model on one training set as predicted, and of runs beside it, with their test loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from dcrit.empirics.measures.over_width import AtWidth
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.measured.model_size import LEAST_LOSS
from dcrit.theory.predictions.double_descent import SMALLEST_DIP, DoubleDescent
from dcrit.theory.predictions.phase_diagram import few_widths
from dcrit.theory.problems.problem import Problem
from dcrit.theory.written import number, probability, span

#: Ratio of the places of two seeds of one width.
ASIDE = 1.015

#: Why no prediction lies beside the test loss of runs.
UNPREDICTED = "Test loss is measured alone: no law of it is known that holds."


def draw_accuracy(ax: Axes, found: DoubleDescent) -> None:
    """Expected test accuracy over model size in its band; the place of the dip, if there is one."""
    canvas.prepare(ax)
    interval = f"{found.level:.0%} interval"
    ax.fill_between(
        found.n_params,
        found.accuracy_low,
        found.accuracy_high,
        color=style.BLUE,
        alpha=style.SHADE,
        linewidth=0,
        label=f"{interval} of the mean over seeds",
    )
    ax.plot(found.n_params, found.accuracy, color=style.BLUE, label="predicted mean test accuracy")
    if found.place.value is not None and found.place.interval is not None:
        ax.axvspan(
            found.place.interval.low,
            found.place.interval.high,
            color=style.GREY,
            alpha=style.SHADE,
            linewidth=0,
            label=f"{interval} of the lowest point",
        )
        ax.axvline(found.place.value, color=style.BLACK, linestyle=":", label="predicted lowest point of a dip")
    ax.set(xscale="log", ylim=(-0.04, 1.04), ylabel="test accuracy [fraction]")


def depth_told(found: DoubleDescent) -> str:
    """How probable a dip is, and its depth with its interval, for the title of a picture.

    No arrow shows the depth: it is the mean over curves that may be, and not that of their mean.
    """
    depth, interval = found.depth.value, found.depth.interval
    assert depth is not None
    between = "" if interval is None else f" ({span(interval.low, interval.high)})"
    chance = f"dip of {SMALLEST_DIP:g} at least: probability {probability(found.probability)}"
    return f"{chance}, predicted depth {number(depth)}{between}"


def _draw_runs(ax: Axes, measured: Sequence[AtWidth], values: Sequence[Sequence[float]]) -> None:
    """A circle a run, at the size of its network.

    Args:
        ax: Axes.
        measured: Widths that have runs.
        values: Of every run of each width.
    """
    # Seeds stand a little beside each other, so that those that end alike are all seen.
    places = [
        (one.n_params * ASIDE ** (k - (len(some) - 1) / 2), value)
        for one, some in zip(measured, values, strict=True)
        for k, value in enumerate(some)
    ]
    ax.plot(
        *zip(*places, strict=True),
        "o",
        color=style.BLACK,
        markerfacecolor="none",
        markersize=2.8,
        markeredgewidth=0.6,
        label="one run, final",
        zorder=6,
    )


def draw_measured(ax: Axes, measured: Sequence[AtWidth], *, level: float) -> None:
    """Final test accuracy of every run, and the mean of each width in its interval.

    Args:
        ax: Axes with the curve over model size.
        measured: Widths that have runs.
        level: Probability content of their intervals.
    """
    if not measured:
        return
    _draw_runs(ax, measured, [one.accuracies for one in measured])
    # Beside its runs, so that none of them is hidden.
    aside = [one.n_params * ASIDE ** (len(one.accuracies) / 2 + 1.5) for one in measured]
    arms = [canvas.arms(one.mean, one.interval) or [[0.0], [0.0]] for one in measured]
    ax.errorbar(
        aside,
        [one.mean for one in measured],
        yerr=[[arm[side][0] for arm in arms] for side in (0, 1)],
        fmt="D",
        color=style.VERMILLION,
        markersize=4,
        linestyle="none",
        label=f"measured mean of a width, {level:.0%} interval",
        zorder=5,
    )


def draw_measured_loss(ax: Axes, measured: Sequence[AtWidth]) -> None:
    """Final test loss of every run over model size, and the geometric mean of each width. Nothing of it is predicted.

    Args:
        ax: Axes.
        measured: Widths that have runs; at least one.
    """
    canvas.prepare(ax)
    ax.set(xscale="log", ylabel="test loss [nats]")
    losses = [[max(loss, LEAST_LOSS) for loss in one.losses] for one in measured]
    limits = scales.spread([loss for some in losses for loss in some], margin=0.12)
    assert limits is not None
    # Limits stand before anything is drawn, as losses that are all alike have no range of their own.
    scales.log_axis(ax, "y", *limits, fewest=3)
    _draw_runs(ax, measured, losses)
    ax.plot(
        [one.n_params for one in measured],
        [float(np.exp(np.mean(np.log(some)))) for some in losses],
        "s-",
        color=style.VERMILLION,
        markersize=3.5,
        linewidth=0.8,
        label="geometric mean of a width, test loss",
        zorder=5,
    )


def name_widths(ax: Axes, found: DoubleDescent, problem: Problem) -> None:
    """Ticks of model size at round widths."""
    scales.width_axis(ax, problem, few_widths(found.widths, problem.family.width_step))


def new_double_descent(
    found: DoubleDescent, problem: Problem, *, title: str, measured: Sequence[AtWidth] = (), remark: str = ""
) -> Figure:
    """Accuracy under its title and legend; beside it the test loss of runs, where there are any.

    Args:
        found: What is drawn.
        problem: What the networks learn; its width plays no part.
        title: What was asked.
        measured: Widths that have runs, which lie over the accuracy.
        remark: What else is to be known, below everything.
    """
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, 3.4)
        axes = figure.subplots(1, 2 if measured else 1, squeeze=False).ravel().tolist()
        draw_accuracy(axes[0], found)
        draw_measured(axes[0], measured, level=found.level)
        if measured:
            draw_measured_loss(axes[1], measured)
            axes[1].set_xlim(axes[0].get_xlim())
        for ax in axes:
            name_widths(ax, found, problem)
        canvas.legend(figure, columns=3)
        figure.legends[0].set_title(f"{title}\n{depth_told(found)}", prop=FontProperties(size=style.FONT + 1))
        canvas.footnotes(figure, [one for one in (remark, UNPREDICTED if measured else "") if one])
        return figure
