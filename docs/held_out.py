"""Measure critical sizes beyond the calibration, and set two predictors beside them.

``python docs/held_out.py STORE`` trains what the store lacks, about ten minutes on two cores, and writes
``docs/results/held-out.json`` and ``docs/held-out.md``. Nothing here enters a calibration.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from dcrit.cli.training import training
from dcrit.empirics.claims.claim import label
from dcrit.empirics.critical_size import CriticalSizeDesign, measure_critical_size
from dcrit.empirics.suites import measure_transitions
from dcrit.theory.calibration import calibration_for, shipped_calibrations
from dcrit.theory.prediction import predict_critical_size
from dcrit.theory.problem import Problem

DOCS = Path(__file__).resolve().parent

PROBLEMS = [
    *(Problem(modulus=31, activation=a, width=w) for a in ("square", "relu") for w in (48, 96, 128)),
    *(Problem(modulus=37, activation=a, width=w) for a in ("square", "relu") for w in (64, 128)),
    Problem(task="mul", modulus=37, activation="square", width=48),
    Problem(task="sub", modulus=31, activation="relu", width=80),
]


def main(store: Path) -> None:
    """Measure, predict, write."""
    with training(store, 0) as run:
        outcomes = measure_transitions([CriticalSizeDesign(problem=p, max_runs=36) for p in PROBLEMS], run)
    calibrations = shipped_calibrations()
    rows = []
    for problem, found in zip(PROBLEMS, outcomes, strict=True):
        measured = measure_critical_size(found)
        calibration = calibration_for(problem, calibrations)
        if calibration is None or measured.estimate is None or measured.interval is None:
            raise RuntimeError(f"{label(problem)} has no calibration or no transition: {measured.reason}")
        predicted = predict_critical_size(problem, calibration)
        row = {
            "problem": label(problem),
            "measured": measured.estimate,
            "measured_interval": [measured.interval.low, measured.interval.high],
            "n_runs": measured.n_runs,
        }
        for name, size in (("mixture", predicted.critical_size), ("crossing", predicted.crossing)):
            interval = size.interval
            row[name] = size.value
            row[f"{name}_interval"] = None if interval is None else [interval.low, interval.high]
        rows.append(row)
    (DOCS / "results" / "held-out.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (DOCS / "held-out.md").write_text(page(rows), encoding="utf-8")


def page(rows: list[dict]) -> str:
    """The comparison as Markdown."""
    lines = [
        "# Critical sizes beyond the calibration",
        "",
        "Written by `python docs/held_out.py STORE`. Predictions come from the shipped calibrations (moduli 17–29).",
        "",
        "| configuration | measured (90 %) | mixture (90 %) | ln ratio | efficiency crossing | ln ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["problem"], _size(row["measured"], row["measured_interval"])]
        for name in ("mixture", "crossing"):
            cells += [_size(row[name], row[f"{name}_interval"]), _ratio(row, name)]
        lines.append(f"| {' | '.join(cells)} |")
    for name in ("mixture", "crossing"):
        told = [row for row in rows if row[name] is not None]
        errors = np.abs([math.log(row[name] / row["measured"]) for row in told])
        inside = sum(row[f"{name}_interval"][0] <= row["measured"] <= row[f"{name}_interval"][1] for row in told)
        lines += [
            "",
            f"{name}: median abs ln ratio {np.median(errors):.3f}, worst {errors.max():.3f}; "
            f"{inside} of {len(rows)} measurements inside the 90 % interval; "
            f"{len(rows) - len(told)} without prediction.",
        ]
    return "\n".join(lines) + "\n"


def _size(value: float | None, interval: list[float] | None) -> str:
    return "–" if value is None or interval is None else f"{value:.0f} ({interval[0]:.0f} – {interval[1]:.0f})"


def _ratio(row: dict, name: str) -> str:
    return "–" if row[name] is None else f"{math.log(row[name] / row['measured']):+.3f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
