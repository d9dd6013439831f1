"""Somebody's own training curves, each run named by the dynamics that it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes

from dcrit.empirics.curves.curve_files import CurveSet
from dcrit.figures.drawing import canvas
from dcrit.figures.measured.dynamics import log_steps

#: More runs than this share the colours again, and are not named.
COLOURS = colormaps["tab10"].colors  # type: ignore[attr-defined]

#: A log that begins later than this part of its last step has an axis that begins there as well.
LATE = 0.01


def draw_curves(ax: Axes, runs: Sequence[CurveSet], dynamics: Sequence[str]) -> None:
    """Test curves in full lines and training curves in broken ones, one colour a run.

    Accuracies are drawn where the file has them, else losses.

    Args:
        ax: Axes.
        runs: The curves.
        dynamics: What each run shows.
    """
    canvas.prepare(ax)
    kind = "accuracy" if any("test_accuracy" in run.curves for run in runs) else "loss"
    first, last = math.inf, 0.0
    for k, (run, shown) in enumerate(zip(runs, dynamics, strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        for side, line, label in (
            ("train", "--", "train" if k == 0 else None),
            ("test", "-", f"{run.run} test: {shown}".strip() if k < len(COLOURS) else None),
        ):
            curve = run.curves.get(f"{side}_{kind}")  # type: ignore[call-overload]
            if curve is None or not len(curve[0]):
                continue
            ax.plot(*curve, line, color=colour, linewidth=1.0 if side == "test" else 0.7, label=label)
            first, last = min(first, float(curve[0][0])), max(last, float(curve[0][-1]))
    if not ax.lines:
        canvas.blank(ax, "No run has curves of accuracy or loss.", width=2.0)
        return
    if 0 <= first <= LATE * last:
        log_steps(ax, max(last, 1.0))
    else:
        ax.margins(x=0)
    ax.set(xlabel="training time [steps]", ylabel=f"{kind} [{'fraction' if kind == 'accuracy' else 'nats'}]")
