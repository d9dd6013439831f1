import numpy as np
import pytest
from matplotlib.figure import Figure

from dcrit.empirics.experiments.dynamics_points import DynamicsDesign, DynamicsEvidence, measure
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.figures.measured import dynamics
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.predictions.simulation import simulate_by_clock
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World

PROBLEM = Problem(modulus=31, width=64)
LABORATORY = Laboratory(World(), lambda *_, **__: [], shipped_calibrations())


@pytest.fixture(scope="module")
def points() -> list[DynamicsEvidence]:
    return measure(DynamicsDesign(problems=(PROBLEM,), seeds=1), LABORATORY)


@pytest.mark.slow
def test_curves_by_the_theory_lie_over_those_measured(points: list[DynamicsEvidence]) -> None:
    prediction, calibration = LABORATORY.predict(PROBLEM), calibration_for(PROBLEM, LABORATORY.calibrations)
    assert prediction is not None
    assert calibration is not None
    for point in points:
        upper, lower = Figure().subplots(2, 1)
        dynamics.draw_accuracy(upper, point)
        dynamics.draw_norm(lower, point)
        drawn = {str(line.get_label()): np.asarray(line.get_xydata()) for line in (*upper.lines, *lower.lines)}
        if point.predicted == "progression":
            assert point.simulated is None
            assert set(drawn) == {"train accuracy", "test accuracy", "squared norm"}
            continue
        expected = simulate_by_clock(PROBLEM, calibration, prediction, point.n_train)
        for label, curve in (
            ("train, by the theory", expected.train_accuracy),
            ("test, by the theory", expected.test_accuracy),
            ("norm, by the theory", expected.squared_norm),
        ):
            np.testing.assert_allclose(drawn[label], np.stack([expected.steps, curve], 1))
    assert {point.predicted for point in points} >= {"progression", "grokking"}


@pytest.mark.slow
def test_the_legend_has_each_curve_once(points: list[DynamicsEvidence]) -> None:
    figure = dynamics.draw(points)
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(dynamics.ORDER)
