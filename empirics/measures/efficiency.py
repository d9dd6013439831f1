"""Efficiencies measured on real runs, and the competition between the circuits that they imply."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit
from threadpoolctl import threadpool_limits

from dcrit.empirics.runs.outcomes import Outcome, Settled
from dcrit.empirics.runs.single import RunConfig, configs_of
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.checks import check_integer
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.mixture import Competition, DeficitLaw
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.estimates import LEVEL, Estimate, interval_of
from dcrit.theory.predictions.critical_size import size_prediction
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]
SomeOutcome = TypeVar("SomeOutcome", bound=Settled)

#: Sizes of the random-label runs, as fractions of all pairs.
MEMORIZING_FRACTIONS = (0.12, 0.18, 0.26, 0.38, 0.54, 0.75)

#: Sizes of the runs on the real task: where the network is mostly past the transition, up to all pairs.
GENERALIZING_FRACTIONS = (0.6, 0.7, 0.8, 0.9, 1.0)

#: Fewest usable runs, over at least two sizes, that a law is fitted to.
FEWEST = 4

RESAMPLES = 100

#: From which part of what is neither chance nor memory on a task counts as learned.
LEARNED = 0.5

#: Range of the mixing exponent b in the fit.
MIXING_BOUNDS = (1.05, 12.0)

#: Range of the transfer u in the fit: a circuit's margin is no larger on unseen inputs than on its training set.
TRANSFER_BOUNDS = (0.5, 1.0)

#: Weight of a margin on unseen inputs beside ln e: runs scatter about three times as much in it.
UNSEEN_WEIGHT = 1 / 3


@dataclass(frozen=True, kw_only=True)
class EfficiencyDesign:
    """The runs that measure both circuits' efficiencies on one problem.

    Attributes:
        problem: What to measure.
        seeds: Runs per size.
        first_seed: Seeds count up from here.

    Raises:
        ValueError: A field is out of range, or the task has no rule to generalize to.
    """

    problem: Problem
    seeds: int = 3
    first_seed: int = 0

    def __post_init__(self) -> None:
        self.problem.check_rule()
        check_integer("seeds", self.seeds, 1)
        check_integer("first_seed", self.first_seed, 0)

    def memorizing(self) -> list[RunConfig]:
        """Runs on random labels."""
        return self._configs(self.problem.on_random_labels(), MEMORIZING_FRACTIONS)

    def generalizing(self) -> list[RunConfig]:
        """Runs on the real task."""
        return self._configs(self.problem, GENERALIZING_FRACTIONS)

    def _configs(self, problem: Problem, fractions: Sequence[float]) -> list[RunConfig]:
        sizes = [max(2, round(fraction * problem.n_pairs)) for fraction in fractions]
        return configs_of(problem, sizes, range(self.first_seed, self.first_seed + self.seeds))


@dataclass(frozen=True, kw_only=True)
class LawsFit:
    """Laws fitted to the runs of one model on one task.

    Attributes:
        competition: The best fit.
        draws: The same fitted to resampled runs, for intervals.
        n_runs: Runs used.
        n_unconverged: Runs left out because their efficiency did not stand still.
        n_unfitted: Runs left out because they did not fit their training set.
        misfit: Root mean square residual of ln e and weighted margins on unseen pairs, over runs on the real task.
    """

    competition: Competition
    draws: tuple[Competition, ...]
    n_runs: int
    n_unconverged: int
    n_unfitted: int
    misfit: float


@dataclass(frozen=True, kw_only=True)
class CompetitionFit(LawsFit):
    """Laws fitted to one problem's runs.

    Attributes:
        problem: What was measured.
    """

    problem: Problem


@dataclass(frozen=True, kw_only=True)
class NoLaws:
    """Runs that no laws can be fitted to.

    Attributes:
        cause: Which of the few causes.
        reason: The same for people, with the numbers behind it.
    """

    cause: Cause
    reason: str

    @property
    def competition(self) -> None:
        """No laws."""


def why_not_identified(generalizing: Sequence[Settled], n_pairs: int, *, mixing: float, commutative: bool) -> NoLaws:
    """Why runs on the real task say nothing of how the circuits mix: was it learned at all.

    Of unseen pairs 1/C are right by chance, and of a commutative task the mirrored part φ(D) by a memory of unordered
    pairs; a mean over seeds is learned from halfway between these and all on. The best size decides.
    """
    right: dict[int, list[float]] = {}
    for outcome in generalizing:
        if outcome.config.n_train < n_pairs:
            right.setdefault(outcome.config.n_train, []).append(outcome.test_accuracy)
    best = 0.0, 0.0
    for n_train, accuracies in right.items():
        rote = 1 / generalizing[0].config.n_classes
        if commutative:
            rote = max(rote, float(mirrored_fraction(n_train, math.isqrt(n_pairs))))
        mean = float(np.mean(accuracies))
        best = max(best, ((mean - rote) / (1 - rote), mean))
    if best[0] < LEARNED:
        cause, why = (
            Cause.NOT_LEARNED,
            "because the network learns the real task hardly better than random labels at every size",
        )
    else:
        cause = Cause.MIXING_UNKNOWN
        why = f"although the network learns the real task ({best[1]:.0%} of unseen examples are right)"
    end = f"their mixing, {mixing:.1f}, is at the end of its range"
    return NoLaws(cause=cause, reason=f"these runs do not tell memory and rule apart: {end}, {why}")


def usable(outcomes: Sequence[SomeOutcome]) -> tuple[list[SomeOutcome], int, int]:
    """Outcomes an efficiency may rest on, and how many did not converge or did not fit their training set."""
    converged = [o for o in outcomes if o.converged]
    fitted = [o for o in converged if o.train_accuracy >= FITTED]
    return fitted, len(outcomes) - len(converged), len(converged) - len(fitted)


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Intercept and slope by least squares."""
    slope, intercept = np.polyfit(x, y, 1)
    return float(intercept), float(slope)


# Small fits by the hundred: BLAS threads only wait for each other, forty times as long on a busy machine.
@threadpool_limits.wrap(limits=1, user_api="blas")
def slope_of_log_efficiency(outcomes: Sequence[Settled], *, seed: int = 0) -> tuple[float, FloatArray]:
    """Slope d ln e/d ln D over runs, and the same for resampled runs.

    Args:
        outcomes: Runs of one problem at two sizes at least.
        seed: Of the resampling.

    Returns:
        The slope, and (RESAMPLES,) bootstrap draws of it.
    """

    def slope(runs: Sequence[Settled]) -> float:
        return _line(np.log([o.config.n_train for o in runs]), np.log([o.efficiency for o in runs]))[1]

    rng = np.random.default_rng(seed)
    return slope(outcomes), np.array([slope(_resample(outcomes, rng)) for _ in range(RESAMPLES)])


def _hurdle(outcome: Settled) -> float:
    """Deficit in units of γ that a generalizing margin beats on unseen pairs where accuracy is one half above chance.

    The median. With two classes memorizing is wrong by nothing on average, and half of what chance leaves, an
    accuracy of 3/4, takes the upper quartile: 0.6745/2.5631 of the way between the 10 % and 90 % quantiles.
    """
    low, median, high = outcome.deficits
    return median + 0.6745 / 2.5631 * (high - low) if outcome.config.n_classes == 2 else median


def _fit(
    memorizing: Sequence[Settled], generalizing: Sequence[Settled], n_pairs: int, *, unseen: bool = True
) -> tuple[Competition, float] | None:
    """The laws through those runs and their misfit; None where the memorizing efficiency does not fall.

    Runs on the real task tell e_gen, b and u by their efficiency and by their median margin on unseen pairs,

        e^b = e_gen^b + e_mem^b,  m/γ = w·u − (1 − w)·ρ,

    u being the part of the generalizing margin that reaches unseen pairs. Deficits are counted in units of it. With
    two classes ρ is nothing in m, and what the margin has to beat is :func:`_hurdle`.
    """
    size = np.log([o.config.n_train for o in memorizing])
    intercept, slope = _line(size, np.log([o.efficiency for o in memorizing]))
    if slope >= 0:
        return None
    law = MemorizingLaw(amplitude=math.exp(intercept), exponent=-slope)
    # At all pairs nothing is unseen: a run there has no deficits.
    partial = [o for o in memorizing if o.config.n_train < n_pairs]
    size_unseen = np.log([o.config.n_train for o in partial])
    median = _line(size_unseen, np.log([_hurdle(o) for o in partial]))
    # 10 % and 90 % quantiles of a normal distribution lie 2.5631 standard deviations apart.
    spread = _line(size_unseen, np.log([(o.deficits[2] - o.deficits[0]) / 2.5631 for o in partial]))
    full = np.log([o.config.n_train for o in generalizing])
    seen = np.log([o.efficiency for o in generalizing])
    memory = law.log_efficiency(full)

    # Where every pair is trained on, nothing is unseen.
    tested = [o for o in generalizing if o.config.n_train < n_pairs]
    size_tested = np.log([o.config.n_train for o in tested])
    margin = -np.array([o.deficits[1] for o in tested])
    binary = memorizing[0].config.n_classes == 2
    deficit = np.zeros_like(size_tested) if binary else np.exp(median[0] + median[1] * size_tested)
    weight = UNSEEN_WEIGHT if unseen else 0.0

    def residual(theta: FloatArray) -> FloatArray:
        log_generalizing, mixing, transfer = theta
        efficiency = np.logaddexp(mixing * log_generalizing, mixing * memory) / mixing - seen
        share = expit(mixing * (log_generalizing - law.log_efficiency(size_tested)))
        beyond = share * transfer - (1 - share) * deficit - margin
        return np.concatenate([efficiency, weight * beyond])

    start = np.array([float(seen[full == full.max()].mean()) - 0.03, 4.0, 0.9])
    low, high = np.array([(-np.inf, np.inf), MIXING_BOUNDS, TRANSFER_BOUNDS]).T
    best = least_squares(residual, start, bounds=(low, high), x_scale=[0.05, 1.0, 0.1])
    transfer = float(best.x[2]) if unseen else 1.0
    laws = Competition(
        memorizing=law,
        generalizing=GeneralizingLaw(full_data=math.exp(best.x[0]), n_pairs=n_pairs),
        deficits=DeficitLaw(
            median=math.exp(median[0]) / transfer,
            median_exponent=median[1],
            spread=math.exp(spread[0]) / transfer,
            spread_exponent=spread[1],
        ),
        mixing=float(best.x[1]),
    )
    return laws, math.sqrt(2 * best.cost / len(best.fun))


def _resample(outcomes: Sequence[SomeOutcome], rng: np.random.Generator) -> list[SomeOutcome]:
    """As many runs drawn with replacement, over two sizes at least.

    Runs are drawn across sizes: with three seeds a size, drawing within each would understate the variance by a third.
    """
    while True:
        drawn = [outcomes[k] for k in rng.integers(len(outcomes), size=len(outcomes))]
        if len({o.config.n_train for o in drawn}) > 1:
            return drawn


def fit_competition(
    problem: Problem,
    memorizing: Sequence[Outcome],
    generalizing: Sequence[Outcome],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    unseen: bool = True,
) -> CompetitionFit | NoLaws:
    """Laws of both circuits of one problem, see :func:`fit_laws`.

    Args:
        problem: What was measured.
        memorizing: Outcomes on random labels.
        generalizing: Outcomes on the real task.
        resamples: Fits to resampled runs, for intervals.
        seed: Of the resampling.
        unseen: Whether margins on unseen pairs enter; without them the transfer is taken to be 1.

    Returns:
        The fit, or why there is none.
    """
    fit = fit_laws(
        memorizing,
        generalizing,
        problem.n_pairs,
        resamples=resamples,
        seed=seed,
        unseen=unseen,
        commutative=problem.definition.commutative,
    )
    return fit if isinstance(fit, NoLaws) else CompetitionFit(problem=problem, **vars(fit))


@threadpool_limits.wrap(limits=1, user_api="blas")
def fit_laws(
    memorizing: Sequence[Settled],
    generalizing: Sequence[Settled],
    n_pairs: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    unseen: bool = True,
    commutative: bool = False,
) -> LawsFit | NoLaws:
    """Laws of both circuits from random-label runs and runs on the real task well above the transition.

    No measured critical size enters. Runs that have not converged or do not fit their training set
    are counted and not used.

    Args:
        memorizing: Outcomes on random labels.
        generalizing: Outcomes on the real task.
        n_pairs: Examples that exist.
        resamples: Fits to resampled runs, for intervals.
        seed: Of the resampling.
        unseen: Whether margins on unseen pairs enter; without them the transfer is taken to be 1.
        commutative: Whether examples are all pairs of symbols, (a, b) with the label of (b, a).

    Returns:
        The fit, or why there is none.

    Source: efron1993 (resampling of pairs).
    """
    mem, mem_unconverged, mem_unfitted = usable(memorizing)
    gen, gen_unconverged, gen_unfitted = usable(generalizing)
    for name, runs, cause in (
        ("random labels", mem, Cause.FEW_MEMORIZING),
        ("the real task", gen, Cause.FEW_GENERALIZING),
    ):
        if len(runs) < FEWEST or len({o.config.n_train for o in runs}) < 2:
            reason = (
                f"only {len(runs)} runs on {name} converged and fit their training set, {FEWEST} over two sizes needed"
            )
            return NoLaws(cause=cause, reason=reason)
    if any(_hurdle(o) <= 0 or o.deficits[2] <= o.deficits[0] for o in mem if o.config.n_train < n_pairs):
        reason = "runs on random labels leave too few unseen examples to tell how wrong a memorizing network is on them"
        return NoLaws(cause=Cause.FEW_UNSEEN, reason=reason)
    found = _fit(mem, gen, n_pairs, unseen=unseen)
    if found is None:
        reason = "efficiency on random labels does not fall with their number, so no transition follows from it"
        return NoLaws(cause=Cause.NO_FALL, reason=reason)
    best, misfit = found
    if not MIXING_BOUNDS[0] * 1.01 < best.mixing < MIXING_BOUNDS[1] * 0.99:
        return why_not_identified(gen, n_pairs, mixing=best.mixing, commutative=commutative)
    rng = np.random.default_rng(seed)
    draws = (_fit(_resample(mem, rng), _resample(gen, rng), n_pairs, unseen=unseen) for _ in range(resamples))
    return LawsFit(
        competition=best,
        draws=tuple(draw[0] for draw in draws if draw is not None),
        n_runs=len(mem) + len(gen),
        n_unconverged=mem_unconverged + gen_unconverged,
        n_unfitted=mem_unfitted + gen_unfitted,
        misfit=misfit,
    )


def measure_generalizing_efficiency(fit: LawsFit | NoLaws, *, level: float = LEVEL) -> Estimate:
    """e_gen with its bootstrap interval, or why there is none.

    Args:
        fit: From :func:`fit_competition`.
        level: Probability content of the interval.
    """
    unit = "nats per norm^kappa"
    if isinstance(fit, NoLaws):
        return Estimate(
            quantity="generalizing_efficiency", value=None, interval=None, unit=unit, n_runs=0, reason=fit.reason
        )
    best = fit.competition.generalizing.full_data
    note = f"{fit.n_unfitted} runs did not fit their training set" if fit.n_unfitted else ""
    return Estimate(
        quantity="generalizing_efficiency",
        value=best,
        interval=interval_of([draw.generalizing.full_data for draw in fit.draws], level).around(best),
        unit=unit,
        n_runs=fit.n_runs,
        n_unconverged=fit.n_unconverged,
        reason=note,
    )


def implied_critical_size(fit: CompetitionFit | NoLaws) -> Estimate:
    """Critical size that measured efficiencies imply; no measured critical size enters it."""
    if isinstance(fit, NoLaws):
        return Estimate(quantity="implied_critical_size", value=None, interval=None, unit="examples", reason=fit.reason)
    draws = np.array([constants_of(competition) for competition in fit.draws])
    return size_prediction("implied_critical_size", fit.competition, draws)
