"""Means, dips, peaks and crossings, against worlds whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from dcrit.empirics.measures.planes import capacity_draws, crossing, dip_of, mean_draws, means, peaks


def seeds_of(mean: list[float], noise: float = 0.02, n: int = 5, seed: int = 0) -> np.ndarray:
    return np.array(mean)[:, None] + noise * np.random.default_rng(seed).standard_normal((len(mean), n))


def test_draws_of_means_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    drawn = mean_draws(rng.standard_normal((400, 4)), n_draws=500)
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    assert np.mean((low < 0) & (high > 0)) == pytest.approx(0.9, abs=0.04)


def test_lost_runs_are_left_out_and_single_ones_have_no_interval() -> None:
    values = np.array([[1.0, 3.0, np.nan], [1.0, np.nan, np.nan]])
    assert_allclose(means(values), [2, 1])
    drawn = mean_draws(values, n_draws=50)
    assert np.isfinite(drawn[:, 0]).all()
    assert np.isnan(drawn[:, 1]).all()


def test_a_dip_is_told_from_a_rise_and_from_noise() -> None:
    deep = dip_of(seeds_of([0.5, 0.1, 0.1, 0.6]))
    assert deep is not None
    assert deep.depth == pytest.approx(0.4, abs=0.05)
    assert deep.index in (1, 2)
    assert deep.p_rising < 0.001
    assert deep.ruling == "dip"
    rise = dip_of(seeds_of([0.1, 0.2, 0.5, 0.6]))
    assert rise is not None
    assert rise.p_rising > 0.05
    assert rise.p_deeper(0.1) < 0.01
    assert rise.ruling == "no dip"
    noisy = dip_of(seeds_of([0.3, 0.25, 0.3, 0.3], noise=0.3))
    assert noisy is not None
    assert noisy.p_rising > 0.05
    assert noisy.p_deeper(0.1) > 0.05
    assert noisy.ruling == "cannot tell"
    assert dip_of(seeds_of([0.1, 0.2])) is None


def test_a_fall_that_nothing_recovers_is_no_dip() -> None:
    fall = dip_of(seeds_of([0.9, 0.5, 0.1], noise=0.001))
    assert fall is not None
    assert fall.depth < 0.02


@given(
    means=st.lists(st.floats(0, 1), min_size=3, max_size=6),
    noise=st.floats(0.01, 0.4),
    seed=st.integers(0, 99),
    level=st.sampled_from([0.5, 0.9]),
)
def test_the_interval_of_the_depth_holds_0_exactly_where_rising_curves_look_as_deep_often(
    means: list[float], noise: float, seed: int, level: float
) -> None:
    dip = dip_of(seeds_of(means, noise=noise, seed=seed), n_draws=200)
    assert dip is not None
    interval = dip.interval(level)
    assert 0 <= interval.low <= dip.depth <= interval.high
    assert (interval.low == 0) == (dip.p_rising > (1 - level) / 2 or dip.depth == 0)
    if level == 0.9:
        assert not (dip.ruling == "dip" and interval.low == 0)
        assert not (dip.ruling == "no dip" and interval.high > 0.1)


def test_intervals_of_depths_hold_the_depth_that_made_the_runs() -> None:
    """Nominally 90 %: of 60 fewer than 48 would be rarer than one in a hundred."""
    true = 0.25
    found = [dip_of(seeds_of([0.5, 0.25, 0.3, 0.6], noise=0.15, seed=k), n_draws=400) for k in range(60)]
    assert sum(dip is not None and true in dip.interval() for dip in found) >= 48


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_accuracies_of_0_and_1_have_an_interval_too(level: float) -> None:
    dip = dip_of(seeds_of([1.0, 0.0, 1.0], noise=0.05), n_draws=400)
    assert dip is not None
    assert dip.interval(level).low > 0.8


def test_flat_curves_seldom_look_dipped() -> None:
    found = [dip_of(seeds_of([0.4] * 6, noise=0.1, seed=k), n_draws=400) for k in range(60)]
    assert np.mean([dip is not None and dip.p_rising < 0.05 for dip in found]) <= 0.12


def test_capacity_is_a_power_law_through_the_models_that_are_overloaded() -> None:
    memorized = {4: np.array([100.0, 102.0, 98.0]), 8: np.array([300.0, 306.0, 294.0])}
    drawn = capacity_draws(memorized, {4: 400.0, 8: 1200.0}, np.array([400.0, 1200.0, 2400.0]))
    assert drawn is not None
    assert_allclose(np.median(np.exp(drawn), axis=1), [100, 300, 600], rtol=0.02)
    assert capacity_draws({4: memorized[4]}, {4: 400.0}, np.array([400.0])) is None


def test_curves_cross_where_they_do_and_a_censored_one_says_only_what_it_can() -> None:
    x, largest = np.log([400.0, 1200.0, 2400.0]), math.log(450)
    capacity = np.log([[100.0], [300.0], [600.0]])
    root = crossing(x, np.log([[200.0], [200.0], [200.0]]), capacity, largest)
    assert_allclose(np.exp(root), 800, rtol=1e-6)
    never = crossing(x, np.full((3, 1), np.inf), np.log([[100.0], [200.0], [300.0]]), largest)
    assert_allclose(never, math.inf)
    # Above capacity and above all sizes at once: the last model cannot close the bracket.
    unknown = crossing(x, np.array([[5.3], [np.inf], [np.inf]]), np.log([[100.0], [200.0], [600.0]]), largest)
    assert_allclose(unknown, math.inf)
    assert_allclose(crossing(x, np.zeros((3, 1)), capacity, largest), -math.inf)


def test_peaks_between_the_ends_are_found_between_the_widths() -> None:
    x = np.linspace(0, 4, 5)
    values = np.array([-((x - 1.8) ** 2), x, -x])
    found = peaks(x, values)
    assert found[0] == pytest.approx(1.8)
    assert np.isnan(found[1:]).all()
