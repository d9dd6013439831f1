"""Finished runs on axes of one's own: over training time, over training-set size, and in the plane of both sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from dcrit.empirics.measures.in_plane import most_show
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import Run
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.measured.dynamics import log_steps
from dcrit.figures.measured.phase_map import MARKERS
from dcrit.figures.predicted.phase_diagram import COLOURS
from dcrit.theory.circuits.regimes import DYNAMICS, shown_from_scratch

#: Marker and colour of what runs show; the four that regions are named after have the colours of these.
MARKS: dict[str, tuple[str, str]] = {
    **{
        shown_from_scratch(one): (marker, colour)
        for one, marker, colour in zip(DYNAMICS, MARKERS, COLOURS[: len(DYNAMICS)], strict=True)
    },
    "generalized at once": ("v", COLOURS[3]),
    "partial memorization": ("p", COLOURS[1]),
    "ungrokking": ("X", COLOURS[1]),
    "collapsed": ("P", style.GREY),
    "learned nothing": ("X", style.GREY),
}


def _size(run: Run) -> int:
    return run.config.n_train


def draw_training(ax: Axes, runs: Sequence[Run]) -> None:
    """Test accuracy over training time in one colour a training-set size, train accuracy in broken lines."""
    canvas.prepare(ax)
    if not runs:
        canvas.blank(ax, "No runs.", width=2.0)
        return
    sizes = sorted({_size(run) for run in runs})
    # The map is told apart by colour-blind readers, and its light end is left out.
    colours = dict(zip(sizes, colormaps["viridis"](np.linspace(0.0, 0.85, len(sizes))), strict=True))
    named: set[int] = set()
    for run in sorted(runs, key=_size):
        size, curves = _size(run), run.curves
        label = "" if size in named else f"test, D = {size}"
        named.add(size)
        ax.plot(curves.step, curves.test_accuracy, color=colours[size], label=label or None)
        ax.plot(curves.step, curves.train_accuracy, color=colours[size], linestyle="--", linewidth=0.7, alpha=0.6)
    ax.plot([], [], color=style.GREY, linestyle="--", linewidth=0.7, label="train, same colours")
    log_steps(ax, max(float(run.curves.step[-1]) for run in runs))
    ax.set(xlabel="training time [steps]", ylabel="accuracy [fraction]", ylim=(-0.04, 1.04))


def draw_over_sizes(ax: Axes, outcomes: Sequence[Outcome], *, start: str = "scratch") -> None:
    """Final test accuracy of runs over their training-set size, one mark a run.

    Args:
        ax: Axes.
        outcomes: Settled values; those without a test accuracy have no mark.
        start: Where training started, as a run has it.
    """
    seen = [one for one in outcomes if math.isfinite(one.test_accuracy)]
    ax.plot(
        [one.config.n_train for one in seen],
        [one.test_accuracy for one in seen],
        "o" if start == "scratch" else "v",
        color=style.BLACK,
        markersize=3.5,
        markerfacecolor="none",
        markeredgewidth=0.8,
        linestyle="none",
        label=f"one run{'' if start == 'scratch' else ' from above'}",
    )


def draw_in_plane(ax: Axes, runs: Sequence[Run]) -> None:
    """Runs at their sizes, marked by what most seeds there show; how many do stands beside where not all do."""

    def place(run: Run) -> tuple[int, int]:
        return run.config.problem.n_params, run.config.n_train

    places: dict[str, list[tuple[int, int]]] = {}
    for where, some in groupby(sorted(runs, key=place), key=place):
        group = list(some)
        shown, n_showing = most_show(group)
        places.setdefault(shown, []).append(where)
        if n_showing < len(group):
            ax.annotate(
                f"{n_showing} of {len(group)}",
                where,
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALL,
                zorder=6,
            )
    for shown in filter(places.__contains__, MARKS):
        marker, colour = MARKS[shown]
        ax.plot(
            *zip(*places[shown], strict=True),
            marker,
            color=colour,
            markeredgecolor=style.BLACK,
            markeredgewidth=0.6,
            markersize=5.5,
            linestyle="none",
            zorder=6,
            label=f"runs: {shown}",
        )


def draw_over_plane(ax: Axes, runs: Sequence[Run]) -> None:
    """The same over a predicted plane, whose axes are widened where a mark would lie outside of them or be cut off."""
    draw_in_plane(ax, runs)
    if runs:
        scales.include(ax, [(run.config.problem.n_params, run.config.n_train) for run in runs])


def draw_plane(ax: Axes, runs: Sequence[Run]) -> None:
    """Runs of several widths in the plane of model size and training-set size, without a theory below them."""
    canvas.prepare(ax)
    draw_in_plane(ax, runs)
    ax.set(xscale="log", yscale="log", xlabel="model size $N$ [parameters]", ylabel=style.SIZE_LABEL)
    ax.margins(0.1)


def size_axis(ax: Axes, sizes: Sequence[float], n_pairs: int) -> None:
    """A logarithmic axis of training-set sizes around those that are shown, up to all pairs."""
    ends = scales.spread([min(size, n_pairs) for size in sizes], margin=0.15)
    if ends is not None:
        scales.log_axis(ax, "x", ends[0], min(ends[1], 1.02 * n_pairs))
    ax.set(xlabel=style.SIZE_LABEL)
