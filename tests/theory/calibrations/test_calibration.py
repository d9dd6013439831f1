import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.calibrations.calibration import (
    WIDENING,
    Calibration,
    Cell,
    calibration_for,
    calibration_of,
    load_calibration,
    shipped_calibrations,
)
from dcrit.theory.circuits.constants import CONSTANTS, competition_from, constants_of, sizes_from
from dcrit.theory.circuits.crossing import NoCrossing
from dcrit.theory.circuits.symmetry import SymmetryLaw
from dcrit.theory.estimates import half_width
from dcrit.theory.problems.problem import Problem
from tests.worlds.theory import CENTRE, EXACT, NOISY, WIDTHS

CALIBRATION = NOISY.calibrate(np.random.default_rng(0))
DOCUMENT = CALIBRATION.to_json()


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(DOCUMENT), **fields})


def with_row(row: object) -> str:
    document = json.loads(DOCUMENT)
    document["cells"][0] = row
    return json.dumps(document)


@given(st.lists(st.floats(-0.5, 0.5), min_size=8, max_size=8), st.integers(9, 10_000))
def test_constants_survive_the_way_through_a_competition(shifts: list[float], n_pairs: int) -> None:
    constants = CENTRE + np.array(shifts)
    assert constants_of(competition_from(constants, n_pairs)) == pytest.approx(constants, abs=1e-9)


@pytest.mark.parametrize("accuracy", [None, 0.1, 0.5, 0.9])
def test_many_sizes_at_once_are_those_of_the_solver(accuracy: float | None) -> None:
    rng = np.random.default_rng(8)
    spread = np.array([1.0, 0.2, 1.0, 0.3, 0.5, 0.3, 0.5, 0.3])
    constants = CENTRE + spread * rng.standard_normal((150, 8))
    constants[:, 3] = np.maximum(constants[:, 3], 0.1)
    kinds: set[str] = set()
    for row, size in zip(constants, sizes_from(constants, 529, accuracy), strict=True):
        competition = competition_from(row, 529)
        outcome = competition.crossing() if accuracy is None else competition.size_at_accuracy(accuracy)
        if isinstance(outcome, NoCrossing):
            kinds.add(outcome.winner)
            assert size == (math.inf if outcome.winner == "memorizing" else 1.0)
        else:
            kinds.add("crossing")
            assert size == pytest.approx(outcome.n_train, rel=1e-9)
    assert {"crossing", "memorizing"} <= kinds


def test_constants_are_values_at_the_anchor_and_exponents() -> None:
    competition = competition_from(CENTRE, 400)
    anchor = math.log(140.0)
    named = dict(zip(CONSTANTS, CENTRE.tolist(), strict=True))
    assert competition.memorizing.log_efficiency(anchor) == pytest.approx(named["log_memorizing"])
    assert competition.memorizing.exponent == named["memorizing_exponent"]
    assert competition.generalizing.log_efficiency(anchor) == pytest.approx(named["log_generalizing"])
    assert competition.mixing == pytest.approx(math.exp(named["log_mixing"]))
    assert competition.deficits.log_median(anchor) == pytest.approx(named["log_deficit"])
    assert competition.deficits.log_spread(anchor) == pytest.approx(named["log_spread"])


@pytest.mark.parametrize(("modulus", "width"), [(11, 16), (20, 48), (29, 128), (37, 200)])
def test_a_law_without_scatter_is_recovered(modulus: int, width: int) -> None:
    calibration = EXACT.calibrate(np.random.default_rng(1))
    problem = Problem(modulus=modulus, width=width)
    assert calibration.constants(problem) == pytest.approx(EXACT.mean(modulus, width), abs=1e-9)
    drawn = calibration.draw(problem, 50, np.random.default_rng(2))
    assert drawn == pytest.approx(np.tile(EXACT.mean(modulus, width), (50, 1)), abs=1e-6)


@pytest.mark.slow
def test_intervals_of_constants_cover_held_out_cells() -> None:
    """Nominal coverage is 0.9, of every constant and of a difference of correlated ones."""
    rng = np.random.default_rng(11)
    worlds, covered = 400, []
    # Two efficiencies share most of their scatter, and D_crit hangs on their difference.
    contrast = np.zeros(8)
    contrast[[0, 2]] = 1.0, -1.0
    for _ in range(worlds):
        calibration = NOISY.calibrate(rng)
        problem = Problem(modulus=int(rng.integers(11, 30)), width=int(rng.choice(WIDTHS)))
        truth = NOISY.draw(problem.n_symbols, problem.width, rng)
        draws = calibration.draw(problem, 200, rng)
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        inner, outer = np.quantile(draws @ contrast, [0.05, 0.95])
        covered.append([*((low <= truth) & (truth <= high)), inner <= truth @ contrast <= outer])
    rates = np.mean(covered, axis=0)
    assert rates == pytest.approx(0.9, abs=3.5 * math.sqrt(0.09 / worlds))


@pytest.mark.parametrize(("n_cells", "width"), [(16, 128), (30, 16)])
def test_draws_have_the_predictive_distribution_of_a_literal_regression(n_cells: int, width: int) -> None:
    calibration = NOISY.calibrate(np.random.default_rng(9), n_cells=n_cells)

    def regressors(n_symbols: int, width: int) -> list[float]:
        s, h = math.log(n_symbols), math.log(width)
        return [1.0, s, h, h**2, s * h]

    x = np.array([regressors(cell.n_symbols, cell.width) for cell in calibration.cells])
    y = np.array([cell.constants for cell in calibration.cells])
    solution = np.linalg.lstsq(x, y)[0]
    # The mixing exponent's law has the width in it alone.
    intercept, slope = np.linalg.lstsq(x[:, [0, 2]], y[:, 3])[0]
    solution[:, 3] = [intercept, 0.0, slope, 0.0, 0.0]
    variance = ((y - x @ solution) ** 2).sum(axis=0) / (n_cells - 5)
    at = np.array(regressors(29, width))
    leverage = at @ np.linalg.solve(x.T @ x, at)
    draws = calibration.draw(Problem(modulus=29, width=width), 20_000, np.random.default_rng(10))
    assert np.median(draws, axis=0) == pytest.approx(at @ solution, abs=0.003)
    # Half the range between the quartiles of Student's t, whose freedom is what the covariance leaves.
    quartile = half_width(1.0, level=0.5, freedom=n_cells - 5 - 8 + 1)
    low, high = np.quantile(draws, [0.25, 0.75], axis=0)
    assert (high - low) / 2 == pytest.approx(quartile * np.sqrt(variance * (1 + leverage)), rel=0.04)


def test_few_cells_do_not_understate_the_scatter() -> None:
    rng = np.random.default_rng(4)
    worlds, covered = 150, 0
    for _ in range(worlds):
        calibration = NOISY.calibrate(rng, n_cells=16)
        problem = Problem(modulus=19, width=48)
        truth = NOISY.draw(19, 48, rng)[0]
        low, high = np.quantile(calibration.draw(problem, 200, rng)[:, 0], [0.05, 0.95])
        covered += low <= truth <= high
    assert covered / worlds >= 0.9 - 3 * math.sqrt(0.09 / worlds)


@pytest.mark.parametrize(
    ("fields", "factors"),
    [
        ({}, 0.0),
        ({"width": 16}, 0.0),
        ({"modulus": 29}, 0.0),
        ({"width": 256}, math.log(2)),
        ({"width": 8}, math.log(2)),
        ({"modulus": 58}, math.log(2)),
        ({"weight_decay": 0.5}, math.log(2)),
        ({"beta2": 0.99}, math.log(2)),
        ({"beta2": 0.9}, math.log(5)),
        ({"epsilon": 1e-12}, 2.0),
        ({"epsilon": 1e-6}, 1.0),
        ({"weight_decay": 2.0, "learning_rate": 1e-3, "width": 8}, math.log(2) + math.log(10) + math.log(2)),
    ],
)
def test_distance_counts_the_factors_outside_the_calibrated_box(fields: dict[str, Any], factors: float) -> None:
    assert CALIBRATION.distance(Problem(**fields)) == pytest.approx(factors, abs=1e-12)


def test_what_lies_outside_is_said_with_its_factor() -> None:
    assert CALIBRATION.outside(Problem()) == ()
    assert CALIBRATION.outside(Problem(width=256, beta2=0.99)) == (
        "the width 256 is 2 times the largest calibrated, 128",
        "AdamW's 1 − β₂ 0.01 is 2 times below the least calibrated, 0.02",
    )


def test_without_a_law_nothing_is_said_of_another_beta2_or_epsilon() -> None:
    assert CALIBRATION.thresholds is None
    assert CALIBRATION.silence(Problem(width=256, weight_decay=0.1), 100) == ""
    assert CALIBRATION.silence(Problem(epsilon=1e-12), 4000) == (
        "cannot tell: AdamW's ε 1e-12 is 1e+04 times below the least calibrated, 1e-08, and no run says what that does"
    )
    own = replace(CALIBRATION, epsilon=1e-12)
    assert own.silence(Problem(epsilon=1e-12), 4000) == ""
    assert (Calibration.from_json(own.to_json()).epsilon, CALIBRATION.epsilon) == (1e-12, 1e-8)
    assert "epsilon" not in json.loads(CALIBRATION.to_json())


def test_standard_errors_grow_by_the_widening_for_every_factor_outside() -> None:
    inside, outside = Problem(), Problem(weight_decay=math.exp(-2.0))
    assert CALIBRATION.constants(outside) == pytest.approx(CALIBRATION.constants(inside))
    near, far = (CALIBRATION.draw(p, 200, np.random.default_rng(5)).std(axis=0) for p in (inside, outside))
    assert far / near == pytest.approx(np.full(8, WIDENING**2), rel=1e-9)


def test_draws_follow_their_generator_alone() -> None:
    one, again, other = (CALIBRATION.draw(Problem(), 20, np.random.default_rng(seed)) for seed in (6, 6, 7))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_json_round_trip() -> None:
    read = Calibration.from_json(DOCUMENT)
    assert read.to_json() == DOCUMENT
    for name in ("tasks", "model", "activation", "weight_decay", "learning_rate", "capacity", "omitted"):
        assert getattr(read, name) == getattr(CALIBRATION, name)
    for cell, original in zip(read.cells, CALIBRATION.cells, strict=True):
        assert replace(cell, constants=original.constants) == original
        assert cell.constants == pytest.approx(original.constants, abs=5e-7)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "line 1 column 1"),
        ("{", "line 1 column 2"),
        ("[]", "list indices"),
        ("3", "not subscriptable"),
        ("{}", "'format'"),
        (changed(format=2, omitted=["a cell"]), "format must be 3, got 2: 'dcrit calibrate' .* writes it anew"),
        (changed(constants=["log_memorizing"]), "constants must be log_memorizing, .*got .'log_memorizing'"),
        (changed(omitted=["a cell"]), "TypeError"),
        (changed(omitted=[{"cause": "the weather", "reason": "rain"}]), "cause must be one of .*'the weather'"),
        (changed(tasks="add"), "tasks must be a list, got 'add'"),
        (changed(tasks=["addd"]), "task must be one of .*'addd'"),
        (changed(model="cnn"), "model must be one of .*'cnn'"),
        (changed(activation="gelu"), "activation must be one of .*'gelu'"),
        (changed(weight_decay="much"), "'much'"),
        (changed(learning_rate=-1.0), "learning_rate must be a finite number above 0, got -1.0"),
        (changed(capacity=[2.0]), "AttributeError"),
        (changed(capacity={"bits": -2.0}), "bits must be a finite number above 0, got -2.0"),
        (changed(capacity={"bits": 2.0, "slope_error": -1.0}), "slope_error must be between 0 and 10"),
        (changed(cells=json.loads(DOCUMENT)["cells"][:12]), "cells must be at least 13, got 12"),
        (changed(cells=None), "NoneType"),
        (with_row([19, 32, 1, 0, 1.0, 2.0]), "constants must be 8 finite numbers"),
        (with_row([19, 32, 1, 0, *[math.nan] * 8]), "constants must be 8 finite numbers"),
        (with_row([-3, 32, 1, 0, *[1.0] * 8]), "n_symbols must be an integer of at least 2, got -3"),
        (with_row([19, 0, 1, 0, *[1.0] * 8]), "width must be an integer of at least 1, got 0"),
        (with_row([19]), "IndexError"),
        (with_row(7), "not subscriptable"),
        (json.dumps({k: v for k, v in json.loads(DOCUMENT).items() if k != "omitted"}), "'omitted'"),
    ],
)
def test_corrupt_documents_are_refused_by_what_is_wrong(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^calibration must be a document written by 'dcrit calibrate'.*{named}"):
        Calibration.from_json(text)


def test_calibrations_load_from_files(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(DOCUMENT, encoding="utf-8")
    assert load_calibration(path).to_json() == DOCUMENT


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_unreadable_files_are_refused_by_their_path(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^calibration must be a file .*, got .*broken\.json"):
        load_calibration(path)


def test_shipped_calibrations_round_trip_and_speak_for_something() -> None:
    for calibration in shipped_calibrations():
        assert Calibration.from_json(calibration.to_json()) == calibration
        assert calibration.tasks
        assert np.isfinite(calibration.draw(Problem(), 10, np.random.default_rng(0))).all()


def test_calibrations_speak_for_their_tasks_model_and_activation() -> None:
    assert CALIBRATION.covers(Problem(task="sub", modulus=97, width=500))
    # Products are addition by other names of the symbols.
    assert CALIBRATION.covers(Problem(task="mul"))
    for problem in (Problem(task="cubic"), Problem(activation="relu")):
        assert not CALIBRATION.covers(problem)
        assert calibration_for(problem, [CALIBRATION]) is None
    relu = replace(CALIBRATION, activation="relu")
    assert calibration_for(Problem(activation="relu"), [CALIBRATION, relu]) is relu


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_symbols", 1), ("width", 0), ("n_runs", -1), ("n_unconverged", 1.5), ("constants", (1.0,))],
)
def test_bad_cells_are_refused_by_name(field: str, value: object) -> None:
    fields: dict[str, Any] = {
        "n_symbols": 19,
        "width": 32,
        "n_runs": 1,
        "n_unconverged": 0,
        "constants": (0.0,) * 8,
        field: value,
    }
    with pytest.raises(ValueError, match=rf"^{field} must be "):
        Cell(**fields)


def test_the_symmetry_law_is_written_where_there_is_one() -> None:
    law = SymmetryLaw(
        coefficients=(-0.7, -0.2, -0.1, -0.05),
        width=0.1,
        covariance=((1e-4, 0.0, 0.0, 0.0), (0.0, 1e-4, 0.0, 0.0), (0.0, 0.0, 1e-4, 0.0), (0.0, 0.0, 0.0, 1e-4)),
        scatter=0.05,
    )
    with_law = replace(CALIBRATION, symmetry=law)
    assert Calibration.from_json(with_law.to_json()).symmetry == law
    # Documents without one stay as they were: their fingerprints are those of track records.
    assert "symmetry" not in DOCUMENT
    with pytest.raises(ValueError, match="calibration must be a document written by 'dcrit calibrate'"):
        Calibration.from_json(with_law.to_json().replace('"scatter"', '"scatters"'))


def test_each_set_of_runs_says_its_own_ranges() -> None:
    shipped = calibration_of(Problem(model="transformer"), None)
    assert shipped.thresholds is not None
    far = Problem(model="transformer", modulus=59, width=32)
    (cells,), (law,) = shipped.outside(far), shipped.thresholds.outside(far, 13334)
    assert cells.endswith(
        f"times the largest calibrated for circuits at rest, {max(c.n_symbols for c in shipped.cells)}"
    )
    assert law.endswith(
        f"times the largest calibrated for the law of sizes, {shipped.thresholds.calibrated.n_symbols[1]}"
    )
    law_said, cells_said = shipped.ranges.split("; ")
    assert law_said.startswith("the law of sizes: ")
    assert f"to {shipped.thresholds.calibrated.n_symbols[1]} symbols" in law_said
    assert cells_said.startswith(f"circuits at rest: {len(shipped.cells)} cells, ")
    assert replace(shipped, thresholds=None).ranges == cells_said
