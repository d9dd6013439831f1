"""Problems that were drawn and predicted before any run of them, and how far off each prediction is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.claims.streams import BLOCK, FIRST_SEED, AnyRun, Stream
from dcrit.empirics.experiments.laboratory import AnyConfig
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.prediction_errors import FEWEST, PredictionErrors, standard_error
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.checks import FieldError, check_positive
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem, label

FloatArray = NDArray[np.float64]

#: Sizes at which a drawn problem is run, around the predicted one, in ln D: one fresh seed each.
OFFSETS = (-1.1, -0.7, -0.4, -0.13, 0.13, 0.4, 0.7, 1.1)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A problem that was drawn and predicted before any run of it.

    Attributes:
        problem: What is trained.
        predicted: D_crit(T) as predicted [examples].
        steps: T [steps]; 0 for the protocol's.

    Raises:
        ValueError: The size is not above 0.
    """

    problem: Problem
    predicted: float
    steps: int = 0

    def __post_init__(self) -> None:
        check_positive("predicted", self.predicted)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Drawn problems in the order of the draw, and how far off the prediction of each is.

    X = min(|r|, clip)²/clip², r = ln(predicted/measured); a problem without a transition near its prediction counts 1

    Attributes:
        drawn: The problems; a block is four of them.
        clip: Largest |r| that is told from others.
    """

    drawn: tuple[Drawn, ...]
    clip: float

    def __post_init__(self) -> None:
        check_positive("clip", self.clip)
        if not self.drawn:
            raise FieldError("drawn", "hold at least one problem", "none")

    span = (0.0, 1.0)
    block = BLOCK

    @property
    def words(self) -> str:
        """What the number is, in the unit of :meth:`plain`."""
        return f"root mean square of ln(predicted/measured) clipped at {self.clip:g}"

    def plain(self, value: float) -> float:
        """A mean of X as people read it: the error whose square it is, clip·√X; open ends stay."""
        return self.clip * math.sqrt(value) if 0 <= value < math.inf else value

    @property
    def blocks(self) -> int:
        """Blocks of problems."""
        return math.ceil(len(self.drawn) / self.block)

    def configs(self, unit: int) -> list[AnyConfig]:
        """Runs of a problem: a seed each at sizes around the predicted one; none beyond the last problem."""
        if unit >= len(self.drawn):
            return []
        one = self.drawn[unit]
        most = one.problem.n_pairs - 1
        sizes = [min(most, max(1, round(one.predicted * math.exp(self.clip * offset)))) for offset in OFFSETS]
        return [
            RunConfig(problem=one.problem, n_train=size, seed=FIRST_SEED + k, steps=one.steps, until="generalized")
            for k, size in enumerate(sizes)
        ]

    def value(self, runs: Sequence[AnyRun]) -> float:
        """X of a problem; NaN beyond the last one."""
        if not runs:
            return math.nan
        error = self.error(runs)
        return 1.0 if error is None else min(abs(error), self.clip) ** 2 / self.clip**2

    def error(self, runs: Sequence[Any]) -> float | None:
        """ln(predicted/measured) of the problem of those runs; None where no transition is among them."""
        measured = self.measured(runs).value
        return None if measured is None else math.log(self.drawn_of(runs).predicted / measured)

    def drawn_of(self, runs: Sequence[Any]) -> Drawn:
        """The problem of those runs."""
        asked = runs[0].config
        (found,) = (
            one
            for one in self.drawn
            if (one.problem, one.steps or one.problem.horizon) == (asked.problem, asked.horizon)
        )
        return found

    def row(self, runs: Sequence[Any]) -> dict[str, str | float | None]:
        """The problem of those runs in a table: both sizes with their intervals, and the error in units of both."""
        drawn, measured, error = self.drawn_of(runs), self.measured(runs), self.error(runs)
        predicted = _interval_around(drawn)
        told = [one for one in (predicted, measured.interval) if one is not None]
        scatter = math.hypot(*map(standard_error, told)) if len(told) > 1 else math.inf
        return {
            "problem": label(drawn.problem),
            "group": f"{drawn.problem.task} {drawn.problem.activation} {drawn.problem.model}",
            "T": runs[0].config.horizon,
            "predicted": drawn.predicted,
            "predicted low": None if predicted is None else predicted.low,
            "predicted high": None if predicted is None else predicted.high,
            "measured": measured.value,
            "measured low": None if measured.interval is None else measured.interval.low,
            "measured high": None if measured.interval is None else measured.interval.high,
            "ln(predicted/measured)": error,
            "z": error / scatter if error is not None and math.isfinite(scatter) else None,
        }

    def measured(self, runs: Sequence[Any]) -> Estimate:
        """D_crit of the problem of those runs [examples]; without a value where no transition is among them."""
        return measure_critical_size([outcome_of(run) for run in runs])

    def errors(self, rows: Sequence[Mapping[str, Any]]) -> PredictionErrors | None:
        """What the measured problems say of the predictions together; None of fewer than three.

        Args:
            rows: As :meth:`row` gives them; those without z were not measured, or to no finite error.
        """
        known = [row for row in rows if row["z"] is not None]
        if len(known) < FEWEST:
            return None

        def scatter(name: str) -> FloatArray:
            ends = [Interval(low=row[f"{name} low"], high=row[f"{name} high"]) for row in known]
            return np.array([standard_error(one) for one in ends])

        return PredictionErrors(
            log_errors=np.array([row["ln(predicted/measured)"] for row in known]),
            predicted=scatter("predicted"),
            measured=scatter("measured"),
            groups=tuple(row["group"] for row in known),
        )


@lru_cache(maxsize=256)
def _interval_around(drawn: Drawn) -> Interval | None:
    """The interval that the law gives a prediction, moved in ln to where it was when the protocol was written.

    None where no law that ships speaks of the problem.
    """
    calibration = calibration_for(drawn.problem, shipped_calibrations())
    if calibration is None or calibration.thresholds is None:
        return None
    found = predict_critical_size(drawn.problem, calibration, horizon=drawn.steps or None).critical_size
    if found.value is None or found.interval is None:
        return None
    moved = drawn.predicted / found.value
    return Interval(low=found.interval.low * moved, high=found.interval.high * moved, level=found.interval.level)


AnyStream = Stream | Frame
