"""What part of a rule few hidden units hold: the signal of H units against the noise that they leave.

A unit that turned to a frequency adds to the logit of the right class, and terms with its own phases to all classes.
Many units cancel these terms. H of them leave noise ∝ √H beside a signal ∝ H, and the largest of S − 1 wrong classes
wins where the noise is large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import ndtr

from dcrit.theory.checks import check_integer, check_not_negative, check_positive

#: κ of squared units with frequencies and phases drawn at random: signal H/2, and noise √(9H/8) of a wrong class.
RANDOM_PHASES = math.sqrt(2) / 3

#: s of such units, by simulation, and of trained ones, which was chosen on pilot runs that no constant is from.
RANDOM_SPREAD, SPREAD = 0.61, 1.0

#: Nodes and weights of means over one standard normal variable.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


@cache
def held_part(n_symbols: int, width: int, signal: float, *, spread: float = SPREAD) -> float:
    """Largest test accuracy of a network with so many hidden units.

    a = E[Φ(κ·√H + s·g)^(S − 1)],   g standard normal

    The noise of the right class is common to all comparisons, and that of each wrong class its own. Noise that raises
    both cancels in part, so s is below 1 where phases are random.

    Args:
        n_symbols: S.
        width: H.
        signal: κ, signal over noise of one unit.
        spread: s, noise of the right class over that of a wrong one.

    Returns:
        a, between 0 and 1.

    Raises:
        ValueError: A number is out of range.

    Source: gromov2023 (units with phases at random).
    """
    check_integer("n_symbols", n_symbols, 2)
    check_integer("width", width, 1)
    check_positive("signal", signal)
    check_not_negative("spread", spread)
    right = ndtr(signal * math.sqrt(width) + spread * _NODES) ** (n_symbols - 1)  # (61,)
    return min(1.0, float(_WEIGHTS @ right) / float(_WEIGHTS.sum()))


@dataclass(frozen=True, kw_only=True)
class UnitNoise:
    """Measured constants of narrow pair-MLPs.

    Attributes:
        signal: κ of :func:`held_part`.
        scatter: Standard deviation of ln κ between networks.
        lag: How much more such networks need, in ln D per part of the rule that they do not hold: an error, as it
            differs in sign between activations.
        load: Largest S/H of the runs behind it.
        width: Smallest H of them.

    Raises:
        ValueError: A constant is out of range.

    Source: own runs, by ``dcrit reproduce narrow``.
    """

    signal: float
    scatter: float
    lag: float
    load: float
    width: int

    def __post_init__(self) -> None:
        check_positive("signal", self.signal)
        check_not_negative("scatter", self.scatter)
        check_not_negative("lag", self.lag)
        check_positive("load", self.load)
        check_integer("width", self.width, 1)

    def ceiling(self, n_symbols: int, width: int) -> float:
        """a, the largest test accuracy of a network of that width.

        Args:
            n_symbols: S.
            width: H.
        """
        return held_part(n_symbols, width, self.signal)

    def moved(self, deviation: float) -> UnitNoise:
        """The same with κ so many standard deviations higher."""
        return replace(self, signal=self.signal * math.exp(deviation * self.scatter))
