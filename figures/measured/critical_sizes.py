"""Predicted against measured critical size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from dcrit.empirics.experiments.competition import EXPERIMENT, ProblemEvidence
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.canvas import arms
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.drawing.labels import boxes_of, place_labels
from dcrit.theory.estimates import LEVEL, Estimate
from dcrit.theory.problems.problem import Problem, label

FloatArray = NDArray[np.float64]
Kind = Literal["a priori", "from efficiencies"]

#: |ln(predicted/measured)| up to which a size is drawn as well predicted.
TARGET = 0.10

#: More problems than this get a larger picture.
CROWD = 8
KINDS: tuple[Kind, ...] = ("a priori", "from efficiencies")


def prediction_of(entry: ProblemEvidence, kind: Kind) -> Estimate | None:
    """The prediction of a kind; None where none was made."""
    return entry.transition.predicted if kind == "a priori" else entry.implied


def missing(entry: ProblemEvidence) -> list[str]:
    """Why a problem, or one of its predictions, has no place in the plane; one line each."""
    name = label(entry.problem)
    if entry.transition.measured.value is None:
        return [f"Not shown: {name}: {entry.transition.measured.reason}."]
    lines: list[str] = []
    for kind in KINDS:
        prediction = prediction_of(entry, kind)
        if prediction is None:
            lines.append(f"{name}: nothing {kind}: no calibration speaks for it.")
        elif prediction.value is None:
            lines.append(f"{name}: nothing {kind}: {prediction.reason}.")
    return lines


def draw_identity(ax: Axes, low: float, high: float) -> None:
    """Predicted = measured, and the band within which a prediction counts as right."""
    ends = np.array([low, high])
    ax.fill_between(
        ends,
        ends * math.exp(-TARGET),
        ends * math.exp(TARGET),
        color=style.FAINT,
        linewidth=0,
        label=f"within ±{TARGET:.0%}",
    )
    ax.plot(ends, ends, color=style.GREY, linewidth=0.8, label="predicted = measured")


def draw_predictions(ax: Axes, entries: Sequence[ProblemEvidence], kind: Kind) -> list[tuple[float, float] | None]:
    """Predictions of one kind against measurements, with both intervals: filled a priori, open from efficiencies.

    Args:
        ax: Axes.
        entries: Problems; those without a measurement or without this prediction take no place.
        kind: Which prediction.

    Returns:
        The point drawn for each problem, (measured, predicted) [examples], or None.
    """
    points: list[tuple[float, float] | None] = []
    for entry in entries:
        prediction, measured = prediction_of(entry, kind), entry.transition.measured
        if prediction is None or prediction.value is None or measured.value is None:
            points.append(None)
            continue
        colour = style.colour_of(entry.problem.variant)
        filled = kind == "a priori"
        ax.errorbar(
            measured.value,
            prediction.value,
            xerr=arms(measured.value, measured.interval),
            yerr=arms(prediction.value, prediction.interval),
            fmt=style.marker_of(entry.problem.variant),
            color=colour,
            markerfacecolor=colour if filled else "white",
            markersize=5.0 if filled else 4.5,
            markeredgewidth=0.9,
            # Both kinds share a place on the axis: the wide bar of one stays visible behind the thin bar of the other.
            elinewidth=2.4 if filled else 0.8,
            ecolor=(colour, 0.4 if filled else 1.0),
            capsize=0 if filled else 2,
            zorder=3 if filled else 4,
        )
        points.append((measured.value, prediction.value))
    return points


def names(problems: Sequence[Problem]) -> tuple[list[str], str]:
    """Each problem's width, with modulus and task where these differ.

    Returns:
        One name a problem, and how to read them; empty where they say so themselves.
    """
    parts = [[str(problem.width)] for problem in problems]
    symbols = [f"${problems[0].family.width_symbol}$"] if problems else []
    if len({problem.modulus for problem in problems}) > 1:
        parts = [[str(problem.modulus), *rest] for problem, rest in zip(problems, parts, strict=True)]
        symbols = ["$p$", *symbols]
    if len({problem.task for problem in problems}) > 1:
        parts = [[problem.task, *rest] for problem, rest in zip(problems, parts, strict=True)]
        symbols = ["task", *symbols]
    if len(symbols) == 1:
        return [f"{symbols[0]} = {width}" for (width,) in parts], ""
    return ["/".join(part) for part in parts], f"labels: {'/'.join(symbols)}"


def _range(entries: Sequence[ProblemEvidence]) -> tuple[float, float]:
    values: list[float] = []
    for entry in entries:
        for one in (entry.transition.measured, *(prediction_of(entry, kind) for kind in KINDS)):
            if one is None:
                continue
            best = one.value
            values += [] if best is None else [best]
            values += [] if one.interval is None else [one.interval.low, one.interval.high]
    ends = scales.spread(values, margin=0.08)
    assert ends is not None
    return ends


def _obstacles(ax: Axes, points: Sequence[tuple[float, float]]) -> FloatArray:
    """Marks, error bars and the identity line, which no label should cover: (n, 4) in pixels."""
    bars = [
        Bbox(ax.transData.transform(segment)).padded(1).extents
        for container in ax.containers
        for bar in container.lines[2]  # type: ignore[union-attr]
        for segment in bar.get_segments()
    ]
    line = [(size, size) for size in np.geomspace(*ax.get_xlim(), 200)]
    return np.vstack([boxes_of(ax, points, 6), boxes_of(ax, line, 1.5), *bars])


def _key(entries: Sequence[ProblemEvidence]) -> list[Line2D]:
    variants = list(dict.fromkeys(entry.problem.variant for entry in entries))
    shapes = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=style.marker_of(variant),
            color=style.colour_of(variant),
            label=variant,
        )
        for variant in variants
    ]
    kinds = [
        Line2D([], [], linestyle="", marker="o", color=style.BLACK, markerfacecolor=face, label=kind)
        for kind, face in zip(KINDS, (style.BLACK, "white"), strict=True)
    ]
    return shapes + kinds


def draw(evidence: Sequence[ProblemEvidence]) -> Figure:
    """Predicted against measured critical size over all problems."""
    with style.context():
        entries = evidence
        side = style.SINGLE if len(entries) <= CROWD else 0.75 * style.DOUBLE
        figure = canvas.new_figure(side, side + 0.28)
        ax = figure.subplots()
        canvas.prepare(ax)
        ax.set_xlabel(rf"measured $D_\mathrm{{crit}}$ {style.EXAMPLES}")
        ax.set_ylabel(rf"predicted $D_\mathrm{{crit}}$ {style.EXAMPLES}")
        canvas.footnotes(figure, [line for entry in entries for line in missing(entry)])
        a_priori, implied = (draw_predictions(ax, entries, kind) for kind in KINDS)
        points = [prior or own for prior, own in zip(a_priori, implied, strict=True)]
        drawn = [entry for entry, point in zip(entries, points, strict=True) if point is not None]
        if not drawn:
            canvas.blank(ax, "No problem has both a prediction and a measured transition.", width=2.0)
            return figure
        ends = _range(drawn)
        draw_identity(ax, *ends)
        scales.log_axis(ax, "x", *ends)
        scales.log_axis(ax, "y", *ends)
        ax.set_aspect("equal")
        texts, reading = names([entry.problem for entry in drawn])
        handles = _key(drawn) + ax.get_legend_handles_labels()[0]
        handles += [Line2D([], [], linestyle="", label=reading)] if reading else []
        figure.legend(handles=handles, loc="outside upper center", ncols=3, columnspacing=1.0, handlelength=1.6)
        figure.draw_without_rendering()  # labels are placed around what is drawn where it is drawn
        named = zip((point for point in points if point is not None), texts, strict=True)
        place_labels(ax, list(named), _obstacles(ax, [at for at in a_priori + implied if at is not None]))
        return figure


SPEC: FigureSpec[list[ProblemEvidence]] = FigureSpec(
    name="critical-sizes",
    title="Predicted against measured critical size",
    caption=(
        "Critical training-set size D_crit at which test accuracy passes one half, predicted against measured, one "
        "label a configuration. Filled: predicted before any run of these configurations. "
        "Open: implied by the efficiencies measured on the configuration itself, which no measured critical size "
        f"enters. Error bars are {LEVEL:.0%} intervals. The band holds predictions with "
        f"|ln(predicted/measured)| ≤ {TARGET:g}."
    ),
    experiment=EXPERIMENT,
    draws_predictions=True,
    draw=draw,
)
