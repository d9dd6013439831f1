"""The norms in which an efficiency can be stated, and the same runs in each of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from dcrit.empirics.outcomes import SETTLED_FRACTION, Outcome, outcome_of
from dcrit.empirics.runs import Run
from dcrit.theory.estimates import LEVEL, Interval, Measurement
from dcrit.theory.laws import bits_per_parameter
from dcrit.theory.problem import Problem

Norm = Literal["l2", "l2,kappa", "linf"]

#: ℓ2 of all parameters; ℓ2,κ, the natural one of homogeneous hidden units; ℓ∞, the one that AdamW bounds.
NORMS: tuple[Norm, ...] = ("l2", "l2,kappa", "linf")


def recorded_norms(problem: Problem) -> tuple[Norm, ...]:
    """The norms that curves hold of a problem's runs: ℓ2,κ is ℓ2 at κ = 2, recorded at κ = 3 and else not known."""
    return NORMS if problem.homogeneity in (2, 3) else ("l2", "linf")


def settled_norm(run: Run, norm: Norm) -> float:
    """A norm of the parameters, median over the last tenth of the run; NaN for a diverged run.

    ‖θ‖_2 = √Q,  ‖θ‖_{2,κ} = (Σ_i ‖θ_i‖^κ)^(1/κ) over hidden units i,  ‖θ‖_∞ = max |θ_ij|

    Args:
        run: A finished run.
        norm: One of :func:`recorded_norms`.

    Source: morwani2023 (ℓ2,κ).
    """
    if run.ending == "diverged":
        return math.nan
    curves = run.curves
    last = curves.step >= (1 - SETTLED_FRACTION) * curves.step[-1]
    if norm == "linf":
        return float(np.median(curves.max_norm[last]))
    if norm == "l2,kappa" and run.config.problem.homogeneity == 3:
        return float(np.median(curves.neuron_norm[last]))
    return math.sqrt(float(np.median(curves.squared_norm[last])))


def outcome_in_norm(run: Run, norm: Norm) -> Outcome:
    """Settled values of a run, its efficiency stated in a norm: e = γ/‖θ‖^κ.

    Whether it converged is told as :func:`outcome_of` tells it, so that laws in all norms rest on the same runs.

    Args:
        run: A finished run.
        norm: One of :func:`recorded_norms`.
    """
    outcome = outcome_of(run)
    return replace(outcome, efficiency=outcome.margin / settled_norm(run, norm) ** run.config.problem.homogeneity)


def in_bits(capacity: Measurement, problem: Problem, *, level: float = LEVEL) -> Measurement:
    """A capacity in bits per parameter, c = D_mem·log2(C)/N, with its interval.

    Args:
        capacity: In examples.
        problem: What it was measured on.
        level: Probability content of its interval.
    """

    def bits(examples: float) -> float:
        return float(bits_per_parameter(examples, problem.n_params, problem.n_classes))

    ends = capacity.interval
    return replace(
        capacity,
        quantity="bits_per_parameter",
        unit="bits/parameter",
        estimate=None if capacity.estimate is None else bits(capacity.estimate),
        interval=None if ends is None else Interval(low=bits(ends.low), high=bits(ends.high), level=level),
    )
