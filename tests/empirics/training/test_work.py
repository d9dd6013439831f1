"""Work of stages: what it adds up to, that no schedule takes longer, and how it compares with what suites took."""

import heapq
import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.empirics.experiments.size_grid import GridDesign, plane_of, stages
from dcrit.empirics.experiments.transitions import rounds
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.multitask import beside_facts
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.training.batches import Batch, member_bytes, plan_batches, step_cost
from dcrit.empirics.training.cost import multitask_flops
from dcrit.empirics.training.executor import run_sweep
from dcrit.empirics.training.work import PROCESS_BYTES, Stage, Work, core_cost, in_turn, work_of
from dcrit.theory.problems.problem import MOST_POINTS, Problem

RESULTS = Path(__file__).parents[3] / "docs" / "results"
PROBLEM = Problem(modulus=7, width=8, learning_rate=0.1)


def runs(count: int, *, n_train: int = 20, steps: int = 60) -> list[RunConfig]:
    return [RunConfig(problem=PROBLEM, n_train=n_train, seed=seed, steps=steps) for seed in range(count)]


def test_nothing_takes_nothing() -> None:
    assert work_of([]) == work_of([Stage()]) == Work()


def test_a_stage_is_the_batches_of_its_sweep() -> None:
    configs = [*runs(40), *runs(3, n_train=40)]
    batches = plan_batches(configs)
    work = work_of([Stage(known=configs)])
    assert (work.n_runs, work.n_ensembles) == (43, len(batches))
    assert work.cost == sum(core_cost(batch) for batch in batches)
    assert work.longest == max(core_cost(batch) for batch in batches)
    assert work.flops == 60 * (40 * PROBLEM.step_flops(20) + 3 * PROBLEM.step_flops(40))
    assert work.bytes_held == max(len(one.configs) * member_bytes(one.configs[0]) for one in batches)


@pytest.mark.parametrize("model", ["mlp", "transformer"])
def test_a_small_batch_pays_all_calls_of_a_step_and_a_full_one_its_members_shares(model: str) -> None:
    problem = Problem(modulus=7, width=8, model=model)
    family = problem.family
    for n_members in (1, 2, family.fewest_members, 16):
        configs = tuple(RunConfig(problem=problem, n_train=20, seed=seed, steps=60) for seed in range(n_members))
        batch = Batch(configs=configs, step_cost=step_cost(configs[0]), member_bytes=1)
        calls = max(n_members, family.fewest_members) * family.call_flops
        products = n_members * (step_cost(configs[0]) - family.call_flops)
        assert core_cost(batch) == 60 * (calls + products)


def test_stages_wait_for_each_other_and_the_longest_of_each_adds_up() -> None:
    one, two = Stage(known=runs(2)), Stage(known=tuple(runs(2, n_train=40)))
    apart, together = work_of([one, two]), work_of([one + two])
    assert apart == work_of([one]) + work_of([two])
    assert apart.cost == together.cost
    small = 2 * step_cost(runs(1)[0]) + 2 * PROBLEM.family.call_flops  # two of the four that share all calls
    assert apart.longest == together.longest + 60 * small
    assert in_turn([[one, two], [two]]) == [one + two, two]


def test_runs_of_unknown_size_may_each_be_an_ensemble() -> None:
    (largest,) = runs(1)
    first, second = rounds(largest, 3)
    assert [len(first.runs), len(second.runs)] == [2, 1]
    assert work_of([first]).n_ensembles == 2
    assert work_of([Stage(known=runs(2))]).n_ensembles == 1
    assert rounds(largest, 0) == []


def test_an_accelerator_counts_operations_alone() -> None:
    configs = runs(40)
    work = work_of([Stage(known=configs)], "cuda")
    assert work.n_ensembles == 1
    assert work.cost == work.longest == work.flops < work_of([Stage(known=configs)]).cost


def test_all_kinds_of_run_count() -> None:
    several = beside_facts(PROBLEM, n_train=20, n_facts=10)
    looked_at = [DimensionConfig(run=one) for one in (*runs(2), *runs(2, n_train=40))]
    work = work_of([Stage(known=[several])])
    assert (work.n_runs, work.flops) == (1, multitask_flops(several))
    assert min(work.cost, work.bytes_stored, work.bytes_held) > 0
    # Curvature is looked at by one process.
    alone = work_of([Stage(known=looked_at)])
    assert (alone.longest, alone.n_ensembles) == (alone.cost, 2)


costs = st.lists(st.integers(1, 1000), min_size=1, max_size=30)


@given(costs, st.integers(1, 12))
def test_no_schedule_takes_longer_than_the_bound(sizes: list[int], workers: int) -> None:
    busy = [0] * workers
    for size in sizes:  # in any order: whoever is free first takes the next
        heapq.heappush(busy, heapq.heappop(busy) + size)
    work = Work(cost=float(sum(sizes)), longest=float(max(sizes)))
    assert max(busy) <= work.makespan(workers) * (1 + 1e-12)
    assert work.makespan(workers) <= 2 * max([sum(sizes) / workers, *sizes])


@settings(max_examples=30)
@given(st.integers(1, 600))
def test_more_workers_never_take_longer(cost: int) -> None:
    work = Work(cost=600.0, longest=float(cost))
    times = [work.makespan(n) for n in (1, 2, 8, 64)]
    assert times[0] == 600.0
    assert all(later <= earlier for earlier, later in pairwise(times))


@pytest.mark.slow
def test_stored_bytes_are_at_most_the_planned_and_more_than_half(tmp_path: Path) -> None:
    configs = [
        RunConfig(problem=replace(PROBLEM, width=width), n_train=n_train, seed=seed, steps=400)
        for width in (4, 8)
        for n_train in (20, 40)
        for seed in range(4)
    ]
    run_sweep(configs, Store(tmp_path), workers=1)
    files = list(tmp_path.glob("*.parquet"))
    work = work_of([Stage(known=configs)])
    assert len(files) == work.n_ensembles
    assert 0.5 * work.bytes_stored < sum(path.stat().st_size for path in files) <= work.bytes_stored


@pytest.mark.processes
@pytest.mark.skipif(torch.cuda.is_available(), reason="what torch loads for CUDA is not planned")
def test_a_training_process_holds_less_than_planned_and_more_than_half(tmp_path: Path) -> None:
    problem = Problem(
        modulus=113, model="transformer", activation="relu", width=32, learning_rate=1e-3, weight_decay=1.0
    )
    words = ["train", "--modulus", "113", "--model", "transformer", "--activation", "relu", "--width", "32"]
    words += ["--learning-rate", "1e-3", "--n-train", "3000", "--steps", "4", "--seeds", "2", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "dcrit", *words, "--store", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    configs = [RunConfig(problem=problem, n_train=3000, seed=seed, steps=4) for seed in range(2)]
    planned = PROCESS_BYTES + work_of([Stage(known=configs)]).bytes_held
    assert 0.5 * planned < json.loads(done.stdout)["peak_memory_bytes"] <= planned


def test_a_plane_has_widths_and_sizes_evenly_apart_in_their_logarithms() -> None:
    plane = plane_of(PROBLEM, points=4, widths=(2, 16), sizes=(5, 40), seeds=2)
    assert (plane.widths, plane.sizes) == ((2, 4, 8, 16), (5, 10, 20, 40))
    work = work_of(stages(GridDesign(planes=(plane,))))
    assert work.n_runs == 4 * 4 * 2
    heads = plane_of(replace(PROBLEM, model="transformer"), points=9, widths=(4, 16), sizes=(5, 40), seeds=2)
    assert heads.widths == (4, 8, 12, 16)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"points": 1}, "points must be an integer of at least 2, got 1"),
        ({"points": MOST_POINTS + 1}, f"points must be an integer of at most {MOST_POINTS}, got {MOST_POINTS + 1}"),
        ({"widths": (0, 8)}, "min_width must be an integer of at least 1, got 0"),
        ({"widths": (8, 8)}, "max_width must be an integer of at least 9, got 8"),
        ({"widths": (4, 9)}, "max_width must be a multiple of the transformer's 4 heads, got 9"),
        ({"sizes": (0, 8)}, "min_n_train must be an integer of at least 1, got 0"),
        ({"sizes": (8, 8)}, "max_n_train must be an integer of at least 9, got 8"),
        ({"sizes": (8, 49)}, "max_n_train must leave pairs to test on, got 49 of 49"),
        ({"seeds": 1}, "seeds must be an integer of at least 2, got 1"),
    ],
)
def test_bad_planes_are_refused(changed: dict[str, Any], says: str) -> None:
    given_ = {"points": 4, "widths": (4, 16), "sizes": (5, 40), "seeds": 2}
    with pytest.raises(ValueError, match=f"^{says}"):
        plane_of(replace(PROBLEM, model="transformer"), **(given_ | changed))
