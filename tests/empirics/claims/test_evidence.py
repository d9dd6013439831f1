"""E-values against their definitions, their expectation under the null, and verdicts by directional e-BH."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, norm

from dcrit.empirics.claims.evidence import (
    EFFECTS,
    NOTHING,
    EValues,
    decide,
    every,
    evidence_of_mean,
    evidence_of_p_value,
    evidence_of_slope,
    interval_of_mean,
    interval_of_slope,
    together,
)
from dcrit.empirics.claims.verdict_errors import EDGES, simulate, verdict_errors
from dcrit.theory.estimates import LEVEL

ROOT = Path(__file__).parents[3]
UNIT = st.lists(st.floats(0, 1), max_size=30)
LEVELS = st.sampled_from([0.05, 0.25, 0.5, 0.9])
E = st.one_of(st.just(1.0), st.floats(0, 1e4), st.sampled_from([20.0, 60.0, 100.0, 540.0]))
PAIRS = st.lists(st.builds(lambda a, b: EValues(holds=a, fails=b), E, E), min_size=1, max_size=27)


def literal_mean(values: list[float], m: float) -> float:
    """The mean over 24 bets of the money they end with."""
    return sum(math.prod(1 + 0.04 * j * (x - m) / m for x in values) for j in range(1, 25)) / 24


@given(UNIT, LEVELS)
def test_evidence_of_a_mean_is_its_definition(values: list[float], m: float) -> None:
    found = evidence_of_mean(values, m)
    assert found.holds == pytest.approx(literal_mean(values, m), rel=1e-9)
    assert found.fails == pytest.approx(literal_mean([1 - x for x in values], 1 - m), rel=1e-9)


@pytest.mark.parametrize("m", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("below", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("n", [1, 4, 12])
def test_evidence_is_at_most_one_in_expectation_under_the_null(m: float, below: float, n: int) -> None:
    p = m - below
    weights = binom.pmf(np.arange(n + 1), n, p)
    found = [evidence_of_mean([1.0] * k + [0.0] * (n - k), m) for k in range(n + 1)]
    assert float(weights @ [one.holds for one in found]) <= 1 + 1e-9
    if not below:  # at the edge both hypotheses are true, and the game is fair
        assert float(weights @ [one.holds for one in found]) == pytest.approx(1)
        assert float(weights @ [one.fails for one in found]) == pytest.approx(1)


def test_evidence_is_at_most_one_in_expectation_whenever_one_stops() -> None:
    """Exactly, over all sequences of eight fair coins, for a gambler who stops once the e-value passes 3."""
    total, e = 0.0, 1.0
    for tosses in itertools.product((0.0, 1.0), repeat=8):
        for n in range(1, 9):
            e = evidence_of_mean(tosses[:n], 0.5).holds
            if e >= 3:
                break
        total += e / 2**8
    assert total == pytest.approx(1)


@given(UNIT, LEVELS, st.floats(0, 1))
def test_a_mean_is_above_a_lower_level_by_more(values: list[float], m: float, part: float) -> None:
    lower = max(0.001, m * part)
    assert evidence_of_mean(values, lower).holds >= evidence_of_mean(values, m).holds * (1 - 1e-9)


@given(UNIT, st.randoms(use_true_random=False))
def test_the_order_of_seeds_does_not_matter(values: list[float], random: Any) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert evidence_of_mean(shuffled, 0.4).holds == pytest.approx(evidence_of_mean(values, 0.4).holds)


def literal_slope(values: list[float], edge: float) -> float:
    """Likelihood of t with an effect over that without one, by integrating over the unknown scatter."""
    n = len(values)
    t = math.sqrt(n) * (np.mean(values) - edge) / np.std(values, ddof=1)

    def density(effect: float) -> float:
        """f(t) up to what all effects share: ∫ s^(n−1)·φ(t·s − δ√n)·exp(−(n−1)·s²/2) ds."""
        return quad(
            lambda s: s ** (n - 1) * math.exp(-((t * s - effect * math.sqrt(n)) ** 2) / 2 - (n - 1) * s * s / 2),
            0,
            np.inf,
            epsabs=0,
            limit=200,
        )[0]

    return float(np.mean([density(effect) for effect in EFFECTS])) / density(0.0)


@pytest.mark.parametrize(
    "values", [[0.3, 0.5], [-0.1, 0.2, 0.15], [1.0, 1.1, 0.9, 1.05, 1.02], [-2.0, -1.0, -1.5, -0.5]]
)
@pytest.mark.parametrize("edge", [0.0, 0.4])
def test_evidence_of_a_slope_is_its_definition(values: list[float], edge: float) -> None:
    found = evidence_of_slope(values, edge)
    assert found.holds == pytest.approx(literal_slope(values, edge), rel=1e-5)
    assert found.fails == pytest.approx(literal_slope([-x for x in values], -edge), rel=1e-5)


def test_effects_that_are_bet_on_are_the_half_normal_ones() -> None:
    assert EFFECTS.size == 24
    assert np.mean(EFFECTS) == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.01)
    assert norm.cdf(EFFECTS / 2) * 2 - 1 == pytest.approx((np.arange(24) + 0.5) / 24)


@pytest.mark.slow
@pytest.mark.parametrize("below", [0.0, 0.3])
def test_evidence_of_a_slope_is_at_most_one_in_expectation(below: float) -> None:
    rng = np.random.default_rng(0)
    found = np.array([evidence_of_slope(rng.normal(-below, 1, size=5), 0.0).holds for _ in range(4000)])
    assert found.mean() <= 1 + 3 * found.std() / math.sqrt(found.size)


@pytest.mark.parametrize("values", [[], [0.3], [0.3, 0.3, 0.3]])
def test_values_without_scatter_say_nothing_on_a_slope(values: list[float]) -> None:
    assert evidence_of_slope(values, 0.0) == NOTHING
    assert interval_of_slope(values).low == -math.inf


@given(st.lists(st.floats(-1e3, 1e3), max_size=12), st.floats(-1e3, 1e3))
def test_evidence_of_a_slope_is_a_number(values: list[float], edge: float) -> None:
    found = evidence_of_slope(values, edge)
    assert math.isfinite(found.holds)
    assert math.isfinite(found.fails)


@given(UNIT)
def test_the_confidence_sequence_is_what_no_e_value_rejects(values: list[float]) -> None:
    interval = interval_of_mean(values)
    assert interval.level == LEVEL
    if values:
        assert interval.low - 1e-6 <= np.mean(values) <= interval.high + 1e-6
    else:
        assert (interval.low, interval.high) == (0.0, 1.0)
    for m in np.linspace(0.01, 0.99, 15).tolist():
        if interval.low + 1e-6 < m < interval.high - 1e-6:
            assert evidence_of_mean(values, m).larger < 20 * (1 + 1e-6)
        elif not interval.low - 1e-6 < m < interval.high + 1e-6:
            assert evidence_of_mean(values, m).larger >= 20 * (1 - 1e-6)


@pytest.mark.parametrize("values", [[1.0, 1.2, 0.9, 1.1], [-3.0, 2.0, 0.1, 1.0, 5.0, 2.0, 0.3]])
def test_the_confidence_sequence_of_a_slope_likewise(values: list[float]) -> None:
    interval = interval_of_slope(values)
    for end, side in ((interval.low, 1), (interval.high, -1)):
        assert evidence_of_slope(values, end - side * 1e-3).larger >= 20
        assert evidence_of_slope(values, end + side * 1e-3).larger < 20


@pytest.mark.slow
@pytest.mark.parametrize("data", EDGES)
def test_the_confidence_sequence_covers_the_truth_at_every_look(data: str) -> None:
    edge, rng = EDGES[data], np.random.default_rng(1)
    interval = interval_of_mean if data == "accuracies" else interval_of_slope
    missed = 0
    for _ in range(300):
        values = edge.draw(rng, 24)
        missed += any(edge.edge not in interval(values[:n]) for n in range(4, 25, 4))
    assert missed <= binom.ppf(0.999, 300, 1 - LEVEL)


def test_evidence_of_a_p_value() -> None:
    assert evidence_of_p_value(0.01) == pytest.approx(5)
    assert evidence_of_p_value(0.0) > 1e100
    # ∫ 1/(2·√p) dp = 1: a p-value's e-value is fair.
    assert quad(evidence_of_p_value, 0, 1)[0] == pytest.approx(1)
    for odd in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"^p_value must be between 0 and 1"):
            evidence_of_p_value(odd)


def test_what_is_not_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^values must be between 0 and 1, got 0.5 to 1.5$"):
        evidence_of_mean([0.5, 1.5], 0.5)
    with pytest.raises(ValueError, match=r"^level must be a number above 0 and below 1, got 1.0$"):
        evidence_of_mean([0.5], 1.0)
    with pytest.raises(ValueError, match=r"^values must be finite"):
        evidence_of_slope([0.5, math.nan], 0.0)
    with pytest.raises(ValueError, match=r"^holds must be at least 0, got nan$"):
        EValues(holds=math.nan)


def test_parts_that_are_missing_decide_nothing() -> None:
    strong, weak = EValues(holds=1000.0, fails=0.01), EValues(holds=0.01, fails=1000.0)
    assert every([strong, NOTHING]) == EValues(holds=1.0, fails=0.505)
    assert every([weak, NOTHING]).fails == 500.5
    assert every([strong, weak]) == EValues(holds=0.01, fails=500.005)
    assert together([strong, weak]) == EValues(holds=0.01, fails=0.01)
    assert together([weak, weak]).fails == 1000


def literal_rulings(claims: list[EValues], n_claims: int) -> list[str]:
    """Directional e-BH as it is told."""
    order = sorted(range(len(claims)), key=lambda i: -max(claims[i].holds, claims[i].fails))
    rulings = ["inconclusive"] * len(claims)
    for k in range(len(claims), 0, -1):
        if max(claims[order[k - 1]].holds, claims[order[k - 1]].fails) * k >= n_claims / 0.05:
            for i in order[:k]:
                rulings[i] = "supported" if claims[i].holds > claims[i].fails else "refuted"
            break
    # Those with the same e-value as the last one are decided with it, which changes nothing for the others.
    least = min((claims[i].larger for i in range(len(claims)) if rulings[i] != "inconclusive"), default=math.inf)
    assert all((claims[i].larger >= least) == (rulings[i] != "inconclusive") for i in range(len(claims)))
    return rulings


@given(PAIRS, st.integers(0, 10))
def test_decisions_are_those_of_the_procedure_as_it_is_told(claims: list[EValues], more: int) -> None:
    found = decide(claims, n_claims=len(claims) + more)
    assert [one.ruling for one in found] == literal_rulings(claims, len(claims) + more)


@given(PAIRS)
def test_what_is_needed_decides(claims: list[EValues]) -> None:
    for index, one in enumerate(decide(claims)):
        others = list(claims)
        others[index] = EValues(holds=one.needed * (1 + 1e-9), fails=0.0)
        assert decide(others)[index].ruling == "supported"
        others[index] = EValues(holds=one.needed * (1 - 1e-9), fails=0.0)
        assert decide(others)[index].ruling == "inconclusive"
        assert (one.ruling != "inconclusive") >= one.alone


def test_a_worked_example() -> None:
    claims = [EValues(holds=h, fails=f) for h, f in ((150.0, 0.0), (0.1, 45.0), (39.0, 0.2), (1.0, 1.0), (20.0, 0.0))]
    # K = 5: e_(1) = 150 against 100, e_(2) = 45 against 50, e_(3) = 39 against 33.3, e_(4) = 20 against 25.
    found = decide(claims)
    assert [one.ruling for one in found] == ["supported", "refuted", "supported", "inconclusive", "inconclusive"]
    assert [one.alone for one in found] == [True, False, False, False, False]
    assert [one.needed for one in found] == pytest.approx([100 / 3, 100 / 3, 100 / 3, 20, 25])
    assert decide([]) == []
    with pytest.raises(ValueError, match=r"^n_claims must be at least 5, got 4$"):
        decide(claims, n_claims=4)


@pytest.mark.slow
@pytest.mark.parametrize("data", EDGES)
def test_claims_at_their_edge_are_decided_as_rarely_as_is_said(data: str) -> None:
    found = simulate(data, repetitions=30, claims=21, seeds=24)
    assert found.wrong <= binom.ppf(0.999, 30, 0.05) / 30
    assert found.wrong_alone <= binom.ppf(0.999, 30, 0.05) / 30
    assert found.wrong_by_t_test > 0.15  # what looking at a p-value again and again comes to


def test_the_committed_rates_are_those_of_the_command() -> None:
    committed = json.loads((ROOT / "docs/results/verdict-errors.json").read_text(encoding="utf-8"))
    assert [one["data"] for one in committed] == list(EDGES)
    assert all(one["repetitions"] >= 1000 for one in committed)
    assert all(max(one["wrong"], one["wrong_at_a_look"], one["wrong_alone"]) <= 0.05 for one in committed)
    assert all(one["wrong_by_t_test"] > 0.2 for one in committed)
    assert set(committed[0]) == set(verdict_errors(repetitions=1)[0])
