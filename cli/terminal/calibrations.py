"""Which calibration a prediction rests on: a file, or one that ships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal.options import bad_input

if TYPE_CHECKING:
    from dcrit.theory.calibrations.calibration import Calibration
    from dcrit.theory.problems.problem import Problem

CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", help="File written by 'dcrit calibrate'; default: one that ships.")
]


def calibration_of(problem: Problem, path: Path | None) -> Calibration:
    """The calibration for a problem.

    Args:
        problem: The question.
        path: File to read; None for one that ships.

    Raises:
        typer.BadParameter: The task has no rule, the file is no calibration, or none ships (exit 2).
    """
    from dcrit.theory.calibrations.calibration import calibration_of as found_for

    with bad_input():
        return found_for(problem, path)
