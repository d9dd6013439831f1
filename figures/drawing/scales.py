"""Logarithmic axes with few, plain numbers at their ticks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from dcrit.figures.drawing import canvas, style

if TYPE_CHECKING:
    from dcrit.theory.problems.problem import Problem

#: Room between labels at ticks, and width of a digit [inches].
GAP, DIGIT = 0.06, style.SMALL * 0.64 / 72

#: Part of an axis that lies between its outermost ticks.
BETWEEN_ENDS = 0.83

#: Numbers below are shown as powers of ten.
SMALLEST_PLAIN = 1e-3

#: Mantissas of ticks on a logarithmic axis, the sparse choices first.
MANTISSAS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(np.arange(1, 10, 0.5)))


def log_ticks(low: float, high: float, most: int = 6, fewest: int = 0) -> list[float]:
    """Round numbers between two positive ends, evenly spread in the logarithm: as many as fit.

    Args:
        low: The lower end.
        high: The upper end.
        most: Numbers at most.
        fewest: With fewer than so many, round numbers that are evenly spread themselves: a short axis has no others.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    whole = [k for k in decades if low <= 10.0**k <= high]
    if len(whole) > most:
        every = math.ceil(len(whole) / most)
        return [10.0**k for k in whole if k % every == 0]
    best: list[float] = []
    for mantissas in MANTISSAS:
        ticks = [m * 10.0**k for k in decades for m in mantissas if low <= m * 10.0**k <= high]
        if len(ticks) > most:
            break
        best = ticks
    if len(best) >= fewest:
        return best
    even = [
        float(tick)
        for tick in MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        if low <= tick <= high
    ]
    return even if len(even) > len(best) else best


def log_axis(
    ax: Axes, which: Literal["x", "y"], low: float, high: float, *, most: int = 6, fewest: int = 0, scaled: bool = False
) -> int:
    """Make an axis logarithmic over a range, with plain numbers at its ticks.

    Args:
        ax: Axes.
        which: Their axis.
        low: Its lower end, above 0.
        high: Its upper end.
        most: Ticks at most.
        fewest: With fewer, ticks are evenly spread, as :func:`log_ticks` says.
        scaled: Take a power of ten off the ticks, for numbers far from 1.

    Returns:
        Exponent of the power of ten that was taken off; its place is the label.
    """
    ticks = log_ticks(low, high, most, fewest)
    exponent = math.floor(math.log10(ticks[0])) if scaled and ticks else 0
    if which == "x":
        axis = ax.xaxis
        ax.set_xscale("log")
        ax.set_xlim(low, high)
    else:
        axis = ax.yaxis
        ax.set_yscale("log")
        ax.set_ylim(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value / 10.0**exponent)))
    return exponent


def _tick(value: float) -> str:
    """A plain number, or one with a power of ten where it would have too many zeros."""
    if value >= SMALLEST_PLAIN:
        return plain(value)
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if float(mantissa) == 1 else rf"${float(mantissa):g} \cdot {power}$"


def include(ax: Axes, marks: Sequence[tuple[float, float]], margin: float = 0.03) -> None:
    """Widen logarithmic axes until marks lie inside them, a part of each axis away from its ends.

    Args:
        ax: Axes with limits.
        marks: Places in data coordinates, above 0.
        margin: That part.
    """
    for values, limits, widen in zip(
        zip(*marks, strict=True), (ax.get_xlim(), ax.get_ylim()), (ax.set_xlim, ax.set_ylim), strict=True
    ):
        low, high = map(math.log, limits)
        room = margin * (high - low)
        ends = math.log(min(values)) - room, math.log(max(values)) + room
        widen(math.exp(min(low, ends[0])), math.exp(max(high, ends[1])))


def plain(value: float) -> str:
    """A number without exponent; digits are grouped from 10 000 on, where zeros have to be counted.

    Args:
        value: Of any size.
    """
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


def width_axis(ax: Axes, problem: Problem, widths: Sequence[int]) -> None:
    """Ticks of model size at some widths, each with its number of parameters and its width below.

    Args:
        ax: Axes with model size over a logarithmic axis.
        problem: What the networks learn; its own width plays no part.
        widths: Where ticks are wanted, rising. Numbers of parameters that would lie over others are left out, and so
            are widths; those at the ends are not.
    """
    sizes = {width: replace(problem, width=width).n_params for width in widths}
    length = BETWEEN_ENDS * canvas.panel_width(ax)
    shown = _apart(sizes, {width: str(width) for width in widths}, length)
    numbered = _apart(sizes, {width: plain(sizes[width]) for width in shown}, length)
    ax.xaxis.set_minor_locator(NullLocator())
    labels = [f"{plain(sizes[width]) if width in numbered else ''}\n{width}" for width in shown]
    ax.set_xticks([sizes[width] for width in shown], labels, minor=False)
    symbol, unit = problem.family.width_symbol, problem.family.width_unit
    below = f"below: width {symbol} [{unit}]"
    apart = "\n" if len(below) * canvas.TITLE_CHARACTER > canvas.panel_width(ax) else " "
    ax.set_xlabel(f"model size $N$ [parameters]\nbelow: width ${symbol}${apart}[{unit}]")


def _apart(sizes: Mapping[int, int], labels: Mapping[int, str], length: float) -> list[int]:
    """Widths whose labels do not lie over each other on a logarithmic axis, the ends among them.

    Args:
        sizes: Number of parameters by width, rising.
        labels: By width, some or all of them.
        length: Of the axis between the outermost ones [inches].
    """
    widths = list(labels)
    if len(widths) == 1:
        return widths
    scale = length / math.log(sizes[widths[-1]] / sizes[widths[0]])

    def clear(one: int, other: int) -> bool:
        needed = DIGIT * (len(labels[one]) + len(labels[other])) / 2 + GAP
        return scale * math.log(sizes[other] / sizes[one]) >= needed

    kept = widths[:1]
    for width in widths[1:-1]:
        if clear(kept[-1], width) and clear(width, widths[-1]):
            kept.append(width)
    return [*kept, widths[-1]]
