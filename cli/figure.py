"""``dcrit figure``: a comparison figure from stored results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli import options
from dcrit.cli.output import print_json, say, table
from dcrit.cli.validate import SuiteChoice

if TYPE_CHECKING:
    from dcrit.empirics.runs import Run, RunConfig


def figure(
    name: Annotated[str | None, typer.Argument(help="Which figure; see --list.")] = None,
    list_figures: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
    suite: Annotated[
        SuiteChoice,
        typer.Option(
            parser=options.choice(SuiteChoice), metavar=options.words(SuiteChoice), help="Suite whose runs are drawn."
        ),
    ] = SuiteChoice.quick,
    store: Annotated[Path, typer.Option(help="Folder with the suite's runs.")] = Path("validation/quick/runs"),
    out: Annotated[Path, typer.Option(help="Folder for the picture, as PNG and SVG.")] = Path("figures-out"),
    as_json: options.Json = False,
) -> None:
    """Draw a figure from a suite's stored runs; nothing is trained."""
    from dcrit.figures import FIGURES

    if list_figures:
        if as_json:
            print_json({"figures": [{"name": spec.name, "title": spec.title} for spec in FIGURES.values()]})
        else:
            table("figures", ["name", "shows"], [[spec.name, spec.title] for spec in FIGURES.values()])
        return
    if name not in FIGURES:
        raise typer.BadParameter(f"NAME must be one of {', '.join(FIGURES)}, got {name or 'nothing'}")
    from dcrit.cli.pictures import save
    from dcrit.cli.validate import check_writable_folder
    from dcrit.empirics.store import Store
    from dcrit.empirics.suites import SUITES, gather
    from dcrit.theory.calibration import shipped_calibrations

    if not store.is_dir():
        raise typer.BadParameter(
            f"--store must be a folder with the runs of suite '{suite.value}', got {store}; "
            f"'dcrit validate {suite.value}' makes them"
        )
    with options.bad_input():
        check_writable_folder(out)
    opened = Store(store)

    def stored(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        lacking = len(opened.missing(configs))
        if lacking:
            raise typer.BadParameter(
                f"--store {store} lacks {lacking} runs for {stage}; 'dcrit validate {suite.value}' makes them"
            )
        return [run for run in map(opened.get, configs) if run is not None]

    evidence = gather(SUITES[suite.value], stored, shipped_calibrations())
    paths = save(FIGURES[name], evidence, out)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        say(" ".join(str(path) for path in paths))
