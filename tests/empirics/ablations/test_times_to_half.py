import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from dcrit.empirics.ablations import times_to_half
from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.times_to_half import TIMES_TO_HALF, cells, time_errors
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.theory.calibrations.thresholds import shipped_thresholds, thresholds_of
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).parents[3] / "docs" / "results"
PROBLEM = Problem(modulus=43, width=128)


def run(n_train: int, time: float | None, part: str = "near") -> Row:
    return PROBLEM.to_dict() | {"n_train": n_train, "time_50": time, "part": part, "steps": 4000, "start": "scratch"}


def test_seeds_of_a_cell_are_one_median() -> None:
    rows = [run(700, 300.0), run(700, None), run(700, 500.0), run(800, None), run(800, None), run(700, 9.0, "far")]
    assert [median for _, median in cells(rows, "time_50")] == [500.0, math.inf, 9.0]


def test_errors_are_those_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = thresholds_of(PROBLEM).clocks(PROBLEM)
    size = clocks.size(0.5, 4000)
    rows: list[Row] = []
    for multiple, off in ((1.0, 9.0), (1.3, 1 / 1.1), (1.5, 1 / 0.7), (3.2, 9.0)):
        n_train = round(multiple * size)
        rows.append(run(n_train, off * float(clocks.time(0.5, n_train))))
    rows += [run(round(1.4 * size), None), run(round(1.3 * size), 1.0, "rest")]
    monkeypatch.setattr(times_to_half, "runs_of", lambda _: rows)
    found = [row for row in time_errors(RESULTS, shipped_thresholds()) if row["model"] == "mlp"]
    nothing, drawn = sorted(found, key=lambda row: row["cells"])
    assert nothing["mean_error"] is nothing["median_error"] is nothing["mean_error_told"] is None
    assert (drawn["part"], drawn["cells"], drawn["censored"], drawn["told"]) == ("drawn", 2, 1, 2)
    assert drawn["mean_error"] == drawn["mean_error_told"] == pytest.approx(0.2, abs=1e-3)


@pytest.mark.slow
def test_committed_errors_come_out_of_what_ships() -> None:
    committed = json.loads((RESULTS / FOLDER / TIMES_TO_HALF).read_text(encoding="utf-8"))
    for row, expected in zip(time_errors(RESULTS, shipped_thresholds()), committed, strict=True):
        assert row == {
            name: pytest.approx(value, abs=0.01) if isinstance(value, float) else value
            for name, value in expected.items()
        }


def test_a_clock_tells_times_apart_later_where_it_runs_slower() -> None:
    law = thresholds_of(PROBLEM)
    assert law.earliest(PROBLEM) == pytest.approx(law.calibrated.steps[0])
    assert law.earliest(replace(PROBLEM, weight_decay=0.5)) > 1.8 * law.calibrated.steps[0]
