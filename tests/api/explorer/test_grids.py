"""Grids of the explorer: what is coded comes back, and what they hold is what the theory says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dcrit.api.explorer import grids
from dcrit.api.explorer.grids import NOTHING, Grid, common_facts, moduli_of, subject_of
from dcrit.theory.calibrations.calibration import calibration_of, shipped_calibrations
from dcrit.theory.families.family import FAMILIES
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem

VALUES = st.one_of(st.floats(-1e3, 1e3), st.just(math.nan))


@given(arrays.arrays(np.float64, (3, 4), elements=VALUES))
def test_what_is_coded_comes_back_to_half_a_step(values: np.ndarray) -> None:
    grid = Grid.of(("a", "b"), values)
    assert np.array_equal(np.isnan(grid.values), np.isnan(values))
    known = np.isfinite(values)
    assert np.all(np.abs(grid.values - values)[known] <= grid.step / 2 * (1 + 1e-9))
    assert (grid.codes[~known] == NOTHING).all()


def test_tasks_have_the_moduli_that_they_are_defined_for() -> None:
    assert moduli_of("add") == list(range(11, 200))
    assert moduli_of("mul")[:4] == [11, 13, 17, 19]
    assert moduli_of("sparse-parity") == moduli_of("symmetric-group") == []


def test_every_family_has_widths_of_its_own_and_every_law_is_shown() -> None:
    assert {family.width_step for family in FAMILIES.values()} == set(grids.WIDTHS)
    assert all(one.thresholds is not None for one in shipped_calibrations())
    assert set(common_facts()["tasks"]) >= {task for one in shipped_calibrations() for task in one.tasks}


@pytest.mark.slow
def test_nodes_hold_what_predict_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "NODES", (22, 47))
    monkeypatch.setattr(grids, "WIDTHS", {1: (60, 100, 170), 4: (5, 8, 13)})
    monkeypatch.setattr(grids, "DECAYS", (0.5, 1.0))
    monkeypatch.setattr(grids, "HORIZONS", (400.0, 4000.0))
    monkeypatch.setattr(grids, "MEMORIZING", {"symbols": (47,), "decay": (1.0,), "part": (0.2, 0.4)})
    problem = Problem(modulus=47, width=100, weight_decay=0.5)
    calibration = calibration_of(problem)
    subject = subject_of(calibration, ("add", "mul"))
    said = predict_critical_size(problem, calibration, horizon=4000)
    read = {name: grid.values for name, grid in subject.grids.items()}
    size, half = said.critical_size, common_facts()["half_width"]
    assert size.value is not None
    assert size.interval is not None
    assert read["half"][1, 1, 0, 1] == pytest.approx(math.log(size.value), abs=1e-4)
    spread = half * math.exp(read["deviation"][1, 1, 0, 1])
    assert spread == pytest.approx(math.log(size.interval.high / size.value), rel=1e-3)
    assert read["half"][1, 1, 0, 1] + read["onset"][1, 1] == pytest.approx(math.log(said.onset.value or 0), abs=1e-4)
    assert read["params"][1, 1] == pytest.approx(math.log(problem.n_params), abs=1e-4)
    assert read["capacity"][1, 1] == pytest.approx(math.log(said.capacity.value or 0), abs=1e-4)
    assert read["memorized"].shape == (1, 3, 1, 2)
    assert subject.facts()["tasks"] == ["add", "mul"]
