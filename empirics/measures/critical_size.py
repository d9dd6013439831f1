"""The measured critical size: the posterior of where test accuracy at the horizon, averaged over seeds, crosses 1/2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dcrit.empirics.runs.outcomes import Outcome, Settled, accuracy_above_chance
from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import LEVEL, Estimate, Interval

FloatArray = NDArray[np.float64]

#: Accuracies beyond these say on which side of the midpoint a run lies, and no more: tails are not logistic, and
#: narrow networks never become perfect.
TRUSTED = (0.15, 0.85)

#: Floors f that accuracy rests on below the transition, with their prior: some networks get a part of the examples
#: right without generalizing, such as mirror images. Most rest at 0, which therefore has most of the prior; the others
#: are left so little of it that only several runs on a plateau speak for one. A floor up to 0.15 needs no place of its
#: own, because accuracies there are not trusted anyway, and one above one half leaves nothing to cross.
FLOORS, FLOOR_PRIOR = (0.0, 0.2, 0.3, 0.4), (0.85, 0.05, 0.05, 0.05)

#: Runs on a floor above 0 scatter evenly by so much around it, somewhat more than half the distance of two floors, so
#: that the runs of one plateau share a floor. This share of them lies lower still, so that one failed run does not rule
#: out a plateau of many.
FLOOR_SPREAD, FALLEN = 0.12, 0.01

#: Priors of the width s and of the scatter τ between seeds, both in ln D: median, standard deviation of the logarithm.
#: The transitions of 18 pair-MLPs and 7 transformers in ``docs/results`` have s from 0.03 to 0.24 and τ from 0.012 to
#: 0.17 each by itself; priors with those medians are the likeliest for all 25, and both are wider than they need be.
#: That of s says what a run far from the midpoint resolves: where accuracy leaps from 0 to 1 between two sizes,
#: nearly every place between them remains possible.
WIDTH_PRIOR, SCATTER_PRIOR = (0.1, 0.7), (0.05, 0.9)

#: Points of both grids, over 2.5 standard deviations on either side.
WIDTHS, SCATTERS = 19, 13

#: Degrees of freedom of the scatter between seeds: a rare run collapses late. The closed form of its tail needs 4.
TAIL = 4

#: Density of Student's distribution with that many degrees of freedom at 0.
STUDENT_PEAK = 0.375

#: Midpoints are looked for so far below the largest size there is and the smallest that was run, in ln D.
BELOW_ALL, BELOW_RUNS = 4.0, 2.0

#: The grid of midpoints: its step in ln D everywhere, and how many points refine it between these quantiles.
STEP, REFINED, REFINED_QUANTILES = 0.04, 200, (1e-3, 1 - 1e-3)

#: Posteriors that are kept, a few hundred kB each: design, measurement, draws and width ask for the same one in turn.
KEPT = 128


@dataclass(frozen=True, kw_only=True)
class Psychometric:
    """Accuracy over size as a logistic curve, acc(D) = 1/(1 + exp(−(ln D − μ)/s)).

    Attributes:
        midpoint: exp(μ), the size at accuracy one half [examples].
        width: s, in ln D.
    """

    midpoint: float
    width: float

    def accuracy(self, n_train: float) -> float:
        """Expected accuracy at a size."""
        return float(expit((math.log(n_train) - math.log(self.midpoint)) / self.width))


class Sides(StrEnum):
    """On which sides of one half seed-averaged accuracies lie: a critical size exists where they lie on both."""

    NO_RUN = "no run"
    BELOW = "below one half at every size"
    ABOVE = "one half or more at every size"
    FALLING = "below one half only above the sizes of one half or more"
    BOTH = "below one half, and one half or more at a larger size"


def sides_of(n_train: FloatArray, accuracy: FloatArray) -> Sides:
    """Where accuracies, averaged over the runs of each size, lie.

    Args:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies there.
    """
    if not n_train.size:
        return Sides.NO_RUN
    sizes, place, counts = np.unique(n_train, return_inverse=True, return_counts=True)
    enough = np.bincount(place, accuracy) / counts >= 0.5
    if enough.all() or not enough.any():
        return Sides.ABOVE if enough[0] else Sides.BELOW
    return Sides.BOTH if sizes[~enough].min() < sizes[enough].max() else Sides.FALLING


@dataclass(frozen=True, kw_only=True)
class PsychometricPosterior:
    """What runs say about the midpoint of a transition whose place scatters between seeds.

    Run r of size D_r has accuracy f + (1 − f)·expit(x_r + ln(1 − 2f)), x_r = (ln D_r − μ − ε_r)/s, with ε_r/τ
    distributed as Student's t; the shift by ln(1 − 2f) puts accuracy one half at μ on every floor f.
    A trusted accuracy a has the density t(ε/τ)·(s/τ)·(1 − f)/((a − f)(1 − a)) at
    ε = ln D_r − μ − s·ln((a − f)/((1 − a)(1 − 2f))), one above ``TRUSTED`` the probability of lying there, and one
    below that probability times the density of accuracies on the floor. The prior is flat in μ, log-normal in s and τ,
    and ``FLOOR_PRIOR`` on ``FLOORS``.

    Attributes:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies.
        largest: Most examples that a midpoint may lie at.

    Source: kontsevich1999, wichmann2001.
    """

    n_train: FloatArray
    accuracy: FloatArray
    largest: float

    @cached_property
    def _found(self) -> tuple[FloatArray, FloatArray]:
        """Grid of μ, and the density there of each s, τ integrated out: (μ,), (μ, s)."""
        high = math.log(self.largest)
        low = min([high - BELOW_ALL, *(np.log(self.n_train) - BELOW_RUNS)])
        coarse = np.linspace(low, high, math.ceil((high - low) / STEP) + 1)
        first, last = np.interp(REFINED_QUANTILES, _cumulative(coarse, self._density(coarse).sum(1)), coarse)
        ends = max(low, first - STEP), min(high, last + STEP)
        grid = np.union1d(coarse, np.linspace(*ends, REFINED))
        return grid, self._density(grid)

    def _density(self, log_sizes: FloatArray) -> FloatArray:
        """Posterior density over μ and s up to a factor, τ and the floor integrated out: (μ, s)."""
        totals = np.stack([self._log_density(log_sizes, f) for f in FLOORS])  # (f, μ, s, τ)
        totals += np.log(FLOOR_PRIOR)[:, None, None, None]
        return np.exp(totals - totals.max()).sum((0, 3))

    def _log_density(self, log_sizes: FloatArray, floor: float) -> FloatArray:
        """Ln of the density on one floor up to a summand that all floors share: (μ, s, τ)."""
        widths, scatters = _grid(WIDTH_PRIOR, WIDTHS), _grid(SCATTER_PRIOR, SCATTERS)
        prior = np.add.outer(_log_prior(widths, WIDTH_PRIOR), _log_prior(scatters, SCATTER_PRIOR))  # (s, τ)
        total = np.broadcast_to(prior, (log_sizes.size, *prior.shape)).copy()  # (μ, s, τ)
        edge = _floor_edge(floor)
        below, above = self.accuracy <= edge, self.accuracy >= TRUSTED[1]
        trusted = ~below & ~above

        def deviation(n_train: float, accuracy: float) -> FloatArray:
            """ε/τ, (μ, s, τ)."""
            rise = math.log((accuracy - floor) / ((1 - accuracy) * (1 - 2 * floor)))
            shift = np.subtract.outer(math.log(n_train) - log_sizes, widths * rise)  # (μ, s)
            return shift[:, :, None] / scatters

        for n_train, accuracy in zip(self.n_train[trusted], self.accuracy[trusted], strict=True):
            total -= 0.5 * (TAIL + 1) * np.log1p(deviation(n_train, accuracy) ** 2 / TAIL)
            total += math.log(STUDENT_PEAK * (1 - floor) / ((accuracy - floor) * (1 - accuracy)))
        total += trusted.sum() * np.log(widths[:, None] / scatters)
        total += np.log(_floor_density(self.accuracy[below], floor)).sum()
        for n_train, times in zip(*np.unique(self.n_train[above], return_counts=True), strict=True):
            total += times * _log_tail(deviation(n_train, TRUSTED[1]))
        for n_train, times in zip(*np.unique(self.n_train[below], return_counts=True), strict=True):
            total += times * _log_tail(-deviation(n_train, edge))
        return total

    @property
    def log_sizes(self) -> FloatArray:
        """Grid of μ, rising and not even."""
        return self._found[0]

    def quantiles(self, probabilities: Sequence[float], place: FloatArray | None = None) -> FloatArray:
        """Quantiles of the midpoint [examples].

        Args:
            probabilities: Which.
            place: Further log-density over ``log_sizes``.
        """
        log_sizes, density = self._found
        weight = density.sum(1)  # (μ,)
        if place is not None:
            weight = weight * np.exp(place - place.max())
        return np.exp(np.interp(probabilities, _cumulative(log_sizes, weight), log_sizes))

    @property
    def midpoint(self) -> float:
        """Posterior median of the midpoint [examples]."""
        return float(self.quantiles([0.5])[0])

    @property
    def width(self) -> float:
        """Posterior mean of ln s, as s."""
        log_sizes, density = self._found
        weight = np.gradient(log_sizes) @ density  # (s,)
        return math.exp(float(weight @ np.log(_grid(WIDTH_PRIOR, WIDTHS))) / float(weight.sum()))

    def interval(self, level: float = LEVEL) -> Interval:
        """Central interval of the midpoint [examples]."""
        low, high = self.quantiles([(1 - level) / 2, (1 + level) / 2])
        return Interval(low=float(low), high=float(high), level=level)

    def draws(self, n_draws: int, *, seed: int | Sequence[int] = 0) -> FloatArray:
        """Draws of the midpoint, (n_draws,) [examples].

        Args:
            n_draws: How many.
            seed: Of their order; draws that are compared need different ones.
        """
        # Evenly spread probabilities in random order: no noise from the draws themselves.
        probabilities = (np.arange(n_draws) + 0.5) / n_draws
        return self.quantiles(np.random.default_rng(seed).permutation(probabilities).tolist())


def _grid(prior: tuple[float, float], n: int) -> FloatArray:
    """Values within 2.5 standard deviations of a log-normal prior."""
    return prior[0] * np.exp(prior[1] * np.linspace(-2.5, 2.5, n))


def _log_prior(values: FloatArray, prior: tuple[float, float]) -> FloatArray:
    return -0.5 * (np.log(values / prior[0]) / prior[1]) ** 2


def _log_tail(t: FloatArray) -> FloatArray:
    """Ln of the probability below t of Student's distribution with four degrees of freedom.

    F(t) = (1 + u)²·(2 − u)/4 with u = t/√(4 + t²); far below, 1 + u is a small difference and written as a quotient
    """
    root = np.sqrt(4 + t**2)
    above = np.where(t < 0, 4 / (root * (root + np.abs(t))), 1 + t / root)  # 1 + u
    return 2 * np.log(above) + np.log(3 - above) - math.log(4)


def _floor_edge(floor: float) -> float:
    """Accuracy up to which a run may rest on a floor."""
    return floor + FLOOR_SPREAD if floor else TRUSTED[0]


def _floor_density(accuracy: FloatArray, floor: float) -> FloatArray:
    """Density of the accuracies of runs that rest on a floor, (n,)."""
    if not floor:
        return np.full(accuracy.shape, 1 / TRUSTED[0])
    start = floor - FLOOR_SPREAD
    return np.where(accuracy < start, FALLEN / start, (1 - FALLEN) / (2 * FLOOR_SPREAD))


def _cumulative(log_sizes: FloatArray, density: FloatArray) -> FloatArray:
    """Probability below each point, of a density that is linear between them."""
    parts = np.diff(log_sizes) * (density[1:] + density[:-1]) / 2
    total = np.concatenate([[0.0], np.cumsum(parts)])
    return total / total[-1]


@lru_cache(maxsize=KEPT)
def _kept_posterior(runs: tuple[tuple[float, float], ...], largest: float) -> PsychometricPosterior:
    n_train, accuracy = np.array(runs, dtype=np.float64).reshape(-1, 2).T
    return PsychometricPosterior(n_train=n_train, accuracy=accuracy, largest=largest)


def posterior_of(n_train: FloatArray, accuracy: FloatArray, largest: float) -> PsychometricPosterior:
    """The posterior of those runs, in any order, computed once for all who ask for it.

    Args:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies.
        largest: Most examples that a midpoint may lie at.
    """
    return _kept_posterior(tuple(sorted(zip(n_train.tolist(), accuracy.tolist(), strict=True))), float(largest))


def sizes_and_accuracies(outcomes: Sequence[Settled]) -> tuple[FloatArray, FloatArray]:
    """Sizes (n,) and final test accuracies (n,), above chance, of the runs that have one; diverged runs have none."""
    usable = [o for o in outcomes if math.isfinite(o.test_accuracy)]
    return (
        np.array([o.config.n_train for o in usable], dtype=np.float64),
        np.array([accuracy_above_chance(o.test_accuracy, o.config.n_classes) for o in usable]),
    )


def posterior_of_outcomes(outcomes: Sequence[Outcome]) -> PsychometricPosterior:
    """The posterior of runs of one problem to one horizon.

    Args:
        outcomes: At least one; diverged ones are left out.

    Raises:
        ValueError: They are of several horizons, such as probes beside full runs.
    """
    _horizon_of(outcomes)
    return posterior_of(*sizes_and_accuracies(outcomes), outcomes[0].config.problem.n_pairs)


def transition_width(outcomes: Sequence[Outcome]) -> float | None:
    """Posterior width s of the transition in ln D; None where there is none."""
    if sides_of(*sizes_and_accuracies(outcomes)) is not Sides.BOTH:
        return None
    return posterior_of_outcomes(outcomes).width


def measure_critical_size(
    outcomes: Sequence[Outcome], *, tolerance: float | None = None, level: float = LEVEL
) -> Estimate:
    """Critical size with its posterior interval from runs over sizes and seeds, wherever they come from.

    Every run counts with the accuracy it has at the horizon, whether or not its norm stands still.

    Args:
        outcomes: Runs of one problem to one horizon; diverged ones are counted and left out.
        tolerance: Relative half width that the interval was to have; a wider one is said to be so.
        level: Probability content of the interval.

    Raises:
        ValueError: The runs are of several horizons.
    """
    n_train, accuracy = sizes_and_accuracies(outcomes)
    return critical_size_of(
        n_train,
        accuracy,
        largest=outcomes[0].config.problem.n_pairs if outcomes else math.inf,
        horizon=_horizon_of(outcomes),
        n_lost=len(outcomes) - int(n_train.size),
        tolerance=tolerance,
        level=level,
    )


def critical_size_of(
    n_train: FloatArray,
    accuracy: FloatArray,
    *,
    largest: float,
    horizon: int | None,
    n_lost: int = 0,
    tolerance: float | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Critical size with its posterior interval from sizes and accuracies.

    The estimate is the posterior median of :class:`PsychometricPosterior`.

        >>> import numpy as np
        >>> from dcrit.empirics.measures.critical_size import critical_size_of
        >>> sizes, accuracy = np.array([100.0, 180.0, 320.0]), np.array([0.0, 0.0, 0.956])
        >>> found = critical_size_of(sizes, accuracy, largest=529, horizon=4000)
        >>> round(found.value), round(found.interval.low), round(found.interval.high)
        (240, 189, 307)

    Args:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies there, as :func:`accuracy_above_chance` counts them.
        largest: Examples that exist [examples].
        horizon: Steps of every run; None where none was made [steps].
        n_lost: Runs that diverged and are left out.
        tolerance: Relative half width that the interval was to have; a wider one is said to be so.
        level: Probability content of the interval.
    """
    value, interval = None, None
    if sides_of(n_train, accuracy) is Sides.BOTH:
        posterior = posterior_of(n_train, accuracy, largest)
        value, interval = posterior.midpoint, posterior.interval(level)
        reason = _limits(interval, n_train, tolerance)
    else:
        reason = _no_transition(n_train, accuracy, horizon)
    return Estimate(
        quantity="critical_size",
        value=value,
        interval=interval,
        unit="examples",
        horizon=horizon,
        n_runs=int(n_train.size),
        n_unconverged=n_lost,
        reason=reason,
    )


def _limits(interval: Interval, n_train: FloatArray, tolerance: float | None) -> str:
    """What the interval lacks, in words."""
    said: list[str] = []
    if interval.low < n_train.min() or interval.high > n_train.max():
        said.append(f"the interval reaches beyond the sizes tried, {n_train.min():.0f} to {n_train.max():.0f}")
    if tolerance is not None and math.log(interval.high / interval.low) / 2 > tolerance:
        said.append("the runs ended before the interval was as narrow as asked for")
    return "; ".join(said)


def _no_transition(n_train: FloatArray, accuracy: FloatArray, horizon: int | None) -> str:
    """Why there is no critical size, with the horizon and the sizes tried."""
    by = "at the horizon" if horizon is None else f"by step {horizon}"
    if not n_train.size:
        return f"no transition {by}: no run has a test accuracy"
    tried = ", ".join(f"{size:.0f} ({accuracy[n_train == size].mean():.2f})" for size in np.unique(n_train))
    sides = sides_of(n_train, accuracy)
    what = "cannot tell the transition" if sides is Sides.FALLING else "no transition"
    return f"{what} {by}: mean test accuracy is {sides}: {tried}"


def _horizon_of(outcomes: Sequence[Outcome]) -> int | None:
    """The one horizon of all runs [steps]; None without runs."""
    horizons = sorted({one.config.horizon for one in outcomes})
    if len(horizons) > 1:
        raise FieldError("outcomes", "have one horizon", horizons)
    return horizons[0] if horizons else None
