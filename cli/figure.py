"""``dcrit figure``: a comparison figure from the runs of its experiment."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.session import session
from dcrit.cli.validate import SuiteChoice


@options.grouped
def figure(
    *,
    name: Annotated[
        str | None, typer.Argument(autocompletion=options.figure_names, help="Which figure; see --list.")
    ] = None,
    list_figures_only: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
    suite: Annotated[
        SuiteChoice,
        options.one_of(SuiteChoice, "Suite by whose design the runs are made."),
    ] = SuiteChoice.quick,
    store: Annotated[
        Path | None, typer.Option("--store", "-S", help="Folder with the runs; default: validation/SUITE/runs.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the picture, as PNG and SVG.")] = Path(
        "figures-out"
    ),
    train: Annotated[bool, typer.Option("--train", help="Train the runs that the folder lacks.")] = False,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """Draw a figure from the runs of its experiment; without --train nothing is trained."""
    from dcrit.api.suites import figure as drawing_of
    from dcrit.api.suites import list_figures

    if list_figures_only:
        listed = list_figures()
        if as_json:
            print_json(listed.to_dict())
        else:
            rows = [[one["name"], one["title"], one["experiment"], ", ".join(one["suites"])] for one in listed.figures]
            table("figures", ["name", "shows", "experiment", "suites"], rows)
        return
    with session(machine):
        drawn = drawing_of(name or "nothing", suite=suite.value, store=store, out=out, train=train, **asdict(machine))
    if as_json:
        print_json(drawn.to_dict())
    else:
        say(" ".join(str(path) for path in drawn.files))
