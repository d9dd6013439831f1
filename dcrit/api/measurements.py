"""Real runs turned into estimates with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from dcrit.api.answers import Finding, Sized, axes_of, finished, table_of
from dcrit.api.predictions import Prediction, prediction_if_any
from dcrit.api.training import STORE, MachineOptions, laboratory_of
from dcrit.theory.estimates import Estimate
from dcrit.theory.problems.problem import Problem, label

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

    from dcrit.empirics.runs.outcomes import Outcome


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
        return table_of(rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw every run's test accuracy and the measured size over the prediction."""
        from dcrit.figures.drawing import canvas
        from dcrit.figures.measured.runs import draw_over_sizes, size_axis
        from dcrit.figures.predicted.critical_size import draw_measured, draw_sizes

        ax = axes_of(ax)
        canvas.prepare(ax)
        shown: list[float] = [one.config.n_train for one in self.outcomes]
        if self.prediction is not None:
            shown += draw_sizes(ax, self.prediction.sizes.by_accuracy())
        draw_over_sizes(ax, self.outcomes)
        shown += draw_measured(ax, self.measured)
        size_axis(ax, shown, self.problem.n_pairs)
        ax.set(ylabel="test accuracy [fraction]", ylim=(-0.04, 1.04))
        return finished(ax, self.title)


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

    prediction = prediction_if_any(problem)
    with laboratory_of(store, machine) as laboratory:
        measured, outcomes = measure_transition(
            problem, laboratory.runs, tolerance=tolerance, budget=float(max_runs), steps=steps
        )
    return Measurement(problem=problem, measured=measured, outcomes=outcomes, prediction=prediction)


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
    with laboratory_of(store, machine) as laboratory:
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
    with laboratory_of(store, machine) as laboratory:
        memorizing, generalizing = laboratory.outcomes(
            [design.memorizing(), design.generalizing()], stage="efficiencies"
        )
    fit = fit_competition(problem, memorizing, generalizing)
    estimates = {
        "generalizing_efficiency": measure_generalizing_efficiency(fit),
        "implied_critical_size": implied_critical_size(fit),
    }
    return Finding(asked=f"efficiencies: {label(problem)}", problem=problem, estimates=estimates, found=fit)
