"""Verdicts of a suite at a glance."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from dcrit.figures.drawing import style

#: One column and one marker a ruling.
RULINGS = {
    "refuted": (style.VERMILLION, "X"),
    "inconclusive": (style.GREY, "o"),
    "supported": (style.BLUE, "P"),
}


def draw_rulings(ax: Axes, rulings: Mapping[str, str]) -> None:
    """One row a claim, with a mark in the column of its ruling."""
    columns = list(RULINGS)
    for row, ruling in enumerate(rulings.values()):
        colour, marker = RULINGS[ruling]
        ax.axhline(row, color=style.FAINT, linewidth=0.4, zorder=0)
        ax.plot([columns.index(ruling)], [row], marker, color=colour, markersize=6)
    ax.set_yticks(range(len(rulings)), list(rulings), fontsize=style.SMALL)
    ax.set_xticks(range(len(columns)), columns)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rulings) - 0.5, -0.5), xlabel="verdict")
