"""Training curves of the four dynamics: accuracies, and the norm that tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dcrit.empirics.experiments.dynamics_points import EXPERIMENT, DynamicsEvidence
from dcrit.figures.drawing import canvas, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.theory.circuits.regimes import DYNAMICS, Dynamics
from dcrit.theory.problems.problem import Problem

#: Height of the figure [inches].
HEIGHT = 3.75

#: How curves by the theory look.
THIN: dict[str, Any] = {"linestyle": "-.", "linewidth": 0.9}

#: Labels in the order of the legend, a measured curve above its simulated one.
ORDER = (
    "train accuracy",
    "train, by the theory",
    "test accuracy",
    "test, by the theory",
    "squared norm",
    "norm, by the theory",
)


def _family(problem: Problem) -> Problem:
    """The problem at the narrowest width that its family has, to compare problems that differ in width only."""
    return replace(problem, width=problem.family.width_step)


def choose(points: Sequence[DynamicsEvidence]) -> dict[Dynamics, DynamicsEvidence | None]:
    """The problem with the most distinct dynamics, and its point for each of the four.

    Progression is looked for at another width than the rest. A dynamics that the chosen problem lacks is
    therefore taken from the same problem at another width, and is None where there is no such point.
    """
    kinds: dict[Problem, set[Dynamics]] = {}
    for point in points:
        kinds.setdefault(point.problem, set()).add(point.predicted)
    chosen = max(kinds, key=lambda problem: len(kinds[problem]), default=None)
    found: dict[Dynamics, DynamicsEvidence | None] = dict.fromkeys(DYNAMICS)
    if chosen is None:
        return found
    related = [point for point in points if _family(point.problem) == _family(chosen)]
    for point in sorted(related, key=lambda point: point.problem != chosen):
        found[point.predicted] = found[point.predicted] or point
    return found


def log_steps(ax: Axes, last: float) -> None:
    """A logarithmic axis of steps that starts at step 0."""
    ax.set_xscale("symlog", linthresh=1.0, linscale=0.7)
    ax.set_xlim(0, last)
    decades = [10.0**k for k in range(int(np.log10(max(last, 1.0))) + 1)]
    ax.xaxis.set_major_locator(FixedLocator([0.0, *decades]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"$10^{{{np.log10(value):.0f}}}$" if value else "0"))


def draw_accuracy(ax: Axes, point: DynamicsEvidence) -> None:
    """Train and test accuracy of the example run over steps, and those of the theory in thin lines over them."""
    curves, simulated = point.example, point.simulated
    ax.plot(curves.step, curves.train_accuracy, color=style.ORANGE, linestyle="--", label="train accuracy")
    ax.plot(curves.step, curves.test_accuracy, color=style.BLUE, label="test accuracy")
    if simulated is not None:
        ax.plot(simulated.steps, simulated.train_accuracy, color=style.VERMILLION, label="train, by the theory", **THIN)
        ax.plot(simulated.steps, simulated.test_accuracy, color=style.SKY, label="test, by the theory", **THIN)
    log_steps(ax, float(curves.step[-1]))


def draw_norm(ax: Axes, point: DynamicsEvidence) -> None:
    """Squared norm of the example run over steps, and that of the theory."""
    curves, simulated = point.example, point.simulated
    ax.plot(curves.step, curves.squared_norm, color=style.BLACK, linestyle="-", label="squared norm")
    if simulated is not None:
        ax.plot(simulated.steps, simulated.squared_norm, color=style.GREY, label="norm, by the theory", **THIN)
    log_steps(ax, float(curves.step[-1]))


def title_of(point: DynamicsEvidence) -> str:
    """Dynamics, size and width, how many runs showed what was predicted, and whether this one did."""
    right = sum(observed == point.predicted for observed in point.observed)
    width = f"{point.problem.family.width_symbol}={point.problem.width}"
    first = next(iter(point.observed), "diverged")
    shown = "" if first == point.predicted else f"\nthis one: {first}"
    return f"{point.predicted}\n$D={point.n_train}$, ${width}$\nin {right} of {len(point.observed)} runs{shown}"


def draw(evidence: Sequence[DynamicsEvidence]) -> Figure:
    """One column a dynamics: accuracies above, squared norm below."""
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, HEIGHT)
        axes = figure.subplots(2, len(DYNAMICS), sharex="col", height_ratios=(1.25, 1))
        points = choose(evidence)
        for column, (kind, point) in enumerate(points.items()):
            upper, lower = axes[0, column], axes[1, column]
            for ax in (upper, lower):
                canvas.prepare(ax)
            upper.set_ylim(-0.04, 1.04)
            upper.set_yticks([0, 0.5, 1])
            lower.set_xlabel("training time [steps]")
            if point is None:
                upper.set_title(f"{kind}\n\n")
                canvas.blank(upper, "No run was made: the curves put no point here.", width=1.3)
                canvas.blank(lower, "no run", width=1.3)
                continue
            upper.set_title(title_of(point))
            draw_accuracy(upper, point)
            draw_norm(lower, point)
            lower.set_ylim(bottom=0)
        axes[0, 0].set_ylabel("accuracy [fraction]")
        axes[1, 0].set_ylabel("squared norm $Q$ [1]")
        figure.align_labels()
        canvas.legend(figure, columns=3, order=ORDER)
        return figure


SPEC: FigureSpec[list[DynamicsEvidence]] = FigureSpec(
    name="dynamics",
    title="The four dynamics, and where the norm goes",
    caption=(
        "One run of each of the four dynamics, at a training-set size D where the two curves D_crit and D_mem put it; "
        "above, accuracy on the training set and on all other pairs, below, the squared norm of the parameters. The "
        "third line of a title counts the runs at that point that showed the dynamics predicted there. Thin lines are "
        "the curves of two competing circuits, integrated before any run; they know no capacity, so there are none "
        "for progression."
    ),
    experiment=EXPERIMENT,
    draws_predictions=True,
    draw=draw,
)
