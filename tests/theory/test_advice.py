"""Sentences carry the settings that they name as data, and read as Python where nobody writes them otherwise."""

import copy
import json
import pickle

from dcrit.theory.advice import Advice, Setting, joined
from dcrit.theory.checks import FieldError

SHORT = Advice("too short, try ", Setting("steps", 40), ", or larger ", Setting("weight_decay"))


def test_settings_read_as_python_writes_them() -> None:
    assert SHORT == "too short, try steps=40, or larger weight_decay="
    assert str(Setting("optimizer", "sgd")) == "optimizer='sgd'"
    assert str(Setting("predict", value=False)) == "predict=False"
    assert str(Setting("sizes", (10, 20))) == "sizes=(10, 20)"
    assert json.dumps(SHORT) == '"too short, try steps=40, or larger weight_decay="'


def test_settings_can_be_written_otherwise() -> None:
    assert SHORT.written(lambda one: f"<{one.name} {one.value}>") == (
        "too short, try <steps 40>, or larger <weight_decay None>"
    )


def test_sentences_of_sentences_keep_their_settings() -> None:
    both = joined("; ", ["", "no run", SHORT, ""])
    assert both == f"no run; {SHORT}"
    assert [one for one in both.parts if isinstance(one, Setting)] == [Setting("steps", 40), Setting("weight_decay")]
    assert joined("; ", []) == ""


def test_settings_survive_copies_and_the_way_out_of_a_worker() -> None:
    for again in (pickle.loads(pickle.dumps(SHORT)), copy.deepcopy(SHORT)):
        assert again == SHORT
        assert again.parts == SHORT.parts


def test_an_error_about_a_field_keeps_the_settings_that_it_names() -> None:
    error = FieldError("momentum", Advice("be left out unless ", Setting("optimizer", "sgd")), 0.5, why=SHORT)
    assert str(error) == f"momentum must be left out unless optimizer='sgd', got 0.5: {SHORT}"
    again = pickle.loads(pickle.dumps(error))
    assert again.why.parts == SHORT.parts
    assert again.allowed.parts[1] == Setting("optimizer", "sgd")
