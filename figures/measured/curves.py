"""Somebody's own training curves, each run named by the dynamics that it shows, with the events that this rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes

from dcrit.empirics.curves.classify import Classification
from dcrit.empirics.curves.curve_files import CurveSet, FloatArray
from dcrit.figures.drawing import canvas, style
from dcrit.figures.measured.dynamics import log_steps

#: More runs than this share the colours again, and are not named.
COLOURS = colormaps["tab10"].colors  # type: ignore[attr-defined]

#: Colours of both curves of a run that is alone.
ALONE = {"train": style.ORANGE, "test": style.BLUE}

#: A log that begins later than this part of its last step has an axis that begins there as well.
LATE = 0.01

#: Height of the arrow between the two events, as a part of the axes.
ARROW_HEIGHT = 0.55

#: What falls that the verdict rests on are called.
FALLEN = ("unstable after generalizing", "ungrokking", "collapsed")


def draw_curves(
    ax: Axes,
    runs: Sequence[CurveSet],
    verdicts: Sequence[Classification],
    *,
    unit: str = "steps",
    column: str | None = None,
) -> None:
    """Test curves in full lines and training curves in broken ones, one colour a run; one run has a colour for each.

    Accuracies are drawn where the file has them, else losses. One run has lines where it memorized and generalized, an
    arrow for the delay between them, and its ceiling and falls where its verdict rests on them; of several runs the two
    events are marked on their curves.

    Args:
        ax: Axes.
        runs: The curves.
        verdicts: What each run shows, in the same order.
        unit: What times count.
        column: Name of the log's column that they are from; None for none.
    """
    canvas.prepare(ax)
    kind = "accuracy" if any("test_accuracy" in run.curves for run in runs) else "loss"
    first, last = math.inf, 0.0
    for k, (run, verdict) in enumerate(zip(runs, verdicts, strict=True)):
        for side, line, label in (
            ("train", "--", "train" if k == 0 else None),
            ("test", "-", f"{run.run} test: {verdict.dynamics}".strip() if k < len(COLOURS) else None),
        ):
            curve = run.curves.get(f"{side}_{kind}")  # type: ignore[call-overload]
            if curve is None or not len(curve[0]):
                continue
            colour = ALONE[side] if len(runs) == 1 else COLOURS[k % len(COLOURS)]
            ax.plot(*curve, line, color=colour, linewidth=1.0 if side == "test" else 0.7, label=label)
            first, last = min(first, float(curve[0][0])), max(last, float(curve[0][-1]))
            if len(runs) > 1:
                _point(ax, curve, verdict.events.memorized_at if side == "train" else verdict.events.generalized_at)
    if not ax.lines:
        canvas.blank(ax, "No run has curves of accuracy or loss.", width=2.0)
        return
    if 0 <= first <= LATE * last:
        log_steps(ax, max(last, 1.0))
    else:
        ax.margins(x=0)
    if len(runs) == 1:
        _events(ax, verdicts[0], unit)
        if kind == "accuracy":
            _levels(ax, runs[0], verdicts[0])
    named = "" if column is None else f", column {column!r}".replace("$", r"\$")
    ax.set(xlabel=f"training time [{unit}]{named}", ylabel=f"{kind} [{'fraction' if kind == 'accuracy' else 'nats'}]")


def _point(ax: Axes, curve: tuple[FloatArray, FloatArray], at: float | None) -> None:
    """Mark an event on its curve."""
    step, values = curve
    if at is not None and (here := values[step == at]).size:
        ax.plot([at], here[:1], "o", color=ax.lines[-1].get_color(), markersize=3.0)


def _events(ax: Axes, verdict: Classification, unit: str) -> None:
    """Lines at the times of the events, and an arrow for the delay."""
    events, low = verdict.events, verdict.thresholds.low
    for at, what, colour, line in (
        (events.memorized_at, "memorized at", style.VERMILLION, ":"),
        (events.generalized_at, "generalized at", style.GREEN, "-."),
        (events.lost_at, f"below {low:.3g} at", style.PURPLE, ":"),
        (events.recovered_at, "recovered at", style.SKY, "-."),
    ):
        if at is not None:
            ax.axvline(at, color=colour, linestyle=line, linewidth=1.0, label=f"{what} {at:g}")
    start, end = events.memorized_at, events.generalized_at
    if start is None or end is None or end <= start:
        return
    frame = ax.get_xaxis_transform()
    ax.annotate(
        "",
        (end, ARROW_HEIGHT),
        (start, ARROW_HEIGHT),
        xycoords=frame,
        textcoords=frame,
        arrowprops={"arrowstyle": "<->", "color": style.GREY, "shrinkA": 0, "shrinkB": 0},
    )
    # Halfway on the axis as it is drawn, which may be logarithmic.
    places = [ax.transData.transform((step, 0.0))[0] for step in (start, end)]
    middle = ax.transAxes.inverted().transform((sum(places) / 2, 0.0))[0]
    ax.text(
        middle,
        ARROW_HEIGHT + 0.025,
        f"delay {end - start:g} {unit}" if events.delay is None else f"delay ×{events.delay:.3g}",
        transform=ax.transAxes,
        ha="center",
        va="bottom",
        fontsize=style.SMALL,
        color=style.GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )


def _levels(ax: Axes, run: CurveSet, verdict: Classification) -> None:
    """The ceiling that levels count up to, and where test accuracy lies below what it had reached."""
    levels, events = verdict.thresholds, verdict.events
    if levels.ceiling < 1:
        how = "estimated" if verdict.ceiling_estimated is not None else "given"
        label = f"ceiling {levels.ceiling:.3g}, {how}"
        ax.axhline(levels.ceiling, color=style.GREY, linestyle="--", linewidth=0.8, label=label)
    if verdict.dynamics in FALLEN and events.generalized_at is not None:
        step, values = run.curves["test_accuracy"]
        least = levels.high - levels.moving
        ax.fill_between(
            step,
            0,
            1,
            where=((step > events.generalized_at) & (values < least)).tolist(),
            transform=ax.get_xaxis_transform(),
            color=style.ORANGE,
            alpha=style.SHADE,
            linewidth=0,
            label=f"test below {least:.3g} again",
        )
