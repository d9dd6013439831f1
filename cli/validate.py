"""``dcrit validate``: run the claims of a suite, print the verdicts, write report and figures."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import note, number, print_json, say, table
from dcrit.cli.terminal.session import session


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
            autocompletion=lambda: list(SuiteChoice),
            help="Which suite: on two cores quick takes three minutes, standard two hours.",
        ),
    ],
    claim: Annotated[
        list[str] | None,
        typer.Option(autocompletion=options.claim_ids, help="Judge only this claim; may be given several times."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for report, figures and runs; default: validation/SUITE.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", "-S", help="Folder of the runs; default: runs/ in the output folder.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=options.decimal,
            metavar="MINUTES",
            help="Make fresh runs for so many minutes, of the undecided claims nearest to a verdict first; called "
            "again, more are added to those that are stored. 'inf' goes on until blocks are spent. Default: 30 for "
            "paper, inf for the others.",
        ),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(
            help="Go on from the evidence.json of an earlier validation, whose runs are not needed. The output folder "
            "gets the file with what is added."
        ),
    ] = None,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """Train real networks, compare them with the theory, and print a verdict on every claim.

    Claims are decided by fresh seeds, block by block. Runs that are stored count; a rerun adds to them.
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
            evidence=evidence,
            note=note,
            **asdict(machine),
        )
    files = found.write(folder)
    if as_json:
        print_json(found.report())
        return
    from dcrit.api.report.pictures import drawable

    verdicts = found.verdicts
    for verdict in verdicts:
        for rows in (verdict.finding.rows(), verdict.finding.details()):
            columns = list(dict.fromkeys(key for row in rows for key in row))
            if rows:
                table(verdict.claim.id, columns, [[row.get(column, "") for column in columns] for row in rows])
    table(
        f"verdicts of suite {suite.value}",
        ["claim", "e that it holds", "e that it fails", "verdict", "runs", "seeds left out"],
        [
            [
                verdict.claim.id,
                verdict.finding.evidence.holds,
                verdict.finding.evidence.fails,
                Text(verdict.ruling + " †" * verdict.decision.alone, style=COLOURS[verdict.ruling]),
                len(verdict.finding.seconds_by_run),
                verdict.finding.n_left_out,
            ]
            for verdict in verdicts
        ],
    )
    for verdict in verdicts:
        say(f"{verdict.claim.id}: {verdict.reason}")
    say(f"{number(found.seconds)} seconds; {len(drawable(verdicts))} pictures in {folder / 'figures'}")
    say(f"report: {files['html']} (also .md and .json)")
