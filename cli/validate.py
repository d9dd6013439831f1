"""``dcrit validate``: run the claims of a suite, print the verdicts, write report and figures."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import number, print_json, say, span, table
from dcrit.cli.terminal.session import session

if TYPE_CHECKING:
    from dcrit.theory.estimates import Interval


class SuiteChoice(StrEnum):
    """Validation suites."""

    quick = "quick"
    standard = "standard"
    paper = "paper"


#: Colours of rulings on a terminal.
COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


@options.grouped
def validate(
    *,
    suite: Annotated[
        SuiteChoice,
        typer.Argument(
            parser=options.choice(SuiteChoice),
            help="Which suite: on two cores quick takes two minutes, standard an hour or more.",
        ),
    ],
    claim: Annotated[list[str] | None, typer.Option(help="Judge only this claim; may be given several times.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report, figures and runs; default: validation/SUITE.")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the runs; default: runs/ in the output folder.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=options.decimal,
            metavar="MINUTES",
            help="Leave out experiments that would take longer than what is left of so many minutes, stored runs "
            "counted as well; 'inf' leaves out none. Default: 30 for paper, inf for the others.",
        ),
    ] = None,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """Train real networks, compare them with the theory, and print a verdict on every claim.

    A rerun trains only what the store lacks.
    """
    from dcrit.api.suites import validate as validated
    from dcrit.empirics.store.whole_files import check_writable_folder

    folder = out or Path("validation") / suite.value
    with session(machine):
        check_writable_folder(folder)
        found = validated(
            suite.value,
            claims=claim or (),
            budget=budget,
            store=store or folder / "runs",
            note=lambda text: print(text, file=sys.stderr),
            **asdict(machine),
        )
    files = found.write(folder)
    if as_json:
        print_json(found.report())
        return
    from dcrit.api.report.pictures import drawable

    verdicts = found.verdicts
    for verdict in verdicts:
        rows = list(verdict.finding.rows)
        if rows:
            columns = list(dict.fromkeys(key for row in rows for key in row))
            table(verdict.claim.id, columns, [[row.get(column, "") for column in columns] for row in rows])
    table(
        f"verdicts of suite {suite.value}",
        ["claim", "predicted", "measured", "90% interval", "verdict", "runs", "not converged"],
        [
            [
                verdict.claim.id,
                verdict.finding.predicted,
                verdict.finding.measured,
                _span(verdict.finding.interval),
                Text(verdict.ruling, style=COLOURS[verdict.ruling]),
                verdict.finding.n_runs,
                verdict.finding.n_unconverged,
            ]
            for verdict in verdicts
        ],
    )
    for verdict in verdicts:
        say(f"{verdict.claim.id}: {verdict.reason}")
    say(f"{number(found.seconds)} seconds; {len(drawable(found.results))} pictures in {folder / 'figures'}")
    say(f"report: {files['html']} (also .md and .json)")


def _span(interval: Interval | None) -> str:
    return span(*((None, None) if interval is None else (interval.low, interval.high)))
