import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.calibrations.thresholds import (
    WIDEST,
    Thresholds,
    shipped_thresholds,
    thresholds_from,
    thresholds_text,
)
from dcrit.theory.problems.problem import Problem

SHIPPED = shipped_thresholds()
SQUARE = next(one for one in SHIPPED if one.covers(Problem()))
DOCUMENT = json.loads(thresholds_text(list(SHIPPED)))


def test_every_pair_mlp_of_the_calibrated_tasks_has_one_law() -> None:
    for task in ("add", "sub", "mul", "div", "square-of-sum", "sum-squares"):
        for activation in ("square", "relu"):
            problem = Problem(task=task, modulus=31, activation=activation)
            assert sum(one.covers(problem) for one in SHIPPED) == 1
    assert not any(one.covers(Problem(model="transformer", width=32)) for one in SHIPPED)
    assert not any(one.covers(Problem(task="cubic", modulus=31)) for one in SHIPPED)


def test_the_text_is_read_back() -> None:
    assert thresholds_from(thresholds_text(list(SHIPPED))) == SHIPPED


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("format",), 1, "format"),
        (("laws", 0, "tasks"), [], "tasks"),
        (("laws", 0, "tasks"), ["nothing"], "task"),
        (("laws", 0, "activation"), "tanh", "activation"),
        (("laws", 0, "constants", "prefactor"), -1.0, "prefactor"),
        (("laws", 0, "constants"), {}, "thresholds"),
        (("laws", 0, "covariance"), [[1.0]], "covariance"),
        (("laws", 0, "levels", "low"), 0.0, "low"),
        (("laws", 0, "scatter", "base"), 0.0, "base"),
        (("laws", 0, "calibrated", "width"), [512, 32], "width"),
        (("laws", 0, "calibrated", "n_runs"), 0, "n_runs"),
        (("laws",), 3, "thresholds"),
        (("laws", 0), 3, "thresholds"),
    ],
)
def test_a_wrong_document_is_refused(path: tuple[Any, ...], value: object, named: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=named):
        thresholds_from(json.dumps(document))


def phrases(law: Thresholds, horizon: float, **fields: Any) -> str:
    return "; ".join(law.outside(Problem(**fields), horizon))


def test_inside_the_calibration_nothing_lies_outside() -> None:
    for modulus in (19, 31, 47):
        for width in (64, 128, 256):
            assert phrases(SQUARE, 4000, modulus=modulus, width=width) == ""


def test_what_lies_outside_is_said_with_its_factor() -> None:
    assert phrases(SQUARE, 4000, modulus=94 - 5, width=128) == (
        "the number of symbols 89 is 1.9 times above the largest calibrated, 47"
    )
    assert "the width 1024 is 2 times above" in phrases(SQUARE, 4000, modulus=47, width=1024)
    assert "symbols per unit of width" in phrases(SQUARE, 4000, modulus=47, width=16)
    assert "weight decay 2 is 2 times above" in phrases(SQUARE, 4000, modulus=31, weight_decay=2.0)
    assert "learning rate 0.005 is 2 times below" in phrases(SQUARE, 4000, modulus=31, learning_rate=5e-3)
    assert "horizon 20000 is 5 times above" in phrases(SQUARE, 20_000, modulus=31)
    assert "horizon 100 is 4.1 times below" in phrases(SQUARE, 100, modulus=31)


def test_far_beyond_the_calibrated_load_it_is_silent() -> None:
    assert SQUARE.silence(Problem(modulus=31, width=16), 4000) == ""
    assert SQUARE.silence(Problem(modulus=47, width=16), 4000).startswith("cannot tell: 47 symbols are 2.94 per unit")


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12))
def test_intervals_that_say_nothing_are_not_given(weight_decay: float, learning_rate: float) -> None:
    problem = Problem(modulus=31, weight_decay=weight_decay, learning_rate=learning_rate)
    ratio = math.exp(2 * 1.645 * SQUARE.deviation(problem, 4000))
    said = SQUARE.silence(problem, 4000)
    assert (ratio > WIDEST) == said.startswith("cannot tell: the interval's ends")
    if said:
        assert "weight decay" in said or "learning rate" in said
