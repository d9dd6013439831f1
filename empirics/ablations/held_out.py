"""Critical sizes measured beyond the calibration, and those up to modulus 29 that baselines may use.

Nothing here enters a calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcrit.empirics.ablations.committed import read, text_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import advance_together
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.theory.problems.problem import Problem

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

#: What is measured, by the file that holds it.
MEASURED: dict[str, Sequence[Problem]] = {
    "held-out.json": HELD_OUT,
    "held-out-transformers.json": [*TRANSFORMERS, *LATER_TRANSFORMERS, *NARROW_TRANSFORMERS],
    "baselines.json": BASELINES,
}

#: Most model-steps of a measurement, in horizons.
BUDGET = 12.0


def measure_held_out(results: Path, laboratory: Laboratory) -> dict[Path, str]:
    """The files of measured sizes, with what they lacked; sizes that they had are left as they are.

    Args:
        results: Folder of the committed results.
        laboratory: Finds or trains the runs of what they lack.

    Returns:
        Texts by file.
    """
    return {
        results / name: text_of(completed(results / name, problems, laboratory)) for name, problems in MEASURED.items()
    }


def completed(path: Path, problems: Sequence[Problem], laboratory: Laboratory) -> list[dict[str, Any]]:
    """Rows of all problems: those that a file has, as they are, and those that are measured now.

    Args:
        path: The file, which need not be there.
        problems: In the order of the rows.
        laboratory: Finds or trains the runs of those that lack.
    """
    known = read(path) if path.exists() else []
    rows = {Problem.from_dict(row["problem"]): row for row in known}
    lacking = [problem for problem in problems if problem not in rows]
    designs = [SequentialDesign(problem=problem, budget=BUDGET) for problem in lacking]
    outcomes = advance_together(designs, laboratory.runs)
    for design, problem, found in zip(designs, lacking, outcomes, strict=True):
        size = design.measure(found)
        rows[problem] = {
            "problem": problem.to_dict(),
            "measured": size.value,
            "interval": None if size.interval is None else size.interval.to_dict(),
            "n_runs": size.n_runs,
        }
    return [rows[problem] for problem in problems]
