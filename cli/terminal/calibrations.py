"""Which calibration a prediction rests on: a file, or one that ships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal.options import bad_input
from dcrit.theory.checks import FieldError

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
    from dcrit.theory.calibrations.calibration import calibration_for, load_calibration, shipped_calibrations

    with bad_input():
        if problem.definition.rule is None:
            raise FieldError(
                "task", "have a rule to find", repr(problem.task), why="on random labels nothing generalizes"
            )
        if path is not None:
            return load_calibration(path)
    shipped = shipped_calibrations()
    chosen = calibration_for(problem, shipped)
    if chosen is None:
        known = "; ".join(sorted({f"{', '.join(one.tasks)} ({one.activation} {one.model})" for one in shipped}))
        raise typer.BadParameter(
            f"--task, --activation and --model must be a combination for which a calibration ships: {known}; got "
            f"'{problem.task}', '{problem.activation}' and '{problem.model}'. No calibration ships for that; "
            "'dcrit calibrate' measures one, and --calibration FILE uses it."
        )
    return chosen
