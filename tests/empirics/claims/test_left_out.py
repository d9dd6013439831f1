"""Experiments that a suite has no time for."""

from dataclasses import replace
from typing import Any

import pytest

from dcrit.empirics.claims.claim import Claim, Finding, verdict_json
from dcrit.empirics.claims.suites import Suite, gather, judge
from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.training.budget import Budget, LeftOut, Speed
from tests.worlds.report_documents import stages_of
from tests.worlds.runs import World, no_multitask


def claim_of(name: str, flops: int) -> Claim[Any]:
    experiment: Experiment[str, str] = Experiment(
        name=name, designs={"quick": name}, measure=lambda design, _: design, stages=lambda _: stages_of(flops)
    )
    finding = Finding(
        predicted=1.0,
        measured=1.0,
        interval=None,
        n_runs=3,
        n_unconverged=0,
        reason="as predicted",
        # Decides alone (0.05) and beside one more (0.025), not beside two (0.0167).
        p_inside=0.02,
        p_outside=1.0,
    )
    return Claim(
        id=name, statement=name, source=("dcrit",), criterion="", experiment=experiment, judge=lambda _: finding
    )


#: Counts operations alone.
SPEED = Speed(device="cuda", rate=1e9)

SUITE = Suite(
    name="quick", claims=(claim_of("first", 6 * 10**9), claim_of("second", 12 * 10**11), claim_of("third", 6 * 10**9))
)


@pytest.fixture
def laboratory() -> Laboratory:
    return Laboratory(World(), no_multitask, [])


def test_what_is_left_out_is_a_value_and_the_rest_is_made(laboratory: Laboratory) -> None:
    begun: list[str] = []
    budget = Budget(seconds=10.0, speed=SPEED, clock=lambda: 0.0)
    results = gather(SUITE, laboratory, begin=begun.append, budget=budget)
    assert begun == ["first", "third"]
    assert results["first"].evidence == "first"
    assert results["second"].evidence == LeftOut(flops=1.2e12, seconds=1200.0, remaining=10.0)
    assert results["second"].account.n_runs == 0


def test_time_that_an_experiment_took_is_missing_for_the_next(laboratory: Laboratory) -> None:
    now = [0.0]
    budget = Budget(seconds=10.0, speed=SPEED, clock=lambda: now[0])

    def begin(_: str) -> None:
        now[0] += 6.0

    results = gather(SUITE, laboratory, begin=begin, budget=budget)
    assert [isinstance(results[name].evidence, LeftOut) for name in ("first", "second", "third")] == [False, True, True]


def test_without_a_budget_everything_is_made(laboratory: Laboratory) -> None:
    results = gather(SUITE, laboratory)
    assert [result.evidence for result in results.values()] == ["first", "second", "third"]


def test_a_claim_without_its_experiment_is_open_and_counts_for_no_correction(laboratory: Laboratory) -> None:
    whole = judge(SUITE, gather(SUITE, laboratory))
    assert [verdict.ruling for verdict in whole] == ["inconclusive"] * 3
    short = judge(SUITE, gather(SUITE, laboratory, budget=Budget(seconds=10.0, speed=SPEED, clock=lambda: 0.0)))
    assert [verdict.ruling for verdict in short] == ["supported", "inconclusive", "supported"]
    left_out = verdict_json(short[1])
    assert left_out["reason"].startswith("left out: 1.2e12 FLOPs, some 20 minutes here")
    assert (left_out["measured"], left_out["threshold"], left_out["runs_made"]) == (None, None, 0)


def test_the_judge_of_a_claim_never_sees_what_was_left_out(laboratory: Laboratory) -> None:
    def judge_nothing(evidence: object) -> Finding:
        raise AssertionError(evidence)

    claim = replace(SUITE.claims[1], judge=judge_nothing)
    suite = Suite(name="quick", claims=(claim,))
    budget = Budget(seconds=1.0, speed=SPEED, clock=lambda: 0.0)
    (verdict,) = judge(suite, gather(suite, laboratory, budget=budget))
    assert verdict.ruling == "inconclusive"
