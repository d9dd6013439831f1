"""Test accuracy and test loss over model size at several training-set sizes, as measured."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dcrit.empirics.experiments.size_grid import EXPERIMENT, Grid, GridEvidence
from dcrit.empirics.measures.planes import mean_intervals, means
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import label

FloatArray = NDArray[np.float64]

#: Height of a row of two panels [inches].
HEIGHT = 1.75

#: Markers tell sizes apart without colours.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

#: A loss of nothing has no place on a logarithmic axis [nats].
LEAST_LOSS = 1e-6

#: Lower end of the loss axis: what generalizes fully goes on below it [nats].
SMALLEST_SHOWN = 1e-3

#: Part of the colour map in use: its lightest yellow is hard to see on white.
COLOUR_RANGE = (0.0, 0.85)


def colours(n: int) -> list[str]:
    """One colour a size, from dark to light, told apart by colour-blind readers."""
    return [to_hex(colormaps["viridis"](x)) for x in np.linspace(*COLOUR_RANGE, max(1, n))]


def curve(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means over seeds of (K, n) values and the two ends of their intervals: (K,) each."""
    return means(values), *mean_intervals(values)


def draw_curves(ax: Axes, grid: Grid, quantity: str) -> None:
    """One curve a training-set size over width, with intervals of the means.

    Args:
        ax: Axes.
        grid: A measured plane.
        quantity: ``test_accuracy``, averaged as it is, or ``test_loss``, by its logarithm.
    """
    widths = np.array(grid.plane.widths, dtype=np.float64)
    is_loss = quantity == "test_loss"
    for s, (size, colour) in enumerate(zip(grid.plane.sizes, colours(len(grid.plane.sizes)), strict=True)):
        values = getattr(grid, quantity)[s]
        mean, low, high = curve(np.log(np.maximum(values, LEAST_LOSS)) if is_loss else values)
        if is_loss:
            mean, low, high = (np.exp(one) for one in (mean, low, high))
        else:
            low, high = low.clip(0, 1), high.clip(0, 1)
        ax.errorbar(
            # Sizes stand a little beside each other, so that bars do not hide each other.
            widths * 1.012 ** (s - len(grid.plane.sizes) / 2),
            mean,
            yerr=[np.maximum(mean - low, 0), np.maximum(high - mean, 0)],
            fmt=f"-{MARKERS[s % len(MARKERS)]}",
            color=colour,
            markersize=3.2,
            linewidth=1.0,
            elinewidth=0.6,
            capsize=1.2,
            label=f"$D$ = {size}",
        )


def draw_row(accuracy: Axes, loss: Axes, grid: Grid) -> None:
    """One plane: accuracy left, loss right, sizes named beside it."""
    problem, widths = grid.plane.problem, grid.plane.widths
    for ax, quantity, height in (
        (accuracy, "test_accuracy", "test accuracy [fraction]"),
        (loss, "test_loss", "test loss [nats]"),
    ):
        canvas.prepare(ax)
        draw_curves(ax, grid, quantity)
        ends = scales.spread([float(widths[0]), float(widths[-1])])
        assert ends is not None
        scales.log_axis(ax, "x", *ends)
        ax.set_xticks(list(widths), [str(width) for width in widths])
        ax.set(xlabel=f"width ${problem.family.width_symbol}$ [{problem.family.width_unit}]", ylabel=height)
    accuracy.set_ylim(-0.04, 1.04)
    seen = np.exp(means(np.log(np.maximum(grid.test_loss, LEAST_LOSS))))
    limits = scales.spread(np.ravel(seen).tolist(), margin=0.12)
    if limits is not None:
        scales.log_axis(loss, "y", max(limits[0], SMALLEST_SHOWN), max(limits[1], 10 * SMALLEST_SHOWN))
    accuracy.set_title(label(problem, width=False), loc="left")
    loss.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw(evidence: GridEvidence) -> Figure:
    """A row of two panels for every whole plane."""
    with style.context():
        grids = evidence.grids
        figure = canvas.new_figure(style.DOUBLE, HEIGHT * max(1, len(grids)))
        axes = figure.subplots(max(1, len(grids)), 2, squeeze=False)
        if not grids:
            for ax in axes[0]:
                canvas.blank(ax, "No plane was measured.", width=2.0)
        for (accuracy, loss), grid in zip(axes, grids, strict=False):
            draw_row(accuracy, loss, grid)
        return figure


SPEC: FigureSpec[GridEvidence] = FigureSpec(
    name="double-descent",
    title="Test accuracy and loss over model size",
    caption=(
        "Settled test accuracy (left, mean over seeds) and test loss (right, geometric mean) over width, one curve a "
        f"training-set size D. Bars are {LEVEL:.0%} intervals of the mean by Student's t. A dip in accuracy with a "
        f"later rise is double descent in model size. Losses below {SMALLEST_SHOWN} nats lie off the axis."
    ),
    experiment=EXPERIMENT,
    draw=draw,
)
