"""What a measured critical size costs: model-steps of the sequential design against a full grid to the same horizon."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.training.executor import LocalExecutor
from dcrit.theory.problems.problem import Problem

PROBLEMS = (
    Problem(modulus=17, width=64),
    Problem(modulus=17, width=64, activation="relu"),
    Problem(modulus=23, width=64),
)

#: The grid: sizes evenly spaced in ln D between these fractions of all pairs, and seeds.
GRID_SIZES, GRID_SEEDS = 12, 5
GRID_FRACTIONS = (0.12, 0.9)

#: Half width of the 90 % interval that is asked for.
TOLERANCE = 0.05


def model_steps(runs: Sequence[Run]) -> int:
    """Steps that were taken, summed over runs [model-steps]."""
    return sum(int(run.curves.step[-1]) for run in runs)


def grid(problem: Problem, steps: int = 0) -> list[RunConfig]:
    """Every size with every seed, to the horizon."""
    sizes = np.geomspace(*GRID_FRACTIONS, GRID_SIZES) * problem.n_pairs
    return [
        RunConfig(problem=problem, n_train=round(size), seed=1000 + place * GRID_SEEDS + k, steps=steps)
        for place, size in enumerate(sizes)
        for k in range(GRID_SEEDS)
    ]


def compare(problem: Problem, executor: LocalExecutor, store: Store, *, steps: int = 0) -> dict[str, object]:
    """Model-steps and intervals of the sequential design and of the grid.

    Args:
        problem: What to measure.
        executor: Trains.
        store: Keeps runs.
        steps: Horizon of both; 0 for the protocol's.
    """
    design = SequentialDesign(problem=problem, tolerance=TOLERANCE, steps=steps)
    chosen: list[Run] = []
    while configs := design.propose([outcome_of(run) for run in chosen]):
        chosen += executor.run(configs, store)
    full = executor.run(grid(problem, steps), store)
    measured = design.measure([outcome_of(run) for run in chosen])
    reference = measure_critical_size([outcome_of(run) for run in full])
    ends = None if measured.interval is None else (measured.interval.low, measured.interval.high)
    return {
        "benchmark": "cost of a measured critical size",
        "modulus": problem.modulus,
        "activation": problem.activation,
        "width": problem.width,
        "model_steps": model_steps(chosen),
        "grid_model_steps": model_steps(full),
        "ratio": model_steps(full) / model_steps(chosen),
        "estimate": measured.value,
        "interval": ends,
        "half_width": None if ends is None else math.log(ends[1] / ends[0]) / 2,
        "grid_estimate": reference.value,
        "grid_interval": None if reference.interval is None else (reference.interval.low, reference.interval.high),
        "threads": 1,
    }


def main() -> list[dict[str, object]]:
    """Print the table."""
    records: list[dict[str, object]] = []
    print("   p  activation    H  model-steps   of grid  ratio  D_crit (interval)        by the grid")
    with tempfile.TemporaryDirectory() as folder, LocalExecutor(1) as executor:
        for problem in PROBLEMS:
            one = compare(problem, executor, Store(Path(folder)))
            records.append(one)
            print(
                f"{one['modulus']:4}  {one['activation']:10} {one['width']:4} {one['model_steps']:12}"
                f" {one['grid_model_steps']:9} {one['ratio']:6.1f}  {_span(one['estimate'], one['interval'])}"
                f"   {_span(one['grid_estimate'], one['grid_interval'])}",
                flush=True,
            )
    return records


def _span(estimate: object, interval: object) -> str:
    if not (isinstance(estimate, float) and isinstance(interval, tuple)):
        return "none"
    return f"{estimate:.1f} ({interval[0]:.1f} – {interval[1]:.1f})"


if __name__ == "__main__":
    main()
