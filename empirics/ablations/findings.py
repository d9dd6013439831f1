"""docs/results/findings.md: what holds, what is refuted and what is new, made from committed results alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcrit.empirics.ablations.committed import Row, read
from dcrit.empirics.ablations.transformer_clock import sizes_over_modulus as transformer_sizes
from dcrit.empirics.ablations.two_thresholds import sizes_over_modulus
from dcrit.theory.calibrations.thresholds import shipped_thresholds
from dcrit.theory.estimates import Interval, half_width

#: The page, and reports that it is made from, the later one first.
PAGE, REPORTS = "findings.md", ("standard", "quick")

#: Model, activation, width and horizon of each series over the modulus, and what networks are called.
SERIES = (
    ("mlp", "square", 128, 4000, "square pair-MLPs"),
    ("mlp", "relu", 128, 4000, "relu pair-MLPs"),
    ("transformer", "relu", 32, 5000, "transformers"),
)

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

#: Least modulus of a fit: below, the finding size and that at rest coincide.
LEAST_MODULUS = 19

#: Sizes from scratch and at rest are compared where their moduli differ by at most so much.
NEAR = 1

#: Fewest moduli through which an exponent is told.
FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """How sizes grow with the modulus.

    Attributes:
        value: d ln D/d ln p.
        interval: 90 %, by the scatter about the line.
        moduli: First and last.
        n: Sizes.
    """

    value: float
    interval: Interval
    moduli: tuple[int, int]
    n: int


def exponent_of(rows: Sequence[Row]) -> Exponent | None:
    """Least-squares exponent of sizes over moduli; None of fewer than three moduli.

    Args:
        rows: With ``n_symbols`` and ``size``.
    """
    known = [row for row in rows if row["n_symbols"] >= LEAST_MODULUS]
    moduli = sorted({row["n_symbols"] for row in known})
    if len(moduli) < FEWEST:
        return None
    x, y = np.log([row["n_symbols"] for row in known]), np.log([row["size"] for row in known])
    slope, offset = np.polyfit(x, y, 1)
    residual = y - slope * x - offset
    freedom = len(x) - 2
    error = math.sqrt(float(residual @ residual) / freedom / float(((x - x.mean()) ** 2).sum()))
    half = half_width(error, freedom=freedom)
    return Exponent(
        value=float(slope),
        interval=Interval(low=float(slope) - half, high=float(slope) + half),
        moduli=(moduli[0], moduli[-1]),
        n=len(known),
    )


def sizes(results: Path, model: str, activation: str, width: int, horizon: int) -> list[Row]:
    """Measured sizes of addition from scratch, moved to one width and horizon by the law's ratio, and at rest.

    Args:
        results: Folder of committed results.
        model: Family.
        activation: σ.
        width: H or d.
        horizon: T [steps].
    """
    (law,) = (
        one for one in shipped_thresholds() if (one.model, one.activation) == (model, activation) and "add" in one.tasks
    )
    if model == "transformer":
        return transformer_sizes(results, law, width, horizon)
    rows = sizes_over_modulus(results, law, width, horizon)
    known = [
        {"n_symbols": row["modulus"], "size": row["measured"], "interval": None, "at_rest": True}
        for row in read(results / "two-thresholds" / "rest-known.json")
        if (row["model"], row["activation"], row["width"]) == (model, activation, width)
    ]
    return rows + known


def gaps(rows: Sequence[Row]) -> list[tuple[int, float, float]]:
    """Modulus, size from scratch and size at rest, wherever both are measured; means in ln of several."""
    found: list[tuple[int, float, float]] = []
    for modulus in sorted({row["n_symbols"] for row in rows if row["at_rest"]}):
        rest, scratch = (
            [
                math.log(row["size"])
                for row in rows
                if row["at_rest"] == at_rest and abs(row["n_symbols"] - modulus) <= near
            ]
            for at_rest, near in ((True, 0), (False, NEAR))
        )
        if scratch:
            found.append((modulus, math.exp(np.mean(scratch)), math.exp(np.mean(rest))))
    return found


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _span(ends: Mapping[str, float | None]) -> str:
    return f"{_number(ends['low'])} to {_number(ends['high'])}"


def claims_of(results: Path) -> dict[str, Row]:
    """Claims by id, of the latest report that judges them by e-values."""
    found: dict[str, Row] = {}
    for suite in REPORTS:
        path = results / f"{suite}.json"
        if path.is_file():
            report = read(path)
            if "scheme" in report:
                found = {one["id"]: one | {"suite": suite} for one in report["claims"]} | found
    return found


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
    claims = claims_of(results)
    lines = [INTRODUCTION]
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


def _two_exponents(results: Path) -> list[str]:
    lines = [EXPONENTS]
    for model, activation, width, horizon, name in SERIES:
        rows = sizes(results, model, activation, width, horizon)
        cells = [name, f"{width}, {horizon}"]
        for at_rest in (False, True):
            found = exponent_of([row for row in rows if row["at_rest"] == at_rest])
            if found is None:
                cells += ["–", "–"]
                continue
            ends = found.interval
            cells.append(f"{found.value:.2f} ({ends.low:.2f} to {ends.high:.2f})")
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
    for model, activation, width, horizon, name in SERIES:
        for modulus, scratch, rest in gaps(sizes(results, model, activation, width, horizon)):
            lines.append(f"| {name} | {modulus} | {scratch:.0f} | {rest:.0f} | {math.log(scratch / rest):.2f} |")
    return lines


def _norms(claims: Mapping[str, Row]) -> list[str]:
    lines = ["### The norm of transformers tells how they learn", ""]
    one = claims.get("norm-signature")
    if one is None:
        return [*lines, "`norm-signature` is not judged by fresh runs yet."]
    lines += [one["statement"], "", "| part | quantity | measured (90 %) | limit | seeds |", "|---|---|---|---|---|"]
    for row in one["rows"]:
        lines.append(
            f"| {row['part']} | {row['quantity']} | {_number(row['measured'])} ({_span(row)}) | {row['claimed']} "
            f"| {row['seeds']} |"
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
