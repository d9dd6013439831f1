import json
import math

import numpy as np
import pytest
from scipy.stats import norm

from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.branches import BranchLaw
from dcrit.theory.circuits.closed_forms import explain_branches
from dcrit.theory.circuits.norms import NormLaw

COVARIANCE = ((0.002, -0.0015, 0.0), (-0.0015, 0.0014, 0.0), (0.0, 0.0, 0.02))
BRANCHES = BranchLaw(prefactor=2.0, load=0.2, spread=0.12, ahead=0.02, behind=0.04, scatter=0.05, covariance=COVARIANCE)
NORMS = NormLaw(
    top=25.0,
    top_examples=0.5,
    top_width=0.1,
    memory=26.0,
    memory_examples=0.53,
    rule=50.0,
    rule_symbols=0.62,
    scatter_top=0.04,
    scatter_memory=0.06,
    scatter_rule=0.08,
)


def test_half_of_the_seeds_are_symmetric_at_the_size_of_the_law() -> None:
    size = BRANCHES.size(49, 28)
    assert size == pytest.approx(2.0 * 49**1.5 * (1 + 0.2 * 1.75))
    assert float(BRANCHES.probability(49, 28, size)) == pytest.approx(0.5)
    chances = BRANCHES.probability(49, 28, size * np.array([0.7, 0.9, 1.1, 1.4]))
    assert (np.diff(chances) > 0).all()


def test_the_error_of_the_law_flattens_a_probability_and_is_its_interval() -> None:
    n_train = 1.2 * BRANCHES.size(41, 24)
    error = BRANCHES.deviation(41, 24)
    draws = math.log(1.2) + error * np.random.default_rng(0).standard_normal(400_000)
    seeds = norm.cdf(draws / BRANCHES.spread)
    assert float(BRANCHES.probability(41, 24, n_train)) == pytest.approx(seeds.mean(), abs=1e-3)
    interval = BRANCHES.interval(41, 24, n_train)
    np.testing.assert_allclose([interval.low, interval.high], np.quantile(seeds, [0.05, 0.95]), atol=2e-3)


def test_the_deviation_is_that_of_drawn_constants() -> None:
    root = np.linalg.cholesky(np.array(COVARIANCE))
    drawn = np.random.default_rng(1).standard_normal((100_000, 3)) @ root.T
    sizes = drawn[:, 0] + np.log(1 + (BRANCHES.load + drawn[:, 1]) * 50 / 20)
    assert BRANCHES.deviation(50, 20) == pytest.approx(math.hypot(sizes.std(), BRANCHES.scatter), rel=0.02)


def test_a_branch_is_worth_examples() -> None:
    assert (BRANCHES.shift(symmetric=True), BRANCHES.shift(symmetric=False)) == (0.02, -0.04)


def test_the_norm_falls_further_in_the_rule_where_data_are_many() -> None:
    equal = NORMS.equal_size(59)
    for factor in (0.5, 2.0):
        rule, memory = (NORMS.fall(59, 24, factor * equal, generalizes=one)[0] for one in (True, False))
        assert (rule < memory) == (factor > 1)
    ratio, ends = NORMS.fall(59, 24, 1250.0, generalizes=True)
    assert ratio == pytest.approx(50 * 59**0.62 / (25 * 1250**0.5 * 24**0.1))
    assert math.log(ends.high / ratio) == pytest.approx(1.645 * math.hypot(0.04, 0.08), rel=1e-3)


def test_both_are_read_again() -> None:
    assert BranchLaw.from_dict(json.loads(json.dumps(BRANCHES.to_dict()))) == BRANCHES
    assert NormLaw.from_dict(json.loads(json.dumps(NORMS.to_dict()))) == NORMS


def test_the_paragraph_has_their_numbers() -> None:
    text = explain_branches(BRANCHES, NORMS, 59, 24, 1250.0)
    assert f"D_half = {BRANCHES.size(59, 24):.4g} examples" in text
    assert f"P(symmetric) = {float(BRANCHES.probability(59, 24, 1250.0)):.2f}" in text
    for generalizes in (True, False):
        assert f"{NORMS.fall(59, 24, 1250.0, generalizes=generalizes)[0]:.2f} (" in text


@pytest.mark.parametrize(
    "changed", [{"prefactor": 0.0}, {"load": -0.1}, {"spread": 0.0}, {"ahead": math.nan}, {"covariance": ((1.0,),)}]
)
def test_a_bad_branch_law_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(FieldError, match=next(iter(changed))):
        BranchLaw(**{**BRANCHES.__dict__, **changed})


@pytest.mark.parametrize("changed", [{"top": 0.0}, {"memory_examples": math.inf}, {"scatter_rule": -1.0}])
def test_a_bad_norm_law_is_refused(changed: dict[str, float]) -> None:
    with pytest.raises(FieldError, match=next(iter(changed))):
        NormLaw(**{**NORMS.__dict__, **changed})
