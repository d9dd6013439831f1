"""The regime map over model and training-set size, with its curves and the star."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patheffects import withStroke

from dcrit.figures.drawing import canvas, scales, style
from dcrit.theory.circuits.regimes import region_label
from dcrit.theory.predictions.phase_diagram import PhaseDiagram, Star, few_widths
from dcrit.theory.predictions.regime import REGIMES

#: One colour a regime, in the order of ``REGIMES``: a plane has none of which nothing can be told.
COLOURS = (style.SKY, style.ORANGE, style.PURPLE, style.GREEN, style.FAINT)

#: Opacity of the map, so that the curves stand out.
OPACITY = 0.45

#: Curves, as pictures name them.
CRITICAL, CAPACITY, AT_REST = r"$D_\mathrm{crit}$", r"$D_\mathrm{mem}$", r"$D_\mathrm{rest}$"

#: Where a name lies, seen from its place.
Across = Literal["bottom", "center", "top"]


def draw_phase_diagram(ax: Axes, diagram: PhaseDiagram, *, star: bool = True, listed: bool = True) -> None:
    """Regimes as areas, D_crit and D_mem as curves in their bands, and the star with its error bars.

    Args:
        ax: Axes; what they show is set.
        diagram: What is drawn.
        star: Whether the star is drawn, or told where it is; False where axes change afterwards.
        listed: Whether the legend names the curves; False where :func:`name_curves` does.
    """
    canvas.prepare(ax)
    ax.set(xscale="log", yscale="log")
    ax.pcolormesh(
        diagram.n_params,
        diagram.n_trains,
        diagram.codes,
        cmap=ListedColormap(list(COLOURS)),
        norm=BoundaryNorm(np.arange(len(COLOURS) + 1) - 0.5, len(COLOURS)),
        shading="nearest",
        alpha=OPACITY,
        rasterized=True,
        zorder=0,
    )
    for name, best, low, high, colour, line in (
        (CRITICAL, diagram.critical_size, diagram.critical_low, diagram.critical_high, style.BLUE, "-"),
        (CAPACITY, diagram.capacity, diagram.capacity_low, diagram.capacity_high, style.VERMILLION, "--"),
    ):
        ax.fill_between(diagram.n_params, low, high, color=colour, alpha=style.SHADE, linewidth=0)
        label = name if listed else None
        ax.plot(diagram.n_params, np.where(np.isfinite(best), best, np.nan), line, color=colour, label=label)
    for code in np.unique(diagram.codes):
        # Empty areas, for the legend.
        ax.fill_between([], [], color=COLOURS[code], alpha=OPACITY, linewidth=0, label=region_label(REGIMES[code]))
    # Bands of all curves have one entry: each has the colour of its curve.
    ax.fill_between([], [], color=style.GREY, alpha=2 * style.SHADE, linewidth=0, label=f"{diagram.level:.0%} interval")
    ax.set(
        xlabel="model size $N$ [parameters]",
        ylabel=style.SIZE_LABEL,
        xlim=(diagram.n_params[0], diagram.n_params[-1]),
        ylim=(diagram.n_trains[0], diagram.n_trains[-1]),
    )
    if star:
        draw_star(ax, diagram.star)


def draw_at_rest(ax: Axes, diagram: PhaseDiagram) -> None:
    """D_rest as a curve in its band, where it is told and the circuit that generalizes is likely to fit.

    Args:
        ax: Axes of a phase diagram.
        diagram: What is drawn.
    """
    best, low, high = (
        np.where(diagram.unfit > 0.5, np.nan, one) for one in (diagram.at_rest, diagram.rest_low, diagram.rest_high)
    )
    ax.fill_between(diagram.n_params, low, high, color=style.BLACK, alpha=style.SHADE / 2, linewidth=0)
    ax.plot(diagram.n_params, best, "-.", color=style.BLACK)


def name_curves(ax: Axes, diagram: PhaseDiagram) -> None:
    """The name of each curve beside the place where it leaves the picture, in its colour.

    Args:
        ax: Axes of a phase diagram, with their final limits.
        diagram: What is drawn.
    """
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    aside: list[tuple[float, float, str, str]] = []
    for name, meaning, sizes, colour in (
        (CRITICAL, "from scratch", diagram.critical_size, style.BLUE),
        (AT_REST, "at rest", diagram.at_rest, style.BLACK),
        (CAPACITY, "capacity", diagram.capacity, style.VERMILLION),
    ):
        x, y = diagram.n_params, sizes
        seen = np.flatnonzero(np.isfinite(y) & (x >= left) & (x <= right) & (y >= bottom) & (y <= top))
        if not len(seen):
            continue
        last = int(seen[-1])
        if last + 1 < len(x) and np.isfinite(y[last + 1]) and y[last + 1] > top:
            # Below a rising curve is room on its right.
            where, text = (float(x[last]), top), f"{name}, {meaning}"
            _name(ax, where, text, colour=colour, offset=(6.0, -3.0), across="top")
        else:
            aside.append((float(y[last]), float(x[last]), f"{name},\n{meaning}", colour))
    aside.sort()
    # The lowest name hangs down from its curve and the highest stands on it, so that near ones are apart.
    across: dict[int, Across] = {0: "center"} if len(aside) == 1 else {0: "top", len(aside) - 1: "bottom"}
    for k, (size, place, text, colour) in enumerate(aside):
        _name(ax, (place, size), text, colour=colour, offset=(4.0, 0.0), across=across.get(k, "center"))


def _name(
    ax: Axes, place: tuple[float, float], text: str, *, colour: str, offset: tuple[float, float], across: Across
) -> None:
    """A name right of a place, in a colour and with a light edge."""
    ax.annotate(
        text,
        place,
        xytext=offset,
        textcoords="offset points",
        color=colour,
        fontsize=style.SMALL,
        ha="left",
        va=across,
        linespacing=1.1,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=7,
    )


def name_widths(ax: Axes, diagram: PhaseDiagram) -> None:
    """Ticks of model size at round widths, each with its number of parameters and its width below.

    Args:
        ax: Axes with model size over a logarithmic axis.
        diagram: What is drawn.
    """
    few = few_widths(diagram.widths, diagram.problem.family.width_step)
    scales.width_axis(ax, diagram.problem, few)


def draw_star(ax: Axes, star: Star) -> None:
    """The star with its error bars, or in the legend where it is, if that is outside of the picture.

    Args:
        ax: Axes with their final limits.
        star: Where both curves cross.
    """
    x, y = star.n_params, star.n_train
    if x.value is None or y.value is None:
        return
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    if not (left <= x.value <= right and bottom <= y.value <= top):
        label = f"star outside the picture:\nN = {x.value:.0f}, D = {y.value:.0f}"
        ax.plot([], [], "*", color=style.BLACK, markersize=9, linestyle="none", label=label)
        return
    ax.errorbar(
        [x.value],
        [y.value],
        xerr=canvas.arms(x.value, x.interval),
        yerr=canvas.arms(y.value, y.interval),
        fmt="none",
        ecolor=style.BLACK,
        zorder=5,
    )
    # The frame cuts arms, which may be longer than the axes, and not the mark.
    ax.plot(
        [x.value],
        [y.value],
        "*",
        color=style.BLACK,
        markersize=9,
        linestyle="none",
        zorder=5,
        label="star",
        clip_on=False,
    )
