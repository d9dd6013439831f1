"""Errors of predictions, against numbers that they were drawn from."""

import json
import math

import numpy as np
import pytest

from dcrit.empirics.measures.prediction_errors import BINS, PredictionErrors, standard_error
from dcrit.theory.estimates import Interval


def drawn(
    *, n: int = 400, bias: float = 0.0, group: float = 0.0, problem: float = 0.0, stated: float = 0.1, seed: int = 0
) -> PredictionErrors:
    """Errors of 20 groups, with measurements off by 0.05."""
    rng = np.random.default_rng(seed)
    names = np.arange(n) % 20
    own = bias + group * rng.standard_normal(20)[names] + problem * rng.standard_normal(n)
    errors = own + 0.05 * rng.standard_normal(n)
    return PredictionErrors(
        log_errors=errors,
        predicted=np.full(n, stated),
        measured=np.full(n, 0.05),
        groups=tuple(f"group {name}" for name in names),
    )


def test_bias_and_spreads_are_found_again() -> None:
    found = drawn(bias=0.05, group=0.1, problem=0.08)
    for (value, interval), true in ((found.bias, 0.05), (found.between_groups, 0.1), (found.between_problems, 0.08)):
        assert true in interval
        assert value == pytest.approx(true, abs=0.04)


def test_without_spread_of_its_own_nothing_is_left_but_measurement() -> None:
    found = drawn(n=100)
    assert found.between_groups[1].low == found.between_problems[1].low == 0.0
    assert found.between_problems[1].high < 0.05
    assert abs(found.bias[0]) < 0.02


@pytest.mark.parametrize(("stated", "mean_square"), [(0.1, 1.0), (0.2, 0.29), (0.03, 3.7)])
def test_standardized_errors_tell_whether_predictions_knew(stated: float, mean_square: float) -> None:
    found = drawn(n=2000, problem=0.1, stated=stated)
    assert found.to_dict()["mean_squared_z"] == pytest.approx(mean_square, rel=0.1)
    low, high = found.ranks[0] + found.ranks[-1], sum(found.ranks[3:7])
    if stated == 0.1:
        assert found.coverage(0.9) == pytest.approx(0.9, abs=0.03)
        assert np.array(found.ranks) == pytest.approx(2000 / BINS, rel=0.25)
    else:
        assert (low > high) == (stated < 0.1)


def test_values_far_below_their_predictions_fall_into_the_first_bin() -> None:
    found = PredictionErrors(
        log_errors=np.array([0.9, 0.8, 0.7]), predicted=np.full(3, 0.1), measured=np.full(3, 0.05), groups=("a",) * 3
    )
    assert found.ranks == [3, *[0] * (BINS - 1)]
    assert "between_groups" not in found.to_dict()["fit"]  # one group tells no spread of groups
    json.dumps(found.to_dict(), allow_nan=False)


def test_standard_errors_are_those_of_intervals() -> None:
    assert standard_error(Interval(low=math.exp(-0.1645), high=math.exp(0.1645))) == pytest.approx(0.1, rel=1e-3)
    assert standard_error(Interval(low=1.0, high=math.inf)) == standard_error(Interval(low=0.0, high=1.0)) == math.inf


@pytest.mark.parametrize(
    ("n", "groups", "message"),
    [
        (2, ("a", "b"), "^log_errors must hold at least 3 values, got 2$"),
        (3, ("a",), "have one length, got \\[1, 3\\]$"),
    ],
)
def test_too_few_or_unequal_ones_are_refused(n: int, groups: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PredictionErrors(log_errors=np.zeros(n), predicted=np.ones(n), measured=np.ones(n), groups=groups)
