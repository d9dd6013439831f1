"""How long a rule takes to be found, and hence which size is enough by a horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, lambertw

from dcrit.theory.checks import (
    FieldError,
    check_finite,
    check_level,
    check_not_negative,
    check_positive,
    check_probability,
)
from dcrit.theory.circuits.overload import NO_MEMORY, Memory

FloatArray = NDArray[np.float64]

#: By how much in ln D memory of mirror images lowers a size at most, and halvings of that range to the last digit.
LARGEST_HELP, HALVINGS = 5.0, 55

#: Levels of what is found are cut off here: nearer to 0 and 1 their log-odds mean nothing.
SMALLEST_LEVEL = 1e-12


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a clock runs with another optimizer than the one at which its rate is stated.

    r ∝ (λ/λ_0)^a·(η/η_0)^b·min(1, (1 − β₂)/(1 − β₂_0))^c; time in units of 1/(ηλ) would have a = b = 1

    A longer memory of squared gradients than the reference's slows the clock. A shorter one, and another ε, move it
    either way by so little that they are left to the scatter about the law.

    Attributes:
        learning_rate: η_0.
        weight_decay: λ_0 [1/step/learning rate].
        beta2: β₂_0.
        epsilon: ε_0.
        learning_rate_exponent: b; the default is measured for pair-MLPs.
        decay_exponent: a, likewise.
        memory_exponent: c; 0 where it is not measured.

    Raises:
        ValueError: A field is not finite, or a reference out of range.

    Source: own runs, by ``dcrit reproduce two-thresholds``.
    """

    learning_rate: float = 1e-2
    weight_decay: float = 1.0
    beta2: float = 0.98
    epsilon: float = 1e-8
    learning_rate_exponent: float = 0.3
    decay_exponent: float = 0.95
    memory_exponent: float = 0.0

    def __post_init__(self) -> None:
        check_positive("learning_rate", self.learning_rate)
        check_positive("weight_decay", self.weight_decay)
        check_positive("epsilon", self.epsilon)
        check_probability("beta2", self.beta2)
        check_finite("learning_rate_exponent", self.learning_rate_exponent)
        check_finite("decay_exponent", self.decay_exponent)
        check_finite("memory_exponent", self.memory_exponent)

    @property
    def optimizer(self) -> dict[str, float]:
        """The reference by name."""
        return {name: getattr(self, name) for name in ("weight_decay", "learning_rate", "beta2", "epsilon")}

    def distances(self, **optimizer: float) -> dict[str, float]:
        """Logarithms ln(λ/λ_0), ln(η/η_0), ln((1 − β₂)/(1 − β₂_0)) and ln(ε/ε_0) by name.

        Args:
            optimizer: Of ``weight_decay``, ``learning_rate``, ``beta2`` and ``epsilon`` those that are not the
                reference's.

        Raises:
            ValueError: A number is out of range.
            TypeError: A name is none of these.
        """
        reference = self.optimizer
        if unknown := optimizer.keys() - reference.keys():
            raise TypeError(f"an optimizer has no {', '.join(sorted(unknown))}")
        found: dict[str, float] = {}
        for name, at in reference.items():
            value = optimizer.get(name, at)
            if name == "beta2":
                check_probability(name, value)
                found[name] = math.log((1 - value) / (1 - at))
            else:
                check_positive(name, value)
                found[name] = math.log(value / at)
        return found

    def factor(self, **optimizer: float) -> float:
        """Rate over the rate at the reference; arguments as of :meth:`distances`.

        Raises:
            ValueError: A number is out of range.
        """
        away = self.distances(**optimizer)
        return math.exp(
            self.decay_exponent * away["weight_decay"]
            + self.learning_rate_exponent * away["learning_rate"]
            + self.memory_exponent * min(0.0, away["beta2"])
        )


#: Of pair-MLPs.
PAIR_MLP_PACE = Pace()


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time to a level of test accuracy, and the size that reaches it by a horizon.

    1/t = r·x^m·ln x,  x = (D^q − D_rest^q)^(1/q)/D_kin > 1
    D_crit(T)^q = (D_kin·exp(W(m/(r·T))/m))^q + D_rest^q

    Finding takes time and rest does not: the clock multiplies D_kin alone, which calibration runs prefer to a clock
    of both. The time diverges at D_inf, where x = 1, as 1/(r·ln x), and far above it falls as a power of D.

    Attributes:
        kinetic: D_kin, which finding needs in a long time [examples].
        rest: D_rest, which the rule needs at rest [examples]; 0 for none.
        rate: r [1/step].
        bend: m.
        sharpness: q, how sharply the larger of both sizes takes over.

    Raises:
        ValueError: A field is out of range.

    Source: corless1996 (W).
    """

    kinetic: float
    rate: float
    bend: float
    rest: float = 0.0
    sharpness: float = 5.0

    def __post_init__(self) -> None:
        for name in ("kinetic", "rate", "bend", "sharpness"):
            check_positive(name, getattr(self, name))
        check_not_negative("rest", self.rest)

    @property
    def size_at_infinity(self) -> float:
        """D_inf, limit of D_crit(T) for long training [examples]."""
        return float(self._joined(np.array(math.log(self.kinetic))))

    def log_excess(self, horizon: ArrayLike) -> FloatArray:
        """Logarithm ln x at the horizon: W(m/(r·T))/m.

        Args:
            horizon: T, any shape; above 0 [steps].
        """
        argument: Any = self.bend / (self.rate * np.asarray(horizon, dtype=np.float64))
        value: Any = lambertw(argument)
        return np.asarray(np.real(value), dtype=np.float64) / self.bend

    def critical_size(self, horizon: ArrayLike) -> FloatArray:
        """Size that reaches the level at the horizon.

        Args:
            horizon: T, any shape; above 0 [steps].

        Returns:
            D_crit(T) [examples], shape of ``horizon``.
        """
        return self._joined(math.log(self.kinetic) + self.log_excess(horizon))

    def time(self, n_train: ArrayLike) -> FloatArray:
        """Steps to the level, inf at D_inf and below: the inverse of :meth:`critical_size`.

        Args:
            n_train: D, any shape; above 0 [examples].

        Returns:
            t [steps], shape of ``n_train``.
        """
        excess = self._excess_of(n_train)
        with np.errstate(divide="ignore", over="ignore"):
            return 1 / (self.rate * np.exp(self.bend * excess) * excess)

    def slope(self, n_train: ArrayLike) -> FloatArray:
        """By how much the time falls as data grow; inf at D_inf and below.

        −d ln t/d ln D = (m + 1/ln x)·D^q/(D^q − D_rest^q)

        Args:
            n_train: D, any shape; above 0 [examples].
        """
        log_size = np.log(np.asarray(n_train, dtype=np.float64))
        excess = self._excess_of(n_train)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            own = 1 / -np.expm1(self.sharpness * (self._log_rest - log_size))
            return np.where(excess > 0, (self.bend + 1 / excess) * own, np.inf)

    def patience(self, horizon: ArrayLike) -> FloatArray:
        """By how much the critical size falls as the horizon grows: 1 over :meth:`slope` at D_crit(T), below 1/m.

        −d ln D_crit/d ln T = y/(1 + m·y)·(D_kin·e^y/D_crit)^q,  y = ln x

        Args:
            horizon: T, any shape; above 0 [steps].
        """
        excess = self.log_excess(horizon)
        log_kinetic = math.log(self.kinetic) + excess
        share = np.exp(self.sharpness * (log_kinetic - np.log(self._joined(log_kinetic))))
        return excess / (1 + self.bend * excess) * share

    def at(self, *, pace: Pace = PAIR_MLP_PACE, **optimizer: float) -> Self:
        """The clock of another optimizer than the one at which its rate is stated.

        Args:
            pace: What it does to the rate.
            optimizer: As of :meth:`Pace.distances`.

        Raises:
            ValueError: A number is out of range.
        """
        return replace(self, rate=self.rate * pace.factor(**optimizer))

    @property
    def _log_rest(self) -> float:
        return math.log(self.rest) if self.rest > 0 else -math.inf

    def _joined(self, log_size: FloatArray) -> FloatArray:
        """(e^(q·y) + D_rest^q)^(1/q)."""
        return np.exp(np.logaddexp(self.sharpness * log_size, self.sharpness * self._log_rest) / self.sharpness)

    def _excess_of(self, n_train: ArrayLike) -> FloatArray:
        """Logarithm ln x, at least 0."""
        log_size = np.log(np.asarray(n_train, dtype=np.float64))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            gap = np.log(-np.expm1(self.sharpness * np.minimum(0.0, self._log_rest - log_size))) / self.sharpness
        return np.maximum(log_size + gap - math.log(self.kinetic), 0.0)


@dataclass(frozen=True, kw_only=True)
class LevelClocks:
    """Clocks of several levels of test accuracy, hence accuracy over sizes at a horizon.

    acc(D, T) = a·(P + (1 − P)·h(D)),  P = P(ln D_eff − ln D_crit(T))

    P is how much of the rule is found by T: its log-odds are linear in ln D between the levels. Memory says which part
    a of the rule the network holds, which part h of unseen pairs it knows without the rule, and what D counts as.

    Attributes:
        half: The clock of level 1/2 of P.
        shifts: ln D_ℓ(T) − ln D_crit(T) of other levels ℓ of P, the same at every horizon; 1/2 has 0.
        memory: What memory adds; by default nothing.

    Raises:
        ValueError: A level is not between 0 and 1, or shifts do not rise with the level.
    """

    half: Clock
    shifts: Mapping[float, float]
    memory: Memory = NO_MEMORY

    def __post_init__(self) -> None:
        places = dict(sorted({**self.shifts, 0.5: 0.0}.items()))
        for level, shift in places.items():
            if not 0 < level < 1:
                raise FieldError("shifts", "have levels between 0 and 1", repr(level))
            if not math.isfinite(shift):
                raise FieldError("shifts", "be finite", f"{shift!r} at level {level!r}")
        values = list(places.values())
        if any(after <= before for before, after in pairwise(values)):
            raise FieldError("shifts", "rise with the level and be 0 at 0.5", repr(dict(self.shifts)))
        object.__setattr__(self, "shifts", MappingProxyType(places))

    def shift(self, level: float) -> float:
        """Ln D_ℓ(T) − ln D_crit(T) of any level of P: log-odds are linear in ln D between those given and beyond them.

        Raises:
            ValueError: The level is not between 0 and 1.
        """
        check_level(level)
        return float(self.shifts_of(np.array(level)))

    def size(self, level: float, horizon: float) -> float:
        """Size that reaches a level of test accuracy by the horizon [examples]; inf where the network never does.

        Raises:
            ValueError: The level is not between 0 and 1.
        """
        check_level(level)
        crit = float(self.half.critical_size(horizon))
        found = level / self.memory.ceiling
        if found >= 1:
            return math.inf
        # Without what memory knows: an upper end, as that only helps.
        high = float(self.memory.size(crit * math.exp(self.shift(found))))
        if self.memory.symmetric_size is None:
            return high
        low, top = math.log(high) - LARGEST_HELP, math.log(high)
        for _ in range(HALVINGS):
            middle = (low + top) / 2
            short = float(self.accuracy(math.exp(middle), horizon)) < level
            low, top = (middle, top) if short else (low, middle)
        return math.exp(top)

    def time(self, level: float, n_train: ArrayLike) -> FloatArray:
        """Steps to a level of test accuracy: inf where it is never reached, 0 where memory alone does [steps].

        Args:
            level: Test accuracy.
            n_train: D, any shape [examples].

        Raises:
            ValueError: The level is not between 0 and 1.
        """
        check_level(level)
        n_train = np.asarray(n_train, dtype=np.float64)
        known = self.memory.known(n_train)
        needed = (level / self.memory.ceiling - known) / (1 - known)
        between = np.clip(needed, SMALLEST_LEVEL, 1 - SMALLEST_LEVEL)
        steps = self.half.time(self.memory.effective(n_train) * np.exp(-self.shifts_of(between)))
        return np.where(needed <= 0, 0.0, np.where(needed >= 1, np.inf, steps))

    def accuracy(self, n_train: ArrayLike, horizon: ArrayLike) -> FloatArray:
        """Test accuracy at the horizon.

        Args:
            n_train: D, any shape [examples].
            horizon: T, any shape that goes with it [steps].
        """
        known, effective = self.memory.known(n_train), self.memory.effective(n_train)
        excess = np.log(effective / self.half.critical_size(horizon))
        places = np.array(list(self.shifts.values()))
        if places.size == 1:
            found = np.where(excess < 0, 0.0, 1.0)
        else:
            odds = log_odds(np.array(list(self.shifts)))
            segment = np.clip(np.searchsorted(places, excess) - 1, 0, places.size - 2)
            slope = (odds[segment + 1] - odds[segment]) / (places[segment + 1] - places[segment])
            found = expit(odds[segment] + slope * (excess - places[segment]))
        return self.memory.ceiling * (found + (1 - found) * known)

    def semi_grokking_width(self, low: float = 0.1, high: float = 0.9) -> float:
        """Width in ln D between two levels of P: the same at every horizon.

        Raises:
            ValueError: A level is not between 0 and 1.
        """
        return self.shift(high) - self.shift(low)

    def shifts_of(self, level: FloatArray) -> FloatArray:
        """:meth:`shift` of many levels, of which none is checked."""
        places = np.array(list(self.shifts.values()))
        if places.size == 1:
            return np.zeros(level.shape)
        odds, wanted = log_odds(np.array(list(self.shifts))), log_odds(level)
        k = np.clip(np.searchsorted(odds, wanted) - 1, 0, places.size - 2)
        return places[k] + (wanted - odds[k]) * (places[k + 1] - places[k]) / (odds[k + 1] - odds[k])


def log_odds(level: FloatArray) -> FloatArray:
    """Ln ℓ/(1 − ℓ), any shape."""
    return np.log(level / (1 - level))
