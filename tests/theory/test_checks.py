"""Errors about a field carry it as data, and say the same as a sentence."""

import pickle

import pytest

from dcrit.theory.checks import (
    FieldError,
    check_choice,
    check_integer,
    check_level,
    check_not_negative,
    check_positive,
)
from dcrit.theory.problems.problem import Problem


def test_the_parts_make_the_sentence() -> None:
    error = FieldError("width", "be a multiple of 4", 7, why="there are four heads")
    assert (error.field, error.allowed, error.got, error.why) == (
        "width",
        "be a multiple of 4",
        "7",
        "there are four heads",
    )
    assert str(error) == "width must be a multiple of 4, got 7: there are four heads"
    assert str(FieldError("width", "be even", 7)) == "width must be even, got 7"


def test_an_error_survives_the_way_out_of_a_worker() -> None:
    error = FieldError("store", "be a folder", "x", why="Not a directory")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is FieldError
    assert (str(again), again.field, again.why) == (str(error), "store", "Not a directory")


@pytest.mark.parametrize(
    ("check", "field"),
    [
        (lambda: check_choice("model", "rnn", ("mlp", "transformer")), "model"),
        (lambda: check_integer("seeds", 0, 1), "seeds"),
        (lambda: check_integer("seeds", 9, 1, 8), "seeds"),
        (lambda: check_positive("rate", -1.0), "rate"),
        (lambda: check_not_negative("load", -0.1), "load"),
        (lambda: check_not_negative("load", float("inf")), "load"),
        (lambda: check_not_negative("load", float("nan")), "load"),
        (lambda: check_level(1.0), "level"),
        (lambda: Problem(model="transformer", width=7), "width"),
        (lambda: Problem(task="aad"), "task"),
        (lambda: Problem(modulus=2), "modulus"),
        (lambda: Problem(weight_decay=0.0), "weight_decay"),
    ],
)
def test_checks_name_the_field(check: object, field: str) -> None:
    with pytest.raises(FieldError) as caught:
        check()  # type: ignore[operator]
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field} must {caught.value.allowed}, got ")
