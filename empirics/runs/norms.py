"""Norms of the parameters that an efficiency may be stated in: one entry each, from the curves that runs record."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dcrit.empirics.runs.outcomes import SETTLED_FRACTION, Outcome, outcome_of
from dcrit.empirics.runs.single import CURVE_NAMES, Curves, Run
from dcrit.theory.problems.problem import Problem
from dcrit.theory.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Norm:
    """A norm of all parameters.

    Attributes:
        name: The word for it.
        of: Curves that hold one value each, the settled one, and κ to the norm.
        degree: Parameters that are scaled by s scale the norm by s^degree.
        is_recorded: κ to whether curves hold what it takes.
    """

    name: str
    of: Callable[[Curves, float], float]
    degree: float = 1.0
    is_recorded: Callable[[float], bool] = lambda _: True


def _natural(curves: Curves, homogeneity: float) -> float:
    """‖θ‖_{2,κ} = (Σ_i ‖θ_i‖^κ)^(1/κ) over hidden units i; ℓ2 at κ = 2.

    Source: morwani2023.
    """
    return float(curves.neuron_norm) if homogeneity == 3 else math.sqrt(float(curves.squared_norm))


#: Every norm by its name: ℓ2 of all parameters; ℓ2,κ, the natural one of homogeneous hidden units, which is recorded at
#: κ = 3 and is ℓ2 at κ = 2; ℓ∞, the largest |θ_ij|, the one that AdamW bounds.
NORMS: Registry[Norm] = Registry(
    "norm",
    Norm,
    group="dcrit.norms",
    name=lambda norm: norm.name,
    own=lambda: (
        Norm(name="l2", of=lambda curves, _: math.sqrt(float(curves.squared_norm))),
        Norm(name="l2,kappa", of=_natural, is_recorded=lambda homogeneity: homogeneity in (2, 3)),
        Norm(name="linf", of=lambda curves, _: float(curves.max_norm)),
    ),
)


def recorded_norms(problem: Problem) -> list[Norm]:
    """The norms that curves of a problem's runs hold."""
    return [norm for norm in NORMS.values() if norm.is_recorded(problem.homogeneity)]


def settled_norm(run: Run, norm: Norm) -> float:
    """A norm of the parameters, from medians over the last tenth of the run; NaN for a diverged run.

    Args:
        run: A finished run.
        norm: One of :func:`recorded_norms`.
    """
    if run.ending == "diverged":
        return math.nan
    last = run.curves.step >= (1 - SETTLED_FRACTION) * run.curves.step[-1]
    settled = Curves(**{name: np.median(getattr(run.curves, name)[last]) for name in CURVE_NAMES})
    return float(norm.of(settled, run.config.problem.homogeneity))


def outcome_in_norm(run: Run, norm: Norm) -> Outcome:
    """Settled values of a run, its efficiency stated in a norm: e = γ/‖θ‖^(κ/degree).

    Whether it converged is told as :func:`outcome_of` tells it, so that laws in all norms rest on the same runs.

    Args:
        run: A finished run.
        norm: One of :func:`recorded_norms`.
    """
    outcome = outcome_of(run)
    power = run.config.problem.homogeneity / norm.degree
    return replace(outcome, efficiency=outcome.margin / settled_norm(run, norm) ** power)
