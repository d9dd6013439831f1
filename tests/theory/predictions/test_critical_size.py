import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.crossing import Crossing, NoCrossing
from dcrit.theory.circuits.laws import capacity
from dcrit.theory.circuits.margin import cost
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.circuits.symmetry import SymmetryLaw
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.predictions.critical_size import levels_below, predict_critical_size, size_prediction
from dcrit.theory.problems.problem import Problem
from tests.worlds.theory import EXACT, NOISY, WIDTHS

CALIBRATION = NOISY.calibrate(np.random.default_rng(0))
RNG = np.random.default_rng(1)
BEST = EXACT.competition(Problem(), RNG)


def size_of(outcome: Crossing | NoCrossing) -> float:
    assert isinstance(outcome, Crossing)
    return outcome.n_train


def interval_of(prediction: Estimate) -> Interval:
    assert prediction.interval is not None
    return prediction.interval


def scaled(competition: Competition, factor: float) -> Competition:
    """The same with another generalizing efficiency."""
    law = competition.generalizing
    return replace(competition, generalizing=replace(law, full_data=law.full_data * factor))


def prediction(best: Competition, *draws: Competition, accuracy: float | None = 0.5) -> Estimate:
    constants = np.array([constants_of(laws) for laws in draws or (best,)])
    return size_prediction("size", best, constants, accuracy=accuracy)


@pytest.mark.parametrize(("modulus", "width"), [(11, 16), (23, 64), (29, 128)])
def test_known_laws_give_the_sizes_that_solve_them(modulus: int, width: int) -> None:
    problem = Problem(modulus=modulus, width=width)
    truth = EXACT.competition(problem, np.random.default_rng(0))
    predicted = predict_critical_size(problem, EXACT.calibrate(np.random.default_rng(2)), n_draws=5)
    for found, accuracy in ((predicted.critical_size, 0.5), (predicted.onset, 0.1), (predicted.completion, 0.9)):
        assert found.value == pytest.approx(size_of(truth.size_at_accuracy(accuracy)), rel=1e-6)
        assert interval_of(found).low == pytest.approx(found.value, rel=1e-4)
        assert interval_of(found).high == pytest.approx(found.value, rel=1e-4)
    assert predicted.crossing.value == pytest.approx(size_of(truth.crossing()), rel=1e-6)
    assert predicted.capacity.value == pytest.approx(float(capacity(2.0, 3 * modulus * width, modulus)))
    assert predicted.generalizing_efficiency.value == pytest.approx(truth.generalizing.full_data, rel=1e-6)


@pytest.mark.slow
def test_intervals_of_sizes_cover_held_out_problems() -> None:
    rng = np.random.default_rng(5)
    worlds, covered = 250, []
    for seed in range(worlds):
        calibration = NOISY.calibrate(rng)
        problem = Problem(modulus=int(rng.integers(17, 30)), width=int(rng.choice(WIDTHS)))
        truth = NOISY.competition(problem, rng)
        predicted = predict_critical_size(problem, calibration, n_draws=100, seed=seed)
        covered.append(
            [
                size_of(truth.size_at_accuracy(0.5)) in interval_of(predicted.critical_size),
                size_of(truth.crossing()) in interval_of(predicted.crossing),
                size_of(truth.size_at_accuracy(0.9)) in interval_of(predicted.completion),
            ]
        )
    assert np.mean(covered, axis=0) == pytest.approx(0.9, abs=3.5 * math.sqrt(0.09 / worlds))


def test_capacity_interval_is_that_of_its_bits() -> None:
    predicted = predict_critical_size(Problem(), CALIBRATION, n_draws=5).capacity
    per_bit = 3 * 23 * 64 / math.log2(23)
    assert predicted.value == pytest.approx(2.0 * per_bit)
    assert interval_of(predicted).low == pytest.approx(2.0 * math.exp(-1.6449 * 0.05) * per_bit, rel=1e-4)
    assert interval_of(predicted).high == pytest.approx(2.0 * math.exp(1.6449 * 0.05) * per_bit, rel=1e-4)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_weight_decay_moves_no_size_and_no_efficiency(factor: float) -> None:
    one = predict_critical_size(Problem(), CALIBRATION, n_draws=5)
    other = predict_critical_size(Problem(weight_decay=factor), CALIBRATION, n_draws=5)
    assert one.competition == other.competition
    for name in ("critical_size", "crossing", "onset", "completion", "capacity", "generalizing_efficiency"):
        assert getattr(one, name).value == getattr(other, name).value


@pytest.mark.parametrize("degree", [2, 3])
def test_costs_are_equal_at_the_crossing_at_every_margin(degree: int) -> None:
    log_size = math.log(size_of(BEST.crossing()))
    memorizing, generalizing = (
        cost(np.array([0.1, 1.0, 7.0]), math.exp(law.log_efficiency(log_size)), degree)
        for law in (BEST.memorizing, BEST.generalizing)
    )
    assert memorizing == pytest.approx(generalizing, rel=1e-9)


def test_a_less_efficient_generalizing_circuit_needs_more_examples() -> None:
    sizes = [prediction(scaled(BEST, factor)).value for factor in (1.2, 1.0, 0.9)]
    assert sizes == sorted(size for size in sizes if size is not None)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize("field", ["weight_decay", "learning_rate"])
def test_intervals_widen_outside_the_calibrated_optimizer(field: str) -> None:
    intervals = [
        interval_of(predict_critical_size(problem, CALIBRATION, n_draws=100).crossing)
        for problem in (Problem(), *(Problem(**{field: getattr(Problem(), field) * f}) for f in (2.0, 5.0, 20.0)))
    ]
    for inner, outer in pairwise(intervals):
        assert outer.low < inner.low
        assert outer.high > inner.high


def test_intervals_widen_beyond_the_calibrated_widths() -> None:
    spans = []
    for width in (128, 256, 512):
        interval = interval_of(predict_critical_size(Problem(width=width), CALIBRATION, n_draws=100).crossing)
        spans.append(interval.high / interval.low)
    assert spans == sorted(spans)
    assert spans[-1] > 2 * spans[0]


@pytest.mark.parametrize(
    ("fields", "extrapolated"),
    [
        ({}, False),
        ({"width": 128, "modulus": 29}, False),
        ({"width": 129}, True),
        ({"width": 15}, True),
        ({"modulus": 31}, True),
        ({"weight_decay": 0.9}, True),
        ({"learning_rate": 1.1e-2}, True),
    ],
)
def test_extrapolation_is_flagged(fields: dict[str, Any], extrapolated: bool) -> None:
    predicted = predict_critical_size(Problem(**fields), CALIBRATION, n_draws=3)
    for name in ("critical_size", "crossing", "onset", "completion", "capacity", "generalizing_efficiency"):
        assert getattr(predicted, name).extrapolated is extrapolated


def test_draws_without_a_transition_count_at_the_end_where_they_belong() -> None:
    late, early = scaled(BEST, 0.05), scaled(BEST, 1e3)
    with_late = prediction(BEST, *[BEST] * 7, *[late] * 3)
    assert interval_of(with_late).low == pytest.approx(with_late.value)
    assert interval_of(with_late).high == 529
    assert "with probability 0.30 there is no transition at rest below all 529 examples" in with_late.reason
    with_early = prediction(BEST, *[BEST] * 7, *[early] * 3)
    assert interval_of(with_early).low == 1.0
    assert interval_of(with_early).high == pytest.approx(with_early.value)
    assert with_early.reason == ""


def test_no_transition_is_a_value_with_its_reason() -> None:
    predicted = prediction(scaled(BEST, 0.05), BEST, scaled(BEST, 0.05))
    assert predicted.value is None
    assert predicted.interval is None
    assert "stays below 0.5 (probability of no transition 0.50)" in predicted.reason


def test_a_transition_that_leaves_nothing_to_test_on_is_none() -> None:
    base = size_of(BEST.crossing())
    late = scaled(BEST, (base / (0.99 * 529)) ** BEST.memorizing.exponent)
    assert size_of(late.crossing()) == pytest.approx(0.99 * 529)
    predicted = prediction(late, accuracy=None)
    assert predicted.value is None
    assert "so none are left to test" in predicted.reason


def test_predictions_are_reproducible() -> None:
    one, again, other = (predict_critical_size(Problem(), CALIBRATION, n_draws=50, seed=seed) for seed in (3, 3, 4))
    assert one == again
    assert one.critical_size.value == other.critical_size.value
    assert one.critical_size.interval != other.critical_size.interval


def test_higher_levels_give_wider_intervals() -> None:
    narrow, wide = (
        interval_of(predict_critical_size(Problem(), CALIBRATION, n_draws=200, level=level).critical_size)
        for level in (0.5, 0.95)
    )
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.level == 0.95


def test_a_calibration_for_something_else_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^calibration must be for task 'add', model mlp and activation relu, got add"
    ):
        predict_critical_size(Problem(activation="relu"), CALIBRATION)


@pytest.mark.parametrize("rate", [1e-3, 1e-4, 1e-12])
def test_extreme_optimizers_leave_little_known(rate: float) -> None:
    predicted = predict_critical_size(Problem(weight_decay=rate, learning_rate=rate), CALIBRATION, n_draws=100)
    near = predict_critical_size(Problem(), CALIBRATION, n_draws=100)
    assert predicted.critical_size.value == near.critical_size.value
    for size in (predicted.critical_size, predicted.crossing):
        assert size.value is not None
        assert size.value in interval_of(size)
        assert interval_of(size).high == 529.0


def test_laws_extrapolated_to_nonsense_are_refused() -> None:
    steep = [
        replace(cell, constants=(cell.constants[0], 0.75 - 0.2 * math.log(cell.width / 48), *cell.constants[2:]))
        for cell in CALIBRATION.cells
    ]
    calibration = replace(CALIBRATION, cells=tuple(steep))
    predict_critical_size(Problem(width=512), calibration, n_draws=3)
    named = (
        r"^calibration must reach 23 symbols at width 100000, got .* do not reach so far .*memorizing_exponent -0\.7"
    )
    with pytest.raises(ValueError, match=named):
        predict_critical_size(Problem(width=10**5), calibration, n_draws=3)


def gated(fraction: float, scatter: float = 0.0) -> SymmetryLaw:
    """Memory of unordered pairs from that part of all pairs on, at every modulus and width."""
    return SymmetryLaw(
        coefficients=(math.log(fraction), 0.0, 0.0, 0.0), width=0.1, covariance=((0.0,) * 4,) * 4, scatter=scatter
    )


def test_from_scratch_a_commutative_task_is_not_generalized_before_memory_is_of_unordered_pairs() -> None:
    calibration = replace(EXACT.calibrate(np.random.default_rng(2)), symmetry=gated(0.7))
    found = predict_critical_size(Problem(), calibration, n_draws=5)
    free = predict_critical_size(Problem(), replace(calibration, symmetry=None), n_draws=5)
    waiting = 0.7 * Problem().n_pairs
    assert found.critical_size.value == pytest.approx(waiting)
    assert found.symmetric_size is not None
    assert found.symmetric_size.value == pytest.approx(waiting)
    # Levels of accuracy are passed as mirror images come right.
    assert found.onset.value == pytest.approx(max(free.onset.value or 0.0, waiting * 9**-0.1))
    assert found.completion.value == pytest.approx(waiting * 9**0.1)
    assert found.at_rest.value == free.critical_size.value == free.at_rest.value
    assert found.crossing == free.crossing
    assert free.symmetric_size is None


def test_a_gate_below_the_balance_changes_nothing() -> None:
    calibration = EXACT.calibrate(np.random.default_rng(2))
    found = predict_critical_size(Problem(), replace(calibration, symmetry=gated(0.02)), n_draws=5)
    assert found.critical_size == predict_critical_size(Problem(), calibration, n_draws=5).critical_size


def test_a_task_that_does_not_commute_has_no_gate() -> None:
    calibration = replace(EXACT.calibrate(np.random.default_rng(2)), symmetry=gated(0.7))
    found = predict_critical_size(Problem(task="sub"), calibration, n_draws=5)
    assert found.symmetric_size is None
    assert found.critical_size.value == found.at_rest.value


def test_a_gate_beyond_all_pairs_leaves_no_transition() -> None:
    calibration = replace(EXACT.calibrate(np.random.default_rng(2)), symmetry=gated(1.2))
    found = predict_critical_size(Problem(), calibration, n_draws=5).critical_size
    assert found.value is None
    assert "the transition would need" in found.reason


def test_the_interval_from_scratch_is_that_of_the_gate() -> None:
    calibration = replace(EXACT.calibrate(np.random.default_rng(2)), symmetry=gated(0.7, scatter=0.06))
    inside = interval_of(predict_critical_size(Problem(), calibration).critical_size)
    assert math.log(inside.high / inside.low) == pytest.approx(2 * 1.645 * 0.06, rel=0.1)
    outside = interval_of(predict_critical_size(Problem(modulus=31), calibration).critical_size)
    assert outside.high / outside.low > inside.high / inside.low


def test_where_generalizing_wins_at_rest_everywhere_the_gate_alone_is_left() -> None:
    cheap = scaled(BEST, 1e4)
    draws = constants_of(cheap)[None]
    found = size_prediction("size", cheap, draws, least=(200.0, np.array([200.0])))
    assert found.value == 200.0
    assert interval_of(found).high == 200.0
    assert size_prediction("size", cheap, draws).value is None


@pytest.mark.parametrize(("horizon", "when"), [(None, "at rest"), (700, "within 700 steps")])
def test_a_size_that_leaves_nothing_to_test_says_when(horizon: int | None, when: str) -> None:
    draws = constants_of(BEST)[None]
    found = size_prediction("size", BEST, draws, least=(528.0, np.array([528.0])), horizon=horizon)
    assert (found.value, found.horizon) == (None, horizon)
    assert f"so none are left to test {when} " in found.reason


def test_far_outside_nothing_is_told_of_what_has_no_meaningful_interval() -> None:
    far = Problem(modulus=113, model="transformer", width=128)
    calibration = calibration_for(far, shipped_calibrations())
    assert calibration is not None
    found = predict_critical_size(far, calibration, n_draws=100)
    for name in ("crossing", "mixture", "generalizing_efficiency"):
        told, raw = found.estimates()[name], getattr(found, name)
        assert (told.value, told.interval) == (None, None)
        assert told.reason.startswith("cannot tell")
        assert raw.interval.high > 10 * raw.interval.low
    assert found.estimates()["critical_size"] == found.critical_size
    near = predict_critical_size(Problem(modulus=23), CALIBRATION, n_draws=100)
    assert all(one.value is not None for one in near.estimates().values())


@given(st.floats(0.01, 1.0))
def test_levels_of_a_narrow_network_stay_in_order_and_below_its_best(most: float) -> None:
    low, half, high = levels_below(most)
    assert 0 < low < half < high < most
    assert half == 0.5 or most <= 0.5
    assert levels_below(1.0) == (0.1, 0.5, 0.9)
