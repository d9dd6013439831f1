"""Bring your own model and data: efficiencies, capacity, predicted and measured critical size of any torch module."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri
from torch import Tensor

from dcrit.empirics.measures.capacity import OVERLOADED, beyond_chance, mean_count, no_capacity
from dcrit.empirics.measures.critical_size import critical_size_of
from dcrit.empirics.measures.efficiency import (
    FEWEST,
    RESAMPLES,
    LawsFit,
    NoLaws,
    fit_laws,
    measure_generalizing_efficiency,
    slope_of_log_efficiency,
    usable,
)
from dcrit.empirics.study.advice import advice_to_measure, advice_to_predict, with_advice
from dcrit.empirics.study.cost import Cost, Watch, check_budget, cost_of, pace_of, with_one_thread
from dcrit.empirics.study.design import PROBE_FRACTION, ROLES, Role, StudyDesign
from dcrit.empirics.study.module_runs import (
    Factory,
    FloatArray,
    LabelKind,
    ModuleOutcome,
    ModuleRun,
    as_examples,
    check_data,
    check_factory,
    outcome_at,
    train_module,
)
from dcrit.empirics.study.result import EfficiencyPoint, StudyResult
from dcrit.empirics.training.devices import resolve_device
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.estimates import Estimate, Interval, half_width, interval_of
from dcrit.theory.predictions.critical_size import size_prediction

__all__ = ["StudyDesign", "StudyResult", "study"]

#: Below this κ_eff the margin hardly depends on the norm, and margin per norm means nothing.
SMALLEST_HOMOGENEITY = 0.2

#: Efficiency on real labels that falls at least this steeply in ln D, well above the transition, is not flat.
STEEPEST_FLAT = 0.2


def study(factory: Factory, inputs: Tensor | ArrayLike, labels: Tensor | ArrayLike, design: StudyDesign) -> StudyResult:
    """Train a model on real and on random labels; predict its critical size from efficiencies, and measure it.

    The parts and what they rest on:

        κ_eff = d ln γ/d ln ‖θ‖,  e = γ/Q^(κ/2)
        e_mem(D): random labels;  e_gen: real labels, well above the transition
        predicted D_crit: Φ((w/(1 − w) − ρ)/σ) = a with w/(1 − w) = (e_gen/e_mem)^b
        measured D_crit: posterior of where accuracies pass a, by a logistic curve in ln D whose place scatters
        a = (chance + ceiling)/2,  capacity = D·(acc − chance)/(1 − chance) beyond what fits

    "One half" is half of what can be learned: a is 1/2 for many balanced classes, as in the rest of the package,
    and 3/4 for two. Chance is the accuracy of a constant guess.

    Short probes say where to look. Then runs for the prediction are made, and the prediction with them. Runs across the
    transition come last; the measured size rests on them and on the accuracies of the prediction's runs on real labels.

    Args:
        factory: Makes a new module from a seed; its logits have shape (n, C).
        inputs: (n, …) all examples.
        labels: (n,) their classes.
        design: Which runs to make.

    Returns:
        Estimates with intervals, or why there are none.

    Raises:
        ValueError: Module, data and design do not fit together, or the study would take longer than it may.

    Source: varma2023 (efficiencies).
    """
    inputs, labels = as_examples(inputs, labels)
    check_data(inputs, labels, design.n_classes)
    n_examples, device = len(labels), resolve_device(design.device)
    chance = float(labels.bincount().max()) / n_examples
    if design.ceiling <= chance:
        raise FieldError("ceiling", f"be above chance, which is {chance:.3g}", repr(design.ceiling))
    design.for_examples(n_examples)  # refuses sizes that do not fit, before anything is trained
    note = check_factory(factory, inputs, design.n_classes, device, loss=design.loss)

    def timed() -> Cost:
        return cost_of(design, n_examples, pace_of(factory, inputs, labels, design, device))

    cost = timed()
    check_budget(cost, design, alone=lambda: with_one_thread(timed))
    with ExitStack() as stack:
        bench = _Bench(factory, inputs, labels, design, device=device, chance=chance, watch=Watch(cost, stack))
        bench.make_runs()
    design, runs = bench.design, bench.runs
    homogeneity = _homogeneity(design, runs)
    kappa = homogeneity.value if homogeneity.value is not None else math.nan
    by_role: dict[Role, list[ModuleOutcome]] = {role: [] for role in ROLES}
    for role, run in runs:
        by_role[role].append(outcome_at(run, kappa))
    fit: LawsFit | NoLaws = NoLaws(cause=Cause.NO_HOMOGENEITY, reason=homogeneity.reason)
    if design.why_unpredicted:
        fit = NoLaws(cause=Cause.NO_HOMOGENEITY, reason=design.why_unpredicted)
    elif homogeneity.value is not None:
        fit = fit_laws(by_role["memorizing"], by_role["generalizing"], n_examples)
    half = (chance + design.ceiling) / 2
    slope = _exponent("generalizing_exponent", by_role["generalizing"], design)
    predicted = _predicted(fit, slope, half, design.level, n_classes=design.n_classes)
    fitted_none = homogeneity.value is None and not homogeneity.n_runs
    if predicted.value is None and not design.why_unpredicted and (fitted_none or homogeneity.value is not None):
        cause = fit.cause if isinstance(fit, NoLaws) else None
        advice = advice_to_predict(by_role, design, cause)
        predicted = replace(predicted, reason=with_advice(predicted.reason, advice))
    real = [*by_role["transition"], *by_role["generalizing"]]
    return StudyResult(
        design=design,
        n_examples=n_examples,
        n_params=runs[0][1].n_params,
        homogeneity=homogeneity,
        memorizing=_points(by_role["memorizing"], design.level),
        generalizing=_points(real, design.level),
        memorizing_exponent=_exponent("memorizing_exponent", by_role["memorizing"], design),
        generalizing_exponent=slope,
        generalizing_efficiency=measure_generalizing_efficiency(fit, level=design.level),
        fit=fit,
        capacity=_capacity(by_role["overloading"], design, chance),
        chance=chance,
        half_accuracy=half,
        predicted=predicted,
        measured=_measured(real, chance, half, design, n_examples=n_examples, note=note),
        runs=tuple(runs),
    )


class _Bench:
    """Makes the runs of a study, in the order in which they are needed."""

    def __init__(
        self,
        factory: Factory,
        inputs: Tensor,
        labels: Tensor,
        design: StudyDesign,
        *,
        device: str,
        chance: float,
        watch: Watch,
    ) -> None:
        self.factory, self.inputs, self.labels, self.device = factory, inputs, labels, device
        self.design, self.chance, self.watch = design, chance, watch
        self.runs: list[tuple[Role, ModuleRun]] = []
        self.seeds = itertools.count(design.first_seed)

    def make_runs(self) -> None:
        """Probes where they are needed, the prediction's runs, and those across the transition."""
        n_examples, horizon = len(self.labels), self.design.horizon
        if self.design.needs_probes:
            for size in self.design.probe_sizes(n_examples):
                self._run("probing", "real", size, steps=math.ceil(PROBE_FRACTION * horizon))
        probes = self._accuracies("probing")
        self.design = self.design.for_examples(n_examples, *probes)
        for role, labels, size in self.design.predicting():
            self._run(role, labels, size)
        for size in self.design.sizes:
            for _ in range(self.design.seeds):
                self._run("transition", "real", size, enough=self.design.enough(self.chance))
        made = 0
        while not self.design.sizes and (
            sizes := self.design.next_sizes(n_examples, self._accuracies("transition", "generalizing"), probes, made)
        ):
            for size in sizes:
                self._run("transition", "real", size, enough=self.design.enough(self.chance))
            made += len(sizes)

    def _run(self, role: Role, labels: LabelKind, size: int, **more: Any) -> None:
        config = self.design.config(labels, size, next(self.seeds), **more)
        run = train_module(self.factory, self.inputs, self.labels, config, device=self.device)
        self.runs.append((role, run))
        self.watch.tell(role)

    def _accuracies(self, *roles: Role) -> tuple[FloatArray, FloatArray]:
        """Sizes and final test accuracies of the runs that have one, between chance 0 and ceiling 1: (k,) each."""
        outcomes = [outcome_at(run, math.nan) for role, run in self.runs if role in roles]
        return sizes_and_shares(outcomes, self.chance, self.design)


def sizes_and_shares(
    outcomes: Sequence[ModuleOutcome], chance: float, design: StudyDesign
) -> tuple[FloatArray, FloatArray]:
    """Sizes and test accuracies of the runs that have one, counted from chance 0 to the ceiling 1: (k,) each."""
    tested = [o for o in outcomes if math.isfinite(o.test_accuracy)]
    shares = np.array([(o.test_accuracy - chance) / (design.ceiling - chance) for o in tested], dtype=np.float64)
    return np.array([o.config.n_train for o in tested], dtype=np.float64), shares.clip(0.0, 1.0)


def _homogeneity(design: StudyDesign, runs: Sequence[tuple[Role, ModuleRun]]) -> Estimate:
    """κ as given, or the median κ_eff of runs that fit their training set, with a bootstrap interval."""
    measurement = partial(Estimate, quantity="homogeneity", unit="1")
    if design.homogeneity is not None:
        return measurement(value=design.homogeneity, interval=None, n_runs=0, reason="given")
    whole = [run for _, run in runs if run.step[-1] == design.horizon]
    fitted = [run for run in whole if run.settled("train_accuracy") >= FITTED]
    values = np.array([run.homogeneity for run in fitted if math.isfinite(run.homogeneity)])
    if not values.size:
        return measurement(value=None, interval=None, n_runs=0, reason="no run fits its training set")
    kappa = float(np.median(values))
    if kappa < SMALLEST_HOMOGENEITY:
        reason = f"the margin hardly grows with the norm: κ_eff = {kappa:.2g}, so margin per norm means nothing"
        return measurement(value=None, interval=None, n_runs=values.size, reason=reason)
    rng = np.random.default_rng(0)
    draws = np.median(rng.choice(values, size=(RESAMPLES, values.size)), axis=1)
    span = f"{values.min():.2f} to {values.max():.2f} over runs"
    interval = interval_of(draws, design.level).around(kappa)
    return measurement(value=kappa, interval=interval, n_runs=values.size, reason=span)


def _points(outcomes: Sequence[ModuleOutcome], level: float) -> tuple[EfficiencyPoint, ...]:
    return tuple(
        _point([o for o in outcomes if o.config.n_train == size], level)
        for size in sorted({o.config.n_train for o in outcomes})
    )


def _point(outcomes: Sequence[ModuleOutcome], level: float) -> EfficiencyPoint:
    """Mean ln e over the usable runs of one size, with Student's interval."""
    used, n_unconverged, n_unfitted = usable(outcomes)
    logs = np.log([o.efficiency for o in used])
    tested = [o.test_accuracy for o in outcomes if math.isfinite(o.test_accuracy)]
    interval = None
    if logs.size > 1:
        half = half_width(float(logs.std(ddof=1)) / math.sqrt(logs.size), level=level, freedom=logs.size - 1)
        interval = Interval(low=math.exp(logs.mean() - half), high=math.exp(logs.mean() + half), level=level)
    return EfficiencyPoint(
        labels=outcomes[0].config.labels,
        n_train=outcomes[0].config.n_train,
        efficiency=math.exp(logs.mean()) if logs.size else None,
        interval=interval,
        test_accuracy=float(np.mean(tested)) if tested else math.nan,
        n_runs=len(used),
        n_unconverged=n_unconverged,
        n_unfitted=n_unfitted,
    )


def _exponent(quantity: str, outcomes: Sequence[ModuleOutcome], design: StudyDesign) -> Estimate:
    """Slope d ln e/d ln D with its bootstrap interval."""
    used, n_unconverged, n_unfitted = usable(outcomes)
    measurement = partial(Estimate, quantity=quantity, unit="1")
    note = f"{n_unfitted} runs did not fit their training set" if n_unfitted else ""
    if design.why_unpredicted:
        return measurement(value=None, interval=None, n_runs=0, reason=design.why_unpredicted)
    if len(used) < FEWEST or len({o.config.n_train for o in used}) < 2:
        reason = f"only {len(used)} runs converged and fit their training set, {FEWEST} over two sizes needed"
        return measurement(value=None, interval=None, n_runs=len(used), n_unconverged=n_unconverged, reason=reason)
    slope, draws = slope_of_log_efficiency(used)
    return measurement(
        value=slope,
        interval=interval_of(draws, design.level).around(slope),
        n_runs=len(used),
        n_unconverged=n_unconverged,
        reason=note,
    )


def _capacity(outcomes: Sequence[ModuleOutcome], design: StudyDesign, chance: float) -> Estimate:
    """Mean memorized count of overloaded runs, lucky guesses taken off; or that not even the largest size overloads."""
    if design.why_unpredicted:
        return no_capacity(design.why_unpredicted, n_runs=0, n_unconverged=0)
    guessed = 1 / design.n_classes if design.random_labels == "uniform" else chance
    finite = [o for o in outcomes if math.isfinite(o.train_accuracy)]
    counts = [(beyond_chance(o.config.n_train, o.train_accuracy, guessed), o.train_accuracy) for o in finite]
    overloaded = np.array([count for count, accuracy in counts if accuracy < OVERLOADED])
    lost = len(outcomes) - len(finite)
    if overloaded.size < 2:
        most = max((count for count, _ in counts), default=0.0)
        reason = f"not reached: at least {most:.0f} random labels are memorized"
        return no_capacity(reason, n_runs=len(finite), n_unconverged=lost)
    estimate, interval = mean_count(overloaded, level=design.level)
    return Estimate(
        quantity="capacity",
        value=estimate,
        interval=interval,
        unit="examples",
        n_runs=overloaded.size,
        n_unconverged=lost,
        reason=f"counts from {overloaded.min():.0f} to {overloaded.max():.0f}",
    )


def _predicted(fit: LawsFit | NoLaws, slope: Estimate, half: float, level: float, *, n_classes: int) -> Estimate:
    """Critical size that the efficiencies imply, and a note where e_gen is not as flat as the theory has it.

    With two classes the fitted deficits are upper quartiles, so that what the laws call one half is an accuracy of 3/4.
    """
    if n_classes == 2:
        half = float(ndtr(ndtri(half) - ndtri(0.75)))
    if isinstance(fit, NoLaws) or not fit.draws:
        why = fit.reason if isinstance(fit, NoLaws) else "no resampled runs show a memorizing efficiency that falls"
        return Estimate(quantity="critical_size", value=None, interval=None, unit="examples", reason=why)
    draws = np.array([constants_of(competition) for competition in fit.draws])
    found = size_prediction("critical_size", fit.competition, draws, accuracy=half, level=level)
    notes = [found.reason]
    if slope.interval is not None and slope.interval.high < -STEEPEST_FLAT:
        notes.append(
            f"likely too high: e on real labels falls as D^{slope.value:.2f}, where the theory takes e_gen as flat"
        )
    return replace(found, reason="; ".join(note for note in notes if note))


def _measured(
    outcomes: Sequence[ModuleOutcome], chance: float, half: float, design: StudyDesign, *, n_examples: int, note: str
) -> Estimate:
    """Critical size from accuracies, counted from chance to the ceiling."""
    sizes, shares = sizes_and_shares(outcomes, chance, design)
    found = critical_size_of(
        sizes,
        shares,
        largest=n_examples,
        horizon=design.horizon,
        n_lost=len(outcomes) - sizes.size,
        tolerance=None if design.sizes else design.tolerance,
        level=design.level,
    )
    where = f"test accuracy {half:.3g} counts as one half"
    if found.value is None:
        found = replace(found, reason=with_advice(found.reason, advice_to_measure(sizes, shares, design, n_examples)))
        if sizes.size:
            where += f"; in brackets, 0 stands for chance, {chance:.3g}, and 1 for the ceiling, {design.ceiling:.3g}"
    return replace(found, reason="; ".join(one for one in (found.reason, note, where) if one))
