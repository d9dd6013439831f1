"""Drawn problems: what each prediction missed by, and what the misses say together."""

import math
from dataclasses import replace
from typing import Any

import pytest

from dcrit.empirics.claims.claim import Condition, Finding, Part, Record
from dcrit.empirics.claims.frames import OFFSETS, Drawn, Frame
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, half_accuracy_size, run_of

FRAME = Frame(
    clip=0.3,
    drawn=tuple(
        Drawn(problem=problem, predicted=half_accuracy_size(problem) * math.exp(off))
        for problem, off in ((Problem(modulus=31, width=48), 0.05), (Problem(modulus=31, width=64), -0.2))
    ),
)


@pytest.mark.slow
def test_a_drawn_problem_gives_its_squared_error() -> None:
    world = World()
    for unit, off in enumerate((0.05, -0.2)):
        configs = FRAME.configs(unit)
        assert len(configs) == len(OFFSETS)
        made = [world.run(one) for one in configs]  # type: ignore[arg-type]
        assert FRAME.error(made) == pytest.approx(off, abs=0.03)
        assert FRAME.value(made) == pytest.approx((FRAME.error(made) or 0) ** 2 / 0.09)
        assert FRAME.row(made)["predicted"] == pytest.approx(FRAME.drawn[unit].predicted)


def test_a_problem_without_a_transition_counts_as_missed_and_one_beyond_the_frame_not() -> None:
    never = [run_of(config, test_accuracy=0.0) for config in FRAME.configs(0)]  # type: ignore[arg-type]
    assert FRAME.value(never) == 1.0
    assert (FRAME.configs(2), math.isnan(FRAME.value([]))) == ([], True)
    assert FRAME.blocks == 1
    with pytest.raises(ValueError, match=r"^drawn must hold at least one problem, got none$"):
        Frame(clip=0.3, drawn=())


def test_rows_have_both_intervals_and_the_error_in_units_of_both() -> None:
    world = World()
    row = FRAME.row([world.run(one) for one in FRAME.configs(1)])  # type: ignore[arg-type]
    assert row["group"] == "add square mlp"
    assert row["predicted low"] < row["predicted"] < row["predicted high"]  # type: ignore[operator]
    assert row["measured low"] < row["measured"] < row["measured high"]  # type: ignore[operator]
    ends = [math.log(row[f"{name} high"] / row[f"{name} low"]) / 2 / 1.645 for name in ("predicted", "measured")]  # type: ignore[operator]
    assert row["z"] == pytest.approx(row["ln(predicted/measured)"] / math.hypot(*ends), rel=1e-3)  # type: ignore[operator]


def rows(*errors: float | None) -> list[dict[str, Any]]:
    return [
        {"group": f"add square {k % 2}", "ln(predicted/measured)": error, "z": None if error is None else error / 0.05}
        | {f"{name} {end}": 100 * math.exp(sign * 0.1) for name in ("predicted", "measured") for end, sign in ENDS}
        for k, error in enumerate(errors)
    ]


ENDS = (("low", -1), ("high", 1))


def test_errors_are_told_together_from_three_measured_problems_on() -> None:
    found = FRAME.errors(rows(0.1, -0.1, 0.05, None))
    assert found is not None
    assert (found.log_errors.tolist(), found.groups) == (
        [0.1, -0.1, 0.05],
        ("add square 0", "add square 1", "add square 0"),
    )
    assert found.predicted == pytest.approx(0.1 / 1.645, rel=1e-3)
    assert FRAME.errors(rows(0.1, -0.1, None)) is None


def test_a_finding_reports_errors_beside_the_evidence() -> None:
    condition = Condition(stream=FRAME, high=0.25)
    record = Record(values=[0.1] * 3, seeds=3, details=rows(0.1, -0.1, 0.05))  # type: ignore[arg-type]
    found = Finding(parts=(Part(name="all", conditions=(condition,)),), records={FRAME: record})
    (errors,) = found.prediction_errors()
    assert (errors["n"], errors["n_groups"], sum(errors["ranks"])) == (3, 2, 3)
    assert replace(found, records={}).prediction_errors() == []
