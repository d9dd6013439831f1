import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from dcrit.empirics.claims.effect import SIGNIFICANCE, holm_thresholds

P_VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.001, 0.01, 0.0125, 0.05])), max_size=25)


def decided(p_values: list[float | None], significance: float = SIGNIFICANCE) -> list[bool]:
    return [
        p is not None and threshold is not None and p <= threshold
        for p, threshold in zip(p_values, holm_thresholds(p_values, significance), strict=True)
    ]


def literal(p_values: list[float | None], significance: float) -> list[bool]:
    """Holm's procedure as it is told: take the smallest that is left, until one is too large."""
    left = {index: 1.0 if p is None else p for index, p in enumerate(p_values)}
    rejected = [False] * len(p_values)
    while left:
        index = min(left, key=lambda k: left[k])
        if p_values[index] is None or left[index] > significance / len(left):
            break
        rejected[index] = True
        del left[index]
    return rejected


@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.2]))
def test_decisions_are_those_of_the_procedure_as_it_is_told(p_values: list[float | None], level: float) -> None:
    assert decided(p_values, level) == literal(p_values, level)


@given(P_VALUES)
def test_never_more_is_decided_than_without_correction_and_never_less_than_by_bonferroni(
    p_values: list[float | None],
) -> None:
    for p, one in zip(p_values, decided(p_values), strict=True):
        if p is not None:
            assert one <= (p <= SIGNIFICANCE)
            assert one >= (p <= SIGNIFICANCE / len(p_values))


@given(P_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_claims_does_not_matter(p_values: list[float | None], random: object) -> None:
    order = list(range(len(p_values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    before = decided(p_values)
    assert decided([p_values[k] for k in order]) == [before[k] for k in order]


def test_a_worked_example() -> None:
    # In ascending order against 0.05/5, 0.05/4, 0.05/3: adjusted p-values 0.005, 0.044, 0.06, 0.06, 0.06.
    p_values: list[float | None] = [0.03, 0.001, 0.02, 0.04, 0.011]
    assert holm_thresholds(p_values, 0.05) == pytest.approx([0.05 / 3, 0.05 / 5, 0.05 / 3, 0.05 / 3, 0.05 / 4])
    assert decided(p_values, 0.05) == [False, True, False, False, True]


def test_what_cannot_be_decided_is_corrected_for_like_a_p_value_of_one() -> None:
    assert holm_thresholds([None, 0.04, None, math.nan], 0.05) == [None, 0.05 / 4, None, None]
    assert holm_thresholds([]) == []
    assert holm_thresholds([None]) == [None]


def test_more_claims_may_be_corrected_for_than_are_judged() -> None:
    assert holm_thresholds([0.001, 0.004], 0.05, n_claims=20) == pytest.approx([0.05 / 20, 0.05 / 19])
    with pytest.raises(ValueError, match=r"^n_claims must be at least 2, got 1$"):
        holm_thresholds([0.001, 0.004], 0.05, n_claims=1)


def test_one_claim_alone_is_not_corrected() -> None:
    assert holm_thresholds([0.9]) == [SIGNIFICANCE]


def test_any_wrong_decision_among_true_claims_is_as_rare_as_of_one() -> None:
    p_values = np.random.default_rng(0).uniform(size=(2000, 21))
    wrong = sum(any(decided(one)) for one in p_values.tolist())
    assert binom.ppf(0.001, 2000, 0.8 * SIGNIFICANCE) <= wrong <= binom.ppf(0.999, 2000, SIGNIFICANCE)
