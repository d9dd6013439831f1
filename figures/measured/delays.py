"""Grokking delays over training-set size and over 1/(ηλ), beside the prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from dcrit.empirics.experiments.delays import EXPERIMENT, DelayEvidence, DelayPoint
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED
from dcrit.theory.problems.problem import label

FloatArray = NDArray[np.float64]

#: Height of a row of panels [inches].
HEIGHT = 2.3

#: Largest size shown, in sizes measured.
ROOM = 1.05

#: Labels of the legend.
MEASURED, CENSORED, LONGER, THEORY, PROPORTIONAL = (
    "median and range of seeds",
    "runs that did not generalize (longer)",
    "median not reached (longer)",
    "theory",
    r"$\propto 1/(\eta\lambda)$",
)


def draw_points(ax: Axes, places: Sequence[float], points: Sequence[DelayPoint], colour: str) -> None:
    """Medians with ranges over seeds, and every censored run as a triangle at what it was waited for.

    Args:
        ax: Axes.
        places: Where each point stands.
        points: What was measured; points without a run take no place.
        colour: Of the marks.
    """
    for place, point in zip(places, points, strict=True):
        if not point.delays:
            continue
        middle, is_bound = point.median
        low, high = min(point.delays), max(point.delays)
        ax.errorbar(
            [place],
            [middle],
            yerr=[[middle - low], [max(0.0, high - middle)]],
            fmt="o",
            color=colour,
            markerfacecolor="white" if is_bound else colour,
            label=LONGER if is_bound else MEASURED,
            zorder=3,
        )
        waited = [delay for delay, side in zip(point.delays, point.beyond, strict=True) if side == 1]
        if waited:
            # Beside the median, lest they hide it.
            at = place * 1.012 * np.ones(len(waited))
            ax.plot(at, waited, "^", color=style.GREY, markerfacecolor="none", markersize=4, label=CENSORED, zorder=4)


def draw_sizes(ax: Axes, entry: DelayEvidence) -> list[str]:
    """Delays over D/D_crit with the predicted curve; returns what is missing."""
    size = entry.transition.measured.value
    if size is None:
        return [entry.transition.measured.reason]
    points = entry.by_size
    draw_points(ax, [point.n_train / size for point in points], points, style.colour_of(entry.problem.variant))
    sizes, delays = entry.curve
    ends = [point.n_train / size for point in points] or [1.0]
    shown = np.isfinite(delays) & (sizes <= ROOM * max(ends) * size)
    ax.set_xlim(1.0, ROOM * max(ends))
    if not shown.any():
        return ["no prediction: no calibration speaks for it" if not delays.size else "predicted never to generalize"]
    ax.plot(sizes[shown] / size, delays[shown], color=style.BLACK, label=THEORY)
    return []


def draw_rates(ax: Axes, entry: DelayEvidence) -> list[str]:
    """Delays over 1/(ηλ) at one size, with proportionality through the reference; returns what is missing."""
    points = entry.by_rate
    if not points:
        return ["no size above the critical one was run at other rates"]
    # Learning rate and weight decay share their products: they stand side by side.
    places = [
        point.problem.time_constant * (0.97 if point.problem.weight_decay == entry.problem.weight_decay else 1.03)
        for point in points
    ]
    kinds = {
        r"other $\eta$": [k for k, one in enumerate(points) if one.problem.weight_decay == entry.problem.weight_decay],
        r"other $\lambda$": [
            k for k, one in enumerate(points) if one.problem.weight_decay != entry.problem.weight_decay
        ],
    }
    for (_, chosen), colour in zip(kinds.items(), (style.BLUE, style.ORANGE), strict=True):
        draw_points(ax, [places[k] for k in chosen], [points[k] for k in chosen], colour)
    reference = next((one for one in points if one.problem == entry.problem and one.delays), None)
    if reference is not None and not reference.median[1]:
        ends = np.array(sorted(places))[[0, -1]]
        ax.plot(
            ends,
            reference.median[0] * ends / reference.problem.time_constant,
            "--",
            color=style.GREY,
            linewidth=0.9,
            label=PROPORTIONAL,
        )
    return []


def draw(evidence: Sequence[DelayEvidence]) -> Figure:
    """One column a problem: over size above, over the rates below."""
    with style.context():
        columns = max(1, len(evidence))
        figure = canvas.new_figure(style.DOUBLE if columns > 1 else style.SINGLE, 2 * HEIGHT + 0.55)
        axes = figure.subplots(2, columns, squeeze=False)
        for column, entry in enumerate(evidence):
            upper, lower = axes[0, column], axes[1, column]
            for ax, fill in ((upper, draw_sizes), (lower, draw_rates)):
                canvas.prepare(ax)
                remarks = fill(ax, entry)
                if not ax.has_data():
                    canvas.blank(ax, "; ".join(remarks), width=2.4)
                    continue
                values = [delay for point in entry.points for delay in point.delays]
                curve = [np.asarray(one.get_ydata(), dtype=np.float64) for one in ax.lines if one.get_label() == THEORY]
                values += np.concatenate([[], *curve]).tolist()
                ends = scales.spread(values)
                assert ends is not None
                scales.log_axis(ax, "y", *ends)
                ax.set_ylabel("delay [steps]")
            canvas.title(upper, label(entry.problem), width=canvas.PANEL_TEXT)
            if upper.has_data():
                upper.set_xlabel(r"training-set size $D/D_\mathrm{crit}$ [measured sizes]")
            if lower.has_data():
                ends = scales.spread([point.problem.time_constant for point in entry.by_rate], margin=0.12)
                assert ends is not None
                scales.log_axis(lower, "x", *ends)
                lower.xaxis.set_minor_locator(NullLocator())
                lower.set_xlabel(
                    rf"$1/(\eta\lambda)$ [steps] at $D={entry.rates_at}$; blue $\eta$, orange $\lambda$ varied"
                )
        if not evidence:
            canvas.prepare(axes[0, 0])
            canvas.blank(axes[0, 0], "No delay was measured.", width=2.4)
            axes[1, 0].remove()
        figure.align_labels()
        canvas.legend(figure, columns=3, order=(MEASURED, LONGER, CENSORED, THEORY, PROPORTIONAL))
        return figure


SPEC: FigureSpec[list[DelayEvidence]] = FigureSpec(
    name="delays",
    title="Grokking delay over training-set size and over 1/(ηλ)",
    caption=(
        f"Steps from train accuracy {FITTED} to test accuracy {GENERALIZED}. Above: over training-set size in measured "
        "critical sizes, beside the delay predicted before any of these runs. Below: over 1/(ηλ) at one size, "
        "learning rate and weight decay varied one at a time. Bars span the seeds. A triangle is a run that "
        "did not generalize by its horizon, at the time that was waited; an open circle stands where most "
        "seeds did not."
    ),
    experiment=EXPERIMENT,
    draws_predictions=True,
    draw=draw,
)
