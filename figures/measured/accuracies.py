"""Test accuracy over training-set size: every run, the fitted curve, and the curve that the theory predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dcrit.empirics.experiments.competition import EXPERIMENT, ProblemEvidence
from dcrit.empirics.measures.critical_size import Psychometric, sizes_and_accuracies, transition_width
from dcrit.empirics.measures.efficiency import CompetitionFit, NoLaws
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.canvas import arms
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.measured.efficiencies import mark_lost
from dcrit.figures.measured.panels import panel_per_problem
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.estimates import LEVEL, Interval

FloatArray = NDArray[np.float64]

#: Height of a panel [inches], and points along a curve.
HEIGHT, RESOLUTION = 2.3, 160

TOP = 1.26

SPAN = " to ".join(f"{accuracy:.0%}" for accuracy in SEMI_GROKKING)
RUNS, FIT, THEORY, SPAN_FIT, SPAN_THEORY = "runs", "fit to the runs", "theory", f"{SPAN}, fit", f"{SPAN}, theory"
A_PRIORI, MEASURED = r"$D_\mathrm{crit}$, a priori", r"$D_\mathrm{crit}$, measured"
ORDER = (RUNS, MEASURED, FIT, SPAN_FIT, THEORY, SPAN_THEORY, A_PRIORI)

#: The two semi-grokking intervals: height above all accuracies, colour, line style.
BRACKETS = {SPAN_FIT: (1.09, style.BLACK, "-"), SPAN_THEORY: (1.19, style.BLUE, "--")}

YLABEL = "test accuracy [fraction]"


def draw_theory(ax: Axes, fit: CompetitionFit, n_train: FloatArray, *, level: float = LEVEL) -> None:
    """The predicted accuracy curve in a band that holds ``level`` of the resampled fits."""
    draws = [laws.test_accuracy(n_train) for laws in fit.draws]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    ax.fill_between(n_train, low, high, color=style.BLUE, alpha=style.SHADE, linewidth=0)
    ax.plot(n_train, fit.competition.test_accuracy(n_train), color=style.BLUE, linestyle="--", label=THEORY)


def psychometric_of(entry: ProblemEvidence) -> Psychometric | None:
    """The curve that was fitted to the runs; None where they hold no transition."""
    midpoint, width = entry.transition.measured.value, transition_width(entry.transition.outcomes)
    return None if midpoint is None or width is None else Psychometric(midpoint=midpoint, width=width)


def predicted_range(laws: Competition) -> Interval | None:
    """Sizes between the two accuracies of semi-grokking, as predicted; None where no size is between them."""
    ends: list[float] = []
    for accuracy in SEMI_GROKKING:
        at = laws.size_at_accuracy(accuracy)
        if isinstance(at, Crossing):
            ends.append(at.n_train)
        else:
            ends.append(laws.generalizing.n_pairs if at.winner == "memorizing" else 1.0)
    return Interval(low=ends[0], high=ends[1]) if ends[0] < ends[1] else None


def fitted_range(curve: Psychometric) -> Interval:
    """Sizes between the two accuracies of semi-grokking, on the fitted curve."""
    low, high = (curve.midpoint * math.exp(curve.width * math.log(acc / (1 - acc))) for acc in SEMI_GROKKING)
    return Interval(low=low, high=high)


def draw_runs(ax: Axes, entry: ProblemEvidence) -> None:
    """Test accuracy of every run; crosses on the lower edge for runs that diverged."""
    style_of_runs = {"linestyle": "", "marker": "o", "color": style.GREY, "alpha": 0.55, "markeredgewidth": 0}
    ax.plot(*sizes_and_accuracies(entry.transition.outcomes), **style_of_runs, label=RUNS, zorder=3)  # type: ignore[arg-type]
    lost = [o.config.n_train for o in entry.transition.outcomes if not math.isfinite(o.test_accuracy)]
    if lost:
        mark_lost(ax, lost)


def draw_midpoints(ax: Axes, entry: ProblemEvidence) -> None:
    """Measured and a-priori critical size at accuracy one half, with their intervals."""
    shown = (
        (entry.transition.predicted, A_PRIORI, {"fmt": "D", "color": style.ORANGE, "markersize": 4, "zorder": 4}),
        (entry.transition.measured, MEASURED, {"fmt": "o", "color": style.BLACK, "markersize": 3.5, "zorder": 5}),
    )
    for size, name, look in shown:
        if size is not None and size.value is not None:
            ax.errorbar(size.value, 0.5, xerr=arms(size.value, size.interval), label=name, **look)


def draw_accuracies(ax: Axes, entry: ProblemEvidence) -> list[str]:
    """One problem's test accuracies over training-set size.

    Args:
        ax: Axes.
        entry: What was measured.

    Returns:
        What is missing from the picture, and why.
    """
    remarks: list[str] = []
    ax.set_ylim(-0.04, TOP)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    curve, ranges = psychometric_of(entry), dict[str, Interval]()
    if curve is None:
        remarks.append(f"No curve fitted: {entry.transition.measured.reason}.")
    else:
        ranges[SPAN_FIT] = fitted_range(curve)
    if isinstance(entry.fit, NoLaws):
        remarks.append(f"No predicted curve: {entry.fit.reason}.")
    elif (predicted := predicted_range(entry.fit.competition)) is not None:
        ranges[SPAN_THEORY] = predicted
    if entry.transition.predicted is None or entry.transition.predicted.value is None:
        why = (
            "no calibration speaks for it" if entry.transition.predicted is None else entry.transition.predicted.reason
        )
        remarks.append(f"Nothing predicted a priori: {why}.")
    ends = _sizes(entry, list(ranges.values()))
    if ends is None:
        canvas.blank(ax, "No runs.", width=2.0)
        return remarks
    scales.log_axis(ax, "x", *ends)
    draw_runs(ax, entry)
    grid = np.geomspace(*ends, RESOLUTION)
    if curve is not None:
        ax.plot(grid, [curve.accuracy(size) for size in grid], color=style.BLACK, label=FIT)
    if isinstance(entry.fit, CompetitionFit):
        draw_theory(ax, entry.fit, grid)
    for label, sizes in ranges.items():
        at, colour, line = BRACKETS[label]
        ax.plot([sizes.low, sizes.high], [at, at], color=colour, linestyle=line, marker="|", markersize=5, label=label)
    draw_midpoints(ax, entry)
    return remarks


def _sizes(entry: ProblemEvidence, ranges: Sequence[Interval]) -> tuple[float, float] | None:
    """Range of the horizontal axis: all runs and intervals, up to all pairs; None without runs."""
    marked: list[float] = [o.config.n_train for o in entry.transition.outcomes]
    if not marked:
        return None
    prior = entry.transition.predicted
    if prior is not None and prior.interval is not None:
        ranges = [*ranges, prior.interval]
    marked += [end for interval in ranges for end in (interval.low, interval.high)]
    ends = scales.spread([min(size, entry.problem.n_pairs) for size in [*marked, entry.problem.n_pairs]], margin=0.02)
    # A range that the theory opens at a single example must not squeeze what was measured.
    return (
        None
        if ends is None
        else (max(ends[0], 0.5 * min(o.config.n_train for o in entry.transition.outcomes)), ends[1])
    )


def draw(evidence: Sequence[ProblemEvidence]) -> Figure:
    """A panel a problem."""
    return panel_per_problem(evidence, draw_accuracies, ylabel=YLABEL, height=HEIGHT, order=ORDER)


SPEC: FigureSpec[list[ProblemEvidence]] = FigureSpec(
    name="accuracies",
    title="Test accuracy over training-set size, predicted and measured",
    caption=(
        "Settled test accuracy, one dot a run, with the logistic curve fitted to the runs and the whole curve that "
        "the theory derives from efficiencies and from what memorizing networks say on unseen inputs; no run shown "
        "here enters it. At accuracy one half: the measured critical size, and the one predicted before "
        f"any run. Brackets: semi-grokking, the sizes between accuracies {SPAN}; an end beyond all "
        f"pairs is open. Shading and error bars: {LEVEL:.0%} intervals."
    ),
    experiment=EXPERIMENT,
    draws_predictions=True,
    draw=draw,
)
