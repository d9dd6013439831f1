import json
from typing import Any

import pytest

from dcrit.theory.calibrations.omission import Cause, Omission

CELL = {"n_symbols": 19, "width": 16, "cause": Cause.FEW_GENERALIZING, "reason": "only 3 runs"}


@pytest.mark.parametrize("omission", [Omission(**CELL), Omission(cause=Cause.NO_SYMMETRY, reason="no size")])
def test_they_survive_json(omission: Omission) -> None:
    assert Omission.from_dict(json.loads(json.dumps(omission.to_dict()))) == omission


def test_people_read_where_and_why() -> None:
    assert str(Omission(**CELL)) == "19 symbols, width 16: only 3 runs"
    assert str(Omission(cause=Cause.NO_SYMMETRY, reason="no size")) == "no size"


def test_only_runs_on_the_real_task_speak_against_a_circuit() -> None:
    assert {cause for cause in Cause if cause.is_unfit} == {Cause.FEW_GENERALIZING, Cause.NOT_LEARNED}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"n_symbols": 1}, "n_symbols"),
        ({"width": 0}, "width"),
        ({"width": None}, "width"),
        ({"n_symbols": None}, "n_symbols"),
        ({"cause": "the weather"}, "cause"),
        ({"reason": ""}, "reason"),
        ({"reason": 3}, "reason"),
    ],
)
def test_bad_fields_are_refused_by_name(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be "):
        Omission(**{**CELL, **changed})
