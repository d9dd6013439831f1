"""The prose of the site stays short enough to be read.

**The rule of counting.** Pages are those in ``docs/`` itself, ``docs/explanation``, ``docs/how-to`` and
``docs/reference``, without ``literature-figures.md``, which is made from code. What is counted is what is written to be
read: listings, formulas and code between backticks are left out, as are comments, names of pictures, where links lead,
and blocks that a command remakes (``<!-- begin: … -->`` to ``<!-- end: … -->``). Tables written by hand count. A word
is what stands between blanks and has a Latin letter: numbers, signs and Greek symbols alone are none.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FOLDERS = (DOCS, DOCS / "explanation", DOCS / "how-to", DOCS / "reference")
MADE_FROM_CODE = {"literature-figures.md"}

#: Words of all pages together.
MOST_WORDS = 11_850

#: What is not prose, in the order in which it is taken out.
NOT_PROSE = (
    r"^<!-- begin:.*?^<!-- end:.*?-->",
    r"^ *```.*?^ *```$",
    r"<!--.*?-->",
    r"^ {4,}\S[^\n]*$",
    r"!\[[^\]]*\]\([^)]*\)",
    r"(?<=\])\([^)]*\)",
    r"`[^`\n]*`",
)


def words(page: str) -> list[str]:
    """Words of a page's prose, by the rule above."""
    for pattern in NOT_PROSE:
        page = re.sub(pattern, " ", page, flags=re.DOTALL | re.MULTILINE)
    return [word for word in page.split() if re.search(r"[A-Za-z]", word)]


def test_the_prose_is_short_enough() -> None:
    pages = [page for folder in FOLDERS for page in sorted(folder.glob("*.md")) if page.name not in MADE_FROM_CODE]
    assert len(pages) > 20
    counted = {page.name: len(words(page.read_text(encoding="utf-8"))) for page in pages}
    assert sum(counted.values()) <= MOST_WORDS, sorted(counted.items(), key=lambda item: -item[1])


def test_words_are_those_of_prose() -> None:
    page = (
        "# One\n\n```sh\nnot these\n```\n\n    e = nor/this\n\n![nor these](a.png)\n\n"
        "[two three](where/it leads) 4 – 5.6 λ<!-- not -->, `nor this`\n\n| four | 7 |\n|---|---|\n| `x` | D_crit |\n\n"
        "<!-- begin: a table, remade by a command -->\n| not | these |\n<!-- end: a table -->\n"
    )
    assert words(page) == ["One", "[two", "three]", "four", "D_crit"]
