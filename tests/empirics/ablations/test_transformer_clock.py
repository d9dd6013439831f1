import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from dcrit.empirics.ablations import transformer_clock as clock
from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.measures.threshold_fit import clock_of
from dcrit.theory.calibrations.thresholds import shipped_thresholds
from dcrit.theory.circuits.clock import Clock

RESULTS = Path(__file__).parents[3] / "docs" / "results"

TRUTH = {"prefactor": 2.1, "load": 0.1, "rate": 1.5e-3, "bend": 4.0, "rest": 5.0}
SCATTER = 0.08


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
        clock.TIME: time,
        "steps": steps,
        "part": "calibration",
    }


def drawn_runs(seed: int, n: int) -> list[Row]:
    """Runs whose seeds ask for sizes scattered about the law; those of which the horizon is too short have no time."""
    rng = np.random.default_rng(seed)
    found: list[Row] = []
    for modulus in (29, 37, 47):
        for width in (16, 32, 64):
            law = clock_of(TRUTH, modulus, width)
            for factor in (0.95, 1.05, 1.2, 1.4):
                size = factor * float(law.critical_size(13_333))
                for own in size * np.exp(-SCATTER * rng.standard_normal(n)):
                    time = float(law.time(own))
                    found.append(run(modulus, width, size, time if time <= 13_333 else None))
    return found


def test_the_likelihood_is_that_of_a_plain_loop() -> None:
    rows = [*drawn_runs(3, 1), run(29, 32, 500.0, 400.0), run(29, 32, 380.0, None)]
    expected = 0.0
    for row in rows:
        law, log_size = clock_of(TRUTH, row["modulus"], row["width"]), math.log(row["n_train"])

        def chance(time: float, law: Clock = law, log_size: float = log_size) -> float:
            return float(norm.cdf((log_size - math.log(float(law.critical_size(time)))) / SCATTER))

        if row[clock.TIME] is None:
            expected += math.log(1 - chance(row["steps"]))
        elif row[clock.TIME] <= clock.EARLIEST:
            expected += math.log(chance(clock.EARLIEST))
        else:
            t, h = row[clock.TIME], 1e-4
            density = (chance(t * math.exp(h)) - chance(t * math.exp(-h))) / (2 * h)
            expected += math.log(density * math.sqrt(2 * math.pi))
    assert clock.seed_likelihood(TRUTH, SCATTER, rows) == pytest.approx(expected, abs=1e-3 * len(rows))


@pytest.mark.slow
def test_constants_are_found_again_from_scattered_and_censored_times() -> None:
    found = clock.seed_fit(drawn_runs(11, 8), [(29, 32, clock_of(TRUTH, 29, 32).rest)])
    assert found.scatter == pytest.approx(SCATTER, rel=0.15)
    for modulus, width, horizon in ((31, 24, 5000), (113, 64, 13_333), (79, 32, 5000)):
        size = float(clock_of(found.constants, modulus, width).critical_size(horizon))
        assert size == pytest.approx(float(clock_of(TRUTH, modulus, width).critical_size(horizon)), rel=0.08)
    errors = np.sqrt(np.diag(found.covariance))
    assert abs(math.log(found.constants["prefactor"] / TRUTH["prefactor"])) < 4 * errors[0]
    assert abs(found.constants["load"] - TRUTH["load"]) < 4 * errors[1]


@pytest.mark.slow
def test_what_ships_is_what_committed_runs_say() -> None:
    (shipped,) = [law for law in shipped_thresholds() if law.model == "transformer"]
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
