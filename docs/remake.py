"""Remake the numbers and pictures of the README from the committed report of the last quick suite.

``python docs/remake.py validation/quick`` takes over report and figures of that run first;
``python docs/remake.py --check`` exits 1 if the README does not hold what the report says.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "results" / "quick.json"
ABLATION = ROOT / "docs" / "results" / "ablation.json"
GALLERY = ROOT / "figures" / "gallery"
BEGIN, END = "<!-- begin: verdicts, remade by make readme -->", "<!-- end: verdicts -->"


def number(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdicts(report: dict[str, Any]) -> str:
    """The tables that the README shows, as Markdown."""
    lines = [
        f"`dcrit validate quick`, {report['seconds']:.0f} s on two cores:",
        "",
        "| claim | predicted | measured | 90 % interval | verdict |",
        "|---|---|---|---|---|",
    ]
    for claim in report["claims"]:
        interval = claim["interval"]
        span = "–" if interval is None else f"{number(interval[0])} – {number(interval[1])}"
        lines.append(
            f"| `{claim['id']}` | {number(claim['predicted'])} | {number(claim['measured'])} | {span} "
            f"| {claim['verdict']}: {claim['reason'].replace('|', chr(92) + '|')} |"
        )
    lines += [
        "",
        "| configuration | D_crit predicted before training | from its own efficiencies | measured | ln ratio |",
        "|---|---|---|---|---|",
    ]
    rows = next(claim["rows"] for claim in report["claims"] if claim["id"] == "dcrit-predicted")
    for row in rows:
        lines.append(
            f"| {row['problem']} | {number(row['predicted'])} ({number(row['predicted low'])} – "
            f"{number(row['predicted high'])}) | {number(row['from efficiencies'])} | {number(row['measured'])} "
            f"({number(row['measured low'])} – {number(row['measured high'])}) | {number(row['ln ratio'])} |"
        )
    return "\n".join([*lines, "", *comparison()])


def comparison() -> list[str]:
    """The main rows of the ablation table, as Markdown lines."""
    lines = [
        "All configurations beyond the calibration, from [docs/ablation.md](docs/ablation.md); errors are "
        "\\|ln(predicted/measured)\\|:",
        "",
        "| predictor | configurations | median | worst | inside the 90 % interval |",
        "|---|---|---|---|---|",
    ]
    for row in json.loads(ABLATION.read_text(encoding="utf-8")):
        if row["predictor"].startswith(("**dcrit", "bare crossing, e_gen at all pairs, √", "baseline")):
            lines.append(
                f"| {row['predictor']} | {row['n']} | {row['median']:.3f} | {row['worst']:.3f} "
                f"| {row['coverage']:.0%} |"
            )
    return lines


def remade(readme: str, report: dict[str, Any]) -> str:
    """The README with its block of verdicts replaced."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{verdicts(report)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Remake or check."""
    check = "--check" in arguments
    for folder in (Path(argument) for argument in arguments if argument != "--check"):
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        GALLERY.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "report.json", REPORT)
        for picture in sorted((folder / "figures").glob("*.png")):
            shutil.copy(picture, GALLERY / picture.name)
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = remade(old, json.loads(REPORT.read_text(encoding="utf-8")))
    if check:
        return int(old != new)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
