"""``dcrit measure``: real runs turned into an estimate with an interval."""

from __future__ import annotations

import typer

from dcrit.cli.measure import capacity, circuits, critical_size, effective_dimension, efficiency, homogeneity

app = typer.Typer(help="Train real networks and turn the runs into an estimate with an interval.", no_args_is_help=True)
app.command("critical-size")(critical_size.critical_size)
app.command("capacity")(capacity.capacity)
app.command("efficiency")(efficiency.efficiency)
app.command("homogeneity")(homogeneity.homogeneity)
app.command("circuits")(circuits.circuits)
app.command("effective-dimension")(effective_dimension.effective_dimension)
