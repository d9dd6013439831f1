from dataclasses import replace
from typing import Any

import pytest

from dcrit.theory.calibrations.facts import FactsConstants, facts_constants, facts_from, facts_text, shipped_facts
from dcrit.theory.problems.problem import Problem

SOME = FactsConstants(
    tasks=("add", "mul"),
    model="transformer",
    activation="relu",
    interference=0.5,
    log_error=0.2,
    scatter=0.1,
    n_symbols=(29, 41),
    width=(8, 32),
    load=1.6,
    n_runs=81,
)
PROBLEM = Problem(model="transformer", modulus=31, width=24)


def test_constants_survive_their_file() -> None:
    assert facts_from(facts_text([SOME, replace(SOME, activation="square")])) == (
        SOME,
        replace(SOME, activation="square"),
    )
    with pytest.raises(ValueError, match="format must be 1, got 2"):
        facts_from('{"format": 2, "families": []}')


def test_they_speak_for_their_family_alone() -> None:
    assert SOME.covers(PROBLEM)
    assert not SOME.covers(Problem(modulus=31))
    assert not SOME.covers(replace(PROBLEM, task="sub"))
    assert facts_constants(Problem()) is None
    (shipped,) = shipped_facts()
    assert facts_constants(PROBLEM) == shipped


def test_what_lies_outside_is_told_and_far_outside_nothing() -> None:
    assert SOME.outside(PROBLEM, 600, 450.0) == ()
    assert SOME.outside(PROBLEM, 0, 450.0) == ()
    width, load = SOME.outside(replace(PROBLEM, width=64), 900, 450.0)
    assert width == "the width 64 is 2 times the largest calibrated, 32"
    assert load.startswith("facts per example of D_crit without them 2 is 1.25 times the largest")
    assert SOME.silence(1000, 450.0) == ""
    assert SOME.silence(1200, 450.0).startswith("cannot tell: 1200 facts are 2.67 per example of D_crit without facts")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"interference": 0.0}, "interference must be"),
        ({"log_error": -1.0}, "log_error must be"),
        ({"width": (32, 8)}, "width must be a range from low to high"),
        ({"n_runs": 0}, "n_runs must be"),
        ({"activation": "tanh"}, "activation must be one of"),
    ],
)
def test_bad_constants_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SOME, **changed)
