"""The targets that predictions are held to, over every configuration measured beyond the calibration."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from dcrit.empirics.ablations import held_out
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.estimates import Interval
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, no_multitask

RESULTS = Path(__file__).parents[3] / "docs" / "results"
ROWS = json.loads((RESULTS / "held-out.json").read_text(encoding="utf-8"))

#: Largest modulus that any calibration has seen.
LARGEST = 29


@pytest.fixture(scope="module")
def compared() -> list[tuple[float, bool, bool]]:
    """ln(predicted/measured), whether the interval holds the measurement, and whether the question lies outside."""
    calibrations, found = shipped_calibrations(), []
    for row in ROWS:
        problem = Problem.from_dict(row["problem"])
        calibration = calibration_for(problem, calibrations)
        assert calibration is not None
        # Without what was chosen with some of these networks in view.
        size = predict_critical_size(problem, calibration.carried_on).critical_size
        if size.value is None or size.interval is None:
            assert "cannot tell" in size.reason
            continue
        inside = size.interval.low <= row["measured"] <= size.interval.high
        found.append((math.log(size.value / row["measured"]), inside, size.extrapolated))
    assert len(found) >= 0.9 * len(ROWS)
    return found


def test_no_calibration_has_seen_a_held_out_modulus() -> None:
    assert all(row["problem"]["modulus"] > LARGEST for row in ROWS)
    for calibration in shipped_calibrations():
        assert max(cell.n_symbols for cell in calibration.cells) <= LARGEST


def test_two_held_out_networks_gave_the_law_times_above_their_transition_and_no_size() -> None:
    runs = pl.read_parquet(RESULTS / "two-thresholds" / "runs.parquet").filter(pl.col("part") == "calibration")
    cells = {*runs.select("task", "modulus", "activation", "width").iter_rows()}
    problems = [Problem.from_dict(row["problem"]) for row in ROWS]
    shared = [one for one in problems if (one.task, one.modulus, one.activation, one.width) in cells]
    assert [(one.modulus, one.width, one.activation) for one in shared] == [(41, 64, "square"), (41, 64, "relu")]
    for one in shared:
        (measured,) = [row["measured"] for row, each in zip(ROWS, problems, strict=True) if each == one]
        sizes = runs.filter(modulus=41, width=64, activation=one.activation, task=one.task)["n_train"]
        assert sizes.min() > measured


def test_there_are_enough_configurations_of_every_kind() -> None:
    problems = [Problem.from_dict(row["problem"]) for row in ROWS]
    assert len(set(problems)) == len(problems) >= 24
    assert {p.task for p in problems} >= {"add", "sub", "mul", "square-of-sum", "sum-squares"}
    assert {p.activation for p in problems} == {"square", "relu"}
    assert {p.weight_decay for p in problems} >= {0.5, 1.0, 2.0}
    assert min(p.width for p in problems) <= 16
    assert max(p.width for p in problems) >= 256


@pytest.mark.slow
def test_half_of_the_predictions_are_within_a_tenth(compared: list[tuple[float, bool, bool]]) -> None:
    assert np.median([abs(error) for error, *_ in compared]) <= 0.10


@pytest.mark.slow
def test_no_prediction_is_off_by_more_than_a_quarter(compared: list[tuple[float, bool, bool]]) -> None:
    """The narrowest network, width 16 at modulus 31, is the farthest off."""
    *others, worst = sorted(abs(error) for error, *_ in compared)
    assert worst == pytest.approx(0.246, abs=0.01)
    assert max(others) <= 0.23


@pytest.mark.slow
def test_the_ninety_percent_intervals_cover_about_ninety_percent(compared: list[tuple[float, bool, bool]]) -> None:
    assert 0.80 <= np.mean([inside for _, inside, _ in compared]) <= 0.97


def test_a_size_that_the_file_has_is_not_measured_again_once_problems_gain_a_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True, kw_only=True)
    class GrownProblem(Problem):
        beta1: float = 0.8
        ADDED_LATER: ClassVar[Mapping[str, str | int | float]] = {**Problem.ADDED_LATER, "beta1": 0.9}

    path = tmp_path / "held-out.json"
    row = {"problem": Problem().to_dict(), "measured": 7.0, "interval": None, "n_runs": 3}
    path.write_text(json.dumps([row]), encoding="utf-8")
    monkeypatch.setattr(held_out, "Problem", GrownProblem)
    monkeypatch.setattr(held_out, "advance_together", lambda designs, _: [pytest.fail(str(one)) for one in designs])
    bench = Laboratory(World(), no_multitask, [])
    assert held_out.completed(path, [GrownProblem(beta1=0.9)], bench) == [row]


@pytest.mark.parametrize("name", ["held-out", "held-out-transformers", "baselines", "transformers-predicted"])
def test_committed_intervals_are_written_as_all_others_and_hold_their_sizes(name: str) -> None:
    rows = json.loads((Path(__file__).parents[3] / f"docs/results/{name}.json").read_text(encoding="utf-8"))
    for row in rows:
        interval = Interval(**row["interval"])
        assert interval.to_dict() == row["interval"]
        assert row["predicted" if name == "transformers-predicted" else "measured"] in interval
