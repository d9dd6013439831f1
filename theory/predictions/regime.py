"""Which of the four dynamics one training set shows, with probabilities, or that nothing that generalizes fits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.checks import FieldError, check_integer, check_level
from dcrit.theory.circuits.constants import sizes_from
from dcrit.theory.circuits.regimes import DYNAMICS, SEMI_GROKKING, Dynamics, dynamics_codes
from dcrit.theory.estimates import LEVEL
from dcrit.theory.predictions.critical_size import (
    N_DRAWS,
    CriticalSizePrediction,
    horizon_of,
    is_outside,
    least_size,
    predict_critical_size,
    sensible_draws,
)
from dcrit.theory.predictions.edges import Transition
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

Regime = Dynamics | Literal["does not fit", "cannot tell"]

#: The four dynamics by their codes, then the codes for widths at which the generalizing circuit does not fit, and for
#: questions so far outside the calibration that the law says nothing.
REGIMES: tuple[Regime, ...] = (*DYNAMICS, "does not fit", "cannot tell")
UNFIT = len(DYNAMICS)

#: Least standard error of ln D_mem: the curve of a capacity without one is a step.
SMALLEST_ERROR = 1e-9

#: Probability from which on a regime stands out.
STANDS_OUT = 0.5


@dataclass(frozen=True, kw_only=True)
class FitRange:
    """The generalizing circuit begins to fit somewhere between two measured widths.

    Attributes:
        unfit: Largest measured width at which it did not.
        fitted: Smallest measured width at which it did.

    Raises:
        ValueError: The widths are not in this order.
    """

    unfit: int
    fitted: int

    def __post_init__(self) -> None:
        check_integer("unfit", self.unfit, 1)
        check_integer("fitted", self.fitted, self.unfit + 1)

    def probability_unfit(self, width: ArrayLike) -> FloatArray:
        """Probability that the generalizing circuit does not fit, if its smallest width is uniform in ln H.

        P(H) = ln(fitted/H)/ln(fitted/unfit), at most 1 and at least 0

        Args:
            width: H, any shape.

        Returns:
            P, same shape.
        """
        share = np.log(self.fitted / np.asarray(width, dtype=np.float64)) / math.log(self.fitted / self.unfit)
        return np.clip(share, 0.0, 1.0)


def fit_range(problem: Problem, calibration: Calibration) -> FitRange | None:
    """Between which widths the generalizing circuit begins to fit, by what the calibration omitted.

    Compared are the cells at the measured number of symbols nearest to the problem's in ln S. A cell
    speaks against the circuit if too few runs of the real task fitted their training set, or if the
    task was learned hardly better than random labels at every size; other omissions say nothing.

    Returns:
        The range; None where every width fitted that was measured, so that no smallest one is known.

    Source: own runs, by ``dcrit calibrate``.
    """
    refused = [
        (one.n_symbols, one.width) for one in calibration.omitted if one.cause.is_unfit and one.width is not None
    ]
    measured = sorted({cell.n_symbols for cell in calibration.cells})
    nearest = min(measured, key=lambda n_symbols: abs(math.log(n_symbols / problem.n_symbols)))
    fitted = min(cell.width for cell in calibration.cells if cell.n_symbols == nearest)
    below = [width for n_symbols, width in refused if n_symbols == nearest and width < fitted]
    return FitRange(unfit=max(below), fitted=fitted) if below else None


def probability_unfit(problem: Problem, calibration: Calibration, widths: ArrayLike) -> FloatArray:
    """Probability that the generalizing circuit does not fit, 0 where the calibration knows of no such width."""
    found = fit_range(problem, calibration)
    return np.zeros(np.shape(widths)) if found is None else found.probability_unfit(widths)


@dataclass(frozen=True, kw_only=True)
class RegimePrediction:
    """The dynamics at one training-set size.

    Attributes:
        problem: The question.
        n_train: D [examples].
        probabilities: Of ``REGIMES``, in that order; they sum to 1.
        sizes: Sizes and capacity with their intervals.
        fit: Where the generalizing circuit begins to fit, if the calibration met such widths.
        extrapolated: The question lies outside the calibrated domain.

    Raises:
        ValueError: The probabilities are none, or ``n_train`` is out of range.
    """

    problem: Problem
    n_train: int
    probabilities: tuple[float, ...]
    sizes: CriticalSizePrediction
    fit: FitRange | None
    extrapolated: bool

    def __post_init__(self) -> None:
        self.problem.check_n_train(self.n_train)
        right = len(self.probabilities) == len(REGIMES) and min(self.probabilities) >= 0
        if not right or abs(sum(self.probabilities) - 1) > 1e-9:
            raise FieldError("probabilities", f"be {len(REGIMES)} that sum to 1", repr(self.probabilities))

    @property
    def most_likely(self) -> Regime:
        """The regime with the largest probability; "cannot tell" where none is as likely as all others together."""
        best = int(np.argmax(self.probabilities))
        return REGIMES[best] if self.probabilities[best] >= STANDS_OUT else "cannot tell"


def shares_by_law(problem: Problem, calibration: Calibration, n_train: ArrayLike, horizon: int) -> FloatArray:
    """Probabilities of the four dynamics by the law of sizes from scratch and the capacity: (..., 4).

    P(progression) = P(D_mem < D), and P(D < onset), P(onset ≤ D < completion), P(completion ≤ D) of what is left, where
    ln D_mem is normal about its best value, and both sizes are as :mod:`dcrit.theory.predictions.edges` has them.

    Args:
        problem: The question.
        calibration: Constants, with a law.
        n_train: D, any shape [examples].
        horizon: T [steps].

    Raises:
        ValueError: The calibration has no law.
    """
    law = calibration.thresholds
    if law is None:
        raise FieldError("calibration", "have a law of sizes from scratch", calibration.name)
    log_size = np.log(np.asarray(n_train, dtype=np.float64))
    best, above = (math.log(float(calibration.memorized(problem, deviation=z))) for z in (0.0, 1.0))
    over: FloatArray = ndtr((log_size - best) / max(above - best, SMALLEST_ERROR))
    transition = Transition(law=law, problem=problem, horizon=horizon)
    begun, ended = (transition.chance(accuracy, n_train) for accuracy in SEMI_GROKKING)
    return np.stack([over, (1 - over) * (1 - begun), (1 - over) * (begun - ended), (1 - over) * ended], axis=-1)


def predict_regime(
    problem: Problem,
    calibration: Calibration,
    *,
    n_train: int,
    horizon: int | None = None,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> RegimePrediction:
    """Predict the dynamics of a problem at one training-set size, without training anything.

    P(regime) = (1 − P(does not fit))·(probability that the two curves put D there)

    By the law of sizes from scratch that is :func:`shares_by_law`, without a law the share of draws of constants.

    Args:
        problem: The question.
        calibration: Constants; must cover the problem.
        n_train: D [examples].
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals of the sizes.
        n_draws: Draws of the constants.
        seed: Of the draws.

    Raises:
        ValueError: A number is out of range, or the calibration does not reach the problem.

    Source: huang2024.
    """
    problem.check_n_train(n_train)
    check_level(level)
    check_integer("n_draws", n_draws, 1)
    steps = horizon_of(problem, calibration, horizon)
    sizes = predict_critical_size(problem, calibration, horizon=steps, level=level, n_draws=n_draws, seed=seed)
    if calibration.thresholds is not None:
        shares = shares_by_law(problem, calibration, n_train, steps)
    else:
        shares = _drawn_shares(problem, calibration, n_train, n_draws, seed)
    unfit = float(probability_unfit(problem, calibration, problem.width))
    told = 0.0 if calibration.silence(problem, steps) else 1.0
    chances = told * np.array([*shares * (1 - unfit), unfit])
    return RegimePrediction(
        problem=problem,
        n_train=n_train,
        probabilities=(*map(float, chances), 1 - told),
        sizes=sizes,
        fit=fit_range(problem, calibration),
        extrapolated=is_outside(problem, calibration, steps),
    )


def _drawn_shares(problem: Problem, calibration: Calibration, n_train: int, n_draws: int, seed: int) -> FloatArray:
    """Shares (4,) of draws of the mixture's constants whose two curves put D into each of the four dynamics."""
    rng = np.random.default_rng(seed)
    draws = sensible_draws(problem, calibration, n_draws, rng)
    memorized = calibration.memorized(problem, deviation=rng.standard_normal(len(draws)))
    onset, completion = (
        np.maximum(
            sizes_from(draws, problem.n_pairs, accuracy),
            least_size(problem, calibration, len(draws), accuracy, seed)[1],
        )
        for accuracy in SEMI_GROKKING
    )
    codes = dynamics_codes(n_train, memorized, onset, completion)
    return np.bincount(codes, minlength=len(DYNAMICS)) / len(codes)
