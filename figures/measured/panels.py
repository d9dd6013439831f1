"""Figures with a panel for every measured problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.empirics.experiments.competition import ProblemEvidence
from dcrit.figures.drawing import canvas, style
from dcrit.theory.problems.problem import label


def panel_per_problem(
    problems: Sequence[ProblemEvidence],
    fill: Callable[[Axes, ProblemEvidence], Sequence[str]],
    *,
    ylabel: str,
    height: float,
    order: Sequence[str],
) -> Figure:
    """A panel a problem over training-set size, under one legend.

    Args:
        problems: What was measured.
        fill: Draws one problem and returns what is missing, in words.
        ylabel: Label of the vertical axis, unless ``fill`` sets another.
        height: Of a panel [inches].
        order: Of the labels in the legend, two to a column.
    """
    with style.context():
        figure, grid = canvas.panels(max(1, len(problems)), height=height)
        for ax in grid:
            canvas.prepare(ax)
            ax.set(xlabel=style.SIZE_LABEL, ylabel=ylabel)
        if not problems:
            canvas.blank(grid[0], "No problem was measured.", width=2.0)
        room = canvas.PANEL_TEXT if len(problems) <= 4 else canvas.PANEL_TEXT / 1.5
        extra: dict[int, float] = {}
        for ax, entry in zip(grid, problems, strict=False):
            remarks = fill(ax, entry)
            spec = ax.get_subplotspec()
            assert spec is not None
            row = spec.rowspan.start
            extra[row] = max(extra.get(row, 0.0), canvas.title(ax, label(entry.problem), remarks, width=room))
        figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + sum(extra.values()))
        canvas.legend(figure, columns=4, order=order)
        return figure
