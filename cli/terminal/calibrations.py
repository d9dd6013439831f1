"""Which calibration a prediction rests on: a file, or one that ships."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", help="File written by 'dcrit calibrate'; default: one that ships.")
]
