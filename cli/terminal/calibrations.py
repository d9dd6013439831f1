"""What every prediction is asked with: how long training lasts, how wide intervals are, which constants it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypedDict

import typer

from dcrit.cli.terminal.options import Group, Horizon, Level, MaxWidth, MinWidth, Points

CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", help="File written by 'dcrit calibrate'; default: one that ships.")
]


class Asked(TypedDict):
    """The options that all predictions have in common, by the names of the library."""

    horizon: int | None
    level: float
    calibration: Path | None


def asked_from(horizon: Horizon = None, level: Level = 0.9, calibration: CalibrationFile = None) -> Asked:
    """These options, as they were given."""
    return Asked(horizon=horizon, level=level, calibration=calibration)


class Widths(TypedDict):
    """Which widths a curve over model size has, by the names of the library."""

    points: int
    min_width: int | None
    max_width: int | None


def widths_from(points: Points = 200, min_width: MinWidth = None, max_width: MaxWidth = None) -> Widths:
    """These options, as they were given."""
    return Widths(points=points, min_width=min_width, max_width=max_width)


#: Horizon, level and calibration.
AskedOptions = Annotated[Asked, Group(make=asked_from)]

#: First and last width, and how many.
WidthOptions = Annotated[Widths, Group(make=widths_from)]
