"""The Python interface: ask, train, measure, compare; every answer can be drawn, tabulated and written as JSON."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from dcrit.theory.calibrations.calibration import Calibration, calibration_of
from dcrit.theory.estimates import LEVEL, Estimate, Interval
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem, label

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from dcrit.empirics.claims.claim import Verdict
    from dcrit.empirics.claims.suites import Result as ExperimentResult
    from dcrit.empirics.claims.suites import Suite
    from dcrit.empirics.curves.classify import Classification as Named
    from dcrit.empirics.curves.curve_files import CurveFile
    from dcrit.empirics.experiments.experiment import SuiteName
    from dcrit.empirics.runs.outcomes import Outcome
    from dcrit.empirics.runs.single import Precision, Run
    from dcrit.empirics.study.design import StudyDesign
    from dcrit.empirics.study.module_runs import Factory
    from dcrit.empirics.study.result import StudyResult
    from dcrit.theory.predictions.phase_diagram import PhaseDiagram

#: Folder of the runs where none is named.
STORE = Path("dcrit-runs")


class MachineOptions(TypedDict, total=False):
    """Where to train.

    Attributes:
        workers: Processes that train, or most batches in flight on a cluster; 0 for as many as there is room for.
        executor: ``local`` or ``ray``.
        address: Of a running Ray cluster; None to start one here.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    workers: int
    executor: str
    address: str | None
    device: str


class Answer(ABC):
    """What every answer can do: be drawn, be a table, be JSON, and show itself in a notebook."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What was asked, in a few words."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything that was found, as JSON values."""

    @abstractmethod
    def to_polars(self) -> pl.DataFrame:
        """The table behind the picture."""

    @abstractmethod
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw it.

        Args:
            ax: Axes to draw on; None for those of a new picture.

        Returns:
            The axes that were drawn on.
        """

    def _repr_html_(self) -> str:
        """Title and table, for notebooks."""
        return f"<p><strong>{html.escape(self.title)}</strong></p>{self.to_polars()._repr_html_()}"


class Sized(Answer):
    """An answer about one critical size."""

    @property
    @abstractmethod
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""

    @property
    def critical_size(self) -> float | None:
        """The size, D_crit(T) [examples]; None where ``reason`` says why there is none."""
        return self.size.value

    @property
    def interval(self) -> Interval | None:
        """Its interval [examples]."""
        return self.size.interval

    @property
    def horizon(self) -> int | None:
        """T, how long training lasts [steps]."""
        return self.size.horizon

    @property
    def reason(self) -> str:
        """Why there is no size, or what limits it."""
        return self.size.reason


@dataclass(frozen=True, kw_only=True)
class Prediction(Sized):
    """What the theory says of a transition before any run.

    Attributes:
        sizes: Every predicted size, each with its interval.
    """

    sizes: CriticalSizePrediction

    @property
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""
        return self.sizes.critical_size

    @property
    def problem(self) -> Problem:
        """What was asked about."""
        return self.sizes.problem

    @property
    def at_rest(self) -> float | None:
        """D_rest, what circuits at rest need [examples]."""
        return self.sizes.at_rest.value

    @property
    def capacity(self) -> float | None:
        """D_mem, random-label examples that the model memorizes [examples]."""
        return self.sizes.capacity.value

    @property
    def extrapolated(self) -> bool:
        """Whether the question lies outside what was calibrated."""
        return self.sizes.critical_size.extrapolated

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Everything predicted, by name."""
        return self.sizes.estimates()

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"predicted: {label(self.problem)}"

    def to_dict(self) -> dict[str, Any]:
        """Everything that was predicted, as JSON values."""
        return self.sizes.to_dict()

    def to_polars(self) -> pl.DataFrame:
        """One row a quantity."""
        return _table(self.estimates)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw sizes at test accuracy 0.1, 1/2 and 0.9, each with its interval."""
        from dcrit.figures.drawing import canvas
        from dcrit.figures.measured.runs import size_axis
        from dcrit.figures.predicted.critical_size import draw_sizes

        ax = _axes(ax)
        canvas.prepare(ax)
        shown = draw_sizes(ax, self.sizes.by_accuracy())
        size_axis(ax, shown, self.problem.n_pairs)
        return _finished(ax, self.title)


def predict(
    problem: Problem,
    *,
    horizon: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Prediction:
    """Predict the training-set size at which a network stops memorizing and starts to generalize.

    Args:
        problem: The question.
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.
        calibration: Constants, or a file of them that ``dcrit calibrate`` wrote; None for the ones that ship.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem or of that horizon.
    """
    chosen = _calibration(problem, calibration)
    return Prediction(sizes=predict_critical_size(problem, chosen, horizon=horizon, level=level))


@dataclass(frozen=True, kw_only=True)
class Diagram(Answer):
    """The plane of model size and training-set size: D_crit(N), D_mem(N), their crossing, and the regimes between.

    Attributes:
        diagram: Curves and regimes as arrays.
    """

    diagram: PhaseDiagram

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"phase diagram: {label(self.diagram.problem, width=False)}"

    @property
    def star(self) -> dict[str, Estimate]:
        """Where both curves cross: width, number of parameters, training-set size."""
        star = self.diagram.star
        return {"width": star.width, "n_params": star.n_params, "n_train": star.n_train}

    def to_dict(self) -> dict[str, Any]:
        """Curves, regimes and star as JSON values."""
        return self.diagram.to_dict()

    def to_polars(self) -> pl.DataFrame:
        """One row a width."""
        import polars as pl

        names = ("widths", "n_params", "critical_size", "critical_low", "critical_high", "capacity", "extrapolated")
        return pl.DataFrame({name: getattr(self.diagram, name) for name in names})

    def plot(self, ax: Axes | None = None, *, runs: Runs | None = None) -> Axes:
        """Draw both curves in their bands, the star and the regimes, and real runs over them.

        Args:
            ax: Axes to draw on; None for those of a new picture.
            runs: Finished runs to lay over the theory.
        """
        from dcrit.figures.measured.runs import draw_in_plane
        from dcrit.figures.predicted.phase_diagram import draw_phase_diagram

        ax = _axes(ax)
        draw_phase_diagram(ax, self.diagram)
        if runs is not None:
            draw_in_plane(ax, runs.runs)
        return _finished(ax, self.title)


def phase_diagram(
    problem: Problem,
    *,
    points: int = 200,
    min_width: int | None = None,
    max_width: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Diagram:
    """Predict both curves over model size, and the regime of every point of the plane.

    Args:
        problem: The question; its width is replaced.
        points: Training-set sizes, and at most as many widths.
        min_width: First width; None for half the smallest calibrated one.
        max_width: Last width; None for the largest calibrated one.
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    from dcrit.theory.predictions.phase_diagram import diagram_over

    chosen = _calibration(problem, calibration)
    found = diagram_over(problem, chosen, points=points, min_width=min_width, max_width=max_width, level=level)
    return Diagram(diagram=found)


@dataclass(frozen=True, kw_only=True)
class Finding(Answer):
    """Any other answer: named estimates, the whole result behind them, and how it is drawn.

    Attributes:
        asked: What was asked, in a few words.
        problem: What it was asked about.
        estimates: Numbers with their intervals, by name.
        found: The result of the theory or of the measurement, as it stands.
    """

    asked: str
    problem: Problem
    estimates: Mapping[str, Estimate]
    found: Any
    draw: Callable[[Axes], None] | None = field(default=None, repr=False, compare=False)

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return self.asked

    def to_dict(self) -> dict[str, Any]:
        """Problem and estimates as JSON values."""
        return {"problem": self.problem.to_dict(), **{name: one.to_dict() for name, one in self.estimates.items()}}

    def to_polars(self) -> pl.DataFrame:
        """One row an estimate."""
        return _table(self.estimates)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve that it is about, or its estimates with their intervals."""
        from dcrit.figures.drawing.estimates import draw_estimates

        ax = _axes(ax)
        if self.draw is None:
            draw_estimates(ax, self.estimates)
        else:
            self.draw(ax)
        return _finished(ax, self.title)


def regime(
    problem: Problem, n_train: int, *, level: float = LEVEL, calibration: Calibration | Path | str | None = None
) -> Finding:
    """Predict which of the four dynamics a network shows at one training-set size, with probabilities.

    Args:
        problem: The question.
        n_train: D [examples].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    from dcrit.theory.predictions.regime import REGIMES, predict_regime

    found = predict_regime(problem, _calibration(problem, calibration), n_train=n_train, level=level)
    chances = {
        name: Estimate(quantity=name, value=chance, unit="probability", extrapolated=found.extrapolated)
        for name, chance in zip(REGIMES, found.probabilities, strict=True)
    }
    title = f"{found.most_likely}, most likely: {label(problem)}, D = {n_train}"
    return Finding(asked=title, problem=problem, estimates=chances, found=found)


def delay(
    problem: Problem,
    n_train: int,
    *,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Finding:
    """Predict the steps until the training set is memorized, and until unseen examples are answered.

    Args:
        problem: The question.
        n_train: D [examples].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    from dcrit.theory.predictions.delay import predict_delay

    problem.check_n_train(n_train)
    found = predict_delay(problem, _calibration(problem, calibration), n_train, content=level)
    steps = {"memorize_steps": found.memorize_steps, "generalize_steps": found.generalize_steps}
    return Finding(asked=f"delay: {label(problem)}, D = {n_train}", problem=problem, estimates=steps, found=found)


def double_descent(
    problem: Problem,
    n_train: int,
    *,
    points: int = 200,
    min_width: int | None = None,
    max_width: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Finding:
    """Predict test accuracy over model size at a fixed training set: where it dips, how deep, how sure.

    Args:
        problem: The question; its width is replaced.
        n_train: D [examples].
        points: Widths at most.
        min_width: First width; None for half the smallest calibrated one.
        max_width: Last width; None for the largest calibrated one.
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    from dcrit.theory.predictions.double_descent import predict_double_descent
    from dcrit.theory.predictions.phase_diagram import default_widths

    chosen = _calibration(problem, calibration)
    widths = default_widths(problem, chosen, points, smallest=min_width, largest=max_width)
    found = predict_double_descent(problem, chosen, n_train=n_train, widths=widths, level=level)

    def draw(ax: Axes) -> None:
        from dcrit.figures.predicted.double_descent import draw_accuracy

        draw_accuracy(ax, found)

    return Finding(
        asked=f"test accuracy over model size: {label(problem, width=False)}, D = {n_train}",
        problem=problem,
        estimates={"depth": found.depth, "width": found.width, "n_params": found.place},
        found=found,
        draw=draw,
    )


def emergence(
    problem: Problem,
    n_train: int,
    n_facts: int,
    *,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Finding:
    """Predict the smallest model that learns the task from D examples while it also memorizes facts.

    Args:
        problem: The question; its width is what is asked for.
        n_train: D [examples].
        n_facts: D_r, facts to memorize beside the task [examples].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    from dcrit.theory.predictions.emergence import predict_emergence

    problem.check_n_train(n_train)
    found = predict_emergence(
        problem, _calibration(problem, calibration), n_facts=n_facts, n_train=n_train, level=level
    )
    title = f"smallest model: {label(problem, width=False)}, D = {n_train}, {n_facts} facts"
    estimates = {"width": found.width, "n_params": found.n_params}
    return Finding(asked=title, problem=problem, estimates=estimates, found=found)


def capacity(
    problem: Problem, *, seeds: int = 3, store: Path | str = STORE, **machine: Unpack[MachineOptions]
) -> Finding:
    """Train on random labels until the model is overloaded: the number that it memorizes, and bits a parameter.

    Args:
        problem: What to measure; its width must be small enough that all pairs overload the model.
        seeds: Runs at every size.
        store: Folder in which runs are kept.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.measures.capacity import CapacityDesign, in_bits, measure_capacity

    design = CapacityDesign(problem=problem, seeds=seeds)
    with _laboratory(store, machine) as laboratory:
        (outcomes,) = laboratory.outcomes([design.configs()], stage="capacity")
    found = measure_capacity(outcomes)
    estimates = {"capacity": found, "bits_per_parameter": in_bits(found, problem)}
    return Finding(asked=f"capacity: {label(problem)}", problem=problem, estimates=estimates, found=outcomes)


def efficiency(
    problem: Problem, *, seeds: int = 3, store: Path | str = STORE, **machine: Unpack[MachineOptions]
) -> Finding:
    """Train on random labels and well above the transition: both circuits' efficiency, and the size they imply.

    Args:
        problem: What to measure.
        seeds: Runs at every size.
        store: Folder in which runs are kept.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.measures.efficiency import (
        EfficiencyDesign,
        fit_competition,
        implied_critical_size,
        measure_generalizing_efficiency,
    )

    design = EfficiencyDesign(problem=problem, seeds=seeds)
    with _laboratory(store, machine) as laboratory:
        memorizing, generalizing = laboratory.outcomes(
            [design.memorizing(), design.generalizing()], stage="efficiencies"
        )
    fit = fit_competition(problem, memorizing, generalizing)
    estimates = {
        "generalizing_efficiency": measure_generalizing_efficiency(fit),
        "implied_critical_size": implied_critical_size(fit),
    }
    return Finding(asked=f"efficiencies: {label(problem)}", problem=problem, estimates=estimates, found=fit)


@dataclass(frozen=True, kw_only=True)
class Runs(Answer):
    """Finished runs of one problem, over sizes and seeds.

    Attributes:
        problem: What was trained.
        runs: In the order of sizes, then seeds.
    """

    problem: Problem
    runs: Sequence[Run]

    @property
    def title(self) -> str:
        """What was trained, in a few words."""
        return f"{len(self.runs)} runs: {label(self.problem)}"

    @property
    def outcomes(self) -> list[Outcome]:
        """Settled values of every run."""
        from dcrit.empirics.runs.outcomes import outcome_of

        return [outcome_of(run) for run in self.runs]

    def to_dict(self) -> dict[str, Any]:
        """One entry a run, as JSON values."""
        from dcrit.empirics.runs.outcomes import summary_of

        return {"problem": self.problem.to_dict(), "runs": [summary_of(run) for run in self.runs]}

    def to_polars(self) -> pl.DataFrame:
        """One row a run."""
        import polars as pl

        return pl.DataFrame(self.to_dict()["runs"], infer_schema_length=None)

    def curves(self) -> pl.DataFrame:
        """One row an evaluation, with the whole configuration of its run."""
        from dcrit.empirics.store.export import RUNS

        return RUNS.frame(self.runs)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw test accuracy over training time, one colour a training-set size; train accuracy in broken lines."""
        from dcrit.figures.measured.runs import draw_training

        ax = _axes(ax)
        draw_training(ax, self.runs)
        return _finished(ax, self.title)


def train(
    problem: Problem,
    n_train: int | Sequence[int],
    *,
    seeds: int | Sequence[int] = 3,
    steps: int = 0,
    precision: Precision = "float32",
    store: Path | str = STORE,
    **machine: Unpack[MachineOptions],
) -> Runs:
    """Train one problem at every size with every seed; what the store holds is not trained again.

    Args:
        problem: What to train.
        n_train: One training-set size or several [examples].
        seeds: How many, counted from 0, or which.
        steps: Horizon [steps]; 0 for the protocol's 40/(ηλ).
        precision: ``float32`` or ``float64``.
        store: Folder in which runs are kept.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.runs.single import configs_of

    configs = configs_of(problem, n_train, seeds, steps=steps, precision=precision)
    with _laboratory(store, machine) as laboratory:
        return Runs(problem=problem, runs=laboratory.runs(configs, stage="training"))


@dataclass(frozen=True, kw_only=True)
class Measurement(Sized):
    """A critical size that real runs gave, beside the prediction made before them.

    Attributes:
        problem: What was measured.
        measured: The size with its interval.
        outcomes: Settled values of the runs behind it.
        prediction: What was predicted; None where no calibration speaks for the problem.
    """

    problem: Problem
    measured: Estimate
    outcomes: Sequence[Outcome]
    prediction: Prediction | None

    @property
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""
        return self.measured

    @property
    def title(self) -> str:
        """What was measured, in a few words."""
        return f"measured: {label(self.problem)}"

    def to_dict(self) -> dict[str, Any]:
        """Measurement and prediction as JSON values."""
        return {
            "problem": self.problem.to_dict(),
            "measured": self.measured.to_dict(),
            "predicted": None if self.prediction is None else self.prediction.sizes.critical_size.to_dict(),
        }

    def to_polars(self) -> pl.DataFrame:
        """One row for what was measured, one for what was predicted."""
        rows = {"measured": self.measured}
        if self.prediction is not None:
            rows["predicted"] = self.prediction.sizes.critical_size
        return _table(rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw every run's test accuracy and the measured size over the prediction."""
        from dcrit.figures.drawing import canvas
        from dcrit.figures.measured.runs import draw_over_sizes, size_axis
        from dcrit.figures.predicted.critical_size import draw_measured, draw_sizes

        ax = _axes(ax)
        canvas.prepare(ax)
        shown: list[float] = [one.config.n_train for one in self.outcomes]
        if self.prediction is not None:
            shown += draw_sizes(ax, self.prediction.sizes.by_accuracy())
        draw_over_sizes(ax, self.outcomes)
        shown += draw_measured(ax, self.measured)
        size_axis(ax, shown, self.problem.n_pairs)
        ax.set(ylabel="test accuracy [fraction]", ylim=(-0.04, 1.04))
        return _finished(ax, self.title)


def measure(
    problem: Problem,
    *,
    tolerance: float = 0.05,
    max_runs: int = 60,
    steps: int = 0,
    store: Path | str = STORE,
    **machine: Unpack[MachineOptions],
) -> Measurement:
    """Train until the critical size is known: the size at which mean test accuracy at the horizon crosses one half.

    The prediction is made first, from the constants that ship.

    Args:
        problem: What to measure.
        tolerance: Relative half width of the interval to reach.
        max_runs: Runs at most.
        steps: Horizon [steps]; 0 for the protocol's 40/(ηλ).
        store: Folder in which runs are kept; what is there is not trained again.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.experiments.transitions import measure_transition

    prediction = _prediction_if_any(problem)
    with _laboratory(store, machine) as laboratory:
        measured, outcomes = measure_transition(
            problem, laboratory.runs, tolerance=tolerance, budget=float(max_runs), steps=steps
        )
    return Measurement(problem=problem, measured=measured, outcomes=outcomes, prediction=prediction)


@dataclass(frozen=True, kw_only=True)
class Study(Sized):
    """What was found of somebody's own model and data.

    Attributes:
        result: Estimates, efficiencies and runs.
    """

    result: StudyResult

    @property
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""
        return self.result.measured

    @property
    def predicted(self) -> Estimate:
        """Critical size that efficiencies imply; no run across the transition enters."""
        return self.result.predicted

    @property
    def title(self) -> str:
        """What was studied, in a few words."""
        return f"study: {self.result.n_params} parameters, {self.result.n_examples} examples"

    def to_dict(self) -> dict[str, Any]:
        """All but the single runs, as JSON values."""
        return self.result.to_dict()

    def to_polars(self) -> pl.DataFrame:
        """One row a quantity."""
        return _table({one.quantity: one for one in self.result.estimates()})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw test accuracy over training-set size, with the measured and the predicted critical size."""
        from dcrit.figures.measured.study import draw_study

        ax = _axes(ax)
        draw_study(ax, self.result)
        return _finished(ax, self.title)


def study(
    factory: Factory, inputs: ArrayLike, labels: ArrayLike, design: StudyDesign | None = None, **choices: Any
) -> Study:
    """Train anybody's model on anybody's data, on real and on random labels; predict its critical size and measure it.

    Args:
        factory: Makes a new torch module from a seed; its logits have shape (n, C).
        inputs: (n, …) all examples, as tensor or array.
        labels: (n,) their classes, as tensor or array.
        design: Which runs to make; None to have sizes chosen.
        **choices: Fields of :class:`~dcrit.empirics.study.design.StudyDesign`, where no design is given.

    Raises:
        ValueError: Module, data and design do not fit together.
    """
    import torch

    from dcrit.empirics.study.design import StudyDesign
    from dcrit.empirics.study.study import study as study_of

    examples, classes = torch.as_tensor(inputs), torch.as_tensor(labels)
    if not torch.is_floating_point(classes):
        classes = classes.long()
    if examples.dtype == torch.float64 and not isinstance(inputs, torch.Tensor):
        examples = examples.float()  # arrays are double by default, modules are not
    if design is None:
        choices.setdefault("n_classes", int(classes.max()) + 1 if classes.numel() else 0)
        design = StudyDesign(**choices)
    elif choices:
        raise ValueError(f"design must be left out beside {', '.join(choices)}, got both")
    return Study(result=study_of(factory, examples, classes, design))


@dataclass(frozen=True, kw_only=True)
class Classification(Answer):
    """The dynamics that training curves show, run by run.

    Attributes:
        source: Where the curves came from.
        curves: The curves as they were read.
        runs: One verdict a run, each with its reasons.
    """

    source: str
    curves: CurveFile
    runs: Sequence[Named]

    @property
    def title(self) -> str:
        """What was classified, in a few words."""
        return f"dynamics: {self.source}"

    @property
    def dynamics(self) -> list[str]:
        """One word a run."""
        return [one.dynamics for one in self.runs]

    def to_dict(self) -> dict[str, Any]:
        """Verdicts and reasons, as JSON values."""
        return {
            "source": self.source,
            "columns": dict(self.curves.columns),
            "notes": list(self.curves.notes),
            "runs": [one.to_dict() for one in self.runs],
        }

    def to_polars(self) -> pl.DataFrame:
        """One row a run."""
        import polars as pl

        rows = [
            {
                "run": one.run,
                "dynamics": one.dynamics,
                "train_accuracy": one.settled.get("train_accuracy"),
                "test_accuracy": one.settled.get("test_accuracy"),
                "memorized_at": one.events.memorized_at,
                "generalized_at": one.events.generalized_at,
                "because": "; ".join(one.reasons),
            }
            for one in self.runs
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curves, each named by what it shows."""
        from dcrit.figures.measured.curves import draw_curves

        ax = _axes(ax)
        draw_curves(ax, self.curves.runs, self.dynamics)
        return _finished(ax, self.title)


def classify(
    source: Path | str | pl.DataFrame | Mapping[str, ArrayLike],
    *,
    columns: Mapping[str, str] | None = None,
    run: Sequence[str] = (),
    n_classes: int | None = None,
) -> Classification:
    """Name the dynamics in training curves: progression, ungrokking, semi-grokking, grokking, or that none can be told.

    Args:
        source: A file, a table (polars, pandas or a mapping of columns to values), one row an evaluation.
        columns: Columns by field (``step``, ``train_accuracy``, …) where matching by name should not decide.
        run: Columns that together tell runs apart.
        n_classes: C; levels then count from chance, and losses are taken as mean cross-entropies in nats.

    Raises:
        ValueError: The source cannot be read, or lacks a column.
    """
    from dcrit.empirics.curves.classify import classify as dynamics_of
    from dcrit.empirics.curves.curve_files import curves_of, read_curves

    if isinstance(source, str | Path):
        name, curves = str(source), read_curves(Path(source), columns, run)
    else:
        name, curves = "table", curves_of(_frame(source), columns, run)
    return Classification(
        source=name, curves=curves, runs=[dynamics_of(one, n_classes=n_classes) for one in curves.runs]
    )


@dataclass(frozen=True, kw_only=True)
class Validation(Answer):
    """Verdicts on the claims of a suite.

    Attributes:
        suite: What was judged.
        verdicts: One a claim.
        results: Of its experiments, by name.
    """

    suite: Suite
    verdicts: Sequence[Verdict]
    results: Mapping[str, ExperimentResult]

    @property
    def title(self) -> str:
        """What was judged, in a few words."""
        return f"suite {self.suite.name}: {len(self.verdicts)} claims"

    @property
    def rulings(self) -> dict[str, str]:
        """Ruling by claim."""
        return {one.claim.id: one.ruling for one in self.verdicts}

    def to_dict(self) -> dict[str, Any]:
        """Every verdict with its numbers, as JSON values."""
        from dcrit.empirics.claims.claim import verdict_json

        return {"suite": self.suite.name, "claims": [verdict_json(one) for one in self.verdicts]}

    def to_polars(self) -> pl.DataFrame:
        """One row a claim."""
        import polars as pl

        rows = [
            {
                "claim": one.claim.id,
                "predicted": one.finding.predicted,
                "measured": one.finding.measured,
                "low": None if one.finding.interval is None else one.finding.interval.low,
                "high": None if one.finding.interval is None else one.finding.interval.high,
                "verdict": one.ruling,
                "n_runs": one.finding.n_runs,
                "n_unconverged": one.finding.n_unconverged,
                "reason": one.reason,
            }
            for one in self.verdicts
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def figure(self, name: str = "critical-sizes") -> Figure:
        """A whole comparison figure from the runs of this validation.

        Raises:
            ValueError: There is no such figure, or this validation made no runs for it.
        """
        from dcrit.figures import FIGURES

        drawable = [one.name for one in FIGURES.values() if one.experiment.name in self.results]
        if name not in drawable:
            raise ValueError(f"name must be one of {', '.join(drawable)}, got {name!r}")
        return FIGURES[name].draw(self.results[FIGURES[name].experiment.name].evidence)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how many claims are supported, refuted and undecided, and which."""
        from dcrit.figures.measured.rulings import draw_rulings

        ax = _axes(ax)
        draw_rulings(ax, self.rulings)
        return _finished(ax, self.title)


def validate(
    suite: SuiteName = "quick",
    *,
    claims: Sequence[str] = (),
    budget: float | None = None,
    store: Path | str = STORE,
    **machine: Unpack[MachineOptions],
) -> Validation:
    """Train real networks, compare them with the theory, and give a verdict on every claim of a suite.

    Args:
        suite: ``quick``, ``standard`` or ``paper``.
        claims: Ids of the claims to judge; none for all.
        budget: Time for the experiments, stored runs counted as well [minutes]; None for the suite's own.
        store: Folder in which runs are kept; what is there is not trained again.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.claims.suites import SUITE_NAMES, budget_of, gather, judge, minutes_of, select, suite_of
    from dcrit.theory.checks import check_choice

    check_choice("suite", suite, SUITE_NAMES)
    chosen = select(suite_of(suite), tuple(claims))
    workers = machine.get("workers", 0)
    minutes = minutes_of(suite, budget, workers=workers, address=machine.get("address"))
    with _laboratory(store, machine) as laboratory:
        results = gather(chosen, laboratory, budget=budget_of(minutes, workers))
    return Validation(suite=chosen, verdicts=judge(chosen, results), results=results)


def _calibration(problem: Problem, given: Calibration | Path | str | None) -> Calibration:
    return given if isinstance(given, Calibration) else calibration_of(problem, None if given is None else Path(given))


def _prediction_if_any(problem: Problem) -> Prediction | None:
    from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations

    calibration = calibration_for(problem, shipped_calibrations())
    return None if calibration is None else predict(problem, calibration=calibration)


def _laboratory(store: Path | str, machine: MachineOptions) -> Any:
    from dcrit.empirics.experiments.laboratory import Machine, open_runs

    return open_runs(Path(store), Machine(**machine))


def _axes(ax: Axes | None) -> Axes:
    """The axes given, or new ones that an interactive session shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=(5.2, 3.6), layout="constrained")
    return new


def _finished(ax: Axes, title: str) -> Axes:
    """Title and legend; the legend stands above the axes, where it hides nothing."""
    from dcrit.figures.drawing import style

    handles, labels = ax.get_legend_handles_labels()
    if handles:
        columns = min(3, len(handles))
        where = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": columns, "frameon": False}
        ax.legend(handles, labels, fontsize=style.SMALL, **where)
        rows = -(-len(handles) // columns)
        ax.set_title(title, pad=6 + 13 * rows, fontsize=style.FONT + 1)
    else:
        ax.set_title(title, fontsize=style.FONT + 1)
    return ax


def _table(estimates: Mapping[str, Estimate]) -> pl.DataFrame:
    """One row an estimate."""
    import polars as pl

    rows = [
        {
            "quantity": name,
            "value": one.value,
            "low": None if one.interval is None else one.interval.low,
            "high": None if one.interval is None else one.interval.high,
            "unit": one.unit,
            "horizon": one.horizon,
            "n_runs": one.n_runs,
            "extrapolated": one.extrapolated,
            "reason": one.reason,
        }
        for name, one in estimates.items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _frame(source: Any) -> pl.DataFrame:
    """A table from whatever holds columns."""
    import polars as pl

    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, Mapping):
        return pl.DataFrame(dict(source))
    return pl.DataFrame({str(name): source[name].to_numpy() for name in source.columns})
