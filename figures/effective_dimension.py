"""Effective dimensionality against test loss over model size."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.empirics.experiments.dimensions import EXPERIMENT, DimensionCurve
from dcrit.figures import canvas, scales, style
from dcrit.figures.figure import FigureSpec
from dcrit.figures.labels import boxes_of, place_labels
from dcrit.figures.model_size import LEAST_LOSS, curve
from dcrit.theory.estimates import LEVEL

#: Height of a panel [inches].
HEIGHT = 2.2


def draw_curve(ax: Axes, found: DimensionCurve) -> list[tuple[float, float]]:
    """Mean N_eff and geometric mean of test loss at every width, with intervals of both.

    Returns:
        The points drawn, (N_eff, loss), in the order of the widths.
    """
    log_loss = np.log(np.maximum(found.test_loss, LEAST_LOSS))
    x, x_low, x_high = (np.maximum(one, 1e-2) for one in curve(found.dimension))
    y, y_low, y_high = (np.exp(one) for one in curve(log_loss))
    activation = found.problem.activation
    ax.errorbar(
        x,
        y,
        xerr=[x - x_low, x_high - x],
        yerr=[y - y_low, y_high - y],
        fmt=f"-{style.ACTIVATION_MARKER[activation]}",
        color=style.ACTIVATION_COLOUR[activation],
        linewidth=0.6,
        elinewidth=0.8,
    )
    return list(zip(x.tolist(), y.tolist(), strict=True))


def draw(evidence: list[DimensionCurve]) -> Figure:
    """A panel for every family and size, one label a width."""
    with style.context():
        figure, axes = canvas.panels(max(1, len(evidence)), height=HEIGHT)
        if not evidence:
            canvas.blank(axes[0], "No network was looked at.", width=2.0)
        named: list[tuple[Axes, list[tuple[tuple[float, float], str]]]] = []
        for ax, found in zip(axes, evidence, strict=False):
            canvas.prepare(ax)
            points = draw_curve(ax, found)
            for which, values in (("x", [x for x, _ in points]), ("y", [y for _, y in points])):
                ends = scales.spread(values, margin=0.2)
                if ends is not None:
                    scales.log_axis(ax, which, *ends, most=5)  # type: ignore[arg-type]
            problem = found.problem
            title = f"{problem.task}, $p={problem.modulus}$, {problem.activation}, $D={found.n_train}$"
            ax.set_title(title, loc="left")
            ax.set(xlabel=r"$N_\mathrm{eff}$ [parameters]", ylabel="test loss [nats]")
            symbol = style.width_symbol(problem)
            texts = [f"${symbol}={width}$" for width in found.widths]
            drawn = [(point, text) for point, text in zip(points, texts, strict=True) if np.isfinite(point).all()]
            named.append((ax, drawn))
        figure.draw_without_rendering()  # labels are placed around what is drawn where it is drawn
        for ax, labels in named:
            if labels:
                place_labels(ax, labels, boxes_of(ax, [point for point, _ in labels], 6))
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
