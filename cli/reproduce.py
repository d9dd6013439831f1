"""Remake the numbers and pictures of the README from committed reports of validations.

``python docs/remake.py FOLDER …`` takes over the reports of those validations and remakes the tables;
``python docs/remake.py --gallery FOLDER`` puts pictures and report of that validation into the gallery;
``python docs/remake.py --check`` exits 1 if the README does not hold what the committed reports say.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcrit.cli.report.pages import markdown_page
from dcrit.empirics.training.budget import duration

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
ABLATION = RESULTS / "ablation.json"
GALLERY = ROOT / "figures" / "gallery"
BEGIN, END = "<!-- begin: verdicts, remade by make readme -->", "<!-- end: verdicts -->"

#: Whose reports are committed, in the order of the README.
SUITES = ("quick", "standard")


def number(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdicts(report: dict[str, Any]) -> str:
    """A suite's table of verdicts, as Markdown; the quick one with its reasons, which others have in their report."""
    whole = report["suite"] == "quick"
    lines = [
        f"`dcrit validate {report['suite']}`: {report['runs']} runs, "
        f"{duration(report['training_seconds'])} of training on one core:",
        "",
        "| claim | predicted | measured | 90 % interval | verdict |",
        "|---|---|---|---|---|",
    ]
    for claim in report["claims"]:
        interval = claim["interval"]
        span = "–" if interval is None else f"{number(interval[0])} – {number(interval[1])}"
        lines.append(
            f"| `{claim['id']}` | {number(claim['predicted'])} | {number(claim['measured'])} | {span} "
            f"| {claim['verdict']}{': ' + claim['reason'].replace('|', chr(92) + '|') if whole else ''} |"
        )
    return "\n".join(lines)


def configurations(report: dict[str, Any]) -> str:
    """Predicted and measured critical sizes of a suite, one row a configuration, as Markdown."""
    lines = [
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
    return "\n".join(lines)


def comparison() -> str:
    """The main rows of the ablation table, as Markdown."""
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
    return "\n".join(lines)


def remade(readme: str, reports: Mapping[str, dict[str, Any]]) -> str:
    """The README with its block of verdicts replaced.

    Args:
        readme: Its text.
        reports: The committed reports by suite.
    """
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    parts = [verdicts(report) for report in reports.values()]
    parts += [configurations(report) for report in reports.values() if report["suite"] == "quick"]
    block = "\n\n".join([*parts, comparison()])
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def committed() -> dict[str, dict[str, Any]]:
    """The committed reports by suite, the quick one first."""
    paths = [RESULTS / f"{suite}.json" for suite in SUITES]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()}


def take_over(folder: Path) -> None:
    """Commit to the report of a validation: it becomes its suite's in ``docs/results``."""
    text = (folder / "report.json").read_text(encoding="utf-8")
    suite = json.loads(text)["suite"]
    if suite not in SUITES:
        raise ValueError(f"suite must be one of {', '.join(SUITES)}, got '{suite}' in {folder}")
    (RESULTS / f"{suite}.json").write_text(text, encoding="utf-8")


def remake_gallery(folder: Path, gallery: Path = GALLERY) -> None:
    """Pictures and report of a validation in place of those that were there, whole or not at all.

    Args:
        folder: Where the validation wrote.
        gallery: What is replaced.
    """
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    names = [figure["name"] for figure in document["figures"]]
    aside, old = (gallery.with_name(f".{gallery.name}.{word}") for word in ("new", "old"))
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(parents=True)
    for name in names:
        shutil.copy(folder / "figures" / f"{name}.png", aside)
    for suffix in ("json", "html"):
        shutil.copy(folder / f"report.{suffix}", aside)
    # Beside its pictures, and with those that Markdown viewers show.
    page = markdown_page(document, {name: f"{name}.png" for name in names})
    (aside / "report.md").write_text(page, encoding="utf-8")
    if gallery.exists():
        gallery.rename(old)
    aside.rename(gallery)
    shutil.rmtree(old, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Remake or check."""
    folders = [Path(argument) for argument in arguments if not argument.startswith("--")]
    if "--gallery" in arguments:
        (folder,) = folders
        take_over(folder)
        remake_gallery(folder)
        return 0
    for folder in folders:
        take_over(folder)
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = remade(old, committed())
    if "--check" in arguments:
        return int(old != new)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
