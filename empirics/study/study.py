"""Bring your own model and data: efficiencies, capacity, predicted and measured critical size of any torch module."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from rich.console import Console
from rich.progress import Progress
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
from dcrit.empirics.study.design import ROLES, Role, StudyDesign
from dcrit.empirics.study.module_runs import Factory, ModuleOutcome, ModuleRun, check_data, outcome_at, train_module
from dcrit.empirics.study.result import EfficiencyPoint, StudyResult
from dcrit.empirics.training.devices import resolve_device
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.estimates import Estimate, Interval, half_width, interval_of
from dcrit.theory.predictions.critical_size import size_prediction

__all__ = ["StudyDesign", "StudyResult", "study"]

#: Runs that last longer show how far they are [s].
PATIENCE_SECONDS = 2.0

#: Below this κ_eff the margin hardly depends on the norm, and margin per norm means nothing.
SMALLEST_HOMOGENEITY = 0.2

#: Efficiency on real labels that falls at least this steeply in ln D, well above the transition, is not flat.
STEEPEST_FLAT = 0.2


def study(factory: Factory, inputs: Tensor, labels: Tensor, design: StudyDesign) -> StudyResult:
    """Train a model on real and on random labels; predict its critical size from efficiencies, and measure it.

    The parts and what they rest on:

        κ_eff = d ln γ/d ln ‖θ‖,  e = γ/Q^(κ/2)
        e_mem(D): random labels;  e_gen: real labels, well above the transition
        predicted D_crit: Φ((w/(1 − w) − ρ)/σ) = a with w/(1 − w) = (e_gen/e_mem)^b
        measured D_crit: posterior of where accuracies pass a, by a logistic curve in ln D whose place scatters
        a = (chance + ceiling)/2,  capacity = D·(acc − chance)/(1 − chance) beyond what fits

    "One half" is half of what can be learned: a is 1/2 for many balanced classes, as in the rest of the package,
    and 3/4 for two. Chance is the accuracy of a constant guess.

    Args:
        factory: Makes a new module from a seed; its logits have shape (n, C).
        inputs: (n, …) all examples.
        labels: (n,) their classes.
        design: Which runs to make.

    Returns:
        Estimates with intervals, or why there are none.

    Raises:
        ValueError: Module, data and design do not fit together.

    Source: varma2023 (efficiencies).
    """
    check_data(inputs, labels, design.n_classes)
    design, device = design.for_examples(len(labels)), resolve_device(design.device)
    chance = float(labels.bincount().max()) / len(labels)
    if design.ceiling <= chance:
        raise FieldError("ceiling", f"be above chance, which is {chance:.3g}", repr(design.ceiling))
    runs = _train(factory, inputs, labels, design, device)
    homogeneity = _homogeneity(design, runs)
    kappa = homogeneity.value if homogeneity.value is not None else math.nan
    by_role: dict[Role, list[ModuleOutcome]] = {role: [] for role in ROLES}
    for role, run in runs:
        by_role[role].append(outcome_at(run, kappa))
    fit: LawsFit | NoLaws = NoLaws(cause=Cause.NO_HOMOGENEITY, reason=homogeneity.reason)
    if homogeneity.value is not None:
        fit = fit_laws(by_role["memorizing"], by_role["generalizing"], len(labels))
    half = (chance + design.ceiling) / 2
    slope = _exponent("generalizing_exponent", by_role["generalizing"], design.level)
    return StudyResult(
        design=design,
        n_examples=len(labels),
        n_params=runs[0][1].n_params,
        homogeneity=homogeneity,
        memorizing=_points(by_role["memorizing"], design.level),
        generalizing=_points([*by_role["transition"], *by_role["generalizing"]], design.level),
        memorizing_exponent=_exponent("memorizing_exponent", by_role["memorizing"], design.level),
        generalizing_exponent=slope,
        generalizing_efficiency=measure_generalizing_efficiency(fit, level=design.level),
        fit=fit,
        capacity=_capacity(by_role["overloading"], design, chance),
        chance=chance,
        half_accuracy=half,
        predicted=_predicted(fit, slope, half, design.level, n_classes=design.n_classes),
        measured=_measured(by_role["transition"], chance, half, design, len(labels)),
        runs=tuple(runs),
    )


def _train(
    factory: Factory, inputs: Tensor, labels: Tensor, design: StudyDesign, device: str
) -> list[tuple[Role, ModuleRun]]:
    """All runs of a design, with a bar on standard error where that takes long and somebody looks."""
    configs = list(design.configs())
    console = Console(stderr=True)
    found: list[tuple[Role, ModuleRun]] = []
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        bar: Progress | None = None
        for role, config in configs:
            found.append((role, train_module(factory, inputs, labels, config, device=device)))
            if bar is None and time.monotonic() - began > PATIENCE_SECONDS:
                bar = stack.enter_context(Progress(console=console, disable=not console.is_interactive, transient=True))
                bar.add_task("training", total=len(configs))
            if bar is not None:
                bar.update(bar.task_ids[0], completed=len(found))
    return found


def _homogeneity(design: StudyDesign, runs: Sequence[tuple[Role, ModuleRun]]) -> Estimate:
    """κ as given, or the median κ_eff of runs that fit their training set, with a bootstrap interval."""
    measurement = partial(Estimate, quantity="homogeneity", unit="1")
    if design.homogeneity is not None:
        return measurement(value=design.homogeneity, interval=None, n_runs=0, reason="given")
    fitted = [run for _, run in runs if run.settled("train_accuracy") >= FITTED]
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


def _exponent(quantity: str, outcomes: Sequence[ModuleOutcome], level: float) -> Estimate:
    """Slope d ln e/d ln D with its bootstrap interval."""
    used, n_unconverged, n_unfitted = usable(outcomes)
    measurement = partial(Estimate, quantity=quantity, unit="1")
    note = f"{n_unfitted} runs did not fit their training set" if n_unfitted else ""
    if len(used) < FEWEST or len({o.config.n_train for o in used}) < 2:
        reason = f"only {len(used)} runs converged and fit their training set, {FEWEST} over two sizes needed"
        return measurement(value=None, interval=None, n_runs=len(used), n_unconverged=n_unconverged, reason=reason)
    slope, draws = slope_of_log_efficiency(used)
    return measurement(
        value=slope,
        interval=interval_of(draws, level).around(slope),
        n_runs=len(used),
        n_unconverged=n_unconverged,
        reason=note,
    )


def _capacity(outcomes: Sequence[ModuleOutcome], design: StudyDesign, chance: float) -> Estimate:
    """Mean memorized count of overloaded runs, lucky guesses taken off; or that not even the largest size overloads."""
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
    outcomes: Sequence[ModuleOutcome], chance: float, half: float, design: StudyDesign, n_examples: int
) -> Estimate:
    """Critical size from accuracies, counted from chance to the ceiling."""
    usable = [o for o in outcomes if math.isfinite(o.test_accuracy)]
    accuracy = np.array([(o.test_accuracy - chance) / (design.ceiling - chance) for o in usable]).clip(0.0, 1.0)
    sizes = np.array([o.config.n_train for o in usable], dtype=np.float64)
    found = critical_size_of(
        sizes,
        accuracy,
        largest=n_examples,
        horizon=design.horizon,
        n_lost=len(outcomes) - len(usable),
        level=design.level,
    )
    where = f"test accuracy {half:.3g} counts as one half"
    return replace(found, reason=f"{found.reason}; {where}" if found.reason else where)
