"""Test accuracy and loss of a growing model on one training set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke

from dcrit.empirics.measures.over_width import AtWidth
from dcrit.figures.drawing import canvas, style
from dcrit.theory.predictions.double_descent import SMALLEST_DIP, DoubleDescent
from dcrit.theory.written import number, span

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
    _draw_depth(ax, found)
    ax.set(
        xscale="log",
        ylim=(-0.04, 1.04),
        xlabel="model size $N$ [parameters]",
        ylabel="test accuracy [fraction]",
    )


def _draw_depth(ax: Axes, found: DoubleDescent) -> None:
    """The depth of the dip with its interval, as an arrow at the lowest point; without a dip, a line that says so."""
    depth, interval = found.depth.value, found.depth.interval
    assert depth is not None
    said = f"predicted depth {number(depth)}" + ("" if interval is None else f"\n({span(interval.low, interval.high)})")
    if found.place.value is None:
        said = f"no dip of {SMALLEST_DIP:g}: {said}".replace("\n", " ")
        ax.text(0.98, 0.02, said, transform=ax.transAxes, ha="right", va="bottom", fontsize=style.SMALL)
        return
    lowest = float(np.interp(found.place.value, found.n_params, found.accuracy))
    ax.annotate(
        "",
        (found.place.value, lowest),
        (found.place.value, lowest + depth),
        arrowprops={"arrowstyle": "<->", "color": style.BLACK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
    )
    # On the side with more room, so that no end of the axes cuts it; rimmed in white, so that it hides no run.
    left = 2 * np.log(found.place.value) > np.log(found.n_params[0]) + np.log(found.n_params[-1])
    ax.annotate(
        said,
        (found.place.value, lowest + depth),
        xytext=(-4 if left else 4, 2),
        textcoords="offset points",
        ha="right" if left else "left",
        va="bottom",
        fontsize=style.SMALL,
        path_effects=[withStroke(linewidth=2, foreground="white")],
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
