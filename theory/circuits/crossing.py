"""D_cross, the training-set size at which the two circuits are equally efficient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq

from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw

#: Relative accuracy of the bracketed root finder in D.
TOLERANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """The efficiencies cross.

    Attributes:
        n_train: D_cross [examples], not rounded.
        efficiency: What both circuits reach there [nats per norm^κ].
    """

    n_train: float
    efficiency: float


@dataclass(frozen=True, kw_only=True)
class NoCrossing:
    """The efficiencies do not cross between one example and all that exist.

    Attributes:
        winner: The circuit that is the more efficient one at every size.
        reason: One sentence for people.
    """

    winner: Literal["memorizing", "generalizing"]
    reason: str


def find_root(function: Callable[[float], float], low: float, high: float) -> float:
    """Root of a continuous function with a change of sign between ``low`` and ``high``, by Brent's method."""
    return float(brentq(function, low, high, xtol=TOLERANCE, rtol=TOLERANCE))


def crossing_of(memorizing: MemorizingLaw, generalizing: GeneralizingLaw) -> Crossing | NoCrossing:
    """Training-set size at which the memorizing circuit's efficiency falls to the generalizing one's.

    e_mem(D_cross) = e_gen(D_cross), bracketed in ln D between 1 and the number of pairs

    The weight decay λ enters neither side, so D_cross does not contain it.

    Args:
        memorizing: e_mem(D).
        generalizing: e_gen(D).

    Returns:
        The crossing, or which circuit wins everywhere and why there is none.

    Raises:
        ValueError: e_gen falls with D at least as fast as e_mem, so a crossing would not be a
            transition from memorizing to generalizing.

    Source: varma2023.
    """
    if memorizing.exponent <= generalizing.drift:
        raise FieldError(
            "exponent",
            f"be above the generalizing drift {generalizing.drift:.3g}",
            f"{memorizing.exponent:.3g}",
            why="the memorizing efficiency has to fall the faster of the two",
        )

    def advantage(log_n_train: float) -> float:
        """ln(e_mem/e_gen), falling in ln D."""
        return float(memorizing.log_efficiency(log_n_train) - generalizing.log_efficiency(log_n_train))

    upper = math.log(generalizing.n_pairs)
    saturated = memorizing.saturation > 0 and memorizing.capacity <= generalizing.n_pairs
    if saturated:
        # Just inside capacity, where e_mem is still finite but already vanishing.
        upper = math.log(memorizing.capacity) + math.log1p(-1e-12)
    if advantage(0.0) <= 0:
        return NoCrossing(
            winner="generalizing", reason="the generalizing circuit is the more efficient one from the first example on"
        )
    if saturated and advantage(upper) > 0:
        # The drop is steeper than floating point resolves: e_mem vanishes at capacity itself.
        return Crossing(n_train=memorizing.capacity, efficiency=math.exp(float(generalizing.log_efficiency(upper))))
    if advantage(upper) > 0:
        return NoCrossing(
            winner="memorizing",
            reason=f"memorizing all {generalizing.n_pairs:.0f} examples is still more efficient than generalizing",
        )
    root = find_root(advantage, 0.0, upper)
    return Crossing(n_train=math.exp(root), efficiency=math.exp(float(generalizing.log_efficiency(root))))


def unsaturated_crossing(memorizing: MemorizingLaw, generalizing: GeneralizingLaw) -> float:
    """Closed form of the crossing far below capacity.

    D_cross = (A/(e_full·D_full^ε))^(1/(β − ε)), which is (A/e_gen)^(1/β) without drift

    Args:
        memorizing: e_mem(D); its capacity is ignored.
        generalizing: e_gen(D).

    Returns:
        D_cross [examples], whether or not that many pairs exist.
    """
    log_ratio = (
        math.log(memorizing.amplitude)
        - math.log(generalizing.full_data)
        - generalizing.drift * math.log(generalizing.n_pairs)
    )
    return math.exp(log_ratio / (memorizing.exponent - generalizing.drift))
