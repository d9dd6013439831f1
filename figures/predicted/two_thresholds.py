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

from dcrit.figures.drawing import canvas, labels, style
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import LEVEL, Interval, half_width
from dcrit.theory.literature.published import PublishedNumber

FloatArray = NDArray[np.float64]

#: Moduli that lines are drawn over.
ENDS = (13, 199)

#: Size of a panel [inches].
WIDTH, HEIGHT = 3.4, 4.2

#: Colours of both thresholds, and how sizes of different origin are marked.
FROM_SCRATCH, AT_REST = style.BLUE, style.VERMILLION
CURVES = (
    (FROM_SCRATCH, r"$D_\mathrm{crit}$", "from scratch"),
    (AT_REST, r"$D_\mathrm{rest}$", "at rest"),
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")

#: What legends say of measured sizes: those from scratch, and those at rest that constants come from or do not.
MEASURED = "measured"
FITTED, BEYOND = "measured at rest, constants come from these", "measured at rest, others"
OWN = (MEASURED, FITTED, BEYOND)

#: Points farther from their line than so many half widths of its band say what sets them apart.
FAR = 1.5

#: Sources that do not say enough of their networks, and what is said beside their points far from a line.
ASSUMED = {"varma2023": "width assumed"}


@dataclass(frozen=True, kw_only=True)
class SizePoint:
    """A size that is drawn over its modulus.

    Attributes:
        modulus: p.
        size: The size [examples].
        interval: Its interval; of a published range, the range.
        at_rest: Whether it is one at rest and not from scratch.
        source: Whose it is, as the legend says.
        apart: What sets its network apart, said beside a point far from its line.
    """

    modulus: int
    size: float
    interval: Interval | None = None
    at_rest: bool = False
    source: str = MEASURED
    apart: str = ""

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


def points_of(rows: Sequence[dict[str, Any]], *, at_rest: str = FITTED) -> tuple[SizePoint, ...]:
    """Measured sizes as points.

    Args:
        rows: Of n_symbols, size, interval (None, or its two ends), at_rest and apart.
        at_rest: What the legend says of those at rest.
    """
    return tuple(
        SizePoint(
            modulus=row["n_symbols"],
            size=row["size"],
            interval=None if row["interval"] is None else Interval(low=row["interval"][0], high=row["interval"][1]),
            at_rest=row["at_rest"],
            source=at_rest if row["at_rest"] else MEASURED,
            apart=row["apart"],
        )
        for row in rows
    )


def published_points(numbers: Sequence[PublishedNumber], called: Callable[[str], str]) -> tuple[SizePoint, ...]:
    """Published critical sizes, and sizes at which generalizing networks lose the task; ranges at their middle.

    Args:
        numbers: Of any quantity.
        called: Names a source by its key.
    """
    found: list[SizePoint] = []
    for number in numbers:
        at_rest = number.quantity == "ungrokking_size"
        if number.problem is None or not (at_rest or number.quantity == "critical_size"):
            continue
        found.append(
            SizePoint(
                modulus=number.problem.modulus,
                size=math.sqrt(number.low * number.high),
                interval=None if number.value is not None else Interval(low=number.low, high=number.high),
                at_rest=at_rest,
                source=f"{called(number.source)}{', at rest' if at_rest else ''}",
                apart=ASSUMED.get(number.source, "") if at_rest else "",
            )
        )
    return tuple(found)


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
    _at_end(ax, (x[1], float(through[1] * (x[1] / through[0]) ** exponent)), label, style.GREY)


def _at_end(ax: Axes, end: tuple[float, float], label: str, colour: str) -> None:
    """The name of a line right of its end."""
    ax.annotate(label, end, xytext=(3, 0), textcoords="offset points", fontsize=style.SMALL, color=colour, va="center")


def draw_panel(ax: Axes, panel: ThresholdPanel) -> None:
    """Lines with their intervals, guides ∝ p^1.5 and ∝ p, and sizes.

    Args:
        ax: Axes.
        panel: What they show.
    """
    canvas.prepare(ax)
    moduli, sizes, halves = lines(panel)
    for row, (colour, name, meaning) in enumerate(CURVES):
        ax.plot(moduli, sizes[row], color=colour, label=f"{name}, {meaning}, predicted", zorder=3)
        ax.fill_between(
            moduli,
            sizes[row] * np.exp(-halves[row]),
            sizes[row] * np.exp(halves[row]),
            color=colour,
            alpha=style.SHADE,
            linewidth=0,
            zorder=2,
        )
        _at_end(ax, (float(moduli[-1]), float(sizes[row, -1])), name, colour)
    ax.fill_between([], [], color=style.GREY, alpha=2 * style.SHADE, linewidth=0, label=f"{LEVEL:.0%} interval")
    top = float(sizes[0, -1]) * 1.5
    guide(ax, 1.5, (moduli[-1], top), r"$\propto p^{1.5}$")
    guide(ax, 1.0, (moduli[-1], float(sizes[1, -1]) / 1.5), r"$\propto p$")
    others = [one for one in dict.fromkeys(point.source for point in panel.points) if one not in OWN]
    for source in dict.fromkeys(point.source for point in panel.points):
        mine = [point for point in panel.points if point.source == source]
        colour = AT_REST if mine[0].at_rest else FROM_SCRATCH
        ax.errorbar(
            [point.modulus for point in mine],
            [point.size for point in mine],
            yerr=np.array([_arms(point) for point in mine]).T,
            fmt=MARKERS[(OWN + tuple(others)).index(source) % len(MARKERS)],
            color=colour,
            markerfacecolor=colour if source in OWN else "white",
            markersize=3.5,
            linewidth=0.8,
            label=source,
            zorder=4,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = [13, 23, 31, 47, 67, 113, 199]
    ax.set_xticks(ticks, [str(one) for one in ticks])
    ax.minorticks_off()
    ax.set(xlabel="modulus $p$", ylabel=f"training-set size {style.EXAMPLES}", xlim=(ENDS[0] * 0.9, ENDS[1] * 1.35))
    ax.set_title(f"{panel.title}, $T={panel.horizon:g}$ steps")


def name_far(ax: Axes, panel: ThresholdPanel) -> None:
    """What sets the networks of points far from their line apart, beside these points.

    Args:
        ax: Axes whose place in the figure is final.
        panel: What they show.
    """
    moduli, sizes, _ = lines(panel)
    points = [(float(point.modulus), point.size) for point in panel.points]
    along = [(float(x), float(y)) for row in sizes for x, y in zip(moduli, row, strict=True)]
    obstacles = np.vstack([labels.boxes_of(ax, points, 4.0), labels.boxes_of(ax, along, 1.5)]) if points else None
    groups: dict[tuple[str, bool], list[SizePoint]] = {}
    for point in far(panel):
        groups.setdefault((point.apart, point.at_rest), []).append(point)
    if obstacles is None:
        return
    for (text, at_rest), some in groups.items():
        if len(some) == 1:
            ((x, y),) = ((float(one.modulus), one.size) for one in some)
            (placed,) = labels.place_labels(ax, [((x, y), text)], obstacles)
        else:
            # Points that have the same reason share a name, above their middle.
            x = math.exp(np.mean([math.log(one.modulus) for one in some]))
            y = max(one.size if one.interval is None else one.interval.high for one in some)
            placed = ax.annotate(
                text, (x, y), xytext=(0, 2), textcoords="offset points", fontsize=labels.SIZE, ha="center"
            )
        placed.set_color(AT_REST if at_rest else FROM_SCRATCH)


def far(panel: ThresholdPanel) -> list[SizePoint]:
    """Points far from their line of which something is known that sets them apart.

    Args:
        panel: What is shown.
    """
    found: list[SizePoint] = []
    for point in panel.points:
        clock = panel.law.law.clock(point.modulus, panel.width)
        size = clock.rest if point.at_rest else float(clock.critical_size(panel.horizon))
        law, place = panel.law.law, (point.modulus, panel.width)
        deviation = law.deviation_at_rest(*place) if point.at_rest else law.deviation(*place, panel.horizon)
        if point.apart and abs(math.log(point.size / size)) > FAR * half_width(1.0) * deviation:
            found.append(point)
    return found


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
        canvas.legend(figure, columns=min(4, 2 * len(panels)))
        figure.draw_without_rendering()
        for ax, panel in zip(grid, panels, strict=True):
            name_far(ax, panel)
        return figure


def _arms(point: SizePoint) -> tuple[float, float]:
    if point.interval is None:
        return math.nan, math.nan
    return max(0.0, point.size - point.interval.low), max(0.0, point.interval.high - point.size)


#: What shaded bands are, for captions.
BANDS = f"Bands are {LEVEL:.0%} intervals."
