"""Measure critical sizes beyond the calibration, and those up to modulus 29 that baselines may use.

``python docs/held_out.py STORE`` adds what ``docs/results/held-out.json`` and ``docs/results/baselines.json`` lack, and
trains for that what the store lacks: without those files some ten minutes on two cores. Nothing here enters a
calibration. ``make ablation`` sets predictors beside them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dcrit.empirics.experiments.laboratory import open_runs
from dcrit.empirics.experiments.transitions import advance_together
from dcrit.empirics.measures.sequential import SequentialDesign, measure_sequentially
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"

ACTIVATIONS = ("square", "relu")
OTHER_TASKS = ("square-of-sum", "sum-squares")

#: Fixed before any of them was run, in five batches: 4 of the quick suite, 12, 16, 6, and 8 once the norm was chosen.
#: All were measured again after gradients had been made exact at the correct class.
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
    Problem(modulus=41, activation="square", width=96),
    Problem(modulus=37, activation="square", width=32),
    Problem(task="sub", modulus=37, activation="square", width=80),
    Problem(task="div", modulus=41, activation="relu", width=96),
    Problem(task="mul", modulus=31, activation="relu", width=48),
    Problem(task="square-of-sum", modulus=41, activation="square", width=64),
    Problem(task="sum-squares", modulus=37, activation="square", width=64),
    Problem(modulus=43, activation="relu", width=128),
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


#: Chosen before any was run, once the transformers' calibration had been made and not looked at beyond its cells.
TRANSFORMERS = [
    Problem(task=task, modulus=31, model="transformer", activation="relu", width=width, learning_rate=3e-3)
    for task, width in (("add", 16), ("add", 24), ("add", 32), ("sub", 24))
]

#: Chosen once predictions from scratch knew of unordered pairs, and predicted before any was run:
#: ``docs/results/transformers-predicted.json``.
LATER_TRANSFORMERS = [
    Problem(task=task, modulus=modulus, model="transformer", activation="relu", width=width, learning_rate=3e-3)
    for task, modulus, width in (("add", 31, 20), ("add", 31, 40), ("mul", 37, 24), ("add", 37, 32))
]

#: Chosen once D_sym was measured at widths 8 and 12, and predicted before any was run, in the same file.
NARROW_TRANSFORMERS = [
    Problem(task=task, modulus=37, model="transformer", activation="relu", width=width, learning_rate=3e-3)
    for task in ("add", "mul")
    for width in (8, 12)
]

#: Most model-steps of a measurement, in horizons.
BUDGET = 12.0


def measure(problems: list[Problem], store: Path, path: Path) -> None:
    """Train, estimate, write; problems that the file has a size for are left as they are."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    rows = {Problem.from_dict(row["problem"]): row for row in known}
    lacking = [problem for problem in problems if problem not in rows]
    with open_runs(store) as bench:
        outcomes = advance_together([SequentialDesign(problem=p, budget=BUDGET) for p in lacking], bench.runs)
    for problem, found in zip(lacking, outcomes, strict=True):
        size = measure_sequentially(found)
        interval = None if size.interval is None else [size.interval.low, size.interval.high]
        rows[problem] = {
            "problem": problem.to_dict(),
            "measured": size.value,
            "interval": interval,
            "n_runs": size.n_runs,
        }
    found_rows = [rows[problem] for problem in problems]
    path.write_text(json.dumps(found_rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    measure(HELD_OUT, Path(sys.argv[1]), RESULTS / "held-out.json")
    measure(
        [*TRANSFORMERS, *LATER_TRANSFORMERS, *NARROW_TRANSFORMERS],
        Path(sys.argv[1]),
        RESULTS / "held-out-transformers.json",
    )
    measure(BASELINES, Path(sys.argv[1]), RESULTS / "baselines.json")
