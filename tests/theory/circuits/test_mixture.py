import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from dcrit.theory.circuits.crossing import Crossing, NoCrossing
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.mixture import Competition, DeficitLaw, unsaturated_half_accuracy_size
from tests.worlds.strategies import competitions

DEFICITS = DeficitLaw(median=0.5, median_exponent=0.0, spread=0.2, spread_exponent=0.0)
EVEN = Competition(
    memorizing=MemorizingLaw(amplitude=10.0, exponent=0.5),
    generalizing=GeneralizingLaw(full_data=1.0, n_pairs=400.0),
    deficits=DEFICITS,
    mixing=3.0,
)
sizes = st.floats(1.0, 1e4)
levels = st.floats(0.02, 0.98)


def with_generalizing(competition: Competition, factor: float) -> Competition:
    law = competition.generalizing
    return replace(competition, generalizing=replace(law, full_data=law.full_data * factor))


@given(st.floats(1.1, 8.0), st.floats(-2.0, 2.0).map(math.exp))
def test_shares_and_efficiency_are_those_of_the_cheapest_mixture(mixing: float, ratio: float) -> None:
    """Literal minimization of the price over the share, at a memorizing efficiency of one."""
    a = 1 / (1 - 1 / mixing)
    competition = Competition(
        memorizing=MemorizingLaw(amplitude=1.0, exponent=1.0),
        generalizing=GeneralizingLaw(full_data=ratio, n_pairs=100.0),
        deficits=DEFICITS,
        mixing=mixing,
    )

    def price(share: float) -> float:
        return ((share / ratio) ** a + (1 - share) ** a) ** (1 / a)

    best = minimize_scalar(price, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-10})
    odds = math.exp(competition.log_odds(0.0))
    assert odds / (1 + odds) == pytest.approx(best.x, abs=1e-5)
    assert math.exp(-competition.log_efficiency(0.0)) == pytest.approx(best.fun, rel=1e-9)
    assert price(odds / (1 + odds)) <= min(price(share) for share in np.linspace(0, 1, 101)) * (1 + 1e-12)


@given(competitions(), sizes)
def test_a_mixture_is_at_least_as_efficient_as_either_circuit(competition: Competition, size: float) -> None:
    x = math.log(size)
    better = max(competition.memorizing.log_efficiency(x), competition.generalizing.log_efficiency(x))
    rounding = 1e-12 * (1 + abs(better))
    gain = competition.log_efficiency(x) - better
    assert -rounding <= gain <= math.log(2) / competition.mixing + rounding


@given(competitions(), sizes)
def test_accuracy_equals_the_literal_probability(competition: Competition, size: float) -> None:
    generalizing, memorizing, deficits = competition.generalizing, competition.memorizing, competition.deficits
    e_gen = generalizing.full_data * (size / generalizing.n_pairs) ** -generalizing.drift
    e_mem = memorizing.amplitude * size**-memorizing.exponent
    odds = (e_gen / e_mem) ** competition.mixing
    deficit = NormalDist(
        deficits.median * size**deficits.median_exponent, deficits.spread * size**deficits.spread_exponent
    )
    assert competition.test_accuracy(size) == pytest.approx(deficit.cdf(odds), rel=1e-6, abs=1e-12)


def test_accuracy_is_the_share_of_sampled_deficits_below_the_odds() -> None:
    deficits = np.random.default_rng(0).normal(0.5, 0.2, size=40_000)
    odds = (1.0 / (10.0 / math.sqrt(70.0))) ** 3.0
    assert EVEN.test_accuracy(70.0) == pytest.approx(np.mean(deficits < odds), abs=0.01)


@given(competitions(), sizes, st.floats(1.01, 3.0))
def test_accuracy_rises_with_generalizing_efficiency(competition: Competition, size: float, factor: float) -> None:
    before, after = competition.test_accuracy(size), with_generalizing(competition, factor).test_accuracy(size)
    assert after >= before
    # Smaller changes drown in rounding.
    if competition.log_odds(math.log(size)) > -10 and 1e-6 < before < 1 - 1e-6:
        assert after > before


def test_extreme_odds_do_not_overflow() -> None:
    sharp = replace(EVEN, mixing=1e6)
    assert list(sharp.test_accuracy([1.0, 99.0, 101.0, 400.0])) == pytest.approx(
        [NormalDist().cdf(-2.5)] * 2 + [1.0, 1.0]
    )


@given(competitions(), levels)
def test_accuracy_stays_above_a_level_from_the_solved_size_on(competition: Competition, level: float) -> None:
    n_pairs = competition.generalizing.n_pairs
    grid = np.exp(np.linspace(0, math.log(n_pairs), 400))
    accuracy = competition.test_accuracy(grid)
    outcome = competition.size_at_accuracy(level)
    if isinstance(outcome, Crossing):
        assert competition.test_accuracy(outcome.n_train) == pytest.approx(level, abs=1e-6)
        assert np.all(accuracy[grid > outcome.n_train] >= level - 1e-9)
        assert competition.test_accuracy(outcome.n_train * (1 - 1e-6)) < level
        assert outcome.efficiency == pytest.approx(math.exp(competition.log_efficiency(math.log(outcome.n_train))))
    elif outcome.winner == "memorizing":
        assert accuracy[-1] < level
    else:
        assert np.all(accuracy >= level)


def test_an_accidental_passage_at_a_few_examples_is_not_the_transition() -> None:
    # The spread exceeds the median at the smallest sizes, so that accuracy is above a tenth there, too.
    deficits = DeficitLaw(median=0.1, median_exponent=0.6, spread=0.3, spread_exponent=0.0)
    competition = replace(EVEN, deficits=deficits)
    assert competition.test_accuracy(1.0) > 0.1
    assert competition.test_accuracy(30.0) < 0.1
    outcome = competition.size_at_accuracy(0.1)
    assert isinstance(outcome, Crossing)
    assert 100.0 < outcome.n_train < 150.0


@pytest.mark.slow
@given(competitions(), levels, levels)
def test_sizes_rise_with_the_level(competition: Competition, one: float, other: float) -> None:
    low, high = sorted((one, other))
    first, last = competition.size_at_accuracy(low), competition.size_at_accuracy(high)
    if isinstance(first, Crossing) and isinstance(last, Crossing):
        assert first.n_train <= last.n_train * (1 + 1e-9)
    elif isinstance(first, NoCrossing) and first.winner == "memorizing":
        assert last == replace(first, reason=last.reason if isinstance(last, NoCrossing) else "")


@given(competitions())
def test_half_accuracy_agrees_with_the_closed_form(competition: Competition) -> None:
    closed = unsaturated_half_accuracy_size(competition)
    outcome = competition.size_at_accuracy(0.5)
    if isinstance(outcome, Crossing):
        assert outcome.n_train == pytest.approx(closed, rel=1e-9)
    elif outcome.winner == "memorizing":
        assert closed > competition.generalizing.n_pairs * (1 - 1e-9)
    else:
        assert closed < 1 + 1e-9


@given(competitions())
def test_without_mixing_every_accuracy_is_passed_at_the_crossing(competition: Competition) -> None:
    sharp = replace(competition, mixing=1e9)
    crossing = sharp.crossing()
    assert isinstance(crossing, Crossing)
    assert unsaturated_half_accuracy_size(sharp) == pytest.approx(crossing.n_train, rel=1e-6)
    half = sharp.size_at_accuracy(0.5)
    assert isinstance(half, Crossing)
    assert half.n_train == pytest.approx(crossing.n_train, rel=1e-6)


def test_the_margin_is_shared_evenly_at_the_crossing() -> None:
    crossing = EVEN.crossing()
    assert isinstance(crossing, Crossing)
    assert crossing.n_train == pytest.approx(100.0)
    assert EVEN.log_odds(math.log(crossing.n_train)) == pytest.approx(0.0, abs=1e-9)


def test_accuracy_may_pass_no_level() -> None:
    never, always = with_generalizing(EVEN, 0.1), with_generalizing(EVEN, 100.0)
    for competition, winner in ((never, "memorizing"), (always, "generalizing")):
        outcome = competition.size_at_accuracy(0.5)
        assert isinstance(outcome, NoCrossing)
        assert outcome.winner == winner
        assert "0.5" in outcome.reason


@pytest.mark.parametrize("accuracy", [0.0, 1.0, -0.5, 2.0, math.nan])
def test_levels_lie_between_zero_and_one(accuracy: float) -> None:
    with pytest.raises(ValueError, match=r"^accuracy must be between 0 and 1, got "):
        EVEN.size_at_accuracy(accuracy)


@pytest.mark.parametrize("mixing", [1.0, 0.5, -2.0, math.inf, math.nan])
def test_mixing_is_above_one(mixing: float) -> None:
    with pytest.raises(ValueError, match=r"^mixing must be above 1 and finite, got "):
        replace(EVEN, mixing=mixing)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("median", 0.0),
        ("median", math.inf),
        ("median_exponent", math.nan),
        ("spread", -1.0),
        ("spread_exponent", math.inf),
    ],
)
def test_bad_deficits_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be "):
        replace(DEFICITS, **{field: value})
