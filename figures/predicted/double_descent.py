"""Test accuracy and loss of a growing model on one training set."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from dcrit.figures.drawing import canvas, style
from dcrit.theory.predictions.double_descent import DoubleDescent


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


def draw_loss(ax: Axes, found: DoubleDescent) -> None:
    """Expected test loss over model size."""
    canvas.prepare(ax)
    ax.plot(found.n_params, found.loss, color=style.VERMILLION, linestyle="--", label="test loss, expected")
    ax.set(xscale="log", xlabel="model size $N$ [parameters]", ylabel="test loss [nats]")
    ax.set_ylim(bottom=0)


def new_double_descent(found: DoubleDescent, *, title: str) -> Figure:
    """Accuracy and loss beside each other under one title and one legend.

    Args:
        found: What is drawn.
        title: What was asked.
    """
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, 3.4)
        left, right = figure.subplots(1, 2)
        draw_accuracy(left, found)
        draw_loss(right, found)
        canvas.legend(figure, columns=3)
        figure.legends[0].set_title(title, prop=FontProperties(size=style.FONT + 1))
        return figure
