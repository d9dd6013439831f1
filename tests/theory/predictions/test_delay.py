import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.predictions.delay import DelayPrediction, Start, delay_steps, growth_time, predict_delay
from dcrit.theory.predictions.simulation import balance_amplitude, flow_at, grokking_delay, simulate
from dcrit.theory.problems.problem import Problem
from tests.worlds.theory import EXACT, NOISY

RELU = Problem(activation="relu")
LAWS = EXACT.competition(Problem(), np.random.default_rng(0))
CROSSING = LAWS.crossing().n_train  # type: ignore[union-attr]
#: Unseen inputs answered right as soon as generalization leads: the passage is at equal margins.
EVEN = replace(LAWS, deficits=replace(LAWS.deficits, median=1.0, median_exponent=0.0))
BALANCED = Start(memorizing=1.0, generalizing=1e-6)


def simulated(laws: Competition, n_train: float, steps: int) -> float:
    """Steps to even odds of additive circuits at κ = 2 from a balanced memorizing network."""
    found = simulate(flow_at(RELU, laws, n_train, shared=False), BALANCED, steps=steps, n_points=3000)
    passed = grokking_delay(found, level=0.5).generalized
    assert passed is not None
    return passed


def law(n_train: float) -> float:
    """ln(u_mem/u_gen0)/(ηλ(e_gen/e_mem − 1)), with u_gen at equal margins for the end."""
    ratio = (n_train / CROSSING) ** LAWS.memorizing.exponent
    way = math.log(1 / BALANCED.generalizing) - math.log(ratio) / 2
    return RELU.time_constant * way / (ratio - 1)


@pytest.mark.parametrize(("excess", "tolerance"), [(1.2, 0.06), (1.05, 0.015), (1.01, 0.004)])
def test_delay_of_the_simulation_tends_to_the_law(excess: float, tolerance: float) -> None:
    n_train = excess * CROSSING
    assert simulated(EVEN, n_train, round(3 * law(n_train))) == pytest.approx(law(n_train), rel=tolerance)


def test_delay_diverges_as_the_inverse_logarithm() -> None:
    found = [simulated(EVEN, r * CROSSING, round(3 * law(r * CROSSING))) * math.log(r) for r in (1.04, 1.02, 1.01)]
    limit = RELU.time_constant * math.log(1 / BALANCED.generalizing) / LAWS.memorizing.exponent
    errors = [abs(value / limit - 1) for value in found]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02


def test_closed_form_is_the_law_for_additive_circuits() -> None:
    n_train = round(1.3 * CROSSING)
    found = delay_steps(constants_of(EVEN)[None], RELU, n_train, level=0.5, start=BALANCED, shared=False)
    assert found.generalize[0] == pytest.approx(law(n_train), rel=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    start=st.floats(-8.0, -0.5),
    length=st.floats(0.05, 8.0),
    gap=st.floats(0.05, 2.0),
    degree=st.one_of(st.floats(1.0, 3.0), st.just(2.0), st.floats(2 - 1e-7, 2 + 1e-7)),
)
def test_growth_time_is_its_integral(start: float, length: float, gap: float, degree: float) -> None:
    end = start + length
    found = float(growth_time(start, end, gap, degree))

    def rate(log_y: float) -> float:
        return math.expm1(gap + (degree - 2) * log_y)

    if min(rate(start), rate(end)) <= 0:
        assert found == math.inf
    elif min(rate(start), rate(end)) > 1e-3:
        assert found == pytest.approx(quad(lambda y: 1 / rate(y), start, end, limit=200)[0], rel=1e-5)


def test_cubic_circuits_must_start_large() -> None:
    gap = math.log(1.5)
    assert float(growth_time(math.log(0.6), 0.0, gap, 3.0)) == math.inf
    # ln((R − z_1)/(R − z_0)), z = u_mem/u_gen
    expected = math.log((1.5 - 1.0) / (1.5 - 1 / 0.8))
    assert float(growth_time(math.log(0.8), 0.0, gap, 3.0)) == pytest.approx(expected)


@pytest.mark.parametrize("problem", [Problem(), RELU])
@pytest.mark.parametrize("n_train", [260, 330, 420])
def test_closed_form_is_near_the_simulation(problem: Problem, n_train: int) -> None:
    found = delay_steps(constants_of(LAWS)[None], problem, n_train)
    passed = grokking_delay(simulate(flow_at(problem, LAWS, n_train), steps=20_000, n_points=1000))
    assert passed.memorized is not None
    assert passed.generalized is not None
    assert found.memorize[0] == pytest.approx(passed.memorized, rel=0.35)
    assert abs(math.log(found.generalize[0] / passed.generalized)) < 0.5


def test_memorization_takes_the_time_of_equal_steps() -> None:
    circuits = flow_at(RELU, LAWS, 60)
    full = balance_amplitude(circuits, circuits.memorizing) ** (circuits.degree / 2)
    margin = math.log(22 * 99)
    fit, top = math.sqrt(margin / circuits.memorizing), math.sqrt(RELU.n_params)
    found = delay_steps(constants_of(LAWS)[None], RELU, 60)
    expected = 100 * math.log((top - 0.12 * full) / (top - fit))
    assert found.memorize[0] == pytest.approx(expected, rel=1e-6)


CALIBRATION = NOISY.calibrate(np.random.default_rng(0))


def predicted(n_train: int, level: float = 0.9) -> DelayPrediction:
    return predict_delay(Problem(), CALIBRATION, n_train, level, n_draws=300)


def test_above_the_transition_steps_have_intervals() -> None:
    found = predicted(450)
    for one in (found.memorize_steps, found.generalize_steps):
        assert one.value is not None
        assert one.interval is not None
        assert one.value in one.interval
        assert one.interval.low < one.interval.high < math.inf
        assert one.unit == "steps"
    assert found.memorize_steps.value <= found.generalize_steps.value  # type: ignore[operator]
    assert found.probability == 1.0
    assert found.generalize_steps.reason == ""


def test_below_it_there_is_none_with_a_reason() -> None:
    found = predicted(60)
    assert found.memorize_steps.value is not None
    assert found.generalize_steps.value is None
    assert found.generalize_steps.interval is None
    assert "60 examples are too few" in found.generalize_steps.reason
    assert found.probability == 0.0


@pytest.mark.slow
def test_delay_falls_with_size_and_ends_at_the_predicted_size() -> None:
    completion = LAWS.size_at_accuracy(0.9).n_train  # type: ignore[union-attr]
    constants = constants_of(LAWS)[None]
    times = [float(delay_steps(constants, Problem(), n).generalize[0]) for n in range(round(completion) - 3, 520)]
    finite = np.isfinite(times)
    assert not finite[:2].any()
    assert finite[5:].all()
    assert (np.diff(np.array(times)[finite]) <= 1e-9).all()


def test_draws_that_never_generalize_open_the_interval() -> None:
    sizes = [predicted(n) for n in range(190, 300, 10)]
    undecided = [one for one in sizes if one.generalize_steps.value is not None and one.probability < 0.9]
    assert undecided
    for one in undecided:
        assert one.generalize_steps.interval is not None
        assert one.generalize_steps.interval.high == math.inf
        assert "with probability" in one.generalize_steps.reason


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^n_train must be"):
        predicted(530)
    with pytest.raises(ValueError, match=r"^level must be"):
        predicted(300, 1.0)
    with pytest.raises(ValueError, match=r"^calibration must be"):
        predict_delay(Problem(activation="relu"), CALIBRATION, 100)


def test_the_time_of_a_transformer_depends_on_its_branch() -> None:
    problem = Problem(modulus=47, width=24, model="transformer", activation="relu", learning_rate=3e-3)
    (calibration,) = [one for one in shipped_calibrations() if one.covers(problem)]
    found = predict_delay(problem, calibration, 1300, 0.9)
    assert found.symmetric is not None
    assert found.symmetric.value is not None
    assert found.symmetric.interval is not None
    assert 0.5 < found.symmetric.interval.low < found.symmetric.value < found.symmetric.interval.high <= 1.0
    times = [one.value for one in (found.generalize_if_symmetric, found.generalize_if_ordered) if one is not None]
    assert len(times) == 2
    # Some 6 % of the examples between them are worth about a third of the time.
    assert times[0] < found.generalize_steps.value < times[1] < 1.6 * times[0]  # type: ignore[operator]
    fewer = predict_delay(problem, calibration, 700, 0.9)
    assert fewer.symmetric is not None
    assert fewer.symmetric.value < 0.2  # type: ignore[operator]


def test_of_pair_mlps_there_are_no_branches() -> None:
    (calibration,) = [one for one in shipped_calibrations() if one.covers(Problem(modulus=31))]
    found = predict_delay(Problem(modulus=31), calibration, 300)
    assert (found.symmetric, found.generalize_if_symmetric, found.generalize_if_ordered) == (None, None, None)
