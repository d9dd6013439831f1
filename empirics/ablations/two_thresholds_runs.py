"""Train the drawn configurations that are not measured yet, and keep one small row a run beside the committed ones."""

from __future__ import annotations

import math
from pathlib import Path

from dcrit.empirics.ablations import two_thresholds_optimizer as optimizer
from dcrit.empirics.ablations.committed import Row, read
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
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, RUNS, runs_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.empirics.measures.threshold_fit import problem_of
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.store.whole_files import write_whole
from dcrit.theory.checks import FieldError
from dcrit.theory.problems.problem import Problem, label


def measure_optimizer(results: Path, laboratory: Laboratory) -> None:
    """Run every point with another β₂ or ε beside its twin at the protocol's, and keep their times.

    Args:
        results: Folder of committed results; ``optimizer.json`` is written.
        laboratory: Finds or trains the runs.
    """
    runs = laboratory.runs(optimizer.configs(), stage="β₂ and ε")
    rows = optimizer.rows_by_point([row_of(run, "optimizer") for run in runs])
    write_whole(results / FOLDER / f"{optimizer.ROWS}.json", rows_text(rows).encode())


def measure_asked(results: Path, laboratory: Laboratory) -> None:
    """Predict and then measure sizes at other β₂ and ε that the law took nothing from; rows that there are stay.

    Args:
        results: Folder of committed results; ``optimizer-sizes.json`` is written.
        laboratory: Predicts, and finds or trains the runs.
    """
    path = results / optimizer.ASKED_FILE
    rows: dict[Problem, Row] = {}
    for row in read(path) if path.exists() else []:
        rows[Problem.from_dict(row["problem"])] = row
    for problem in optimizer.ASKED:
        if problem not in rows:
            rows[problem] = _asked(problem, laboratory)
    write_whole(path, rows_text([rows[problem] for problem in optimizer.ASKED]).encode())


def _asked(problem: Problem, laboratory: Laboratory) -> Row:
    found = laboratory.predict(problem)
    predicted = None if found is None else found.critical_size
    if predicted is None or predicted.value is None or predicted.interval is None:
        raise FieldError("problem", "be one that the law speaks of", label(problem))
    design = SequentialDesign(problem=problem, tolerance=TOLERANCE, budget=float(BUDGET), start=predicted.value)
    outcomes: list[Outcome] = []
    while proposed := design.propose(outcomes):
        outcomes += [outcome_of(run) for run in laboratory.runs(proposed, stage=label(problem))]
    measured = design.measure(outcomes)
    row: Row = {"problem": problem.to_dict(), "steps": problem.horizon, "n_runs": measured.n_runs}
    for name, size in (("predicted", predicted), ("measured", measured)):
        ends = None if size.interval is None else [round(size.interval.low, 1), round(size.interval.high, 1)]
        row |= {name: None if size.value is None else round(size.value, 1), f"{name}_interval": ends}
    if measured.value is not None:
        row["error"] = round(math.log(predicted.value / measured.value), 3)
        row["inside"] = measured.value in predicted.interval
    return row


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
