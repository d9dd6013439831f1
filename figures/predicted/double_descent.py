"""Test accuracy and loss of a growing model on one training set."""

from __future__ import annotations

from matplotlib.axes import Axes

from dcrit.figures.drawing import canvas, style
from dcrit.theory.predictions.double_descent import DoubleDescent


def draw_accuracy(ax: Axes, found: DoubleDescent) -> None:
    """Expected test accuracy over model size in its band; the place of the dip, if there is one."""
    canvas.prepare(ax)
    ax.fill_between(
        found.n_params, found.accuracy_low, found.accuracy_high, color=style.BLUE, alpha=style.SHADE, linewidth=0
    )
    ax.plot(found.n_params, found.accuracy, color=style.BLUE, label="test accuracy, expected")
    if found.place.value is not None and found.place.interval is not None:
        ax.axvspan(
            found.place.interval.low, found.place.interval.high, color=style.GREY, alpha=style.SHADE, linewidth=0
        )
        ax.axvline(found.place.value, color=style.BLACK, linestyle=":", label="dip")
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
