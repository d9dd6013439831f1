"""Results that are committed with the code, and that pages are remade from: they lie in a clone, not in a wheel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcrit.theory.checks import FieldError

#: One line of a committed table.
Row = dict[str, Any]


def results_of(clone: Path) -> Path:
    """The folder of committed results.

    Args:
        clone: Top folder of a clone of the repository.

    Raises:
        ValueError: It is none.
    """
    results = clone / "docs" / "results"
    if not results.is_dir() or not (clone / "pyproject.toml").is_file():
        raise FieldError(
            "clone",
            "be the top folder of a clone of the repository, which has docs/results",
            clone,
            why="an installed package is without them, so clone the repository and call this there",
        )
    return results


def read(path: Path) -> Any:
    """A JSON document."""
    return json.loads(path.read_text(encoding="utf-8"))


def text_of(document: Any) -> str:
    """A JSON document as it is committed."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def with_block(page: str, marks: tuple[str, str], block: str) -> str:
    """A page with what stands between two marks replaced.

    Args:
        page: Its text.
        marks: Before and after what is replaced.
        block: What takes its place.
    """
    before, rest = page.split(marks[0])
    _, after = rest.split(marks[1], maxsplit=1)
    return f"{before}{marks[0]}\n{block}\n{marks[1]}{after}"


def sized(value: float | None, ends: Sequence[float] | None) -> str:
    """A size with its interval, in whole examples, as tables have it."""
    if value is None or ends is None:
        return "–"
    return f"{value:.0f} ({ends[0]:.0f} – {ends[1]:.0f})"
