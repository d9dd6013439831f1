import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dcrit.theory.circuits.crossing import Crossing, NoCrossing, crossing_of, find_root, unsaturated_crossing
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from tests.worlds.strategies import crossing_laws

Laws = tuple[MemorizingLaw, GeneralizingLaw]
drifts = st.floats(-0.5, 0.8)
saturations = st.floats(0.1, 2.0)


def solved(memorizing: MemorizingLaw, generalizing: GeneralizingLaw) -> Crossing:
    outcome = crossing_of(memorizing, generalizing)
    assert isinstance(outcome, Crossing)
    return outcome


@given(crossing_laws(drift=drifts))
def test_solver_agrees_with_the_closed_form(laws: Laws) -> None:
    assert solved(*laws).n_train == pytest.approx(unsaturated_crossing(*laws), rel=1e-9)


@given(crossing_laws(drift=drifts), saturations, st.floats(1.1, 100.0))
def test_efficiencies_are_equal_at_the_crossing(laws: Laws, saturation: float, room: float) -> None:
    memorizing = replace(laws[0], capacity=room * unsaturated_crossing(*laws), saturation=saturation)
    outcome = crossing_of(memorizing, laws[1])
    assume(isinstance(outcome, Crossing))
    assert isinstance(outcome, Crossing)
    log_size = math.log(outcome.n_train)
    assert memorizing.log_efficiency(log_size) == pytest.approx(math.log(outcome.efficiency), abs=1e-6)
    assert laws[1].log_efficiency(log_size) == pytest.approx(math.log(outcome.efficiency), abs=1e-9)


@given(crossing_laws(), saturations, st.floats(0.3, 3.0))
def test_crossing_is_where_a_scan_of_the_literal_formulas_changes_sign(
    laws: Laws, saturation: float, room: float
) -> None:
    limit = max(1.5, room * unsaturated_crossing(*laws))
    memorizing = replace(laws[0], capacity=limit, saturation=saturation)
    grid = np.exp(np.linspace(0, math.log(limit), 2001))[:-1]
    ratio = memorizing.amplitude * grid**-memorizing.exponent * (1 - grid / limit) ** saturation / laws[1].full_data
    outcome = crossing_of(memorizing, laws[1])
    if ratio[0] <= 1:
        assert isinstance(outcome, NoCrossing)
        assert outcome.winner == "generalizing"
        return
    above = grid[ratio > 1]
    assert np.all(grid[: len(above)] == above)
    assert isinstance(outcome, Crossing)
    assert above[-1] <= outcome.n_train * (1 + 1e-9)
    if len(above) < len(grid):
        assert outcome.n_train <= grid[len(above)] * (1 + 1e-9)


@given(crossing_laws(drift=drifts), st.floats(1.001, 1.5))
def test_critical_size_falls_with_generalizing_and_rises_with_memorizing_efficiency(laws: Laws, factor: float) -> None:
    memorizing, generalizing = laws
    middle = solved(memorizing, generalizing).n_train
    helped = crossing_of(memorizing, replace(generalizing, full_data=generalizing.full_data * factor))
    assert isinstance(helped, Crossing) or helped.winner == "generalizing"
    hindered = crossing_of(replace(memorizing, amplitude=memorizing.amplitude * factor), generalizing)
    assert isinstance(hindered, Crossing) or hindered.winner == "memorizing"
    if isinstance(helped, Crossing):
        assert helped.n_train < middle
    if isinstance(hindered, Crossing):
        assert hindered.n_train > middle


@given(crossing_laws(), saturations, st.floats(1.1, 10.0))
def test_saturation_lowers_the_critical_size(laws: Laws, saturation: float, room: float) -> None:
    plain = solved(*laws).n_train
    saturated = crossing_of(replace(laws[0], capacity=room * plain, saturation=saturation), laws[1])
    assert isinstance(saturated, Crossing) or saturated.winner == "generalizing"
    if isinstance(saturated, Crossing):
        assert saturated.n_train < plain


@given(crossing_laws(drift=drifts), st.floats(1.5, 10.0))
def test_vanishing_saturation_restores_the_closed_form(laws: Laws, room: float) -> None:
    plain = unsaturated_crossing(*laws)
    memorizing = replace(laws[0], capacity=room * plain, saturation=1e-10)
    assert solved(memorizing, laws[1]).n_train == pytest.approx(plain, rel=1e-7)


# At the smallest exponent the drop at capacity is steeper than floating point resolves.
@pytest.mark.parametrize("saturation", [1e-9, 1e-3, 0.1, 0.5])
def test_capacity_bounds_the_critical_size_when_memorizing_is_the_more_efficient_up_to_it(saturation: float) -> None:
    memorizing = MemorizingLaw(amplitude=1e3, exponent=0.7, capacity=50.0, saturation=saturation)
    outcome = solved(memorizing, GeneralizingLaw(full_data=1.0, n_pairs=500.0))
    assert outcome.n_train == pytest.approx(50.0, rel=1e-3)
    assert outcome.n_train <= 50.0
    assert outcome.efficiency == pytest.approx(1.0)


@pytest.mark.parametrize("saturation", [0.0, 1.0])
def test_generalizing_may_win_everywhere(saturation: float) -> None:
    memorizing = MemorizingLaw(amplitude=1.0, exponent=0.7, capacity=400.0, saturation=saturation)
    outcome = crossing_of(memorizing, GeneralizingLaw(full_data=1.01, n_pairs=500.0))
    assert isinstance(outcome, NoCrossing)
    assert outcome.winner == "generalizing"
    assert "first example" in outcome.reason


@pytest.mark.parametrize("limit", [math.inf, 600.0])
def test_memorizing_may_win_everywhere(limit: float) -> None:
    memorizing = MemorizingLaw(amplitude=1e6, exponent=0.7, capacity=limit, saturation=1.0)
    outcome = crossing_of(memorizing, GeneralizingLaw(full_data=1.0, n_pairs=500.0))
    assert isinstance(outcome, NoCrossing)
    assert outcome.winner == "memorizing"
    assert "500 examples" in outcome.reason


@pytest.mark.parametrize("drift", [0.5, 0.7])
def test_generalizing_must_not_fall_faster_than_memorizing(drift: float) -> None:
    memorizing = MemorizingLaw(amplitude=10.0, exponent=0.5)
    with pytest.raises(ValueError, match=r"^exponent must be above the generalizing drift 0\.[57], got 0\.5"):
        crossing_of(memorizing, GeneralizingLaw(full_data=1.0, n_pairs=500.0, drift=drift))


@given(st.floats(0.1, 50.0))
def test_roots_are_accurate(target: float) -> None:
    assert find_root(lambda x: x**3 - target, 0.0, 10.0) == pytest.approx(target ** (1 / 3), rel=1e-10)
