"""Constants of both thresholds and the clock where seeds scatter widely in time: by maximum likelihood.

Seeds of a transformer scatter widely in time, some by a factor of ten, though little in ln D: each asks for a size of
its own, and D_crit(T) is the size at which half of them have generalized by T.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtri

from dcrit.empirics.measures.threshold_fit import Row, clock_of, law_of, range_of, rounded, sizes_at_rest
from dcrit.empirics.runs.outcomes import PERSISTENCE, level_beyond_mirrors, passage
from dcrit.empirics.runs.single import Run
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.clock import Pace
from dcrit.theory.circuits.critical_size_law import FITTED, LOGARITHMIC, Levels, Scatter
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import TASKS, relabelings

FloatArray = NDArray[np.float64]

#: Which time counts: until a network is right on half of what mirror images of trained pairs leave. Mirror images alone
#: are nearly half of the unseen pairs at the moduli of the calibration, so that one half is passed early there.
TIME = "time_beyond_mirrors"

#: Earlier times count as this one: before, a network has just memorized [steps].
EARLIEST = 150.0

#: Priors of D_rest/S (and the standard deviation of its logarithm) and of m: both are hardly told by these runs.
REST_PRIOR, BEND_PRIOR = (5.0, 0.3), (3.0, 3.0)

#: Scatter of ln D_rest between measured and the line, and of ln D_crit between networks, beside that between seeds.
SCATTER_AT_REST, SCATTER, SCATTER_PER_MODULUS = 0.1, 0.1, 0.06

#: Where the search for constants begins.
START = {"prefactor": 2.2, "load": 0.1, "rate": 1e-3, "bend": 3.0, "rest": 5.0}
START_SCATTER = 0.1

#: Step of numeric derivatives of ln t.
STEP = 1e-3

#: Bounds of the search: m, and the scatter between seeds.
MOST_BEND, SCATTERS = 15.0, (0.01, 1.0)

#: Of the search.
SEARCH: Any = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-5, "fatol": 1e-7, "adaptive": True}


def seed_likelihood(
    constants: dict[str, float],
    scatter: float,
    rows: Sequence[Row],
    earliest: float = EARLIEST,
    *,
    pace: Pace | None = None,
) -> float:
    """Log-likelihood of the times of runs whose seeds ask for sizes that scatter log-normally about the law.

    P(generalized by t) = Φ((ln D − ln D_crit(t))/s): a run's time has that distribution. Times before the earliest
    count as that one, those that the horizon cut off as later.

    Args:
        constants: Of ``FITTED``.
        scatter: s.
        rows: Runs.
        earliest: Least time that is told apart [steps].
        pace: What λ and η do to the rate; None where all runs have those of the rate.
    """
    cells: dict[tuple[int, int, float, float], list[Row]] = {}
    for row in rows:
        place = (_symbols(row), row["width"], row["weight_decay"], row["learning_rate"])
        cells.setdefault(place, []).append(row)
    total = 0.0
    for (n_symbols, width, decay, rate), mine in cells.items():
        clock = clock_of(constants, n_symbols, width)
        if pace is not None:
            clock = clock.at(pace=pace, weight_decay=decay, learning_rate=rate)
        times = np.array([math.inf if row[TIME] is None else row[TIME] for row in mine])  # (n,)
        horizons = np.array([row["steps"] for row in mine], dtype=np.float64)  # (n,)
        at = np.clip(times, earliest, horizons)
        excess = (np.log([row["n_train"] for row in mine]) - np.log(clock.critical_size(at))) / scatter  # (n,)
        early, late = times <= earliest, times > horizons
        seen = ~early & ~late
        ends = [np.log(clock.critical_size(at * math.exp(step))) for step in (STEP, -STEP)]
        slope = np.abs(ends[0] - ends[1])[seen] / (2 * STEP)
        total += float(log_ndtr(excess[early]).sum() + log_ndtr(-excess[late]).sum())
        total += float((-(excess[seen] ** 2) / 2 + np.log(slope / scatter)).sum())
    return total


@dataclass(frozen=True, kw_only=True)
class SeedFit:
    """Constants, the scatter between seeds, and what the likelihood says of their errors.

    Attributes:
        constants: Of ``FITTED``.
        scatter: s.
        covariance: Of the constants, of logarithms where ``LOGARITHMIC`` says so (5, 5).
        fitted: Names of the constants.
    """

    constants: dict[str, float]
    scatter: float
    covariance: FloatArray
    fitted: tuple[str, ...] = FITTED


def seed_fit(
    rows: Sequence[Row], at_rest: Sequence[tuple[int, int, float]] = (), *, earliest: float = EARLIEST
) -> SeedFit:
    """Most likely constants, with the priors of D_rest/S and m, k1 above zero, and measured sizes at rest.

    Args:
        rows: Calibration runs.
        at_rest: Modulus, width and size of networks whose data shrank.
        earliest: Of :func:`seed_likelihood`.
    """

    def named(x: FloatArray) -> dict[str, float]:
        return {
            name: math.exp(value) if name in (*LOGARITHMIC, "load") else float(value)
            for name, value in zip(FITTED, x[:-1], strict=True)
        }

    def cost(x: FloatArray) -> float:
        constants, scatter = named(x), math.exp(float(x[-1]))
        if not (0 < constants["bend"] < MOST_BEND and SCATTERS[0] < scatter < SCATTERS[1]):
            return math.inf
        priors = [
            math.log(constants["rest"] / REST_PRIOR[0]) / REST_PRIOR[1],
            (constants["bend"] - BEND_PRIOR[0]) / BEND_PRIOR[1],
        ]
        for modulus, width, size in at_rest:
            priors.append(math.log(clock_of(constants, modulus, width).rest / size) / SCATTER_AT_REST)
        return float(np.square(priors).sum()) / 2 - seed_likelihood(constants, scatter, rows, earliest)

    begin = [math.log(START[name]) if name in (*LOGARITHMIC, "load") else START[name] for name in FITTED]
    found: Any = minimize(cost, [*begin, math.log(START_SCATTER)], method="Nelder-Mead", options=SEARCH)
    if not found.success:
        raise ArithmeticError(f"no most likely constants were found: {found.message}")
    best = np.asarray(found.x, dtype=np.float64)
    covariance: FloatArray = np.linalg.inv(curvature(cost, best))[:-1, :-1].astype(np.float64)
    # The covariance speaks of k1 itself, which is fitted by its logarithm.
    scale = np.array([math.exp(best[k]) if name == "load" else 1.0 for k, name in enumerate(FITTED)])
    return SeedFit(
        constants=named(best), scatter=math.exp(float(best[-1])), covariance=covariance * np.outer(scale, scale)
    )


def curvature(cost: Callable[[FloatArray], float], x: FloatArray, step: float = 0.02) -> FloatArray:
    """Second derivatives by central differences: (n, n)."""
    moves = np.eye(x.size) * step
    found = np.empty((x.size, x.size))
    for i, one in enumerate(moves):
        for j, other in enumerate(moves[: i + 1]):
            value = cost(x + one + other) - cost(x + one - other) - cost(x - one + other) + cost(x - one - other)
            found[i, j] = found[j, i] = value / (4 * step**2)
    return found


def law_of_seeds(
    timed: Sequence[Row],
    rested: Sequence[Row],
    problem: Problem,
    pace: Pace,
    *,
    earliest: float = EARLIEST,
    digits: int = 4,
) -> Thresholds:
    """The law with the most likely constants.

    Args:
        timed: Runs from scratch.
        rested: Runs of networks whose data shrank.
        problem: One of the family.
        pace: What the optimizer does to the rate.
        earliest: Of :func:`seed_likelihood`.
        digits: Of the covariance, as of :func:`~dcrit.empirics.measures.threshold_fit.law_of`.
    """
    found = seed_fit(timed, sizes_at_rest(rested), earliest=earliest)
    used = [*timed, *rested]
    low, high = (abs(float(ndtri(level))) * found.scatter for level in SEMI_GROKKING)
    scatter = Scatter(base=SCATTER, per_modulus=SCATTER_PER_MODULUS, largest_symbols=max(_symbols(row) for row in used))
    levels = Levels(low=rounded(low), high=rounded(high), symbols_exponent=0.0, width_exponent=0.0)
    return Thresholds(
        tasks=relabelings(problem.definition, shares_embedding=problem.family.shares_embedding),
        model=problem.model,
        activation=problem.activation,
        law=law_of(found, levels, scatter, pace, digits=digits),
        calibrated=range_of(
            timed,
            used,
            len(used),
            earliest=earliest,
            beta2=(problem.beta2, problem.beta2),
            epsilon=(problem.epsilon, problem.epsilon),
        ),
    )


def time_beyond_mirrors(run: Run) -> float | None:
    """When a run is right on half of what mirror images of trained pairs leave, for good; None if never [steps]."""
    config, curves = run.config, run.curves
    duration = PERSISTENCE * config.problem.time_constant
    return passage(curves.step, curves.test_accuracy, level_beyond_mirrors(config), duration)


def _symbols(row: Row) -> int:
    return TASKS.find(row["task"]).n_symbols(row["modulus"])
