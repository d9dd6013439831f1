import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from dcrit.theory.circuits import threshold_forms as forms
from dcrit.theory.circuits.clock import Clock, LevelClocks, Pace

kinetics, rests = st.floats(10.0, 1e6), st.floats(0.0, 2.0)
rates, bends = st.floats(1e-5, 1e-1), st.floats(0.2, 3.0)
horizons = st.floats(50.0, 1e6)


def clock_of(kinetic: float, rest: float, rate: float, bend: float) -> Clock:
    return Clock(kinetic=kinetic, rest=rest * kinetic, rate=rate, bend=bend)


clocks = st.builds(clock_of, kinetics, rests, rates, bends)


@given(clocks, horizons)
def test_size_is_the_root_of_the_literal_clock(clock: Clock, horizon: float) -> None:
    # x ln x^… = 1/(rT), found by bisection instead of Lambert's W.
    root = brentq(lambda y: math.log(clock.rate * horizon * y) + clock.bend * y, 1e-12, 100.0, xtol=1e-14)
    literal = ((clock.kinetic * math.exp(root)) ** 5 + clock.rest**5) ** 0.2
    assert clock.critical_size(horizon) == pytest.approx(literal, rel=1e-9)


@given(clocks, horizons)
def test_time_inverts_the_size(clock: Clock, horizon: float) -> None:
    assume(clock.log_excess(horizon) > 1e-4)
    assert clock.time(clock.critical_size(horizon)) == pytest.approx(horizon, rel=1e-5)


@pytest.mark.slow
@settings(deadline=None)  # sympy derives on the first call
@given(rates, bends, horizons)
def test_lambert_inverse_is_derived(rate: float, bend: float, horizon: float) -> None:
    derived = forms.log_excess().subs({forms.RATE: rate, forms.BEND: bend, forms.T: horizon})
    clock = Clock(kinetic=100.0, rate=rate, bend=bend)
    assert float(derived.evalf()) == pytest.approx(float(clock.log_excess(horizon)), rel=1e-9)


@pytest.mark.slow
@given(clocks, horizons, st.floats(1.01, 100.0))
def test_longer_training_needs_fewer_examples_down_to_the_limit(clock: Clock, horizon: float, factor: float) -> None:
    assert clock.critical_size(horizon * factor) < clock.critical_size(horizon)
    assert clock.critical_size(1e15) == pytest.approx(clock.size_at_infinity, rel=1e-6)
    assert clock.size_at_infinity >= max(clock.kinetic, clock.rest) * (1 - 1e-12)


@given(clocks)
def test_time_is_infinite_at_the_limit_and_below(clock: Clock) -> None:
    below = clock.size_at_infinity * np.array([1e-3, 0.5, 1 - 1e-9])
    assert np.isinf(clock.time(below)).all()
    assert np.isinf(clock.slope(below)).all()
    assert math.isfinite(clock.time(clock.size_at_infinity * 1.01))


@given(clocks, st.floats(1.02, 20.0))
def test_slope_is_the_derivative_of_the_time(clock: Clock, factor: float) -> None:
    size, step = factor * clock.size_at_infinity, 1e-5
    ends = clock.time(size * np.exp([-step, step]))
    assert clock.slope(size) == pytest.approx(-math.log(ends[1] / ends[0]) / (2 * step), rel=1e-3)


def test_a_hand_computed_clock() -> None:
    # r = 1/(2e): x = e^(1/2) at T = 4·√e steps for m = 1, as r·x·ln x = √e/(4e) = 1/(4√e).
    clock = Clock(kinetic=100.0, rate=1 / (2 * math.e), bend=1.0)
    assert clock.critical_size(4 * math.sqrt(math.e)) == pytest.approx(100 * math.exp(0.5), rel=1e-12)
    assert clock.time(100 * math.exp(0.5)) == pytest.approx(4 * math.sqrt(math.e), rel=1e-12)


@given(clocks, st.floats(0.1, 10.0), st.floats(1e-4, 1e-1), st.floats(1.05, 10.0))
def test_time_scales_with_decay_and_learning_rate(clock: Clock, decay: float, rate: float, factor: float) -> None:
    size = factor * clock.size_at_infinity
    ratio = clock.at(learning_rate=rate, weight_decay=decay).time(size) / clock.time(size)
    assert ratio == pytest.approx(decay**-0.95 * (rate / 0.01) ** -0.3, rel=1e-9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kinetic", 0.0),
        ("rate", -1.0),
        ("bend", 0.0),
        ("bend", math.inf),
        ("sharpness", 0.0),
        ("rest", -1.0),
        ("rest", math.nan),
    ],
)
def test_fields_out_of_range_are_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Clock(**{"kinetic": 100.0, "rate": 1e-3, "bend": 1.0, field: value})


@pytest.mark.parametrize(
    "rates_given", [{"learning_rate": 0.0, "weight_decay": 1.0}, {"learning_rate": 0.1, "weight_decay": -1.0}]
)
def test_rates_out_of_range_are_refused(rates_given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"learning_rate|weight_decay"):
        Clock(kinetic=100.0, rate=1e-3, bend=1.0).at(**rates_given)


@given(clocks, horizons)
def test_patience_is_the_slope_of_the_critical_size(clock: Clock, horizon: float) -> None:
    step = 1e-4
    ends = np.log(clock.critical_size([horizon * math.exp(-step), horizon * math.exp(step)]))
    assert clock.patience(horizon) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=1e-9)
    assert 0 < clock.patience(horizon) < 1 / clock.bend


levels = st.builds(
    lambda clock, low, high: LevelClocks(half=clock, shifts={0.1: -low, 0.9: high}),
    clocks,
    st.floats(0.01, 1.0),
    st.floats(0.01, 1.0),
)


@given(levels, horizons)
def test_accuracy_passes_every_level_at_its_size(clocks_of_levels: LevelClocks, horizon: float) -> None:
    for level in (0.1, 0.5, 0.9):
        size = clocks_of_levels.size(level, horizon)
        assert clocks_of_levels.accuracy(size, horizon) == pytest.approx(level, abs=1e-6)
    grid = clocks_of_levels.accuracy(clocks_of_levels.size(0.5, horizon) * np.exp(np.linspace(-3, 3, 61)), horizon)
    assert (np.diff(grid) >= 0).all()
    assert ((grid >= 0) & (grid <= 1)).all()


@given(levels, st.floats(1.3, 10.0))
def test_lower_levels_come_no_later(clocks_of_levels: LevelClocks, factor: float) -> None:
    size = factor * clocks_of_levels.half.size_at_infinity
    times = [clocks_of_levels.time(level, size) for level in (0.1, 0.5, 0.9)]
    assert times == sorted(times)


@given(levels, horizons)
def test_the_width_is_that_between_the_sizes(clocks_of_levels: LevelClocks, horizon: float) -> None:
    width = math.log(clocks_of_levels.size(0.9, horizon) / clocks_of_levels.size(0.1, horizon))
    assert clocks_of_levels.semi_grokking_width() == pytest.approx(width, rel=1e-9)


@pytest.mark.parametrize("shifts", [{0.1: 0.2}, {0.9: -0.1}, {1.0: 0.3}, {0.1: math.nan}])
def test_shifts_must_rise_with_the_level(shifts: dict[float, float]) -> None:
    with pytest.raises(ValueError, match="shifts"):
        LevelClocks(half=Clock(kinetic=100.0, rate=1e-3, bend=1.0), shifts=shifts)


def test_a_level_outside_accuracies_is_refused() -> None:
    clocks_of_levels = LevelClocks(half=Clock(kinetic=100.0, rate=1e-3, bend=1.0), shifts={0.9: 0.1})
    with pytest.raises(ValueError, match="level"):
        clocks_of_levels.size(1.0, 10.0)
    with pytest.raises(ValueError, match="level"):
        clocks_of_levels.time(0.0, 10.0)


@given(levels, horizons, st.floats(0.01, 0.99))
def test_any_level_is_the_accuracy_at_its_size(clocks_of_levels: LevelClocks, horizon: float, level: float) -> None:
    size = clocks_of_levels.size(level, horizon)
    assert clocks_of_levels.accuracy(size, horizon) == pytest.approx(level, abs=1e-6)


def test_a_clock_without_levels_is_a_step() -> None:
    step = LevelClocks(half=Clock(kinetic=100.0, rate=1e-3, bend=1.0), shifts={})
    assert list(step.accuracy([50.0, 1e6], 1e4)) == [0.0, 1.0]
    assert step.size(0.2, 1e4) == step.size(0.8, 1e4)


PACE = Pace(memory_exponent=0.8)


@given(st.floats(1e-3, 1e3), st.floats(1e-4, 1.0), st.floats(0.01, 0.9999), st.floats(1e-15, 1e-3))
def test_the_pace_is_the_product_of_its_powers(decay: float, rate: float, beta2: float, epsilon: float) -> None:
    found = PACE.factor(weight_decay=decay, learning_rate=rate, beta2=beta2, epsilon=epsilon)
    assert found == pytest.approx(decay**0.95 * (rate / 0.01) ** 0.3 * min(1.0, (1 - beta2) / 0.02) ** 0.8, rel=1e-9)


def test_what_is_not_named_is_the_references() -> None:
    assert PACE.factor() == 1.0
    assert PACE.factor(beta2=0.99) == pytest.approx(0.5**0.8)
    clock = Clock(kinetic=100.0, rate=1e-3, bend=1.2)
    assert clock.at(beta2=0.99, pace=PACE).time(300.0) == pytest.approx(2**0.8 * clock.time(300.0))


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"beta2": 1.0}, "beta2"), ({"epsilon": 0.0}, "epsilon"), ({"memory_exponent": math.inf}, "memory_exponent")],
)
def test_a_pace_out_of_range_is_named(fields: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Pace(**fields)
    if named != "memory_exponent":
        with pytest.raises(ValueError, match=named):
            PACE.factor(**fields)


def test_an_optimizer_has_no_other_numbers() -> None:
    with pytest.raises(TypeError, match="an optimizer has no beta1"):
        PACE.factor(beta1=0.9)
