"""Empty figures, panels, axes and notes, which the figures fill."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.figures.drawing import style
from dcrit.theory.estimates import Interval

#: Height of a line of small print [inches], and mean width of its characters.
LINE_HEIGHT = style.SMALL * 1.35 / 72
CHARACTER = style.SMALL * 0.56 / 72

#: Width of what stands before and after a label of a legend [inches].
HANDLE = 0.45

#: Mean width of a character of a title [inches].
TITLE_CHARACTER = style.FONT * 0.56 / 72

#: Room for a remark above a panel of two in a row [inches].
PANEL_TEXT = 2.9

#: What ticks and label of a vertical axis take of the width of a panel [inches].
BESIDE = 0.65


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that keeps labels inside; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(w_pad=0.04, h_pad=0.04, wspace=0.05, hspace=0.04)  # type: ignore[call-arg]
    return figure


def panels(n: int, *, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of two columns' width with n panels of a height [inches], filled row by row."""
    columns = min(n, 2 if n <= 6 else 3)
    rows = math.ceil(n / columns)
    # Fewer than two panels in a row would be stretched beyond their use.
    width = style.DOUBLE if columns > 1 else style.DOUBLE * 0.6
    figure = new_figure(width, rows * height + 0.45)
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in grid[n:]:
        spare.remove()
    return figure, grid[:n]


def prepare(ax: Axes) -> None:
    """Ticks and a light grid."""
    ax.tick_params(which="both", **style.TICKS)
    ax.tick_params(which="major", length=3)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(True, which="major", **style.GRID)


def wrapped(text: str, width: float, *, size: float = style.SMALL) -> str:
    """Text broken into lines no wider than a width [inches], in small print or another size [points]."""
    return textwrap.fill(text, max(16, int(width / CHARACTER * style.SMALL / size)))


def panel_width(ax: Axes) -> float:
    """Width that axes of a figure will have, about [inches]: their layout is made when the figure is drawn."""
    spec, figure = ax.get_subplotspec(), ax.get_figure(root=True)
    assert figure is not None
    columns = 1 if spec is None else spec.get_gridspec().ncols
    return float(figure.get_size_inches()[0]) / columns - BESIDE


def heading(ax: Axes, text: str) -> None:
    """Title of a panel in the middle above it, broken where it would be wider; lines that it has are kept."""
    most = int((panel_width(ax) + BESIDE / 2) / TITLE_CHARACTER)
    ax.set_title("\n".join(textwrap.fill(line, most) for line in text.split("\n")))


def title(ax: Axes, text: str, remarks: Sequence[str] = (), *, width: float) -> float:
    """Title of a panel, with what is missing from it in small print below.

    Args:
        ax: The panel.
        text: The title.
        remarks: What is missing and why, if anything.
        width: Room for the remarks [inches].

    Returns:
        Height that the remarks take [inches].
    """
    small = "\n".join(wrapped(remark, width) for remark in remarks)
    lines = small.count("\n") + 1 if small else 0
    ax.set_title(textwrap.fill(text, int(width / TITLE_CHARACTER)), loc="left", pad=4 + lines * LINE_HEIGHT * 72)
    if small:
        ax.annotate(
            small,
            (0, 1),
            xytext=(0, 3),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            fontsize=style.SMALL,
            color=style.NOTE,
            linespacing=1.15,
        )
    return lines * LINE_HEIGHT


def blank(ax: Axes, text: str, *, width: float) -> None:
    """Say inside an empty panel why it is empty."""
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.text(
        0.5,
        0.5,
        wrapped(text, width),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=style.SMALL,
        color=style.NOTE,
    )


def columns_within(labels: Sequence[str], width: float, *, most: int = 3, handle: float = HANDLE) -> int:
    """Columns of a legend in small print that fit beside each other; at least one.

    Args:
        labels: In their order, which runs down each column.
        width: Room for all columns [inches].
        most: Columns at most.
        handle: Width of what stands before and after a label [inches].
    """

    def room(columns: int) -> float:
        lines = [max(map(len, label.split("\n"))) for label in labels]
        # As legends fill their columns: the first ones have one label more where they do not divide evenly.
        longest = [max(one) for one in np.array_split(lines, columns)]
        return sum(handle + CHARACTER * one for one in longest)

    return next((n for n in range(min(most, len(labels)), 1, -1) if room(n) <= width), 1)


def legend(figure: Figure, *, columns: int, order: Sequence[str] = ()) -> None:
    """One legend above all panels, each label once; never over data.

    Args:
        figure: The figure.
        columns: Labels beside each other at most; fewer where they would be wider than the figure, which grows by the
            lines that this takes.
        order: Labels in the order wanted; others follow.
    """
    handles: dict[str, object] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = [label for label in order if label in handles] + [label for label in handles if label not in order]
    if labels:
        width, height = figure.get_size_inches()
        fitting = columns_within(labels, width - 0.2, most=columns)
        more = math.ceil(len(labels) / fitting) - math.ceil(len(labels) / columns)
        figure.set_size_inches(width, height + more * LINE_HEIGHT)
        figure.legend([handles[label] for label in labels], labels, loc="outside upper center", ncols=fitting)  # type: ignore[arg-type]


def footnotes(figure: Figure, lines: Sequence[str]) -> None:
    """Small print below everything, for what has no place in the axes; the figure grows by its height."""
    if not lines:
        return
    width, height = figure.get_size_inches()
    text = "\n".join(wrapped(line, width - 0.15) for line in lines)
    room = (text.count("\n") + 1) * LINE_HEIGHT + 0.08
    figure.set_size_inches(width, height + room)
    engine = figure.get_layout_engine()
    assert engine is not None
    share = room / (height + room)
    engine.set(rect=(0, share, 1, 1 - share))  # type: ignore[call-arg]
    figure.text(0.07 / width, 0.04 / (height + room), text, va="bottom", fontsize=style.SMALL, color=style.NOTE)


def stretch(figure: Figure, least: float) -> None:
    """Let a figure grow until its panels are as high as they should be, whatever legend and notes take.

    Args:
        figure: With all that it will hold but footnotes, whose room is in inches of the final height.
        least: Height of a panel without its labels [inches].
    """
    figure.draw_without_rendering()
    lowest = min(ax.get_window_extent().height for ax in figure.axes) / figure.dpi
    spec = figure.axes[0].get_subplotspec()
    rows = 1 if spec is None else spec.get_gridspec().nrows
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + rows * max(0.0, least - lowest))


def arms(value: float, interval: Interval | None) -> list[list[float]] | None:
    """Lengths of the two arms of an error bar; an interval need not hold the value, then that arm is missing."""
    if interval is None:
        return None
    return [[max(0.0, value - interval.low)], [max(0.0, interval.high - value)]]
