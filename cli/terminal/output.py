"""What commands print: one JSON document on stdout for scripts, tables for people, each in the notation asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcrit.theory.estimates import Estimate

import json
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dcrit.cli.terminal.notations import latex_table, latex_text, markdown_table, markdown_text
from dcrit.cli.terminal.printing import FormatChoice, current
from dcrit.cli.terminal.sentences import printable
from dcrit.empirics.training.quiet import display_begins
from dcrit.theory.advice import told
from dcrit.theory.written import finite, number, span


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; numbers that are not finite become null."""
    text = json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    # A terminal acts on more characters than JSON escapes; surrogates, which stand for odd bytes in names, have none.
    sys.stdout.write(_UNPRINTABLE.sub(lambda one: f"\\u{ord(one[0]):04x}", text))
    sys.stdout.write("\n")


#: Control characters that JSON texts may hold as they are, marks that turn the direction of writing, and surrogates.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

#: Name of the column whose cells are printed below the table, each once.
NOTE = "note"

#: Cells of which no digit may be broken off: a number with what belongs to it, or two with a dash between.
_NUMBER = re.compile(r"[<>≤≥±×−–\-+]? ?\d\S*( [–-] [<>≤≥±×−+-]?\d\S*)?( [^\W\d]{1,3}(/[^\W\d]{1,2})?)?")

#: Cells that hold nothing.
_EMPTY = ("", "–")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table on stdout, no wider than the terminal, or 80 characters where there is none.

    Columns without any value are left out, numbers are kept whole, and what does not fit beside each other stands below
    each other. Cells of a last column named ``note`` stand below the table, each once, where rows point to them.

    Args:
        title: Above it.
        columns: Their names.
        rows: Cells; a :class:`rich.text.Text` is shown in its colours, any other as it reads.
    """
    names = [_clean(column) for column in columns]
    cells = [[cell if isinstance(cell, Text) else _clean(_read(cell)) for cell in row] for row in rows]
    notes: list[str] = []
    if names and names[-1] == NOTE:
        cells, notes = _footnotes(cells)
        if not notes or not cells[0][-1]:
            names.pop()
            cells = [row[:-1] for row in cells]
    kept = [k for k in range(len(names)) if not rows or any(str(row[k]) not in _EMPTY for row in cells)] or [0]
    names, cells = [names[k] for k in kept], [[row[k] for k in kept] for row in cells]
    notation = current().notation
    if notation is FormatChoice.table:
        _print_grids(_clean(title), names, cells)
        _paragraphs(notes)
        return
    written = latex_table if notation is FormatChoice.latex else markdown_table
    sys.stdout.write(written(_clean(title), names, [[str(cell) for cell in row] for row in cells], notes) + "\n")


def _footnotes(cells: Sequence[Sequence[str | Text]]) -> tuple[list[list[str | Text]], list[str]]:
    """Rows whose last cell points to notes, and the notes; a note of all rows has no number."""
    texts = list(dict.fromkeys(str(row[-1]) for row in cells if str(row[-1]) not in _EMPTY))
    if len(texts) == 1 and all(str(row[-1]) == texts[0] for row in cells):
        return [[*row[:-1], ""] for row in cells], [f"Note: {texts[0]}"]
    numbers = {text: str(k + 1) for k, text in enumerate(texts)}
    rows = [[*row[:-1], numbers.get(str(row[-1]), "–")] for row in cells]
    return rows, [f"Note {numbers[text]}: {text}" for text in texts]


def _print_grids(title: str, names: Sequence[str], cells: Sequence[Sequence[str | Text]]) -> None:
    """One table, or several where one would be wider than the screen; each begins with what tells its rows apart."""
    console = Console()
    room = console.width
    natural = [max(map(cell_len, (name, *(str(row[k]) for row in cells)))) for k, name in enumerate(names)]
    least = [_least(name, [str(row[k]) for row in cells], most=room // 4) for k, name in enumerate(names)]
    n_keys = _n_keys(cells)
    while n_keys > 1 and sum(least[k] + 3 for k in range(n_keys)) > room // 2:
        n_keys -= 1  # what tells rows apart would leave no room for anything else
    for number_of_part, part in enumerate(_parts(least, room, n_keys)):
        widths = _fitted([natural[k] for k in part], [least[k] for k in part], room - 3 * len(part) - 1)
        heading = title if not number_of_part else ""
        if heading:
            console.print(Text("\n".join(_wrapped(heading, room)), style="bold"), soft_wrap=True)
        grid = Table()
        for k, width in zip(part, widths, strict=True):
            grid.add_column(Text(names[k]), width=width, overflow="fold")
        for row in cells:
            grid.add_row(*(_cell(row[k]) for k in part))
        console.print(grid)


def _cell(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _least(name: str, cells: Sequence[str], *, most: int) -> int:
    """Least width of a column: no number is broken, and no word but one that is longer than most, such as a path."""
    numbers = [cell for cell in cells if _NUMBER.fullmatch(cell)]
    others = [word for cell in (name, *cells) if not _NUMBER.fullmatch(cell) for word in cell.split()]
    return max([1, *map(cell_len, numbers), *(min(most, cell_len(word)) for word in others)])


def _n_keys(cells: Sequence[Sequence[str | Text]]) -> int:
    """How many columns tell the rows apart, counted from the first; one where equal rows are not to be told apart."""
    for n in range(1, len(cells[0]) if cells else 0):
        if len({tuple(map(str, row[:n])) for row in cells}) == len(cells):
            return n
    return 1


def _parts(least: Sequence[int], room: int, n_keys: int = 1) -> list[list[int]]:
    """Columns that fit beside each other, those that tell rows apart before each."""
    keys = list(range(min(n_keys, len(least))))
    parts: list[list[int]] = [keys]
    for k in range(len(keys), len(least)):
        together = [*parts[-1], k]
        if len(parts[-1]) > len(keys) and sum(least[j] + 3 for j in together) + 1 > room:
            parts.append([*keys, k])
        else:
            parts[-1] = together
    return parts


def _fitted(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that fit: the widest column gives way first, and none below its least width."""
    widths = list(natural)
    while sum(widths) > room:
        able = [k for k in range(len(widths)) if widths[k] > least[k]]
        if not able:
            # One word is wider than the screen, such as a path: it alone is broken.
            able = [k for k in range(len(widths)) if widths[k] == max(widths) and widths[k] > 1]
            if not able:
                break
        widths[max(able, key=lambda k: widths[k])] -= 1
    return widths


def _read(cell: object) -> str:
    """A cell as people read it."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return cell if isinstance(cell, str) else number(cell)


def say(text: str) -> None:
    """Print a sentence of the answer on stdout."""
    _paragraphs([_clean(text)])


def remark(text: str) -> None:
    """Print a sentence beside the answer on stdout, unless the answer alone is wanted."""
    if not current().quiet:
        say(text)


def note(text: str) -> None:
    """Say on standard error what is going on, unless the answer alone is wanted."""
    if not current().quiet:
        display_begins()
        print(_clean(text), file=sys.stderr, flush=True)


def then(command: str, purpose: str, *following: str) -> None:
    """Print the next useful command, or some that belong together, each in one line that can be pasted.

    Args:
        command: Its words, quoted where a shell needs it.
        purpose: What it does, or all of them do.
        *following: Commands to give after it.
    """
    if current().notation is FormatChoice.table and not current().quiet:
        say(f"Next, {purpose}:")
        for one in (command, *following):
            Console(highlight=False, soft_wrap=True).print(Text(f"  {_clean(one)}"))


def _paragraphs(texts: Sequence[str]) -> None:
    notation = current().notation
    if notation is not FormatChoice.table:
        written = latex_text if notation is FormatChoice.latex else markdown_text
        sys.stdout.write("".join(f"{written(text)}\n" for text in texts))
        return
    console = Console(highlight=False, soft_wrap=True)
    for text in texts:
        console.print(Text("\n".join(_wrapped(text, console.width))))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines no wider than the screen, broken between words; a word that is wider stands alone."""
    lines: list[str] = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
    return lines


def _clean(text: str) -> str:
    """Words that mean themselves, and options for settings: neither markup nor what a terminal would act on."""
    return printable(told(text), keep="\n")


def span_of(found: Estimate) -> str:
    """The interval of an estimate as people read it."""
    return span(None, None) if found.interval is None else span(found.interval.low, found.interval.high)


def row_of(name: str, found: Estimate) -> tuple[object, ...]:
    """An estimate as a row for people."""
    return name, found.value, span_of(found), found.reason or ("extrapolated" if found.extrapolated else "")
