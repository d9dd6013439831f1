"""What the theory says before any run; nothing here loads torch, and matplotlib only to draw."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcrit.api.answers import Answer, Finding, Sized, axes_of, finished, table_of
from dcrit.theory.calibrations.calibration import Calibration, calibration_of
from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import LEVEL, Estimate
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem, label

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

    from dcrit.api.training import Runs
    from dcrit.theory.predictions.phase_diagram import PhaseDiagram


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
        return table_of(self.estimates)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw sizes at test accuracy 0.1, 1/2 and 0.9, each with its interval."""
        from dcrit.figures.drawing import canvas
        from dcrit.figures.measured.runs import size_axis
        from dcrit.figures.predicted.critical_size import draw_sizes

        ax = axes_of(ax)
        canvas.prepare(ax)
        shown = draw_sizes(ax, self.sizes.by_accuracy())
        size_axis(ax, shown, self.problem.n_pairs)
        return finished(ax, self.title)


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
    chosen = chosen_calibration(problem, calibration)
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

        ax = axes_of(ax)
        draw_phase_diagram(ax, self.diagram)
        if runs is not None:
            draw_in_plane(ax, runs.runs)
        return finished(ax, self.title)


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

    chosen = chosen_calibration(problem, calibration)
    found = diagram_over(problem, chosen, points=points, min_width=min_width, max_width=max_width, level=level)
    return Diagram(diagram=found)


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

    found = predict_regime(problem, chosen_calibration(problem, calibration), n_train=n_train, level=level)
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
    found = predict_delay(problem, chosen_calibration(problem, calibration), n_train, content=level)
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

    chosen = chosen_calibration(problem, calibration)
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
        problem, chosen_calibration(problem, calibration), n_facts=n_facts, n_train=n_train, level=level
    )
    title = f"smallest model: {label(problem, width=False)}, D = {n_train}, {n_facts} facts"
    estimates = {"width": found.width, "n_params": found.n_params}
    return Finding(asked=title, problem=problem, estimates=estimates, found=found)


def chosen_calibration(problem: Problem, given: Calibration | Path | str | None) -> Calibration:
    """The constants that were given, of a file, or those that ship.

    Raises:
        ValueError: The file is no calibration, or none speaks for the problem.
    """
    return given if isinstance(given, Calibration) else calibration_of(problem, None if given is None else Path(given))


def prediction_if_any(problem: Problem, *, horizon: int | None = None) -> Prediction | None:
    """What the constants that ship say of a problem at a horizon; None where none of them speaks of it."""
    with contextlib.suppress(FieldError):
        return predict(problem, horizon=horizon)
    return None
