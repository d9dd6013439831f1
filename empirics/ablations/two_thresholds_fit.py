"""Fit the constants of both thresholds and the clock to committed calibration runs, which no scored size is among.

Calibration runs lie above the transition at p ≤ 47 and end once they generalize; others are networks at rest whose data
shrank. Residuals are those of ln D at the time a run took, ln D − ln D_crit(t): seeds scatter evenly there, not in t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import least_squares

from dcrit.empirics.ablations.committed import Row, read
from dcrit.empirics.ablations.two_thresholds_optimizer import BETAS, EPSILONS, ROWS, effect_of
from dcrit.empirics.ablations.two_thresholds_optimizer import WIDTH as OPTIMIZER_WIDTH
from dcrit.theory.calibrations.thresholds import CalibratedRange, Thresholds
from dcrit.theory.circuits.clock import Clock, Pace
from dcrit.theory.circuits.critical_size_law import (
    LEVEL_SYMBOLS,
    LEVEL_WIDTH,
    LOGARITHMIC,
    CriticalSizeLaw,
    Levels,
    Scatter,
)
from dcrit.theory.circuits.finding import FINDING_EXPONENT, FindingLaw
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import TASKS

FloatArray = NDArray[np.float64]

#: Folder of the committed runs and predictions, below docs/results, and the file of the runs there.
FOLDER, RUNS = "two-thresholds", "runs.parquet"

#: What a problem is made of, in the columns of the runs.
KEY = ("task", "modulus", "activation", "width", "weight_decay", "learning_rate")

ACTIVATIONS = ("square", "relu")

#: Tasks that have k0 and ρ of their own, and their scatter beside addition's. Images (±a, ±b) make a part of the
#: accuracy of sum-squares that falls with p; at small moduli they are half of the unseen pairs.
TASK_SCATTER = {"square-of-sum": 0.05, "sum-squares": 0.10}
SMALLEST_OF_SUM_SQUARES = 41

#: Earliest times that a fit looks at: of most tasks, of others, and of those that tell levels apart [steps].
EARLIEST, EARLIEST_OF_TASKS, EARLIEST_OF_LEVELS = 400.0, {"square-of-sum": 300.0}, 300.0

#: q with about the least residual of calibration runs among 2 … 6.
SHARPNESS = 3.0

#: m is hardly told by times that calibration runs have: a prior with this standard deviation.
BEND_PRIOR = (1.2, 0.2)

#: Wide priors of D_rest/S of addition where sizes at rest are measured; else, and of the second law, narrow ones.
REST_PRIOR = (7.0, 1.0)
SECOND_REST_PRIOR = {"square": (6.3, 0.06), "relu": (10.2, 0.06)}

#: Scatter of ln D_rest between measured and the line.
SCATTER_AT_REST = 0.05

#: λ above 1 is worse known for relu: relu at λ = 2 needs a quarter more, of which the clock says nothing.
RAISED_DECAY_SCATTER = {"square": 0.08, "relu": 0.16}

NAMES = ("prefactor", "load", "rate", "bend", "rest")
START = {"prefactor": 1.3, "load": 0.3, "rate": 3e-3, "bend": 1.2, "rest": 6.3}
LEAST_BEND = 1e-3


def runs_of(results: Path) -> list[Row]:
    """All committed runs, one row each.

    Args:
        results: Folder of committed results.
    """
    return pl.read_parquet(results / FOLDER / RUNS).to_dicts()


def problem_of(row: Row) -> Problem:
    """The problem of a row."""
    return Problem(**{name: row[name] for name in KEY})


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Constants by name, and the covariance of those fitted (of logarithms, where ``LOGARITHMIC`` says so).

    Attributes:
        constants: Of ``NAMES``.
        fitted: Names of those fitted.
        covariance: Of those.
        scatter: Standard deviation of ln D between runs.
        rows: Runs it rests on.
        rest_loaded: Whether a narrow network raises D_rest as it does D_kin.
    """

    constants: dict[str, float]
    fitted: tuple[str, ...]
    covariance: FloatArray
    scatter: float
    rows: tuple[Row, ...]
    rest_loaded: bool

    def clock(self, n_symbols: int, width: int) -> Clock:
        """The clock of one network at the runs' λ and η."""
        return clock_of(self.constants, n_symbols, width, rest_loaded=self.rest_loaded)

    def log_size_and_variance(self, row: Row) -> tuple[float, float]:
        """Ln D_crit of a row at its horizon, and the variance that the covariance gives it."""
        symbols = problem_of(row).n_symbols

        def log_size(constants: dict[str, float]) -> float:
            clock = clock_of(constants, symbols, row["width"], rest_loaded=self.rest_loaded)
            clock = clock.at(learning_rate=row["learning_rate"], weight_decay=row["weight_decay"])
            return math.log(float(clock.critical_size(row["steps"])))

        centre, step = log_size(self.constants), 1e-4
        gradient: list[float] = []
        for name in self.fitted:
            value = self.constants[name]
            moved = value * math.exp(step) if name in LOGARITHMIC else value + step
            gradient.append((log_size({**self.constants, name: moved}) - centre) / step)
        return centre, float(np.array(gradient) @ self.covariance @ np.array(gradient))


def clock_of(constants: dict[str, float], n_symbols: int, width: int, *, rest_loaded: bool = True) -> Clock:
    """The clock of one network by constants of ``NAMES``."""
    load = 1 + constants["load"] * n_symbols / width
    return Clock(
        kinetic=constants["prefactor"] * n_symbols**FINDING_EXPONENT * load,
        rest=constants["rest"] * n_symbols * (load if rest_loaded else 1.0),
        rate=constants["rate"],
        bend=constants["bend"],
        sharpness=SHARPNESS,
    )


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
    """Modulus, width and size of half accuracy of networks whose data shrank: log-odds linear in ln D."""
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in runs:
        if (row["model"], row["part"], row["activation"]) == (model, "rest", activation):
            cells.setdefault((row["modulus"], row["width"]), []).append(row)
    found: list[tuple[int, int, float]] = []
    for (modulus, width), mine in sorted(cells.items()):
        if len(mine) < 4:
            continue
        accuracy = np.clip([row["test_accuracy"] for row in mine], 0.02, 0.98)
        slope, at_zero = np.polyfit(np.log([row["n_train"] for row in mine]), np.log(accuracy / (1 - accuracy)), 1)
        found.append((modulus, width, math.exp(-at_zero / slope)))
    return found


def fit(
    rows: Sequence[Row],
    rest_prior: tuple[float, float],
    *,
    at_rest: Sequence[tuple[int, int, float]] = (),
    fixed: dict[str, float] | None = None,
    rest_loaded: bool = True,
) -> Fit:
    """Least squares in ln D, with priors of D_rest/S and m, and with measured sizes at rest where there are some.

    Args:
        rows: Calibration runs.
        rest_prior: D_rest/S and the standard deviation of its logarithm.
        at_rest: Modulus, width and size of networks whose data shrank.
        fixed: Constants that are not fitted.
        rest_loaded: Whether a narrow network raises D_rest as it does D_kin.
    """
    held = fixed or {}
    free = tuple(name for name in NAMES if name not in held)
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        cells.setdefault((problem_of(row).n_symbols, row["width"]), []).append(row)
    columns = [
        (place, np.log([row["n_train"] for row in mine]), np.array([row["time_50"] for row in mine]))
        for place, mine in cells.items()
    ]

    def constants_at(x: FloatArray) -> dict[str, float]:
        values = {
            name: math.exp(value) if name in LOGARITHMIC else float(value) for name, value in zip(free, x, strict=True)
        }
        return {**START, **held, **values}

    start = {**START, "rest": rest_prior[0]}
    begin = [math.log(start[name]) if name in LOGARITHMIC else start[name] for name in free]
    lower = [-np.inf if name in LOGARITHMIC else LEAST_BEND if name == "bend" else 0.0 for name in free]
    scatter = 0.03
    result: Any = None
    for _ in range(4):

        def residual(x: FloatArray, scatter: float = scatter) -> FloatArray:
            constants = constants_at(x)
            parts = [
                (log_sizes - np.log(clock_of(constants, *place, rest_loaded=rest_loaded).critical_size(times)))
                / scatter
                for place, log_sizes, times in columns
            ]
            priors = [
                math.log(constants["rest"] / rest_prior[0]) / rest_prior[1],
                (constants["bend"] - BEND_PRIOR[0]) / BEND_PRIOR[1],
            ]
            for modulus, width, size in at_rest:
                found = clock_of(constants, modulus, width, rest_loaded=rest_loaded).rest
                priors.append(math.log(found / size) / SCATTER_AT_REST)
            return np.concatenate([*parts, priors])

        result = least_squares(residual, begin, bounds=(lower, np.inf))
        own = result.fun[: len(rows)] * scatter
        scatter = math.sqrt(float(own @ own) / max(1, len(own) - len(free)))
    covariance = np.linalg.pinv(result.jac.T @ result.jac)
    return Fit(
        constants=constants_at(result.x),
        fitted=free,
        covariance=covariance,
        scatter=scatter,
        rows=tuple(rows),
        rest_loaded=rest_loaded,
    )


def law_fits(runs: Sequence[Row], *, second: bool = False) -> dict[tuple[str, str], Fit]:
    """The law's fit of every activation and task; tasks other than addition share its k1, r and m.

    Args:
        runs: All runs.
        second: The second law instead of the third, in which D_rest knows nothing of a network's width.
    """
    found: dict[tuple[str, str], Fit] = {}
    for activation in ACTIVATIONS:
        rows = calibration_rows(runs, activation, "add", EARLIEST)
        prior, at_rest = (SECOND_REST_PRIOR[activation], []) if second else (REST_PRIOR, rest_sizes(runs, activation))
        addition = found[activation, "add"] = fit(rows, prior, at_rest=at_rest, rest_loaded=not second)
        for task in TASK_SCATTER:
            rows = calibration_rows(runs, activation, task, EARLIEST_OF_TASKS.get(task, EARLIEST))
            found[activation, task] = fit(
                rows,
                (0.8 * addition.constants["rest"], 0.2),
                fixed={name: addition.constants[name] for name in ("load", "rate", "bend")},
                rest_loaded=not second,
            )
    return found


def levels_of(runs: Sequence[Row], activation: str, addition: Fit) -> Levels:
    """Where accuracies 0.1 and 0.9 lie, by how much more data each run's own time to them would have been its half.

    Args:
        runs: All runs.
        activation: σ.
        addition: The law's fit to addition.
    """
    design: list[list[float]] = []
    values: list[float] = []
    for row in calibration_rows(runs, activation, "add", 0.0):
        symbols = problem_of(row).n_symbols
        clock = addition.clock(symbols, row["width"])
        half = math.log(float(clock.critical_size(row["time_50"])))
        for low, time in ((True, row["time_10"]), (False, row["time_90"])):
            if time is None or time < EARLIEST_OF_LEVELS:
                continue
            shift = abs(half - math.log(float(clock.critical_size(time))))
            if shift > 0:
                place = [-math.log(symbols / LEVEL_SYMBOLS), -math.log(row["width"] / LEVEL_WIDTH)]
                design.append([float(low), float(not low), *place])
                values.append(math.log(shift))
    low, high, symbols_exponent, width_exponent = np.linalg.lstsq(np.array(design), np.array(values), rcond=None)[0]
    return Levels(
        low=rounded(math.exp(low)),
        high=rounded(math.exp(high)),
        symbols_exponent=rounded(symbols_exponent),
        width_exponent=rounded(width_exponent),
    )


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
        law = CriticalSizeLaw(
            thresholds=FindingLaw(**{name: rounded(one.constants[name]) for name in ("prefactor", "load", "rest")}),
            rate=rounded(one.constants["rate"]),
            bend=rounded(one.constants["bend"]),
            sharpness=SHARPNESS,
            levels=levels_of(runs, activation, addition),
            fitted=one.fitted,
            covariance=tuple(tuple(rounded(value, 4) for value in line) for line in one.covariance.tolist()),
            scatter=Scatter(
                task=TASK_SCATTER.get(task, 0.0),
                largest_symbols=max(problem_of(row).n_symbols for row in addition.rows),
                per_raised_decay=RAISED_DECAY_SCATTER[activation],
                per_memory=effects[activation].per_memory,
                per_forgetting=effects[activation].per_forgetting,
                per_epsilon=effects[activation].per_epsilon,
                per_raised_epsilon=effects[activation].per_raised_epsilon,
            ),
            pace=Pace(memory_exponent=effects[activation].memory_exponent),
        )
        loads = [problem_of(row).n_symbols / row["width"] for row in used]
        made.append(
            Thresholds(
                tasks=tuple(name for name, one in TASKS.items() if task in (name, one.same_as)),
                model="mlp",
                activation=activation,
                law=law,
                calibrated=CalibratedRange(
                    n_symbols=span([problem_of(row).n_symbols for row in used]),
                    width=span([row["width"] for row in used]),
                    load=(rounded(min(loads), 4), rounded(max(loads), 4)),
                    steps=(
                        min(row["time_50"] for row in one.rows + addition.rows),
                        max(row["steps"] for row in one.rows + addition.rows),
                    ),
                    n_runs=len(one.rows) + (len(at_rest) if task == "add" else 0),
                    beta2=span(BETAS),
                    epsilon=span(EPSILONS),
                ),
            )
        )
    return made


def span(values: Sequence[Any]) -> tuple[Any, Any]:
    """Least and largest."""
    return min(values), max(values)


def rounded(value: float, digits: int = 5) -> float:
    """As many digits as are the same on every machine."""
    return float(f"{float(value):.{digits}g}")
