"""What is kept of a run in the committed tables of runs, one small row each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.measures.threshold_fit import times_of
from dcrit.empirics.runs.outcomes import outcome_of, settled_value
from dcrit.empirics.runs.single import Run
from dcrit.empirics.store.whole_files import write_whole

#: Steps at which the accuracy of longer runs is kept too, each the median over the tenth before it.
READINGS = (100, 250, 500, 1000, 2000, 4000, 10_000, 20_000)


def row_of(run: Run, part: str) -> Row:
    """What is kept of a run.

    Args:
        run: A finished run.
        part: Part of the frame.
    """
    config, curves = run.config, run.curves
    problem, outcome = config.problem, outcome_of(run)
    step, accuracy, norm = curves.step, curves.test_accuracy, curves.squared_norm
    times = times_of(run)
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


def accuracies_of(runs: Sequence[Run], *names: str) -> Row:
    """Settled accuracies of runs of one network and size, in one row.

    Args:
        runs: They differ in the seed.
        names: Of the problem, which become columns.
    """
    config = runs[0].config
    return {
        **{name: getattr(config.problem, name) for name in names},
        "n_train": config.n_train,
        **{name: [round(settled_value(run, name), 4) for run in runs] for name in ("test_accuracy", "train_accuracy")},
    }


def keep(path: Path, rows: Sequence[Row]) -> None:
    """Add rows to a table of runs; those of runs that are there already are left out.

    Args:
        path: Parquet file; made where there is none.
        rows: All of the same columns, among them the run's address.
    """
    table = pl.read_parquet(path) if path.is_file() else None
    known = set() if table is None else set(table["address"])
    new = [row for row in rows if row["address"] not in known]
    if not new:
        return
    added = pl.DataFrame(new, infer_schema_length=None, schema=None if table is None else table.schema)
    file = io.BytesIO()
    (added if table is None else pl.concat([table, added])).write_parquet(file, compression="zstd", statistics=False)
    write_whole(path, file.getvalue())
