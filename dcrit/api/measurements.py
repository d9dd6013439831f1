"""Real runs turned into estimates with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args, overload

import numpy as np

from dcrit.api.answers import Finding, Sized, Statement, axes_of, finished, table_of
from dcrit.api.headlines import at_rates, said_of_size
from dcrit.api.predictions import Prediction, prediction_if_any
from dcrit.api.several import Answers, problems_over, several
from dcrit.api.training import STORE, MachineOptions, laboratory_of, machine_names
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import check_choice, check_integer
from dcrit.theory.estimates import Estimate
from dcrit.theory.problems.problem import Problem, full_label
from dcrit.theory.written import finite

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from dcrit.empirics.experiments.transitions import Direction, Method, Starts
    from dcrit.empirics.measures.efficiency import CompetitionFit, NoLaws
    from dcrit.empirics.runs.outcomes import Outcome
    from dcrit.empirics.runs.single import Start
    from dcrit.theory.calibrations.calibration import Calibration, Cell


#: A part of a calibration: the circuits at rest, or the law of sizes from scratch.
Part = Literal["circuits", "law"]


@dataclass(frozen=True, kw_only=True)
class Measurement(Sized):
    """A critical size that real runs gave, beside the prediction made before them.

    Attributes:
        problem: What was measured.
        directions: Sizes with the runs behind them, by where training started; from scratch first.
        prediction: What was predicted; None where no calibration speaks for the problem at the horizon.
    """

    problem: Problem
    directions: Mapping[Start, Direction]
    prediction: Prediction | None

    @property
    def measured(self) -> Estimate:
        """The size with its interval: from scratch where that was measured."""
        return self._first.measured

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """Settled values of the runs behind it."""
        return self._first.outcomes

    @property
    def ungrokking(self) -> Estimate | None:
        """The size at which networks that generalized lose it; None where it was not measured."""
        found = self.directions.get("generalized")
        return None if found is None else found.measured

    @property
    def hysteresis(self) -> Estimate | None:
        """ln(D_scratch/D_ungrok); None where one of the two was not measured."""
        from dcrit.empirics.measures.ungrokking import measure_hysteresis

        if len(self.directions) < 2:
            return None
        return measure_hysteresis(*(found.outcomes for found in self.directions.values()))

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Everything measured, by name."""
        found = [one.measured for one in self.directions.values()]
        found += [] if (apart := self.hysteresis) is None else [apart]
        return {one.quantity: one for one in found}

    @property
    def start(self) -> Starts:
        """Where training started."""
        return "both" if len(self.directions) > 1 else next(iter(self.directions))

    @property
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""
        return self.measured

    @property
    def predicted(self) -> Estimate | None:
        """What was predicted of it: D_crit(T) from scratch, D_rest from above; None where nothing was."""
        if self.prediction is None:
            return None
        sizes = self.prediction.sizes
        return sizes.critical_size if "scratch" in self.directions else sizes.at_rest

    @property
    def title(self) -> str:
        """What was measured, in a few words."""
        when = "" if self.horizon is None else f", T = {self.horizon} steps"
        return f"measured: {full_label(self.problem)}{when}"

    @property
    def headline(self) -> str:
        """The size with its interval, or why there is none; the first of both where both were measured."""
        name = "D_crit" if "scratch" in self.directions else "D_rest, from above,"
        after = "" if self.horizon is None else f" after {self.horizon} steps"
        return said_of_size(f"{name}{after}{at_rates(self.problem)}", self.size)

    @property
    def _first(self) -> Direction:
        return next(iter(self.directions.values()))

    def details(self) -> dict[str, Any]:
        """Where training started, and over which sizes the transition reaches."""
        from dcrit.empirics.measures.critical_size import transition_width

        runs = [*self.outcomes, *self._first.timed]
        return {
            "start": self.start,
            "method": self._first.method,
            "transition_width": transition_width(self.outcomes),
            "horizon": self.horizon,
            "sizes": sorted({one.config.n_train for one in runs}),
            "steps_taken": sum(one.steps for one in self.directions.values()),
        }

    def to_dict(self) -> dict[str, Any]:
        """Measurement and prediction as JSON values."""
        return {
            "problem": self.problem.to_dict(),
            **{name: one.to_dict() for name, one in self.estimates.items()},
            **self.details(),
            "predicted": None if self.predicted is None else self.predicted.to_dict(),
        }

    def to_polars(self) -> pl.DataFrame:
        """One row for each quantity that was measured, one for what was predicted."""
        return table_of(self.estimates | ({} if self.predicted is None else {"predicted": self.predicted}))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw every run's test accuracy and the measured sizes over the prediction."""
        from dcrit.figures.drawing import canvas
        from dcrit.figures.measured.runs import draw_over_sizes, size_axis
        from dcrit.figures.predicted.critical_size import draw_measured, draw_sizes

        ax = axes_of(ax)
        canvas.prepare(ax)
        shown: list[float] = []
        if self.prediction is not None and self.predicted is not None:
            from_scratch = "scratch" in self.directions
            shown += draw_sizes(ax, self.prediction.sizes.by_accuracy() if from_scratch else {0.5: self.predicted})
        for start, found in self.directions.items():
            shown += [one.config.n_train for one in found.outcomes]
            if found.outcomes:
                draw_over_sizes(ax, found.outcomes, start=start)
            shown += draw_measured(ax, found.measured, start=start)
        size_axis(ax, shown, self.problem.n_pairs)
        ax.set(ylabel="test accuracy [fraction]", ylim=(-0.04, 1.04))
        return finished(ax, self.title)


class MeasureOptions(MachineOptions, total=False):
    """How a critical size is measured, and where networks are trained.

    Attributes:
        start: ``scratch``, ``generalized`` or ``both``.
        method: ``posterior`` or ``clock``.
        tolerance: Relative half width of the interval to reach.
        max_runs: Runs at most, short probes among them.
        seed: First seed.
        horizon: T, steps of training; None for the protocol's 40/(ηλ) [steps].
        store: Folder in which runs are kept.
        note: Told before it begins how long it takes at most, in words.
    """

    start: Starts
    method: Method
    tolerance: float
    max_runs: int
    seed: int
    horizon: int | None
    store: Path | str
    note: Callable[[str], None]


@overload
def measure(problem: Problem, **options: Unpack[MeasureOptions]) -> Measurement: ...
@overload
def measure(
    problem: Problem, *, moduli: ArrayLike, widths: ArrayLike | None = None, **options: Unpack[MeasureOptions]
) -> Answers[Measurement]: ...
@overload
def measure(problem: Problem, *, widths: ArrayLike, **options: Unpack[MeasureOptions]) -> Answers[Measurement]: ...


@hinting(problem=Problem, more=machine_names)
def measure(
    problem: Problem,
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    start: Starts = "scratch",
    method: Method = "posterior",
    tolerance: float = 0.05,
    max_runs: int = 60,
    seed: int = 0,
    horizon: int | None = None,
    store: Path | str = STORE,
    note: Callable[[str], None] = lambda _: None,
    **machine: Unpack[MachineOptions],
) -> Measurement | Answers[Measurement]:
    """Train until the critical size is known: the size at which mean test accuracy at the horizon crosses one half.

    The prediction is made first, from the constants that ship.

    Args:
        problem: What to measure.
        moduli: p, several of them in the place of the problem's: then there is an answer for each.
        widths: H, several of them in the place of the problem's: then there is an answer for each.
        start: ``scratch``: train on D examples; ``generalized``: train on 90 % of all pairs first, then go on with D of
            them (ungrokking), four runs at most; ``both``: each, and the hysteresis between them.
        method: ``posterior``: full runs on both sides of the transition; ``clock``, of pair-MLPs from scratch alone:
            two to four short runs above it, carried on by the law's clock, with one horizon of steps in all.
        tolerance: Relative half width of the interval to reach.
        max_runs: Runs at most, short probes among them.
        seed: First seed; another one makes fresh runs.
        horizon: T, steps of training; None for the protocol's 40/(ηλ) [steps].
        store: Folder in which runs are kept; what is there is not trained again.
        note: Told before it begins how long it takes at most, in words.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.api.costs import seconds_on_one_core
    from dcrit.empirics.experiments.transitions import DirectionsDesign
    from dcrit.empirics.runs.single import LONGEST
    from dcrit.empirics.training.budget import duration

    if horizon is not None:
        check_integer("horizon", horizon, 1, LONGEST)
    check_integer("seed", seed, 0)
    designs = {
        one: DirectionsDesign(
            problem=one,
            start=start,
            method=method,
            tolerance=tolerance,
            max_runs=max_runs,
            steps=horizon or 0,
            first_seed=seed,
        )
        for one in problems_over(problem, moduli, widths)
    }
    predictions = {one: prediction_if_any(one, horizon=horizon) for one in designs}
    with laboratory_of(store, machine) as laboratory:
        stages = [stage for design in designs.values() for stage in design.stages()]
        most = duration(seconds_on_one_core(stages))
        note(f"training takes {most} on one idle core at most; it ends as soon as the interval is narrow enough")

        def ask(one: Problem) -> Measurement:
            return Measurement(
                problem=one, directions=designs[one].measure(laboratory.runs), prediction=predictions[one]
            )

        if moduli is None and widths is None:
            return ask(problem)
        return several("measured critical sizes", "critical_size", list(designs), ask)


class CapacityOptions(MachineOptions, total=False):
    """How a capacity is measured, and where networks are trained.

    Attributes:
        seeds: Runs at every size.
        seed: First seed.
        store: Folder in which runs are kept.
    """

    seeds: int
    seed: int
    store: Path | str


@overload
def capacity(problem: Problem, **options: Unpack[CapacityOptions]) -> Finding: ...
@overload
def capacity(
    problem: Problem, *, moduli: ArrayLike, widths: ArrayLike | None = None, **options: Unpack[CapacityOptions]
) -> Answers[Finding]: ...
@overload
def capacity(problem: Problem, *, widths: ArrayLike, **options: Unpack[CapacityOptions]) -> Answers[Finding]: ...


@hinting(problem=Problem, more=machine_names)
def capacity(
    problem: Problem,
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    seeds: int = 3,
    seed: int = 0,
    store: Path | str = STORE,
    **machine: Unpack[MachineOptions],
) -> Finding | Answers[Finding]:
    """Train on random labels until the model is overloaded: the number that it memorizes, and bits a parameter.

    Args:
        problem: What to measure; its width must be small enough that all pairs overload the model.
        moduli: p, several of them in the place of the problem's: then there is an answer for each.
        widths: H, several of them in the place of the problem's: then there is an answer for each.
        seeds: Runs at every size.
        seed: First seed; another one makes fresh runs.
        store: Folder in which runs are kept.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.measures.capacity import CapacityDesign, in_bits, measure_capacity
    from dcrit.empirics.runs.single import check_trainable

    check_integer("seed", seed, 0)
    problems = problems_over(problem, moduli, widths)
    for one in problems:
        check_trainable(one)
    designs = [CapacityDesign(problem=one, seeds=seeds, first_seed=seed) for one in problems]
    with laboratory_of(store, machine) as laboratory:
        outcomes = laboratory.outcomes([design.configs() for design in designs], stage="capacity")
    found = dict(zip(problems, outcomes, strict=True))

    def ask(one: Problem) -> Finding:
        size = measure_capacity(found[one])
        return Finding(
            asked=f"capacity: {full_label(one)}",
            problem=one,
            estimates={"capacity": size, "bits_per_parameter": in_bits(size, one)},
            found=found[one],
            told=said_of_size("D_mem", size),
        )

    if moduli is None and widths is None:
        return ask(problem)
    return several("measured capacities", "capacity", problems, ask)


@dataclass(frozen=True, kw_only=True)
class Efficiencies(Finding):
    """Both circuits' efficiencies, in several norms.

    Attributes:
        in_norms: The fit in each norm, or why there is none.
    """

    in_norms: Mapping[str, CompetitionFit | NoLaws]

    def laws_in_norms(self) -> dict[str, dict[str, Any]]:
        """What the same runs give in each norm: efficiency, constants of the laws, implied size."""
        return {norm: efficiency_estimates(fit) | laws_of(fit) for norm, fit in self.in_norms.items()}

    def to_dict(self) -> dict[str, Any]:
        """Estimates, laws, the same in all norms, and the runs, as JSON values."""
        own = laws_of(self.found) | {
            "norms": {
                norm: {name: one.to_dict() if isinstance(one, Estimate) else one for name, one in values.items()}
                for norm, values in self.laws_in_norms().items()
            },
            "runs": self.rows,
        }
        return super().to_dict() | finite(own)


def efficiency_estimates(fit: CompetitionFit | NoLaws) -> dict[str, Estimate]:
    """The efficiency of generalizing, and the critical size that both circuits imply.

    Args:
        fit: Of both, or why there is none.
    """
    from dcrit.empirics.measures.efficiency import implied_critical_size, measure_generalizing_efficiency

    found = (measure_generalizing_efficiency(fit), implied_critical_size(fit))
    return {one.quantity: one for one in found}


def laws_of(fit: CompetitionFit | NoLaws) -> dict[str, float | None]:
    """Constants of the fitted laws, or that there are none.

    Args:
        fit: Of both circuits, or why there is none.
    """
    law = fit.competition
    return {
        "memorizing_amplitude": None if law is None else law.memorizing.amplitude,
        "memorizing_exponent": None if law is None else law.memorizing.exponent,
        "mixing": None if law is None else law.mixing,
    }


@hinting(problem=Problem, more=machine_names)
def efficiency(
    problem: Problem, *, seeds: int = 3, seed: int = 0, store: Path | str = STORE, **machine: Unpack[MachineOptions]
) -> Efficiencies:
    """Train on random labels and well above the transition: both circuits' efficiency, and the size they imply.

    No run near the transition is made.

    Args:
        problem: What to measure.
        seeds: Runs at every size.
        seed: First seed; another one makes fresh runs.
        store: Folder in which runs are kept.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.measures.efficiency import EfficiencyDesign, fit_competition
    from dcrit.empirics.runs.norms import outcome_in_norm, recorded_norms
    from dcrit.empirics.runs.outcomes import outcome_of
    from dcrit.empirics.runs.single import check_trainable

    check_trainable(problem)
    check_integer("seed", seed, 0)
    design = EfficiencyDesign(problem=problem, seeds=seeds, first_seed=seed)
    memory, general, norms = design.memorizing(), design.generalizing(), recorded_norms(problem)
    with laboratory_of(store, machine) as laboratory:
        # In every norm at once: a run is decoded once.
        each = [
            (outcome_of(one), [outcome_in_norm(one, norm) for norm in norms])
            for one in laboratory.runs([*memory, *general], stage="efficiencies")
        ]

    def fitted(outcomes: Sequence[Outcome]) -> CompetitionFit | NoLaws:
        return fit_competition(problem, outcomes[: len(memory)], outcomes[len(memory) :])

    outcomes = [outcome for outcome, _ in each]
    fit = fitted(outcomes)
    return Efficiencies(
        asked=f"efficiencies: {full_label(problem)}",
        problem=problem,
        estimates=efficiency_estimates(fit),
        found=fit,
        rows=[_row(outcome) for outcome in outcomes],
        in_norms={norm.name: fitted([values[k] for _, values in each]) for k, norm in enumerate(norms)},
    )


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "task": outcome.config.problem.task,
        "n_train": outcome.config.n_train,
        "seed": outcome.config.seed,
        "train_accuracy": outcome.train_accuracy,
        "margin": outcome.margin,
        "squared_norm": outcome.squared_norm,
        "efficiency": outcome.efficiency,
        "converged": outcome.converged,
    }


@dataclass(frozen=True, kw_only=True)
class Calibrated(Statement):
    """Constants that were measured, for ``predict(…, calibration=found.calibration)``.

    Attributes:
        calibration: The constants.
        path: File that they were written to; None for none.
        only: What of them was measured now; None for all.
    """

    calibration: Calibration
    path: Path | None
    only: Part | None = None

    @property
    def title(self) -> str:
        """What was measured, in a few words."""
        return f"calibration {self.calibration.name}"

    def to_dict(self) -> dict[str, Any]:
        """Where it was written, how many cells it has, what was left out, and the law, as JSON values."""
        law = self.calibration.thresholds
        return {
            "calibration": None if self.path is None else str(self.path),
            "cells": len(self.calibration.cells),
            "omitted": [one.to_dict() for one in self.calibration.omitted],
            "law": None if law is None else law.to_dict(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row a cell: its constants, and the critical size that they imply."""
        return [_cell_row(cell) for cell in self.calibration.cells]

    def to_polars(self) -> pl.DataFrame:
        """One row a cell."""
        import polars as pl

        return pl.DataFrame(self.rows(), infer_schema_length=None)


def _cell_row(cell: Cell) -> dict[str, Any]:
    from dcrit.theory.circuits.constants import competition_from
    from dcrit.theory.circuits.crossing import Crossing

    laws = competition_from(np.array(cell.constants), cell.n_symbols**2)
    size = laws.size_at_accuracy(0.5)
    return {
        "n_symbols": cell.n_symbols,
        "width": cell.width,
        "critical_size": round(size.n_train) if isinstance(size, Crossing) else None,
        "generalizing_efficiency": laws.generalizing.full_data,
        "memorizing_exponent": laws.memorizing.exponent,
        "mixing": laws.mixing,
        "n_runs": cell.n_runs,
        "n_unconverged": cell.n_unconverged,
    }


@hinting(problem=Problem, more=machine_names)
def calibrate(
    problem: Problem,
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    seeds: int = 3,
    only: Part | None = None,
    out: Path | str | None = None,
    store: Path | str = STORE,
    **machine: Unpack[MachineOptions],
) -> Calibrated:
    """Measure the constants that predictions of a family of networks rest on.

    Circuits: efficiencies and capacity over moduli and widths. Law: both thresholds and the clock, from which sizes
    from scratch by any horizon follow. No measured critical size from scratch enters.

    Args:
        problem: Any of the family; its modulus and width are replaced.
        moduli: p of the cells; None for 17, 19, 23, 29.
        widths: H of the cells; None for 16 to 256.
        seeds: Runs at every size of a cell.
        only: Measure ``circuits`` or the ``law`` alone; None for both, where such a law is measured: not of
            sums of squares. With ``law`` the circuits are those of the calibration that ships.
        out: File to write them to; None for none.
        store: Folder in which runs are kept; what is there is not trained again.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or a file or folder cannot be written.
        RuntimeError: The runs do not make a calibration.
    """
    from dcrit.empirics.experiments.laboratory import RefusedError
    from dcrit.empirics.measures.calibrate import MODULI, WIDTHS, CalibrationDesign
    from dcrit.empirics.measures.calibrate import calibrate as calibration_from
    from dcrit.empirics.measures.calibrate_law import LawDesign, lack_of_law, measure_law
    from dcrit.empirics.measures.calibrate_transformer_law import TransformerLawDesign, measure_transformer_law
    from dcrit.empirics.runs.single import check_trainable
    from dcrit.empirics.store.whole_files import check_writable_file, write_whole
    from dcrit.theory.calibrations.calibration import calibration_of

    if only is not None:
        check_choice("only", only, get_args(Part))

    some: dict[str, tuple[int, ...]] = {
        "moduli": MODULI if moduli is None else tuple(np.atleast_1d(moduli).tolist()),
        "widths": WIDTHS if widths is None else tuple(np.atleast_1d(widths).tolist()),
    }
    one = replace(problem, modulus=some["moduli"][0], width=some["widths"][0])
    design = CalibrationDesign(problem=one, seeds=seeds, **some)
    with_law = only == "law" or (only is None and lack_of_law(problem) is None)
    law_design: LawDesign | TransformerLawDesign | None = None
    if with_law:
        law_design = TransformerLawDesign(problem=one) if one.model == "transformer" else LawDesign(problem=one)
    shipped = calibration_of(problem) if only == "law" else None
    for cell in [*design.problems(), *(law_design.problems() if law_design else ())]:
        check_trainable(cell)
    path = None if out is None else Path(out)
    if path is not None:
        check_writable_file(path)
    with laboratory_of(store, machine) as laboratory:
        try:
            found = shipped or calibration_from(design, laboratory.runs)
        except RefusedError:
            raise
        except ValueError as error:
            raise RuntimeError(
                f"the runs do not make a calibration: {error}; try more moduli, widths or seeds"
            ) from error
        try:
            if isinstance(law_design, TransformerLawDesign):
                law = measure_transformer_law(law_design, laboratory.runs)
            else:
                law = None if law_design is None else measure_law(law_design, laboratory.runs)
        except RefusedError:
            raise
        except ValueError as error:
            why = f"the runs do not make a law: {error}; "
            raise RuntimeError(Advice(why, Setting("only", "circuits"), " leaves it out")) from error
    found = replace(found, thresholds=law)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, found.to_json().encode())
    return Calibrated(calibration=found, path=path, only=only)
