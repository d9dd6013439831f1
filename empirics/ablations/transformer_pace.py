"""What step size and weight decay do to the clock of transformers, from runs at two small moduli that end early.

Runs of one network, size and seed have the same data and initial parameters at every η and λ: twins, of which only the
ratio of times counts. ln t = u − a·ln λ − b·ln(η/η_0) + ε, with u of the twins and ε normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr

from dcrit.empirics.ablations.committed import Row, read, text_of
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.seed_fit import EARLIEST, time_beyond_mirrors
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: File of times.
FILE = "transformer-pace.json"

#: Modulus, width and sizes: about 1.25 and 1.5 times what the law asks for in a long time.
NETWORKS = ((29, 24, (460, 550)), (37, 32, (660, 790)))

#: η and λ, every pair of both; the reference is the protocol's.
RATES, DECAYS = (1e-3, 3e-3, 6e-3), (0.5, 1.0, 2.0)
REFERENCE = 3e-3

#: Seeds at each size, and the horizon in time constants 1/(ηλ).
SEEDS, CONSTANTS = 4, 15

#: Standard errors of a and b come from this many draws of the twins with replacement.
RESAMPLES = 100


def configs() -> list[list[RunConfig]]:
    """All runs, one list a network, size, η and λ."""
    found: list[list[RunConfig]] = []
    for modulus, width, sizes in NETWORKS:
        family = Problem(task="add", modulus=modulus, model="transformer", activation="relu", width=width)
        for rate in RATES:
            for decay in DECAYS:
                problem = replace(family, learning_rate=rate, weight_decay=decay)
                steps = round(CONSTANTS * problem.time_constant)
                found += [
                    [
                        RunConfig(problem=problem, n_train=size, seed=seed, steps=steps, until="beyond-mirrors")
                        for seed in range(SEEDS)
                    ]
                    for size in sizes
                ]
    return found


def measure(results: Path, laboratory: Laboratory) -> None:
    """Run all that have no times yet, and keep their times, cell by cell.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    path = results / FOLDER / FILE
    found = rows(results) if path.exists() else []
    known = {_place(row) for row in found}
    for cell in configs():
        problem = cell[0].problem
        if (problem.modulus, cell[0].n_train, problem.learning_rate, problem.weight_decay) in known:
            continue
        stage = f"pace: mod {problem.modulus}, η = {problem.learning_rate:g}, λ = {problem.weight_decay:g}"
        times = [time_beyond_mirrors(run) for run in laboratory.runs(cell, stage=stage)]
        found.append(
            {
                **{name: getattr(problem, name) for name in ("modulus", "width", "learning_rate", "weight_decay")},
                "n_train": cell[0].n_train,
                "steps": cell[0].horizon,
                "times": [None if time is None else round(time, 1) for time in times],
            }
        )
        path.write_text(text_of({"fit": None, "rows": sorted(found, key=_place)}), encoding="utf-8")


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("modulus", "n_train", "learning_rate", "weight_decay"))


def pace(results: Path) -> dict[Path, str]:
    """Exponents from the times that are kept, written beside them.

    Args:
        results: Folder of committed results.
    """
    found = rows(results)
    fit = pace_fit(found)
    summary = {
        "decay_exponent": [round(value, 2) for value in fit.decay],
        "rate_exponent": [round(value, 2) for value in fit.rate],
        "noise": round(fit.noise, 2),
        "n_runs": fit.n_runs,
        "n_censored": sum(time is None for row in found for time in row["times"]),
    }
    return {results / FOLDER / FILE: text_of({"fit": summary, "rows": found})}


def rows(results: Path) -> list[Row]:
    """Times, one row a network, size, η and λ.

    Args:
        results: Folder of committed results.
    """
    return read(results / FOLDER / FILE)["rows"]


@dataclass(frozen=True, kw_only=True)
class PaceFit:
    """Exponents of the clock's rate, with standard errors.

    Attributes:
        decay: a and its error.
        rate: b and its error.
        noise: Standard deviation of ε.
        n_runs: How many times they rest on, those of runs that the horizon cut off included.
    """

    decay: tuple[float, float]
    rate: tuple[float, float]
    noise: float
    n_runs: int


@dataclass(frozen=True, kw_only=True)
class Times:
    """Times of all runs, the twins that each belongs to, and what is told of them.

    Attributes:
        twins: Number of the twins, (n,).
        log_time: ln t, inf where the horizon came first (n,).
        log_least: ln of the least time that is told apart (n,).
        log_most: ln of the horizon (n,).
        moves: ln λ and ln(η/η_0), (n, 2).
    """

    twins: NDArray[np.int64]
    log_time: FloatArray
    log_least: FloatArray
    log_most: FloatArray
    moves: FloatArray

    def drawn(self, rng: np.random.Generator) -> Times:
        """As many twins, drawn with replacement."""
        count = int(self.twins.max()) + 1
        places = [np.flatnonzero(self.twins == one) for one in rng.integers(count, size=count)]
        some = np.concatenate(places)
        return Times(
            twins=np.repeat(np.arange(count), [one.size for one in places]),
            log_time=self.log_time[some],
            log_least=self.log_least[some],
            log_most=self.log_most[some],
            moves=self.moves[some],
        )


def times_of(found: Sequence[Row]) -> Times:
    """Runs by what they share.

    Times before a network has memorized are told from none: that takes ``EARLIEST`` steps at the protocol's η, and as
    many more as η is smaller.

    Args:
        found: Rows of :func:`rows`.
    """
    numbers: dict[tuple[int, int, int, int], int] = {}
    table: list[tuple[float, ...]] = []
    for row in found:
        away = math.log(row["learning_rate"] / REFERENCE)
        least, most = math.log(EARLIEST) - away, math.log(row["steps"])
        for seed, time in enumerate(row["times"]):
            place = row["modulus"], row["width"], row["n_train"], seed
            number = numbers.setdefault(place, len(numbers))
            log_time = math.inf if time is None else math.log(time)
            table.append((number, log_time, least, most, math.log(row["weight_decay"]), away))
    columns = np.array(table).T
    return Times(
        twins=columns[0].astype(np.int64),
        log_time=columns[1],
        log_least=columns[2],
        log_most=columns[3],
        moves=columns[4:].T,
    )


def cost_and_slope(x: FloatArray, times: Times) -> tuple[float, FloatArray]:
    """Minus the log-likelihood and its gradient.

    Args:
        x: a, b, ln σ, and u of each twins (3 + n,).
        times: Of all runs.
    """
    noise = math.exp(x[2])
    mean = x[3:][times.twins] - times.moves @ x[:2]
    late, early = times.log_time > times.log_most, times.log_time <= times.log_least
    seen = ~late & ~early
    z = np.where(late, mean - times.log_most, times.log_least - mean) / noise
    off = np.where(seen, times.log_time - mean, 0.0) / noise
    value = -float(log_ndtr(z[~seen]).sum()) + float((off**2).sum()) / 2 + x[2] * int(seen.sum())
    # Slope in the mean, and in ln σ, of each run.
    steep = np.where(seen, 0.0, np.exp(-(z**2) / 2 - math.log(2 * math.pi) / 2 - log_ndtr(z)))
    in_mean = np.where(seen, -off, np.where(late, -steep, steep)) / noise
    in_noise = np.where(seen, 1 - off**2, steep * z)
    slope = np.zeros_like(x)
    slope[:2] = -times.moves.T @ in_mean
    slope[2] = in_noise.sum()
    np.add.at(slope, 3 + times.twins, in_mean)
    return value, slope


def _best(times: Times, begin: FloatArray) -> FloatArray:
    """Most likely a, b, ln σ and u of each twins, (3 + n,)."""
    bounds = [(-1.0, 4.0), (-1.0, 4.0), (-4.0, 2.0)] + [(0.0, 15.0)] * (begin.size - 3)
    found: Any = minimize(cost_and_slope, begin, args=(times,), jac=True, method="L-BFGS-B", bounds=bounds)
    if not found.success:
        raise ArithmeticError(f"no most likely exponents were found: {found.message}")
    return np.asarray(found.x, dtype=np.float64)


def pace_fit(found: Sequence[Row]) -> PaceFit:
    """Exponents from twins; errors from twins drawn with replacement.

    Args:
        found: Rows of :func:`rows`.
    """
    times = times_of(found)
    count = int(times.twins.max()) + 1
    begin = np.concatenate([[1.0, 1.0, -0.5], np.full(count, float(times.log_least.mean()) + 1)])
    best = _best(times, begin)
    rng = np.random.default_rng(0)
    drawn = [_best(times.drawn(rng), begin)[:2] for _ in range(RESAMPLES)]
    errors = np.std(drawn, axis=0)
    return PaceFit(
        decay=(float(best[0]), float(errors[0])),
        rate=(float(best[1]), float(errors[1])),
        noise=math.exp(best[2]),
        n_runs=times.twins.size,
    )
