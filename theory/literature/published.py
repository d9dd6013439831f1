"""Numbers of other groups that ours are set beside, with their sources: one data file, checked as it is read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast, get_args

from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.problems.problem import Problem

Quantity = Literal[
    "bits_per_parameter",
    "critical_size",
    "onset",
    "completion",
    "test_accuracy",
    "ungrokking_size",
    "dip_width",
    "progression_width",
    "delay_error",
    "time_to_generalize",
]


@dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """A number of a paper.

    Attributes:
        id: Its name in the data file.
        source: Key into the bibliography.
        quantity: What it is a value of.
        low: The number, or the lower end of a range [``unit``].
        high: The number again, or the upper end [``unit``].
        unit: Unit in words.
        statement: What the paper says, and what is assumed where it does not say enough.
        problem: The configuration it was measured on; None where the package has none like it.
        n_train: D it was measured at; None where it is no number at one size [examples].
        horizon: T it was measured by; None where the source does not say, or the number is none at a time [steps].

    Raises:
        ValueError: A field is out of range.
    """

    id: str
    source: str
    quantity: Quantity
    low: float
    high: float
    unit: str
    statement: str
    problem: Problem | None = None
    n_train: int | None = None
    horizon: int | None = None

    def __post_init__(self) -> None:
        check_choice("quantity", self.quantity, get_args(Quantity))
        for name in ("id", "source", "unit", "statement"):
            text = getattr(self, name)
            if not isinstance(text, str) or not text:
                raise FieldError(name, "be words", repr(text))
        for name in ("low", "high"):
            end = getattr(self, name)
            if type(end) is not float or not 0 <= end < float("inf"):
                raise FieldError(name, "be a finite number written with a point, 0.0 or more", repr(end))
        if self.low > self.high:
            raise FieldError("low", f"be at most high ({self.high!r})", repr(self.low))
        if self.n_train is not None:
            check_integer("n_train", self.n_train, 1)
            if self.problem is not None:
                self.problem.check_n_train(self.n_train)
        if self.horizon is not None:
            check_integer("horizon", self.horizon, 1)
        if self.quantity == "time_to_generalize" and self.n_train is None:
            raise FieldError("n_train", "be given with a time to generalize", "none")
        if self.quantity == "test_accuracy" and (self.n_train is None or self.high > 1):
            raise FieldError(
                "test_accuracy", "be at most 1 and have n_train", f"{self.high!r} at n_train {self.n_train!r}"
            )

    @property
    def value(self) -> float | None:
        """The number; None where it is a range."""
        return self.low if self.low == self.high else None


def read_published(text: str) -> tuple[PublishedNumber, ...]:
    """Published numbers from the text of a data file.

    Raises:
        ValueError: It is no TOML, lacks a field, has one too many, or a field is out of range; the message names the
            number.
    """
    document: dict[str, Any] = tomllib.loads(text)
    configurations = {
        name: Problem.from_dict(fields)
        for name, fields in cast("dict[str, dict[str, object]]", document.get("configurations", {})).items()
    }
    numbers: list[PublishedNumber] = []
    for entry in cast("list[dict[str, Any]]", document.get("numbers", [])):
        fields = dict(entry)
        name = str(fields.get("id", "without an id"))
        configuration = fields.pop("configuration", None)
        if "value" in fields:
            fields["low"] = fields["high"] = fields.pop("value")
        try:
            if configuration is not None:
                check_choice("configuration", configuration, tuple(configurations))
                fields["problem"] = configurations[configuration]
            numbers.append(PublishedNumber(**fields))
        except (TypeError, ValueError) as error:
            raise ValueError(f"published number {name}: {error}") from error
    ids = [one.id for one in numbers]
    if len(ids) != len(set(ids)):
        raise FieldError("id", "be different for every published number", ", ".join(ids))
    return tuple(numbers)


@cache
def published_numbers() -> tuple[PublishedNumber, ...]:
    """The numbers that come with the package, in the order of the file."""
    return read_published((files("dcrit.theory.literature") / "published.toml").read_text(encoding="utf-8"))


def published_values(quantity: Quantity) -> dict[str, float]:
    """Single values of a quantity by the key of their source.

    Args:
        quantity: What is asked for; ranges are left out.
    """
    return {one.source: one.low for one in published_numbers() if one.quantity == quantity and one.value is not None}
