"""The ``dcrit`` command: its tree of commands, and what an error becomes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dcrit.cli import (
    calibrate,
    classify,
    explore,
    figure,
    measure,
    plan,
    predict,
    reproduce,
    runs,
    simulate,
    study,
    train,
    validate,
)
from dcrit.cli.terminal.once import once
from dcrit.cli.terminal.sentences import Commands, sentence
from dcrit.cli.terminal.tree import add_commands

app = typer.Typer(
    name="dcrit",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(predict.app, name="predict")
app.add_typer(measure.app, name="measure")
app.add_typer(plan.app, name="plan")
add_commands(app, simulate, explore, train, calibrate, validate, figure, classify, study)
app.add_typer(runs.app, name="runs")
app.add_typer(reproduce.app, name="reproduce")
once(app)


def _version(wanted: bool) -> None:
    if wanted:
        from dcrit import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Predict when a neural network stops memorizing and starts generalizing, and check it on real runs.

    Options that take several values take them one after the other or in a list: -w 32 -w 64 and -w 32,64 mean the same.

    Options may stand in a file: with the line "--task mul --modulus 59" in mine.txt, 'dcrit predict critical-size
    @mine.txt --width 32' reads both. What follows a # in a file is left out, and an option of the command line counts
    before the same of a file.

    Colours are left out where NO_COLOR is set.
    """


def main() -> None:
    """Run the command line: exit 0 done, 1 failed, 2 bad input, 130 interrupted."""
    try:
        app()
    except RuntimeError as error:
        print(f"Error: {sentence(str(error))}", file=sys.stderr)
        sys.exit(1)
