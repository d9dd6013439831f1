"""docs/results/findings.md: what holds, what is refuted and what is new, made from committed results alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcrit.api.report.headline import FAMILIES
from dcrit.api.report.tables import committed, trained
from dcrit.empirics.ablations.over_modulus import SERIES, exponent_of, gaps, sizes
from dcrit.theory.written import confidence_sequence, number

Row = dict[str, Any]

#: The page.
PAGE = "findings.md"

#: The report of one call that began with an empty store.
FROM_EMPTY = "standard-from-empty.json"

#: Above the claims, and above the table of exponents.
INTRODUCTION = """# Findings

Written by `dcrit reproduce findings` from committed results. Claims are
[judged by fresh runs](../explanation/verdicts.md). Each claim's number and limit are in [verdicts](verdicts.md), its
criterion and runs in the [report](../../figures/gallery/report.md)."""

EXPONENTS = """### A rule is found from more examples than it is kept by

From scratch D_crit grows as about p^(3/2), at rest D_rest grows nearly as p. Exponents are slopes of ln D over ln p,
with 90 % intervals. Sizes from scratch are moved to one width and horizon by the
[law's](../explanation/two-thresholds.md) own ratio.

| networks | width, steps | exponent from scratch | moduli, sizes | exponent at rest | moduli, sizes |
|---|---|---|---|---|---|"""


def claims_of(reports: Mapping[str, Row]) -> dict[str, Row]:
    """Claims by id, each of the report that judges the most: with more claims, a verdict takes more evidence.

    Args:
        reports: Documents by suite; of two with as many claims, the later counts.
    """
    return {claim["id"]: claim for _, report in _fewest_first(reports) for claim in report["claims"]}


def telling(reports: Mapping[str, Row]) -> dict[str, Row]:
    """The reports that tell at least one of these claims.

    Args:
        reports: Documents by suite.
    """
    judged_by = {claim["id"]: suite for suite, report in _fewest_first(reports) for claim in report["claims"]}
    return {suite: report for suite, report in reports.items() if suite in judged_by.values()}


def _fewest_first(reports: Mapping[str, Row]) -> list[tuple[str, Row]]:
    return sorted(reports.items(), key=lambda one: len(one[1]["claims"]))


def _claim(one: Row) -> str:
    """A claim in a line: its name and its sentence."""
    return f"* `{one['id']}`: {one['statement']}{'' if one['measured'] is not None else ' No run tells yet.'}"


#: Verdicts whose claims are told in sentences; all others are named.
SECTIONS = (
    ("supported", "What holds"),
    ("refuted", "What is refuted"),
)


def findings(results: Path) -> dict[Path, str]:
    """The page, by where it lies.

    Args:
        results: Folder of committed results.
    """
    reports = telling(committed(results))
    claims = claims_of(reports)
    lines = [INTRODUCTION, ""]
    lines += [f"* {trained(report)}" for report in reports.values()]
    lines += _from_empty(results)
    for ruling, title in SECTIONS:
        own = [one for one in claims.values() if one["verdict"] == ruling]
        lines += ["", f"## {title}", ""]
        lines += [_claim(one) for one in own] or ["None of the claims."]
    told = {ruling for ruling, _ in SECTIONS}
    others = ", ".join(f"`{name}`" for name, one in claims.items() if one["verdict"] not in told)
    lines += [
        "",
        "## What is not decided",
        "",
        f"{others}." if others else "None of the claims.",
        "",
        "## What is new",
        "",
        *_two_exponents(results),
        "",
        *_gaps(results),
        "",
        *_norms(claims),
        "",
        *_known(claims),
    ]
    return {results / PAGE: "\n".join(lines).rstrip() + "\n"}


def _from_empty(results: Path) -> list[str]:
    """What one call of a suite decided that began without runs, in a line; none where it is not committed."""
    path = results / FROM_EMPTY
    if not path.is_file():
        return []
    report: Row = json.loads(path.read_text(encoding="utf-8"))
    claims = report["claims"]
    decided = sum(one["verdict"] != "inconclusive" for one in claims)
    command = f"dcrit validate {report['suite']} --budget {report['budget_minutes']:g}"
    hours = number(report["training_seconds"] / 3600)
    return [
        f"* `{command}` from an empty store, in one call on two cores: {report['runs']} runs, {hours} h of training on "
        f"one core, {decided} of {len(claims)} claims decided. A claim's seeds are always the same, so that these runs "
        "are among those above."
    ]


def _two_exponents(results: Path) -> list[str]:
    lines = [EXPONENTS]
    for model, activation, width, horizon in SERIES:
        rows = sizes(results, model, activation, width, horizon)
        cells = [_name(model, activation), f"{width}, {horizon}"]
        for at_rest in (False, True):
            found = exponent_of([row for row in rows if row["at_rest"] == at_rest])
            if found is None:
                cells += ["–", "–"]
                continue
            within = found.interval
            cells.append(f"{found.value:.2f} ({within.low:.2f} to {within.high:.2f})")
            cells.append(f"{found.moduli[0]} to {found.moduli[1]}, {found.n}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _gaps(results: Path) -> list[str]:
    lines = [
        "### Hysteresis is that gap, and grows with the modulus",
        "",
        "| networks | p | D_crit from scratch | D_rest | ln ratio |",
        "|---|---|---|---|---|",
    ]
    for model, activation, width, horizon in SERIES:
        for modulus, scratch, rest in gaps(sizes(results, model, activation, width, horizon)):
            name = _name(model, activation)
            lines.append(f"| {name} | {modulus} | {scratch:.0f} | {rest:.0f} | {math.log(scratch / rest):.2f} |")
    return lines


def _name(model: str, activation: str) -> str:
    """What networks of a series are called; all transformers have one activation."""
    return FAMILIES[model] if model == "transformer" else f"{activation} {FAMILIES[model]}"


def _norms(claims: Mapping[str, Row]) -> list[str]:
    lines = ["### The norm of transformers tells how they learn", ""]
    one = claims.get("norm-signature")
    if one is None:
        return [*lines, "`norm-signature` is not judged by fresh runs yet."]
    lines += [one["statement"], "", "| part | quantity | measured (90 %) | limit | seeds |", "|---|---|---|---|---|"]
    for row in one["rows"]:
        lines.append(
            f"| {row['part']} | {row['quantity']} | {number(row['measured'])} "
            f"({confidence_sequence(row, row['seeds'], between='to')}) | {row['claimed']} | {row['seeds']} |"
        )
    return lines


def _known(claims: Mapping[str, Row]) -> list[str]:
    """How well predictions of drawn problems did, and whether they knew how well."""
    lines = [
        "### Critical sizes are known before training, and with them how well",
        "",
        "| claim | problems | off by (rms, ln) | worst | bias (90 %) | inside 90 % | mean z² |",
        "|---|---|---|---|---|---|---|",
    ]
    found = [
        f"| `{one['id']}` | {errors['n']} | {errors['rms']:.3f} | {errors['worst']:.3f} "
        f"| {errors['fit']['bias']['value']:+.3f} ({errors['fit']['bias']['interval']['low']:+.3f} to "
        f"{errors['fit']['bias']['interval']['high']:+.3f}) "
        f"| {next(each['part'] for each in errors['coverage'] if each['level'] == 0.9):.0%} "
        f"| {errors['mean_squared_z']:.2f} |"
        for one in claims.values()
        for errors in one.get("prediction_errors", [])
    ]
    return [*lines, *found] if found else [*lines[:2], "No drawn problem is judged by fresh runs yet."]
