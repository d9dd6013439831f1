"""Numbers that pages quote from results are what the results say.

A number that comes from a committed file is followed by a comment that Markdown does not show: the file, then the way
to the value, as in ``0.014<!-- two-thresholds/pieces: piece=the law / far_median -->``. The page keeps as many digits
as it likes, and fails here when the value rounds to others. Steps of a way are

* the name of a field, or of a field of every element of a list; a number counts a list's elements from 0;
* ``name=value`` and ``name<=other``: those elements for which a field is so, or is at most another field;
* ``count``, ``sum``, ``least``, ``largest``, ``middle`` (the median) of a list, and ``abs``.

A sign, a percent sign and commas between thousands may stand with the number. Files lie in ``docs/results/``;
``track-record`` and ``thresholds`` ship in ``theory/calibrations/``, and ``benchmarks`` is what ``make bench`` wrote.
"""

import json
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
ELSEWHERE = {
    "track-record": ROOT / "theory" / "calibrations" / "track_record.json",
    "thresholds": ROOT / "theory" / "calibrations" / "thresholds.json",
    "benchmarks": ROOT / "benchmarks" / "results.json",
}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

MARK = re.compile(r"<!-- (?!begin:|end:|reference:|explorer:)([\w/-]+): (.+?) -->", re.DOTALL)
NUMBER = re.compile(r"([+−-]?)(\d[\d,]*(?:\.\d+)?)( ?%)?$")

OF_A_LIST: dict[str, Callable[[list[Any]], float]] = {
    "count": len,
    "sum": sum,
    "least": min,
    "largest": max,
    "middle": median,
}


@cache
def result(name: str) -> Any:
    path = ELSEWHERE.get(name, RESULTS / f"{name}.json")
    return json.loads(path.read_text(encoding="utf-8"))


def step(found: Any, word: str) -> Any:
    """What one step of a way leads to."""
    if word == "abs":
        return [abs(one) for one in found] if isinstance(found, list) else abs(found)
    if isinstance(found, list):
        if word in OF_A_LIST:
            return OF_A_LIST[word](found)
        if word.isdecimal():
            return found[int(word)]
        name, sign, value = re.fullmatch(r"(.*?)(?:(<=|=)(.*))?", word).groups()  # type: ignore[union-attr]
        if sign == "=":
            return [one for one in found if str(one.get(name)) == value]
        if sign == "<=":
            return [one for one in found if one[name] <= one[value]]
        return [one[word] for one in found if one.get(word) is not None]
    return found[word]


def value_at(name: str, way: str) -> float:
    found = result(name)
    for word in re.split(r"\s+/\s+", way):
        # One element that was chosen stands for itself.
        alone = isinstance(found, list) and len(found) == 1 and "=" not in word and word not in OF_A_LIST
        found = step(found[0] if alone else found, word)
    (number,) = found if isinstance(found, list) else [found]
    assert isinstance(number, int | float), found
    return number


def as_written(value: float, quoted: str) -> str:
    """A value with the digits, and in the way, of the number that is quoted for it."""
    match = NUMBER.search(quoted)
    assert match is not None, f"no number before a mark: {quoted}"
    sign, digits, percent = match.groups()
    places = len(digits.partition(".")[2])
    exact = Decimal(repr(value)) * (100 if percent else 1)
    rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    shown = f"{abs(rounded):,}" if "," in digits else f"{abs(rounded)}"
    minus = sign if sign in {"−", "-"} else "−"
    return ("" if rounded >= 0 else minus) + ("+" if sign == "+" and rounded >= 0 else "") + shown + (percent or "")


def faults(text: str) -> list[str]:
    """Marked numbers of a page that are not what the results say."""
    found: list[str] = []
    for mark in MARK.finditer(text):
        match = NUMBER.search(text[: mark.start()])
        quoted = match.group(0) if match else text[: mark.start()][-20:]
        should = as_written(value_at(*mark.groups()), quoted)
        if quoted != should:
            found.append(f"{quoted} should be {should}: {mark.group(0)}")
    return found


def test_marked_numbers_are_those_of_the_results() -> None:
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    assert sum(len(MARK.findall(text)) for text in texts.values()) > 50
    assert {page.name: wrong for page, text in texts.items() if (wrong := faults(text))} == {}


def test_claims_that_a_page_calls_refuted_are_refuted() -> None:
    page = (ROOT / "docs" / "explanation" / "what-was-refuted.md").read_text(encoding="utf-8")
    told = re.findall(r"^\* `([\w-]+)`: ", page, re.MULTILINE)
    verdicts = {claim["id"]: claim["verdict"] for claim in result("standard")["claims"]}
    assert len(told) > 5
    assert {claim: verdicts[claim] for claim in told} == dict.fromkeys(told, "refuted")


@pytest.mark.parametrize(
    ("text", "should"),
    [
        ("0.048<!-- standard-p-values: claims / id=dcrit-predicted / measured -->", "0.047"),
        ("88 %<!-- ablation: predictor=first release: the mixture at rest / coverage -->", "83 %"),
        ("8<!-- standard-p-values: claims / id=dcrit-predicted / rows / ln ratio<=measured / count -->", "10"),
        ("+0.79<!-- standard-p-values: claims / id=mem-efficiency-falls / measured -->", "−0.91"),
    ],
)
def test_a_number_that_is_off_is_told_with_the_right_one(text: str, should: str) -> None:
    (fault,) = faults(text)
    assert f"should be {should}:" in fault
