"""What the scripts of this folder share: their options, their results, and the table of all of them.

Each script has a name, a question and a function ``study(small)``. ``python examples/NAME.py`` runs it and writes
``docs/results/studies/NAME.json``; ``--small`` runs it at a size that takes seconds, and writes nothing.
``python examples/gallery.py`` writes the table of all committed results into docs/how-to/gallery-of-studies.md.
"""

from __future__ import annotations

import ast
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dcrit

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "studies"
PAGE = ROOT / "docs" / "how-to" / "gallery-of-studies.md"
BEGIN, END = "<!-- begin: studies, remade by python examples/gallery.py -->", "<!-- end: studies -->"

BEGIN_MISSING, END_MISSING = "<!-- begin: scripts without a result -->", "<!-- end: scripts without a result -->"


def main(name: str, study: Callable[[bool], dcrit.Study], published: tuple[float, float] | None = None) -> None:
    """Run one study as the command line asks, and keep what it found.

    Args:
        name: Of the script.
        study: Makes the study, at full size or small.
        published: Range in which somebody else found the critical size [examples].
    """
    small = "--small" in sys.argv[1:]
    began = time.process_time()
    found = study(small)
    print(found.result.comparison)
    for what, one in (("predicted", found.predicted), ("measured", found.size)):
        print(f"{what}: {one.value} {one.interval} {one.reason}")
    if not small:
        RESULTS.mkdir(parents=True, exist_ok=True)
        document = {
            "study": name,
            "command": f"python examples/{name}.py",
            "core_seconds": round(time.process_time() - began),
            "published": published,
            **found.to_dict(),
        }
        (RESULTS / f"{name}.json").write_text(
            json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def table() -> str:
    """All committed results, cheapest first, as lines of Markdown."""
    heads = [
        "study",
        "parameters",
        "examples",
        "T [steps]",
        "predicted (90 %)",
        "measured (90 %)",
        "published",
        "ratio",
        "runs",
        "core",
    ]
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    for one in sorted(documents, key=lambda found: (found["core_seconds"], found["study"])):
        cells = [
            f"[{one['study']}](../../examples/{one['study']}.py)",
            f"{one['n_params']:,}",
            f"{one['n_examples']:,}",
            f"{one['measured_critical_size']['horizon']:,}",
            _size(one["predicted_critical_size"]),
            _size(one["measured_critical_size"]),
            "–" if one["published"] is None else " – ".join(f"{end:.0f}" for end in one["published"]),
            "–" if one["ratio"] is None else f"{one['ratio']:.2f}{'' if one['agrees'] else ', disagree'}",
            str(one["n_runs"]),
            f"{one['core_seconds']} s",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _size(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "–"
    low, high = (estimate["interval"][end] for end in ("low", "high"))
    return f"{estimate['value']:.0f} ({low:.0f} – {high:.0f})"


def missing() -> str:
    """A section on scripts whose study is not committed, each with its first line; empty where all are."""
    folder = Path(__file__).parent
    names = sorted(path.stem for path in folder.glob("*.py") if path != Path(__file__))
    first = {name: (ast.get_docstring(ast.parse((folder / f"{name}.py").read_text("utf-8"))) or "") for name in names}
    lines = [
        f"* [{name}](../../examples/{name}.py): {first[name].splitlines()[0]}"
        for name in names
        if not (RESULTS / f"{name}.json").exists()
    ]
    head = ["## Scripts without a result yet", "", "The tests run these at a small size.", ""]
    return "\n".join([*head, *lines] if lines else [])


def with_table(page: str) -> str:
    """A page whose table and list are those of the committed results."""
    for begin, end, text in ((BEGIN, END, table()), (BEGIN_MISSING, END_MISSING, missing())):
        page = f"{page.partition(begin)[0]}{begin}\n{text}\n{end}{page.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
