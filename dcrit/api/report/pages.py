"""The report's document as an HTML page that needs no other file, and as Markdown; everything put in is escaped."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dcrit.api.report.said import ADDS, adding, effort, sequence_of
from dcrit.theory.checks import FieldError
from dcrit.theory.written import confidence_sequence, ends, number, span

#: Kinds of pictures that browsers draw without running anything in them.
MEDIA = {".svg": "image/svg+xml", ".png": "image/png"}

#: A word beside every colour, and a mark beside every word.
MARKS = {"supported": "✓", "refuted": "✗", "inconclusive": "?"}


#: How verdicts come about, below their table.
SCHEME = (
    "A claim holds if each of its parts holds. Its e-value for holding is the least of its parts', its e-value for "
    "failing is the mean of its parts'. Verdicts come from directional e-BH over all claims of the suite: at most 5 % "
    "of them are expected to be wrong, however often one looks and however long one runs. † marks a claim that would "
    "be decided by itself: such verdicts are wrong in at most 5 % of all suites. The number shown is that of the "
    "condition that decides."
)


#: What a fit to errors of predictions is made of.
FITS = {
    "bias": "Bias of ln(predicted/measured)",
    "between_groups": "Standard deviation between tasks, activations and families",
    "between_problems": "Between problems of a group",
}

#: Pictures that stand above the table.
LEADING = ("predicted-against-measured", "thresholds")


def html_page(document: Mapping[str, Any], pictures: Mapping[str, Path]) -> str:
    """The page, with its pictures inside it.

    Args:
        document: The report.
        pictures: PNG or SVG of every figure in it, by its name.
    """
    environment = _environment(autoescape=True)
    inside = {name: _data_uri(path) for name, path in pictures.items()}
    page = environment.get_template("report.html.jinja")
    return page.render(document=document, pictures=inside)


def markdown_page(document: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The report as Markdown.

    Args:
        document: The report.
        pictures: Where the picture of every figure lies, seen from the page, by the figure's name.
    """
    environment = _environment(autoescape=False, finalize=_escaped_markdown)
    page = environment.get_template("report.md.jinja")
    return page.render(document=document, pictures=pictures)


def _environment(*, autoescape: bool, finalize: Callable[[object], object] | None = None) -> Environment:
    environment = Environment(
        loader=PackageLoader("dcrit.api.report"),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": number,
        "span": _span,
        "ends": ends,
        "sequence": sequence_of,
        "effort": effort,
        "adding": adding,
        "columns": _columns,
        "shown": _shown,
        "problems": _problems,
        "json": _json,
        "address": _address,
        "page": _page,
    }
    environment.globals |= {"marks": MARKS, "scheme": SCHEME, "leading": LEADING, "fits": FITS, "adds": ADDS}
    return environment


def _data_uri(path: Path) -> str:
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _span(found: Mapping[str, float | None] | None) -> str:
    """An interval, a range, or one number where both ends are the same."""
    if found is None or found["low"] == found["high"]:
        return number(found and found["low"])
    return ends(found)


def _shown(rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of conditions as people read them: the effect and its confidence sequence, and then the limit."""
    return [
        {
            "part": row["part"],
            "network, D, T": row["where"],
            "quantity": row["quantity"],
            "measured": row["measured"],
            "90 % confidence sequence": confidence_sequence(row, row["seeds"]),
            "limit": row["claimed"],
            "seeds": row["seeds"],
            "left out": row["left out"],
            "e that it holds": row["e holds"],
            "e that it fails": row["e fails"],
        }
        for row in rows
    ]


def _problems(rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of drawn problems as people read them: each size with its interval."""
    return [
        {
            "problem": row["problem"],
            "T": row["T"],
            "predicted": row["predicted"],
            "90 % interval of it": span(row["predicted low"], row["predicted high"]),
            "measured": row["measured"],
            "90 % interval of that": span(row["measured low"], row["measured high"]),
            "ln(predicted/measured)": row["ln(predicted/measured)"],
            "z": row["z"],
        }
        for row in rows
    ]


def _json(value: object) -> str:
    """The value as indented JSON, to be escaped like any text."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _columns(rows: list[Mapping[str, Any]]) -> list[str]:
    """Every column that a row has, in the order of appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def _address(link: str) -> Markup:
    """A link that Markdown takes as it is.

    Raises:
        ValueError: It is none to a page.
    """
    if not re.fullmatch(r"(https://)?[\w./%+:-]+", link):
        raise FieldError("link", "be an address without spaces and brackets", repr(link))
    return Markup(link)


def _page(link: str) -> str:
    """A link that a browser follows to a page, and never runs.

    Raises:
        ValueError: It is of another kind.
    """
    if not link.startswith("https://"):
        raise FieldError("link", "begin with https://", repr(link))
    return link


def _escaped_markdown(value: object) -> object:
    """What stands for itself in Markdown: no markup, no HTML, no end of a table's cell."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = re.sub(r"\s+", " ", value)
    text = re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
