"""What a figure is: a name, what it shows, and how it is drawn from an experiment's evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from matplotlib.figure import Figure

from dcrit.empirics.experiments.experiment import Experiment

Evidence = TypeVar("Evidence")


@dataclass(frozen=True, kw_only=True)
class FigureSpec(Generic[Evidence]):
    """A comparison figure.

    Attributes:
        name: Its name on the command line and of its files.
        title: What it shows, in a few words.
        caption: What a reader needs to read it without the text around it.
        experiment: Makes the runs that are drawn.
        draw: Evidence to drawing; does no input or output.
    """

    name: str
    title: str
    caption: str
    experiment: Experiment[Any, Evidence]
    draw: Callable[[Evidence], Figure]
