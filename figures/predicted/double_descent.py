"""Test accuracy and loss of a growing model on one training set."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from dcrit.empirics.measures.over_width import AtWidth
from dcrit.figures.drawing import canvas, style
from dcrit.theory.predictions.double_descent import DoubleDescent

#: Ratio of the places of two seeds of one width.
ASIDE = 1.015


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
        label=f"{interval} of accuracy",
    )
    ax.plot(found.n_params, found.accuracy, color=style.BLUE, label="test accuracy, expected")
    if found.place.value is not None and found.place.interval is not None:
        ax.axvspan(
            found.place.interval.low,
            found.place.interval.high,
            color=style.GREY,
            alpha=style.SHADE,
            linewidth=0,
            label=f"{interval} of the lowest point",
        )
        ax.axvline(found.place.value, color=style.BLACK, linestyle=":", label="lowest point of a dip")
    ax.set(
        xscale="log",
        ylim=(-0.04, 1.04),
        xlabel="model size $N$ [parameters]",
        ylabel="test accuracy [fraction]",
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
    # Seeds stand a little beside each other, so that those that end alike are all seen.
    places = [
        (one.n_params * ASIDE ** (k - (len(one.accuracies) - 1) / 2), accuracy)
        for one in measured
        for k, accuracy in enumerate(one.accuracies)
    ]
    ax.plot(
        *zip(*places, strict=True),
        "o",
        color=style.GREY,
        markerfacecolor="none",
        markersize=2.8,
        markeredgewidth=0.6,
        label="one run, final",
        zorder=4,
    )
    arms = [canvas.arms(one.mean, one.interval) or [[0.0], [0.0]] for one in measured]
    ax.errorbar(
        [one.n_params for one in measured],
        [one.mean for one in measured],
        yerr=[[arm[side][0] for arm in arms] for side in (0, 1)],
        fmt="D",
        color=style.VERMILLION,
        markersize=4,
        linestyle="none",
        label=f"mean of a width, {level:.0%} interval",
        zorder=5,
    )


def draw_loss(ax: Axes, found: DoubleDescent) -> None:
    """Expected test loss over model size."""
    canvas.prepare(ax)
    ax.plot(found.n_params, found.loss, color=style.VERMILLION, linestyle="--", label="test loss, expected")
    ax.set(xscale="log", xlabel="model size $N$ [parameters]", ylabel="test loss [nats]")
    ax.set_ylim(bottom=0)


def new_double_descent(
    found: DoubleDescent, *, title: str, measured: Sequence[AtWidth] = (), remark: str = ""
) -> Figure:
    """Accuracy and loss beside each other under one title and one legend.

    Args:
        found: What is drawn.
        title: What was asked.
        measured: Widths that have runs, which lie over the accuracy.
        remark: What else is to be known, below everything.
    """
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, 3.4)
        left, right = figure.subplots(1, 2)
        draw_accuracy(left, found)
        draw_measured(left, measured, level=found.level)
        draw_loss(right, found)
        canvas.legend(figure, columns=3)
        figure.legends[0].set_title(title, prop=FontProperties(size=style.FONT + 1))
        canvas.footnotes(figure, [remark] if remark else [])
        return figure
