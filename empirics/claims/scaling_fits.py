"""Power laws through the critical sizes of a series, measured and predicted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.scaling import FEWEST_SIZES, ScalingPosterior
from dcrit.theory.estimates import Interval, interval_of
from dcrit.theory.problem import Problem

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
    found = [one for one in series if one.measured.estimate is not None]
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
