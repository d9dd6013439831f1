"""Sources of claims as readers see them: formatted from the bibliography, with a link."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import cast

from pybtex.database import Entry, Person, parse_string
from pybtex.richtext import Text

from dcrit.theory.checks import no_choice

#: Key of our own claims, which no paper stands behind.
OURS = "dcrit"

#: More authors than this become the first and "et al."
MOST_AUTHORS = 3


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A source in words.

    Attributes:
        key: In the bibliography.
        text: Authors, year, title and where it appeared.
        link: To arXiv or by DOI; empty where the bibliography has neither.
        short: Authors and year, as in "Huang et al. 2024".
    """

    key: str
    text: str
    link: str
    short: str = ""


def _plain(latex: str) -> str:
    return str(Text.from_latex(latex)).replace("\N{NO-BREAK SPACE}", " ")


def _family_name(person: Person) -> str:
    parts = (cast("list[str]", part) for part in (person.prelast_names, person.last_names))
    return _plain(" ".join(name for part in parts for name in part))


def _place(fields: Mapping[str, str]) -> str:
    where = _plain(fields.get("journal") or fields.get("booktitle") or fields.get("publisher") or "")
    volume = fields.get("volume", "")
    pages = fields.get("pages", "").replace("--", "–")
    return ", ".join(part for part in (f"{where} {volume}".strip(), pages) if part)


def _link(fields: Mapping[str, str]) -> str:
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    arxiv = re.search(r"\d{4}\.\d{4,5}", fields.get("eprint", "") or fields.get("journal", ""))
    return f"https://arxiv.org/abs/{arxiv[0]}" if arxiv else ""


def _reference(key: str, entry: Entry) -> Reference:
    people = cast("Mapping[str, Sequence[Person]]", entry.persons)["author"]
    names = [_family_name(person) for person in people]
    if len(names) > MOST_AUTHORS:
        authors = f"{names[0]} et al."
    else:
        authors = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    fields = {name.lower(): value for name, value in cast("Mapping[str, str]", entry.fields).items()}
    title = _plain(fields["title"])
    stop = "" if title.endswith(("?", "!")) else "."
    first = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return Reference(
        key=key,
        text=f"{authors} ({fields['year']}). {title}{stop} {_place(fields)}.",
        link=_link(fields),
        short=f"{first} {fields['year']}",
    )


@cache
def references() -> dict[str, Reference]:
    """Every source of the bibliography by its key."""
    text = (files("dcrit.theory.literature") / "references.bib").read_text(encoding="utf-8")
    return {key: _reference(key, entry) for key, entry in parse_string(text, "bibtex").entries.items()}


def reference(key: str) -> Reference:
    """The source behind a key.

    Raises:
        ValueError: The bibliography lacks it.
    """
    if key == OURS:
        return Reference(key=key, text="This project.", link="", short="this project")
    if key not in references():
        raise no_choice("source", key, (OURS, *references()))
    return references()[key]


def short(key: str) -> str:
    """The source behind a key in a few words, as in "Huang et al. 2024".

    Raises:
        ValueError: The bibliography lacks it.
    """
    return reference(key).short
