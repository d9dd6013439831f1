"""Constants of both thresholds and the clock, by least squares from times of runs and from sizes at rest.

Residuals are those of ln D at the time a run took, ln D − ln D_crit(t): seeds scatter evenly there, not in t. The
constants that ship are the most likely ones, of :mod:`dcrit.empirics.measures.seed_fit`; older laws are of this kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from dcrit.empirics.runs.outcomes import PERSISTENCE, passage
from dcrit.empirics.runs.single import Run
from dcrit.theory.calibrations.thresholds import CalibratedRange
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
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: One run, by column.
Row = dict[str, Any]

#: What a problem is made of, in the columns of the runs.
KEY = ("task", "modulus", "activation", "width", "weight_decay", "learning_rate")

#: Columns of times to test accuracy, by its level.
TIMES = {"time_10": 0.1, "time_50": 0.5, "time_90": 0.9}

#: Earliest times that a fit tells apart, and that tell levels apart [steps at the protocol's optimizer].
EARLIEST, EARLIEST_OF_LEVELS = 400.0, 300.0

#: Fewest sizes from which one of half accuracy is read.
FEWEST_AT_REST = 4

#: Fewest runs of a network from which the distance of a level is read. Where no network has so many, the width of its
#: transition is taken to scatter about as it does in the families that ship.
FEWEST_DISTANCES, USUAL_WIDTH_SCATTER = 3, 0.25

#: q with about the least residual of calibration runs among 2 … 6.
SHARPNESS = 3.0

#: m is hardly told by times that calibration runs have: a prior with this standard deviation.
BEND_PRIOR = (1.2, 0.2)

#: Wide prior of D_rest/S where sizes at rest are measured: its value, and the standard deviation of its logarithm.
REST_PRIOR = (7.0, 1.0)

#: Scatter of ln D_rest between measured and the line.
SCATTER_AT_REST = 0.05

#: λ above 1 is worse known for relu: relu at λ = 2 needs a quarter more, of which the clock says nothing.
RAISED_DECAY_SCATTER = {"square": 0.08, "relu": 0.16}

NAMES = ("prefactor", "load", "rate", "bend", "rest")
START = {"prefactor": 1.3, "load": 0.3, "rate": 3e-3, "bend": 1.2, "rest": 6.3}
LEAST_BEND = 1e-3

#: Names of what the law does not fit: the exponent of p in D_kin, and q.
EXPONENT, Q = "exponent", "sharpness"


def problem_of(row: Row) -> Problem:
    """The problem of a row."""
    return Problem(**{name: row[name] for name in KEY})


def times_of(run: Run) -> dict[str, float | None]:
    """When a run passed each level of ``TIMES`` for good; None where it did not [steps]."""
    step, accuracy = run.curves.step, run.curves.test_accuracy
    duration = PERSISTENCE * run.config.problem.time_constant
    return {name: passage(step, accuracy, level, duration) for name, level in TIMES.items()}


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


def clock_of(constants: Mapping[str, float], n_symbols: int, width: int, *, rest_loaded: bool = True) -> Clock:
    """The clock of one network.

    Args:
        constants: Of ``NAMES``, and of ``EXPONENT`` and ``Q`` where they are not those of the law.
        n_symbols: S.
        width: H.
        rest_loaded: Whether a narrow network raises D_rest as it does D_kin.
    """
    load = 1 + constants["load"] * n_symbols / width
    return Clock(
        kinetic=constants["prefactor"] * n_symbols ** constants.get(EXPONENT, FINDING_EXPONENT) * load,
        rest=constants["rest"] * n_symbols * (load if rest_loaded else 1.0),
        rate=constants["rate"],
        bend=constants["bend"],
        sharpness=constants.get(Q, SHARPNESS),
    )


def sizes_at_rest(rows: Sequence[Row]) -> list[tuple[int, int, float]]:
    """Symbols, width and size of half accuracy of networks whose data shrank: log-odds linear in ln D.

    Args:
        rows: Their runs; a network with fewer than ``FEWEST_AT_REST`` is left out.
    """
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        cells.setdefault((problem_of(row).n_symbols, row["width"]), []).append(row)
    found: list[tuple[int, int, float]] = []
    for (symbols, width), mine in sorted(cells.items()):
        if len(mine) < FEWEST_AT_REST:
            continue
        accuracy = np.clip([row["test_accuracy"] for row in mine], 0.02, 0.98)
        slope, at_zero = np.polyfit(np.log([row["n_train"] for row in mine]), np.log(accuracy / (1 - accuracy)), 1)
        found.append((symbols, width, math.exp(-at_zero / slope)))
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
        rows: Calibration runs that passed one half.
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


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far in ln D a run's own time to accuracy 0.1 or 0.9 puts that level from its half.

    Attributes:
        n_symbols: S.
        width: H.
        level: 0.1 or 0.9.
        value: |ln D_ℓ − ln D_half|.
    """

    n_symbols: int
    width: int
    level: float
    value: float


def distances_of(rows: Sequence[Row], fitted: Fit, *, earliest: float = EARLIEST_OF_LEVELS) -> list[Distance]:
    """How much more data each run's own times to 0.1 and 0.9 would have been its half.

    Args:
        rows: Runs; those that did not pass one half are left out.
        fitted: The law's fit to them.
        earliest: Least time to a level that is looked at [steps].
    """
    found: list[Distance] = []
    for row in rows:
        if row["time_50"] is None:
            continue
        symbols = problem_of(row).n_symbols
        clock = fitted.clock(symbols, row["width"])
        half = math.log(float(clock.critical_size(row["time_50"])))
        for level in SEMI_GROKKING:
            time = row[next(name for name, one in TIMES.items() if one == level)]
            if time is None or time < earliest:
                continue
            value = abs(half - math.log(float(clock.critical_size(time))))
            if value > 0:
                found.append(Distance(n_symbols=symbols, width=row["width"], level=level, value=value))
    return found


def levels_from(distances: Sequence[Distance]) -> Levels:
    """Where accuracies 0.1 and 0.9 lie, and how much that scatters between these networks.

    Args:
        distances: Of runs of one task.
    """
    low = SEMI_GROKKING[0]
    design = [
        [
            float(one.level == low),
            float(one.level != low),
            -math.log(one.n_symbols / LEVEL_SYMBOLS),
            -math.log(one.width / LEVEL_WIDTH),
        ]
        for one in distances
    ]
    values = [math.log(one.value) for one in distances]
    below, above, symbols_exponent, width_exponent = np.linalg.lstsq(np.array(design), np.array(values), rcond=None)[0]
    levels = Levels(
        low=rounded(math.exp(below)),
        high=rounded(math.exp(above)),
        symbols_exponent=rounded(symbols_exponent),
        width_exponent=rounded(width_exponent),
    )
    return replace(levels, scatter=width_scatter(distances, levels))


def width_scatter(distances: Sequence[Distance], levels: Levels) -> float:
    """Root mean square over networks and levels of how far the mean ln of their runs' distances lies from a law's.

    Args:
        distances: Of runs of one task.
        levels: The law's.
    """
    errors: dict[tuple[int, int, float], list[float]] = {}
    for one in distances:
        error = math.log(one.value / abs(levels.shifts(one.n_symbols, one.width)[one.level]))
        errors.setdefault((one.n_symbols, one.width, one.level), []).append(error)
    means = [float(np.mean(own)) for own in errors.values() if len(own) >= FEWEST_DISTANCES]
    return rounded(math.sqrt(float(np.mean(np.square(means)))), 3) if means else USUAL_WIDTH_SCATTER


def law_of(fitted: Fit, levels: Levels, scatter: Scatter, pace: Pace, *, digits: int = 4) -> CriticalSizeLaw:
    """The law with fitted constants.

    Args:
        fitted: Those.
        levels: Where accuracies 0.1 and 0.9 lie.
        scatter: What the constants do not explain.
        pace: What the optimizer does to the rate.
        digits: Of the covariance. With few runs its least eigenvalue is so small that four digits can make it negative.
    """
    constants = fitted.constants
    return CriticalSizeLaw(
        thresholds=FindingLaw(**{name: rounded(constants[name]) for name in ("prefactor", "load", "rest")}),
        rate=rounded(constants["rate"]),
        bend=rounded(constants["bend"]),
        sharpness=SHARPNESS,
        levels=levels,
        fitted=fitted.fitted,
        covariance=tuple(tuple(rounded(value, digits) for value in line) for line in fitted.covariance.tolist()),
        scatter=scatter,
        pace=pace,
    )


def range_of(
    timed: Sequence[Row],
    used: Sequence[Row],
    n_runs: int,
    *,
    earliest: float | None = None,
    **effects: tuple[float, float],
) -> CalibratedRange:
    """Between which values the runs of a law lay.

    Args:
        timed: Runs whose times were fitted.
        used: Those and the ones at rest.
        n_runs: How many count.
        earliest: Least time that was told apart; None for that of the earliest run [steps].
        effects: Least and largest ``beta2`` and ``epsilon``.
    """
    symbols = [problem_of(row).n_symbols for row in used]
    loads = [one / row["width"] for one, row in zip(symbols, used, strict=True)]
    return CalibratedRange(
        n_symbols=span(symbols),
        width=span([row["width"] for row in used]),
        load=(rounded(min(loads), 4), rounded(max(loads), 4)),
        steps=(
            min(row["time_50"] for row in timed) if earliest is None else earliest,
            max(row["steps"] for row in timed),
        ),
        n_runs=n_runs,
        **effects,
    )


def span(values: Sequence[Any]) -> tuple[Any, Any]:
    """Least and largest."""
    return min(values), max(values)


def rounded(value: float, digits: int = 5) -> float:
    """As many digits as are the same on every machine."""
    return float(f"{float(value):.{digits}g}")
