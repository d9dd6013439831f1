"""Fit the constants of both thresholds and the clock to committed calibration runs, which no scored size is among.

Calibration runs lie above the transition at p ≤ 47 and end once they generalize; others are networks at rest whose data
shrank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from dcrit.empirics.ablations.committed import Row, read
from dcrit.empirics.ablations.two_thresholds_optimizer import BETAS, EPSILONS, ROWS, effect_of
from dcrit.empirics.ablations.two_thresholds_optimizer import WIDTH as OPTIMIZER_WIDTH
from dcrit.empirics.measures.threshold_fit import (
    EARLIEST,
    RAISED_DECAY_SCATTER,
    REST_PRIOR,
    Fit,
    fit,
    law_of,
    levels_from,
    problem_of,
    range_of,
    sizes_at_rest,
    span,
)
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.clock import Clock, Pace
from dcrit.theory.circuits.critical_size_law import Levels, Scatter
from dcrit.theory.problems.tasks import TASKS

#: Folder of the committed runs and predictions, below docs/results, and the file of the runs there.
FOLDER, RUNS = "two-thresholds", "runs.parquet"

ACTIVATIONS = ("square", "relu")

#: Tasks that have k0 and ρ of their own, and their scatter beside addition's. Images (±a, ±b) make a part of the
#: accuracy of sum-squares that falls with p; at small moduli they are half of the unseen pairs.
TASK_SCATTER = {"square-of-sum": 0.05, "sum-squares": 0.10}
SMALLEST_OF_SUM_SQUARES = 41

#: Earliest times that a fit looks at, where they are others than of addition [steps].
EARLIEST_OF_TASKS = {"square-of-sum": 300.0}

#: Priors of D_rest/S of the second law, and their standard deviation of the logarithm.
SECOND_REST_PRIOR = {"square": (6.3, 0.06), "relu": (10.2, 0.06)}


def runs_of(results: Path) -> list[Row]:
    """All committed runs, one row each.

    Args:
        results: Folder of committed results.
    """
    return pl.read_parquet(results / FOLDER / RUNS).to_dicts()


def calibration_rows(runs: Sequence[Row], activation: str, task: str, earliest: float) -> list[Row]:
    """Calibration runs of one activation and task that passed one half late enough.

    Args:
        runs: All runs.
        activation: σ.
        task: Its name.
        earliest: Least time to one half [steps].
    """
    return [
        row
        for row in runs
        if (row["model"], row["part"], row["activation"], row["task"]) == ("mlp", "calibration", activation, task)
        and row["time_50"] is not None
        and row["time_50"] >= earliest
        and (task != "sum-squares" or row["modulus"] >= SMALLEST_OF_SUM_SQUARES or earliest == 0)
    ]


def rest_sizes(runs: Sequence[Row], activation: str, model: str = "mlp") -> list[tuple[int, int, float]]:
    """Symbols, width and size of half accuracy of committed networks whose data shrank.

    Args:
        runs: All runs.
        activation: σ.
        model: Model family.
    """
    kind = (model, "rest", activation)
    return sizes_at_rest([row for row in runs if (row["model"], row["part"], row["activation"]) == kind])


def law_fits(
    runs: Sequence[Row],
    *,
    second: bool = False,
    fixed: Mapping[str, float] | None = None,
    rest_loaded: bool = True,
    with_rest: bool = True,
) -> dict[tuple[str, str], Fit]:
    """The law's fit of every activation and task; tasks other than addition share its k1, r and m.

    Args:
        runs: All runs.
        second: The second law instead of the third, in which D_rest knows nothing of a network's width.
        fixed: Constants that are not fitted, of a variant.
        rest_loaded: Whether a narrow network raises D_rest as it does D_kin.
        with_rest: Whether sizes at rest enter.
    """
    held, loaded = dict(fixed or {}), rest_loaded and not second
    found: dict[tuple[str, str], Fit] = {}
    for activation in ACTIVATIONS:
        rows = calibration_rows(runs, activation, "add", EARLIEST)
        prior = SECOND_REST_PRIOR[activation] if second else REST_PRIOR
        at_rest = [] if second or not with_rest else rest_sizes(runs, activation)
        addition = found[activation, "add"] = fit(rows, prior, at_rest=at_rest, fixed=held, rest_loaded=loaded)
        for task in TASK_SCATTER:
            rows = calibration_rows(runs, activation, task, EARLIEST_OF_TASKS.get(task, EARLIEST))
            found[activation, task] = fit(
                rows,
                (0.8 * addition.constants["rest"], 0.2),
                fixed=held | {name: addition.constants[name] for name in ("load", "rate", "bend")},
                rest_loaded=loaded,
            )
    return found


def levels_of(runs: Sequence[Row], activation: str, addition: Fit) -> Levels:
    """Where accuracies 0.1 and 0.9 of addition lie.

    Args:
        runs: All runs.
        activation: σ.
        addition: The law's fit to addition.
    """
    return levels_from(calibration_rows(runs, activation, "add", 0.0), addition)


def optimizer_rows(results: Path) -> list[Row]:
    """What runs with other β₂ and ε took, one row a point.

    Args:
        results: Folder of committed results.
    """
    return read(results / FOLDER / f"{ROWS}.json")


def optimizer_clocks(fits: Mapping[tuple[str, str], Fit]) -> dict[str, Callable[[int], Clock]]:
    """Clocks of addition by activation, each of a modulus at the width of those runs.

    Args:
        fits: Of :func:`law_fits`.
    """

    def clock_at(modulus: int, activation: str) -> Clock:
        return fits[activation, "add"].clock(modulus, OPTIMIZER_WIDTH)

    return {activation: partial(clock_at, activation=activation) for activation in ACTIVATIONS}


def fitted_thresholds(results: Path) -> list[Thresholds]:
    """The laws that ship, from the committed calibration runs.

    Args:
        results: Folder of committed results.
    """
    runs = runs_of(results)
    fits = law_fits(runs)
    effects = {
        activation: effect_of(optimizer_rows(results), activation, clock_at)
        for activation, clock_at in optimizer_clocks(fits).items()
    }
    made: list[Thresholds] = []
    for (activation, task), one in fits.items():
        addition = fits[activation, "add"]
        at_rest = [row for row in runs if row["part"] == "rest" and row["activation"] == activation]
        used = [*one.rows, *(at_rest if task == "add" else addition.rows)]
        effect = effects[activation]
        scatter = Scatter(
            task=TASK_SCATTER.get(task, 0.0),
            largest_symbols=max(problem_of(row).n_symbols for row in addition.rows),
            per_raised_decay=RAISED_DECAY_SCATTER[activation],
            per_memory=effect.per_memory,
            per_forgetting=effect.per_forgetting,
            per_epsilon=effect.per_epsilon,
            per_raised_epsilon=effect.per_raised_epsilon,
        )
        made.append(
            Thresholds(
                tasks=tuple(name for name, one in TASKS.items() if task in (name, one.same_as)),
                model="mlp",
                activation=activation,
                law=law_of(
                    one, levels_of(runs, activation, addition), scatter, Pace(memory_exponent=effect.memory_exponent)
                ),
                calibrated=range_of(
                    one.rows + addition.rows,
                    used,
                    len(one.rows) + (len(at_rest) if task == "add" else 0),
                    beta2=span(BETAS),
                    epsilon=span(EPSILONS),
                ),
            )
        )
    return made
