"""Tables of the committed results, as the README and the page of verdicts show them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dcrit.api.report.said import ADDS, adding, effort, sequence_of
from dcrit.theory.written import confidence_sequence, ends, number

Row = dict[str, Any]

#: Whose reports are committed, in the order of the page.
SUITES = ("quick", "standard", "paper")

#: Suites whose runs on either side of a predicted size are shown: those of the other have these of quick among them.
BRACKETED = ("quick", "paper")

#: Between these stands what is remade: tables of verdicts on their page, how well predictions did in the README.
VERDICTS = ("<!-- begin: verdicts, remade by make readme -->", "<!-- end: verdicts -->")
RELIANCE = ("<!-- begin: reliance, remade by make readme -->", "<!-- end: reliance -->")

#: Claims whose drawn problems count as well, by what their sizes are.
DRAWN = {"transformer from scratch": "dcrit-predicted-transformers"}

#: Rows of the ablation's table that are compared.
COMPARED = ("**dcrit", "first release", "bare crossing, e_gen at all pairs, √", "baseline")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def committed(results: Path) -> dict[str, Row]:
    """The committed reports by suite, the quick one first.

    Args:
        results: Folder of the committed results.
    """
    paths = [results / f"{suite}.json" for suite in SUITES]
    return {path.stem: _read(path) for path in paths if path.is_file()}


def verdicts(report: Row) -> str:
    """A suite's table of verdicts, as Markdown: each claim in plain words, what was measured, and then the limit."""
    lines = [
        trained(report),
        "",
        "| claim | measured | 90 % confidence sequence | limit | verdict |",
        "|---|---|---|---|---|",
    ]
    for claim in report["claims"]:
        dagger = " †" if claim["alone"] else ""
        statement = claim["statement"].replace("|", chr(92) + "|")
        lines.append(
            f"| `{claim['id']}`: {statement} | {number(claim['measured'])} | {sequence_of(claim)} "
            f"| {ends(claim['claimed'])} | {claim['verdict']}{dagger} |"
        )
    return "\n".join(lines)


def trained(report: Row) -> str:
    """What was trained for a suite, what ended it, and the command that adds evidence, as Markdown.

    Args:
        report: Its document.
    """
    command = adding(report)
    more = "" if command is None else f" `{command}` {ADDS}"
    return f"`dcrit validate {report['suite']}`: {effort(report)}{more}"


def configurations(report: Row) -> str:
    """Sizes on either side of each prediction, and what fresh runs do there, as Markdown."""
    (claim,) = [one for one in report["claims"] if one["id"] == "dcrit-bracketed"]
    lines = [
        "| beside a predicted size | network | test accuracy of fresh runs (90 %) | seeds |",
        "|---|---|---|---|",
    ]
    for row in claim["rows"]:
        lines.append(
            f"| {row['part']} | {row['where']} | {number(row['measured'])} "
            f"({confidence_sequence(row, row['seeds'])}), limit {row['claimed']} | {row['seeds']} |"
        )
    return "\n".join(lines)


def comparison(rows: Sequence[Row]) -> str:
    """The main rows of the ablation table, as Markdown."""
    lines = [
        "All configurations beyond the calibration, from [the ablation](ablation.md); errors are "
        "\\|ln(predicted/measured)\\|:",
        "",
        "| predictor | configurations | median | worst | inside the 90 % interval |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['predictor']} | {row['n']} | {row['median']:.3f} | {row['worst']:.3f} | {row['coverage']:.0%} |"
        for row in rows
        if row["predictor"].startswith(COMPARED)
    ]
    return "\n".join(lines)


def tables(reports: Mapping[str, Row], predictors: Sequence[Row]) -> str:
    """All that stands on the page of verdicts.

    Args:
        reports: The committed reports by suite.
        predictors: Rows of the ablation's table.
    """
    parts = [verdicts(report) for report in reports.values()]
    parts += [configurations(report) for report in reports.values() if report["suite"] in BRACKETED]
    return "\n\n".join([*parts, comparison(predictors)])


def reliance(results: Path) -> str:
    """How far off sizes are, and how many lie inside their intervals, for four kinds of sizes, as Markdown.

    Of networks whose runs show no size it is said how many were asked. The interval of a share is Clopper and
    Pearson's, at 90 %.

    Args:
        results: Folder of the committed results.
    """
    from scipy.stats import binomtest

    (shipped,) = [row for row in _read(results / "ablation.json") if row["predictor"].startswith("**dcrit")]
    n_shipped = shipped["n"]
    kinds = [("pair-MLP from scratch", n_shipped, n_shipped, round(n_shipped * shipped["coverage"]), shipped["median"])]
    two = results / "two-thresholds"
    at_rest: dict[str, list[Row]] = {"mlp": [], "transformer": []}
    for row in _read(two / "at-rest.json"):
        at_rest[row["problem"]["model"]].append(row)
    for name, some, interval in (
        ("transformer from scratch", _read(two / "transformers-measured.json"), "interval"),
        ("pair-MLP at rest", at_rest["mlp"], "predicted_interval"),
        ("transformer at rest", at_rest["transformer"], "predicted_interval"),
    ):
        rows = [(row["predicted"], row["measured"], row[interval]) for row in some]
        rows += _drawn(results, DRAWN[name]) if name in DRAWN else []
        n_asked, rows = len(rows), [row for row in rows if row[1] is not None]
        inside = sum(low <= measured <= high for _, measured, (low, high) in rows)
        errors = [abs(np.log(predicted / measured)) for predicted, measured, _ in rows]
        kinds.append((name, n_asked, len(rows), inside, float(np.median(errors))))
    lines = ["| size | networks | median error | inside the 90 % interval |", "|---|---|---|---|"]
    for name, n_asked, n, inside, median in kinds:
        counted = f"{n}" if n == n_asked else f"{n} of {n_asked}"
        share = binomtest(inside, n).proportion_ci(confidence_level=0.9, method="exact")
        lines.append(
            f"| {name} | {counted} | {np.expm1(median):.1%} | {inside / n:.0%} ({share.low:.0%} – {share.high:.0%}) |"
        )
    return "\n".join(lines)


def _drawn(results: Path, claim: str) -> list[tuple[float, float | None, tuple[float, float]]]:
    """Predicted and measured sizes of a claim's drawn problems, and the predicted interval [examples]."""
    (found,) = [one for one in _read(results / "standard.json")["claims"] if one["id"] == claim]
    return [
        (row["predicted"], row["measured"], (row["predicted low"], row["predicted high"])) for row in found["details"]
    ]
