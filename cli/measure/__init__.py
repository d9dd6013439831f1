"""``dcrit measure``: real runs turned into an estimate with an interval."""

from __future__ import annotations

import typer

from dcrit.cli.measure import capacity, circuits, critical_size, effective_dimension, efficiency, homogeneity
from dcrit.cli.terminal.sentences import Branch
from dcrit.cli.terminal.tree import add_commands

app = typer.Typer(
    cls=Branch, help="Train real networks and turn the runs into an estimate with an interval.", no_args_is_help=True
)
add_commands(app, critical_size, capacity, efficiency, homogeneity, circuits, effective_dimension)
