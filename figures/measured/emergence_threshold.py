"""Critical size over facts to memorize, and over model size with and without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.empirics.experiments.facts import (
    EXPERIMENT,
    FactsPoint,
    FactsSeries,
    additive,
    alone,
    rule,
    shared,
)
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.canvas import arms
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import label

#: Height of the figure [inches], and points of a curve.
HEIGHT, POINTS = 3.1, 40

#: Labels of curves.
RULE, FORMULA, BARE = (
    "theory, from measured $D_\\mathrm{crit}(0)$",
    "additive formula, from measured $D_\\mathrm{crit}(0)$",
    "theory, before any run",
)
BEYOND = "beyond the largest size tried"

#: Colour and marker of an architecture.
LOOKS = {
    "one block": (style.BLUE, "o"),
    "one block, task alone first": (style.PURPLE, "v"),
    "a block for each": (style.VERMILLION, "s"),
    "shared embedding, one block": (style.SKY, "D"),
    "shared embedding, a block for each": (style.ORANGE, "P"),
}


def kind_of(series: FactsSeries) -> str:
    """An architecture in a few words."""
    block = "one block" if series.blocks == "shared" else "a block for each"
    apart = "shared embedding, " if series.embedding == "apart" else ""
    return f"{apart}{block}" + (", task alone first" if series.is_pretrained else "")


def draw_point(ax: Axes, place: float, point: FactsPoint, label: str, *, filled: bool = True) -> None:
    """A measured size with its interval, or an arrow from the largest size tried."""
    colour, marker = LOOKS[kind_of(point.series)]
    measured = point.transition.measured
    if measured.value is not None:
        ax.errorbar(
            [place],
            [measured.value],
            yerr=arms(measured.value, measured.interval),
            fmt=marker,
            color=colour,
            markerfacecolor=colour if filled else "white",
            label=label,
            zorder=3,
        )
    elif point.transition.is_beyond:
        ax.plot([place], [point.transition.largest], "^", color=style.GREY, markersize=6, label=BEYOND, zorder=3)


def main_series(points: Sequence[FactsPoint]) -> FactsSeries | None:
    """The one that shares everything and was measured beside the most numbers of facts."""
    return max((one.series for one in shared(points)), key=lambda series: len(series.n_facts), default=None)


def draw_facts(ax: Axes, points: Sequence[FactsPoint], main: FactsSeries) -> None:
    """D_crit over D_r at one task and total width, one mark an architecture, beside both rules."""
    chosen = [point for point in points if point.series.problem == main.problem]
    most = max(point.n_facts for point in chosen)
    kinds = [kind for kind in LOOKS if any(kind_of(point.series) == kind for point in chosen)]
    for point in chosen:
        kind = kind_of(point.series)
        # Side by side, lest one mark hide another.
        place = point.n_facts + 0.012 * most * (kinds.index(kind) - (len(kinds) - 1) / 2)
        draw_point(ax, place, point, kind)
    base = alone(points, main)
    if base is not None and base.transition.measured.value is not None and base.predicted is not None:
        size = base.transition.measured.value
        facts = np.unique(np.linspace(0, most, POINTS).round().astype(int)).tolist()
        ruled = [rule(replace(base, n_facts=count), size) for count in facts]
        ax.plot(facts, [np.nan if one is None else one for one in ruled], color=style.BLACK, label=RULE)
        added = [additive(replace(base, n_facts=count), np.array(size)) for count in facts]
        ax.plot(facts, [np.nan if one is None else float(one) for one in added], ":", color=style.BLACK, label=FORMULA)
    ax.set_xlabel(r"facts to memorize $D_r$ [examples]")
    ax.set_ylim(0, main.problem.n_pairs)


def draw_widths(ax: Axes, points: Sequence[FactsPoint], main: FactsSeries) -> None:
    """D_crit over width without and with facts: a horizontal line at D meets each at its threshold."""
    chosen = [
        point for point in shared(points) if replace(point.series.problem, width=main.problem.width) == main.problem
    ]
    widths = {
        count: {point.series.problem.width for point in chosen if point.n_facts == count} for count in main.n_facts
    }
    with_most = max((count for count in widths if count), key=lambda count: len(widths[count]), default=0)
    for count in dict.fromkeys((0, with_most)):
        own = sorted((one for one in chosen if one.n_facts == count), key=lambda one: one.series.problem.width)
        for point in own:
            label = f"one block, {count} facts" if count else "one block, no facts"
            draw_point(ax, point.series.problem.width, point, label, filled=count > 0)
        predicted = [rule(point) for point in own]
        line = "-" if count else "--"
        ax.plot(
            [point.series.problem.width for point in own],
            [np.nan if one is None else one for one in predicted],
            line,
            color=style.GREEN,
            label=f"{BARE}, {count} facts" if count else f"{BARE}, no facts",
        )
    ends = scales.spread([float(point.series.problem.width) for point in chosen], margin=0.12)
    assert ends is not None
    scales.log_axis(ax, "x", *ends)
    ax.set_xlabel("model size: width $H$ [hidden units]")
    ax.set_ylim(0, main.problem.n_pairs)


def draw(evidence: Sequence[FactsPoint]) -> Figure:
    """Critical sizes over facts on the left, over width on the right."""
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, HEIGHT + 0.7)
        left, right = figure.subplots(1, 2, sharey=True)
        for ax in (left, right):
            canvas.prepare(ax)
        main = main_series(evidence)
        if main is None:
            for ax in (left, right):
                canvas.blank(ax, "No critical size beside facts was measured.", width=2.4)
            return figure
        draw_facts(left, evidence, main)
        draw_widths(right, evidence, main)
        left.set_ylabel(rf"critical size $D_\mathrm{{crit}}(D_r)$ {style.EXAMPLES}")
        canvas.title(left, label(main.problem), width=canvas.PANEL_TEXT)
        canvas.title(right, "over model size", width=canvas.PANEL_TEXT)
        canvas.legend(figure, columns=3, order=(*LOOKS, RULE, FORMULA))
        return figure


SPEC: FigureSpec[list[FactsPoint]] = FigureSpec(
    name="emergence-threshold",
    title="Facts to memorize raise the critical size",
    caption=(
        "Critical size of a task beside D_r facts to memorize. Left: over the facts, at one total width, for networks "
        "whose tasks share one feed-forward block or have one each, and for one trained on the task alone first; "
        "beside them the theory's rule and the additive formula, both from the measured size without facts. Right: "
        "over model size; the model at which the task emerges from D examples is where the curve passes D. "
        "Predictions on the right are made before any run. "
        f"Bars are {LEVEL:.0%} intervals; a triangle says that accuracy stayed below "
        "one half up to there."
    ),
    experiment=EXPERIMENT,
    draws_predictions=True,
    draw=draw,
)
