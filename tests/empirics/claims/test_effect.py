import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, kstest, t

from dcrit.empirics.claims.effect import (
    SIGNIFICANCE,
    Effect,
    effect_of_count,
    effect_of_draws,
    effect_of_error,
    every,
    mean_of,
)
from dcrit.theory.estimates import LEVEL, Interval

NUMBERS = st.floats(-5, 5).filter(lambda value: abs(value) > 1e-3 or value == 0)
ERRORS = st.floats(0.01, 3)
FREEDOMS = st.one_of(st.just(math.inf), st.floats(1, 50))


def effect(p_inside: float, p_outside: float) -> Effect:
    return Effect(value=0.0, interval=Interval(low=-1, high=1), p_inside=p_inside, p_outside=p_outside)


def test_significance_is_the_tail_beyond_one_end_of_an_interval() -> None:
    assert pytest.approx((1 - LEVEL) / 2) == SIGNIFICANCE


@pytest.mark.parametrize("name", ["p_inside", "p_outside"])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_p_value_outside_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be between 0 and 1, got {value}$"):
        effect(**({"p_inside": 0.5, "p_outside": 0.5} | {name: value}))


# --- an estimate with a standard error ---


@given(NUMBERS, ERRORS, NUMBERS, st.floats(0.01, 5), FREEDOMS)
def test_inside_the_range_is_small_p_inside(x: float, error: float, low: float, width: float, freedom: float) -> None:
    found = effect_of_error(x, error, (low, low + width), freedom=freedom)
    ends = found.interval
    # Rounding decides where an end of the interval meets an edge.
    assume(all(abs(end - edge) > 1e-9 for end in (ends.low, ends.high) for edge in (low, low + width)))
    assert (low <= ends.low and ends.high <= low + width) == (found.p_inside <= SIGNIFICANCE)
    assert (ends.high < low or ends.low > low + width) == (found.p_outside <= SIGNIFICANCE)


@given(NUMBERS, ERRORS, NUMBERS, FREEDOMS)
def test_of_an_open_range_both_p_values_add_up_to_one(x: float, error: float, edge: float, freedom: float) -> None:
    below = effect_of_error(x, error, (-math.inf, edge), freedom=freedom)
    above = effect_of_error(x, error, (edge, math.inf), freedom=freedom)
    assert below.p_inside + below.p_outside == pytest.approx(1)
    assert below.p_inside == pytest.approx(above.p_outside)


@given(NUMBERS, ERRORS, NUMBERS, st.floats(0.01, 5), FREEDOMS)
def test_no_estimate_supports_and_refutes(x: float, error: float, low: float, width: float, freedom: float) -> None:
    found = effect_of_error(x, error, (low, low + width), freedom=freedom)
    assert found.p_inside + found.p_outside >= 1 - 1e-12


def test_p_values_are_students() -> None:
    found = effect_of_error(0.5, 0.2, (0.0, math.inf), freedom=4)
    assert found.p_inside == pytest.approx(t.sf(2.5, 4))
    assert found.p_outside == pytest.approx(t.cdf(2.5, 4))
    assert (found.interval.low + found.interval.high) / 2 == pytest.approx(found.value)


@pytest.mark.parametrize(("x", "inside", "outside"), [(0.0, 0, 1), (0.1, 0.5, 0.5), (0.2, 1, 0), (-0.2, 1, 0)])
def test_without_scatter_the_side_of_the_edge_decides(x: float, inside: float, outside: float) -> None:
    for freedom in (3.0, math.inf):
        found = effect_of_error(x, 0.0, (-0.1, 0.1), freedom=freedom)
        assert (found.p_inside, found.p_outside) == (inside, outside)


@pytest.mark.parametrize("error", [-1.0, math.nan])
def test_a_bad_standard_error_is_refused(error: float) -> None:
    with pytest.raises(ValueError, match=r"^standard_error must be at least 0, got"):
        effect_of_error(0.0, error, (0, 1))


# --- p-values are uniform where the truth lies on an edge ---

EDGE, N_EXPERIMENTS = 0.3, 2000


def uniform(p_values: list[float]) -> bool:
    return bool(kstest(p_values, "uniform").pvalue > 0.001)


@pytest.mark.parametrize("n", [3, 8])
def test_p_values_by_the_standard_error_are_uniform_on_the_edge(n: int) -> None:
    samples = np.random.default_rng(n).normal(EDGE, 0.1, (N_EXPERIMENTS, n))
    effects = [
        effect_of_error(float(one.mean()), float(one.std(ddof=1)) / math.sqrt(n), (-math.inf, EDGE), freedom=n - 1)
        for one in samples
    ]
    assert uniform([one.p_inside for one in effects])
    assert uniform([one.p_outside for one in effects])
    covered = sum(EDGE in one.interval for one in effects)
    assert abs(covered / N_EXPERIMENTS - LEVEL) < 4 * math.sqrt(LEVEL * (1 - LEVEL) / N_EXPERIMENTS)


def test_p_values_by_draws_are_uniform_on_the_edge() -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(EDGE, 0.1, (N_EXPERIMENTS, 1)) + rng.normal(0, 0.1, (N_EXPERIMENTS, 400))
    effects = [effect_of_draws(one, (EDGE, math.inf)) for one in draws]
    assert uniform([one.p_inside for one in effects])
    assert uniform([one.p_outside for one in effects])


@pytest.mark.parametrize(("n", "least"), [(10, 0.5), (30, 0.8)])
def test_exact_p_values_of_counts_are_never_too_small(n: int, least: float) -> None:
    effects = [effect_of_count(hits, n, least) for hits in range(n + 1)]
    chance = binom.pmf(np.arange(n + 1), n, least)
    for level in (0.001, 0.01, SIGNIFICANCE, 0.2):
        for name in ("p_inside", "p_outside"):
            assert sum(chance[k] for k, one in enumerate(effects) if getattr(one, name) <= level) <= level + 1e-12


# --- draws ---


def test_draws_are_counted_on_the_wrong_side_of_each_edge() -> None:
    draws = np.arange(-3.0, 16.0)  # nineteen: three below 0, five above 10, and one at each
    found = effect_of_draws(draws, (0.0, 10.0))
    assert found.p_inside == pytest.approx(7 / 20)
    assert found.p_outside == pytest.approx(15 / 20)
    assert found.value == 6.0
    assert effect_of_draws(draws, (0.0, 10.0), value=5.5).value == 5.5
    assert effect_of_draws(draws, (-math.inf, 10.0)).p_inside == pytest.approx(7 / 20)
    assert effect_of_draws(draws, (0.0, math.inf)).p_inside == pytest.approx(5 / 20)
    # No p-value is below one over the number of draws.
    assert effect_of_draws(draws, (-10.0, 20.0)).p_inside == pytest.approx(1 / 20)
    assert effect_of_draws(draws, (20.0, math.inf)).p_outside == pytest.approx(1 / 20)


def test_draws_that_all_lie_at_an_edge_decide_nothing() -> None:
    found = effect_of_draws(np.zeros(400), (0.0, math.inf))
    assert (found.p_inside, found.p_outside) == (1.0, 1.0)


@given(st.integers(0, 100), st.floats(0.2, 2), st.floats(0.2, 2))
def test_many_draws_say_what_the_standard_error_says(seed: int, below: float, above: float) -> None:
    draws = 0.5 * np.random.default_rng(seed).standard_normal(4000)
    by_draws, by_error = (found((-below, above)) for found in (lambda r: effect_of_draws(draws, r), _normal))
    assert by_draws.p_inside == pytest.approx(by_error.p_inside, abs=0.04)
    assert by_draws.p_outside == pytest.approx(by_error.p_outside, abs=0.04)


def _normal(allowed: tuple[float, float]) -> Effect:
    return effect_of_error(0.0, 0.5, allowed)


# --- counts ---


@pytest.mark.parametrize(
    ("hits", "total", "inside", "outside"),
    [(5, 5, 1 / 32, 1.0), (0, 5, 1.0, 1 / 32), (4, 5, 6 / 32, 31 / 32), (4, 4, 1 / 16, 1.0)],
)
def test_a_count_is_tested_exactly(hits: int, total: int, inside: float, outside: float) -> None:
    found = effect_of_count(hits, total, 0.5)
    assert (found.p_inside, found.p_outside) == (pytest.approx(inside), pytest.approx(outside))
    assert found.value == hits / total
    assert found.value in found.interval


# --- every configuration ---


def test_a_claim_about_every_configuration_needs_all_and_fails_by_one() -> None:
    good, bad, unclear = effect(0.01, 0.99), effect(0.99, 0.01), effect(0.3, 0.7)
    assert every([good, good]) == (0.01, pytest.approx(1.0))
    assert every([good, bad]) == (0.99, pytest.approx(0.02))
    assert every([good, unclear]) == (0.3, pytest.approx(1.0))
    assert every([good, bad, unclear]) == (0.99, pytest.approx(0.03))
    assert every([good, None]) == (None, pytest.approx(0.99))
    assert every([None, bad]) == (None, 0.01)
    assert every([None]) == every([]) == (None, None)


def test_one_true_claim_over_many_configurations_is_seldom_refuted() -> None:
    rng = np.random.default_rng(0)
    refuted = 0
    for estimates in rng.normal(EDGE, 0.1, (1000, 10)):
        p_outside = every([effect_of_error(float(x), 0.1, (-math.inf, EDGE)) for x in estimates])[1]
        assert p_outside is not None
        refuted += p_outside <= SIGNIFICANCE
    assert refuted <= binom.ppf(0.999, 1000, SIGNIFICANCE)


def test_half_widths_of_a_mean_add_in_quadrature() -> None:
    found = mean_of([effect_of_error(1.0, 0.3, (0, 1)), None, effect_of_error(3.0, 0.4, (0, 1))])
    assert found is not None
    alone = effect_of_error(2.0, 0.25, (0, 1)).interval
    assert found.value == pytest.approx(2.0)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((alone.low, alone.high))
    assert mean_of([None]) is None
