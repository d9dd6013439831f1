import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.circuits.critical_size_law import CriticalSizeLaw, Levels, Scatter
from dcrit.theory.circuits.finding import FindingLaw
from dcrit.theory.problems.problem import Problem

SQUARE = thresholds_of(Problem(activation="square")).law
LEVELS = Levels(low=0.15, high=0.13, symbols_exponent=0.6, width_exponent=0.4)
PLAIN = CriticalSizeLaw(
    thresholds=FindingLaw(prefactor=1.0, load=0.1, rest=6.0), rate=1e-3, bend=1.2, sharpness=3.0, levels=LEVELS
)

places = {"n_symbols": st.integers(5, 1000), "width": st.integers(16, 4096), "horizon": st.floats(200.0, 1e6)}


@given(**places)
def test_size_is_the_literal_law(n_symbols: int, width: int, horizon: float) -> None:
    # W by bisection of y·e^(m·y) = 1/(r·T).
    low, high = 1e-15, 50.0
    for _ in range(200):
        middle = (low + high) / 2
        above = math.log(middle) + SQUARE.bend * middle > -math.log(SQUARE.rate * horizon)
        low, high = (low, middle) if above else (middle, high)
    factor = 1 + SQUARE.thresholds.load * n_symbols / width
    found = SQUARE.thresholds.prefactor * n_symbols**1.5 * math.exp(low)
    literal = factor * (found**3 + (SQUARE.thresholds.rest * n_symbols) ** 3) ** (1 / 3)
    assert SQUARE.clock(n_symbols, width).critical_size(horizon) == pytest.approx(literal, rel=1e-9)


@given(**places)
def test_intervals_hold_the_size_and_grow_with_the_level(n_symbols: int, width: int, horizon: float) -> None:
    size = SQUARE.clock(n_symbols, width).critical_size(horizon)
    narrow, wide = (SQUARE.interval(n_symbols, width, horizon, level=level) for level in (0.5, 0.9))
    assert wide.low < narrow.low < size < narrow.high < wide.high
    assert math.sqrt(wide.low * wide.high) == pytest.approx(float(size), rel=1e-9)


@given(**places)
def test_levels_lie_where_their_law_says(n_symbols: int, width: int, horizon: float) -> None:
    clocks = SQUARE.level_clocks(n_symbols, width)
    scale = (n_symbols / 47) ** -SQUARE.levels.symbols_exponent * (width / 128) ** -SQUARE.levels.width_exponent
    below = math.log(clocks.size(0.5, horizon) / clocks.size(0.1, horizon))
    above = math.log(clocks.size(0.9, horizon) / clocks.size(0.5, horizon))
    assert below == pytest.approx(SQUARE.levels.low * scale, rel=1e-9)
    assert above == pytest.approx(SQUARE.levels.high * scale, rel=1e-9)


@pytest.mark.slow
def test_deviation_agrees_with_draws_of_the_constants() -> None:
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal(np.zeros(len(SQUARE.fitted)), np.array(SQUARE.covariance) / 4, size=2000)
    logs: dict[str, list[float]] = {"scratch": [], "rest": []}
    for draw in draws:
        law = SQUARE
        for name, step in zip(SQUARE.fitted, draw, strict=True):
            law = law.moved(name, float(step))
        logs["scratch"].append(math.log(float(law.clock(113, 128).critical_size(4000))))
        logs["rest"].append(math.log(law.thresholds.size_at_rest(113, 128)))
    half = replace(SQUARE, covariance=tuple(tuple(value / 4 for value in line) for line in SQUARE.covariance))
    scatter = 0.045**2 + (0.03 * math.log(113 / 47)) ** 2
    for name, deviation in (
        ("scratch", half.deviation(113, 128, 4000)),
        ("rest", half.deviation_at_rest(113, 128)),
    ):
        assert np.std(logs[name]) == pytest.approx(math.sqrt(deviation**2 - scatter), rel=0.15)


def test_far_from_the_calibration_it_says_less() -> None:
    here = SQUARE.deviation(47, 128, 4000)
    assert SQUARE.deviation(47, 128, 4000, weight_decay=2.0) > here
    assert SQUARE.deviation(47, 128, 4000, learning_rate=2e-2) > here
    assert SQUARE.deviation(470, 1280, 4000) > here


def test_without_errors_of_constants_only_the_scatter_is_left() -> None:
    assert PLAIN.deviation(31, 128, 4000) == pytest.approx(0.045)
    literal = math.sqrt(0.045**2 + 0.1**2 + (0.03 * math.log(2)) ** 2 + 0.16**2 + (2 * 0.06) ** 2)
    scatter = Scatter(task=0.1, per_raised_decay=0.16)
    found = scatter.variance(94, learning_rate=4e-2, weight_decay=2.0)
    assert math.sqrt(found) == pytest.approx(literal, rel=1e-12)
    assert scatter.variance(47, learning_rate=1e-2, weight_decay=0.5) == pytest.approx(0.045**2 + 0.1**2 + 0.08**2)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rate": 0.0}, "rate"),
        ({"bend": -1.0}, "bend"),
        ({"sharpness": math.inf}, "sharpness"),
        ({"fitted": ("k0",), "covariance": ((1.0,),)}, "fitted"),
        ({"fitted": ("rate", "rate"), "covariance": ((1.0, 0.0), (0.0, 1.0))}, "fitted"),
        ({"fitted": ("rate",), "covariance": ((1.0, 2.0),)}, "covariance"),
        ({"fitted": ("rate", "bend"), "covariance": ((1.0, 2.0), (0.0, 1.0))}, "symmetric"),
        ({"fitted": ("rate", "bend"), "covariance": ((1.0, 2.0), (2.0, 1.0))}, "semidefinite"),
    ],
)
def test_fields_out_of_range_are_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(PLAIN, **fields)


@pytest.mark.parametrize(("field", "value"), [("base", 0.0), ("per_decay", -0.1), ("task", math.inf)])
def test_scatter_out_of_range_is_named(field: str, value: float) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=field):
        Scatter(**wrong)


@pytest.mark.parametrize(("field", "value"), [("low", 0.0), ("high", -0.1), ("width_exponent", math.nan)])
def test_levels_out_of_range_are_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        replace(LEVELS, **{field: value})


def test_a_horizon_must_be_positive() -> None:
    with pytest.raises(ValueError, match="horizon"):
        SQUARE.deviation(31, 128, 0)


def test_drawn_clocks_spread_as_the_covariance_says() -> None:
    clocks = SQUARE.drawn_clocks(53, 128, 400)
    log_sizes = np.log([float(clock.critical_size(1500)) for clock in clocks])
    # Without what the constants do not explain.
    explained = math.sqrt(
        SQUARE.deviation(53, 128, 1500) ** 2 - replace(SQUARE, covariance=(), fitted=()).deviation(53, 128, 1500) ** 2
    )
    assert float(log_sizes.std()) == pytest.approx(explained, rel=0.2)
    assert float(log_sizes.mean()) == pytest.approx(
        math.log(float(SQUARE.clock(53, 128).critical_size(1500))), abs=0.01
    )
    assert PLAIN.drawn_clocks(53, 128, 3) == [PLAIN.clock(53, 128)] * 3
    faster = SQUARE.drawn_clocks(53, 128, 2, learning_rate=0.02)
    assert all(one.rate > other.rate for one, other in zip(faster, clocks, strict=False))
