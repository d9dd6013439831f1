import json
import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.estimates import (
    LEVEL,
    Estimate,
    Interval,
    half_width,
    interval_of,
    median_log_error,
)

ends = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(("low", "high"), [(2.0, 1.0), (math.nan, 1.0), (1.0, math.nan)])
def test_ends_in_the_wrong_order_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"^low must be at most high"):
        Interval(low=low, high=high)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 90.0, math.nan])
def test_levels_outside_zero_and_one_are_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"^level must be between 0 and 1, got "):
        Interval(low=0.0, high=1.0, level=level)


@given(ends, ends, ends)
def test_membership_includes_the_ends(a: float, b: float, c: float) -> None:
    low, middle, high = sorted((a, b, c))
    interval = Interval(low=low, high=high)
    assert low in interval
    assert middle in interval
    assert high in interval
    assert math.nextafter(high, math.inf) not in interval
    assert math.nextafter(low, -math.inf) not in interval


@given(ends, ends, ends, ends)
def test_overlap_means_a_common_point(a: float, b: float, c: float, d: float) -> None:
    one, other = Interval(low=min(a, b), high=max(a, b)), Interval(low=min(c, d), high=max(c, d))
    common = any(point in one and point in other for point in (a, b, c, d))
    assert one.overlaps(other) == other.overlaps(one) == common


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_intervals_of_samples_are_their_central_quantiles(level: float) -> None:
    sample = np.random.default_rng(1).permutation(np.arange(10_001.0))
    interval = interval_of(sample, level)
    assert interval.low == pytest.approx(10_000 * (1 - level) / 2)
    assert interval.high == pytest.approx(10_000 * (1 + level) / 2)
    assert interval.level == level


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_half_widths_of_the_normal_distribution(level: float) -> None:
    assert half_width(2.0, level=level) == pytest.approx(2 * NormalDist().inv_cdf((1 + level) / 2), rel=1e-9)


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 6.3138), (5, 2.0150), (30, 1.6973)])
def test_half_widths_of_students_t_are_the_tabulated_ones(freedom: int, quantile: float) -> None:
    assert half_width(1.0, level=0.9, freedom=freedom) == pytest.approx(quantile, abs=1e-4)


def test_half_widths_cover_at_their_level() -> None:
    rng = np.random.default_rng(2)
    n, trials = 6, 4000
    samples = rng.normal(3.0, 2.0, size=(trials, n))
    errors = samples.std(axis=1, ddof=1) / math.sqrt(n)
    covered = np.abs(samples.mean(axis=1) - 3.0) <= half_width(1.0, freedom=n - 1) * errors
    assert covered.mean() == pytest.approx(LEVEL, abs=4 * math.sqrt(0.09 / trials))


def test_median_log_error_of_literal_ratios() -> None:
    assert median_log_error([math.e, 1.0, math.exp(-3)], [1.0, 1.0, 1.0]) == pytest.approx(1.0)
    assert median_log_error([110.0], [100.0]) == pytest.approx(median_log_error([100.0], [110.0]))


def test_json_of_an_estimate() -> None:
    found = Estimate(
        quantity="critical_size",
        value=250.0,
        interval=Interval(low=200.0, high=math.inf, level=0.8),
        unit="examples",
        horizon=4000,
        n_runs=12,
        n_unconverged=1,
        extrapolated=True,
    )
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == {
        "quantity": "critical_size",
        "value": 250.0,
        "interval": {"low": 200.0, "high": None},
        "level": 0.8,
        "unit": "examples",
        "horizon": 4000,
        "n_runs": 12,
        "n_unconverged": 1,
        "extrapolated": True,
        "reason": "",
    }


def test_json_of_no_estimate() -> None:
    found = Estimate(quantity="delay", value=None, unit="steps", reason="nothing generalized")
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == {
        "quantity": "delay",
        "value": None,
        "interval": None,
        "level": LEVEL,
        "unit": "steps",
        "horizon": None,
        "n_runs": 0,
        "n_unconverged": 0,
        "extrapolated": False,
        "reason": "nothing generalized",
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quantity": ""}, "quantity must be a name"),
        ({"value": None}, "reason must say why there is no size"),
        ({"value": None, "reason": "none", "interval": Interval(low=1, high=2)}, "interval must be None"),
        ({"value": math.inf}, "value must be a finite number or None, got inf"),
        ({"value": math.nan}, "value must be a finite number or None, got nan"),
        ({"interval": Interval(low=6.0, high=7.0)}, r"interval must contain the value 5.0, got 6.0 to 7.0"),
        ({"n_runs": -1}, "n_runs must be at least 0, got -1"),
        ({"n_unconverged": -1}, "n_unconverged must be at least 0, got -1"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
    ],
)
def test_an_estimate_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Estimate(**{"quantity": "size", "value": 5.0, **fields})


def test_a_range_is_widened_by_what_it_misses() -> None:
    found = Interval(low=1.0, high=2.0, level=0.5)
    assert found.around(1.5) == found
    assert found.around(0.5) == Interval(low=0.5, high=2.0, level=0.5)
    assert found.around(3.0) == Interval(low=1.0, high=3.0, level=0.5)
