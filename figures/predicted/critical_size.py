"""A predicted transition: training-set sizes at three levels of test accuracy, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from dcrit.figures.drawing import canvas, style
from dcrit.theory.estimates import LEVEL, Estimate

LABEL = f"predicted, {LEVEL:.0%} interval"


def draw_sizes(ax: Axes, sizes: Mapping[float, Estimate]) -> list[float]:
    """Sizes over test accuracy, as points with error bars joined by a line.

    Args:
        ax: Axes.
        sizes: Predicted training-set size by level of test accuracy [examples].

    Returns:
        All sizes that are shown, ends of intervals included [examples].
    """
    known = {level: one for level, one in sorted(sizes.items()) if one.value is not None}
    values = [one.value for one in known.values() if one.value is not None]
    ax.plot(values, list(known), "-", color=style.BLUE, linewidth=0.8)
    shown = list(values)
    for k, (level, one) in enumerate(known.items()):
        assert one.value is not None
        ax.errorbar(
            [one.value],
            [level],
            xerr=canvas.arms(one.value, one.interval),
            fmt="s",
            color=style.BLUE,
            markersize=4,
            label=LABEL if k == 0 else None,
        )
        if one.interval is not None:
            shown += [one.interval.low, one.interval.high]
    ax.set(ylabel="test accuracy [fraction]", ylim=(-0.04, 1.04))
    return shown


def draw_measured(ax: Axes, measured: Estimate, *, start: str = "scratch") -> list[float]:
    """A measured critical size at accuracy one half, with its interval.

    Args:
        ax: Axes.
        measured: The size [examples].
        start: Where training started, as a run has it.

    Returns:
        The sizes that are shown [examples]; none where nothing was found.
    """
    if measured.value is None:
        return []
    ax.errorbar(
        [measured.value],
        [0.5],
        xerr=canvas.arms(measured.value, measured.interval),
        fmt="o" if start == "scratch" else "v",
        color=style.VERMILLION,
        markersize=4.5,
        zorder=4,
        label=f"measured{'' if start == 'scratch' else ' from above'}, {LEVEL:.0%} interval",
    )
    interval = measured.interval
    return [measured.value] if interval is None else [interval.low, measured.value, interval.high]
