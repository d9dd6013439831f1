"""Critical size over the model size, in each family of models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.empirics.experiments.scaling import SeriesFit, fit_series
from dcrit.empirics.experiments.size_series import MODEL_SIZES
from dcrit.empirics.experiments.transitions import SeriesEvidence, Transition
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.canvas import arms
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem, label

#: Smallest factor between the ends of the vertical axis.
LEAST_SPAN = 2.0

MEASURED, PREDICTED, POWER_LAW = "measured", "predicted", "power law through the measured"


#: Both ends of an axis.
Ends = tuple[float, float]


def draw_measured(ax: Axes, series: Sequence[Transition], x_of: Callable[[Problem], float]) -> None:
    """Measured critical sizes with their intervals."""
    for one in series:
        if one.measured.value is not None:
            ax.errorbar(
                x_of(one.problem),
                one.measured.value,
                yerr=arms(one.measured.value, one.measured.interval),
                fmt=style.marker_of(one.problem.variant),
                color=style.colour_of(one.problem.variant),
                markersize=4.5,
                elinewidth=1.2,
                capsize=2,
                label=f"{one.problem.activation}, {MEASURED}",
                zorder=4,
            )


def draw_predicted(ax: Axes, series: Sequence[Transition], x_of: Callable[[Problem], float]) -> None:
    """Predicted critical sizes with their intervals: open, with a wide pale bar."""
    for one in series:
        if one.predicted is not None and one.predicted.value is not None:
            colour = style.colour_of(one.problem.variant)
            ax.errorbar(
                x_of(one.problem),
                one.predicted.value,
                yerr=arms(one.predicted.value, one.predicted.interval),
                fmt=style.marker_of(one.problem.variant),
                color=colour,
                markerfacecolor="white",
                markersize=6.5,
                markeredgewidth=0.9,
                elinewidth=5.0,
                ecolor=(colour, style.SHADE),
                capsize=0,
                label=f"{one.problem.activation}, {PREDICTED}",
                zorder=3,
            )


def ends_of(series: Sequence[Transition]) -> list[float]:
    """All sizes and interval ends, measured and predicted."""
    values: list[float] = []
    for one in series:
        best = [one.measured.value, None if one.predicted is None else one.predicted.value]
        values += [value for value in best if value is not None]
        for interval in (one.measured.interval, None if one.predicted is None else one.predicted.interval):
            values += [] if interval is None else [interval.low, interval.high]
    return values


def unplaced(series: Sequence[Transition]) -> list[str]:
    """Which problems have no measured transition."""
    return [f"{label(one.problem)}: {one.measured.reason}." for one in series if one.measured.value is None]


def at_least(ends: tuple[float, float], factor: float) -> tuple[float, float]:
    """The range, widened about its middle to a factor, so that its axis has some ticks and a flat line looks flat."""
    middle, half = math.sqrt(ends[0] * ends[1]), math.sqrt(max(factor, ends[1] / ends[0]))
    return middle / half, middle * half


def draw_power_law(ax: Axes, fit: SeriesFit, series: Sequence[Transition]) -> None:
    """The line of mean slope through the weighted mean of the measured sizes."""
    if fit.posterior is None:
        return
    weight = 1 / fit.posterior.errors**2  # (n,)
    centre_x, centre_y = (
        float((weight * values).sum() / weight.sum()) for values in (fit.posterior.log_x, fit.posterior.log_size)
    )
    log_x = np.linspace(fit.posterior.log_x.min() - 0.1, fit.posterior.log_x.max() + 0.1, 2)
    ax.plot(
        np.exp(log_x),
        np.exp(centre_y + fit.posterior.slope * (log_x - centre_x)),
        color=style.colour_of(series[0].problem.variant),
        linewidth=0.9,
        label=f"{series[0].problem.activation}, {POWER_LAW}",
        zorder=2,
    )


def reading(fit: SeriesFit) -> str:
    """The slope with its interval."""
    if fit.posterior is None or fit.interval is None:
        return "too few measured transitions for a slope"
    theory = "" if fit.predicted is None else f", predicted {fit.predicted:+.2f}"
    return f"slope {fit.posterior.slope:+.2f} ({fit.interval.low:+.2f} to {fit.interval.high:+.2f}){theory}"


def panel_per_series(
    evidence: SeriesEvidence,
    fill: Callable[[Axes, SeriesFit, Sequence[Transition], Ends, Ends], None],
    *,
    fit: Callable[[Sequence[Transition]], SeriesFit],
    heading: Callable[[Problem, SeriesFit], str],
    x_of: Callable[[Problem], float],
    xlabel: str,
    margins: tuple[float, float],
    height: float,
    columns: int,
) -> Figure:
    """A panel a series: critical sizes, predicted and measured, under one legend.

    Args:
        evidence: What was measured.
        fill: Draws the laws below the sizes and sets both axes, whose ends it is given.
        fit: The power law through the measured sizes of a series.
        heading: What stands above a panel.
        x_of: What the sizes are drawn over.
        xlabel: Its name and unit.
        margins: Of the ends of both axes, see :func:`~dcrit.figures.drawing.scales.spread`.
        height: Of a panel [inches].
        columns: Of the legend.
    """
    with style.context():
        figure, grid = canvas.panels(max(1, len(evidence)), height=height)
        extra = 0.0
        for ax in grid:
            canvas.prepare(ax)
            ax.set(xlabel=xlabel, ylabel=rf"critical size $D_\mathrm{{crit}}$ {style.EXAMPLES}")
        if not evidence:
            canvas.blank(grid[0], "No critical size was measured.", width=2.0)
        for ax, series in zip(grid, evidence, strict=False):
            found = fit(series)
            text = heading(series[0].problem, found)
            extra = max(extra, canvas.title(ax, text, unplaced(series), width=canvas.PANEL_TEXT))
            if not found.transitions:
                canvas.blank(ax, "No critical size was measured.", width=2.0)
                continue
            ends = scales.spread([x_of(one.problem) for one in series], margin=margins[0])
            heights = scales.spread(ends_of(series), margin=margins[1])
            assert ends is not None
            assert heights is not None
            fill(ax, found, series, ends, heights)
            draw_predicted(ax, series, x_of)
            draw_measured(ax, series, x_of)
        figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + extra)
        canvas.legend(figure, columns=columns)
        return figure


def draw(evidence: SeriesEvidence) -> Figure:
    """One panel a family."""

    def fill(ax: Axes, found: SeriesFit, series: Sequence[Transition], ends: Ends, heights: Ends) -> None:
        draw_power_law(ax, found, series)
        scales.log_axis(ax, "x", *ends)
        scales.log_axis(ax, "y", *at_least(heights, LEAST_SPAN), most=7)

    return panel_per_series(
        evidence,
        fill,
        fit=lambda series: fit_series(series, lambda one: one.n_params),
        heading=lambda problem, found: f"{label(problem, width=False)}\n{reading(found)}",
        x_of=lambda one: one.n_params,
        xlabel="model size $N$ [parameters]",
        margins=(0.08, 0.15),
        height=2.5,
        columns=3,
    )


SPEC: FigureSpec[SeriesEvidence] = FigureSpec(
    name="size-scaling",
    title="Critical size over the model size",
    caption=(
        "Critical training-set size D_crit over the number of parameters N, one panel a family of models. Filled: "
        "measured; open: predicted before any run of these configurations, where a calibration speaks for them. Error "
        f"bars are {LEVEL:.0%} intervals. The line is a power law through the measured sizes; its slope "
        "d ln D_crit/d ln N stands above with its interval, which counts a scatter about the line."
    ),
    experiment=MODEL_SIZES,
    draws_predictions=True,
    draw=draw,
)
