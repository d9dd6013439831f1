"""``dcrit predict``: answers from a calibration, at once and without training."""

from __future__ import annotations

import typer

from dcrit.cli.predict import critical_size, delay, double_descent, emergence, phase_diagram, regime
from dcrit.cli.terminal.sentences import Branch
from dcrit.cli.terminal.tree import add_commands

app = typer.Typer(cls=Branch, help="Predict, at once and without training.", no_args_is_help=True)
add_commands(app, critical_size, regime, phase_diagram, double_descent, emergence, delay)
