"""Fit the constants of both thresholds and the clock to committed calibration runs, which no scored size is among.

Calibration runs lie above the transition at p ≤ 47 and end once they generalize; others are networks at rest whose data
shrank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from dcrit.empirics.ablations.committed import Row, read
from dcrit.empirics.ablations.two_thresholds_optimizer import BETAS, EPSILONS, ROWS, effect_of
from dcrit.empirics.ablations.two_thresholds_optimizer import WIDTH as OPTIMIZER_WIDTH
from dcrit.empirics.measures.seed_fit import seed_fit
from dcrit.empirics.measures.threshold_fit import (
    BEND_PRIOR,
    EARLIEST,
    RAISED_DECAY_SCATTER,
    REST_PRIOR,
    SCATTER_AT_REST,
    START,
    Distance,
    Fit,
    distances_of,
    fit,
    law_of,
    levels_from,
    problem_of,
    range_of,
    sizes_at_rest,
    span,
    width_scatter,
)
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.clock import Clock, Pace
from dcrit.theory.circuits.critical_size_law import Levels, Scatter
from dcrit.theory.families.family import FAMILIES
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


def calibration_rows(runs: Sequence[Row], activation: str, task: str) -> list[Row]:
    """Calibration runs of one activation and task.

    Args:
        runs: All runs.
        activation: σ.
        task: Its name.
    """
    return [
        row
        for row in runs
        if (row["model"], row["part"], row["activation"], row["task"]) == ("mlp", "calibration", activation, task)
        and (task != "sum-squares" or row["modulus"] >= SMALLEST_OF_SUM_SQUARES)
    ]


def told_apart(rows: Sequence[Row], task: str) -> list[Row]:
    """Runs that passed one half late enough, but before their horizon.

    Args:
        rows: Runs of one task.
        task: Its name.
    """
    earliest = EARLIEST_OF_TASKS.get(task, EARLIEST)
    return [row for row in rows if row["time_50"] is not None and row["time_50"] >= earliest]


def rest_sizes(runs: Sequence[Row], activation: str, model: str = "mlp") -> list[tuple[int, int, float]]:
    """Symbols, width and size of half accuracy of committed networks whose data shrank.

    Args:
        runs: All runs.
        activation: σ.
        model: Model family.
    """
    kind = (model, "rest", activation)
    return sizes_at_rest([row for row in runs if (row["model"], row["part"], row["activation"]) == kind])


def sets_apart(model: str, width: int, weight_decay: float, *, beside: int) -> str:
    """What sets a measured network apart from those of a series, as pictures say it; empty where nothing does.

    Args:
        model: Family.
        width: H or d.
        weight_decay: λ.
        beside: Width of the series.
    """
    other = f"${FAMILIES[model].width_symbol}={width}$" if width != beside else ""
    decay = rf"$\lambda={weight_decay:g}$" if weight_decay != 1 else ""
    return ", ".join(one for one in (other, decay) if one)


def rows_at_rest(runs: Sequence[Row], law: Thresholds, width: int) -> list[Row]:
    """Those sizes as they would be at one width, by the law's ratio: rows of n_symbols, size, interval, at_rest, apart.

    Args:
        runs: All runs.
        law: Of their family and activation.
        width: H or d.
    """
    factor = law.law.thresholds.load_factor
    return [
        {
            "n_symbols": modulus,
            "size": size * factor(modulus, width) / factor(modulus, own_width),
            "interval": None,
            "at_rest": True,
            "apart": sets_apart(law.model, own_width, 1.0, beside=width),
        }
        for modulus, own_width, size in rest_sizes(runs, law.activation, law.model)
    ]


def law_fits(runs: Sequence[Row]) -> dict[tuple[str, str], Fit]:
    """The fit that ships of every activation and task; tasks other than addition share its k1, r and m.

    Args:
        runs: All runs.
    """
    found: dict[tuple[str, str], Fit] = {}
    for activation in ACTIVATIONS:
        rows = calibration_rows(runs, activation, "add")
        addition = found[activation, "add"] = likely(rows, "add", at_rest=rest_sizes(runs, activation))
        for task in TASK_SCATTER:
            rows = calibration_rows(runs, activation, task)
            found[activation, task] = likely(
                rows, task, rest_prior=rest_of_task(addition), fixed=shared_by_tasks(addition)
            )
    return found


def likely(
    rows: Sequence[Row],
    task: str,
    *,
    at_rest: Sequence[tuple[int, int, float]] = (),
    rest_prior: tuple[float, float] = REST_PRIOR,
    fixed: Mapping[str, float] | None = None,
) -> Fit:
    """Most likely constants of pair-MLPs.

    Args:
        rows: Calibration runs of one activation and task.
        task: Its name.
        at_rest: Symbols, width and size of networks whose data shrank.
        rest_prior: D_rest/S and the standard deviation of its logarithm.
        fixed: Constants that are not fitted.
    """
    return seed_fit(
        rows,
        at_rest,
        earliest=EARLIEST_OF_TASKS.get(task, EARLIEST),
        time="time_50",
        rest_prior=rest_prior,
        bend_prior=BEND_PRIOR,
        scatter_at_rest=SCATTER_AT_REST,
        fixed=fixed,
        start=START,
    )


def shared_by_tasks(addition: Fit) -> dict[str, float]:
    """Constants that other tasks take from addition."""
    return {name: addition.constants[name] for name in ("load", "rate", "bend")}


def rest_of_task(addition: Fit) -> tuple[float, float]:
    """Prior of D_rest/S of other tasks, and the standard deviation of its logarithm."""
    return 0.8 * addition.constants["rest"], 0.2


def least_squares_fits(
    runs: Sequence[Row],
    *,
    second: bool = False,
    fixed: Mapping[str, float] | None = None,
    rest_loaded: bool = True,
    with_rest: bool = True,
) -> dict[tuple[str, str], Fit]:
    """As :func:`law_fits` by least squares, of runs alone whose times are told apart: the third law, and variants.

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
        rows = told_apart(calibration_rows(runs, activation, "add"), "add")
        prior = SECOND_REST_PRIOR[activation] if second else REST_PRIOR
        at_rest = [] if second or not with_rest else rest_sizes(runs, activation)
        addition = found[activation, "add"] = fit(rows, prior, at_rest=at_rest, fixed=held, rest_loaded=loaded)
        for task in TASK_SCATTER:
            found[activation, task] = fit(
                told_apart(calibration_rows(runs, activation, task), task),
                rest_of_task(addition),
                fixed=held | shared_by_tasks(addition),
                rest_loaded=loaded,
            )
    return found


def levels_of(runs: Sequence[Row], activation: str, fits: Mapping[tuple[str, str], Fit], task: str = "add") -> Levels:
    """Where accuracies 0.1 and 0.9 of addition lie, and how much that scatters between networks of a task.

    Args:
        runs: All runs.
        activation: σ.
        fits: The law's.
        task: Of ``fits``; all tasks have the distances of addition.
    """

    def distances(name: str) -> list[Distance]:
        return distances_of(calibration_rows(runs, activation, name), fits[activation, name])

    levels = levels_from(distances("add"))
    return levels if task == "add" else replace(levels, scatter=width_scatter(distances(task), levels))


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
                    one, levels_of(runs, activation, fits, task), scatter, Pace(memory_exponent=effect.memory_exponent)
                ),
                calibrated=range_of(
                    one.rows + addition.rows,
                    used,
                    len(one.rows) + (len(at_rest) if task == "add" else 0),
                    earliest=EARLIEST_OF_TASKS.get(task, EARLIEST),
                    beta2=span(BETAS),
                    epsilon=span(EPSILONS),
                ),
            )
        )
    return made
