"""The four dynamics of one task in four panels: a run of each, what the theory says before it, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.empirics.runs.outcomes import generalized_at, memorized_at
from dcrit.empirics.runs.single import Run
from dcrit.figures.drawing import canvas, style
from dcrit.figures.measured.dynamics import log_steps
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.regimes import DYNAMICS, GENERALIZED, Dynamics
from dcrit.theory.predictions.simulation import Trajectory
from dcrit.theory.problems.problem import Problem

CRITICAL_SIZE = r"$D_\mathrm{crit}$"

#: Height of the figure [inches].
HEIGHT = 4.2


@dataclass(frozen=True, kw_only=True)
class Place:
    """A model size and a training-set size at which one of the dynamics shows.

    Attributes:
        dynamics: Which it is.
        width: Hidden units of the pair-MLP.
        n_train: D [examples].
        says: What happens there.
    """

    dynamics: Dynamics
    width: int
    n_train: int
    says: str

    @property
    def problem(self) -> Problem:
        """What is trained there."""
        return Problem(modulus=23, width=self.width)


#: Addition modulo 23, from the smallest model on.
PLACES = (
    Place(dynamics="progression", width=6, n_train=450, says="too small to memorize:\nboth accuracies rise together"),
    Place(dynamics="ungrokking", width=64, n_train=80, says="too few examples:\nthey are memorized, no rule is kept"),
    Place(dynamics="semi-grokking", width=64, n_train=170, says=f"near {CRITICAL_SIZE}:\nthe rule is right on a part"),
    Place(dynamics="grokking", width=64, n_train=300, says=f"above {CRITICAL_SIZE}:\nmemorized first, the rule later"),
)


@dataclass(frozen=True, kw_only=True)
class DynamicsPanel:
    """What one panel shows.

    Attributes:
        place: Where in the plane of sizes.
        run: A run there.
        predicted: The theory's curves; empty where it says nothing.
        critical_size: D_crit as predicted [examples]; None where nothing is.
        capacity: D_mem as predicted [examples]; None where nothing is.
    """

    place: Place
    run: Run
    predicted: Trajectory
    critical_size: float | None
    capacity: float | None

    def __post_init__(self) -> None:
        if self.run.config.n_train != self.place.n_train:
            raise FieldError("run", f"be of {self.place.n_train} examples", str(self.run.config.n_train))


def delay_of(run: Run) -> tuple[float, float] | None:
    """Steps at which a run has memorized and generalized, as tables have them; None where it did not do both.

    Args:
        run: Whose train accuracy gets to stay at 0.99, and whose test accuracy gets to stay at 0.9.
    """
    curves = run.curves
    memorized = memorized_at(run.config, curves.step, curves.train_accuracy)
    generalized = generalized_at(run.config, curves.step, curves.test_accuracy)
    return None if memorized is None or generalized is None else (memorized, generalized)


def sizes_told(panel: DynamicsPanel) -> str:
    """The predicted size that decides: D_mem for a model that is too small, else D_crit."""
    if panel.place.dynamics == "progression":
        return "" if panel.capacity is None else f"$D_\\mathrm{{mem}}$ = {panel.capacity:.0f} predicted"
    return "" if panel.critical_size is None else f"{CRITICAL_SIZE} = {panel.critical_size:.0f} predicted"


def draw_panel(ax: Axes, panel: DynamicsPanel) -> None:
    """Accuracies of a run and of the theory over steps, and the delay between memorizing and generalizing.

    Args:
        ax: Axes.
        panel: What they show.
    """
    canvas.prepare(ax)
    curves, theory, place = panel.run.curves, panel.predicted, panel.place
    ax.plot(curves.step, curves.train_accuracy, "--", color=style.ORANGE, label="training examples")
    ax.plot(curves.step, curves.test_accuracy, color=style.BLUE, label="unseen examples")
    if len(theory.steps) > 1:
        ax.plot(
            theory.steps,
            theory.test_accuracy,
            ":",
            color=style.BLACK,
            label="unseen examples, predicted",
            linewidth=1.4,
        )
    log_steps(ax, float(curves.step[-1]))
    ax.set(ylim=(-0.04, 1.3), xlabel="training time [steps]", ylabel="accuracy")
    ax.set_yticks([0, 0.5, 1])
    told = sizes_told(panel)
    ax.set_title(
        f"{place.dynamics}: $H$ = {place.width}, $D$ = {place.n_train}" + (f"\n{told}" if told else ""), loc="left"
    )
    ax.text(1.0, 1.27, place.says, fontsize=style.SMALL, color=style.GREY, va="top", linespacing=1.2)
    if (delay := delay_of(panel.run)) is not None:
        arrow = {"arrowstyle": "<->", "color": style.GREY, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (delay[0], GENERALIZED), xytext=(delay[1], GENERALIZED), arrowprops=arrow)
        ax.text(np.sqrt(delay[0] * delay[1]), GENERALIZED - 0.03, "delay", fontsize=style.SMALL, ha="center", va="top")


def draw(panels: Sequence[DynamicsPanel]) -> Figure:
    """Four panels under one legend.

    Args:
        panels: One of each of the dynamics, in any order.
    """
    ordered = sorted(panels, key=lambda panel: DYNAMICS.index(panel.place.dynamics))
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, HEIGHT)
        grid = figure.subplots(2, 2, sharey=True).ravel()
        for ax, panel in zip(grid, ordered, strict=True):
            draw_panel(ax, panel)
        for ax in grid:
            ax.label_outer()
        canvas.legend(figure, columns=3)
        return figure
