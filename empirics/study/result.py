"""What a study of somebody's own model and data found, and its tables."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.table import Table

from dcrit.empirics.measures.efficiency import LawsFit, NoLaws
from dcrit.empirics.study.design import Role, StudyDesign
from dcrit.empirics.study.module_runs import LabelKind, ModuleRun
from dcrit.theory.advice import Advice
from dcrit.theory.circuits.laws import bits_per_parameter
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.written import number, span


@dataclass(frozen=True, kw_only=True)
class EfficiencyPoint:
    """Efficiency at one size, by the runs that converged and fit their training set.

    Attributes:
        labels: Real or random ones.
        n_train: D [examples].
        efficiency: Geometric mean of e over runs [nats per norm^κ]; None where no run can be used.
        interval: Student's, of ln e; None where fewer than two can.
        test_accuracy: Mean over all finite runs.
        n_runs: Runs used.
        n_unconverged: Runs whose efficiency did not stand still.
        n_unfitted: Runs that did not fit their training set.
    """

    labels: LabelKind
    n_train: int
    efficiency: float | None
    interval: Interval | None
    test_accuracy: float
    n_runs: int
    n_unconverged: int
    n_unfitted: int

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values, and the level of the interval."""
        tested = self.test_accuracy if math.isfinite(self.test_accuracy) else None
        return asdict(self) | {
            "test_accuracy": tested,
            "interval": self.interval and self.interval.to_dict(),
            "level": self.interval and self.interval.level,
        }


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """What a study found. Everything that may not exist says why, as a value.

    Attributes:
        design: With all sizes chosen.
        n_examples: n.
        n_params: N.
        homogeneity: κ_eff, median over runs that fit their training set.
        memorizing: e_mem at each size, random labels.
        generalizing: e on the real labels at each size, across the transition and above; runs that ended early count
            as not converged.
        memorizing_exponent: Slope d ln e/d ln D on random labels.
        generalizing_exponent: The same on the real labels well above the transition; 0 in the ideal theory.
        generalizing_efficiency: e_gen of the fit.
        fit: Laws of both circuits, or why there are none.
        capacity: Random labels that the model memorizes.
        chance: Accuracy of a constant guess on the real labels.
        half_accuracy: Halfway between chance and ceiling: test accuracy at the critical size.
        predicted: Critical size from the efficiencies alone; no run across the transition enters.
        measured: Critical size by the accuracies of all full runs on real labels.
        runs: Every run, with what it was for.
        n_found: How many of them were kept before, and not made now.
    """

    design: StudyDesign
    n_examples: int
    n_params: int
    homogeneity: Estimate
    memorizing: tuple[EfficiencyPoint, ...]
    generalizing: tuple[EfficiencyPoint, ...]
    memorizing_exponent: Estimate
    generalizing_exponent: Estimate
    generalizing_efficiency: Estimate
    fit: LawsFit | NoLaws
    capacity: Estimate
    chance: float
    half_accuracy: float
    predicted: Estimate
    measured: Estimate
    runs: tuple[tuple[Role, ModuleRun], ...]
    n_found: int = 0

    @property
    def bits_per_parameter(self) -> float | None:
        """Capacity in bits per parameter, c = D_mem·log2(C)/N; None where it was not reached."""
        if self.capacity.value is None:
            return None
        return float(bits_per_parameter(self.capacity.value, self.n_params, self.design.n_classes))

    @property
    def ratio(self) -> float | None:
        """Predicted over measured critical size; None where one is missing."""
        if self.predicted.value is None or self.measured.value is None:
            return None
        return self.predicted.value / self.measured.value

    @property
    def agrees(self) -> bool | None:
        """Whether the intervals of the predicted and the measured critical size overlap; None where one is missing."""
        predicted, measured = self.predicted.interval, self.measured.interval
        return None if predicted is None or measured is None else predicted.overlaps(measured)

    @property
    def why_no_laws(self) -> str:
        """Why no laws of both circuits could be fitted; empty where they were."""
        return self.fit.reason if isinstance(self.fit, NoLaws) else ""

    @property
    def comparison(self) -> str:
        """One sentence on the predicted beside the measured critical size."""
        one, other = self.predicted, self.measured
        if self.ratio is None or self.agrees is None:
            if one.value is None:
                # The reason of the prediction goes on with what to change.
                return Advice("There is no prediction to compare: ", self.why_no_laws or one.reason, ".")
            return "There is nothing to compare the prediction with: no critical size was measured."
        sizes = (
            f"predicted {number(one.value)} ({_span(one.interval)}) is {self.ratio:.2f} times measured "
            f"{number(other.value)}"
        )
        if self.agrees:
            doubt = " Its note says why the prediction may be off all the same." if one.reason else ""
            return f"Prediction and measurement agree: {sizes} ({_span(other.interval)}), intervals overlap.{doubt}"
        apart = f"{sizes} ({_span(other.interval)}), intervals do not overlap"
        return f"Prediction and measurement DISAGREE: {apart}. Use the measured size, which rests on accuracies alone."

    def estimates(self) -> tuple[Estimate, ...]:
        """Every estimate with its interval, or why there is none."""
        return (
            self.homogeneity,
            self.memorizing_exponent,
            self.generalizing_exponent,
            self.generalizing_efficiency,
            self.capacity,
            replace(self.predicted, quantity="predicted_critical_size"),
            replace(self.measured, quantity="measured_critical_size"),
        )

    def to_dict(self) -> dict[str, Any]:
        """All but the single runs, as JSON values."""
        return {
            "n_examples": self.n_examples,
            "n_params": self.n_params,
            "chance": self.chance,
            "half_accuracy": self.half_accuracy,
            "bits_per_parameter": self.bits_per_parameter,
            "ratio": self.ratio,
            "agrees": self.agrees,
            "comparison": self.comparison,
            "n_runs": len(self.runs),
            "n_runs_found": self.n_found,
            "n_steps": sum(int(run.step[-1]) for _, run in self.runs),
            "design": asdict(self.design),
            "efficiencies": [point.to_dict() for point in (*self.memorizing, *self.generalizing)],
            **{one.quantity: one.to_dict() for one in self.estimates()},
        }

    def tables(self) -> tuple[Table, Table]:
        """Two tables for people: the estimates, and efficiency and accuracy by size."""
        first = Table("quantity", "value", "interval", "runs", "not converged", "note", title="Estimates")
        first.caption = self.comparison
        *others, predicted, measured = self.estimates()
        for one in (*others, predicted, measured):
            first.add_row(
                one.quantity.replace("_", " "),
                number(one.value),
                _span(one.interval),
                *(("–", "–") if one is predicted else (str(one.n_runs), str(one.n_unconverged))),
                one.reason,
            )
        second = Table(
            "labels",
            "D",
            "efficiency",
            "interval",
            "test accuracy",
            "runs",
            "not converged",
            "not fitted",
            title="By size",
        )
        for point in (*self.memorizing, *self.generalizing):
            second.add_row(
                point.labels,
                str(point.n_train),
                number(point.efficiency),
                _span(point.interval),
                number(point.test_accuracy),
                str(point.n_runs),
                str(point.n_unconverged),
                str(point.n_unfitted),
            )
        return first, second


def _span(interval: Interval | None) -> str:
    return span(None, None) if interval is None else span(interval.low, interval.high)
