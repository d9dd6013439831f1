"""Both circuits over training: the margin that each of them holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from dcrit.figures.drawing import canvas, style
from dcrit.figures.measured.dynamics import log_steps

#: Margins by the column that holds them: label, line, colour.
LINES = {
    "generalizing_margin": ("generalizing circuit", ":", style.GREEN),
    "memorizing_margin": ("memorizing circuit", "-.", style.VERMILLION),
    "memorizing_margin_unseen": ("memorizing circuit, unseen pairs", "--", style.ORANGE),
}


def draw_margins(ax: Axes, rows: Sequence[Mapping[str, float]]) -> None:
    """The margins of both circuits over steps, means of some runs.

    Args:
        ax: Axes.
        rows: One a step, with the columns of ``LINES``; none where every run diverged.
    """
    canvas.prepare(ax)
    ax.set(xlabel="training time [steps]", ylabel=r"margin $\gamma$ [nats]")
    if not rows:
        canvas.blank(ax, "Every run diverged.", width=2.0)
        return
    steps = [row["step"] for row in rows]
    for name, (label, line, colour) in LINES.items():
        ax.plot(steps, [row[name] for row in rows], line, color=colour, label=label)
    log_steps(ax, max(steps))
