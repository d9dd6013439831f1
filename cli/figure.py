"""``dcrit figure``: a comparison figure from stored results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.validate import SuiteChoice

if TYPE_CHECKING:
    from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun
    from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
    from dcrit.empirics.runs.single import Run, RunConfig


def figure(
    name: Annotated[str | None, typer.Argument(help="Which figure; see --list.")] = None,
    list_figures: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
    suite: Annotated[
        SuiteChoice,
        typer.Option(
            parser=options.choice(SuiteChoice), metavar=options.words(SuiteChoice), help="Suite whose runs are drawn."
        ),
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
    from dcrit.cli.terminal.session import DIMENSIONS_FOLDER, MULTITASK_FOLDER
    from dcrit.cli.validate import check_writable_folder
    from dcrit.empirics.experiments.experiment import Laboratory
    from dcrit.empirics.store.kinds import DimensionStore, MultitaskStore, Store
    from dcrit.theory.calibrations.calibration import shipped_calibrations

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
    opened, several = Store(folder), MultitaskStore(folder / MULTITASK_FOLDER)
    dimensions = DimensionStore(folder / DIMENSIONS_FOLDER)

    def refuse(lacking: int, what: str) -> None:
        if lacking:
            raise typer.BadParameter(
                f"--store {folder} lacks {lacking} runs for {what}; 'dcrit validate {suite.value}' makes them"
            )

    def stored(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        refuse(len(opened.missing(configs)), stage)
        return [run for run in map(opened.get, configs) if run is not None]

    def stored_multitask(configs: Sequence[MultitaskConfig], /, *, stage: str = "several tasks") -> list[MultitaskRun]:
        refuse(len(several.missing(configs)), stage)
        return [run for run in map(several.get, configs) if run is not None]

    def stored_dimensions(configs: Sequence[DimensionConfig], /) -> list[DimensionRun]:
        refuse(len(dimensions.missing(configs)), "effective dimensionalities")
        return [run for run in map(dimensions.get, configs) if run is not None]

    bench = Laboratory(stored, stored_multitask, shipped_calibrations(), stored_dimensions)
    paths = save(spec, spec.experiment.measure(spec.experiment.designs[suite.value], bench), out)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        say(" ".join(str(path) for path in paths))
