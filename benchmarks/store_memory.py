"""Measure memory and time of a store over its number of runs: ``python benchmarks/store_memory.py 1000 10000 50000``.

Every reading is a process of its own. Runs have random curves of 96 evaluations and lie in files of 16, but for those
of ``sweep``, which trains as many tiny networks in the process and then reads their runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from dcrit.empirics.runs.single import CURVE_NAMES, Curves, Run, RunConfig
from dcrit.empirics.store.export import RUNS, export
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.store.store import StoredRuns
from dcrit.empirics.training.executor import run_sweep
from dcrit.theory.problems.problem import Problem

BATCH = 16
N_EVALUATIONS = 96


def configs(first: int, count: int) -> list[RunConfig]:
    """Runs of one problem that differ in their seeds."""
    problem = Problem(modulus=7, width=4)
    return [RunConfig(problem=problem, n_train=20, seed=seed) for seed in range(first, first + count)]


def fill(folder: Path, n_runs: int) -> None:
    """Store that many runs."""
    store, rng = Store(folder), np.random.default_rng(0)
    for first in range(0, n_runs, BATCH):
        made = [
            Run(
                config=config,
                curves=Curves(**{name: rng.normal(size=N_EVALUATIONS) for name in CURVE_NAMES}),
                ending="horizon",
                seconds=1.0,
            )
            for config in configs(first, min(BATCH, n_runs - first))
        ]
        store.add(made)


def read(folder: Path, wanted: list[RunConfig]) -> None:
    """Go through all runs in the order of their configurations."""
    for run in StoredRuns(Store(folder), wanted):
        assert len(run.curves.step) == N_EVALUATIONS


def index(folder: Path, wanted: list[RunConfig]) -> None:
    """Find out which runs are stored."""
    assert Store(folder).missing(wanted) == []


def again(folder: Path, wanted: list[RunConfig]) -> None:
    """List a folder that is known, once."""
    store = Store(folder)
    assert store.missing(wanted) == []
    began = time.perf_counter()
    assert store.missing(wanted[:1]) == []
    print(f"{1e3 * (time.perf_counter() - began):.1f} ms, after ", end="")


def write(folder: Path, wanted: list[RunConfig]) -> None:
    """Store as many runs once more, file by file, in a folder of their own."""
    fill(folder / "written", len(wanted))


def sweep(folder: Path, wanted: list[RunConfig]) -> None:
    """Train as many tiny networks in this process, and go through their runs."""
    for run in run_sweep([replace(config, steps=40) for config in wanted], Store(folder / "trained"), workers=1):
        assert len(run.curves.step) > 1


def to_csv(folder: Path, wanted: list[RunConfig]) -> None:
    """Export all runs to CSV."""
    assert export(Store(folder).runs(), folder / "table.csv", RUNS) == len(wanted)


def to_parquet(folder: Path, wanted: list[RunConfig]) -> None:
    """Export all runs to Parquet."""
    assert export(Store(folder).runs(), folder / "table.parquet", RUNS) == len(wanted)


TASKS: dict[str, Callable[[Path, list[RunConfig]], None]] = {
    task.__name__: task for task in (index, again, read, to_csv, to_parquet, write, sweep)
}


def resident() -> float:
    """Most memory that this process had so far [MB]."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main(numbers: list[int]) -> None:
    """Print a row for every number of runs and thing done with them."""
    print("| runs | what | seconds | MB above a process that has the configurations |\n|---|---|---|---|")
    for n_runs in numbers:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), n_runs)
            for name in TASKS:
                words = [sys.executable, __file__, "--task", name, "--folder", folder, str(n_runs)]
                said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
                print(f"| {n_runs} | {name} | {said.strip()} |", flush=True)


def child(name: str, folder: Path, n_runs: int) -> None:
    """Do one thing and print how long it took and what memory it took."""
    wanted = configs(0, n_runs)
    assert all(config.address for config in wanted)
    before, began = resident(), time.perf_counter()
    TASKS[name](folder, wanted)
    print(f"{time.perf_counter() - began:.1f} | {resident() - before:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", type=int, nargs="+", metavar="RUNS")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task is None:
        main(given.numbers)
    else:
        child(given.task, given.folder, given.numbers[0])
