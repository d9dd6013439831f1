"""Numbers and intervals as people read them."""

import math

import pytest

from dcrit.theory.written import confidence_sequence, ends, finite, number, span


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.0, "0"),
        (12.0, "12"),
        (1234.4, "1234"),
        (123.456, "123"),
        (-0.012345, "-0.0123"),
        ("words", "words"),
        (True, "True"),
    ],
)
def test_numbers_have_three_digits_and_sizes_are_whole(value: object, read: str) -> None:
    assert number(value) == read


@pytest.mark.parametrize(
    ("low", "high", "read"),
    [
        (0.25, 0.5, "0.25 – 0.5"),
        (0.2, None, "above 0.2"),
        (0.2, math.inf, "above 0.2"),
        (None, -0.2, "below -0.2"),
        (-math.inf, -0.2, "below -0.2"),
        (None, None, "–"),
        (-math.inf, math.inf, "–"),
        (math.nan, math.nan, "–"),
    ],
)
def test_open_ends_are_said_and_not_shown(low: float | None, high: float | None, read: str) -> None:
    assert span(low, high) == ends({"low": low, "high": high}) == read


def test_a_sentence_has_no_dash_beside_a_sign() -> None:
    assert span(-0.5, -0.25, between="to") == "-0.5 to -0.25"


def test_few_seeds_without_an_interval_are_said_in_words() -> None:
    nothing: dict[str, float | None] = {"low": None, "high": None}
    assert [confidence_sequence(nothing, seeds) for seeds in (0, 1, 4)] == [
        "–",
        "no interval yet from 1 seed",
        "no interval yet from 4 seeds",
    ]
    assert confidence_sequence({"low": 0.2, "high": None}, 4) == "above 0.2"
    assert confidence_sequence({"low": -0.3, "high": 0.2}, 4, between="to") == "-0.3 to 0.2"
    # Before any run a mean may lie anywhere in [0, 1], which tells nothing.
    assert confidence_sequence({"low": 0.0, "high": 1.0}, 0) == "–"


def test_values_for_json_are_finite_at_any_depth() -> None:
    assert finite({"a": [math.inf, (1.0, math.nan)], "b": "x", "c": 3}) == {"a": [None, [1.0, None]], "b": "x", "c": 3}
