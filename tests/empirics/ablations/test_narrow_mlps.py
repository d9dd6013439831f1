"""κ of narrow pair-MLPs, from committed calibration runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dcrit.empirics.ablations.committed import Row, read
from dcrit.empirics.ablations.narrow_mlps import BEGIN, END, MODULI, NARROW, SEEDS, configs, fit_units, page_with_narrow
from dcrit.empirics.ablations.two_thresholds import known_rows, measured_rows
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.theory.calibrations.thresholds import Thresholds, shipped_thresholds
from dcrit.theory.circuits.unit_noise import UnitNoise
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def law_of(activation: str) -> Thresholds:
    return next(one for one in shipped_thresholds() if "add" in one.tasks and one.activation == activation)


def made_up(law: Thresholds) -> list[Row]:
    rows: list[Row] = []
    for modulus in (19, 29):
        for width in (12, 16, 24):
            problem = Problem(task="add", modulus=modulus, activation=law.activation, width=width)
            for n_train in (modulus**2 // 2, 3 * modulus**2 // 4):
                accuracy = float(law.clocks(problem).accuracy(n_train, problem.horizon))
                row = {"activation": law.activation, "modulus": modulus, "width": width, "n_train": n_train}
                rows.append(row | {"test_accuracy": [accuracy, accuracy]})
    return rows


def test_fit_finds_the_constant_that_made_the_accuracies() -> None:
    truth = replace(law_of("square"), units=UnitNoise(signal=0.55, scatter=0.0, lag=0.0, load=2.0, width=12))
    found = fit_units(truth, made_up(truth))
    assert found.units.signal == pytest.approx(0.55, rel=1e-3)
    assert found.units.scatter < 1e-3
    assert found.units.lag < 1e-2
    assert found.rms < 1e-4 < found.rms_without
    assert (found.units.width, found.units.load) == (12, pytest.approx(29 / 12, rel=1e-3))


def test_shipped_constants_are_those_of_the_committed_runs() -> None:
    rows = read(RESULTS / FOLDER / f"{NARROW}.json")
    for activation in ("square", "relu"):
        law = law_of(activation)
        found = fit_units(replace(law, units=None), [row for row in rows if row["activation"] == activation])
        assert law.units is not None
        assert found.units.signal == pytest.approx(law.units.signal, rel=1e-3)
        assert found.rms < found.rms_without / 2


def test_all_tasks_of_an_activation_share_the_constants() -> None:
    for law in shipped_thresholds():
        assert law.units == (law_of(law.activation).units if law.model == "mlp" else None)


def test_no_calibration_run_is_of_a_scored_problem() -> None:
    scored = [*known_rows(RESULTS), *measured_rows(RESULTS)]
    asked = {(row["activation"], row["modulus"], row["width"]) for row in scored if row["weight_decay"] == 1.0}
    rows = read(RESULTS / FOLDER / f"{NARROW}.json")
    assert not asked & {(row["activation"], row["modulus"], row["width"]) for row in rows}


def test_calibration_runs_lie_above_the_transition_of_wide_networks_and_below_all_pairs() -> None:
    made = configs(shipped_thresholds())
    assert {len(runs) for runs in made} == {SEEDS}
    for runs in made:
        problem, n_train = runs[0].problem, runs[0].n_train
        law = replace(law_of(problem.activation), units=None)
        assert problem.modulus in MODULI
        assert 1.3 * law.clocks(problem).half.critical_size(problem.horizon) < n_train < problem.n_pairs


def test_page_holds_what_was_fitted() -> None:
    truth = replace(law_of("square"), units=UnitNoise(signal=0.55, scatter=0.0, lag=0.0, load=2.0, width=12))
    page = page_with_narrow(f"before\n{BEGIN}\nold\n{END}\nafter", {"square": fit_units(truth, made_up(truth))})
    assert "old" not in page
    assert page.startswith("before\n")
    assert page.endswith("\nafter")
    assert "| `square` | 0.550 ± 0.000 | 0.471 |" in page
