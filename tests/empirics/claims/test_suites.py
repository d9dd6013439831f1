"""Suites: which claims they hold, how fresh runs are added block by block, and what they decide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from dcrit.empirics.claims.claim import ENOUGH, Claim, Condition, Part
from dcrit.empirics.claims.evidence import SIGNIFICANCE
from dcrit.empirics.claims.protocol import CLAIMS
from dcrit.empirics.claims.streams import Arm, Stream
from dcrit.empirics.claims.suites import SUITE_NAMES, Suite, gather, judge, minutes_of, select, suite_of
from dcrit.empirics.experiments.experiment import SuiteName
from dcrit.empirics.experiments.laboratory import Laboratory, Machine, open_runs
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.budget import Budget, Speed
from dcrit.theory.problems.problem import Problem
from tests.worlds.miniature import accuracy, claim_of
from tests.worlds.runs import no_multitask, run_of

PROBLEM = Problem(modulus=7, width=8)


@dataclass
class Coins:
    """A runner of networks that generalize with a probability, by their training-set size.

    Attributes:
        chance: Probability by size.
        asked: Every configuration that was asked for.
        stored: Addresses of runs that are there already.
    """

    chance: dict[int, float]
    asked: list[RunConfig] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)

    def __call__(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        assert stage == "fresh seeds"
        self.asked += configs
        self.stored |= {one.address for one in configs}
        return [self.run(one) for one in configs]

    def run(self, config: RunConfig) -> Run:
        rng = np.random.default_rng(int(config.address, 16))
        return run_of(config, train_accuracy=1.0, test_accuracy=float(rng.random() < self.chance[config.n_train]))

    def laboratory(self) -> Laboratory:
        return Laboratory(
            self, no_multitask, [], lacking=lambda configs: [c for c in configs if c.address not in self.stored]
        )


SURE, NEVER, EVEN = (Condition(stream=accuracy(PROBLEM, size, blocks=8), low=0.5) for size in (30, 10, 20))
COINS = {30: 1.0, 10: 0.0, 20: 0.5}


def suite(**conditions: Condition) -> Suite:
    return Suite(name="quick", claims=tuple(claim_of(name, one) for name, one in conditions.items()))


MADE = suite(holds=SURE, fails=NEVER, open=EVEN)


# --- what suites hold ---


def test_suites_have_their_names_and_all_claims_that_have_a_part_in_them() -> None:
    for name in SUITE_NAMES:
        found = suite_of(name)
        assert found.name == name
        assert [claim.id for claim in found.claims] == [one for one, claim in CLAIMS.items() if name in claim.suites]
    assert {claim.id for claim in suite_of("quick").claims} <= {claim.id for claim in suite_of("standard").claims}


def test_parts_of_another_suite_do_not_count() -> None:
    cases: tuple[tuple[SuiteName, Condition], ...] = (("quick", SURE), ("paper", NEVER))
    parts = tuple(Part(name=name, conditions=(one,), suites=(name,)) for name, one in cases)
    claim = Claim(id="two", statement="S.", source=("dcrit",), criterion="C.", parts=parts)
    assert claim.suites == {"quick", "paper"}
    for name, one in cases:
        assert Suite(name=name, claims=(claim,)).streams == [one.stream]


def test_no_claim_named_is_all_claims() -> None:
    assert select(MADE, ()) is MADE


def test_named_claims_alone_are_judged_beside_all_others() -> None:
    chosen = select(MADE, ("open", "holds"))
    assert [claim.id for claim in chosen.claims] == ["open", "holds"]
    assert chosen.n_claims == select(chosen, ("open",)).n_claims == 3


def test_an_unknown_claim_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^claim must be one of holds, fails, open in suite quick, got 'nonsense'$"):
        select(MADE, ("holds", "nonsense"))
    with pytest.raises(ValueError, match=r"got 'delay-law', a claim of standard$"):
        select(MADE, ("delay-law",))


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan])
def test_a_budget_is_a_time(minutes: float) -> None:
    with pytest.raises(ValueError, match=r"^budget must be above 0 minutes, or inf, got"):
        minutes_of("quick", minutes)
    assert (minutes_of("quick", None), minutes_of("paper", None)) == (math.inf, 30.0)
    with pytest.raises(ValueError, match=r"^workers must be at least 1 beside address= and"):
        minutes_of("paper", None, address="ray://host:1")


# --- gathering ---


def test_claims_are_decided_block_by_block_and_no_further() -> None:
    coins, said = Coins(COINS), list[str]()
    records = gather(MADE, coins.laboratory(), begin=said.append)
    rulings = {one.claim.id: one.ruling for one in judge(MADE, records)}
    assert rulings == {"holds": "supported", "fails": "refuted", "open": "inconclusive"}
    # (1.96)^n/24 and less: fair coins are tossed to the end, sure ones until e = 100.
    assert records[EVEN.stream].seeds == 32
    for one in (SURE, NEVER):
        made = records[one.stream]
        assert made.seeds < 32
        assert one.evidence(made.values).larger >= ENOUGH > one.evidence(made.values[: -one.stream.block]).larger
    assert said[0] == "12 fresh runs for 3 of 3 claims"
    assert len({one.address for one in coins.asked}) == len(coins.asked)
    assert all(one.seed >= 10_000 for one in coins.asked)


def test_a_stream_that_claims_share_is_made_once() -> None:
    coins = Coins(COINS)
    shared = suite(above=SURE, below=Condition(stream=SURE.stream, high=0.9))
    records = gather(shared, coins.laboratory())
    assert list(records) == [SURE.stream]
    assert len(coins.asked) == records[SURE.stream].seeds
    one, other = judge(shared, records)
    assert (one.finding.seconds_by_run, one.ruling) == (other.finding.seconds_by_run, "supported")


def test_called_again_it_goes_on_where_it_ended() -> None:
    coins, halves = Coins(COINS), Condition(stream=accuracy(PROBLEM, 20, blocks=3), low=0.5)
    first = gather(suite(open=halves), coins.laboratory())
    before = len(coins.asked)
    again = gather(suite(open=halves), coins.laboratory())
    assert again[halves.stream].values == first[halves.stream].values
    stored, more = len(coins.stored), replace(halves, stream=replace(halves.stream, blocks=6))
    longer = gather(suite(open=more), coins.laboratory())
    assert longer[more.stream].values[:12] == first[halves.stream].values
    assert (before, stored, len(coins.stored)) == (12, 12, 24)


def budget(seconds: float) -> Budget:
    return Budget(seconds=seconds, speed=Speed(device="cuda", rate=1e9), workers=1, clock=lambda: 0.0)


def test_a_budget_goes_to_the_cheapest_blocks_and_what_is_stored_takes_none_of_it() -> None:
    dear = Condition(stream=accuracy(replace(PROBLEM, width=4096), 20, blocks=1), low=0.5)
    both = suite(cheap=EVEN, dear=dear)
    coins = Coins(COINS)
    laboratory = coins.laboratory()
    limited = replace(budget(1.0), clock=lambda: 0.0 if len(coins.asked) < 32 else 1.0)
    records = gather(both, laboratory, budget=limited)
    assert (records[EVEN.stream].seeds, records[dear.stream].seeds) == (32, 0)
    verdict = judge(both, records)[1]
    assert (verdict.ruling, verdict.reason, verdict.finding.evidence.larger) == (
        "inconclusive",
        "no run was made yet",
        1,
    )
    made = gather(both, laboratory)
    assert made[dear.stream].seeds == 4
    asked = len(coins.stored)
    found = gather(both, laboratory, budget=budget(1e-9))
    assert found[dear.stream].values == made[dear.stream].values
    assert len(coins.stored) == asked


def test_a_time_is_the_limit_where_one_is_given_and_seeds_may_go_beyond_those_that_were_declared() -> None:
    coins = Coins({30: 1.0})
    short = Condition(stream=replace(SURE.stream, blocks=1), low=0.5)
    drawn = suite(holds=short)
    assert gather(drawn, coins.laboratory())[short.stream].seeds == 4
    assert judge(drawn, gather(drawn, coins.laboratory()))[0].ruling == "inconclusive"
    more = gather(drawn, coins.laboratory(), budget=budget(1.0))
    assert [one.ruling for one in judge(drawn, more)] == ["supported"]
    # What was made counts ever after, and without a time nothing is added.
    again = gather(drawn, coins.laboratory())
    assert again[short.stream].values == more[short.stream].values


def test_seeds_that_do_not_tell_are_counted_and_left_out() -> None:
    class Diverging(Coins):
        def run(self, config: RunConfig) -> Run:
            return replace(super().run(config), ending="diverged")

    records = gather(MADE, Diverging(COINS).laboratory())
    for verdict in judge(MADE, records):
        assert (verdict.ruling, verdict.finding.evidence.larger) == ("inconclusive", 1)
        assert verdict.finding.n_left_out == 32
        assert verdict.reason == "all of it: no run tells yet"


def test_slopes_do_not_ask_about_the_claim() -> None:
    """Their evidence may depend on nothing else that was seen, so that their streams end by themselves alone."""
    arms = tuple(Arm(problem=PROBLEM.on_random_labels(), n_train=size) for size in (10, 20))
    slope = Condition(stream=Stream(measure="memorizing-slope", arms=arms, blocks=3), high=-0.2)
    parts = tuple(Part(name=f"{k}", conditions=(one,), suites=("quick",)) for k, one in enumerate((NEVER, slope)))
    claim = replace(claim_of("both", NEVER), parts=parts)
    records = gather(Suite(name="quick", claims=(claim,)), Coins({10: 0.0, 20: 0.0}).laboratory())
    assert records[slope.stream].seeds == 3


def test_one_claim_alone_needs_as_much_as_beside_the_others() -> None:
    records = gather(MADE, Coins(COINS).laboratory())
    (alone,) = judge(select(MADE, ("open",)), records)
    assert alone.decision.needed == 3 / SIGNIFICANCE


@pytest.mark.slow
def test_real_runs_are_kept_and_found_again(tmp_path: Path) -> None:
    problem = Problem(modulus=5, width=4, learning_rate=0.1, weight_decay=4.0)
    small = suite(few=Condition(stream=accuracy(problem, 8, blocks=1), high=0.5))
    with open_runs(tmp_path, Machine(workers=1), display=False) as laboratory:
        first = gather(small, laboratory)
    with open_runs(tmp_path, display=False, may_train=False) as laboratory:
        again = gather(small, laboratory)
    (stream,) = small.streams
    assert first[stream].values == again[stream].values
    assert len(first[stream].seconds_by_run) == 4
