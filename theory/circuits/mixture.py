"""Both circuits at once: how a trained network divides its margin, and what unseen inputs see of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from dcrit.theory.checks import FieldError, check_finite, check_positive
from dcrit.theory.circuits.crossing import Crossing, NoCrossing, crossing_of, find_root
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw

FloatArray = NDArray[np.float64]

#: Sizes, evenly spaced in ln D, at which test accuracy is compared with a level to bracket its passage.
SCAN_POINTS = 65


@dataclass(frozen=True, kw_only=True)
class DeficitLaw:
    """What a purely memorizing network says on unseen inputs, in units of the margin that generalizing has there.

    The deficit of an unseen input is its best wrong logit minus its correct one. Over inputs it is
    normal, with median and spread that are powers of D:

        ρ(D) = ρ_1·D^ν,  σ(D) = σ_1·D^τ

    Both are per training margin of the memorizing circuit, divided by the transfer u ≤ 1: the part of the
    generalizing circuit's training margin that reaches unseen inputs.

    Attributes:
        median: ρ_1, median deficit per margin at D = 1.
        median_exponent: ν.
        spread: σ_1, standard deviation of the deficit per margin at D = 1.
        spread_exponent: τ.

    Raises:
        ValueError: A constant is out of range.
    """

    median: float
    median_exponent: float
    spread: float
    spread_exponent: float

    def __post_init__(self) -> None:
        check_positive("median", self.median)
        check_finite("median_exponent", self.median_exponent)
        check_positive("spread", self.spread)
        check_finite("spread_exponent", self.spread_exponent)

    def log_median(self, log_n_train: ArrayLike) -> FloatArray:
        """Ln ρ at ln D, any shape."""
        return math.log(self.median) + self.median_exponent * np.asarray(log_n_train, dtype=np.float64)

    def log_spread(self, log_n_train: ArrayLike) -> FloatArray:
        """Ln σ at ln D, any shape."""
        return math.log(self.spread) + self.spread_exponent * np.asarray(log_n_train, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Competition:
    """Everything the theory needs to know about one problem.

    Shares w and 1 − w of the margin cost ((w/e_gen)^a + ((1 − w)/e_mem)^a)^(1/a) in norm^κ: a = 1 for
    circuits that share nothing, more for circuits that share weights. The cheapest mixture has

        e^b = e_gen^b + e_mem^b,  w/(1 − w) = (e_gen/e_mem)^b,  1/a + 1/b = 1,

    and tends to the winner alone as b grows.

    Attributes:
        memorizing: e_mem(D).
        generalizing: e_gen(D).
        deficits: ρ(D) and σ(D) of the memorizing circuit.
        mixing: b.

    Raises:
        ValueError: ``mixing`` is not above 1.
    """

    memorizing: MemorizingLaw
    generalizing: GeneralizingLaw
    deficits: DeficitLaw
    mixing: float

    def __post_init__(self) -> None:
        if not 1 < self.mixing < math.inf:
            raise FieldError("mixing", "be above 1 and finite", repr(self.mixing))

    def log_odds(self, log_n_train: ArrayLike) -> FloatArray:
        """ln(w/(1 − w)) = b·(ln e_gen − ln e_mem) at ln D: the generalizing share of the margin, as odds."""
        gap = self.generalizing.log_efficiency(log_n_train) - self.memorizing.log_efficiency(log_n_train)
        return self.mixing * gap

    def log_efficiency(self, log_n_train: ArrayLike) -> FloatArray:
        """Ln e of the mixture at ln D, never below either circuit's own."""
        generalizing = self.mixing * self.generalizing.log_efficiency(log_n_train)
        memorizing = self.mixing * self.memorizing.log_efficiency(log_n_train)
        return np.logaddexp(generalizing, memorizing) / self.mixing

    def test_accuracy(self, n_train: ArrayLike) -> FloatArray:
        """Probability that the generalizing margin beats the memorizing circuit's deficit on an unseen input.

        acc(D) = Φ((w/(1 − w) − ρ(D))/σ(D))

        Args:
            n_train: D [examples], any shape.

        Returns:
            Expected test accuracy, same shape.
        """
        log_n_train = np.log(np.asarray(n_train, dtype=np.float64))
        odds = np.exp(np.minimum(self.log_odds(log_n_train), 700.0))
        median, spread = np.exp(self.deficits.log_median(log_n_train)), np.exp(self.deficits.log_spread(log_n_train))
        return ndtr((odds - median) / spread)

    def crossing(self) -> Crossing | NoCrossing:
        """Size at which both circuits are equally efficient and share the margin evenly."""
        return crossing_of(self.memorizing, self.generalizing)

    def size_at_accuracy(self, accuracy: float) -> Crossing | NoCrossing:
        """Size from which on expected test accuracy stays above a level; one half is the measured critical size.

        b·(ln e_gen − ln e_mem(D)) = ln(ρ(D) + Φ⁻¹(acc)·σ(D)), the last solution before all pairs

        At low levels there may be an earlier one, at sizes of a few examples where the power laws of the
        deficit mean nothing.

        Args:
            accuracy: Level between 0 and 1.

        Returns:
            The size, or why test accuracy does not pass that level between one example and all pairs.
        """
        if not 0 < accuracy < 1:
            raise FieldError("accuracy", "be between 0 and 1", repr(accuracy))
        z = float(ndtri(accuracy))

        def surplus(log_n_train: ArrayLike) -> FloatArray:
            needed = np.exp(self.deficits.log_median(log_n_train)) + z * np.exp(self.deficits.log_spread(log_n_train))
            return np.exp(np.minimum(700.0, self.log_odds(log_n_train))) - needed

        scan = np.linspace(0.0, math.log(self.generalizing.n_pairs), SCAN_POINTS)
        below = np.flatnonzero(surplus(scan) < 0)
        if len(below) == 0:
            return NoCrossing(
                winner="generalizing", reason=f"test accuracy is above {accuracy:g} from the first example on"
            )
        last = int(below[-1])
        if last == SCAN_POINTS - 1:
            return NoCrossing(
                winner="memorizing",
                reason=f"even with all {self.generalizing.n_pairs:.0f} examples but a few, memorizing keeps so much of "
                f"the margin that test accuracy stays below {accuracy:g}",
            )
        root = find_root(lambda log_n_train: float(surplus(log_n_train)), float(scan[last]), float(scan[last + 1]))
        return Crossing(n_train=math.exp(root), efficiency=math.exp(float(self.log_efficiency(root))))


def unsaturated_half_accuracy_size(competition: Competition) -> float:
    """Closed form of the size at test accuracy one half, far below capacity.

    D_50 = [ρ_1·(A/(e_full·D_full^ε))^b]^(1/(b(β − ε) − ν)), which tends to the crossing as b grows

    Args:
        competition: The laws; capacity is ignored.

    Returns:
        D_50 [examples], whether or not that many pairs exist.
    """
    memorizing, generalizing, deficits = competition.memorizing, competition.generalizing, competition.deficits
    b = competition.mixing
    log_ratio = (
        math.log(memorizing.amplitude)
        - math.log(generalizing.full_data)
        - generalizing.drift * math.log(generalizing.n_pairs)
    )
    slope = b * (memorizing.exponent - generalizing.drift) - deficits.median_exponent
    return math.exp((math.log(deficits.median) + b * log_ratio) / slope)
