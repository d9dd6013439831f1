"""What a figure is: a name, what it shows, and how it is drawn from an experiment's evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from matplotlib.figure import Figure

from dcrit.empirics.experiments.experiment import Experiment
from dcrit.theory.calibrations.calibration import Calibration

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
        draws_predictions: Whether something is drawn that calibrations predict.
    """

    name: str
    title: str
    caption: str
    experiment: Experiment[Any, Evidence]
    draw: Callable[[Evidence], Figure]
    draws_predictions: bool = False

    def caption_with(self, calibrations: Sequence[Calibration]) -> str:
        """The caption, with where the constants come from that predictions rest on.

        Args:
            calibrations: Those in use.
        """
        if not self.draws_predictions or not calibrations:
            return self.caption
        largest = max(one.largest_n_symbols for one in calibrations)
        return (
            f"{self.caption} Constants of what was predicted before come from networks of at most {largest} symbols; "
            "no measured critical size enters them."
        )
