"""Estimates of any kind, one row each: a value with its interval, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping

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
