"""Estimates of any kind, one row each: a value with its interval, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes

from dcrit.figures.drawing import canvas, style
from dcrit.theory.estimates import Estimate


def draw_estimates(ax: Axes, estimates: Mapping[str, Estimate]) -> None:
    """One row an estimate on one logarithmic axis, where all are above 0, else on a linear one.

    Args:
        ax: Axes.
        estimates: By the name of their row; units stand beside the names.
    """
    canvas.prepare(ax)
    known = [one for one in estimates.values() if one.value is not None]
    names = [f"{name.replace('_', ' ')} [{one.unit or '1'}]" for name, one in estimates.items()]
    for row, one in enumerate(estimates.values()):
        if one.value is None:
            text = canvas.wrapped(one.reason, 2.4)
            ax.text(0.02, row, text, transform=ax.get_yaxis_transform(), color=style.NOTE, fontsize=style.SMALL)
            continue
        xerr = canvas.arms(one.value, one.interval)
        if xerr is not None and not all(math.isfinite(arm[0]) for arm in xerr):
            xerr = None
        ax.errorbar([one.value], [row], xerr=xerr, fmt="s", color=style.BLUE)
    if known and all(one.value is not None and one.value > 0 for one in known):
        ax.set_xscale("log")
    ax.set_yticks(range(len(names)), names, fontsize=style.SMALL)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlabel="value [in the units beside the names]")


#: How what answers differ by is called on an axis.
AXES = {
    "modulus": "modulus $p$",
    "width": "width $H$ [units]",
    "n_train": style.SIZE_LABEL,
}


def draw_series(ax: Axes, along: str, rows: Sequence[tuple[Mapping[str, int], int, Estimate]]) -> None:
    """One quantity over a number that varies, with its intervals; one colour for each of what else varies.

    Args:
        ax: Axes.
        along: What lies on the axis, a name of ``AXES``.
        rows: What else tells an answer apart, its place on the axis, and the quantity.
    """
    canvas.prepare(ax)
    groups = list(dict.fromkeys(tuple(others.items()) for others, _, _ in rows))
    colours = colormaps["viridis"]([0.85 * k / max(1, len(groups) - 1) for k in range(len(groups))])
    shown: list[Estimate] = []
    level = next((f"{one.interval.level:.0%} interval" for _, _, one in rows if one.interval), "one estimate each")
    for group, colour in zip(groups, colours, strict=True):
        label = ", ".join([*(f"{name.replace('_', ' ')} {value}" for name, value in group), level])
        for others, place, one in rows:
            if tuple(others.items()) != group or one.value is None:
                continue
            arms = canvas.arms(one.value, one.interval)
            ax.errorbar([place], [one.value], yerr=arms, fmt="o", color=colour, label=label)
            label = "_nolegend_"
            shown.append(one)
    if not shown:
        canvas.blank(ax, rows[0][2].reason, width=2.5)
        return
    if len({place for _, place, _ in rows}) > 1:
        ax.set_xscale("log")
    unit = shown[0].unit or "1"
    ax.set(xlabel=AXES[along], ylabel=f"{shown[0].quantity.replace('_', ' ')} [{unit}]")
