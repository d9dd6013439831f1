"""The laboratory: which runs it asks for, and its accounts."""

from dataclasses import replace

import pytest

from dcrit.empirics.experiments.laboratory import Account, Laboratory
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, no_multitask

PROBLEM = Problem(modulus=31, width=48)
CONFIGS = [RunConfig(problem=PROBLEM, n_train=200, seed=seed) for seed in range(4)]


def laboratory(world: World) -> Laboratory:
    return Laboratory(world, no_multitask, shipped_calibrations())


def test_an_account_counts_each_run_once() -> None:
    bench = laboratory(World())
    with bench.account() as account:
        assert (account.n_runs, account.seconds) == (0, 0)
        bench.runs(CONFIGS[:3], stage="first")
        bench.runs(CONFIGS[1:], stage="again")
        bench.outcomes([CONFIGS], stage="and again")
    assert account.n_runs == 4
    assert account.seconds == pytest.approx(4 * 0.5)
    assert set(account.seconds_by_run) == {one.address for one in CONFIGS}


def test_two_spellings_of_one_run_are_one_run() -> None:
    bench = laboratory(World())
    with bench.account() as account:
        bench.runs([CONFIGS[0], replace(CONFIGS[0], steps=CONFIGS[0].horizon)], stage="same")
    assert account.n_runs == 1


def test_accounts_one_after_the_other_are_apart_and_nested_ones_enter_the_outer() -> None:
    bench = laboratory(World())
    with bench.account() as first:
        bench.runs(CONFIGS[:1], stage="a")
    with bench.account() as outer:
        bench.runs(CONFIGS[1:2], stage="b")
        with bench.account() as inner:
            bench.runs(CONFIGS[1:3], stage="c")
        bench.runs(CONFIGS[3:], stage="d")
    assert (first.n_runs, inner.n_runs, outer.n_runs) == (1, 2, 3)


def test_an_account_ends_where_its_experiment_fails() -> None:
    bench = laboratory(World())

    def fail() -> None:
        with bench.account():
            bench.runs(CONFIGS[:2], stage="a")
            raise RuntimeError("broken")

    with bench.account() as outer:
        with pytest.raises(RuntimeError, match="broken"):
            fail()
        bench.runs(CONFIGS[2:3], stage="b")
    with bench.account() as after:
        bench.runs(CONFIGS[3:], stage="c")
    assert (outer.n_runs, after.n_runs) == (3, 1)


def test_multitask_runs_are_accounted_beside_single_ones() -> None:
    made = MultitaskRun.__new__(MultitaskRun)
    object.__setattr__(made, "config", CONFIGS[3])
    object.__setattr__(made, "seconds", 7.0)

    def train(configs: object, /, *, stage: str = "several tasks") -> list[MultitaskRun]:
        del configs, stage
        return [made]

    bench = Laboratory(World(), train, [])
    with bench.account() as account:
        bench.runs(CONFIGS[:1], stage="runs")
        found = bench.multitask(list[MultitaskConfig](), stage="several tasks")
    assert found == [made]
    assert account.seconds == pytest.approx(7.5)


def test_blocks_come_back_as_they_were_asked_for_in_one_sweep() -> None:
    world = World()
    bench = laboratory(world)
    blocks = [CONFIGS[:1], [], CONFIGS[1:]]
    found = bench.blocks(blocks, stage="blocks")
    assert [[run.config for run in block] for block in found] == blocks
    assert world.stages == ["blocks"]
    assert bench.outcomes(blocks, stage="outcomes") == [[outcome_of(run) for run in block] for block in found]


def test_a_prediction_is_the_calibrations_own_and_none_where_none_speaks() -> None:
    calibration = next(one for one in shipped_calibrations() if one.covers(PROBLEM))
    bench = laboratory(World())
    assert bench.predict(PROBLEM) == predict_critical_size(PROBLEM, calibration)
    assert Laboratory(World(), no_multitask, []).predict(PROBLEM) is None


def test_an_empty_account_is_nothing() -> None:
    assert (Account().n_runs, Account().seconds) == (0, 0)
