"""Both thresholds over the modulus, from scratch and at rest: predicted, measured and published."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dcrit.figures.drawing import canvas, style
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import LEVEL, Interval, half_width
from dcrit.theory.literature.published import PublishedNumber

FloatArray = NDArray[np.float64]

#: Moduli that lines are drawn over.
ENDS = (13, 199)

#: Size of a panel [inches].
WIDTH, HEIGHT = 3.4, 3.9

#: Colours of both thresholds, and how sizes of different origin are marked.
FROM_SCRATCH, AT_REST = style.BLUE, style.VERMILLION
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")


@dataclass(frozen=True, kw_only=True)
class SizePoint:
    """A size that is drawn over its modulus.

    Attributes:
        modulus: p.
        size: The size [examples].
        interval: Its interval; of a published range, the range.
        at_rest: Whether it is one at rest and not from scratch.
        source: Whose it is, as the legend says.
    """

    modulus: int
    size: float
    interval: Interval | None = None
    at_rest: bool = False
    source: str = "measured"

    def __post_init__(self) -> None:
        if not self.size > 0:
            raise FieldError("size", "be above 0", repr(self.size))


@dataclass(frozen=True, kw_only=True)
class ThresholdPanel:
    """What one panel shows.

    Attributes:
        title: Its heading.
        law: Of both thresholds.
        width: Of the networks that lines are drawn for.
        horizon: T that lines are drawn for [steps].
        points: Sizes beside them.
    """

    title: str
    law: Thresholds
    width: int
    horizon: float
    points: tuple[SizePoint, ...]


def points_of(rows: Sequence[dict[str, Any]]) -> tuple[SizePoint, ...]:
    """Measured sizes as points.

    Args:
        rows: Of n_symbols, size, interval (None, or its two ends) and at_rest.
    """
    return tuple(
        SizePoint(
            modulus=row["n_symbols"],
            size=row["size"],
            interval=None if row["interval"] is None else Interval(low=row["interval"][0], high=row["interval"][1]),
            at_rest=row["at_rest"],
        )
        for row in rows
    )


def published_points(numbers: Sequence[PublishedNumber], called: Callable[[str], str]) -> tuple[SizePoint, ...]:
    """Published critical sizes, and sizes at which generalizing networks lose the task; ranges at their middle.

    Args:
        numbers: Of any quantity.
        called: Names a source by its key.
    """
    return tuple(
        SizePoint(
            modulus=number.problem.modulus,
            size=math.sqrt(number.low * number.high),
            interval=None if number.value is not None else Interval(low=number.low, high=number.high),
            at_rest=number.quantity == "ungrokking_size",
            source=called(number.source),
        )
        for number in numbers
        if number.problem is not None and number.quantity in ("critical_size", "ungrokking_size")
    )


def lines(panel: ThresholdPanel) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Moduli (n,), D_crit(T) and D_rest (2, n) [examples], and half widths of their intervals (2, n) in ln D."""
    moduli = np.unique(np.geomspace(*ENDS, 60).round().astype(int))
    law, width, horizon = panel.law.law, panel.width, panel.horizon
    sizes, deviations = np.empty((2, moduli.size)), np.empty((2, moduli.size))
    for k, modulus in enumerate(map(int, moduli)):
        clock = law.clock(modulus, width)
        sizes[:, k] = float(clock.critical_size(horizon)), clock.rest
        deviations[:, k] = law.deviation(modulus, width, horizon), law.deviation_at_rest(modulus, width)
    return moduli.astype(np.float64), sizes, deviations * half_width(1.0)


def guide(ax: Axes, exponent: float, through: tuple[float, float], label: str) -> None:
    """A straight line of a power of the modulus through a place."""
    x = np.array(ENDS, dtype=np.float64)
    ax.plot(x, through[1] * (x / through[0]) ** exponent, ":", color=style.GREY, linewidth=0.9, zorder=1)
    end = float(through[1] * (x[1] / through[0]) ** exponent)
    ax.annotate(label, (x[1], end), xytext=(2, 0), textcoords="offset points", fontsize=style.SMALL, color=style.GREY)


def draw_panel(ax: Axes, panel: ThresholdPanel) -> None:
    """Lines with their intervals, guides ∝ p^1.5 and ∝ p, and sizes.

    Args:
        ax: Axes.
        panel: What they show.
    """
    canvas.prepare(ax)
    moduli, sizes, halves = lines(panel)
    names = (rf"$D_\mathrm{{crit}}$ from scratch, $T={panel.horizon:g}$", r"$D_\mathrm{rest}$ at rest")
    for row, (colour, name) in enumerate(zip((FROM_SCRATCH, AT_REST), names, strict=True)):
        ax.plot(moduli, sizes[row], color=colour, label=f"{name}, predicted", zorder=3)
        ax.fill_between(
            moduli,
            sizes[row] * np.exp(-halves[row]),
            sizes[row] * np.exp(halves[row]),
            color=colour,
            alpha=style.SHADE,
            linewidth=0,
            zorder=2,
        )
    top = float(sizes[0, -1]) * 1.5
    guide(ax, 1.5, (moduli[-1], top), r"$p^{1.5}$")
    guide(ax, 1.0, (moduli[-1], float(sizes[1, -1]) / 1.5), r"$p$")
    sources = list(dict.fromkeys((point.source, point.at_rest) for point in panel.points))
    for k, (source, at_rest) in enumerate(sources):
        mine = [point for point in panel.points if (point.source, point.at_rest) == (source, at_rest)]
        colour = AT_REST if at_rest else FROM_SCRATCH
        arms = np.array([_arms(point) for point in mine]).T
        ax.errorbar(
            [point.modulus for point in mine],
            [point.size for point in mine],
            yerr=arms,
            fmt=MARKERS[k % len(MARKERS)],
            color=colour,
            markerfacecolor=colour if source.startswith("measured") else "white",
            markersize=3.5,
            linewidth=0.8,
            label=f"{source}, at rest" if at_rest else source,
            zorder=4,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = [13, 23, 31, 47, 67, 113, 199]
    ax.set_xticks(ticks, [str(one) for one in ticks])
    ax.minorticks_off()
    ax.set(xlabel="modulus $p$", ylabel=f"training-set size {style.EXAMPLES}", xlim=(ENDS[0] * 0.9, ENDS[1] * 1.3))
    ax.set_title(panel.title)
    ax.legend(loc="upper left", fontsize=style.SMALL)


def draw(panels: Sequence[ThresholdPanel]) -> Figure:
    """One panel a law.

    Args:
        panels: What they show.
    """
    with style.context():
        figure = canvas.new_figure(WIDTH * len(panels), HEIGHT)
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for ax, panel in zip(grid, panels, strict=True):
            draw_panel(ax, panel)
        return figure


def _arms(point: SizePoint) -> tuple[float, float]:
    if point.interval is None:
        return math.nan, math.nan
    return max(0.0, point.size - point.interval.low), max(0.0, point.interval.high - point.size)


#: What shaded bands are, for captions.
BANDS = f"Bands are {LEVEL:.0%} intervals."
