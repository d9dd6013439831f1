"""Measure critical sizes beyond the calibration, and those up to modulus 29 that baselines may use.

``python docs/held_out.py STORE`` trains what the store lacks, about half an hour on two cores, and writes
``docs/results/held-out.json`` and ``docs/results/baselines.json``. Nothing here enters a calibration.
``make ablation`` sets predictors beside them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dcrit.cli.training import training
from dcrit.empirics.critical_size import CriticalSizeDesign, measure_critical_size
from dcrit.empirics.suites import measure_transitions
from dcrit.theory.problem import Problem

RESULTS = Path(__file__).resolve().parent / "results"

ACTIVATIONS = ("square", "relu")
OTHER_TASKS = ("square-of-sum", "sum-squares")

#: Fixed before any of them was run, in four batches: 4 of the quick suite, 12, 16, then 6.
HELD_OUT = [
    *(Problem(modulus=31, activation=a, width=w) for a in ACTIVATIONS for w in (32, 64)),
    *(Problem(modulus=31, activation=a, width=w) for a in ACTIVATIONS for w in (48, 96, 128)),
    *(Problem(modulus=37, activation=a, width=w) for a in ACTIVATIONS for w in (64, 128)),
    Problem(task="mul", modulus=37, activation="square", width=48),
    Problem(task="sub", modulus=31, activation="relu", width=80),
    *(Problem(modulus=31, activation=a, width=64, weight_decay=w) for a in ACTIVATIONS for w in (2.0, 0.5)),
    *(Problem(task=t, modulus=31, activation=a, width=w) for t in OTHER_TASKS for a in ACTIVATIONS for w in (64, 128)),
    *(Problem(modulus=31, activation="square", width=w) for w in (16, 256)),
    Problem(modulus=31, activation="relu", width=256),
    Problem(modulus=37, activation="relu", width=32),
    *(Problem(modulus=41, activation=a, width=64) for a in ACTIVATIONS),
    *(Problem(task=t, modulus=37, activation=a, width=96) for t in OTHER_TASKS for a in ACTIVATIONS),
]

#: Only baselines, which need measured sizes, are fitted to these.
BASELINES = [
    *(Problem(modulus=p, activation=a, width=w) for p in (17, 23, 29) for a in ACTIVATIONS for w in (32, 64, 128)),
    *(
        Problem(task=t, modulus=p, activation=a, width=w)
        for t in OTHER_TASKS
        for p in (17, 23)
        for a in ACTIVATIONS
        for w in (64, 128)
    ),
]


def measure(problems: list[Problem], max_runs: int, store: Path, path: Path) -> None:
    """Train, estimate, write."""
    with training(store, 0) as run:
        outcomes = measure_transitions([CriticalSizeDesign(problem=p, max_runs=max_runs) for p in problems], run)
    rows = []
    for problem, found in zip(problems, outcomes, strict=True):
        size = measure_critical_size(found)
        interval = None if size.interval is None else [size.interval.low, size.interval.high]
        rows.append(
            {"problem": problem.to_dict(), "measured": size.estimate, "interval": interval, "n_runs": size.n_runs}
        )
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    measure(HELD_OUT, 36, Path(sys.argv[1]), RESULTS / "held-out.json")
    measure(BASELINES, 24, Path(sys.argv[1]), RESULTS / "baselines.json")
