"""What fresh runs say about a claim: estimates and confidence sequences beside the claimed ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.figures.drawing import canvas, style

#: Height of a row, and room for the ends of a panel [inches].
ROW, ENDS = 0.3, 0.7

#: Characters of a row's name.
NAME = 60


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """One panel a quantity, one row a condition of the claim.

    Args:
        rows: As a finding has them.
    """
    panels: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        panels.setdefault(str(row["quantity"]), []).append(row)
    heights = [ROW * len(own) + ENDS for own in panels.values()]
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, sum(heights))
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights).ravel().tolist()
        for ax, (quantity, own) in zip(grid, panels.items(), strict=True):
            _draw_rows(ax, own)
            ax.set_xlabel(quantity)
        return figure


def _draw_rows(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    canvas.prepare(ax)
    ends = [float(row[key]) for row in rows for key in ("low", "high", "claimed low", "claimed high")]
    finite = [end for end in ends if math.isfinite(end)]
    first, last = min(finite), max(finite)
    room = 0.05 * (last - first or 1.0)
    first, last = first - room, last + room
    for place, row in enumerate(rows):
        low, high = (min(max(float(row[f"claimed {end}"]), first), last) for end in ("low", "high"))
        ax.fill_betweenx([place - 0.4, place + 0.4], low, high, color=style.FAINT, linewidth=0)
        if row["measured"] is None:
            ax.annotate("no run yet", (first, place), va="center", fontsize=style.SMALL, color=style.GREY)
            continue
        interval = [min(max(float(row[end]), first), last) for end in ("low", "high")]
        ax.plot(interval, [place, place], color=style.BLUE, linewidth=1.2, solid_capstyle="butt")
        ax.plot([row["measured"]], [place], "o", color=style.BLUE, markersize=3.5)
    parts = [str(row["part"]) for row in rows]
    names = [
        part if parts.count(part) == 1 or not row["where"] else f"{part} · {row['where']}"
        for part, row in zip(parts, rows, strict=True)
    ]
    short = [name if len(name) <= NAME else name[: NAME - 1] + "…" for name in names]
    ax.set_yticks(range(len(rows)), short, fontsize=style.SMALL)
    ax.set(xlim=(first, last), ylim=(len(rows) - 0.5, -0.5))
