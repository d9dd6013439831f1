"""Effective dimensionality against test loss over model size."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dcrit.empirics.experiments.dimensions import EXPERIMENT, DimensionCurve
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.drawing.labels import boxes_of, place_labels
from dcrit.figures.measured.model_size import LEAST_LOSS, curve
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import label

FloatArray = NDArray[np.float64]

#: Height of a panel [inches].
HEIGHT = 2.2

#: Points along a bar or line that labels keep clear of.
ALONG = 40


def draw_curve(ax: Axes, found: DimensionCurve) -> FloatArray:
    """Mean N_eff and geometric mean of test loss at every width, with intervals of both.

    Returns:
        What is drawn, (2, 3, K): N_eff and loss, each with the ends of its interval, in the order of the widths.
    """
    log_loss = np.log(np.maximum(found.test_loss, LEAST_LOSS))
    x, x_low, x_high = (np.maximum(one, 1e-2) for one in curve(found.dimension))
    y, y_low, y_high = (np.exp(one) for one in curve(log_loss))
    variant = found.problem.variant
    ax.errorbar(
        x,
        y,
        xerr=[x - x_low, x_high - x],
        yerr=[y - y_low, y_high - y],
        fmt=f"-{style.marker_of(variant)}",
        color=style.colour_of(variant),
        linewidth=0.6,
        elinewidth=0.8,
    )
    return np.array([[x, x_low, x_high], [y, y_low, y_high]])


def _obstacles(ax: Axes, drawn: FloatArray) -> FloatArray:
    """Marks, bars and the line between them, which no label should cover: (n, 4) in pixels."""
    (x, x_low, x_high), (y, y_low, y_high) = np.log(drawn)
    share = np.linspace(0, 1, ALONG)[:, None]
    lines = [
        (x_low + share * (x_high - x_low), y + 0 * share),
        (x + 0 * share, y_low + share * (y_high - y_low)),
        (x[:-1] + share * np.diff(x), y[:-1] + share * np.diff(y)),
    ]
    along = [point for a, b in lines for point in np.exp(np.transpose([a.ravel(), b.ravel()])).tolist()]
    marks = np.transpose(drawn[:, 0]).tolist()
    return np.vstack([boxes_of(ax, marks, 6), boxes_of(ax, along, 2)])


def draw(evidence: list[DimensionCurve]) -> Figure:
    """A panel for every family and size, one label a width."""
    with style.context():
        figure, axes = canvas.panels(max(1, len(evidence)), height=HEIGHT)
        if not evidence:
            canvas.blank(axes[0], "No network was looked at.", width=2.0)
        named: list[tuple[Axes, DimensionCurve, FloatArray]] = []
        for ax, found in zip(axes, evidence, strict=False):
            canvas.prepare(ax)
            drawn = draw_curve(ax, found)
            for which, values in zip(("x", "y"), drawn, strict=True):
                ends = scales.spread(values.ravel().tolist(), margin=0.15)
                if ends is not None:
                    scales.log_axis(ax, which, *ends, most=5)  # type: ignore[arg-type]
            ax.set_title(f"{label(found.problem, width=False)}, $D={found.n_train}$", loc="left")
            ax.set(xlabel=r"$N_\mathrm{eff}$ [parameters]", ylabel="test loss [nats]")
            named.append((ax, found, drawn))
        figure.draw_without_rendering()  # labels are placed around what is drawn where it is drawn
        for ax, found, drawn in named:
            known = np.flatnonzero(np.isfinite(drawn).all(axis=(0, 1)))
            symbol = found.problem.family.width_symbol
            texts = [f"${symbol}={found.widths[index]}$" for index in known]
            points: list[tuple[float, float]] = np.transpose(drawn[:, 0, known]).tolist()
            if texts:
                place_labels(ax, list(zip(points, texts, strict=True)), _obstacles(ax, drawn[:, :, known]))
        return figure


SPEC: FigureSpec[list[DimensionCurve]] = FigureSpec(
    name="effective-dimension",
    title="Effective dimensionality against test loss",
    caption=(
        "Mean effective dimensionality N_eff of the Gauss–Newton matrix at α = ελ against the geometric mean of test "
        f"loss, one mark a width. Bars are {LEVEL:.0%} intervals of the means by Student's t. Were N_eff to tell the "
        "best width, marks would rise from left to right."
    ),
    experiment=EXPERIMENT,
    draw=draw,
)
