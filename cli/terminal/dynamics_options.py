"""Options of the commands that tell of training curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.theory.checks import FieldError
from dcrit.theory.families.family import names_where

if TYPE_CHECKING:
    from dcrit.theory.problems.problem import Problem


Accuracy = Annotated[
    float, typer.Option("--accuracy", parser=options.decimal, metavar="NUMBER", help="Test accuracy to reach.")
]


def homogeneous(problem: Problem) -> Problem:
    """The problem, for commands whose dynamics need logits that are exactly homogeneous in the parameters.

    Raises:
        typer.BadParameter: The model's are not: a transformer's exponent is an effective one (exit 2).
    """
    if not problem.family.exactly_homogeneous:
        allowed = names_where(lambda family: family.exactly_homogeneous)
        raise typer.BadParameter(f"--model must be {allowed} for training curves by the theory, got '{problem.model}'")
    return problem


def check_accuracy(accuracy: float) -> None:
    """Raise ``FieldError`` unless ``accuracy`` lies between 0 and 1."""
    if not 0 < accuracy < 1:
        raise FieldError("accuracy", "be between 0 and 1", accuracy)
