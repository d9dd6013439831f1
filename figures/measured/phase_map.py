"""The predicted plane of model and training-set size under the dynamics of measured runs, with both stars."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dcrit.empirics.experiments.size_grid import EXPERIMENT, Grid, GridEvidence
from dcrit.empirics.experiments.star import critical_sizes, star_of
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.predicted.phase_diagram import COLOURS, draw_phase_diagram, draw_star
from dcrit.theory.circuits.regimes import DYNAMICS, FITTED, SEMI_GROKKING, shown_from_scratch
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import label

#: One marker a dynamics, in the order of ``DYNAMICS``.
MARKERS = ("o", "s", "D", "^")

#: Height of a panel [inches].
HEIGHT = 2.5

CRITICAL, CAPACITY, STAR = r"$D_\mathrm{crit}$, measured", r"$D_\mathrm{mem}$, measured", "star, measured"


def observed(grid: Grid) -> NDArray[np.int64]:
    """Dynamics that most seeds show at each point, as indices into ``DYNAMICS``: (S, K); −1 where all diverged."""
    low, high = SEMI_GROKKING
    test = grid.test_accuracy
    codes = np.where(grid.train_accuracy < FITTED, 0, np.where(test < low, 1, np.where(test < high, 2, 3)))
    counts = np.stack([((codes == code) & np.isfinite(test)).sum(-1) for code in range(len(DYNAMICS))])
    return np.where(counts.sum(0) > 0, counts.argmax(0), -1)


def draw_points(ax: Axes, grid: Grid) -> None:
    """Measured points, marked by what most runs there showed."""
    codes = observed(grid)
    sizes, params = np.meshgrid(np.array(grid.plane.sizes, dtype=np.float64), grid.n_params, indexing="ij")
    for code, (name, marker) in enumerate(zip(DYNAMICS, MARKERS, strict=True)):
        here = codes == code
        if here.any():
            ax.plot(
                params[here],
                sizes[here],
                linestyle="",
                marker=marker,
                markersize=4.5,
                color=COLOURS[code],
                markeredgecolor=style.BLACK,
                markeredgewidth=0.5,
                zorder=4,
                label=f"{shown_from_scratch(name)}, measured",
            )


def draw_measured(ax: Axes, grid: Grid) -> str:
    """Measured curves and star.

    Returns:
        Why there is no star; empty where there is one.
    """
    critical = critical_sizes(grid)
    ax.plot(
        grid.n_params,
        np.where(np.isfinite(critical), critical, np.nan),
        color=style.BLACK,
        linewidth=0.9,
        label=CRITICAL,
    )
    star = star_of(grid)
    if star is None:
        return "No star: fewer than two models are overloaded by random labels."
    ax.plot(
        grid.n_params,
        np.exp(np.median(star.log_capacity, axis=1)),
        color=style.BLACK,
        linewidth=0.9,
        linestyle=":",
        label=CAPACITY,
    )
    middle, along, across = star.middle(), star.params_interval(), star.size_interval()
    if middle is None or along is None or across is None:
        return f"No star: the measured curves cross among these models in {star.share:.0%} of draws."
    (x, y) = middle
    ax.errorbar(
        [x],
        [y],
        xerr=[[max(0.0, x - along.low)], [max(0.0, along.high - x)]],
        yerr=[[max(0.0, y - across.low)], [max(0.0, across.high - y)]],
        fmt="*",
        color=style.VERMILLION,
        markeredgecolor=style.BLACK,
        markeredgewidth=0.5,
        markersize=10,
        elinewidth=1.2,
        zorder=6,
        label=STAR,
    )
    return ""


def draw_plane(ax: Axes, grid: Grid) -> list[str]:
    """One plane; returns what is missing from it, in words."""
    canvas.prepare(ax)
    missing: list[str] = []
    if grid.diagram is None:
        missing.append("No prediction: no calibration speaks for this family.")
    else:
        draw_phase_diagram(ax, grid.diagram, star=False)
    draw_points(ax, grid)
    without = draw_measured(ax, grid)
    missing += [without] if without else []
    for which, values in (("x", grid.n_params.tolist()), ("y", [float(size) for size in grid.plane.sizes])):
        ends = scales.spread(values, margin=0.1)
        assert ends is not None
        scales.log_axis(ax, which, *ends, most=4 if which == "x" else 6)  # type: ignore[arg-type]
    if grid.diagram is not None:
        draw_star(ax, grid.diagram.star)
    ax.set(xlabel="model size $N$ [parameters]", ylabel=style.SIZE_LABEL)
    return missing


def draw(evidence: GridEvidence) -> Figure:
    """A panel for every plane."""
    with style.context():
        grids = [*evidence.grids, *evidence.star_grids]
        figure, axes = canvas.panels(max(1, len(grids)), height=HEIGHT)
        if not grids:
            canvas.blank(axes[0], "No plane was measured.", width=2.0)
        room = canvas.PANEL_TEXT if len(grids) <= 4 else canvas.PANEL_TEXT / 1.6
        height = 0.0
        for ax, grid in zip(axes, grids, strict=False):
            text = label(grid.plane.problem, width=False)
            height = max(height, canvas.title(ax, text, draw_plane(ax, grid), width=room))
        rows = len({ax.get_position().y0 for ax in axes})
        figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + rows * height + 0.45)
        canvas.legend(figure, columns=4 if len(axes) > 1 else 2)
        return figure


SPEC: FigureSpec[GridEvidence] = FigureSpec(
    name="phase-map",
    title="Predicted and measured dynamics over model and training-set size",
    caption=(
        "Areas, coloured bands and the black star: the predicted dynamics, D_crit and D_mem with their intervals, and "
        "where they cross. Marks: the dynamics that most seeds show. Black lines: D_crit where mean test accuracy "
        "passes one half, and D_mem as a power law through models that random labels overload; the coloured star is "
        f"where these cross. Intervals are at {LEVEL:.0%}."
    ),
    experiment=EXPERIMENT,
    draws_predictions=True,
    draw=draw,
)
