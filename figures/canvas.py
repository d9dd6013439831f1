"""Empty figures, panels, axes and notes, which the figures fill."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dcrit.empirics.claims.claim import ProblemEvidence
from dcrit.figures import style

#: Height of a line of small print [inches], and mean width of its characters.
LINE_HEIGHT = style.SMALL * 1.35 / 72
CHARACTER = style.SMALL * 0.56 / 72

#: Room for a remark above a panel of two in a row [inches].
PANEL_TEXT = 2.9

#: Mantissas of ticks on a logarithmic axis, the sparse choices first.
MANTISSAS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(np.arange(1, 10, 0.5)))


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that keeps labels inside; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(w_pad=0.04, h_pad=0.04, wspace=0.05, hspace=0.04)  # type: ignore[call-arg]
    return figure


def panels(n: int, *, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of two columns' width with n panels of a height [inches], filled row by row."""
    columns = min(n, 2 if n <= 4 else 3)
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


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two positive ends, evenly spread in the logarithm: as many as fit."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    best: list[float] = []
    for mantissas in MANTISSAS:
        ticks = [
            m * 10.0**k for k in decades for m in mantissas if low <= m * 10.0**k * (1 + 1e-9) <= high * (1 + 2e-9)
        ]
        if len(ticks) > most:
            break
        best = ticks
    return best


def log_axis(axis: Axis, low: float, high: float, *, most: int = 6, scaled: bool = False) -> int:
    """Make an axis logarithmic over a range, with plain numbers at its ticks.

    Args:
        axis: The axis.
        low: Its lower end, above 0.
        high: Its upper end.
        most: Ticks at most.
        scaled: Take a power of ten off the ticks, for numbers far from 1.

    Returns:
        Exponent of the power of ten that was taken off; its place is the label.
    """
    ticks = log_ticks(low, high, most)
    exponent = math.floor(math.log10(ticks[0])) if scaled and ticks else 0
    if axis.axis_name == "x":
        axis.axes.set_xscale("log")
        axis.axes.set_xlim(low, high)
    else:
        axis.axes.set_yscale("log")
        axis.axes.set_ylim(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value / 10.0**exponent)))
    return exponent


def _plain(value: float) -> str:
    """A number without exponent; digits are grouped from 10 000 on, where zeros have to be counted."""
    return f"{value:.3g}" if value < 1e3 else f"{value:.0f}" if value < 1e4 else f"{value:,.0f}".replace(",", "\u2009")


def unit(text: str, exponent: int) -> str:
    """A unit in brackets, with the factor that was taken off the ticks."""
    return f"[{text}]" if exponent == 0 else f"[$10^{{{exponent}}}$ {text}]"


def spread(values: Sequence[float], margin: float = 0.06) -> tuple[float, float] | None:
    """Range of the finite positive values, widened by a fraction of itself in the logarithm; None without any."""
    usable = [value for value in values if math.isfinite(value) and value > 0]
    if not usable:
        return None
    low, high = math.log(min(usable)), math.log(max(usable))
    room = max(margin * (high - low), 0.05)
    return math.exp(low - room), math.exp(high + room)


def wrapped(text: str, width: float) -> str:
    """Text broken into lines of small print no wider than a width [inches]."""
    return textwrap.fill(text, max(16, int(width / CHARACTER)))


def title(ax: Axes, text: str, remarks: Sequence[str] = (), *, width: float) -> None:
    """Title of a panel, with what is missing from it in small print below.

    Args:
        ax: The panel.
        text: The title.
        remarks: What is missing and why, if anything.
        width: Room for the remarks [inches].
    """
    small = "\n".join(wrapped(remark, width) for remark in remarks)
    lines = small.count("\n") + 1 if small else 0
    ax.set_title(text, loc="left", pad=4 + lines * LINE_HEIGHT * 72)
    if small:
        ax.annotate(
            small,
            (0, 1),
            xytext=(0, 3),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            fontsize=style.SMALL,
            color=style.VERMILLION,
            linespacing=1.15,
        )


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
        color=style.VERMILLION,
    )


def panel_per_problem(
    problems: Sequence[ProblemEvidence],
    fill: Callable[[Axes, ProblemEvidence], Sequence[str]],
    *,
    height: float,
    order: Sequence[str],
) -> Figure:
    """A panel a problem over training-set size, under one legend.

    Args:
        problems: What was measured.
        fill: Draws one problem, labels the vertical axis and returns what is missing, in words.
        height: Of a panel [inches].
        order: Of the labels in the legend, two to a column.
    """
    with style.context():
        figure, grid = panels(max(1, len(problems)), height=height)
        for ax, entry in zip(grid, problems, strict=False):
            prepare(ax)
            ax.set_xlabel(style.SIZE_LABEL)
            remarks = fill(ax, entry)
            title(ax, style.title_of(entry.problem), remarks, width=PANEL_TEXT / (1 if len(problems) <= 4 else 1.5))
        if not problems:
            grid[0].set_xlabel(style.SIZE_LABEL)
            blank(grid[0], "No problem was measured.", width=2.0)
        legend(figure, columns=4, order=order)
        return figure


def legend(figure: Figure, *, columns: int, order: Sequence[str] = ()) -> None:
    """One legend above all panels, each label once; never over data.

    Args:
        figure: The figure.
        columns: Labels beside each other.
        order: Labels in the order wanted; others follow.
    """
    handles: dict[str, object] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = [label for label in order if label in handles] + [label for label in handles if label not in order]
    if labels:
        figure.legend([handles[label] for label in labels], labels, loc="outside upper center", ncols=columns)  # type: ignore[arg-type]


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
    figure.text(0.07 / width, 0.04 / (height + room), text, va="bottom", fontsize=style.SMALL, color=style.VERMILLION)
