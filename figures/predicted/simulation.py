"""Training curves by the theory: accuracies, losses, and which circuit holds the margin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.figures.drawing import canvas, style
from dcrit.figures.measured.dynamics import log_steps
from dcrit.theory.predictions.simulation import Trajectory

#: Height of the figure [inches], and of the two curves' range what is left free above and below.
HEIGHT, ROOM = 4.6, 0.04

#: Losses below this are drawn at it [nats]: the logarithmic axis ends somewhere.
SMALLEST_LOSS = 1e-9


def draw_accuracies(ax: Axes, trajectory: Trajectory) -> None:
    """Train and test accuracy over steps."""
    canvas.prepare(ax)
    ax.plot(trajectory.steps, trajectory.train_accuracy, "--", color=style.ORANGE, label="train")
    ax.plot(trajectory.steps, trajectory.test_accuracy, "-", color=style.BLUE, label="test")
    ax.set(ylim=(-ROOM, 1 + ROOM), ylabel="accuracy [fraction]")


def draw_losses(ax: Axes, trajectory: Trajectory) -> None:
    """Train and test loss over steps, both logarithmic."""
    canvas.prepare(ax)
    ax.plot(trajectory.steps, np.maximum(trajectory.train_loss, SMALLEST_LOSS), "--", color=style.ORANGE, label="train")
    ax.plot(trajectory.steps, np.maximum(trajectory.test_loss, SMALLEST_LOSS), "-", color=style.BLUE, label="test")
    ax.set(yscale="log", ylabel="loss $L$ [nats]")


def draw_margins(ax: Axes, trajectory: Trajectory) -> None:
    """The margins of both circuits over steps."""
    canvas.prepare(ax)
    ax.plot(trajectory.steps, trajectory.memorizing_margin, "-.", color=style.VERMILLION, label="memorizing circuit")
    ax.plot(trajectory.steps, trajectory.generalizing_margin, ":", color=style.GREEN, label="generalizing circuit")
    ax.set(ylabel=r"margin $\gamma$ [nats]")
    ax.set_ylim(bottom=0)


def draw_norm(ax: Axes, trajectory: Trajectory) -> None:
    """The squared norm over steps."""
    canvas.prepare(ax)
    ax.plot(trajectory.steps, trajectory.squared_norm, "-", color=style.BLACK, label="squared norm")
    ax.set(ylabel="squared norm $Q$ [1]")
    ax.set_ylim(bottom=0)


def draw_panel(ax: Axes, trajectory: Trajectory, draw: Callable[[Axes, Trajectory], None] = draw_accuracies) -> None:
    """One panel on a logarithmic axis of steps; without any curves it says why.

    Args:
        ax: Axes.
        trajectory: The curves.
        draw: What of them.
    """
    ax.set(xlabel="training time [steps]")
    if len(trajectory.steps) < 2:
        canvas.prepare(ax)
        canvas.blank(ax, trajectory.reason or "no curves", width=2.5)
        return
    draw(ax, trajectory)
    log_steps(ax, float(trajectory.steps[-1]))


def draw_simulation(figure: Figure, trajectory: Trajectory, *, title: str = "") -> None:
    """Four panels on one logarithmic axis of steps, under one legend.

    Args:
        figure: An empty figure, as :func:`canvas.new_figure` makes it.
        trajectory: The curves; without any, the panels say why.
        title: What is simulated, in words.
    """
    axes = figure.subplots(2, 2, sharex=True)
    panels = (
        (axes[0, 0], draw_accuracies),
        (axes[0, 1], draw_losses),
        (axes[1, 0], draw_margins),
        (axes[1, 1], draw_norm),
    )
    for ax, draw in panels:
        draw_panel(ax, trajectory, draw)
    for ax in axes[0]:
        ax.set_xlabel("")
    if title:
        canvas.title(axes[0, 0], title, width=canvas.PANEL_TEXT)
    figure.align_labels()
    canvas.legend(figure, columns=5, order=("train", "test", "memorizing circuit", "generalizing circuit"))


def new_simulation(trajectory: Trajectory, *, title: str = "") -> Figure:
    """A whole figure of :func:`draw_simulation` in the style of the others."""
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, HEIGHT)
        draw_simulation(figure, trajectory, title=title)
        return figure
