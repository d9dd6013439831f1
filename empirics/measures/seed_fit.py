"""Most likely constants of both thresholds and the clock: seeds scatter in time, and little in ln D.

Each seed asks for a size of its own, and D_crit(T) is the size at which half of them have generalized by T. Seeds of a
transformer scatter in time by a factor of ten, some of them, those of a pair-MLP by a fifth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtri

from dcrit.empirics.measures.threshold_fit import (
    USUAL_WIDTH_SCATTER,
    Fit,
    Row,
    clock_of,
    law_of,
    range_of,
    rounded,
    sizes_at_rest,
    span,
)
from dcrit.empirics.runs.outcomes import PERSISTENCE, level_beyond_mirrors, passage
from dcrit.empirics.runs.single import Run
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.clock import Clock, Pace
from dcrit.theory.circuits.critical_size_law import FITTED, LOGARITHMIC, CriticalSizeLaw, Levels, Scatter
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

#: Fewest runs of a network from which its own scatter between seeds is read.
FEWEST_OF_WIDTH = 12

#: Bounds of the search: m, and the scatter between seeds.
MOST_BEND, SCATTERS = 15.0, (0.005, 1.0)

#: Of the search.
SEARCH: Any = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-5, "fatol": 1e-7, "adaptive": True}


@dataclass(frozen=True, kw_only=True)
class Network:
    """Runs of one network, by array.

    Attributes:
        n_symbols: S.
        width: H, or d.
        weight_decay: λ.
        learning_rate: η.
        log_sizes: ln D of each run (n,).
        times: When it generalized, inf where it did not (n,) [steps].
        horizons: T (n,) [steps].
    """

    n_symbols: int
    width: int
    weight_decay: float
    learning_rate: float
    log_sizes: FloatArray
    times: FloatArray
    horizons: FloatArray

    def log_likelihood(self, clock: Clock, scatter: float, earliest: float) -> float:
        """Of the times, if seeds ask for sizes that scatter log-normally about a clock's.

        P(generalized by t) = Φ((ln D − ln D_crit(t))/s): a run's time has that distribution. Times before the earliest
        count as that one, those that the horizon cut off as later. Sizes are chosen and times scatter, so the density
        of a time has the factor d ln D_crit/d ln t; without it a clock comes out too flat, without early and late runs
        too steep.

        Args:
            clock: Of the network.
            scatter: s.
            earliest: Least time that is told apart [steps].
        """
        at = np.clip(self.times, earliest, self.horizons)
        excess = (self.log_sizes - np.log(clock.critical_size(at))) / scatter  # (n,)
        early, late = self.times <= earliest, self.times > self.horizons
        seen = ~early & ~late
        ends = float(log_ndtr(excess[early]).sum() + log_ndtr(-excess[late]).sum())
        return ends + float((-(excess[seen] ** 2) / 2 + np.log(clock.patience(at[seen]) / scatter)).sum())


def networks_of(rows: Sequence[Row], time: str = TIME) -> list[Network]:
    """Runs by network and optimizer.

    Args:
        rows: Runs.
        time: Column of the times.
    """
    cells: dict[tuple[int, int, float, float], list[Row]] = {}
    for row in rows:
        place = (_symbols(row), row["width"], row["weight_decay"], row["learning_rate"])
        cells.setdefault(place, []).append(row)
    return [
        Network(
            n_symbols=n_symbols,
            width=width,
            weight_decay=decay,
            learning_rate=rate,
            log_sizes=np.log([row["n_train"] for row in mine]),
            times=np.array([math.inf if row[time] is None else row[time] for row in mine]),
            horizons=np.array([row["steps"] for row in mine], dtype=np.float64),
        )
        for (n_symbols, width, decay, rate), mine in cells.items()
    ]


def seed_likelihood(
    constants: Mapping[str, float],
    scatter: float,
    networks: Sequence[Network],
    earliest: float = EARLIEST,
    *,
    pace: Pace | None = None,
) -> float:
    """Log-likelihood of the times of runs, by constants.

    Args:
        constants: Of ``FITTED``.
        scatter: s.
        networks: Their runs.
        earliest: Least time that is told apart [steps].
        pace: What λ and η do to the rate; None where all runs have those of the rate.
    """
    total = 0.0
    for one in networks:
        clock = clock_of(constants, one.n_symbols, one.width)
        if pace is not None:
            clock = clock.at(pace=pace, weight_decay=one.weight_decay, learning_rate=one.learning_rate)
        total += one.log_likelihood(clock, scatter, earliest)
    return total


def seed_fit(
    rows: Sequence[Row],
    at_rest: Sequence[tuple[int, int, float]] = (),
    *,
    earliest: float = EARLIEST,
    time: str = TIME,
    rest_prior: tuple[float, float] = REST_PRIOR,
    bend_prior: tuple[float, float] = BEND_PRIOR,
    scatter_at_rest: float = SCATTER_AT_REST,
    load_prior: tuple[float, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
) -> Fit:
    """Most likely constants, with the priors of D_rest/S and m, k1 above zero, and measured sizes at rest.

    Args:
        rows: Calibration runs, also those that were early or cut off by their horizon.
        at_rest: Symbols, width and size of networks whose data shrank.
        earliest: Least time that is told apart [steps].
        time: Column of the times.
        rest_prior: D_rest/S and the standard deviation of its logarithm.
        bend_prior: m and its standard deviation.
        scatter_at_rest: Of the logarithms of sizes at rest.
        load_prior: k1 and the standard deviation of its logarithm, where few widths may not tell it; None for none.
        fixed: Constants that are not fitted.
        start: Where the search begins, where it is not ``START``.

    Raises:
        ArithmeticError: The search found no maximum.
    """
    held, networks = dict(fixed or {}), networks_of(rows, time)
    free = tuple(name for name in FITTED if name not in held)
    in_logarithm = [name in (*LOGARITHMIC, "load") for name in free]

    def named(x: FloatArray) -> dict[str, float]:
        values = [math.exp(one) if is_log else float(one) for one, is_log in zip(x[:-1], in_logarithm, strict=True)]
        return {**held, **dict(zip(free, values, strict=True))}

    def cost(x: FloatArray) -> float:
        constants, scatter = named(x), math.exp(float(x[-1]))
        if not (0 < constants["bend"] < MOST_BEND and SCATTERS[0] < scatter < SCATTERS[1]):
            return math.inf
        priors = [
            math.log(constants["rest"] / rest_prior[0]) / rest_prior[1],
            (constants["bend"] - bend_prior[0]) / bend_prior[1],
        ]
        if load_prior is not None:
            priors.append(math.log(constants["load"] / load_prior[0]) / load_prior[1])
        for n_symbols, width, size in at_rest:
            priors.append(math.log(clock_of(constants, n_symbols, width).rest / size) / scatter_at_rest)
        return float(np.square(priors).sum()) / 2 - seed_likelihood(constants, scatter, networks, earliest)

    first = {**START, **(start or {})}
    begin = [math.log(first[name]) if is_log else first[name] for name, is_log in zip(free, in_logarithm, strict=True)]
    found: Any = minimize(cost, [*begin, math.log(START_SCATTER)], method="Nelder-Mead", options=SEARCH)
    if not found.success:
        raise ArithmeticError(f"no most likely constants were found: {found.message}")
    best = np.asarray(found.x, dtype=np.float64)
    covariance: FloatArray = np.linalg.inv(curvature(cost, best))[:-1, :-1].astype(np.float64)
    # The covariance speaks of k1 itself, which is fitted by its logarithm.
    scale = np.array([math.exp(best[k]) if name == "load" else 1.0 for k, name in enumerate(free)])
    return Fit(
        constants=named(best),
        fitted=free,
        covariance=covariance * np.outer(scale, scale),
        scatter=math.exp(float(best[-1])),
        rows=tuple(rows),
        rest_loaded=True,
    )


def width_scatter(rows: Sequence[Row], law: CriticalSizeLaw, *, earliest: float = EARLIEST) -> float:
    """Root mean square over networks of ln of their own most likely s over that of a law.

    Args:
        rows: Calibration runs; networks of few are left out.
        law: Where accuracies lie.
        earliest: Least time that is told apart [steps].
    """
    errors: list[float] = []
    for one in networks_of(rows):
        if one.times.size < FEWEST_OF_WIDTH:
            continue
        clock = law.clock(one.n_symbols, one.width, weight_decay=one.weight_decay, learning_rate=one.learning_rate)
        expected = law.levels.shifts(one.n_symbols, one.width)[SEMI_GROKKING[1]] / float(ndtri(SEMI_GROKKING[1]))

        def cost(x: FloatArray, one: Network = one, clock: Clock = clock) -> float:
            if not SCATTERS[0] < math.exp(float(x[1])) < SCATTERS[1]:
                return math.inf
            factor = math.exp(float(x[0]))
            moved = replace(clock, kinetic=clock.kinetic * factor, rest=clock.rest * factor)
            return -one.log_likelihood(moved, math.exp(float(x[1])), earliest)

        found: Any = minimize(cost, [0.0, math.log(START_SCATTER)], method="Nelder-Mead", options=SEARCH)
        errors.append(float(found.x[1]) - math.log(expected))
    return rounded(math.sqrt(float(np.mean(np.square(errors)))), 3) if errors else USUAL_WIDTH_SCATTER


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
    law = law_of(found, levels, scatter, pace, digits=digits)
    levels = replace(levels, scatter=width_scatter(timed, law, earliest=earliest))
    return Thresholds(
        tasks=relabelings(problem.definition, shares_embedding=problem.family.shares_embedding),
        model=problem.model,
        activation=problem.activation,
        law=replace(law, levels=levels),
        calibrated=range_of(
            timed,
            used,
            len(used),
            earliest=earliest,
            beta2=(problem.beta2, problem.beta2),
            epsilon=(problem.epsilon, problem.epsilon),
            load_at_rest=span([rounded(_symbols(row) / row["width"], 4) for row in rested]),
        ),
    )


def time_beyond_mirrors(run: Run) -> float | None:
    """When a run is right on half of what mirror images of trained pairs leave, for good; None if never [steps]."""
    config, curves = run.config, run.curves
    duration = PERSISTENCE * config.problem.time_constant
    return passage(curves.step, curves.test_accuracy, level_beyond_mirrors(config), duration)


def _symbols(row: Row) -> int:
    return TASKS.find(row["task"]).n_symbols(row["modulus"])
