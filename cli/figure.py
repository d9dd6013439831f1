"""``dcrit figure``: a comparison figure from stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.sentences import BadField
from dcrit.cli.validate import SuiteChoice
from dcrit.theory.checks import FieldError


def figure(
    name: Annotated[str | None, typer.Argument(help="Which figure; see --list.")] = None,
    list_figures: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
    suite: Annotated[
        SuiteChoice,
        options.one_of(SuiteChoice, "Suite whose runs are drawn."),
    ] = SuiteChoice.quick,
    store: Annotated[
        Path | None, typer.Option(help="Folder with the suite's runs; default: validation/SUITE/runs.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture, as PNG and SVG.")] = Path("figures-out"),
    as_json: options.Json = False,
) -> None:
    """Draw a figure from a suite's stored runs; nothing is trained."""
    from dcrit.figures import FIGURES

    if list_figures:
        listed = [
            {
                "name": spec.name,
                "title": spec.title,
                "experiment": spec.experiment.name,
                "suites": list(spec.experiment.designs),
            }
            for spec in FIGURES.values()
        ]
        if as_json:
            print_json({"figures": listed})
        else:
            rows = [[one["name"], one["title"], one["experiment"], ", ".join(one["suites"])] for one in listed]
            table("figures", ["name", "shows", "experiment", "suites"], rows)
        return
    if name not in FIGURES:
        raise typer.BadParameter(f"NAME must be one of {', '.join(FIGURES)}, got {name or 'nothing'}")
    from dcrit.cli.report.pictures import save
    from dcrit.cli.validate import check_writable_folder
    from dcrit.empirics.experiments.laboratory import LackingRunsError, open_runs

    spec = FIGURES[name]
    if suite.value not in spec.experiment.designs:
        allowed = ", ".join(spec.experiment.designs)
        raise typer.BadParameter(f"--suite must be one of {allowed} for figure {name}, got '{suite.value}'")
    folder = store or Path("validation") / suite.value / "runs"
    if not folder.is_dir():
        raise typer.BadParameter(
            f"--store must be a folder with the runs of suite '{suite.value}', got {folder}; "
            f"'dcrit validate {suite.value}' makes them"
        )
    with options.bad_input():
        check_writable_folder(out)
    try:
        with open_runs(folder, may_train=False) as bench:
            evidence = spec.experiment.measure(spec.experiment.designs[suite.value], bench)
    except LackingRunsError as error:
        why = "; ".join(filter(None, [error.why, f"'dcrit validate {suite.value}' makes them"]))
        raise BadField(FieldError(error.field, error.allowed, error.got, why=why)) from error
    paths = save(spec, evidence, out)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        say(" ".join(str(path) for path in paths))
