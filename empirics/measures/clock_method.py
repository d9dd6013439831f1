"""Critical size from a few short runs above the transition: the time that each takes, carried on by the clock.

    ln D = ln D_crit(t) + ε,   ln D_crit(t) = δ + ln D_law(t) + b·ln(t/T)

A run on D examples that passes test accuracy 1/2 at step t says that D was enough by step t. The law of both thresholds
says how much less is enough by the horizon. Of that law only the shape is used, with the covariance of its constants
and a drift b that no constant explains. Its prefactor is free for each problem: δ has a wide prior. A run that does not
pass by the step at which it is cut off says that D was not enough by then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.outcomes import HALF_PERSISTENCE, SETTLED_FRACTION, passage
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.checks import check_integer, check_positive
from dcrit.theory.circuits.clock import Clock
from dcrit.theory.estimates import LEVEL, Estimate, Interval
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Standard deviation of ε, between runs of one network, and of b [1]. In committed calibration runs of one network ln D
#: scatters by 0.023 (median) around a line in ln t, and that line's slope differs from the law's by 0.08 with the noise
#: of the few runs in it.
SCATTER, DRIFT = 0.03, 0.04

#: Standard deviation of δ.
PREFACTOR_SPREAD = 0.3

#: Runs at most.
MOST_RUNS = 4

#: The first run has this many times the size that the law puts at the horizon, at most and at least.
FIRST, NEAREST = 1.35, 1.1

#: Part of the horizon that the first run may take.
FIRST_CUT = 0.5

#: Later runs have a size that passes one half before they are cut off, by this many standard deviations.
SURE = 1.0

#: Above this part of the horizon what is left is shared by two runs; below the other no run is started.
SHARED, LEAST = 0.7, 0.15

#: Largest size that a run is made at, as a part of all pairs.
LARGEST = 0.95

#: Draws of the law's constants, and values of δ between −4 and 4 standard deviations.
DRAWS, SHIFTS = 200, 601


@dataclass(frozen=True, kw_only=True)
class TimedRun:
    """What the clock reads from a run.

    Attributes:
        config: What was run.
        time: Step at which test accuracy passed one half; None where it did not by the last step.
        last_step: Steps taken.
        diverged: Whether it ended because it was not finite.
    """

    config: RunConfig
    time: float | None
    last_step: int
    diverged: bool = False


def timed(run: Run) -> TimedRun:
    """The time to one half of a run."""
    duration = HALF_PERSISTENCE * run.config.problem.time_constant
    return TimedRun(
        config=run.config,
        time=passage(run.curves.step, run.curves.test_accuracy, 0.5, duration),
        last_step=int(run.curves.step[-1]),
        diverged=run.ending == "diverged",
    )


def timed_runs(design: ClockDesign, run: Runner[RunConfig, Run]) -> list[TimedRun]:
    """The runs of a design, one after the other.

    Args:
        design: Which.
        run: Trains runs, or finds them.
    """
    found: list[TimedRun] = []
    while proposals := design.propose(found):
        found += [timed(one) for one in run(proposals, stage=f"critical size by the clock, run {len(found) + 1}")]
    return found


@dataclass(frozen=True, kw_only=True)
class ClockDesign:
    """Which short runs measure the critical size of one problem from scratch, one after the other.

    The first run is well above the transition, by the law. Each later one goes as near as what is left of the budget
    allows. All steps together are at most the budget.

    Attributes:
        problem: What to measure.
        law: Whose shape is used; None where no law speaks for the problem.
        tolerance: Half width of the 90 % interval to reach, relative.
        budget: Steps to take at most, all runs together, in horizons.
        max_runs: Runs to make at most.
        steps: Horizon [steps]; 0 for the protocol's.
        first_seed: Seeds count up from here.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    law: Thresholds | None
    tolerance: float = 0.05
    budget: float = 1.0
    max_runs: int = MOST_RUNS
    steps: int = 0
    first_seed: int = 0

    def __post_init__(self) -> None:
        check_positive("tolerance", self.tolerance)
        check_positive("budget", self.budget)
        check_integer("max_runs", self.max_runs, 1)
        check_integer("steps", self.steps, 0)
        check_integer("first_seed", self.first_seed, 0)
        self._config(1, 0, self.steps)

    @property
    def horizon(self) -> int:
        """T [steps]."""
        return self.steps or self.problem.horizon

    @property
    def silence(self) -> str:
        """Why the clock says nothing of the problem; empty where it speaks."""
        if self.law is None:
            return "cannot tell: no law of the time to generalize speaks for this problem"
        if self.problem.family.shares_embedding:
            # Measured: such networks pass one half by mirror images, and their times beyond these are of larger sizes.
            return f"cannot tell: short runs of a {self.problem.model} put the size too high; measure it by full runs"
        return self.law.silence(self.problem, self.horizon)

    def propose(self, runs: Sequence[TimedRun]) -> list[RunConfig]:
        """The run to make next; none when the interval is narrow enough, or no run fits into what is left."""
        left = math.floor(self.budget * self.horizon) - sum(one.last_step for one in runs)
        if self.silence or len(runs) >= self.max_runs or left < max(1.0, LEAST * self.horizon):
            return []
        seed = self.first_seed + len(runs)
        if not runs:
            cut = min(left, max(1, math.floor(FIRST_CUT * self.horizon)))
            return [self._config(self._first_size(), seed, cut)]
        posterior = self._posterior(runs)
        if any(one.time is not None for one in runs) and posterior.half_width() <= self.tolerance:
            return []
        shared = left >= SHARED * self.horizon and self.max_runs - len(runs) > 1
        cut = left // 2 if shared else left
        # The run goes on for a while after it has passed.
        passed = max(0.5 * cut, cut - 2 * HALF_PERSISTENCE * self.problem.time_constant)
        return [self._config(posterior.size_that_passes(passed), seed, cut)]

    def measure(self, runs: Sequence[TimedRun], *, level: float = LEVEL) -> Estimate:
        """Critical size at the horizon from the times of the runs.

        Args:
            runs: Of this design; diverged ones are counted and left out.
            level: Probability content of the interval.
        """
        used = [one for one in runs if not one.diverged]
        value, interval, reason = None, None, self.silence
        if not reason and not any(one.time is not None for one in used):
            tried = ", ".join(f"{one.config.n_train} (by step {one.last_step})" for one in used)
            reason = (
                f"cannot tell: no run passed test accuracy 1/2: {tried}" if used else "cannot tell: no run was made"
            )
        if not reason:
            posterior = self._posterior(used)
            low, value, high = posterior.sizes([(1 - level) / 2, 0.5, (1 + level) / 2])
            interval = Interval(low=low, high=high, level=level)
            if posterior.half_width() > self.tolerance:
                reason = "the runs ended before the interval was as narrow as asked for"
        return Estimate(
            quantity="critical_size",
            value=value,
            interval=interval,
            unit="examples",
            horizon=self.horizon,
            n_runs=len(used),
            n_unconverged=len(runs) - len(used),
            extrapolated=self.law is not None and bool(self.law.outside(self.problem, self.horizon)),
            reason=reason,
        )

    def _first_size(self) -> float:
        """Well above the transition, yet not so far that the run would be faster than those that the law is from."""
        assert self.law is not None
        clock = self.law.clocks(self.problem).half
        at_horizon, earliest = clock.critical_size([self.horizon, self.law.calibrated.steps[0]]).tolist()
        return min(FIRST * at_horizon, max(NEAREST * at_horizon, earliest))

    def _posterior(self, runs: Sequence[TimedRun]) -> ClockPosterior:
        assert self.law is not None
        return ClockPosterior(problem=self.problem, law=self.law, horizon=self.horizon, runs=tuple(runs))

    def _config(self, n_train: float, seed: int, steps: int) -> RunConfig:
        size = min(max(1, math.floor(LARGEST * self.problem.n_pairs)), max(1, round(n_train)))
        return RunConfig(problem=self.problem, n_train=size, seed=seed, steps=steps, until="half")


@dataclass(frozen=True, kw_only=True)
class ClockPosterior:
    """What a few times say of ln D_crit(T).

    Attributes:
        problem: Whose.
        law: Its shape, and the centre of the prior of δ.
        horizon: T [steps].
        runs: At least one; diverged ones are left out.
    """

    problem: Problem
    law: Thresholds
    horizon: int
    runs: tuple[TimedRun, ...]

    def sizes(self, probabilities: Sequence[float]) -> list[float]:
        """Quantiles of D_crit(T) [examples].

        A measured size is where accuracy settles at one half, the median over the last tenth of the run: it is what is
        enough by the middle of that tenth.

        Args:
            probabilities: Which.
        """
        places = self._places((1 - SETTLED_FRACTION / 2) * self.horizon)
        order = np.argsort(places, axis=None)
        total = np.cumsum(self._weights.ravel()[order])
        return np.exp(np.interp(probabilities, total / total[-1], places.ravel()[order])).tolist()

    def half_width(self, level: float = LEVEL) -> float:
        """Of the interval, relative."""
        low, high = self.sizes([(1 - level) / 2, (1 + level) / 2])
        return math.log(high / low) / 2

    def size_that_passes(self, step: float) -> float:
        """Size at which another run passes one half by a step, by one standard deviation [examples].

        Args:
            step: By when [steps].
        """
        places = self._places(step)
        mean = float((self._weights * places).sum())
        variance = float((self._weights * (places - mean) ** 2).sum())
        return math.exp(mean + SURE * math.sqrt(variance + SCATTER**2))

    @cached_property
    def _weights(self) -> FloatArray:
        """Probability of each draw of the constants and each δ, (draws, shifts)."""
        log_density = np.broadcast_to(-0.5 * (self._shifts / PREFACTOR_SPREAD) ** 2, (DRAWS, SHIFTS)).copy()
        for one in self.runs:
            log_size = math.log(one.config.n_train)
            if one.diverged:
                continue
            if one.time is None:
                log_density += log_ndtr((self._places(one.last_step) - log_size) / SCATTER)
            else:
                log_density += -0.5 * ((self._places(one.time) - log_size) / SCATTER) ** 2
        weights = np.exp(log_density - log_density.max())
        return weights / weights.sum()

    @cached_property
    def _shifts(self) -> FloatArray:
        return np.linspace(-4 * PREFACTOR_SPREAD, 4 * PREFACTOR_SPREAD, SHIFTS)

    def _places(self, step: float) -> FloatArray:
        """Ln D_crit at a step, (draws, shifts)."""
        step = max(step, 1.0)
        drift = self._drifts * math.log(step / self.horizon)
        return (_log_sizes(self.law, self.problem, step) + drift)[:, None] + self._shifts

    @cached_property
    def _drifts(self) -> FloatArray:
        return DRIFT * np.random.default_rng(1).standard_normal(DRAWS)


@lru_cache(maxsize=64)
def _drawn_clocks(law: Thresholds, problem: Problem) -> list[Clock]:
    return law.drawn_clocks(problem, DRAWS)


@lru_cache(maxsize=256)
def _log_sizes(law: Thresholds, problem: Problem, step: float) -> FloatArray:
    """Ln D_crit at a step by each of these clocks: every run's time is asked for again with every further run."""
    return np.log([float(clock.critical_size(step)) for clock in _drawn_clocks(law, problem)])
