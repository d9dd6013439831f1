"""Critical sizes from scratch by a horizon and at rest, with their errors, from a few measured constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.checks import FieldError, check_finite, check_not_negative, check_positive
from dcrit.theory.circuits.clock import PAIR_MLP_PACE, Clock, LevelClocks, Pace
from dcrit.theory.circuits.finding import FindingLaw
from dcrit.theory.estimates import LEVEL, Interval, half_width

FloatArray = NDArray[np.float64]

#: Constants that may be fitted, and those whose logarithm the covariance speaks of.
FITTED = ("prefactor", "load", "rate", "bend", "rest")
LOGARITHMIC = ("prefactor", "rate", "rest")

#: Step of numeric derivatives.
STEP = 1e-4

#: Modulus and width at which distances of levels are stated.
LEVEL_SYMBOLS, LEVEL_WIDTH = 47, 128


@dataclass(frozen=True, kw_only=True)
class Levels:
    """How far in ln D the sizes of test accuracy 0.1 and 0.9 lie from that of 1/2.

    |ln D_ℓ(T) − ln D_crit(T)| = a_ℓ·(S/47)^(−s)·(H/128)^(−h)

    Attributes:
        low: a_0.1.
        high: a_0.9.
        symbols_exponent: s.
        width_exponent: h.
        scatter: Standard deviation of the logarithm of that distance between networks.

    Raises:
        ValueError: A constant is out of range.

    Source: own runs, by ``dcrit reproduce two-thresholds``.
    """

    low: float
    high: float
    symbols_exponent: float
    width_exponent: float
    scatter: float = 0.0

    def __post_init__(self) -> None:
        check_positive("low", self.low)
        check_positive("high", self.high)
        check_not_negative("scatter", self.scatter)
        for name in ("symbols_exponent", "width_exponent"):
            check_finite(name, getattr(self, name))

    def shifts(self, n_symbols: int, width: int) -> dict[float, float]:
        """Ln D_ℓ(T) − ln D_crit(T) by level, the same at every horizon.

        Args:
            n_symbols: S.
            width: H.
        """
        symbols, units = n_symbols / LEVEL_SYMBOLS, width / LEVEL_WIDTH
        scale = symbols**-self.symbols_exponent * units**-self.width_exponent
        return {0.1: -self.low * scale, 0.9: self.high * scale}


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """What no constant explains: standard deviations of ln D_crit, added in squares.

    Attributes:
        base: Between networks like the calibrated ones.
        task: More for the task.
        per_modulus: Per ln of how far S lies beyond ``largest_symbols``.
        largest_symbols: Largest S of a calibration run.
        per_decay: Per factor of 2 of λ below the clock's reference.
        per_raised_decay: Per factor of 2 of λ above it.
        per_rate: Per factor of 2 of η from the clock's reference.
        per_memory: Per factor of 2 of 1 − β₂ below it.
        per_forgetting: Per factor of 2 of 1 − β₂ above it.
        per_epsilon: Per factor of 10 of ε below it.
        per_raised_epsilon: Per factor of 10 of ε above it.

    Raises:
        ValueError: A number is out of range.
    """

    base: float = 0.045
    task: float = 0.0
    per_modulus: float = 0.03
    largest_symbols: int = 47
    per_decay: float = 0.08
    per_raised_decay: float = 0.08
    per_rate: float = 0.06
    per_memory: float = 0.1
    per_forgetting: float = 0.1
    per_epsilon: float = 0.05
    per_raised_epsilon: float = 0.05

    def __post_init__(self) -> None:
        check_positive("base", self.base)
        check_positive("largest_symbols", self.largest_symbols)
        for one in fields(self):
            check_not_negative(one.name, getattr(self, one.name))

    def variance(self, n_symbols: int, *, pace: Pace = PAIR_MLP_PACE, **optimizer: float) -> float:
        """Variance of ln D_crit.

        Args:
            n_symbols: S.
            pace: Has the optimizer of the calibration runs.
            optimizer: As of :meth:`~dcrit.theory.circuits.clock.Pace.distances`.
        """
        away = pace.distances(**optimizer)
        decays, rates, memories = (away[name] / math.log(2) for name in ("weight_decay", "learning_rate", "beta2"))
        epsilons = away["epsilon"] / math.log(10)
        return (
            self.base**2
            + self.task**2
            + (self.per_modulus * max(0.0, math.log(n_symbols / self.largest_symbols))) ** 2
            + ((self.per_raised_decay if decays > 0 else self.per_decay) * decays) ** 2
            + (self.per_rate * rates) ** 2
            + ((self.per_forgetting if memories > 0 else self.per_memory) * memories) ** 2
            + ((self.per_raised_epsilon if epsilons > 0 else self.per_epsilon) * epsilons) ** 2
        )


@dataclass(frozen=True, kw_only=True)
class CriticalSizeLaw:
    """Both thresholds and the clock of one family of tasks and networks.

    D_crit(T)^q = (1 + k1·S/H)^q·((k0·S^1.5·exp(W(m/(r·T))/m))^q + (ρ·S)^q),   D_rest = ρ·S·(1 + k1·S/H)

    Attributes:
        thresholds: D_kin and D_rest.
        rate: r with the pace's optimizer [1/step].
        bend: m.
        sharpness: q.
        levels: Where accuracies 0.1 and 0.9 lie.
        fitted: Names of the constants that were fitted, of ``FITTED``; others have no error.
        covariance: Of the fitted ones, row by row, of the logarithms of those in ``LOGARITHMIC``.
        scatter: What they do not explain.
        pace: What the optimizer does to the rate.

    Raises:
        ValueError: A field is out of range.

    Source: own runs, by ``dcrit reproduce two-thresholds``; barak2016, yuan2016 (the exponent 3/2).
    """

    thresholds: FindingLaw
    rate: float
    bend: float
    sharpness: float
    levels: Levels
    fitted: tuple[str, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    scatter: Scatter = field(default_factory=Scatter)
    pace: Pace = PAIR_MLP_PACE

    def __post_init__(self) -> None:
        for name in ("rate", "bend", "sharpness"):
            check_positive(name, getattr(self, name))
        unknown = [name for name in self.fitted if name not in FITTED]
        if unknown or len(set(self.fitted)) < len(self.fitted):
            raise FieldError("fitted", f"name constants of {', '.join(FITTED)} once", repr(self.fitted))
        size = len(self.fitted)
        if len(self.covariance) != size or any(len(line) != size for line in self.covariance):
            raise FieldError("covariance", f"have {size} rows and columns", repr(self.covariance))
        if not size:
            return
        matrix = np.array(self.covariance, dtype=np.float64)
        if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
            raise FieldError("covariance", "be finite and symmetric", repr(self.covariance))
        if np.linalg.eigvalsh(matrix).min() < -1e-9:
            raise FieldError("covariance", "be positive semidefinite", repr(self.covariance))

    def clock(
        self,
        n_symbols: int,
        width: int,
        **optimizer: float,
    ) -> Clock:
        """Time over sizes and sizes over time of one network.

        Args:
            n_symbols: S.
            width: H.
            optimizer: As of :meth:`~dcrit.theory.circuits.clock.Pace.distances`.

        Raises:
            ValueError: An argument is out of range.
        """
        clock = Clock(
            kinetic=self.thresholds.kinetic_size(n_symbols, width),
            rest=self.thresholds.size_at_rest(n_symbols, width),
            rate=self.rate,
            bend=self.bend,
            sharpness=self.sharpness,
        )
        return clock.at(pace=self.pace, **optimizer)

    def drawn_clocks(
        self,
        n_symbols: int,
        width: int,
        n_draws: int,
        **optimizer: float,
    ) -> list[Clock]:
        """Clocks of one network with constants drawn by their covariance; the same at every call.

        Args:
            n_symbols: S.
            width: H.
            n_draws: How many.
            optimizer: As of :meth:`~dcrit.theory.circuits.clock.Pace.distances`.

        Raises:
            ValueError: An argument is out of range.
        """
        count = len(self.fitted)
        matrix = np.array(self.covariance, dtype=np.float64).reshape(count, count)
        # The root of Cholesky is the same on every machine; the identity is for constants without an error.
        root = np.linalg.cholesky(matrix + 1e-14 * np.eye(count))
        steps = np.random.default_rng(0).standard_normal((n_draws, count)) @ root.T
        found: list[Clock] = []
        for row in steps.tolist():
            law = self
            for name, step in zip(self.fitted, row, strict=True):
                # Half of a constant is left where a draw would take it to zero, which no clock has.
                law = law.moved(name, step if name in LOGARITHMIC else max(step, -getattr(law._holder(name), name) / 2))
            found.append(law.clock(n_symbols, width, **optimizer))
        return found

    def level_clocks(
        self,
        n_symbols: int,
        width: int,
        **optimizer: float,
    ) -> LevelClocks:
        """The same for test accuracies 0.1, 1/2 and 0.9; arguments as of :meth:`clock`."""
        half = self.clock(n_symbols, width, **optimizer)
        return LevelClocks(half=half, shifts=self.levels.shifts(n_symbols, width))

    def deviation(
        self,
        n_symbols: int,
        width: int,
        horizon: float,
        **optimizer: float,
    ) -> float:
        """Standard deviation of ln D_crit(T): of the constants, to first order, and of what they do not explain.

        Args:
            n_symbols: S.
            width: H.
            horizon: T [steps].
            optimizer: As of :meth:`~dcrit.theory.circuits.clock.Pace.distances`.

        Raises:
            ValueError: An argument is out of range.
        """
        return float(self.deviations(n_symbols, width, horizon, **optimizer))

    def deviations(self, n_symbols: int, width: int, horizons: ArrayLike, **optimizer: float) -> FloatArray:
        """The same at many horizons at once.

        Args:
            n_symbols: S.
            width: H.
            horizons: T, any shape; above 0 [steps].
            optimizer: As of :meth:`~dcrit.theory.circuits.clock.Pace.distances`.

        Returns:
            Standard deviations of ln D_crit(T), shape of ``horizons``.

        Raises:
            ValueError: An argument is out of range.
        """
        steps = np.asarray(horizons, dtype=np.float64)
        check_positive("horizon", float(steps.min()))

        def log_size(law: Self) -> FloatArray:
            return np.log(law.clock(n_symbols, width, **optimizer).critical_size(steps))

        left = self.scatter.variance(n_symbols, pace=self.pace, **optimizer)
        return np.sqrt(np.broadcast_to(self._fitted_variance(log_size) + left, steps.shape))

    def deviation_at_rest(
        self,
        n_symbols: int,
        width: int,
        **optimizer: float,
    ) -> float:
        """Standard deviation of ln D_rest, as :meth:`deviation`."""
        return math.sqrt(
            float(self._fitted_variance(lambda law: math.log(law.thresholds.size_at_rest(n_symbols, width))))
            + self.scatter.variance(n_symbols, pace=self.pace, **optimizer)
        )

    def interval(
        self,
        n_symbols: int,
        width: int,
        horizon: float,
        *,
        level: float = LEVEL,
        **optimizer: float,
    ) -> Interval:
        """Range of D_crit(T), log-normal around the law's value [examples]; arguments as of :meth:`deviation`.

        Raises:
            ValueError: An argument is out of range.
        """
        size = float(self.clock(n_symbols, width, **optimizer).critical_size(horizon))
        deviation = self.deviation(n_symbols, width, horizon, **optimizer)
        spread = half_width(deviation, level=level)
        return Interval(low=size * math.exp(-spread), high=size * math.exp(spread), level=level)

    def moved(self, name: str, step: float) -> Self:
        """With one constant moved: its logarithm, where the covariance speaks of that.

        Args:
            name: Of ``FITTED``.
            step: By how much.
        """
        holder = self._holder(name)
        value: float = getattr(holder, name)
        changed: Any = {name: value * math.exp(step) if name in LOGARITHMIC else value + step}
        if holder is self:
            return replace(self, **changed)
        return replace(self, thresholds=replace(self.thresholds, **changed))

    def _holder(self, name: str) -> Self | FindingLaw:
        """Who has a constant of ``FITTED``."""
        return self if name in ("rate", "bend") else self.thresholds

    @cached_property
    def _moved(self) -> tuple[Self, ...]:
        """With each fitted constant moved by the step of derivatives."""
        return tuple(self.moved(name, STEP) for name in self.fitted)

    def _fitted_variance(self, value: Callable[[Self], ArrayLike]) -> FloatArray:
        """Variance that the covariance gives a function of the law, to first order; of the function's shape."""
        centre = np.asarray(value(self), dtype=np.float64)
        moved = [np.asarray(value(law), dtype=np.float64) for law in self._moved]
        gradient = np.array([(one - centre) / STEP for one in moved]).reshape(len(moved), *centre.shape)
        matrix = np.array(self.covariance, dtype=np.float64).reshape(len(moved), len(moved))
        return np.asarray(np.einsum("i...,ij,j...->...", gradient, matrix, gradient), dtype=np.float64)
