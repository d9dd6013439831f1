"""Training curves in what programs print: ``epoch 10 | train loss 0.1 | test acc 0.98``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dcrit.empirics.curves.names import is_known, is_step, metric_of, remembered, set_of
from dcrit.empirics.curves.numbers import NUMBER
from dcrit.empirics.curves.table import Table, from_records

#: Longest line that is looked at [characters].
LONGEST_LINE = 2000

#: Fewest evaluations that make lines of text a log.
FEWEST_LINES = 2

_NOISE = re.compile(
    r"\x1b\[[0-9;]*[A-Za-z]"  # colours
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?)?"
    r"|\b\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?\b"
    r"|\[[=>.#\-\s█▏▎▍▌▋▊▉━╸]*\]"  # bars
)
_OF_MANY = re.compile(r"\[\s*(\d+)\s*(?:/\s*\d+[^\]]*)?\]")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d+),(\d+)(?![\d,.])")
_PAIR = re.compile(
    r"(?P<key>[A-Za-z_][\w@/.\-() ]*?)[\"']?(?:\s*[:=]\s*|\s+)\(?"
    rf"(?P<value>{NUMBER}[kKM]?|nan|NaN|inf|-inf)(?![\w.])"
    r"(?P<percent>\s*%)?(?:\s*/\s*(?P<of>\d+))?"
)
_WORDS = re.compile(r"[A-Za-z_]+")

_VALUE = rf"{NUMBER}\s*%?"
#: One metric of two sets at once: ``train/val acc: 0.9/0.1``, ``acc (train/val) 0.9/0.1``.
_TWO_SETS = (
    re.compile(
        rf"\b(?P<one>[A-Za-z]+)\s*/\s*(?P<two>[A-Za-z]+)[ _]+(?P<metric>[A-Za-z]+)\s*[:=]?\s*"
        rf"(?P<first>{_VALUE})\s*[/|,]\s*(?P<second>{_VALUE})"
    ),
    re.compile(
        rf"\b(?P<metric>[A-Za-z]+)[ _]*[(\[]?(?P<one>[A-Za-z]+)\s*/\s*(?P<two>[A-Za-z]+)[)\]]?\s*[:=]?\s*"
        rf"(?P<first>{_VALUE})\s*[/|,]\s*(?P<second>{_VALUE})"
    ),
    re.compile(
        rf"\b(?P<metric>[A-Za-z]+)\s*[:=]?\s*(?P<first>{_VALUE})\s*\((?P<one>[A-Za-z]+)\)\s*[/|,]?\s*"
        rf"(?P<second>{_VALUE})\s*\((?P<two>[A-Za-z]+)\)"
    ),
)


@remembered
def _name_of(key: str) -> str:
    """The longest end of some words that names a step or a curve; empty if none does."""
    words = [word for word in key.replace("(", " ").replace(")", " ").split() if word != "-"]
    for k in range(len(words)):
        name = " ".join(words[k:])
        if is_step(name) or is_known(name):
            return name
    return ""


def _apart(found: re.Match[str]) -> str:
    """Two sets' values of one metric, each behind its own name; unchanged where the words are none."""
    sets, metric = (found["one"], found["two"]), found["metric"]
    if not all(map(set_of, sets)) or not metric_of(metric):
        return found[0]
    return f"{sets[0]} {metric} {found['first']} {sets[1]} {metric} {found['second']}"


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Names and values in a line; a name without a set belongs to the set that was named last."""
    text = _OF_MANY.sub(r" \1 ", _NOISE.sub(" ", line))
    text = _THOUSANDS.sub(lambda found: found[1].replace(",", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    for pattern in _TWO_SETS if "/" in text or ")" in text else ():
        text = pattern.sub(_apart, text)
    # PyTorch's example of ImageNet prints the accuracy of a whole validation so.
    part, end = "test" if text.lstrip().startswith("* Acc@1") else "", 0
    for found in _PAIR.finditer(text):
        for word in _WORDS.findall(text[end : found.end("key")]):
            part = set_of(word) or part
        end = found.end()
        name, value = _name_of(found["key"]), found["value"]
        if not name:
            continue
        if is_step(name):
            yield name, value
            continue
        if found["of"] and metric_of(name.split()[-1]) in ("accuracy", "error") and float(found["of"]):
            value = repr(float(value) / float(found["of"]))
        lone = metric_of(name) and part
        yield f"{part} {name}" if lone else name, value + ("%" if found["percent"] else "")


def table_of_prints(text: str, name: str) -> Table | None:
    """The table in lines that name their values; None where they do not.

    A line with values and no step belongs to the step that was printed last.

    Args:
        text: The file.
        name: Its name without folder.
    """
    rows: list[dict[str, str]] = []
    at: dict[str, str] = {}
    for line in text.splitlines():
        found = dict(_pairs(line[:LONGEST_LINE]))
        steps = {key: value for key, value in found.items() if is_step(key)}
        if not steps and (first := _OF_MANY.match(line.strip())):
            steps = {"step": first[1]}
        at = steps or at
        if any(not is_step(key) for key in found):
            rows.append(at | found)
    if len(rows) < FEWEST_LINES:
        return None
    return Table(frame=from_records(rows), format="lines that programs print", name=name, running=True)
