"""``dcrit predict``: answers from a calibration, at once and without training."""

from __future__ import annotations

import typer

from dcrit.cli.predict import critical_size, delay, double_descent, emergence, phase_diagram, regime

app = typer.Typer(help="Predict, at once and without training.", no_args_is_help=True)
app.command("critical-size")(critical_size.critical_size)
app.command("regime")(regime.regime)
app.command("phase-diagram")(phase_diagram.phase_diagram)
app.command("double-descent")(double_descent.double_descent)
app.command("emergence")(emergence.emergence)
app.command("delay")(delay.delay)
