"""Train the drawn configurations that are not measured yet, and keep one small row a run beside the committed ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dcrit.empirics.ablations import two_thresholds_optimizer as optimizer
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
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, Row, problem_of, runs_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.empirics.runs.outcomes import PERSISTENCE, Outcome, outcome_of, passage
from dcrit.empirics.runs.single import Run
from dcrit.empirics.store.whole_files import write_whole

FloatArray = NDArray[np.float64]

#: Steps at which the accuracy of longer runs is kept too, each the median over the tenth before it.
READINGS = (100, 250, 500, 1000, 2000, 4000, 10_000, 20_000)

#: Columns of times to test accuracy, by its level.
LEVELS = {"time_10": 0.1, "time_50": 0.5, "time_90": 0.9}


def row_of(run: Run, part: str) -> Row:
    """What is kept of a run.

    Args:
        run: A finished run.
        part: Part of the frame.
    """
    config, curves = run.config, run.curves
    problem, outcome = config.problem, outcome_of(run)
    step, accuracy, norm = curves.step, curves.test_accuracy, curves.squared_norm
    duration = PERSISTENCE * problem.time_constant
    times = {name: passage(step, accuracy, level, duration) for name, level in LEVELS.items()}
    readings: dict[str, float | None] = {}
    for at in READINGS:
        window = (step >= 0.9 * at) & (step <= at)
        here: float | None = None
        if at <= config.horizon and window.any():
            here = round(float(np.median(accuracy[window])), 4)
        elif at <= config.horizon and step[-1] < at and run.ending == "decided":
            here = round(outcome.test_accuracy, 4)
        readings[f"accuracy_at_{at}"] = here
    half = times["time_50"]
    return {
        "part": part,
        "address": config.address,
        **{name: getattr(problem, name) for name in ("task", "modulus", "model", "activation", "width")},
        "weight_decay": problem.weight_decay,
        "learning_rate": problem.learning_rate,
        "start": config.start,
        "n_train": config.n_train,
        "seed": config.seed,
        "steps": config.horizon,
        "ending": run.ending,
        "last_step": int(step[-1]),
        "test_accuracy": round(outcome.test_accuracy, 4),
        "train_accuracy": round(outcome.train_accuracy, 4),
        "norm_at_half": None if half is None else round(float(np.interp(half, step, norm)), 1),
        "norm_at_end": round(float(norm[-1]), 1),
        "norm_largest": round(float(norm.max()), 1),
        **readings,
        **{name: None if time is None else round(time, 1) for name, time in times.items()},
    }


def keep(results: Path, rows: Sequence[Row]) -> None:
    """Add rows to the committed runs; those of runs that are there already are left out.

    Args:
        results: Folder of committed results.
        rows: Of :func:`row_of`.
    """
    path = results / FOLDER / "runs.parquet"
    table = pl.read_parquet(path)
    known = set(table["address"])
    new = [row for row in rows if row["address"] not in known]
    if not new:
        return
    file = io.BytesIO()
    added = pl.DataFrame(new, schema=table.schema)
    pl.concat([table, added]).write_parquet(file, compression="zstd", statistics=False)
    write_whole(path, file.getvalue())


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
            keep(results, [row_of(run, row["part"]) for run in runs])
            outcomes += [outcome_of(run) for run in runs]
