"""Efficiencies of both circuits over training-set size, and where they cross."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from dcrit.empirics.experiments.competition import EXPERIMENT, ProblemEvidence
from dcrit.empirics.measures.efficiency import CompetitionFit, NoLaws, usable
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.measured.panels import panel_per_problem
from dcrit.theory.circuits.crossing import NoCrossing
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.estimates import LEVEL, Interval

FloatArray = NDArray[np.float64]

#: Height of a panel [inches], and points along a curve.
HEIGHT, RESOLUTION = 2.35, 120

UNIT = "nats/norm$^κ$"
YLABEL = f"efficiency $e$ [{UNIT}]"

RANDOM, TASK, UNUSED = "runs on random labels", "runs on the task", "not converged or not fitted"
CROSSING, IMPLIED, MEASURED = "crossing", r"$D_{50}$, from efficiencies", r"$D_\mathrm{crit}$, measured"

#: Curves: label, ln e at ln D, colour, line style.
CURVES: tuple[tuple[str, Callable[[Competition, FloatArray], FloatArray], str, str], ...] = (
    (r"$e_\mathrm{mem}(D)$, fitted", lambda laws, x: laws.memorizing.log_efficiency(x), style.VERMILLION, "--"),
    (r"$e_\mathrm{gen}$, fitted", lambda laws, x: laws.generalizing.log_efficiency(x), style.BLUE, "-."),
    ("mixture of both", lambda laws, x: laws.log_efficiency(x), style.BLACK, "-"),
)


def finite(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes whose efficiency has a place on a logarithmic axis."""
    return [o for o in outcomes if math.isfinite(o.efficiency) and o.efficiency > 0]


def draw_runs(ax: Axes, outcomes: Sequence[Outcome], *, label: str, marker: str, colour: ColorType) -> None:
    """Efficiencies of runs: filled where the fit rests on them, hollow and grey where it does not.

    Runs without a finite efficiency are crosses on the lower edge.
    """
    used = usable(finite(outcomes))[0]
    unused = [o for o in finite(outcomes) if o not in used]
    lost = [o for o in outcomes if o not in finite(outcomes)]
    shared = {"linestyle": "", "zorder": 3}
    if used:
        ax.plot(*_points(used), marker=marker, color=colour, label=label, alpha=0.8, markeredgewidth=0, **shared)
    if unused:
        ax.plot(
            *_points(unused),
            marker=marker,
            color=style.GREY,
            markerfacecolor="none",
            markeredgewidth=0.8,
            label=UNUSED,
            **shared,
        )
    if lost:
        mark_lost(ax, [o.config.n_train for o in lost])


def mark_lost(ax: Axes, n_train: Sequence[float]) -> None:
    """Crosses on the lower edge for runs whose value is not a finite number."""
    ax.plot(
        n_train,
        [0.0] * len(n_train),
        clip_on=False,
        transform=ax.get_xaxis_transform(),
        linestyle="",
        marker="x",
        color=style.GREY,
        label="no finite value",
        zorder=3,
    )


def _points(outcomes: Sequence[Outcome]) -> tuple[list[int], list[float]]:
    return [o.config.n_train for o in outcomes], [o.efficiency for o in outcomes]


def draw_laws(ax: Axes, fit: CompetitionFit, n_train: FloatArray, *, level: float = LEVEL) -> None:
    """Both fitted laws and their mixture, each in a band that holds ``level`` of the resampled fits."""
    x = np.log(n_train)
    for label, law, colour, line in CURVES:
        band = np.quantile([law(laws, x) for laws in fit.draws], [(1 - level) / 2, (1 + level) / 2], axis=0)
        ax.fill_between(n_train, *np.exp(band), color=colour, alpha=style.SHADE, linewidth=0)
        ax.plot(n_train, np.exp(law(fit.competition, x)), color=colour, linestyle=line, label=label)


def draw_size(ax: Axes, value: float, interval: Interval | None, *, label: str, colour: ColorType, line: str) -> None:
    """A training-set size as a vertical line, its interval as a band."""
    if interval is not None:
        ax.axvspan(interval.low, interval.high, color=colour, alpha=style.SHADE, linewidth=0)
    ax.axvline(value, color=colour, linestyle=line, linewidth=1.0, label=label)


def draw_sizes(ax: Axes, entry: ProblemEvidence) -> list[str]:
    """Crossing, predicted and measured critical size; returns why any of them is missing."""
    remarks: list[str] = []
    if isinstance(entry.fit, NoLaws):
        remarks.append(f"No laws fitted: {entry.fit.reason}.")
    else:
        crossing = entry.fit.competition.crossing()
        if isinstance(crossing, NoCrossing):
            remarks.append(f"No crossing: {crossing.reason}.")
        else:
            draw_size(ax, crossing.n_train, None, label=CROSSING, colour=style.GREY, line=":")
        if entry.implied.value is None:
            remarks.append(f"No predicted critical size: {entry.implied.reason}.")
        else:
            draw_size(ax, entry.implied.value, entry.implied.interval, label=IMPLIED, colour=style.GREEN, line="--")
    measured = entry.transition.measured
    if measured.value is None:
        remarks.append(f"No measured critical size: {measured.reason}.")
    else:
        draw_size(ax, measured.value, measured.interval, label=MEASURED, colour=style.PURPLE, line="-")
    return remarks


def draw_efficiencies(ax: Axes, entry: ProblemEvidence) -> list[str]:
    """One problem's efficiencies over training-set size.

    Args:
        ax: Axes.
        entry: What was measured.

    Returns:
        What is missing from the picture, and why.
    """
    runs = [*entry.memorizing, *entry.generalizing]
    draw_runs(ax, entry.memorizing, label=RANDOM, marker="o", colour=style.VERMILLION)
    draw_runs(ax, entry.generalizing, label=TASK, marker="s", colour=style.BLUE)
    remarks = draw_sizes(ax, entry)
    marked = [o.config.n_train for o in runs]
    marked += [size for size in (entry.transition.measured.value, entry.implied.value) if size is not None]
    ends = scales.spread(marked)
    if ends is None:
        canvas.blank(ax, "No runs.", width=2.0)
        return remarks
    if isinstance(entry.fit, CompetitionFit):
        draw_laws(ax, entry.fit, np.geomspace(*ends, RESOLUTION))
    heights = scales.spread([o.efficiency for o in runs], margin=0.12) or (0.5, 2.0)
    scales.log_axis(ax, "x", *ends)
    exponent = scales.log_axis(ax, "y", *heights, most=5, scaled=True)
    ax.set_ylabel(f"efficiency $e$ {scales.unit(UNIT, exponent)}")
    return remarks


def draw(evidence: Sequence[ProblemEvidence]) -> Figure:
    """A panel a problem."""
    order = [RANDOM, TASK, *(label for label, *_ in CURVES), CROSSING, IMPLIED, MEASURED]
    return panel_per_problem(evidence, draw_efficiencies, ylabel=YLABEL, height=HEIGHT, order=order)


SPEC: FigureSpec[list[ProblemEvidence]] = FigureSpec(
    name="efficiencies",
    title="Efficiency of both circuits over training-set size, and where they cross",
    caption=(
        "Margin per norm that networks reach on random labels (memorization) and on the task (generalization), one "
        "mark a run, with the laws fitted to them and the mixture that a network settles at. Hollow marks are runs "
        "that had not converged or did not fit their training set; no law rests on them. Vertical lines: the size at "
        "which both laws cross, the size at which the mixture reaches test accuracy one half, and the measured "
        f"critical size, which no law was fitted to. Shading: {LEVEL:.0%} intervals."
    ),
    experiment=EXPERIMENT,
    draw=draw,
)
