"""The clock's quick measurement beside the posterior's: twelve problems drawn by a public seed before it was made."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dcrit.empirics.ablations.two_thresholds import PARTS, frame, key_of, read
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, runs_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.clock_method import ClockDesign, TimedRun, timed_runs
from dcrit.empirics.measures.threshold_fit import KEY, Row, problem_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.estimates import median_log_error

#: The public seed of the draw.
SEED = 2402

#: Drawn are this many at moduli of at least ``FAR``, and as many below.
HALF, FAR = 6, 53

#: Horizons of the problems that are drawn among [steps], and the most operations that one full run of theirs takes.
HORIZONS, MOST_OPERATIONS = (1000, 20_000), 3e11

#: Seeds that no run behind the posterior's sizes has.
FIRST_SEED = 1000

#: Names of what was measured when problems were drawn, of the committed draw and of the committed measurements.
POOL, DRAWN, MEASURED = "clock-pool", "clock-drawn", "clock-method"


def draw_problems(results: Path) -> list[Row]:
    """Twelve problems of the drawn frame that had been measured by then, half of them at large moduli.

    Args:
        results: Folder of committed results.
    """
    operations = {key_of(row): row["operations"] for row in frame(results)}
    known = [
        row
        for row in read(results, POOL)
        if HORIZONS[0] <= row["steps"] <= HORIZONS[1] and operations[key_of(row)] <= MOST_OPERATIONS
    ]
    rng = np.random.default_rng(SEED)
    return [*_some(known, rng, far=True), *_some(known, rng, far=False)]


def _some(rows: Sequence[Row], rng: np.random.Generator, *, far: bool) -> list[Row]:
    mine = [row for row in rows if (row["modulus"] >= FAR) == far]
    chosen = sorted(rng.choice(len(mine), HALF, replace=False).tolist())
    return [{name: mine[k][name] for name in (*KEY, "steps")} for k in chosen]


def design_of(row: Row) -> ClockDesign:
    """The measurement of a drawn problem.

    Args:
        row: Of the draw.
    """
    problem = problem_of(row)
    calibration = calibration_for(problem, shipped_calibrations())
    law = None if calibration is None else calibration.thresholds
    return ClockDesign(problem=problem, law=law, steps=row["steps"], first_seed=FIRST_SEED)


def row_of(row: Row, runs: Sequence[TimedRun], results: Path) -> Row:
    """Both sizes of a drawn problem, and the runs of the clock's.

    Args:
        row: Of the draw.
        runs: Of its measurement by the clock.
        results: Folder of committed results, which the posterior's size is from.
    """
    (known,) = (one for one in read(results, "measured") if key_of(one) == key_of(row))
    # As they are written, so that the file gives the same sizes again.
    runs = [replace(one, time=None if one.time is None else round(one.time, 1)) for one in runs]
    full = [one for one in runs_of(results) if one["part"] in PARTS and key_of(one) == key_of(row)]
    found = design_of(row).measure(runs)
    size, interval = found.value, found.interval
    return {
        **{name: row[name] for name in (*KEY, "steps")},
        "posterior": known["measured"],
        "posterior_interval": known["measured_interval"],
        "clock": None if size is None else round(size, 1),
        "clock_interval": None if interval is None else [round(interval.low, 1), round(interval.high, 1)],
        "log_ratio": None if size is None else round(math.log(size / known["measured"]), 4),
        "inside": None if interval is None else int(known["measured"] in interval),
        "horizons": round(sum(one.last_step for one in runs) / row["steps"], 3),
        "posterior_horizons": round(sum(one["last_step"] for one in full) / row["steps"], 3),
        "runs": [
            {
                "n_train": one.config.n_train,
                "seed": one.config.seed,
                "steps": one.config.horizon,
                "time": one.time,
                "last_step": one.last_step,
                "diverged": one.diverged,
            }
            for one in runs
        ],
    }


def measure_drawn(results: Path, laboratory: Laboratory) -> dict[Path, str]:
    """Measure every drawn problem by the clock.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    rows = [row_of(row, timed_runs(design_of(row), laboratory.runs), results) for row in read(results, DRAWN)]
    return {results / FOLDER / f"{MEASURED}.json": comparison_text(rows)}


def estimated_again(results: Path) -> dict[Path, str]:
    """Sizes and summary once more, from the committed times.

    Args:
        results: Folder of committed results.
    """
    rows: list[Row] = []
    for row in read(results, MEASURED)["rows"]:
        problem = problem_of(row)
        runs = [
            TimedRun(
                config=RunConfig(
                    problem=problem, n_train=one["n_train"], seed=one["seed"], steps=one["steps"], until="half"
                ),
                time=one["time"],
                last_step=one["last_step"],
                diverged=one["diverged"],
            )
            for one in row["runs"]
        ]
        rows.append(row_of(row, runs, results))
    return {results / FOLDER / f"{MEASURED}.json": comparison_text(rows)}


def comparison_text(rows: Sequence[Row]) -> str:
    """Rows with their summary as a JSON document, one row on a line.

    Args:
        rows: Of :func:`row_of`.
    """
    found = [row for row in rows if row["clock"] is not None]
    error = [abs(row["log_ratio"]) for row in found]
    summary = {
        "measured": len(found),
        "median": round(median_log_error([row["clock"] for row in found], [row["posterior"] for row in found]), 4),
        "worst": max(error),
        "mean": round(float(np.mean([row["log_ratio"] for row in found])), 4),
        "inside": sum(row["inside"] for row in found),
        "median_horizons": round(float(np.median([row["horizons"] for row in rows])), 3),
        "most_horizons": max(row["horizons"] for row in rows),
        "median_posterior_horizons": round(float(np.median([row["posterior_horizons"] for row in rows])), 3),
        "fewest_runs": min(len(row["runs"]) for row in rows),
        "most_runs": max(len(row["runs"]) for row in rows),
    }
    head = json.dumps({"seed": SEED, "most_operations": MOST_OPERATIONS, "summary": summary}, ensure_ascii=False)
    lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{head[:-1]},\n "rows": [\n  {lines}\n ]}}\n'
