import json
import math
from pathlib import Path

import polars as pl
import pytest

from dcrit.empirics.ablations import transformer_clock as clock
from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.measures.seed_fit import TIME
from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def run(modulus: int, width: int, n_train: float, time: float | None, steps: int = 13_333) -> Row:
    return {
        "task": "add",
        "modulus": modulus,
        "model": "transformer",
        "activation": "relu",
        "width": width,
        "weight_decay": 1.0,
        "learning_rate": 3e-3,
        "n_train": n_train,
        TIME: time,
        "steps": steps,
        "part": "calibration",
    }


@pytest.mark.slow
def test_what_ships_is_what_committed_runs_say() -> None:
    shipped = thresholds_of(Problem(model="transformer"))
    found = clock.fitted_law(RESULTS)
    assert (found.tasks, found.calibrated, found.law.pace) == (shipped.tasks, shipped.calibrated, shipped.law.pace)
    for modulus, width, horizon in ((31, 24, 5000), (113, 64, 13_333)):
        sizes = [float(one.law.clock(modulus, width).critical_size(horizon)) for one in (found, shipped)]
        errors = [one.law.deviation(modulus, width, horizon) for one in (found, shipped)]
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)
        assert errors[0] == pytest.approx(errors[1], rel=1e-2)


def test_the_committed_questions_are_those_of_the_public_seed() -> None:
    drawn = clock.drawn_problems()
    rows = clock.frame(RESULTS)
    assert [{name: row[name] for name in drawn[0]} for row in rows] == drawn


def test_no_calibration_run_is_of_a_drawn_network() -> None:
    drawn = {(row["modulus"], row["width"]) for row in clock.frame(RESULTS)}
    runs = clock.calibration_rows(clock.runs_of(RESULTS))
    assert runs
    assert not drawn & {(run["modulus"], run["width"]) for run in runs}


def test_a_size_needs_both_sides_and_enough_runs() -> None:
    row = {**run(53, 32, 0, None, steps=5000), "part": "drawn"}
    sizes = (1000, 1150, 1300)
    runs = [
        {**row, "n_train": size, "test_accuracy": accuracy}
        for size, accuracy in zip(sizes, (0.1, 0.4, 0.99), strict=True)
        for _ in range(5)
    ]
    found = clock.measured(row, runs)
    assert found is not None
    assert 1000 < found["measured_interval"][0] < found["measured"] < found["measured_interval"][1] < 1300
    assert clock.measured(row, runs[:10]) is None
    assert clock.measured(row, [{**one, "test_accuracy": 0.9} for one in runs]) is None
    lost = [{**runs[0], "test_accuracy": math.nan}]
    found = clock.measured(row, runs + lost)
    assert found is not None
    assert (found["n_runs"], found["n_lost"]) == (15, 1)


def test_rows_are_those_of_the_committed_table() -> None:
    table = pl.read_parquet(RESULTS / FOLDER / clock.RUNS)
    assert {"calibration", "rest"} <= set(table["part"])
    assert table["address"].is_unique().all()
    assert json.loads((RESULTS / FOLDER / clock.FRAME).read_text(encoding="utf-8"))["seed"] == clock.SEED


def test_a_measured_question_is_not_trained_again() -> None:
    class Refusing:
        def runs(self, *_: object, **__: object) -> None:
            raise AssertionError("all drawn questions have their size")

    clock.measure_drawn(RESULTS, Refusing())  # type: ignore[arg-type]
