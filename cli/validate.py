"""``dcrit validate``: run the claims of a suite, print the verdicts, write report and figures."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dcrit.cli import options
from dcrit.cli.output import number, print_json, say, span, table
from dcrit.cli.report import write_report
from dcrit.cli.training import training


class SuiteChoice(StrEnum):
    """Validation suites."""

    quick = "quick"


def validate(
    suite: Annotated[
        SuiteChoice,
        typer.Argument(
            parser=options.choice(SuiteChoice),
            help="Which suite: quick takes under five minutes on two cores.",
        ),
    ],
    claim: Annotated[list[str] | None, typer.Option(help="Judge only this claim; may be given several times.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for report, figures and runs.")] = Path("validation/quick"),
    store: Annotated[Path | None, typer.Option(help="Folder of the runs; default: runs/ in the output folder.")] = None,
    workers: options.Workers = 0,
    as_json: options.Json = False,
) -> None:
    """Train real networks, compare them with the theory, and print a verdict on every claim.

    A rerun trains only what the store lacks.
    """
    from dcrit.empirics.claims.claim import verdict_json
    from dcrit.empirics.suites import SUITES, gather, judge, select
    from dcrit.theory.calibration import shipped_calibrations
    from dcrit.theory.problem import check_integer

    began = time.monotonic()
    with options.bad_input():
        chosen = select(SUITES[suite.value], tuple(claim or ()))
        check_integer("workers", workers, 0)
        check_writable_folder(out)
    with training(store or out / "runs", workers) as run:
        evidence = gather(chosen, run, shipped_calibrations())
    verdicts = judge(chosen, evidence)
    document: dict[str, Any] = {
        "suite": chosen.name,
        "seconds": time.monotonic() - began,
        "claims": [verdict_json(one, verdict) for one, verdict in verdicts],
    }
    from dcrit.cli.pictures import save_all

    write_report(document, out / "report.json")
    pictures = save_all(evidence, out / "figures")
    if as_json:
        print_json(document)
        return
    for one, verdict in verdicts:
        rows = list(verdict.rows)
        if rows:
            columns = list(dict.fromkeys(key for row in rows for key in row))
            table(one.id, columns, [[row.get(column, "") for column in columns] for row in rows])
    colours = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}
    table(
        f"verdicts of suite {chosen.name}",
        ["claim", "predicted", "measured", "90% interval", "verdict", "runs", "not converged"],
        [
            [
                one.id,
                verdict.predicted,
                verdict.measured,
                span(*((None, None) if verdict.interval is None else (verdict.interval.low, verdict.interval.high))),
                f"[{colours[verdict.verdict]}]{verdict.verdict}[/]",
                verdict.n_runs,
                verdict.n_unconverged,
            ]
            for one, verdict in verdicts
        ],
    )
    for one, verdict in verdicts:
        say(f"{one.id}: {verdict.reason}")
    say(f"{number(document['seconds'])} seconds; report {out / 'report.json'}")
    say(f"{len(pictures)} pictures in {out / 'figures'}")


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
