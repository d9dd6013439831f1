"""A measured critical size from a handful of runs: a posterior says where to look next, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, stdtr

from dcrit.empirics.measures.critical_size import (
    COARSE_FRACTIONS,
    horizon_of,
    is_bracketed,
    no_transition,
    sizes_and_accuracies,
)
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.checks import check_integer, check_positive
from dcrit.theory.estimates import LEVEL, Estimate, Interval
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Accuracies beyond these say on which side of the midpoint a run lies, and no more: tails are not logistic, and
#: narrow networks never become perfect.
TRUSTED = (0.15, 0.85)

#: Priors of the width s and of the scatter τ between seeds, both in ln D: median, standard deviation of the logarithm.
#: Own runs at moduli 17 to 23, seven pair-MLPs: s from 0.06 to 0.27, τ from 0.014 to 0.066.
WIDTH_PRIOR, SCATTER_PRIOR = (0.12, 0.6), (0.04, 0.7)

#: Degrees of freedom of the scatter between seeds: a rare run collapses late.
TAIL = 4

#: Probes end at this fraction of the horizon. Their size of half accuracy lies this far above the one at the horizon in
#: ln D, give or take: 0.23 to 0.41 in those seven. It says where to look, and never enters an estimate.
PROBE_FRACTION = 0.1
PROBE_SHIFT, PROBE_SPREAD = 0.3, 0.2

#: Runs of a round, and the runs without which nothing is estimated.
ROUND_RUNS, FEWEST_RUNS = 2, 4

#: Posteriors that are kept, a few hundred kB each: design, measurement, draws and width ask for the same one in turn.
KEPT = 128


@dataclass(frozen=True, kw_only=True)
class PsychometricPosterior:
    """What runs say about the midpoint of a transition whose place scatters between seeds.

    Run r of size D_r has accuracy expit((ln D_r − μ − ε_r)/s) with ε_r/τ distributed as Student's t:
    an accuracy a inside ``TRUSTED`` has the density t(ε/τ)·s/(τ·a(1 − a)) at ε = ln D_r − μ − s·logit a,
    one outside the probability of lying there.

    Attributes:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies.
        largest: Most examples that a midpoint may lie at.

    Source: kontsevich1999.
    """

    n_train: FloatArray
    accuracy: FloatArray
    largest: float

    @cached_property
    def log_sizes(self) -> FloatArray:
        """Grid of μ."""
        return np.arange(max(0.0, math.log(self.largest) - 4.0), math.log(self.largest), 0.005)

    @cached_property
    def _posterior(self) -> FloatArray:
        """Probabilities over μ and s, summed over τ: (μ, s)."""
        widths, scatters = _grid(WIDTH_PRIOR, 25), _grid(SCATTER_PRIOR, 13)
        prior = np.add.outer(_log_prior(widths, WIDTH_PRIOR), _log_prior(scatters, SCATTER_PRIOR))  # (s, τ)
        total = np.broadcast_to(prior, (self.log_sizes.size, *prior.shape)).copy()  # (μ, s, τ)
        width, scatter = widths[:, None], scatters  # (s, 1), (τ,)
        for log_size, accuracy in zip(np.log(self.n_train), self.accuracy, strict=True):
            offset = (log_size - self.log_sizes)[:, None, None]  # (μ, 1, 1)
            deviation = (offset - width * logit(np.clip(accuracy, *TRUSTED))) / scatter  # ε/τ, (μ, s, τ)
            if TRUSTED[0] < accuracy < TRUSTED[1]:
                total += np.log(width / scatter) - 0.5 * (TAIL + 1) * np.log1p(deviation**2 / TAIL)
            else:
                above = accuracy >= TRUSTED[1]
                total += np.log(np.maximum(stdtr(TAIL, deviation if above else -deviation), 1e-300))
        weight = np.exp(total - total.max()).sum(2)  # (μ, s)
        return weight / weight.sum()

    def _cumulative(self, place: FloatArray | None) -> FloatArray:
        weight = self._posterior.sum(1)  # (μ,)
        if place is not None:
            weight = weight * np.exp(place - place.max())
        return np.cumsum(weight) / weight.sum()

    def quantiles(self, probabilities: Sequence[float], place: FloatArray | None = None) -> FloatArray:
        """Quantiles of the midpoint [examples].

        Args:
            probabilities: Which.
            place: Further log-density over ``log_sizes``.
        """
        return np.exp(np.interp(probabilities, self._cumulative(place), self.log_sizes))

    @property
    def width(self) -> float:
        """Posterior mean of ln s, as s."""
        return math.exp(float(self._posterior.sum(0) @ np.log(_grid(WIDTH_PRIOR, 25))))

    def interval(self, level: float = LEVEL) -> Interval:
        """Central interval of the midpoint [examples]."""
        low, high = self.quantiles([(1 - level) / 2, (1 + level) / 2])
        return Interval(low=float(low), high=float(high), level=level)


@lru_cache(maxsize=KEPT)
def _kept_posterior(n_train: tuple[float, ...], accuracy: tuple[float, ...], largest: float) -> PsychometricPosterior:
    return PsychometricPosterior(n_train=np.array(n_train), accuracy=np.array(accuracy), largest=largest)


def posterior_of(n_train: FloatArray, accuracy: FloatArray, largest: float) -> PsychometricPosterior:
    """The posterior of those runs, computed once for all who ask for it.

    Args:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies.
        largest: Most examples that a midpoint may lie at.
    """
    return _kept_posterior(tuple(n_train.tolist()), tuple(accuracy.tolist()), largest)


def _grid(prior: tuple[float, float], n: int) -> FloatArray:
    """Values within 2.5 standard deviations of a log-normal prior."""
    return prior[0] * np.exp(prior[1] * np.linspace(-2.5, 2.5, n))


def _log_prior(values: FloatArray, prior: tuple[float, float]) -> FloatArray:
    return -0.5 * (np.log(values / prior[0]) / prior[1]) ** 2


@dataclass(frozen=True, kw_only=True)
class SequentialDesign:
    """Which few runs measure the critical size of one problem: short probes, then full runs where the posterior points.

    Every run has a seed of its own. Rounds are small, so fewer cores are busy than with
    :class:`~dcrit.empirics.measures.critical_size.CriticalSizeDesign`, and far fewer steps are taken.

    Attributes:
        problem: What to measure.
        tolerance: Half width of the 90 % interval to reach, relative.
        budget: Model-steps to spend at most, in horizons.
        steps: Horizon [steps]; 0 for the protocol's.
        first_seed: Seeds count up from here.
        start: A size to look at first instead of probing, such as a predicted one; it never enters the estimate.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    tolerance: float = 0.05
    budget: float = 6.0
    steps: int = 0
    first_seed: int = 0
    start: float | None = None

    def __post_init__(self) -> None:
        check_positive("tolerance", self.tolerance)
        check_positive("budget", self.budget)
        check_integer("steps", self.steps, 0)
        check_integer("first_seed", self.first_seed, 0)
        if self.start is not None:
            check_positive("start", self.start)

    @property
    def horizon(self) -> int:
        """Steps of a full run [steps]."""
        return self._config(1, 0).horizon

    @property
    def largest(self) -> RunConfig:
        """A full run on as many pairs as a run may have: none takes longer."""
        return self._config(self.problem.n_pairs, self.first_seed)

    def propose(self, outcomes: Sequence[Outcome]) -> list[RunConfig]:
        """Runs to make next; none when the interval is narrow enough, the budget spent, or no transition found."""
        if not outcomes and self.start is None:
            return self._probes()
        probes = [one for one in outcomes if one.config.horizon < self.horizon]
        full = [one for one in outcomes if one.config.horizon == self.horizon]
        spent = sum(one.config.horizon for one in outcomes) / self.horizon
        room = min(ROUND_RUNS, math.floor(self.budget - spent + 1e-9))
        n_train, accuracy = sizes_and_accuracies(full)
        if room <= 0 or self._is_without(n_train, accuracy):
            return []
        posterior = posterior_of(n_train, accuracy, self.problem.n_pairs)
        if self._is_enough(posterior):
            return []
        low, middle, high = posterior.quantiles([0.3, 0.5, 0.7], self._place(probes, posterior.log_sizes))
        apart = max(math.log(high / low) / 2, 0.3 * posterior.width)
        used = max([self.first_seed - 1, *(one.config.seed for one in outcomes)]) + 1
        sizes = [middle] if room == 1 else [middle * math.exp(-apart), middle * math.exp(apart)]
        return [self._config(size, used + k) for k, size in enumerate(sizes)]

    def _is_enough(self, posterior: PsychometricPosterior) -> bool:
        if posterior.n_train.size < FEWEST_RUNS or not is_bracketed(posterior.n_train, posterior.accuracy):
            return False
        interval = posterior.interval()
        return math.log(interval.high / interval.low) / 2 <= self.tolerance

    def _is_without(self, n_train: FloatArray, accuracy: FloatArray) -> bool:
        """Whether two runs on nearly all pairs do not generalize."""
        return int((accuracy[n_train >= 0.9 * self.problem.n_pairs] < 0.5).sum()) >= 2

    def _probes(self) -> list[RunConfig]:
        steps = math.ceil(PROBE_FRACTION * self.horizon)
        sizes = sorted({self._size(fraction * self.problem.n_pairs) for fraction in COARSE_FRACTIONS})
        return [
            RunConfig(problem=self.problem, n_train=size, seed=self.first_seed + k, steps=steps)
            for k, size in enumerate(sizes)
        ]

    def _place(self, probes: Sequence[Outcome], log_sizes: FloatArray) -> FloatArray:
        """Log-density over ln D of where the midpoint is looked for before any full run has spoken."""
        guess = None if self.start is None else math.log(self.start)
        if guess is None:
            n_train, accuracy = sizes_and_accuracies(probes)
            order = np.argsort(n_train)
            # What a probe reached, a larger one would reach as well.
            log_odds = logit(np.clip(np.maximum.accumulate(accuracy[order]), 0.02, 0.98))
            if log_odds.size and log_odds[0] < 0 < log_odds[-1]:
                log_size = np.log(n_train[order])
                after = int(np.argmax(log_odds > 0))
                pair = slice(after - 1, after + 1)
                guess = float(np.interp(0.0, log_odds[pair], log_size[pair])) - PROBE_SHIFT
            else:
                reached = bool(log_odds.size and log_odds[0] >= 0)
                edge = COARSE_FRACTIONS[0] if reached else COARSE_FRACTIONS[2]
                below = log_sizes < math.log(max(2.0, edge * self.problem.n_pairs))
                return np.where(below == reached, 0.0, -20.0)
        # Cauchy's tails: a wrong guess is given up after a run or two.
        return -np.log1p(((log_sizes - guess) / PROBE_SPREAD) ** 2)

    def _size(self, n_train: float) -> int:
        """The nearest size that leaves something to test on."""
        return min(self.problem.n_pairs - 1, max(1, round(n_train)))

    def _config(self, n_train: float, seed: int) -> RunConfig:
        return RunConfig(
            problem=self.problem, n_train=self._size(n_train), seed=seed, steps=self.steps, until="generalized"
        )


def full_runs(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those of the longest horizon, without probes."""
    horizon = max((one.config.horizon for one in outcomes), default=0)
    return [one for one in outcomes if one.config.horizon == horizon]


def midpoint_draws(outcomes: Sequence[Outcome], n_draws: int, *, seed: int = 0) -> FloatArray:
    """Draws of the critical size from its posterior, (n_draws,) [examples].

    Args:
        outcomes: Runs of one problem with sizes on both sides of its transition; probes do not count.
        n_draws: How many.
        seed: Of the draws.
    """
    full = full_runs(outcomes)
    n_train, accuracy = sizes_and_accuracies(full)
    posterior = posterior_of(n_train, accuracy, full[0].config.problem.n_pairs)
    # Evenly spread probabilities in random order: no noise from the draws themselves.
    probabilities = (np.arange(n_draws) + 0.5) / n_draws
    return posterior.quantiles(np.random.default_rng(seed).permutation(probabilities).tolist())


def sequential_transition_width(outcomes: Sequence[Outcome]) -> float | None:
    """Posterior width s of the transition in ln D; None where there is none."""
    full = full_runs(outcomes)
    n_train, accuracy = sizes_and_accuracies(full)
    if n_train.size == 0 or not is_bracketed(n_train, accuracy):
        return None
    return posterior_of(n_train, accuracy, full[0].config.problem.n_pairs).width


def measure_sequentially(
    outcomes: Sequence[Outcome], *, tolerance: float | None = None, level: float = LEVEL
) -> Estimate:
    """Critical size with its posterior interval from the runs of a sequential design.

    Runs of the longest horizon count; probes do not.

    Args:
        outcomes: Runs of one problem; diverged ones are counted and left out.
        tolerance: Relative half width that the interval was to have; a wider one is said to be so.
        level: Probability content of the interval.
    """
    full = full_runs(outcomes)
    n_train, accuracy = sizes_and_accuracies(full)
    n_lost = len(full) - int(n_train.size)
    if not is_bracketed(n_train, accuracy):
        return no_transition(n_train, accuracy, horizon=horizon_of(full), n_lost=n_lost)
    posterior = posterior_of(n_train, accuracy, full[0].config.problem.n_pairs)
    interval = posterior.interval(level)
    wide = tolerance is not None and math.log(interval.high / interval.low) / 2 > tolerance
    return Estimate(
        quantity="critical_size",
        value=float(posterior.quantiles([0.5])[0]),
        interval=interval,
        unit="examples",
        horizon=horizon_of(full),
        n_runs=int(n_train.size),
        n_unconverged=n_lost,
        reason="the budget ended before the interval was as narrow as asked for" if wide else "",
    )
