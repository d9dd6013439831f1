"""The regime map over model and training-set size, with both curves and the star."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap

from dcrit.figures.drawing import canvas, style
from dcrit.theory.predictions.phase_diagram import PhaseDiagram
from dcrit.theory.predictions.regime import REGIMES

#: One colour a regime, in the order of ``REGIMES``: a plane has none of which nothing can be told.
COLOURS = (style.SKY, style.ORANGE, style.PURPLE, style.GREEN, style.FAINT)

#: Opacity of the map, so that the curves stand out.
OPACITY = 0.45


def draw_phase_diagram(ax: Axes, diagram: PhaseDiagram) -> None:
    """Regimes as areas, D_crit and D_mem as curves in their bands, and the star with its error bars."""
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
    critical = rf"$D_\mathrm{{crit}}$ after {diagram.horizon} steps"
    for label, best, low, high, colour, line in (
        (critical, diagram.critical_size, diagram.critical_low, diagram.critical_high, style.BLUE, "-"),
        (r"$D_\mathrm{mem}$", diagram.capacity, diagram.capacity_low, diagram.capacity_high, style.VERMILLION, "--"),
    ):
        interval = f"{diagram.level:.0%} interval"
        ax.fill_between(diagram.n_params, low, high, color=colour, alpha=style.SHADE, linewidth=0, label=interval)
        ax.plot(diagram.n_params, np.where(np.isfinite(best), best, np.nan), line, color=colour, label=label)
    star = diagram.star
    if star.n_params.value is not None and star.n_train.value is not None:
        x, y = star.n_params, star.n_train
        assert x.value is not None
        assert y.value is not None
        assert x.interval is not None
        assert y.interval is not None
        ax.errorbar(
            [x.value],
            [y.value],
            xerr=[[x.value - x.interval.low], [x.interval.high - x.value]],
            yerr=[[y.value - y.interval.low], [y.interval.high - y.value]],
            fmt="*",
            color=style.BLACK,
            markersize=9,
            zorder=5,
            label="star",
        )
    for code in np.unique(diagram.codes):
        # Empty areas, for the legend.
        ax.fill_between([], [], color=COLOURS[code], alpha=OPACITY, linewidth=0, label=REGIMES[code])
    ax.set(
        xlabel="model size $N$ [parameters]",
        ylabel=style.SIZE_LABEL,
        xlim=(diagram.n_params[0], diagram.n_params[-1]),
        ylim=(diagram.n_trains[0], diagram.n_trains[-1]),
    )
