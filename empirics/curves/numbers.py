"""Numbers as people and loggers write them: with percent signs, decimal commas, thousands and words for "not there"."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from dcrit.theory.checks import FieldError

#: Words that say that nothing was measured.
ABSENT = ("", "none", "null", "na", "n/a", "#n/a", "<na>", "nil", "-", "–", "—", "?", "missing", "undefined")

_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+([eE][+-]?\d+)?\s*%?$"
_APOSTROPHES = r"^[+-]?[1-9]\d{0,2}(['’]\d{3})+(\.\d+)?$"

#: A number as it stands in text.
NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"

#: Steps with words around them: ``epoch 10``, ``step_100``, ``10/500``.
_COUNTED = r"^(?:[A-Za-z]+[ _#:=-]*)?(\d+)(?:\s*/\s*\d+)?$"

#: Right answers out of all: ``982/1000``.
_PART = r"^(\d+)\s*/\s*(\d+)$"

#: What a number may be wrapped in when it is printed.
_WRAPPED = (
    rf"^(?:tensor|array|np\.float(?:32|64)|float|int|DeviceArray|Array)?[(\[]*({NUMBER}|nan|inf|-inf)"
    r"(?:,\s*\w+=[\w'\":<>. ]+)*[)\]]*$"
)


class NumbersError(FieldError):
    """A column holds something that is no number.

    Attributes:
        held: What it holds, as it is written for people.
    """

    def __init__(self, field: str, allowed: str, got: str, held: str) -> None:
        super().__init__(field, allowed, got)
        self.held = held
        self.args = (field, allowed, got, held)  # of these it is made anew outside a worker process


def is_number(text: str) -> bool:
    """Whether a cell holds a number or a word for none."""
    word = text.strip().strip("\"'").replace("−", "-")
    return bool(
        word.casefold() in (*ABSENT, "nan", "inf", "-inf")
        or re.fullmatch(NUMBER + r"\s*%?", word)
        or re.fullmatch(_THOUSANDS, word)
        or re.fullmatch(_COMMA, word)
        or re.fullmatch(_APOSTROPHES, word)
    )


def _words(column: pl.Series) -> pl.Series:
    """Stripped texts; null where they say that nothing is there."""
    text = column.str.strip_chars().str.strip_chars("\"'").str.strip_chars()
    return text.zip_with(~text.str.to_lowercase().is_in(list(ABSENT)), pl.Series([None], dtype=pl.String))


def has_decimal_commas(columns: Sequence[pl.Series]) -> bool:
    """Whether some cell of the columns of text can only be read with a decimal comma."""
    return any(
        bool((text.str.contains(_COMMA) & ~text.str.contains(_THOUSANDS)).any())
        for column in columns
        if column.dtype == pl.String
        for text in (_words(column),)
    )


def numbers_of(column: pl.Series, field: str, *, decimal_commas: bool) -> tuple[pl.Series, bool]:
    """A column's values, null where nothing was measured, and whether they carry percent signs.

    Args:
        column: Numbers, or texts that hold them.
        field: What it is for, for messages.
        decimal_commas: ``0,5`` is one half; otherwise commas part thousands.

    Raises:
        NumbersError: The column holds something else.
    """
    name = column.name
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64), False
    if column.dtype != pl.String:
        kind = f"type {column.dtype}"
        raise NumbersError(field, "be a column of numbers", f"column {name!r} of {kind}", f"values of {kind}")
    text = _words(column)
    if decimal_commas:  # where a comma is the decimal point, points part thousands
        pointed = text.str.contains(r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?$").fill_null(False)
        text = text.str.replace_all(".", "", literal=True).zip_with(pointed, text)
    values = text.cast(pl.Float64, strict=False)
    unread = text.is_not_null() & values.is_null()
    if not unread.any():
        return values, False
    rest = text.filter(unread)
    signs = rest.str.ends_with("%")
    rest = rest.str.replace_all("−", "-", literal=True).str.replace(
        rf"^({NUMBER})\s*(±|\+/-|\+-)\s*{NUMBER}\s*%?$", "${1}"
    )
    if field.endswith(("_accuracy", "_error")):
        parts = [rest.str.extract(_PART, group).cast(pl.Float64) for group in (1, 2)]
        rest = (parts[0] / parts[1]).cast(pl.String).zip_with(rest.str.contains(_PART), rest)
    if field == "step":
        rest = rest.str.replace(_COUNTED, "${1}")
    rest = rest.str.replace_all("['’]", "").zip_with(rest.str.contains(_APOSTROPHES), rest)
    rest = rest.str.replace(r"\s*%$", "").str.replace(_WRAPPED, "${1}").str.replace_all(r"[\s_\x{A0}\x{202F}]", "")
    rest = rest.str.replace(r"(?i)^([-+\d.]+)k$", "${1}e3").str.replace(r"^([-+\d.]+)M$", "${1}e6")
    if decimal_commas:
        rest = rest.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        rest = rest.str.replace_all(",", "", literal=True).zip_with(rest.str.contains(_THOUSANDS), rest)
    mended = rest.cast(pl.Float64, strict=False)
    if mended.null_count():
        bad = text.filter(unread).filter(mended.is_null())[0]
        raise NumbersError(field, "be numbers", f"{bad!r} in column {name!r}", repr(bad))
    return values.scatter(unread.arg_true(), mended), bool(signs.any())
