"""The model size at which a task emerges, over the facts that are to be memorized beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from dcrit.figures.drawing import canvas, scales, style
from dcrit.theory.predictions.emergence import EmergenceCurve, EmergencePrediction


def draw_emergence(ax: Axes, curve: EmergenceCurve, asked: EmergencePrediction | None = None) -> None:
    """Threshold width over the number of facts in its band, and the number asked for as a point.

    Widths beyond the largest looked at are not drawn; the band ends there.
    """
    canvas.prepare(ax)
    ends = scales.spread([*curve.low.tolist(), *curve.high.tolist()])
    assert ends is not None
    scales.log_axis(ax, "y", *ends)
    interval = f"{curve.level:.0%} interval"
    ax.fill_between(
        curve.n_facts, curve.low, curve.high, color=style.BLUE, alpha=style.SHADE, linewidth=0, label=interval
    )
    shown = np.where(np.isfinite(curve.width), curve.width, np.nan)
    ax.plot(curve.n_facts, shown, color=style.BLUE, label=f"$D={curve.n_train}$")
    if not np.isfinite(curve.width).all():
        label = "largest width looked at"
        ax.axhline(curve.largest, color=style.GREY, linewidth=0.9, linestyle=":", label=label)
    if asked is not None and asked.width.value is not None and asked.width.interval is not None:
        value, span = asked.width.value, asked.width.interval
        ax.errorbar(
            [asked.n_facts],
            [value],
            yerr=[[value - span.low], [span.high - value]],
            fmt="s",
            color=style.VERMILLION,
            zorder=4,
            label=f"{asked.n_facts} facts",
        )
    ax.set(
        xlabel=r"facts to memorize $D_r$ [examples]",
        ylabel=f"threshold width [{'hidden units' if asked is None else asked.problem.family.width_unit}]",
        xlim=(int(curve.n_facts[0]), int(curve.n_facts[-1])),
    )
