"""Each run counts once: over the prediction, or left out for the first reason that holds."""

from dataclasses import replace
from typing import Any

import pytest

from dcrit.empirics.measures import beside
from dcrit.empirics.measures.beside import LeftOut, choose, told
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=7, width=8)
FITTING = RunConfig(problem=PROBLEM, n_train=20, seed=0, steps=50)
WIDER = replace(PROBLEM, width=16)


def run(ending: Any = "horizon", **changed: Any) -> Run:
    return run_of(replace(FITTING, **changed), ending=ending, test_accuracy=0.5)


OTHERS = {
    beside.PROBLEM: [run(problem=replace(PROBLEM, weight_decay=2.0)), run(problem=Problem(modulus=5, width=8))],
    beside.START: [run(start="generalized")],
    beside.UNSEEN: [run(n_train=49)],
    beside.SIZE: [run(n_train=30), run(n_train=25), run(n_train=30, seed=1, steps=60)],
    beside.HORIZON: [run(steps=60), run(steps=60, seed=1)],
    beside.STOPPED: [run(until="half"), run(until="beyond-mirrors")],
    beside.DIVERGED: [run("diverged", seed=3)],
}


def test_runs_of_any_width_are_kept_and_all_others_counted_by_reason() -> None:
    fitting = [run(), run(seed=1), run(problem=WIDER), run(until="generalized", seed=2)]
    kept, left_out = choose(
        [*fitting, *(one for some in OTHERS.values() for one in some)], PROBLEM, horizon=50, n_train=20
    )
    assert kept == fitting
    assert {one.why: one.n_runs for one in left_out} == {why: len(some) for why, some in OTHERS.items()}
    values = {one.why: one.values for one in left_out if one.values}
    assert values == {beside.SIZE: (25, 30), beside.HORIZON: (60,)}


def test_any_size_fits_where_none_is_asked_for() -> None:
    kept, left_out = choose(OTHERS[beside.SIZE], PROBLEM, horizon=50)
    assert [one.config.n_train for one in kept] == [30, 25]
    assert left_out == [LeftOut(why=beside.HORIZON, n_runs=1, values=(60,))]


@pytest.mark.parametrize(
    ("n_runs", "left_out", "said"),
    [
        (1, [], "1 run lies over the prediction, none was left out"),
        (
            0,
            [LeftOut(why="that diverged", n_runs=1)],
            "no runs lie over the prediction, 1 was left out: 1 that diverged",
        ),
        (
            3,
            [LeftOut(why=beside.SIZE, n_runs=4, values=(20, 30)), LeftOut(why=beside.HORIZON, n_runs=1, values=(60,))],
            "3 runs lie over the prediction, 5 were left out: 4 with another training-set size (20, 30), 1 with "
            "another horizon (60)",
        ),
    ],
)
def test_it_is_told_in_a_sentence(n_runs: int, left_out: list[LeftOut], said: str) -> None:
    assert told(n_runs, left_out) == said
