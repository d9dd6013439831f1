"""Bring your own model and data: efficiencies, capacity, predicted and measured critical size of any torch module."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

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
from dcrit.empirics.study.advice import advice_to_measure, advice_to_predict
from dcrit.empirics.study.bench import Bench, Given, sizes_and_shares
from dcrit.empirics.study.cost import Cost, Price, Watch, best_pace, check_budget, cost_of, using
from dcrit.empirics.study.design import ROLES, Role, StudyDesign, largest_of
from dcrit.empirics.study.early import SMALLEST_HOMOGENEITY, is_below, no_homogeneity, past_transition
from dcrit.empirics.study.kept import StudyStore, open_store
from dcrit.empirics.study.module_runs import (
    Factory,
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
from dcrit.theory.advice import Advice, Setting, joined
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.estimates import Estimate, Interval, half_width, interval_of
from dcrit.theory.predictions.critical_size import size_prediction

__all__ = ["StudyDesign", "StudyResult", "study"]

#: Efficiency on real labels that falls at least this steeply in ln D, well above the transition, is not flat.
STEEPEST_FLAT = 0.2

#: Why runs of a factory that does not repeat itself are not kept.
UNREPEATED = "as two calls of the factory with one seed give different modules"

#: Training sets that are larger than the measured critical size by less than this are not well above the transition.
TOO_NEAR = 0.1


def study(
    factory: Factory,
    inputs: Tensor | ArrayLike,
    labels: Tensor | ArrayLike,
    design: StudyDesign,
    *,
    store: Path | str | None = None,
) -> StudyResult:
    """Train a model on real and on random labels; predict its critical size from efficiencies, and measure it.

    The parts and what they rest on:

        κ_eff = d ln γ/d ln ‖θ‖,  e = γ/Q^(κ/2)
        e_mem(D): random labels;  e_gen: real labels, well above the transition
        predicted D_crit: Φ((w/(1 − w) − ρ)/σ) = a with w/(1 − w) = (e_gen/e_mem)^b
        measured D_crit: posterior of where accuracies pass a, by a logistic curve in ln D whose place scatters
        a = (chance + ceiling)/2,  capacity = D·(acc − chance)/(1 − chance) beyond what fits

    "One half" is half of what can be learned: a is 1/2 for many balanced classes, as in the rest of the package,
    and 3/4 for two. Chance is the accuracy of a constant guess.

    Short probes say where to look. Then come the runs for the prediction. The first ones on real and on random labels
    show whether it can be made at all, see :mod:`~dcrit.empirics.study.early`: what was left open is mended, or the
    study goes on to measure alone and says why. Runs across the transition come last. The measured size rests on them
    and on the accuracies of the prediction's runs on real labels.

    Args:
        factory: Makes a new module from a seed; its logits have shape (n, C).
        inputs: (n, …) all examples.
        labels: (n,) their classes.
        design: Which runs to make.
        store: Folder in which finished runs are kept; what is there is not trained again. None to keep nothing.

    Returns:
        Estimates with intervals, or why there are none.

    Raises:
        ValueError: Module, data, design and store do not fit together, or the study would take longer than it may.
        StoreWriteError: A finished run cannot be kept.

    Source: varma2023 (efficiencies).
    """
    inputs, labels = as_examples(inputs, labels)
    check_data(inputs, labels, design.n_classes)
    n_examples, device = len(labels), resolve_device(design.device)
    chance = float(labels.bincount().max()) / n_examples
    if design.ceiling <= chance:
        raise FieldError("ceiling", f"be above chance, which is {chance:.3g}", repr(design.ceiling))
    design.for_examples(n_examples)  # refuses sizes that do not fit, before anything is trained
    kept = None if store is None else open_store(store)
    said = check_factory(factory, inputs, design.n_classes, device, loss=design.loss)
    given = Given(factory=factory, inputs=inputs, labels=labels, device=device, chance=chance)
    fits = _Fits(chance=chance, n_examples=n_examples)
    bench = _made(given, design, kept, repeats=said.repeats, unpredicted=fits.unpredicted)
    price, design, runs = bench.price, bench.design, bench.runs
    why = bench.why or design.why_unpredicted
    note = joined("; ", (*bench.notes, said.note))
    homogeneity = _homogeneity(design, runs, chance)
    kappa = homogeneity.value if homogeneity.value is not None else math.nan
    by_role = _by_role(runs, kappa)
    fit: LawsFit | NoLaws = NoLaws(cause=Cause.NO_HOMOGENEITY, reason=why or homogeneity.reason)
    past, _ = past_transition(by_role["generalizing"], design, chance)
    if not why and homogeneity.value is not None:
        fit = fits.of(by_role["memorizing"], past, kappa)
    half = (chance + design.ceiling) / 2
    slope = _exponent("generalizing_exponent", past, design, why)
    predicted = _predicted(fit, half, design.level, n_classes=design.n_classes)
    fitted_none = homogeneity.value is None and not homogeneity.n_runs
    if predicted.value is None and not why and (fitted_none or homogeneity.value is not None):
        cause = fit.cause if isinstance(fit, NoLaws) else None
        advice = advice_to_predict(by_role, design, cause, price, past=past, n_examples=n_examples)
        predicted = replace(predicted, reason=joined("; ", (predicted.reason, *advice)))
    real = [*by_role["transition"], *by_role["generalizing"]]
    measured = _measured(real, chance, half, design, n_examples=n_examples, note=note, price=price)
    predicted = _doubted(predicted, slope, past, measured, n_examples=n_examples)
    return StudyResult(
        design=design,
        n_examples=n_examples,
        n_params=runs[0][1].n_params,
        homogeneity=homogeneity,
        memorizing=_points(by_role["memorizing"], design.level),
        generalizing=_points(real, design.level),
        memorizing_exponent=_exponent("memorizing_exponent", by_role["memorizing"], design, why),
        generalizing_exponent=slope,
        generalizing_efficiency=measure_generalizing_efficiency(fit, level=design.level),
        fit=fit,
        capacity=_capacity(by_role["overloading"], design, chance, why, n_examples=n_examples),
        chance=chance,
        half_accuracy=half,
        predicted=predicted,
        measured=measured,
        runs=tuple(runs),
        n_found=bench.n_found,
    )


def _by_role(runs: Sequence[tuple[Role, ModuleRun]], kappa: float) -> dict[Role, list[ModuleOutcome]]:
    """Outcomes of runs by what they were for."""
    found: dict[Role, list[ModuleOutcome]] = {role: [] for role in ROLES}
    for role, run in runs:
        found[role].append(outcome_at(run, kappa))
    for role in ("generalizing", "memorizing"):  # resampling, and so the interval, depends on the order
        found[role].sort(key=lambda outcome: (outcome.config.n_train, outcome.config.seed))
    return found


class _Fits:
    """Fits of both laws, each made once: the first one is told before runs across the transition are made.

    Args:
        chance: Accuracy of a constant guess.
        n_examples: n.
    """

    def __init__(self, *, chance: float, n_examples: int) -> None:
        self.chance, self.n_examples = chance, n_examples
        self.known: dict[tuple[object, ...], LawsFit | NoLaws] = {}

    def of(self, memorizing: Sequence[ModuleOutcome], past: Sequence[ModuleOutcome], kappa: float) -> LawsFit | NoLaws:
        """The fit to some runs."""
        key = (kappa, tuple(o.config for o in memorizing), tuple(o.config for o in past))
        if key not in self.known:
            self.known[key] = fit_laws(memorizing, past, self.n_examples)
        return self.known[key]

    def unpredicted(self, design: StudyDesign, runs: Sequence[tuple[Role, ModuleRun]]) -> str:
        """Why nothing can be predicted from runs that were made for that; empty where something can."""
        homogeneity = _homogeneity(design, runs, self.chance)
        if homogeneity.value is None:
            return homogeneity.reason
        by_role = _by_role(runs, homogeneity.value)
        past, _ = past_transition(by_role["generalizing"], design, self.chance)
        return _no_laws(self.of(by_role["memorizing"], past, homogeneity.value))


def _made(
    given: Given,
    design: StudyDesign,
    store: StudyStore | None,
    *,
    repeats: bool,
    unpredicted: Callable[[StudyDesign, Sequence[tuple[Role, ModuleRun]]], str],
) -> Bench:
    """All runs of a study, with the threads that are fastest, and what is said on the way.

    Args:
        given: Module and data.
        design: Which runs to make.
        store: Where finished runs are kept; None for nowhere.
        repeats: Whether the factory makes the same module of the same seed.
        unpredicted: Why nothing can be predicted from runs that were made for that.

    Raises:
        ValueError: The study would take longer than it may, or a module fails in training.
        KeyboardInterrupt: Ctrl-C was pressed; a note says what was kept.
    """
    timed = (given.factory, given.inputs, given.labels, design, given.device)
    n_examples = len(given.labels)
    pace = best_pace(*timed)

    def alone() -> Cost:
        with using(1):
            return cost_of(design, n_examples, best_pace(*timed))

    def price(other: StudyDesign) -> Cost:
        return cost_of(other, n_examples, pace)

    cost = price(design)
    check_budget(cost, design, price, alone if pace.threads == 0 else None)
    with ExitStack() as stack:
        stack.enter_context(using(pace.threads))
        watch = Watch(cost, stack)
        if store is not None and not repeats:
            watch.say(f"runs are not kept, {UNREPEATED}")
        bench = Bench(
            *(given, design, pace, watch),
            store=store if repeats else None,
            train=train_module,
            unpredicted=unpredicted,
        )
        try:
            bench.make_runs()
        except KeyboardInterrupt as error:
            cannot = store is not None and not repeats
            error.add_note(f"Nothing was kept, {UNREPEATED}." if cannot else bench.how_to_go_on)
            raise
    if bench.store is not None and (bench.n_found or not watch.brief):
        watch.say(bench.what_was_found)
    return bench


def _homogeneity(design: StudyDesign, runs: Sequence[tuple[Role, ModuleRun]], chance: float) -> Estimate:
    """κ as given, or the median κ_eff of runs that fit their training set, with a bootstrap interval.

    Runs across the transition count only where there are no others: they are not to enter a prediction.
    """
    measurement = partial(Estimate, quantity="homogeneity", unit="1")
    if design.homogeneity is not None:
        return measurement(value=design.homogeneity, interval=None, n_runs=0, reason="given")
    full = [(role, run) for role, run in runs if role != "probing" and run.step[-1] == design.horizon]
    below = {
        id(run)
        for _, run in full
        if run.config.labels == "real" and is_below(outcome_at(run, math.nan), design, chance)
    }
    apart = [run for role, run in full if role != "transition" and id(run) not in below]
    whole = apart or [run for _, run in full]
    fitted = [run for run in whole if run.settled("train_accuracy") >= FITTED]
    values = np.array([run.homogeneity for run in fitted if math.isfinite(run.homogeneity)])
    if not values.size:
        return measurement(value=None, interval=None, n_runs=0, reason="no run fits its training set")
    kappa = float(np.median(values))
    if kappa < SMALLEST_HOMOGENEITY:
        return measurement(value=None, interval=None, n_runs=values.size, reason=no_homogeneity(kappa))
    rng = np.random.default_rng(0)
    draws = np.median(rng.choice(values, size=(RESAMPLES, values.size)), axis=1)
    least, most = f"{values.min():.2f}", f"{values.max():.2f}"
    span = f"{least} to {most} over runs" if least != most else ""
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


def _exponent(quantity: str, outcomes: Sequence[ModuleOutcome], design: StudyDesign, why: str) -> Estimate:
    """Slope d ln e/d ln D with its bootstrap interval."""
    used, n_unconverged, n_unfitted = usable(outcomes)
    measurement = partial(Estimate, quantity=quantity, unit="1")
    role = "generalizing_sizes" if quantity == "generalizing_exponent" else "memorizing_sizes"
    unfitted = f"{n_unfitted} runs did not fit their training set: try smaller "
    note = Advice(unfitted, Setting(role), " or a larger network") if n_unfitted else ""
    if why:
        return measurement(value=None, interval=None, n_runs=0, reason=why)
    if len(used) < FEWEST or len({o.config.n_train for o in used}) < 2:
        few = f"only {len(used)} runs converged and fit their training set, {FEWEST} over two sizes needed"
        instead = Setting("steps", 4 * design.horizon) if n_unconverged else Setting("seeds", 2 * design.seeds)
        reason = Advice(few, "; ", note) if n_unfitted else Advice(few, ": try ", instead)
        return measurement(value=None, interval=None, n_runs=len(used), n_unconverged=n_unconverged, reason=reason)
    slope, draws = slope_of_log_efficiency(used)
    return measurement(
        value=slope,
        interval=interval_of(draws, design.level).around(slope),
        n_runs=len(used),
        n_unconverged=n_unconverged,
        reason=note,
    )


def _capacity(
    outcomes: Sequence[ModuleOutcome], design: StudyDesign, chance: float, why: str, *, n_examples: int
) -> Estimate:
    """Mean memorized count of overloaded runs, lucky guesses taken off; or that not even the largest size overloads."""
    if why:
        return no_capacity(why, n_runs=0, n_unconverged=0)
    guessed = 1 / design.n_classes if design.random_labels == "uniform" else chance
    finite = [o for o in outcomes if math.isfinite(o.train_accuracy)]
    counts = [(beyond_chance(o.config.n_train, o.train_accuracy, guessed), o.train_accuracy) for o in finite]
    overloaded = np.array([count for count, accuracy in counts if accuracy < OVERLOADED])
    lost = len(outcomes) - len(finite)
    if overloaded.size < 2:
        most = max((count for count, _ in counts), default=0.0)
        least = f"not reached: at least {most:.0f} random labels are memorized"
        every = max((o.config.n_train for o in finite), default=0) == n_examples
        larger = Advice("; larger ", Setting("overloading_sizes"), " may reach it")
        reason = f"{least}, and there are {n_examples} examples in all" if every else Advice(least, larger)
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


def _predicted(fit: LawsFit | NoLaws, half: float, level: float, *, n_classes: int) -> Estimate:
    """Critical size that the efficiencies imply.

    With two classes the fitted deficits are upper quartiles, so that what the laws call one half is an accuracy of 3/4.
    """
    if n_classes == 2:
        half = float(ndtr(ndtri(half) - ndtri(0.75)))
    if why := _no_laws(fit):
        return Estimate(quantity="critical_size", value=None, interval=None, unit="examples", reason=why)
    assert isinstance(fit, LawsFit)
    draws = np.array([constants_of(competition) for competition in fit.draws])
    return size_prediction("critical_size", fit.competition, draws, accuracy=half, level=level)


def _no_laws(fit: LawsFit | NoLaws) -> str:
    """Why nothing follows from a fit; empty where something does."""
    if isinstance(fit, NoLaws):
        return fit.reason
    return "" if fit.draws else "no resampled runs show a memorizing efficiency that falls"


def _doubted(
    predicted: Estimate, slope: Estimate, past: Sequence[ModuleOutcome], measured: Estimate, *, n_examples: int
) -> Estimate:
    """A prediction with what speaks against what it rests on, and what to do, in a sentence.

    The theory takes e on real labels as flat, and as measured well above the transition. How far off a prediction is
    where e is not flat, no study has told yet, so that its interval cannot contain it.

    Args:
        predicted: The critical size.
        slope: d ln e/d ln D on real labels.
        past: Runs on real labels that the efficiency is taken from.
        measured: The critical size.
        n_examples: n.
    """
    if predicted.value is None:
        return predicted
    notes: list[str] = []
    largest, most = max((o.config.n_train for o in past), default=0), largest_of(n_examples)
    larger: list[Setting | str] = [f", from {largest} on"] if largest < most else [" and more examples"]
    if slope.value is not None and slope.interval is not None:
        flat = "which the theory takes as flat"
        if slope.interval.high < -STEEPEST_FLAT:
            instead = "go by the measured size, which does not rest on it"
            if measured.value is None:
                instead = "the note on the measured size says how to get one"
            notes.append(f"may be too high: e on real labels falls as D^{slope.value:.2f}, {flat}: {instead}")
        if slope.interval.low > STEEPEST_FLAT:
            grows = f"rests on little: e on real labels grows as D^{slope.value:.2f}, {flat}: try larger "
            notes.append(Advice(grows, Setting("generalizing_sizes"), *larger))
    if measured.value is not None:
        sizes = sorted({o.config.n_train for o in past})
        near = [size for size in sizes if size < (1 + TOO_NEAR) * measured.value]
        if near:
            listed, enough = ", ".join(map(str, near)), math.ceil((1 + TOO_NEAR) * measured.value)
            close = (
                f"rests on little: e on real labels was also taken at {listed} examples, which is not "
                f"{TOO_NEAR:.0%} above the measured size: "
            )
            above: list[Setting | str] = ["try ", Setting("generalizing_sizes"), f" from {enough} on"]
            notes.append(Advice(close, *(above if enough < most else ["give more examples"])))
    return replace(predicted, reason=joined("; ", (predicted.reason, *notes)))


def _measured(
    outcomes: Sequence[ModuleOutcome],
    chance: float,
    half: float,
    design: StudyDesign,
    *,
    n_examples: int,
    note: str,
    price: Price,
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
        advice = advice_to_measure(sizes, shares, design, n_examples, price)
        found = replace(found, reason=joined("; ", (found.reason, *advice)))
        if sizes.size:
            where += f"; in brackets, 0 stands for chance, {chance:.3g}, and 1 for the ceiling, {design.ceiling:.3g}"
    return replace(found, reason=joined("; ", (found.reason, note, where)))
