"""Which few runs measure a critical size: a posterior says where to look next, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from dcrit.empirics.measures.critical_size import (
    PsychometricPosterior,
    Sides,
    measure_critical_size,
    posterior_of,
    sides_of,
    sizes_and_accuracies,
)
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.checks import check_integer, check_positive
from dcrit.theory.estimates import LEVEL, Estimate
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Probes: fractions of all pairs, evenly spaced in ln D.
PROBE_SIZES = (0.12, 0.18, 0.27, 0.4, 0.6, 0.9)

#: Probes end at this fraction of the horizon. Their size of half accuracy lies this far above the one at the horizon in
#: ln D, give or take: 0.23 to 0.41 in seven pair-MLPs. It says where to look, and never enters an estimate.
PROBE_FRACTION = 0.1
PROBE_SHIFT, PROBE_SPREAD = 0.3, 0.2

#: Runs of a round, and the full runs without which no interval is narrow enough.
ROUND_RUNS, FEWEST_RUNS = 2, 4


@dataclass(frozen=True, kw_only=True)
class SequentialDesign:
    """Which few runs measure the critical size of one problem: short probes, then full runs where the posterior points.

    Every run has a seed of its own: training sets of one seed are nested in D, and runs are taken as independent.

    Attributes:
        problem: What to measure.
        tolerance: Half width of the 90 % interval to reach, relative.
        budget: Model-steps to spend at most, in horizons.
        max_runs: Runs to make at most, probes among them; None for as many as the budget allows.
        steps: Horizon [steps]; 0 for the protocol's.
        first_seed: Seeds count up from here.
        start: A size to look at first instead of probing, such as a predicted one; it never enters the estimate.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    tolerance: float = 0.05
    budget: float = 6.0
    max_runs: int | None = None
    steps: int = 0
    first_seed: int = 0
    start: float | None = None

    def __post_init__(self) -> None:
        check_positive("tolerance", self.tolerance)
        if self.max_runs is not None:
            check_integer("max_runs", self.max_runs, 1)
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
        """Runs to make next; none when the interval is narrow enough, a limit is reached, or no transition found."""
        if not outcomes and (probes := self._probes()):
            return probes
        full = self.full_runs(outcomes)
        n_train, accuracy = sizes_and_accuracies(full)
        room = min(ROUND_RUNS, self._room(outcomes))
        if room <= 0 or self._is_without(full, n_train, accuracy):
            return []
        posterior = posterior_of(n_train, accuracy, self.problem.n_pairs)
        if is_narrow(posterior, self.tolerance):
            return []
        probes = [one for one in outcomes if one.config.horizon != self.horizon]
        sizes = sizes_around(posterior, room, self._place(probes, posterior.log_sizes))
        used = max([self.first_seed - 1, *(one.config.seed for one in outcomes)]) + 1
        return [self._config(size, used + k) for k, size in enumerate(sizes)]

    def full_runs(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Those taken to the horizon, without probes."""
        return [one for one in outcomes if one.config.horizon == self.horizon]

    def measure(self, outcomes: Sequence[Outcome], *, level: float = LEVEL) -> Estimate:
        """Critical size from the full runs; probes say where to look and nothing else.

        Args:
            outcomes: Runs of this design; diverged ones are counted and left out.
            level: Probability content of the interval.
        """
        found = measure_critical_size(self.full_runs(outcomes), tolerance=self.tolerance, level=level)
        if found.n_runs + found.n_unconverged == 0:
            most = "" if self.max_runs is None else f" and at most {self.max_runs} runs"
            why = f"not measured: a budget of {self.budget:g} horizons{most} left no full run"
            found = replace(found, horizon=self.horizon, reason=why)
        return found

    def _room(self, outcomes: Sequence[Outcome]) -> int:
        """Full runs that both limits still allow."""
        spent = sum(one.config.horizon for one in outcomes) / self.horizon
        room = math.floor(self.budget - spent + 1e-9)
        return room if self.max_runs is None else min(room, self.max_runs - len(outcomes))

    def _is_without(self, full: Sequence[Outcome], n_train: FloatArray, accuracy: FloatArray) -> bool:
        """Whether two runs on nearly all pairs do not generalize, or none of the first ones has an accuracy."""
        if len(full) >= FEWEST_RUNS and not n_train.size:
            return True
        return int((accuracy[n_train >= 0.9 * self.problem.n_pairs] < 0.5).sum()) >= 2

    def _probes(self) -> list[RunConfig]:
        """Short runs over all sizes; none where a size to look at is given."""
        if self.start is not None:
            return []
        steps = math.ceil(PROBE_FRACTION * self.horizon)
        sizes = sorted({self._size(fraction * self.problem.n_pairs) for fraction in PROBE_SIZES})
        probes = [
            RunConfig(problem=self.problem, n_train=size, seed=self.first_seed + k, steps=steps)
            for k, size in enumerate(sizes)
        ]
        return probes[: self.max_runs]

    def _place(self, probes: Sequence[Outcome], log_sizes: FloatArray) -> FloatArray | None:
        """Log-density over ln D of where the midpoint is looked for before any full run has spoken."""
        guess = None if self.start is None else math.log(self.start)
        n_train, accuracy = sizes_and_accuracies(probes)
        if guess is None:
            if not n_train.size:
                return None
            guess = guess_of(n_train, accuracy)
            if guess is None:
                reached = bool(accuracy[np.argmin(n_train)] >= 0.5)
                edge = PROBE_SIZES[0] if reached else PROBE_SIZES[2]
                below = log_sizes < math.log(max(2.0, edge * self.problem.n_pairs))
                return np.where(below == reached, 0.0, -20.0)
        return near(guess, log_sizes)

    def _size(self, n_train: float) -> int:
        """The nearest size that leaves something to test on."""
        return min(self.problem.n_pairs - 1, max(1, round(n_train)))

    def _config(self, n_train: float, seed: int) -> RunConfig:
        return RunConfig(
            problem=self.problem, n_train=self._size(n_train), seed=seed, steps=self.steps, until="generalized"
        )


def guess_of(n_train: FloatArray, accuracy: FloatArray) -> float | None:
    """Where short probes put the transition at the horizon, in ln D; None where not both of its sides were seen.

    Args:
        n_train: (n,) sizes of the probes.
        accuracy: (n,) test accuracies at their end.
    """
    order = np.argsort(n_train)
    # What a probe reached, a larger one would reach as well.
    log_odds = logit(np.clip(np.maximum.accumulate(accuracy[order]), 0.02, 0.98))
    if not log_odds.size or not log_odds[0] < 0 < log_odds[-1]:
        return None
    log_size = np.log(n_train[order])
    after = int(np.argmax(log_odds > 0))
    pair = slice(after - 1, after + 1)
    return float(np.interp(0.0, log_odds[pair], log_size[pair])) - PROBE_SHIFT


def near(guess: float, log_sizes: FloatArray, spread: float = PROBE_SPREAD) -> FloatArray:
    """Log-density over ln D around a guess; Cauchy's tails, so that a wrong guess is given up after a run or two.

    Args:
        guess: In ln D.
        log_sizes: Where.
        spread: Half width at half height, in ln D.
    """
    return -np.log1p(((log_sizes - guess) / spread) ** 2)


def sizes_around(posterior: PsychometricPosterior, n_runs: int, place: FloatArray | None = None) -> list[float]:
    """One or two sizes to run next: the midpoint, or one on either side of it.

    Args:
        posterior: What is known.
        n_runs: How many runs there is room for, at least 1.
        place: Further log-density over the posterior's ``log_sizes``.
    """
    low, middle, high = posterior.quantiles([0.3, 0.5, 0.7], place)
    apart = max(math.log(high / low) / 2, 0.3 * posterior.width)
    return [middle] if n_runs == 1 else [middle * math.exp(-apart), middle * math.exp(apart)]


def is_narrow(posterior: PsychometricPosterior, tolerance: float) -> bool:
    """Whether enough runs on both sides make an interval of at most that relative half width."""
    if posterior.n_train.size < FEWEST_RUNS or sides_of(posterior.n_train, posterior.accuracy) is not Sides.BOTH:
        return False
    interval = posterior.interval()
    return math.log(interval.high / interval.low) / 2 <= tolerance
