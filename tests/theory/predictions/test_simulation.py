import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dcrit.theory.circuits.margin import loss_from_margin
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.predictions.delay import Start, balance_margin
from dcrit.theory.predictions.simulation import (
    AmplitudeFlow,
    Trajectory,
    balance_amplitude,
    flow_at,
    grokking_delay,
    log_start,
    simulate,
    ungrokking_and_scratch,
)
from dcrit.theory.problems.problem import Problem
from tests.worlds.theory import EXACT

FloatArray = NDArray[np.float64]

SQUARE, RELU = Problem(activation="square"), Problem(activation="relu")
LAWS = EXACT.competition(SQUARE, np.random.default_rng(0))
CROSSING = LAWS.crossing().n_train  # type: ignore[union-attr]

#: Plain gradient flow with efficiencies at which decay is weak enough for both circuits to live.
FLOW = AmplitudeFlow(
    generalizing=1.5,
    memorizing=1.0,
    median=0.5,
    spread=0.2,
    degree=2.0,
    homogeneity=2.0,
    n_classes=23,
    weight_decay=0.02,
    learning_rate=0.5,
    damping=1.0,
)


def euler(circuits: AmplitudeFlow, log_start: FloatArray, time: float, dt: float) -> FloatArray:
    """Amplitudes after a time, by explicit steps of the equation as it is written for additive circuits: (2,)."""
    u = np.exp(log_start)
    e, kappa = np.array([circuits.generalizing, circuits.memorizing]), circuits.homogeneity
    for _ in range(round(time / dt)):
        gamma = float((e * u**kappa).sum())
        wrong = (circuits.n_classes - 1) * math.exp(-gamma)
        slope = wrong / (1 + wrong)
        scale = circuits.damping + kappa * gamma * slope / math.sqrt(float((u**2).sum()) * circuits.n_params)
        u = u + dt * np.array(circuits.rates) * (
            kappa * e * u ** (kappa - 1) * slope / scale - circuits.weight_decay * u
        )
    return u


@pytest.mark.slow
@pytest.mark.parametrize(
    "circuits",
    [
        FLOW,
        replace(FLOW, degree=3.0, homogeneity=3.0, generalizing=0.7),
        replace(FLOW, rates=(0.3, 1.7)),
        replace(FLOW, n_params=400.0, damping=1e-2),
    ],
)
def test_solver_agrees_with_small_explicit_steps(circuits: AmplitudeFlow) -> None:
    begin = np.log([0.2, 0.5])
    steps = 20
    found = simulate(circuits, begin, steps=steps, n_points=2)
    expected = euler(circuits, begin, steps * circuits.learning_rate, 2e-4)
    margins = np.array([found.generalizing_margin[-1], found.memorizing_margin[-1]])
    efficiencies = np.array([circuits.generalizing, circuits.memorizing])
    assert margins == pytest.approx(efficiencies * expected**circuits.homogeneity, rel=2e-3)
    assert found.squared_norm[-1] == pytest.approx((expected**2).sum(), rel=2e-3)


def test_decay_alone_shrinks_the_norm_at_its_rate() -> None:
    circuits = replace(FLOW, degree=1.3, homogeneity=3.0, generalizing=1e-30, memorizing=1e-30)
    found = simulate(circuits, np.zeros(2), steps=30)
    expected = found.squared_norm[0] * np.exp(-2 * circuits.weight_decay * circuits.learning_rate * found.steps)
    assert found.squared_norm == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    advantage=st.floats(-1.5, 1.5),
    degree=st.floats(1.1, 3.0),
    kappa=st.sampled_from([2.0, 3.0]),
    start=st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)),
    rate=st.floats(0.1, 1.0),
)
def test_curves_are_finite_and_end_at_rest(
    advantage: float, degree: float, kappa: float, start: tuple[float, float], rate: float
) -> None:
    circuits = AmplitudeFlow(
        generalizing=2e-3 * math.exp(advantage),
        memorizing=2e-3,
        median=0.5,
        spread=0.2,
        degree=degree,
        homogeneity=kappa,
        n_classes=23,
        weight_decay=1.0,
        learning_rate=1e-2,
        n_params=1e5,
        rates=(rate, 1.0),
    )
    found = simulate(circuits, Start(memorizing=start[0], generalizing=start[1]), n_points=30)
    assert found.reason == ""
    assert found.steps[0] == 0
    assert found.steps[-1] == 4000
    assert (np.diff(found.steps) > 0).all()
    for name in Trajectory.__dataclass_fields__:
        if name != "reason":
            assert np.isfinite(getattr(found, name)).all()
    assert ((found.test_accuracy >= 0) & (found.test_accuracy <= 1)).all()
    gamma = found.generalizing_margin + found.memorizing_margin
    assert found.train_loss == pytest.approx(loss_from_margin(gamma, 23))
    assert found.train_accuracy[-1] > 0.99


@pytest.mark.parametrize("problem", [SQUARE, RELU])
@pytest.mark.parametrize("n_train", [60, 120, 180, 240, 400])
def test_shared_circuits_come_to_rest_at_the_mixture(problem: Problem, n_train: int) -> None:
    circuits = flow_at(problem, LAWS, n_train)
    found = simulate(circuits, steps=40_000, n_points=20)
    odds = math.exp(float(LAWS.log_odds(math.log(n_train))))
    assert found.generalizing_margin[-1] / found.memorizing_margin[-1] == pytest.approx(odds, rel=1e-4)
    assert found.test_accuracy[-1] == pytest.approx(float(LAWS.test_accuracy(n_train)), abs=1e-4)
    gamma = found.generalizing_margin[-1] + found.memorizing_margin[-1]
    # H equal units of norm r have ‖θ‖₂ = √H·r and ‖θ‖_{2,κ} = H^(1/κ)·r.
    efficiency = math.exp(float(LAWS.log_efficiency(math.log(n_train))))
    both = problem.width ** (1 / 2 + 1 / problem.homogeneity)
    squared_norm = problem.width * (gamma / efficiency) ** (2 / problem.homogeneity) / both
    assert found.squared_norm[-1] == pytest.approx(squared_norm, rel=1e-4)
    efficiency = gamma / squared_norm ** (problem.homogeneity / 2)
    alone = balance_margin(
        efficiency, homogeneity=problem.homogeneity, n_classes=23, weight_decay=1.0, n_params=problem.n_params
    )
    assert gamma == pytest.approx(float(alone), rel=1e-4)


def test_one_additive_circuit_takes_all() -> None:
    for n_train, winner in ((0.8 * CROSSING, 0), (1.25 * CROSSING, 1)):
        found = simulate(flow_at(RELU, LAWS, n_train, shared=False), steps=20_000, n_points=5)
        share = found.generalizing_margin[-1] / (found.generalizing_margin[-1] + found.memorizing_margin[-1])
        assert share == pytest.approx(winner, abs=1e-3)


def test_balance_solves_its_equation() -> None:
    gamma = float(balance_margin(2e-3, homogeneity=2, n_classes=23, weight_decay=1.0, n_params=1e4))
    norm = gamma / 2e-3
    slope = 1 / (1 + math.exp(gamma - math.log(22)))
    assert 2 * gamma * slope * (1 - math.sqrt(norm / 1e4)) == pytest.approx(1e-8 * norm, rel=1e-6)
    circuits = replace(flow_at(RELU, LAWS, 100), n_params=1e4)
    amplitude = balance_amplitude(circuits, 2e-3)
    assert 2e-3 * amplitude**circuits.degree == pytest.approx(gamma, rel=1e-9)


def test_balance_is_none_where_decay_is_too_strong() -> None:
    margins = balance_margin([1e-9, 1e-2], homogeneity=2, n_classes=23, weight_decay=1.0, n_params=4000)
    assert np.isnan(margins).tolist() == [True, False]
    circuits = replace(FLOW, weight_decay=50.0)
    found = simulate(circuits)
    assert len(found.steps) == 0
    assert "extinguishes" in found.reason
    assert grokking_delay(found).delay is None


def test_start_is_what_it_says() -> None:
    circuits = flow_at(SQUARE, LAWS, 150)
    begin = log_start(circuits, Start(memorizing=0.2, generalizing=0.3))
    assert begin[0] - begin[1] == pytest.approx(math.log(0.3))
    best = max(circuits.generalizing, circuits.memorizing)
    full = balance_amplitude(circuits, best) ** (circuits.degree / 3)
    assert math.sqrt(float(circuits.squared_norm(begin))) == pytest.approx(0.2 * full)


def test_test_loss_is_the_mean_over_unseen_inputs() -> None:
    found = simulate(flow_at(SQUARE, LAWS, 200), n_points=10)
    circuits = flow_at(SQUARE, LAWS, 200)
    z = np.random.default_rng(0).standard_normal(200_000)
    for k in (3, 9):
        margin = found.generalizing_margin[k] - found.memorizing_margin[k] * (circuits.median + circuits.spread * z)
        assert found.test_loss[k] == pytest.approx(loss_from_margin(margin, 23).mean(), rel=0.02)


def sizes(problem: Problem, *, shared: bool, laws: Competition = LAWS) -> tuple[float, float]:
    n_trains = np.geomspace(30, 529, 18)
    found = ungrokking_and_scratch(problem, laws, n_trains, shared=shared, start=Start(generalizing=0.6), steps=8000)
    assert found.scratch.shape == found.ungrokking.shape == found.n_trains.shape == (18,)
    assert found.scratch_size is not None
    assert found.ungrokking_size is not None
    return found.scratch_size, found.ungrokking_size


@pytest.mark.slow
def test_cubic_circuits_remember_where_they_came_from() -> None:
    scratch, ungrokking = sizes(SQUARE, shared=False)
    assert ungrokking < CROSSING < scratch
    assert scratch / ungrokking > 2
    # A circuit grows if e·u is the larger one.
    exponent = LAWS.memorizing.exponent
    assert scratch == pytest.approx(CROSSING * 0.6 ** (-1 / exponent), rel=0.15)
    assert ungrokking == pytest.approx(CROSSING * 0.6 ** (1 / exponent), rel=0.15)


@pytest.mark.slow
def test_quadratic_circuits_hardly_do() -> None:
    scratch, ungrokking = sizes(RELU, shared=False)
    assert scratch == pytest.approx(CROSSING, rel=0.1)
    assert ungrokking == pytest.approx(scratch, rel=0.1)


@pytest.mark.slow
def test_mixtures_do_not_and_flip_at_the_critical_size() -> None:
    scratch, ungrokking = sizes(SQUARE, shared=True)
    half = LAWS.size_at_accuracy(0.5).n_train  # type: ignore[union-attr]
    assert scratch == pytest.approx(half, rel=0.03)
    assert ungrokking == pytest.approx(scratch, rel=0.01)


def test_sizes_without_a_flip_are_none() -> None:
    found = ungrokking_and_scratch(SQUARE, LAWS, [400, 500], start=Start(generalizing=0.6))
    assert found.ungrokking.min() > 0.5
    assert found.ungrokking_size is None
    assert ungrokking_and_scratch(SQUARE, LAWS, [30, 40]).scratch_size is None


def test_grokking_follows_memorization_and_the_norm_falls() -> None:
    found = simulate(flow_at(SQUARE, LAWS, 400))
    passed = grokking_delay(found)
    assert passed.memorized is not None
    assert passed.generalized is not None
    assert passed.delay is not None
    assert passed.delay > 0
    assert found.squared_norm[-1] < found.squared_norm.max()
    assert grokking_delay(simulate(flow_at(SQUARE, LAWS, 60))).generalized is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("degree", 0.0), ("spread", -1.0), ("n_classes", 1), ("n_params", 0), ("median", math.nan), ("rates", (1.0, 0.0))],
)
def test_bad_circuits_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be"):
        replace(FLOW, **{field: value})


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^steps must be"):
        simulate(FLOW, steps=0)
    with pytest.raises(ValueError, match=r"^memorizing must be"):
        Start(memorizing=0.0)
    with pytest.raises(ValueError, match=r"^n_train must be"):
        flow_at(Problem(), LAWS, 0)
