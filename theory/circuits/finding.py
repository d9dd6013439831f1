"""Two thresholds of a rule: the size from which it wins at rest, and the larger one from which it is found.

At rest efficiency decides, and the squared pair-MLP's efficiencies have a closed form: D_rest is about linear in p.
From scratch a rule has to be found among look-up directions: a table of p×p×p entries and rank p can be stored from
order p examples and found by descent from about p^(3/2), the gap of tensor completion. What is derived here says where
the exponent comes from; the prefactors of :class:`FindingLaw` are measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from dcrit.theory.checks import check_integer, check_not_negative, check_positive

FloatArray = NDArray[np.float64]

#: Exact L2,3 margin of addition times √p·(p − 1), at norm 1 (Morwani et al.).
EXACT_MARGIN = math.sqrt(2 / 27)

#: Margin of a memorizing squared network in units of g/(p·√D): EXACT_MARGIN/√(1/2).
MEMORIZING_MARGIN = EXACT_MARGIN / math.sqrt(1 / 2)

#: Exponent of the finding threshold, of tensor completion.
FINDING_EXPONENT = 1.5


def generalizing_efficiency(modulus: ArrayLike) -> FloatArray:
    """Largest efficiency of the rule in a squared pair-MLP.

    e_gen = √(2/27)/(√p·(p − 1))

    Args:
        modulus: p, any shape; above 1.

    Returns:
        e_gen [nats per norm³], the norm being ‖θ‖_{2,3}; shape of ``modulus``.

    Source: morwani2023.
    """
    modulus = np.asarray(modulus, dtype=np.float64)
    return EXACT_MARGIN / (np.sqrt(modulus) * (modulus - 1))


def memorizing_efficiency(modulus: ArrayLike, n_train: ArrayLike, strength: float) -> FloatArray:
    """Efficiency of a squared pair-MLP that looks its examples up.

    e_mem = √(2/27)/√(1/2)·g/(p·√D)

    Args:
        modulus: p.
        n_train: D [examples]; broadcasts with ``modulus``.
        strength: g, of the best rank-one direction of the D labelled fibres in units of their noise: measured by
            ``dcrit reproduce strength``, and bounded by :func:`dense_strength` where D is near p².

    Returns:
        e_mem [nats per norm³].

    Raises:
        ValueError: ``strength`` is not above zero.
    """
    check_positive("strength", strength)
    modulus, n_train = np.asarray(modulus, dtype=np.float64), np.asarray(n_train, dtype=np.float64)
    return MEMORIZING_MARGIN * strength / (modulus * np.sqrt(n_train))


def efficiency_ratio(modulus: ArrayLike, n_train: ArrayLike, strength: float) -> FloatArray:
    """How much cheaper the rule is than memory.

    R = e_gen/e_mem = p/(p − 1)·√(D/(2·g²·p))

    Args:
        modulus: p.
        n_train: D [examples].
        strength: g.

    Raises:
        ValueError: ``strength`` is not above zero.
    """
    return generalizing_efficiency(modulus) / memorizing_efficiency(modulus, n_train, strength)


def size_at_rest(modulus: ArrayLike, strength: float, ratio: float) -> FloatArray:
    """Size at which a generalizing network is right on half of what it has not seen.

    D_rest = 2·g²·R*²·(p − 1)²/p

    Args:
        modulus: p.
        strength: g at rest.
        ratio: R*, efficiency ratio at accuracy 1/2; measured: 0.72–0.73 at p = 31, 53 and 113.

    Returns:
        D_rest [examples].

    Raises:
        ValueError: ``strength`` or ``ratio`` is not above zero.
    """
    check_positive("strength", strength)
    check_positive("ratio", ratio)
    modulus = np.asarray(modulus, dtype=np.float64)
    return 2 * (strength * ratio * (modulus - 1)) ** 2 / modulus


@cache
def dense_strength() -> float:
    """G of the best direction of very many random fibres that all weigh alike: an upper bound of g where D is near p².

    g = √3·E_0,   ½·ln 2 − E_0²/8 = I(E_0),   I(u) = u·√(u² − E∞²)/E∞² − ln((u + √(u² − E∞²))/E∞),   E∞² = 8/3

    The largest margin of a network is the least, over all weights of its examples, of what its best unit reaches. Equal
    weights are among these, so g is at most the injective norm of the centred table of labels over √D/p. A full table
    is as good as Gaussian, and its injective norm that of the spherical spin glass of three spins: E_0 is its ground
    state. A sparse table has larger ones.

    Returns:
        2.870.

    Source: auffinger2013 (E_0), dartois2024 (the factor √3 of three unlike vectors, a one-sided bound).
    """
    least = 8 / 3

    def complexity(energy: float) -> float:
        root = math.sqrt(energy**2 - least)
        large = energy * root / least - math.log((energy + root) / math.sqrt(least))
        return math.log(2) / 2 - energy**2 / 8 - large

    return math.sqrt(3) * float(brentq(complexity, math.sqrt(least), 3.0))


def early_power(modulus: ArrayLike) -> FloatArray:
    """Part of a unit's power in its best aligned frequency before training has chosen any.

    f = (2/p)·ln(p/2), the largest of p/2 exponentially distributed powers over their sum, to leading order

    Args:
        modulus: p, above 2.
    """
    modulus = np.asarray(modulus, dtype=np.float64)
    return 2 / modulus * np.log(modulus / 2)


def finding_parameter(modulus: ArrayLike, n_train: ArrayLike, strength: float) -> FloatArray:
    """What decides whether a unit turns to a frequency: R·√f of the mean field dx/dτ = F + (√6·R/‖θ‖)·x² − x.

    At D ∝ p^1.5 it was measured to be the same within a twentieth over p = 23 … 113.

    Args:
        modulus: p.
        n_train: D [examples].
        strength: g early in training.

    Raises:
        ValueError: ``strength`` is not above zero.
    """
    return efficiency_ratio(modulus, n_train, strength) * np.sqrt(early_power(modulus))


def mean_field_size(modulus: ArrayLike, strength: float, parameter: float) -> FloatArray:
    """Size at which R·√f has a given value: ∝ p²/ln(p/2) where g is constant, steeper than what is measured.

    D = g²·c²·(p − 1)²/ln(p/2)

    Args:
        modulus: p, above 2.
        strength: g.
        parameter: c = R·√f.

    Returns:
        D [examples].

    Raises:
        ValueError: ``strength`` or ``parameter`` is not above zero.
    """
    check_positive("strength", strength)
    check_positive("parameter", parameter)
    modulus = np.asarray(modulus, dtype=np.float64)
    return (strength * parameter * (modulus - 1)) ** 2 / np.log(modulus / 2)


@dataclass(frozen=True, kw_only=True)
class FindingLaw:
    """Sizes at rest and from scratch of one family of tasks and networks.

    D_kin = k0·S^1.5·(1 + k1·S/H),   D_rest = ρ·S·(1 + k1·S/H)

    A narrow network raises both by the same factor.

    Attributes:
        prefactor: k0 [examples]; of the task and the activation.
        load: k1, how much more a narrow network needs.
        rest: ρ = D_rest/S of a wide network [examples].

    Raises:
        ValueError: A constant is out of range.

    Source: barak2016, yuan2016 (the exponent of finding), varma2023 (that both sizes differ).
    """

    prefactor: float
    load: float
    rest: float

    def __post_init__(self) -> None:
        check_positive("prefactor", self.prefactor)
        check_positive("rest", self.rest)
        check_not_negative("load", self.load)

    def load_factor(self, n_symbols: int, width: int) -> float:
        """How much more a network of that width needs than a wide one: 1 + k1·S/H.

        Raises:
            ValueError: ``n_symbols`` or ``width`` is below 1.
        """
        check_integer("n_symbols", n_symbols, 1)
        check_integer("width", width, 1)
        return 1 + self.load * n_symbols / width

    def kinetic_size(self, n_symbols: int, width: int) -> float:
        """D_kin, which descent needs to find the rule in a long time [examples].

        Raises:
            ValueError: ``n_symbols`` or ``width`` is below 1.
        """
        return self.prefactor * n_symbols**FINDING_EXPONENT * self.load_factor(n_symbols, width)

    def size_at_rest(self, n_symbols: int, width: int) -> float:
        """D_rest [examples].

        Raises:
            ValueError: ``n_symbols`` or ``width`` is below 1.
        """
        return self.rest * n_symbols * self.load_factor(n_symbols, width)
