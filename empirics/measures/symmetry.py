"""At which size a network memorizes a commutative table as unordered pairs, from runs on random symmetric labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_expit
from threadpoolctl import threadpool_limits

from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.checks import check_integer
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.circuits.symmetry import N_COEFFICIENTS, SymmetryLaw, features, mirrored_fraction
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Commutative labels without a rule, every label once in each row and column as in addition's table.
CONTROL = "random-symmetric-latin"

#: Sizes of the runs, as fractions of all pairs: around where mirror images of trained pairs begin to come out right.
FRACTIONS = (0.36, 0.44, 0.52, 0.6, 0.68)

#: Steps of a run, in time constants 1/(ηλ): which memory is made is decided in the first few, as nothing is to be found
#: later.
LENGTH = 6

#: Seeds a size: whether a network sees pairs as unordered scatters widely between them.
SEEDS = 3

#: Fits to resampled cells, for the covariance.
RESAMPLES = 100


@dataclass(frozen=True, kw_only=True)
class SymmetryDesign:
    """The runs that find the size for one problem's network.

    Attributes:
        problem: Its task is replaced by random symmetric labels.
        seeds: Runs per size.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    seeds: int = SEEDS

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 1)

    def configs(self) -> list[RunConfig]:
        """Runs on random symmetric labels."""
        problem = replace(self.problem, task=CONTROL)
        return [
            RunConfig(
                problem=problem,
                n_train=round(fraction * problem.n_pairs),
                seed=seed,
                steps=math.ceil(LENGTH * problem.time_constant),
            )
            for fraction in FRACTIONS
            for seed in range(self.seeds)
        ]


def mirrored_accuracy(outcome: Outcome) -> float:
    """Part of the mirror images of trained pairs that comes out right; other unseen pairs hardly ever do.

    Every label occurs once in a row, so that a memorizing network is right on them less often than by chance.
    """
    problem = outcome.config.problem
    return min(1.0, outcome.test_accuracy / float(mirrored_fraction(outcome.config.n_train, problem.n_symbols)))


@threadpool_limits.wrap(limits=1, user_api="blas")
def fit_symmetry(outcomes: Sequence[Outcome], *, seed: int = 0) -> SymmetryLaw | str:
    """The law through all cells: logistic in ln D, its midpoint a power of S and a parabola in ln H.

    Maximizes Σ_r [s_r ln f(D_r) + (1 − s_r) ln(1 − f(D_r))]; the covariance is that over resampled cells, in which
    scatter between cells is contained.

    Args:
        outcomes: Runs on random symmetric labels; those that did not fit their training set are left out.
        seed: Of the resampling.

    Returns:
        The law, or why there is none.
    """
    usable = [o for o in outcomes if o.train_accuracy >= FITTED and np.isfinite(o.test_accuracy)]
    cells: dict[tuple[int, int], list[Outcome]] = {}
    for outcome in usable:
        problem = outcome.config.problem
        cells.setdefault((problem.n_symbols, problem.width), []).append(outcome)
    symbols, widths = ({cell[axis] for cell in cells} for axis in (0, 1))
    if len(symbols) < 2 or len(widths) < 3 or len(cells) <= N_COEFFICIENTS:
        return (
            f"symmetric labels were memorized at {len(cells)} of the cells only, {N_COEFFICIENTS + 1} over two moduli "
            "and three widths needed"
        )
    groups = [_points(runs) for runs in cells.values()]
    right = np.concatenate(groups)[:, -1]
    if not right.min() < 0.5 < right.max():
        return (
            "no size was found from which symmetric labels are memorized as unordered pairs: in all runs "
            f"{right.min():.2f} to {right.max():.2f} of the mirror images of trained pairs come out right"
        )
    best = _fit(np.concatenate(groups))
    rng = np.random.default_rng(seed)
    draws = np.array(
        [
            _fit(np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))]), start=best)
            for _ in range(RESAMPLES)
        ]
    )
    covariance = np.cov(draws[:, :N_COEFFICIENTS].T)
    shifts = np.array([_shift(points, best) for points in groups])
    return SymmetryLaw(
        coefficients=tuple(best[:N_COEFFICIENTS].tolist()),
        width=math.exp(best[N_COEFFICIENTS]),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        scatter=float(np.sqrt(np.mean(shifts**2) * len(groups) / (len(groups) - N_COEFFICIENTS))),
    )


def _points(runs: Sequence[Outcome]) -> FloatArray:
    """ln(D/S²), the regressors and s of each run: (n, 6)."""
    rows = []
    for outcome in runs:
        problem = outcome.config.problem
        size = math.log(outcome.config.n_train / problem.n_symbols**2)
        rows.append([size, *features(problem.n_symbols, problem.width), mirrored_accuracy(outcome)])
    return np.array(rows)


def _misfit(theta: FloatArray, points: FloatArray) -> float:
    """Minus the quasi-likelihood of the coefficients and ln w."""
    *coefficients, log_width = theta
    z = (points[:, 0] - points[:, 1:-1] @ np.array(coefficients)) * math.exp(-log_width)
    # A prior no stronger than half a run keeps w from vanishing where no run is partial.
    return float(
        -(points[:, -1] * log_expit(z) + (1 - points[:, -1]) * log_expit(-z)).sum() + (log_width + 2.0) ** 2 / 8
    )


def _fit(points: FloatArray, start: FloatArray | None = None) -> FloatArray:
    """The coefficients and ln w."""
    first = np.array([-0.7, 0.0, 0.0, 0.0, -2.0]) if start is None else start
    return minimize(_misfit, first, args=(points,), method="BFGS").x


def _shift(points: FloatArray, best: FloatArray) -> float:
    """How far one cell's midpoint lies from the law, in ln D."""

    def moved(shift: FloatArray) -> float:
        return _misfit(best + np.eye(len(best))[0] * float(shift[0]), points) + float(shift[0]) ** 2 / 0.5

    return float(minimize(moved, np.zeros(1), method="BFGS").x[0])
