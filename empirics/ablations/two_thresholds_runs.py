"""Train the drawn configurations that are not measured yet, and keep one small row a run beside the committed ones."""

from __future__ import annotations

from pathlib import Path

from dcrit.empirics.ablations import two_thresholds_optimizer as optimizer
from dcrit.empirics.ablations.run_rows import keep, row_of
from dcrit.empirics.ablations.two_thresholds import (
    BUDGET,
    BUDGET_OF_LARGE,
    LARGE,
    TOLERANCE,
    TOLERANCE_OF_LARGE,
    committed_size,
    frame,
    key_of,
    measured,
    rows_text,
)
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, RUNS, problem_of, runs_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.store.whole_files import write_whole


def measure_optimizer(results: Path, laboratory: Laboratory) -> None:
    """Run every point with another β₂ or ε beside its twin at the protocol's, and keep their times.

    Args:
        results: Folder of committed results; ``optimizer.json`` is written.
        laboratory: Finds or trains the runs.
    """
    runs = laboratory.runs(optimizer.configs(), stage="β₂ and ε")
    rows = optimizer.rows_by_point([row_of(run, "optimizer") for run in runs])
    write_whole(results / FOLDER / f"{optimizer.ROWS}.json", rows_text(rows).encode())


def measure_frame(results: Path, laboratory: Laboratory) -> None:
    """Measure every drawn configuration that has no size yet, cheapest first.

    Args:
        results: Folder of committed results; runs are added to it, configuration by configuration.
        laboratory: Finds or trains the runs.
    """
    sizes = committed_size(results)
    for row in frame(results):
        if measured(row, runs_of(results)) is not None:
            continue
        large = row["operations"] >= LARGE
        design = SequentialDesign(
            problem=problem_of(row),
            tolerance=TOLERANCE_OF_LARGE if large else TOLERANCE,
            budget=float(BUDGET_OF_LARGE if large else BUDGET),
            steps=row["steps"],
            start=sizes[key_of(row)],
        )
        outcomes: list[Outcome] = []
        while proposed := design.propose(outcomes):
            runs = list(laboratory.runs(proposed, stage=f"{row['task']} mod {row['modulus']}, {row['steps']} steps"))
            keep(results / FOLDER / RUNS, [row_of(run, row["part"]) for run in runs])
            outcomes += [outcome_of(run) for run in runs]
