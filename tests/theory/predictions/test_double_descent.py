from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.theory.calibrations.calibration import calibration_of, shipped_calibrations
from dcrit.theory.circuits.constants import competition_from
from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.predictions.double_descent import (
    accuracy_by_clock,
    accuracy_from,
    deepest,
    predict_accuracies,
    predict_double_descent,
)
from dcrit.theory.predictions.phase_diagram import phase_diagram, predict_star
from dcrit.theory.problems.problem import Problem
from tests.worlds.theory import EXACT, NOISY

CALIBRATION = replace(NOISY.calibrate(np.random.default_rng(0)), capacity=CapacityLaw(bits=0.5, log_bits_error=0.04))
KNOWN = replace(EXACT.calibrate(np.random.default_rng(0)), capacity=CapacityLaw(bits=0.5))
WIDTHS = np.arange(8, 129)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 529), st.integers(16, 128))
def test_accuracy_is_that_of_the_competition_within_capacity(n_train: int, width: int) -> None:
    constants = CALIBRATION.constants(Problem(width=width))
    exact = competition_from(constants, 529).test_accuracy(n_train)
    assert accuracy_from(constants[None], 529, n_train, np.inf, 0.0)[0] == pytest.approx(float(exact), rel=1e-9)
    assert accuracy_from(constants[None], 529, n_train, n_train - 1.0, 0.25)[0] == 0.75


def test_the_dip_sits_where_capacity_passes_the_training_set() -> None:
    star = phase_diagram(Problem(), KNOWN, widths=WIDTHS, n_trains=[1.0], n_draws=5).star.n_train.value
    assert star is not None
    below = predict_double_descent(
        Problem(), KNOWN, n_train=int(0.8 * star), widths=WIDTHS, sharp_capacity=True, n_draws=20
    )
    above = predict_double_descent(
        Problem(), KNOWN, n_train=min(500, int(1.5 * star)), widths=WIDTHS, sharp_capacity=True, n_draws=20
    )
    assert below.dip
    assert below.width.value is not None
    memorized = 0.5 * 3 * 23 / np.log2(23)
    assert memorized * (below.width.value - 1) < below.n_train <= memorized * below.width.value
    assert not above.dip
    assert above.width.value is None
    assert "no dip" in above.width.reason
    for found in (below, above):
        assert {one.horizon for one in (found.depth, found.width, found.place)} == {found.horizon}
        assert found.params_exponent == pytest.approx(1)
        assert found.width_exponent == pytest.approx(1)
        assert ((found.accuracy_low <= found.accuracy) & (found.accuracy <= found.accuracy_high)).all()


def test_without_a_sharp_capacity_the_mixture_holds_at_every_size() -> None:
    found = predict_double_descent(Problem(), KNOWN, n_train=150, widths=WIDTHS, n_draws=20)
    exact = [
        float(competition_from(KNOWN.constants(Problem(width=width)), 529).test_accuracy(150))
        for width in WIDTHS.tolist()
    ]
    assert found.accuracy == pytest.approx(exact, rel=1e-9)
    assert found.dip == (deepest(np.array(exact)[:, None])[0][0] >= 0.1)


@pytest.mark.parametrize(("width", "modulus"), [(16, 23), (24, 31), (40, 31)])
def test_a_transformer_passes_one_half_where_its_critical_size_is(width: int, modulus: int) -> None:
    problem = Problem(modulus=modulus, model="transformer", activation="relu", width=width, learning_rate=3e-3)
    (calibration,) = [one for one in shipped_calibrations() if one.model == "transformer"]
    asked = predict_critical_size(problem, calibration, n_draws=200)
    size, onset = asked.critical_size.value, asked.onset.value
    assert size is not None
    assert onset is not None
    assert asked.at_rest.value is not None
    assert asked.at_rest.value < onset  # mirror images decide, at every accuracy

    def at(n_train: float) -> float:
        found = predict_double_descent(
            problem, calibration, n_train=round(n_train), widths=[width, width + 4], n_draws=20
        )
        assert found.accuracy_low[0] <= found.accuracy[0] <= found.accuracy_high[0]
        return float(found.accuracy[0])

    assert at(size) == pytest.approx(0.5, abs=0.02)
    assert at(onset) == pytest.approx(0.1, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("modulus", [31, 37, 43])
def test_transformers_dip_below_the_star_and_not_far_above_it(modulus: int) -> None:
    problem = Problem(model="transformer", modulus=modulus, width=24)
    calibration = calibration_of(problem)
    star = predict_star(problem, calibration, horizon=5000, n_draws=20)
    assert star.n_train.value is not None
    below, above = (
        predict_double_descent(
            problem,
            calibration,
            n_train=round(factor * star.n_train.value),
            widths=[4, 8, 12, 16, 24, 32, 48, 64],
            horizon=5000,
        )
        for factor in (0.85, 1.3)
    )
    assert below.dip
    assert below.width.value in (8, 12, 16)
    assert below.probability > 0.5
    assert not above.dip


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["square", "relu"])
def test_pair_mlps_do_not_dip(activation: str) -> None:
    problem = Problem(modulus=31, activation=activation)
    widths = [32, 40, 48, 64, 96, 128, 256]
    for n_train in (150, 250, 350, 450, 600, 800):
        found = predict_double_descent(problem, calibration_of(problem), n_train=n_train, widths=widths, n_draws=100)
        assert not found.dip
        assert found.probability == 0


@pytest.mark.slow
def test_accuracy_is_that_of_the_clocks_and_falls_with_the_probability_that_the_rule_does_not_fit() -> None:
    problem = Problem(model="transformer", modulus=37, width=24)
    law = calibration_of(problem).thresholds
    assert law is not None
    problems = [replace(problem, width=width) for width in (4, 16)]
    found = accuracy_by_clock(law, problems, 500, 5000, memorized=np.inf, unfit=np.array([[0.0], [0.5]]))
    expected = [float(law.clocks(one).accuracy(500, 5000)) for one in problems]
    assert found[:, 0].tolist() == pytest.approx([expected[0], expected[1] / 2])
    sharp = accuracy_by_clock(law, problems, 500, 5000, memorized=np.array([[80.0], [1500.0]]), unfit=0.0)
    assert sharp[:, 0].tolist() == pytest.approx([1.0, expected[1]])


def test_a_fall_counts_as_far_as_it_is_recovered() -> None:
    curves = np.array([[1.0, 1.0, 0.0], [0.2, 0.2, 0.5], [0.9, 0.3, 1.0]])
    depth, at = deepest(curves)
    assert depth.tolist() == pytest.approx([0.8, 0.2, 0.0])
    assert at.tolist()[:2] == [1, 1]


@pytest.mark.parametrize("name", ["n_train", "widths", "level", "n_draws"])
def test_bad_input_is_refused(name: str) -> None:
    bad = {"widths": [3], "n_train": 0, "level": 0.0, "n_draws": 0}[name]
    with pytest.raises(ValueError, match=f"^{name} must be"):
        predict_double_descent(Problem(), CALIBRATION, **{"widths": [16, 24], "n_train": 9, name: bad})  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("problem", [Problem(), Problem(model="transformer")], ids=str)
@pytest.mark.parametrize("sharp_capacity", [False, True])
def test_single_widths_are_told_as_the_curve_tells_them(problem: Problem, sharp_capacity: bool) -> None:
    calibration, widths = calibration_of(problem, None), [48, 16, 32]
    asked: dict[str, Any] = {"n_train": 200, "horizon": 900, "n_draws": 60, "sharp_capacity": sharp_capacity}
    curve = predict_double_descent(problem, calibration, widths=sorted(widths), **asked)
    for width, one in zip(widths, predict_accuracies(problem, calibration, widths=widths, **asked), strict=True):
        at = sorted(widths).index(width)
        assert one.value == pytest.approx(curve.accuracy[at])
        assert one.interval is not None
        assert one.interval.low == pytest.approx(curve.accuracy_low[at])
        assert one.interval.high == pytest.approx(curve.accuracy_high[at])


@pytest.mark.slow
def test_a_width_that_a_calibration_does_not_reach_has_no_value_but_a_reason() -> None:
    problem = Problem(modulus=13, model="transformer", beta2=0.99)
    calibration = calibration_of(problem, None)
    silent = predict_accuracies(problem, calibration, n_train=60, widths=[16], n_draws=20)
    assert silent[0].value is None
    assert "calibration must reach width 16" in silent[0].reason
