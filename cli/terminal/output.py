"""What commands print: one JSON document on stdout for scripts, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcrit.theory.estimates import Estimate

import json
import re
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dcrit.api.written import finite, number, span
from dcrit.cli.terminal.sentences import printable


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; numbers that are not finite become null."""
    text = json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    # A terminal acts on more characters than JSON escapes; surrogates, which stand for odd bytes in names, have none.
    sys.stdout.write(_UNPRINTABLE.sub(lambda one: f"\\u{ord(one[0]):04x}", text))
    sys.stdout.write("\n")


#: Control characters that JSON texts may hold as they are, marks that turn the direction of writing, and surrogates.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


#: Width of tables where stdout is not a terminal [characters].
FILE_WIDTH = 140


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, width: int = FILE_WIDTH) -> None:
    """Print a table on stdout; words are kept whole where the terminal has room for them.

    Args:
        title: Above it.
        columns: Their names.
        rows: Cells; a :class:`rich.text.Text` is shown in its colours, any other as it reads.
        width: Where stdout is not a terminal [characters].
    """
    grid = Table(title=_plain(title), title_justify="left", title_style="bold")
    for column in columns:
        grid.add_column(_plain(column), overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else _plain(number(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else width).print(grid)


def say(text: str) -> None:
    """Print a plain line for people on stdout."""
    Console(highlight=False, soft_wrap=True).print(_plain(text))


def _plain(text: str) -> Text:
    """Words that mean themselves: neither markup nor what a terminal would act on."""
    return Text(printable(text, keep="\n"))


def span_of(found: Estimate) -> str:
    """The interval of an estimate as people read it."""
    return span(None, None) if found.interval is None else span(found.interval.low, found.interval.high)


def row_of(name: str, found: Estimate) -> tuple[object, ...]:
    """An estimate as a row for people."""
    note = "; ".join(text for text in (found.reason, "extrapolated" if found.extrapolated else "") if text)
    return name, found.value, span_of(found), note
