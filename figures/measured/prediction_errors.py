"""Drawn problems: predicted sizes against measured ones, and where the measured lie in what was predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtr

from dcrit.figures.drawing import canvas, scales, style

#: Height of both panels [inches], and bins of the ranks.
HEIGHT, BINS = 3.1, 10


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Predicted against measured beside the histogram of ranks.

    Args:
        rows: As frames give them; those without a measured size have no place.
    """
    known = [row for row in rows if row["measured"] is not None]
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, HEIGHT)
        sizes, ranks = figure.subplots(1, 2, width_ratios=(1.5, 1))
        _draw_sizes(sizes, known)
        _draw_ranks(ranks, known)
        canvas.legend(figure, columns=4)
        return figure


def _draw_sizes(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    canvas.prepare(ax)
    ax.set(xlabel=f"predicted before any run {style.EXAMPLES}", ylabel=f"measured {style.EXAMPLES}")
    if not rows:
        canvas.blank(ax, "No drawn problem is measured yet.", width=2.0)
        return
    ends = scales.spread([row[name] for row in rows for name in ("predicted", "measured")], margin=0.1)
    assert ends is not None
    ax.plot(ends, ends, color=style.GREY, linewidth=0.8)
    for k, group in enumerate(sorted({_variant(row) for row in rows})):
        mine = [row for row in rows if _variant(row) == group]
        colour, marker = style.LOOKS[k % len(style.LOOKS)]
        ax.errorbar(
            [row["predicted"] for row in mine],
            [row["measured"] for row in mine],
            xerr=_arms(mine, "predicted"),
            yerr=_arms(mine, "measured"),
            fmt=marker,
            color=colour,
            markersize=3.5,
            linewidth=0.7,
            label=f"{group} ({len(mine)})",
        )
    for which in ("x", "y"):
        scales.log_axis(ax, which, *ends, most=5)


def _variant(row: Mapping[str, Any]) -> str:
    """Activation and family of a row's group, its task left out."""
    return " ".join(str(row["group"]).split(" ")[1:])


def _arms(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Lengths of error bars (2, n); none where an end is not known."""

    def length(row: Mapping[str, Any], end: str) -> float:
        other = row[f"{name} {end}"]
        return abs(row[name] - other) if other is not None and math.isfinite(other) else 0.0

    return np.array([[length(row, end) for row in rows] for end in ("low", "high")])


def _draw_ranks(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Histogram of where measured sizes lie in their predictions; even, where those know how far off they are."""
    canvas.prepare(ax)
    ax.set(xlabel="quantile of the prediction that was measured", ylabel="problems")
    ranks = [float(ndtr(-row["z"])) for row in rows if row["z"] is not None]
    if not ranks:
        canvas.blank(ax, "No error is known yet.", width=1.5)
        return
    ax.hist(ranks, bins=np.linspace(0, 1, BINS + 1).tolist(), color=style.SKY, edgecolor="white")
    ax.axhline(
        len(ranks) / BINS, color=style.GREY, linewidth=0.8, linestyle="--", label="if predictions know their error"
    )
    ax.set_xlim(0, 1)
