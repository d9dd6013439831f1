import itertools
import math
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.calibrations.facts import facts_constants
from dcrit.theory.circuits.constants import competition_from, constants_of
from dcrit.theory.circuits.crossing import Crossing, NoCrossing
from dcrit.theory.circuits.facts import (
    affordable_facts,
    cost_with_facts,
    effective_examples,
    emergent_critical_size,
    emergent_sizes_from,
    slope_at_no_facts,
)
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.mixture import Competition, DeficitLaw
from dcrit.theory.predictions.emergence import emergence_curve, predict_emergence
from dcrit.theory.problems.problem import Problem

FINE = np.linspace(0.0, 1.0, 20_001)[1:-1]
CHOSEN = next(calibration for calibration in shipped_calibrations() if calibration.covers(Problem()))
FAST: dict[str, Any] = {"widths": np.unique(np.geomspace(16, 256, 12).round().astype(np.int64)), "n_draws": 60}


@st.composite
def competitions(draw: st.DrawFn, *, drift: float = 0.0) -> Competition:
    """Laws with β ≤ 1 that pass test accuracy one half well below all pairs when there are no facts."""
    beta, b = draw(st.floats(0.5, 1.0)), draw(st.floats(1.3, 8.0))
    amplitude, size, median = draw(st.floats(0.01, 10.0)), draw(st.floats(20.0, 300.0)), draw(st.floats(0.2, 1.5))
    nu = draw(st.floats(-0.2, 0.3))
    full = amplitude * size**-beta * median ** (1 / b)
    return Competition(
        memorizing=MemorizingLaw(amplitude=amplitude, exponent=beta),
        generalizing=GeneralizingLaw(full_data=full, n_pairs=1e4, drift=drift),
        deficits=DeficitLaw(median=median * size**-nu, median_exponent=nu, spread=0.2, spread_exponent=0.0),
        mixing=b,
    )


def size_of(competition: Competition, n_facts: float) -> float:
    outcome = emergent_critical_size(competition, n_facts)
    assert isinstance(outcome, Crossing)
    return outcome.n_train


def surplus_by_brute_force(competition: Competition, n_train: float, n_facts: float) -> float:
    """Generalizing share at the cheapest of many, less the median deficit that goes with it."""
    costs = cost_with_facts(competition, n_train=n_train, n_facts=n_facts, share=FINE)
    w = float(FINE[costs.argmin()])
    beta, v = competition.memorizing.exponent, 1 - w
    memorized = n_facts * math.sqrt(1 + w * w) ** (1 / beta) + n_train * v ** (1 / beta)
    median = competition.deficits.median * n_train**competition.deficits.median_exponent
    return w - median * (memorized / n_train) ** beta


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(competition=competitions(), facts=st.floats(0.0, 200.0))
def test_solver_agrees_with_brute_force_over_shares(competition: Competition, facts: float) -> None:
    outcome = emergent_critical_size(competition, facts)
    if isinstance(outcome, Crossing):
        assert surplus_by_brute_force(competition, outcome.n_train * 0.97, facts) < 2e-4
        assert surplus_by_brute_force(competition, outcome.n_train * 1.03, facts) > -2e-4
    elif outcome.winner == "memorizing":
        assert surplus_by_brute_force(competition, 9_700.0, facts) < 2e-4


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(competition=competitions())
def test_without_facts_it_is_the_critical_size(competition: Competition) -> None:
    alone = competition.size_at_accuracy(0.5)
    assert isinstance(alone, Crossing)
    assert size_of(competition, 0.0) == pytest.approx(alone.n_train, rel=1e-9)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(competition=competitions(), facts=st.lists(st.floats(0.0, 400.0), min_size=2, max_size=3))
def test_facts_never_lower_the_critical_size(competition: Competition, facts: list[float]) -> None:
    outcomes = [emergent_critical_size(competition, each) for each in sorted(facts)]
    sizes = [outcome.n_train if isinstance(outcome, Crossing) else math.inf for outcome in outcomes]
    constants = constants_of(competition)[None]
    many = [float(emergent_sizes_from(constants, 10_000, each)[0]) for each in sorted(facts)]
    assert many == pytest.approx(sizes, rel=1e-9)
    assert all(later >= earlier * (1 - 1e-9) for earlier, later in itertools.pairwise(sizes))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(competition=competitions(), n_train=st.floats(30.0, 2_000.0))
def test_facts_that_can_be_afforded_invert_the_critical_size(competition: Competition, n_train: float) -> None:
    facts = float(affordable_facts(constants_of(competition), 10_000, n_train))
    if facts > 0:
        assert size_of(competition, facts) == pytest.approx(n_train, rel=1e-6)
    elif math.isinf(facts):
        assert size_of(competition, 0.0) >= n_train * (1 - 1e-9)


@given(beta=st.floats(0.3, 1.0), share=st.floats(0.0, 0.99), n=st.floats(1.0, 1e4))
def test_one_set_costs_its_margin(beta: float, share: float, n: float) -> None:
    effective = effective_examples(beta, n_train=n, n_facts=0.0, share=share)
    assert float(effective) ** beta == pytest.approx((1 - share) * n**beta)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(competition=competitions())
def test_slope_is_that_of_the_solver(competition: Competition) -> None:
    step = 1e-4
    numeric = (size_of(competition, step) - size_of(competition, 0.0)) / step
    assert slope_at_no_facts(competition) == pytest.approx(numeric, rel=1e-3)


def test_slope_follows_from_the_equations_by_computer_algebra() -> None:
    b, beta, rho, e, amplitude, size, facts, w = sympy.symbols("b beta rho e A D R w", positive=True)
    nu = sympy.Symbol("nu", real=True)
    a = b / (b - 1)
    effective = facts * (1 + w**2) ** (1 / (2 * beta)) + size * (1 - w) ** (1 / beta)
    stationary = sympy.diff((w / e) ** a + (effective**beta / amplitude) ** a, w)
    half = w - rho * size**nu * (effective / size) ** beta
    equations = sympy.Matrix([stationary, half])
    jacobian = equations.jacobian([size, w])
    competition = Competition(
        memorizing=MemorizingLaw(amplitude=0.02, exponent=0.75),
        generalizing=GeneralizingLaw(full_data=5e-4, n_pairs=1000),
        deficits=DeficitLaw(median=0.3, median_exponent=0.1, spread=0.2, spread_exponent=0.0),
        mixing=3.0,
    )
    at = size_of(competition, 0.0)
    median = 0.3 * at**0.1
    point = {b: 3.0, beta: 0.75, rho: 0.3, nu: 0.1, e: 5e-4, amplitude: 0.02, size: at, w: median / (1 + median)}
    point[facts] = 0
    values = np.array(jacobian.subs(point).evalf().tolist(), dtype=float)
    right = np.array([[float(entry.subs(point))] for entry in (stationary.diff(facts), half.diff(facts))])
    assert slope_at_no_facts(competition) == pytest.approx(float(-np.linalg.solve(values, right)[0, 0]), rel=1e-9)


def test_drift_enters_the_slope() -> None:
    competition = Competition(
        memorizing=MemorizingLaw(amplitude=0.02, exponent=0.75),
        generalizing=GeneralizingLaw(full_data=5e-4, n_pairs=1000, drift=0.1),
        deficits=DeficitLaw(median=0.5, median_exponent=0.05, spread=0.2, spread_exponent=0.0),
        mixing=3.0,
    )
    numeric = (size_of(competition, 1e-3) - size_of(competition, 0.0)) / 1e-3
    assert slope_at_no_facts(competition) == pytest.approx(numeric, rel=1e-3)


def test_measured_ratios_are_met() -> None:
    problem = Problem(modulus=19)
    chosen = calibration_for(problem, shipped_calibrations())
    assert chosen is not None
    competition = competition_from(chosen.constants(problem), problem.n_pairs)
    alone = size_of(competition, 0.0)
    measured = {20: 190, 40: 207, 80: 245, 160: 320}
    errors = [
        math.log(size_of(competition, facts * alone / 172) / alone * 172 / size) for facts, size in measured.items()
    ]
    assert np.abs(errors).max() < 0.1


def test_refusals_name_the_field() -> None:
    base = Competition(
        memorizing=MemorizingLaw(amplitude=0.02, exponent=0.75),
        generalizing=GeneralizingLaw(full_data=5e-4, n_pairs=150),
        deficits=DeficitLaw(median=0.5, median_exponent=0.0, spread=0.2, spread_exponent=0.0),
        mixing=3.0,
    )
    for bad in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"^n_facts must be at least 0"):
            emergent_critical_size(base, bad)
    steep = Competition(
        memorizing=MemorizingLaw(amplitude=0.02, exponent=1.2),
        generalizing=base.generalizing,
        deficits=base.deficits,
        mixing=3.0,
    )
    with pytest.raises(ValueError, match=r"^exponent must be at most 1"):
        emergent_critical_size(steep, 1.0)
    full = Competition(
        memorizing=MemorizingLaw(amplitude=0.02, exponent=0.7, capacity=90.0, saturation=0.1),
        generalizing=base.generalizing,
        deficits=base.deficits,
        mixing=3.0,
    )
    with pytest.raises(ValueError, match=r"^saturation must be 0"):
        emergent_critical_size(full, 1.0)
    outcome = emergent_critical_size(base, 1e4)
    assert isinstance(outcome, NoCrossing)
    assert "10000 facts" in outcome.reason


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(facts=st.lists(st.integers(0, 300), min_size=2, max_size=5, unique=True), n_train=st.integers(100, 529))
def test_threshold_rises_with_the_facts(facts: list[int], n_train: int) -> None:
    curve = emergence_curve(Problem(), CHOSEN, n_facts=sorted(facts), n_train=n_train, **FAST)
    for ends in (curve.width, curve.low, curve.high):
        assert (ends[1:] >= ends[:-1]).all()
    assert (curve.low <= curve.high).all()


@pytest.mark.slow
def test_threshold_is_where_the_critical_size_falls_to_n_train() -> None:
    every = np.arange(15, 70, dtype=np.int64)
    found = predict_emergence(Problem(), CHOSEN, n_facts=40, n_train=220, widths=every, n_draws=60)
    assert found.width.value == every[np.flatnonzero(found.critical_size <= 220)[0]]
    assert found.width.value is not None
    assert found.n_params.value == 3 * 23 * found.width.value
    assert found.width.interval is not None
    assert found.width.value in found.width.interval
    assert (found.critical_size > found.critical_size_alone).all()
    coarse = predict_emergence(Problem(), CHOSEN, n_facts=40, n_train=220, **FAST)
    assert coarse.width.value == pytest.approx(found.width.value, abs=3)
    (curve,) = emergence_curve(Problem(), CHOSEN, n_facts=[40], n_train=220, **FAST).width
    assert curve == coarse.width.value


@pytest.mark.slow
def test_no_threshold_is_a_value_with_its_reason() -> None:
    few = predict_emergence(Problem(), CHOSEN, n_facts=100, n_train=60, **FAST)
    assert few.width.value is None
    assert few.width.interval is None
    assert few.width.extrapolated
    assert "fewer than D_crit after 4000 steps beside 100 facts" in few.width.reason
    full = predict_emergence(Problem(), CHOSEN, n_facts=10**6, n_train=500, **FAST)
    assert "exceed the capacity" in full.n_params.reason


def test_facts_have_to_fit() -> None:
    widths = np.arange(16, 30, dtype=np.int64)
    found = predict_emergence(Problem(), CHOSEN, n_facts=1, n_train=529, widths=widths, n_draws=30)
    assert "may be smaller" in found.width.reason
    assert found.width.value == 16


@pytest.mark.slow
def test_extrapolation_is_flagged() -> None:
    inside = predict_emergence(Problem(), CHOSEN, n_facts=20, n_train=250, **FAST)
    outside = predict_emergence(Problem(modulus=31), CHOSEN, n_facts=20, n_train=600, **FAST)
    assert not inside.width.extrapolated
    assert outside.width.extrapolated


def test_bad_questions_name_the_field() -> None:
    questions: tuple[tuple[dict[str, Any], str], ...] = (
        ({"n_facts": -1, "n_train": 200}, "n_facts must be an integer of at least 0"),
        ({"n_facts": 1, "n_train": 530}, "n_train must be at most 529"),
        ({"n_facts": 1, "n_train": 200, "level": 1.0}, "level must be between 0 and 1"),
        ({"n_facts": 1, "n_train": 200, "widths": np.array([16])}, "widths must be at least two"),
    )
    for more, sentence in questions:
        with pytest.raises(ValueError, match=sentence):
            predict_emergence(Problem(), CHOSEN, **more)
    with pytest.raises(ValueError, match=r"^calibration must be for task"):
        predict_emergence(Problem(activation="relu"), CHOSEN, n_facts=1, n_train=200)


TRANSFORMER = Problem(model="transformer", modulus=31)
OF_TRANSFORMERS = next(one for one in shipped_calibrations() if one.covers(TRANSFORMER))


def test_transformers_need_the_width_whose_size_beside_facts_is_enough() -> None:
    beside = facts_constants(TRANSFORMER)
    assert beside is not None
    assert OF_TRANSFORMERS.thresholds is not None
    widths = np.arange(8, 65, 4)
    for n_facts in (0, 150, 300):
        found = predict_emergence(
            TRANSFORMER, OF_TRANSFORMERS, n_facts=n_facts, n_train=600, horizon=5000, widths=widths, n_draws=60
        )
        for width, size, capacity in zip(widths, found.critical_size, found.capacity, strict=True):
            problem = Problem(model="transformer", modulus=31, width=int(width))
            clocks = OF_TRANSFORMERS.thresholds.clocks(problem)
            assert size == pytest.approx(beside.beside(clocks, n_facts).size(0.5, 5000))
            assert (size == pytest.approx(clocks.size(0.5, 5000))) == (n_facts == 0)
            enough = size <= 600 and capacity >= n_facts
            assert enough == (found.width.value is not None and width >= found.width.value)
        assert found.width.horizon == 5000


def test_more_facts_never_need_a_narrower_transformer() -> None:
    curve = emergence_curve(
        TRANSFORMER, OF_TRANSFORMERS, n_facts=[0, 50, 100, 300, 600], n_train=800, horizon=5000, n_draws=60
    )
    for ends in (curve.width, curve.low, curve.high):
        assert (ends[1:] >= ends[:-1]).all()


def test_of_very_many_facts_beside_a_transformer_nothing_is_told() -> None:
    found = predict_emergence(TRANSFORMER, OF_TRANSFORMERS, n_facts=10**5, n_train=600, n_draws=30)
    assert found.width.value is None
    assert found.width.extrapolated
    assert found.width.reason.startswith("cannot tell: 100000 facts")
