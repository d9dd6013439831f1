"""What commands print: one JSON document on stdout for scripts, tables for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; numbers that are not finite become null."""
    json.dump(finite(document), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def finite(value: Any) -> Any:
    """The same nested value, numbers that are not finite replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def number(value: object) -> str:
    """A number as people read it: three significant digits, sizes whole, nothing where there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e6:
        return str(round(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(low: float | None, high: float | None) -> str:
    """An interval as people read it."""
    return "–" if low is None or high is None else f"{number(low)} – {number(high)}"


#: Width of tables where stdout is not a terminal [characters].
FILE_WIDTH = 140


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table on stdout; words are kept whole where the terminal has room for them."""
    grid = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(number(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(grid)


def say(text: str) -> None:
    """Print a plain line for people on stdout."""
    Console(highlight=False, soft_wrap=True).print(text, markup=False)
