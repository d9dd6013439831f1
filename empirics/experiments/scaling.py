"""How measured critical sizes scale over a series of problems: power laws, and published laws of the modulus."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.measures.statistics import FEWEST_SIZES, ScalingPosterior
from dcrit.theory.estimates import Interval, interval_of
from dcrit.theory.problems.problem import Problem

#: ln of each published law at p: with the kernel regime's p², Mohamadi et al.'s p^(5/3), and Tian's p·ln p.
LAWS: Mapping[str, Callable[[float], float]] = {
    "p ln p": lambda p: math.log(p * math.log(p)),
    "p^(5/3)": lambda p: 5 / 3 * math.log(p),
    "p^2": lambda p: 2 * math.log(p),
}

#: Sizes above this fraction of all pairs are left out: p² bounds them, whatever law they follow.
LARGEST_FRACTION = 0.9

#: Draws of exponents and of measured sizes.
DRAWS = 4000


@dataclass(frozen=True, kw_only=True)
class SeriesFit:
    """How the critical sizes of one series scale.

    Attributes:
        transitions: Those with a measured critical size.
        posterior: Of the power law through them; None where they are fewer than three.
        predicted: Exponent of the sizes predicted for the same problems; None where one of them has no prediction.
    """

    transitions: Sequence[Transition]
    posterior: ScalingPosterior | None
    predicted: float | None

    @property
    def interval(self) -> Interval | None:
        """Of the measured exponent."""
        return None if self.posterior is None else interval_of(self.posterior.slope_draws(DRAWS))


def fit_series(series: Sequence[Transition], x_of: Callable[[Problem], float]) -> SeriesFit:
    """Power law of measured critical sizes in a property of their problems.

    Args:
        series: Transitions of problems that differ in that property.
        x_of: The property, above 0.
    """
    found = [one for one in series if one.measured.value is not None]
    if len(found) < FEWEST_SIZES:
        return SeriesFit(transitions=found, posterior=None, predicted=None)
    log_x = np.log([x_of(one.problem) for one in found])
    draws = np.array([one.log_size_draws(DRAWS) for one in found])  # (n, DRAWS)
    predicted = [None if one.predicted is None else one.predicted.value for one in found]
    known = [math.log(value) for value in predicted if value is not None]
    return SeriesFit(
        transitions=found,
        posterior=ScalingPosterior(log_x=log_x, log_size=draws.mean(axis=1), errors=draws.std(axis=1)),
        predicted=float(np.polyfit(log_x, known, 1)[0]) if len(known) == len(found) else None,
    )


def moduli_of(fit: SeriesFit) -> list[int]:
    """Moduli with a measured transition."""
    return [one.problem.modulus for one in fit.transitions]


def fit_moduli(series: Sequence[Transition]) -> SeriesFit:
    """Power law over the moduli whose critical size leaves some pairs over."""

    def is_bounded(one: Transition) -> bool:
        estimate = one.measured.value
        return estimate is not None and estimate > LARGEST_FRACTION * one.problem.n_pairs

    return fit_series([one for one in series if not is_bounded(one)], lambda problem: problem.modulus)


def weights_of(fit: SeriesFit) -> dict[str, float]:
    """Posterior probability of each law, equally likely a priori; none where there are too few sizes."""
    if fit.posterior is None:
        return {}
    evidences = [fit.posterior.log_evidence([law(p) for p in moduli_of(fit)]) for law in LAWS.values()]
    return dict(zip(LAWS, softmax(evidences).tolist(), strict=True))
