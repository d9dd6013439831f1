import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from dcrit.empirics.ablations import two_thresholds_optimizer as optimizer
from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.two_thresholds_fit import (
    law_fits,
    least_squares_fits,
    optimizer_clocks,
    optimizer_rows,
    runs_of,
)
from dcrit.empirics.ablations.two_thresholds_runs import measure_asked, measure_optimizer
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.calibrations.thresholds import shipped_thresholds, thresholds_of
from dcrit.theory.circuits.clock import Clock, Pace
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, no_multitask, run_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"
CLOCK = Clock(kinetic=200.0, rate=1e-3, bend=1.2, rest=150.0, sharpness=3.0)


def rows_of(exponent: float, shift: float = 1.0) -> list[Row]:
    """Times by one clock, slowed by a longer memory, and by a factor for a smaller ε."""
    pace = Pace(memory_exponent=exponent)
    found: list[Row] = []
    for problem, size, steps in optimizer.points():
        time = float(CLOCK.time(size * (2 if size < 300 else 1)))
        time /= pace.factor(beta2=problem.beta2) * (shift if problem.epsilon < 1e-8 else 1.0)
        row = {name: getattr(problem, name) for name in ("activation", "modulus", "beta2", "epsilon")}
        found.append(row | {"n_train": size, "steps": steps, "time_50": [0.9 * time, time / 0.9]})
    return found


def test_no_point_is_a_drawn_or_a_calibration_problem() -> None:
    frame = json.loads((RESULTS / "two-thresholds" / "frame.json").read_text(encoding="utf-8"))["rows"]
    names = ("task", "modulus", "activation", "width", "weight_decay", "learning_rate")
    known = {tuple(row[name] for name in names) for row in [*frame, *runs_of(RESULTS)]}
    assert not {tuple(getattr(problem, name) for name in names) for problem, *_ in optimizer.points()} & known


def test_every_point_has_a_twin_at_the_protocols_optimizer() -> None:
    points = {(one.activation, one.modulus, one.beta2, one.epsilon, size) for one, size, _ in optimizer.points()}
    assert {(a, p, *optimizer.PROTOCOL, size) for a, p, _, _, size in points} <= points
    assert len(optimizer.configs()) == 2 * len(optimizer.points()) == len(set(optimizer.configs()))


@pytest.mark.parametrize("exponent", [0.1, 0.8])
def test_the_exponent_that_made_the_times_is_found(exponent: float) -> None:
    found = optimizer.effect_of(rows_of(exponent), "square", lambda _: CLOCK)
    assert found.memory_exponent == pytest.approx(exponent, abs=2e-3)
    assert found.per_memory == pytest.approx(0.0, abs=1e-3)
    assert found.per_epsilon == found.per_raised_epsilon == found.per_forgetting == 0.0


def test_what_has_no_constant_is_scatter() -> None:
    found = optimizer.effect_of(rows_of(0.8, shift=0.5), "square", lambda _: CLOCK)
    assert found.memory_exponent == pytest.approx(0.8, abs=2e-3)
    assert found.per_epsilon > 0.01
    assert found.per_raised_epsilon == 0.0


def test_the_cost_is_the_data_that_a_twin_needs_less() -> None:
    one = optimizer.Twins(
        activation="square",
        modulus=31,
        beta2=0.99,
        epsilon=1e-8,
        n_train=300,
        time=float(CLOCK.time(300.0)),
        protocol=float(CLOCK.time(400.0)),
    )
    assert one.cost(CLOCK) == pytest.approx(math.log(400 / 300), rel=1e-9)
    assert one.cost(CLOCK, one.protocol / one.time) == pytest.approx(0.0, abs=1e-9)


def test_points_where_a_seed_does_not_generalize_enter_no_constant() -> None:
    rows = rows_of(0.8)
    whole = len(optimizer.late(rows, "square"))
    place = next(k for k, row in enumerate(rows) if row["beta2"] == 0.999 and row["activation"] == "square")
    rows[place] = rows[place] | {"time_50": [None, 900.0]}
    assert len(optimizer.late(rows, "square")) == whole - 1


@pytest.mark.slow
def test_rows_are_made_of_the_runs_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "two-thresholds").mkdir()

    def runs(configs: list[RunConfig], /, *, stage: str) -> list[object]:
        return [run_of(one, test_accuracy=one.seed / 4, train_loss=0.1, squared_norm=9.0) for one in configs]

    measure_optimizer(tmp_path, Laboratory(runs, no_multitask, []))  # type: ignore[arg-type]
    rows = optimizer_rows(tmp_path)
    assert [(row["n_train"], row["steps"]) for row in rows] == [point[1:] for point in optimizer.points()]
    assert all(row["test_accuracy"] == [0.0, 0.25] and row["time_50"] == [None, None] for row in rows)
    assert rows[0].keys() == optimizer_rows(RESULTS)[0].keys()


def test_sizes_that_were_asked_for_are_predicted_as_they_were_then() -> None:
    rows = json.loads((RESULTS / optimizer.ASKED_FILE).read_text(encoding="utf-8"))
    assert tuple(Problem.from_dict(row["problem"]) for row in rows) == optimizer.ASKED
    third = least_squares_fits(runs_of(RESULTS))
    for row, problem in zip(rows, optimizer.ASKED, strict=True):
        law = thresholds_of(problem)
        # By the constants that shipped then, those of the third law; what β₂ does has stayed.
        clock = third[problem.activation, "add"].clock(problem.n_symbols, problem.width)
        size = clock.at(pace=law.law.pace, **problem.optimizer).critical_size(row["steps"])
        assert size == pytest.approx(row["predicted"], rel=2e-3)
        assert row["error"] == pytest.approx(math.log(row["predicted"] / row["measured"]), abs=2e-3)
        low, high = row["predicted_interval"]
        assert row["inside"] == (low <= row["measured"] <= high)


def test_a_size_is_predicted_and_then_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(modulus=23, width=64, beta2=0.995)
    monkeypatch.setattr(optimizer, "ASKED", (problem,))
    bench = Laboratory(World(), no_multitask, shipped_calibrations())
    measure_asked(tmp_path, bench)
    (row,) = json.loads((tmp_path / optimizer.ASKED_FILE).read_text(encoding="utf-8"))
    assert Problem.from_dict(row["problem"]) == problem
    assert row["n_runs"] >= 2
    assert row["error"] == pytest.approx(math.log(row["predicted"] / row["measured"]), abs=2e-3)
    measure_asked(tmp_path, Laboratory(lambda _, /, *, stage: pytest.fail(stage), no_multitask, []))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match=r"^problem must be one that the law speaks of, got add p=23"):
        measure_asked(empty, Laboratory(World(), no_multitask, []))


@pytest.mark.slow
def test_what_ships_is_what_the_committed_runs_say() -> None:
    for activation, clock_at in optimizer_clocks(law_fits(runs_of(RESULTS))).items():
        found = optimizer.effect_of(optimizer_rows(RESULTS), activation, clock_at)
        laws = [one.law for one in shipped_thresholds() if one.activation == activation and one.model == "mlp"]
        assert len(laws) == 3
        for law in laws:
            assert law.pace.memory_exponent == pytest.approx(found.memory_exponent, abs=2e-3)
            for name in ("per_memory", "per_forgetting", "per_epsilon", "per_raised_epsilon"):
                assert getattr(law.scatter, name) == pytest.approx(getattr(found, name), abs=1e-3)


def test_the_law_is_within_its_interval_of_most_runs_it_was_not_fitted_to() -> None:
    """Points with both changed, and all at shorter memories and other ε, beside the shipped law."""
    inside: list[bool] = []
    for one in optimizer.twins(optimizer_rows(RESULTS)):
        problem = Problem(modulus=one.modulus, width=optimizer.WIDTH, activation=one.activation)
        law = thresholds_of(problem)
        problem = replace(problem, beta2=one.beta2, epsilon=one.epsilon)
        if optimizer.EARLIEST <= one.time < math.inf:
            size, spread = law.clocks(problem).size(0.5, one.time), 1.645 * law.deviation(problem, one.time)
            inside.append(abs(math.log(size / one.n_train)) <= spread)
    assert len(inside) > 100
    assert sum(inside) / len(inside) > 0.85


def test_the_page_has_the_table() -> None:
    page = (RESULTS / "two-thresholds.md").read_text(encoding="utf-8")
    assert optimizer.page_with_effects(page, [], {}) != page


def test_only_the_table_of_the_page_is_replaced() -> None:
    page = f"before\n{optimizer.BEGIN}\nstale\n{optimizer.END}\nafter\n"
    found = optimizer.page_with_effects(page, rows_of(0.8), {"square": lambda _: CLOCK})
    assert found.startswith("before\n")
    assert found.endswith("after\n")
    assert "stale" not in found
    (line,) = [one for one in found.splitlines() if one.startswith("| 0.99 |")]
    assert "1.74 to 1.74" in line
    assert line.endswith("| 0.000 |")
