"""Where the time of a budget goes: the order of the claims, and what work is expected until their verdicts."""

import math

import pytest

from dcrit.empirics.claims.claim import ENOUGH, Condition, Finding, Part, Record
from dcrit.empirics.claims.evidence import SIGNIFICANCE, decide
from dcrit.empirics.claims.frames import AnyStream
from dcrit.empirics.claims.spending import (
    FEWEST_OF_MEANS,
    FEWEST_OF_SLOPES,
    ROUNDS,
    TOGETHER,
    expected_work,
    next_blocks,
)
from dcrit.empirics.claims.streams import Arm, Stream
from dcrit.empirics.claims.suites import block_of, gather, judge
from dcrit.empirics.training.budget import Budget, Speed
from dcrit.empirics.training.work import Stage, work_of
from tests.empirics.claims.test_suites import COINS, EVEN, NEVER, PROBLEM, SURE, Coins, suite

BLOCK = work_of([Stage(known=block_of(SURE.stream, 0))], "cuda").cost

ARMS = tuple(Arm(problem=PROBLEM.on_random_labels(), n_train=size) for size in (10, 20))
SLOPE = Condition(stream=Stream(measure="memorizing-slope", arms=ARMS, blocks=9), high=-0.2)


def blocks_of_time(blocks: float, coins: Coins) -> Budget:
    """Time for some blocks of a coin; each that is asked for takes its share."""
    return Budget(
        seconds=blocks * BLOCK,
        speed=Speed(device="cuda", rate=1.0),
        clock=lambda: len(coins.asked) / 4 * BLOCK,
        began=0.0,
    )


def finding(*conditions: Condition, **values: list[float]) -> Finding:
    """Of a claim with a part a condition, and the values of the streams called so."""
    streams = {"sure": SURE.stream, "even": EVEN.stream, "never": NEVER.stream, "slope": SLOPE.stream}
    records: dict[AnyStream, Record] = {stream: Record() for stream in streams.values()}
    for name, own in values.items():
        records[streams[name]] = Record(values=own, seeds=len(own))
    parts = tuple(Part(name=f"part {k}", conditions=(one,)) for k, one in enumerate(conditions))
    return Finding(parts=parts, records=records)


def test_half_of_the_claims_with_the_first_goal_are_decided_together() -> None:
    found = [finding(SURE, sure=[1.0] * 8).evidence] * 5 + [finding(SURE).evidence] * 5
    assert found[0].larger >= TOGETHER == 2 / SIGNIFICANCE
    assert [one.ruling for one in decide(found)] == ["supported"] * 5 + ["inconclusive"] * 5


@pytest.mark.parametrize(
    ("condition", "value", "fewest", "block"),
    [(SURE, 0.95, FEWEST_OF_MEANS, 4), (SLOPE, -0.7, FEWEST_OF_SLOPES, 1)],
    ids=["means", "slopes"],
)
def test_the_fewest_blocks_decide_where_the_effect_is_large(
    condition: Condition, value: float, fewest: int, block: int
) -> None:
    values = [value - 1e-3 * k for k in range(fewest * block)]
    assert condition.stream.block == block
    assert condition.evidence(values).holds >= TOGETHER
    assert condition.evidence(values[:-block]).holds < TOGETHER


def test_work_is_expected_by_what_was_seen() -> None:
    costs: dict[AnyStream, float] = {SURE.stream: 2.0, EVEN.stream: 3.0, SLOPE.stream: 5.0}
    # Nothing is known: as few blocks as decide at best, and no more than were declared.
    unknown = expected_work(finding(SURE, SLOPE), costs, TOGETHER)
    assert unknown == {SURE.stream: 2.0 * FEWEST_OF_MEANS, SLOPE.stream: 5.0 * FEWEST_OF_SLOPES}
    # It grows: ln(goal/e) over ln(e) per seed, in whole blocks.
    growing = finding(SURE, sure=[1.0] * 4)
    e = growing.evidence.holds
    seeds = math.ceil(4 * math.log(TOGETHER / e) / math.log(e))
    assert expected_work(growing, costs, TOGETHER) == {SURE.stream: 2.0 * math.ceil(seeds / 4)}
    # It does not: the declared blocks, and those made.
    assert expected_work(finding(EVEN, even=[1.0, 0.0] * 8), costs, TOGETHER) == {EVEN.stream: 3.0 * (8 + 4)}
    # Decided, or not wanted: nothing.
    assert expected_work(finding(SURE, sure=[1.0] * 8), costs, TOGETHER) == {}
    assert expected_work(growing, {}, TOGETHER) == {}


def test_a_claim_that_may_fail_needs_its_nearest_part_alone() -> None:
    costs: dict[AnyStream, float] = {SURE.stream: 1.0, NEVER.stream: 1.0}
    failing = finding(SURE, NEVER, sure=[1.0] * 4, never=[0.0] * 4)
    assert list(expected_work(failing, costs, TOGETHER)) == [NEVER.stream]


def test_a_budget_goes_to_the_claims_that_it_can_decide() -> None:
    """Both coins have the same price: time for seven blocks decides the sure one, not the fair one first."""
    coins = Coins({30: 1.0, 20: 0.5})
    both = suite(open=EVEN, holds=SURE)
    records = gather(both, coins.laboratory(), budget=blocks_of_time(7.5, coins))
    assert [one.ruling for one in judge(both, records)] == ["inconclusive", "supported"]
    assert SURE.evidence(records[SURE.stream].values).holds >= TOGETHER
    # One look at the fair one, then the sure one to its verdict, and what is left to the fair one all the same.
    assert [one.n_train for one in coins.asked] == [20] * 4 + [30] * 8 + [20] * 16


def test_a_budget_goes_beyond_the_first_goal_once_all_claims_have_it() -> None:
    coins = Coins(COINS)
    one = suite(holds=SURE)
    records = gather(one, coins.laboratory(), budget=blocks_of_time(100.0, coins))
    assert records[SURE.stream].values == gather(one, Coins(COINS).laboratory())[SURE.stream].values
    assert SURE.evidence(records[SURE.stream].values).holds >= ENOUGH > TOGETHER


def test_a_round_holds_the_cheapest_claims_until_it_is_full() -> None:
    lacking = {one.stream: block_of(one.stream, 0) for one in (SURE, EVEN, NEVER)}
    findings = [finding(one) for one in (SURE, EVEN, NEVER)]
    cheapest = work_of([Stage(known=lacking[NEVER.stream])], "cuda").cost
    for share, conditions in ((0.9, [NEVER]), (1.1, [NEVER, EVEN]), (9.0, [NEVER, EVEN, SURE]), (0.9 / ROUNDS, [])):
        time = blocks_of_time(share * ROUNDS * cheapest / BLOCK, Coins(COINS))
        assert next_blocks(findings, lacking, time) == [one.stream for one in conditions]


def test_slopes_that_have_begun_are_never_left_out_for_other_claims() -> None:
    """Whether they get more seeds may not depend on what was seen of them, nor on how near another claim is."""
    coins = Coins({10: 0.0, 20: 0.0, 30: 1.0})
    # A slope that is there with one seed, beside a sure coin that is nearer.
    known: dict[AnyStream, Record] = {SLOPE.stream: Record(values=[-0.7], seeds=1)}
    both = suite(holds=SURE, slope=SLOPE)
    records = gather(both, coins.laboratory(), budget=blocks_of_time(5.1, coins), known=known)
    sizes = [one.n_train for one in coins.asked]
    assert sizes[:2] == [10, 20]
    assert records[SLOPE.stream].seeds >= 3
