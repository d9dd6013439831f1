"""Claims that critical sizes are equal: over the weight decay, and between relabeled tasks."""

import math
from dataclasses import replace

import pytest

from dcrit.empirics.claims import dcrit_decay_free, task_isomorphism
from dcrit.empirics.claims.size_effects import ratio_effect
from dcrit.empirics.experiments.transitions import Transition
from dcrit.theory.problems.problem import Problem
from tests.worlds.transitions import transition

PROBLEM = Problem(modulus=31, width=64)
HALF = replace(PROBLEM, weight_decay=0.5)
TWICE = replace(PROBLEM, weight_decay=2.0)


def decays(*log_ratios: float | None) -> list[list[Transition]]:
    sizes = [None if ratio is None else 260 * math.exp(ratio) for ratio in log_ratios]
    others = [transition(problem, size) for problem, size in zip((HALF, TWICE), sizes, strict=False)]
    return [[transition(PROBLEM, 260), *others]]


def test_equal_sizes_support() -> None:
    finding = dcrit_decay_free.judge(decays(0.01, -0.02))
    assert finding.ruling() == "supported"
    assert finding.measured == pytest.approx(-0.02, abs=0.01)
    assert finding.n_runs == 48


def test_one_size_apart_refutes() -> None:
    finding = dcrit_decay_free.judge(decays(0.0, 0.25))
    assert finding.ruling() == "refuted"
    assert finding.measured == pytest.approx(0.25, abs=0.02)
    assert "at decay 2 against 1" in finding.reason
    assert "1 of 2 pairs" in finding.reason


def test_a_size_at_the_margin_decides_nothing() -> None:
    assert dcrit_decay_free.judge(decays(0.0, dcrit_decay_free.MARGIN)).ruling() == "inconclusive"


def test_a_missing_transition_cannot_support_but_another_pair_can_still_refute() -> None:
    missing = dcrit_decay_free.judge(decays(0.0, None))
    assert missing.p_inside is None
    assert missing.ruling() == "inconclusive"
    assert "1 without two transitions" in missing.reason
    assert dcrit_decay_free.judge(decays(0.3, None)).ruling() == "refuted"


def test_without_any_pair_there_is_no_number() -> None:
    finding = dcrit_decay_free.judge(decays(None))
    assert (finding.measured, finding.p_value) == (None, None)
    assert finding.reason == "no pair has two measured transitions"


@pytest.mark.parametrize(("log_ratio", "ruling"), [(0.0, "supported"), (0.1, "inconclusive"), (-0.3, "refuted")])
def test_relabeled_tasks_are_judged_by_their_ratio(log_ratio: float, ruling: str) -> None:
    other = transition(replace(PROBLEM, task="sub"), 260 * math.exp(log_ratio))
    finding = task_isomorphism.judge([[transition(PROBLEM, 260), other]])
    assert finding.ruling() == ruling
    assert finding.measured == pytest.approx(log_ratio, abs=0.02)
    assert finding.rows[0]["pair"] == "sub p=31 square H=64 against add p=31 square H=64"


def test_the_posteriors_of_a_pair_are_independent() -> None:
    same = transition(PROBLEM, 260, n_runs=6)
    effect, interval = ratio_effect(same, same, 0.1), same.measured.interval
    assert effect is not None
    assert interval is not None
    alone = math.log(interval.high / interval.low)
    assert effect.interval.high - effect.interval.low == pytest.approx(math.sqrt(2) * alone, rel=0.15)
