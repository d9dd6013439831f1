"""``dcrit validate``: run the claims of a suite, print the verdicts, write report and figures."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli import options
from dcrit.cli.output import number, print_json, say, span, table
from dcrit.cli.report import write_report

if TYPE_CHECKING:
    from dcrit.theory.estimates import Interval


class SuiteChoice(StrEnum):
    """Validation suites."""

    quick = "quick"
    standard = "standard"
    paper = "paper"


#: Colours of rulings on a terminal.
COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


def validate(
    suite: Annotated[
        SuiteChoice,
        typer.Argument(
            parser=options.choice(SuiteChoice),
            help="Which suite: on two cores quick takes three minutes, standard an hour.",
        ),
    ],
    claim: Annotated[list[str] | None, typer.Option(help="Judge only this claim; may be given several times.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report, figures and runs; default: validation/SUITE.")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the runs; default: runs/ in the output folder.")] = None,
    workers: options.Workers = 0,
    as_json: options.Json = False,
) -> None:
    """Train real networks, compare them with the theory, and print a verdict on every claim.

    A rerun trains only what the store lacks.
    """
    from dcrit.cli.training import laboratory
    from dcrit.empirics.claims.claim import verdict_json
    from dcrit.empirics.suites import SUITES, gather, judge, select
    from dcrit.theory.problem import check_integer

    began = time.monotonic()
    folder = out or Path("validation") / suite.value
    with options.bad_input():
        chosen = select(SUITES[suite.value], tuple(claim or ()))
        check_integer("workers", workers, 0)
        check_writable_folder(folder)
    with laboratory(store or folder / "runs", workers) as bench:
        results = gather(chosen, bench)
    verdicts = judge(chosen, results)
    document: dict[str, Any] = {
        "suite": chosen.name,
        "seconds": time.monotonic() - began,
        "claims": [verdict_json(verdict) for verdict in verdicts],
    }
    from dcrit.cli.pictures import save_all

    write_report(document, folder / "report.json")
    pictures = save_all(results, folder / "figures")
    if as_json:
        print_json(document)
        return
    for verdict in verdicts:
        rows = list(verdict.finding.rows)
        if rows:
            columns = list(dict.fromkeys(key for row in rows for key in row))
            table(verdict.claim.id, columns, [[row.get(column, "") for column in columns] for row in rows])
    table(
        f"verdicts of suite {chosen.name}",
        ["claim", "predicted", "measured", "90% interval", "verdict", "runs", "not converged"],
        [
            [
                verdict.claim.id,
                verdict.finding.predicted,
                verdict.finding.measured,
                _span(verdict.finding.interval),
                f"[{COLOURS[verdict.ruling]}]{verdict.ruling}[/]",
                verdict.finding.n_runs,
                verdict.finding.n_unconverged,
            ]
            for verdict in verdicts
        ],
    )
    for verdict in verdicts:
        say(f"{verdict.claim.id}: {verdict.reason}")
    say(f"{number(document['seconds'])} seconds; report {folder / 'report.json'}")
    say(f"{len(pictures)} pictures in {folder / 'figures'}")


def _span(interval: Interval | None) -> str:
    return span(*((None, None) if interval is None else (interval.low, interval.high)))


def check_writable_folder(folder: Path) -> None:
    """Refuse an output folder that cannot be written, before anything is computed.

    Raises:
        ValueError: It cannot be made, or no file can be made in it.
    """
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-"):
            pass
    except OSError as error:
        raise ValueError(f"out must be a folder that can be written, got {folder}: {error.strerror}") from error
