"""What a figure is: a name, what it shows, and how it is drawn from a suite's evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from dcrit.empirics.claims.claim import Evidence


@dataclass(frozen=True, kw_only=True)
class FigureSpec:
    """A comparison figure.

    Attributes:
        name: Its name on the command line and of its files.
        title: What it shows, in a few words.
        caption: What a reader needs to read it without the text around it.
        draw: Evidence to drawing; does no input or output.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Evidence], Figure]
