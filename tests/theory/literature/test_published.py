import re
from dataclasses import replace
from pathlib import Path

import pytest

from dcrit.theory.literature.published import PublishedNumber, published_numbers, published_values, read_published

ROOT = Path(__file__).parents[3]
NUMBER = """
[configurations.small]
task = "add"
modulus = 5
width = 4

[[numbers]]
id = "one"
source = "varma2023"
quantity = "test_accuracy"
value = 0.5
unit = "fraction"
n_train = 10
configuration = "small"
statement = "Half."
"""


def test_every_number_has_a_source_in_the_bibliography() -> None:
    bibliography = (ROOT / "theory" / "literature" / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{([^,\s]+),", bibliography, re.MULTILINE))
    assert {one.source for one in published_numbers()} <= keys


def test_the_numbers_that_ours_are_compared_with_are_there() -> None:
    assert published_values("bits_per_parameter") == {"allenzhu2024": 2.0, "morris2025": 3.6}
    assert published_values("delay_error") == {"truong2026": 0.346}
    found = {one.id: one for one in published_numbers()}
    assert found["zhu-critical-size"].value == 2000.0
    nanda = found["nanda-groks"]
    assert nanda.problem is not None
    assert nanda.low == round(0.3 * nanda.problem.n_pairs)
    assert (found["varma-ungrokking"].low, found["varma-ungrokking"].high) == (800.0, 1000.0)
    assert found["varma-ungrokking"].value is None
    assert found["huang-dip-width"].problem is None


def test_a_number_is_read_with_its_configuration() -> None:
    (one,) = read_published(NUMBER)
    assert (one.value, one.n_train) == (0.5, 10)
    assert one.problem is not None
    assert one.problem.n_pairs == 25


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('configuration = "small"', 'configuration = "large"', "one: configuration must be one of small, got 'large'"),
        ("value = 0.5", "value = 2.0", "one: test_accuracy must be at most 1"),
        ("value = 0.5", "value = 1", "one: high must be|one: low must be"),
        ("value = 0.5", "low = 0.5\nhigh = 0.1", r"low must be at most high \(0.1\), got 0.5"),
        ("value = 0.5", "", "one: .*missing"),
        ("value = 0.5", "value = nan", "must be a finite number"),
        ("n_train = 10", "", "test_accuracy .* have n_train"),
        ("n_train = 10", "n_train = 26", "n_train must be at most 25"),
        ('quantity = "test_accuracy"', 'quantity = "taste"', "quantity must be one of .*got 'taste'"),
        ('source = "varma2023"', 'source = ""', "source must be words"),
        ('unit = "fraction"', 'unit = "fraction"\ncolour = "red"', "one: .*colour"),
        ("[[numbers]]", "[numbers", "."),
    ],
)
def test_mistakes_in_the_file_are_refused(old: str, new: str, says: str) -> None:
    assert old in NUMBER
    with pytest.raises(ValueError, match=says):
        read_published(NUMBER.replace(old, new))


def test_ids_are_different() -> None:
    again = NUMBER[NUMBER.index("[[numbers]]") :]
    with pytest.raises(ValueError, match="id must be different"):
        read_published(NUMBER + again)


def test_a_number_validates_itself() -> None:
    (one,) = read_published(NUMBER)
    assert isinstance(one, PublishedNumber)
    with pytest.raises(ValueError, match="low must be at most high"):
        replace(one, low=0.9)
