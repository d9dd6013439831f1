"""The measured critical size: where final test accuracy, averaged over seeds, crosses one half."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
from dcrit.empirics.runs.outcomes import Outcome, Settled, accuracy_above_chance
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.checks import check_integer, check_positive
from dcrit.theory.estimates import LEVEL, Estimate, interval_of
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: First look at a problem: fractions of all pairs, evenly spaced in ln D.
COARSE_FRACTIONS = (0.12, 0.18, 0.27, 0.4, 0.6, 0.9)
COARSE_SEEDS = 2

#: A round adds this many sizes, at these many psychometric widths from the midpoint, with as many seeds each.
REFINE_WIDTHS = (-0.8, 0.0, 0.8)
REFINE_SEEDS = 4

#: Where accuracy is above one half at all sizes, the smallest is divided by these.
DIVISORS = (2, 4)

RESAMPLES = 200

#: Narrowest width that the fit may take, in ln D: sizes are integers and seeds differ.
NARROWEST = 0.01


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


def fit_psychometric(n_train: FloatArray, accuracy: FloatArray, start: Psychometric | None = None) -> Psychometric:
    """Maximum binomial quasi-likelihood of the logistic curve, each run one observation.

    Maximizes Σ_r [acc_r ln f(D_r) + (1 − acc_r) ln(1 − f(D_r))]

    Args:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies.
        start: Where to start from.

    Source: wichmann2001.
    """
    log_size = np.log(n_train)
    if start is None:
        nearest = log_size[np.argmin(np.abs(accuracy - 0.5))]
        guess = np.array([nearest, math.log(0.15)])
    else:
        guess = np.array([math.log(start.midpoint), math.log(start.width)])

    def negative(theta: FloatArray) -> tuple[float, FloatArray]:
        width = NARROWEST + math.exp(min(theta[1], 3.0))
        z = (log_size - theta[0]) / width
        loss = np.logaddexp(0, z) - accuracy * z
        slope = expit(z) - accuracy
        gradient = np.array([-slope.sum() / width, -(slope * z).sum() * (width - NARROWEST) / width])
        return float(loss.sum()), gradient

    fit = minimize(negative, guess, jac=True, method="L-BFGS-B", bounds=[(-1.0, 20.0), (-8.0, 1.5)])
    return Psychometric(midpoint=math.exp(fit.x[0]), width=NARROWEST + math.exp(fit.x[1]))


def is_bracketed(n_train: FloatArray, accuracy: FloatArray) -> bool:
    """Whether sizes exist on both sides: seed-averaged accuracy below one half, and above it at a larger size."""
    sizes = np.unique(n_train)
    means = np.array([accuracy[n_train == size].mean() for size in sizes])
    below, above = sizes[means < 0.5], sizes[means >= 0.5]
    return below.size > 0 and above.size > 0 and below.min() < above.max()


def _near(n_train: FloatArray, curve: Psychometric) -> NDArray[np.bool_]:
    """Sizes that speak about the midpoint: within three widths, lest a far tail bend the curve there."""
    return np.abs(np.log(n_train / curve.midpoint)) <= max(3 * curve.width, 0.2)


def _local_fit(n_train: FloatArray, accuracy: FloatArray, start: Psychometric | None = None) -> Psychometric:
    curve = fit_psychometric(n_train, accuracy, start)
    near = _near(n_train, curve)
    if near.all() or not is_bracketed(n_train[near], accuracy[near]):
        return curve
    return fit_psychometric(n_train[near], accuracy[near], curve)


# Small fits by the hundred: BLAS threads only wait for each other, forty times as long on a busy machine.
@threadpool_limits.wrap(limits=1, user_api="blas")
def bootstrap_midpoints(n_train: FloatArray, accuracy: FloatArray, *, seed: int = 0) -> FloatArray:
    """Midpoints refitted to accuracies whose deviations are resampled within each size: (RESAMPLES,).

    The mean of n deviations drawn from n runs scatters less than that of n new runs would, by the factor
    √((n − 1)/n), which is undone. Sizes with a single run are resampled together with the nearest other size.

    Source: efron1993.
    """
    rng = np.random.default_rng(seed)
    whole = _local_fit(n_train, accuracy)
    sizes, place, counts = np.unique(n_train, return_inverse=True, return_counts=True)
    groups: list[list[int]] = []
    for size in range(sizes.size):
        if groups and (counts[size] == 1 or counts[groups[-1]].sum() == 1):
            groups[-1].append(size)
        else:
            groups.append([size])
    means = np.bincount(place, accuracy) / counts
    deviation = accuracy - np.array([whole.accuracy(size) for size in n_train])
    drawn = np.tile(means, (RESAMPLES, 1))
    for group in groups:
        own = deviation[np.isin(place, group)]
        resampled = own[rng.integers(own.size, size=(RESAMPLES, own.size))].mean(axis=1)
        shift = math.sqrt(own.size / max(1, own.size - 1)) * (resampled - own.mean())
        drawn[:, group] += shift[:, None]
    # The likelihood sees no more of a size than its mean.
    return np.array([_local_fit(n_train, row[place], whole).midpoint for row in drawn.clip(0.0, 1.0)])


@dataclass(frozen=True, kw_only=True)
class CriticalSizeDesign:
    """Which runs measure the critical size of one problem, decided round by round from those made.

    Every run has a seed of its own: training sets of one seed are nested in D, and the bootstrap
    takes runs as independent.

    Attributes:
        problem: What to measure.
        tolerance: Half width of the 90 % interval to reach, relative.
        max_runs: Runs at which to stop all the same.
        first_seed: Seeds count up from here.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    tolerance: float = 0.05
    max_runs: int = 60
    first_seed: int = 0

    def __post_init__(self) -> None:
        check_positive("tolerance", self.tolerance)
        check_integer("max_runs", self.max_runs, 2 * len(COARSE_FRACTIONS))
        check_integer("first_seed", self.first_seed, 0)

    def propose(self, outcomes: Sequence[Outcome]) -> list[RunConfig]:
        """Runs to make next; none when the estimate is good enough or the budget is spent."""
        used = max((o.config.seed for o in outcomes), default=self.first_seed - 1)
        sizes = self.sizes(*sizes_and_accuracies(outcomes), n_runs=len(outcomes), n_pairs=self.problem.n_pairs)
        return [self._config(size, used + 1 + k) for k, size in enumerate(sizes)]

    def sizes(self, n_train: FloatArray, accuracy: FloatArray, *, n_runs: int, n_pairs: int) -> list[int]:
        """Sizes of the runs to make next, each with a seed of its own.

        Args:
            n_train: (n,) sizes so far.
            accuracy: (n,) final test accuracies there, as :func:`accuracy_above_chance` counts them.
            n_runs: Runs made so far, diverged ones included.
            n_pairs: Pairs that exist.
        """

        def nearest(size: float) -> int:
            """The nearest size that leaves something to test on."""
            return min(n_pairs - 1, max(1, round(size)))

        room = self.max_runs - n_runs
        if not n_runs:
            coarse = sorted({nearest(fraction * n_pairs) for fraction in COARSE_FRACTIONS})
            return [size for size in coarse for _ in range(COARSE_SEEDS)]
        if room <= 0 or not n_train.size:
            return []
        if not is_bracketed(n_train, accuracy):
            smallest = n_train.min()
            if smallest == 1 or any(accuracy[n_train == size].mean() < 0.5 for size in np.unique(n_train)):
                return []
            smaller = sorted({nearest(smallest / divisor) for divisor in DIVISORS})
            return [size for size in smaller for _ in range(COARSE_SEEDS)][:room]
        curve = _local_fit(n_train, accuracy)
        interval = interval_of(bootstrap_midpoints(n_train, accuracy))
        enough = n_runs >= 2 * len(COARSE_FRACTIONS) + len(REFINE_WIDTHS) * REFINE_SEEDS
        if enough and math.log(interval.high / interval.low) / 2 <= self.tolerance:
            return []
        # A narrow transition may lie within one size, and a run made twice would count as two.
        refined = Counter(nearest(curve.midpoint * math.exp(shift * curve.width)) for shift in REFINE_WIDTHS)
        return [size for size, times in refined.items() for _ in range(times * REFINE_SEEDS)][:room]

    def _config(self, n_train: int, seed: int) -> RunConfig:
        return RunConfig(problem=self.problem, n_train=n_train, seed=seed, until="generalized")


def sizes_and_accuracies(outcomes: Sequence[Settled]) -> tuple[FloatArray, FloatArray]:
    """Sizes (n,) and final test accuracies (n,), above chance, of the runs that have one; diverged runs have none."""
    usable = [o for o in outcomes if math.isfinite(o.test_accuracy)]
    return (
        np.array([o.config.n_train for o in usable], dtype=np.float64),
        np.array([accuracy_above_chance(o.test_accuracy, o.config.n_classes) for o in usable]),
    )


def horizon_of(outcomes: Sequence[Settled]) -> int | None:
    """T, the longest horizon of any run [steps]; None without runs."""
    return max((one.config.horizon for one in outcomes), default=None)


def measure_critical_size(outcomes: Sequence[Settled], *, level: float = LEVEL) -> Estimate:
    """Critical size with a bootstrap interval from runs over sizes and seeds.

    Every run taken to its horizon counts with the accuracy it has there, whether or not its norm
    stands still: the protocol's outcome is the accuracy at the horizon.

    Args:
        outcomes: Runs of one problem; diverged ones are counted and left out.
        level: Probability content of the interval.
    """
    n_train, accuracy = sizes_and_accuracies(outcomes)
    lost = len(outcomes) - n_train.size
    return critical_size_of(n_train, accuracy, horizon=horizon_of(outcomes), n_lost=lost, level=level)


def critical_size_of(
    n_train: FloatArray, accuracy: FloatArray, *, horizon: int | None, n_lost: int = 0, level: float = LEVEL
) -> Estimate:
    """Critical size with a bootstrap interval.

    Args:
        n_train: (n,) sizes.
        accuracy: (n,) final test accuracies there, as :func:`accuracy_above_chance` counts them.
        horizon: T of the runs [steps]; None where there are none.
        n_lost: Runs that diverged and are left out.
        level: Probability content of the interval.
    """
    if not is_bracketed(n_train, accuracy):
        return no_transition(n_train, accuracy, horizon=horizon, n_lost=n_lost)
    estimate = _local_fit(n_train, accuracy).midpoint
    return Estimate(
        quantity="critical_size",
        value=estimate,
        interval=interval_of(bootstrap_midpoints(n_train, accuracy), level).around(estimate),
        unit="examples",
        horizon=horizon,
        n_runs=int(n_train.size),
        n_unconverged=n_lost,
    )


def no_transition(n_train: FloatArray, accuracy: FloatArray, *, horizon: int | None, n_lost: int) -> Estimate:
    """That test accuracy does not cross one half at the sizes there are.

    Args:
        n_train: (n,) sizes; none where no run stayed finite.
        accuracy: (n,) final test accuracies.
        horizon: T of the runs [steps]; None where there are none.
        n_lost: Runs that diverged and are left out.
    """
    side = "reaches" if n_train.size and accuracy.mean() >= 0.5 else "does not reach"
    span = f"from {n_train.min():.0f} to {n_train.max():.0f}" if n_train.size else "measured"
    return Estimate(
        quantity="critical_size",
        value=None,
        interval=None,
        unit="examples",
        horizon=horizon,
        n_runs=int(n_train.size),
        n_unconverged=n_lost,
        reason=f"no transition: test accuracy {side} one half at every size {span}",
    )


def transition_width(outcomes: Sequence[Settled]) -> float | None:
    """Width s of the transition in ln D; None where there is none."""
    n_train, accuracy = sizes_and_accuracies(outcomes)
    if n_train.size == 0 or not is_bracketed(n_train, accuracy):
        return None
    return _local_fit(n_train, accuracy).width


FloatArray = NDArray[np.float64]


def multitask_sizes_and_accuracies(runs: Sequence[MultitaskRun]) -> tuple[FloatArray, FloatArray]:
    """Sizes (n,) and final test accuracies (n,), above chance, of the first task; diverged runs have none."""
    settled = [(run, run.settled("test_accuracy")) for run in runs]
    usable = [(run.config, accuracy) for run, accuracy in settled if math.isfinite(accuracy)]
    return (
        np.array([config.components[0].n_train for config, _ in usable], dtype=np.float64),
        np.array([accuracy_above_chance(accuracy, config.problem(0).n_classes) for config, accuracy in usable]),
    )


def measure_multitask_critical_size(
    template: MultitaskConfig,
    train: Runner[MultitaskConfig, MultitaskRun],
    *,
    tolerance: float = 0.05,
    max_runs: int = 36,
    level: float = LEVEL,
) -> tuple[Estimate, list[MultitaskRun]]:
    """Training-set size of the first task at which it is learned, everything else kept.

    Sizes and seeds are chosen round by round as for single networks, seeds counting up from the template's.

    Args:
        template: The tasks; the own size of the first task plays no part.
        train: Trains runs or finds them, such as ``Laboratory.multitask``.
        tolerance: Half width of the 90 % interval to reach, relative.
        max_runs: Runs at which to stop all the same.
        level: Probability content of the interval.

    Returns:
        The size, or why there is none, and the runs behind it.
    """
    problem = template.problem(0)
    design = CriticalSizeDesign(problem=problem, tolerance=tolerance, max_runs=max_runs, first_seed=template.seed)
    runs: list[MultitaskRun] = []
    while True:
        n_train, accuracy = multitask_sizes_and_accuracies(runs)
        sizes = design.sizes(n_train, accuracy, n_runs=len(runs), n_pairs=problem.n_pairs)
        if not sizes:
            lost = len(runs) - n_train.size
            measured = critical_size_of(n_train, accuracy, horizon=template.horizon, n_lost=lost, level=level)
            return measured, runs
        first = template.seed + len(runs)
        runs += train(
            [template.with_n_train(size, seed=first + k) for k, size in enumerate(sizes)], stage="several tasks"
        )
