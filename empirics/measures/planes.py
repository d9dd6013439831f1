"""Curves over model size and training-set size from a few seeds a point: means, dips, peaks, the star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, isotonic_regression

from dcrit.theory.estimates import LEVEL, Interval
from dcrit.theory.predictions.double_descent import SMALLEST_DIP, deepest
from dcrit.theory.predictions.phase_diagram import last_fall

FloatArray = NDArray[np.float64]

#: What runs say of a dip.
DipRuling = Literal["dip", "no dip", "cannot tell"]

#: A dip is there where curves that only rise look so this rarely, and not there where draws are so deep this rarely.
RARELY = 0.05

#: Draws of everything: enough for p-values beside twenty other claims.
DRAWS = 4000


def mean_draws(values: ArrayLike, *, n_draws: int = DRAWS, seed: int = 0) -> FloatArray:
    """Draws of the mean over seeds at every point, by Student's t.

    m + (s/√n)·t_{n−1}

    Args:
        values: (..., n) values a seed; NaN where a run was lost. Points with fewer than two give NaN.
        n_draws: How many.
        seed: Of the draws.

    Returns:
        (n_draws, ...).
    """
    sample = np.asarray(values, dtype=np.float64)
    count = np.isfinite(sample).sum(-1)  # (...)
    enough = count >= 2
    filled = np.where(np.isfinite(sample), sample, 0.0)
    mean = filled.sum(-1) / np.maximum(count, 1)
    squares = np.where(np.isfinite(sample), (sample - mean[..., None]) ** 2, 0.0).sum(-1)
    freedom = np.maximum(count - 1, 1)
    error = np.sqrt(squares / freedom / np.maximum(count, 1))
    noise = np.random.default_rng(seed).standard_t(np.broadcast_to(freedom, (n_draws, *freedom.shape)))
    return np.where(enough, mean + error * noise, np.nan)


def means(values: ArrayLike) -> FloatArray:
    """Mean over seeds (last axis) of those that are finite; NaN where none is."""
    sample = np.asarray(values, dtype=np.float64)
    count = np.isfinite(sample).sum(-1)
    return np.where(count > 0, np.nansum(sample, axis=-1) / np.maximum(count, 1), np.nan)


def mean_intervals(values: ArrayLike, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Both ends of the interval of the mean over seeds, by Student's t; NaN with fewer than two.

    Args:
        values: (..., n) values a seed; NaN where a run was lost.
        level: Probability content.

    Returns:
        (...) each; the mean lies between them.
    """
    low, high = np.nanquantile(mean_draws(values), [(1 - level) / 2, (1 + level) / 2], axis=0)
    mean = means(values)
    return np.minimum(low, mean), np.maximum(high, mean)


def interval_of_mean(shares: Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """The same of one mean of shares, within 0 and 1; None for one seed, which says nothing of others.

    Args:
        shares: A value a seed [fraction].
        level: Probability content.
    """
    if len(shares) < 2:
        return None
    low, high = mean_intervals(shares, level=level)
    return Interval(low=max(float(low), 0.0), high=min(float(high), 1.0), level=level)


@dataclass(frozen=True, kw_only=True)
class Dip:
    """A fall of seed-averaged accuracy over growing width that a larger width recovers.

    Attributes:
        depth: Largest fall below the best smaller width, where at least half of it is recovered [fraction].
        index: Width it is lowest at.
        mean: (K,) accuracies of the runs.
        rising: (K,) accuracies that only rise with width, best fitted to them.
        noise: (n, K) draws of what the seeds add to means.
    """

    depth: float
    index: int
    mean: FloatArray
    rising: FloatArray
    noise: FloatArray

    def _curve(self, dipped: float) -> FloatArray:
        """The rising curve, 0, that of the runs, 1, or one between, exactly the first and the second at the ends."""
        return (1 - dipped) * self.rising + dipped * self.mean

    def _depths(self, dipped: float) -> FloatArray:
        """Depths of draws about such a curve (n,)."""
        return deepest((self._curve(dipped) + self.noise).T.clip(0, 1))[0]

    def _p_as_deep(self, least: float, dipped: float) -> float:
        """Fraction of draws about such a curve that are at least so deep, one added."""
        depths = self._depths(dipped)
        return float((depths >= least).sum() + 1) / (depths.size + 1)

    def p_deeper(self, least: float) -> float:
        """Fraction of draws about the runs that are at least so deep: smallness says that there is no such dip."""
        return self._p_as_deep(least, 1.0)

    @property
    def p_rising(self) -> float:
        """Fraction of draws about the rising curve that look at least as dipped as the runs."""
        return self._p_as_deep(self.depth, 0.0)

    def interval(self, level: float = LEVEL) -> Interval:
        """Depths that go with the runs: 0 is one of them exactly if rising curves look as deep often enough.

        The lower end is the least dipped curve that is not rejected, the upper end a quantile of draws about the runs.
        Draws are mostly too deep. Where one width alone sets the depth they are not, and the upper end is passed more
        often than it says.

        Args:
            level: Probability content.
        """
        rarely = (1 - level) / 2

        def excess(dipped: float) -> float:
            return self._p_as_deep(self.depth, dipped) - rarely

        dipped = 0.0
        if excess(0.0) <= 0:
            # Accuracies of 0 and 1 can move one way alone: then even draws about the runs are seldom as deep.
            dipped = brentq(excess, 0.0, 1.0, xtol=1e-4) if excess(1.0) > 0 else 1.0
        low, _ = deepest(self._curve(dipped)[:, None])
        high = float(np.quantile(self._depths(1.0), 1 - rarely))
        return Interval(low=min(float(low[0]), high), high=high, level=level).around(self.depth)

    @property
    def ruling(self) -> DipRuling:
        """Whether there is a dip of ``SMALLEST_DIP``, there is none, or the runs are too few to tell."""
        if self.depth >= SMALLEST_DIP and self.p_rising <= RARELY:
            return "dip"
        return "no dip" if self.p_deeper(SMALLEST_DIP) <= RARELY else "cannot tell"


def dip_of(values: ArrayLike, *, n_draws: int = DRAWS, seed: int = 0) -> Dip | None:
    """The dip over widths and its test against a curve that only rises; None with fewer than three widths.

    Args:
        values: (K, n) accuracies over rising widths and seeds.
        n_draws: Draws of both kinds.
        seed: Of the draws.

    Source: efron1993 (bootstrap test).
    """
    sample = np.asarray(values, dtype=np.float64)
    kept = np.flatnonzero(np.isfinite(sample).sum(1) >= 2)
    sample = sample[kept]
    if len(sample) < 3:
        return None
    mean = means(sample)  # (K,)
    depth, index = deepest(mean[:, None])
    noise = mean_draws(sample, n_draws=n_draws, seed=seed) - mean  # (n, K)
    return Dip(
        depth=float(depth[0]),
        index=int(kept[int(index[0])]),
        mean=mean,
        rising=isotonic_regression(mean).x,
        noise=noise,
    )


def capacity_draws(
    memorized: Mapping[int, FloatArray],
    n_params: Mapping[int, float],
    at: FloatArray,
    *,
    n_draws: int = DRAWS,
    seed: int = 1,
) -> FloatArray | None:
    """Draws of ln D_mem at model sizes ``at``, as a power law through the overloaded models; None with fewer than two.

    Args:
        memorized: Counts of every overloaded run, by width [examples].
        n_params: N by width.
        at: (K,) N.
        n_draws: How many.
        seed: Of the draws.

    Returns:
        (K, n_draws).
    """
    widths = sorted(memorized)
    if len(widths) < 2:
        return None
    x = np.log([n_params[width] for width in widths])
    drawn = np.array(
        [mean_draws(np.log(memorized[width]), n_draws=n_draws, seed=seed + k) for k, width in enumerate(widths)]
    )  # (k, n)
    slope, start = np.polyfit(x, drawn, 1)
    return np.log(at)[:, None] * slope + start


def crossing(log_params: FloatArray, log_critical: FloatArray, log_capacity: FloatArray, largest: float) -> FloatArray:
    """Ln N* at which D_crit falls below D_mem for the last time.

    A D_crit above the largest size says nothing where D_mem is above it as well, and stands for that size elsewhere.

    Args:
        log_params: (K,), rising.
        log_critical: (K, n); inf where there is no transition, NaN where nothing is known.
        log_capacity: (K, n).
        largest: ln of the largest size looked at.

    Returns:
        (n,); −inf where D_crit is below D_mem at all sizes, inf where above at the largest.
    """
    visible = np.minimum(log_critical, largest)
    excess = np.where(np.isinf(log_critical) & (log_capacity >= largest), np.nan, visible - log_capacity)
    return last_fall(log_params, excess)


def peaks(log_params: FloatArray, values: FloatArray) -> FloatArray:
    """Place of the largest value over ln N, refined by a parabola; NaN where it is the first or the last.

    Args:
        log_params: (K,), rising.
        values: (n, K).
    """
    index = np.where(np.isfinite(values), values, -np.inf).argmax(1)
    found = np.full(len(values), np.nan)
    for j, i in enumerate(index):
        if not 0 < i < len(log_params) - 1 or not np.isfinite(values[j, i - 1 : i + 2]).all():
            continue
        a, b, _ = np.polyfit(log_params[i - 1 : i + 2] - log_params[i], values[j, i - 1 : i + 2], 2)
        found[j] = log_params[i] - b / (2 * a) if a < 0 else log_params[i]
    return found
