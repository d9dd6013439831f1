"""A word that is no name is answered with the names it may stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.nearest import SYNONYMS, nearest, question

NAMES = ["--learning-rate", "--weight-decay", "--width", "--depth", "--n-train", "--modulus", "--format", "--steps"]


@pytest.mark.parametrize(
    ("word", "likeliest"),
    [
        ("--lr", "--learning-rate"),
        ("--learnig-rate", "--learning-rate"),
        ("learning_rate", "--learning-rate"),
        ("--LEARNING-RATE", "--learning-rate"),
        ("--rate", "--learning-rate"),  # a part, rather than --format, which is spelt more alike
        ("--learn", "--learning-rate"),
        ("--wdith", "--width"),
        ("d_model", "--width"),
        ("--train-fraction", "--n-train"),
        ("--epochs", "--steps"),
        ("--p", "--modulus"),
    ],
)
def test_the_likeliest_name_comes_first(word: str, likeliest: str) -> None:
    assert nearest(word, NAMES)[0] == likeliest


def test_a_synonym_names_all_that_it_stands_for_and_nothing_else() -> None:
    assert nearest("epochs", ["epsilon", "steps", "horizon"]) == ["horizon", "steps"]
    assert question("epochs", ["epsilon", "steps", "horizon"]) == "Did you mean horizon or steps?"
    assert nearest("epochs", ["epsilon"]) == []


@pytest.mark.parametrize("word", ["", "-", "--", "colour", "--z", "x" * 10_000])
def test_what_resembles_nothing_is_answered_with_nothing(word: str) -> None:
    assert nearest(word, NAMES) == []
    assert question(word, NAMES) == ""


def test_names_that_begin_alike_are_told_apart_by_their_spelling() -> None:
    assert nearest("random-symetric", ["random", "random-symmetric", "random-latin"], most=1) == ["random-symmetric"]
    assert nearest("multiplication", ["mul", "add"]) == ["mul"]


@given(st.sampled_from(NAMES), st.data())
def test_one_slip_of_the_fingers_is_forgiven(name: str, data: st.DataObject) -> None:
    """A letter left out, of a name of seven letters or more."""
    letters = name.lstrip("-")
    if len(letters) < 7:
        return
    k = data.draw(st.integers(0, len(letters) - 1))
    assert name in nearest(letters[:k] + letters[k + 1 :], NAMES)


def test_synonyms_are_written_as_words_are_compared() -> None:
    for word, meant in SYNONYMS.items():
        assert word == word.lower()
        assert "_" not in word
        assert meant
        assert word not in meant
