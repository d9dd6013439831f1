"""How a shipped calibration did on configurations measured beyond it: one data file, written by a command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np

from dcrit.theory.calibrations.calibration import TRACK_RECORD, Calibration
from dcrit.theory.checks import FieldError, check_integer


@dataclass(frozen=True, kw_only=True)
class TrackRecord:
    """Errors ln(predicted/measured) of critical sizes that no constant was fitted to.

    Attributes:
        n_configurations: Configurations predicted and measured.
        median_error: Median of |ln(predicted/measured)|.
        worst_error: Largest of them.
        bias: Mean of ln(predicted/measured); negative where predictions are low.
        n_inside: Measurements inside the predicted 90 % interval.

    Raises:
        ValueError: A field is out of range.
    """

    n_configurations: int
    median_error: float
    worst_error: float
    bias: float
    n_inside: int

    def __post_init__(self) -> None:
        check_integer("n_configurations", self.n_configurations, 1)
        check_integer("n_inside", self.n_inside, 0)
        if self.n_inside > self.n_configurations:
            raise FieldError("n_inside", f"be at most {self.n_configurations}", self.n_inside)
        if not 0 <= self.median_error <= self.worst_error:
            raise FieldError("median_error", f"be between 0 and {self.worst_error}", self.median_error)

    @classmethod
    def of(cls, errors: Sequence[float], inside: Sequence[bool]) -> Self:
        """The record of some configurations.

        Args:
            errors: (n,) ln(predicted/measured).
            inside: (n,) whether the predicted interval holds the measurement.
        """
        size = np.abs(errors)
        return cls(
            n_configurations=len(errors),
            median_error=round(float(np.median(size)), 4),
            worst_error=round(float(size.max()), 4),
            bias=round(float(np.mean(errors)), 4),
            n_inside=sum(inside),
        )

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self)

    def sentence(self) -> str:
        """The record for people."""
        return (
            f"on {self.n_configurations} configurations measured beyond it: median |ln(predicted/measured)| "
            f"{self.median_error:.3f}, worst {self.worst_error:.3f}, mean ln ratio {self.bias:+.3f}, "
            f"{self.n_inside} of {self.n_configurations} inside the 90 % interval"
        )


def fingerprint(calibration: Calibration) -> str:
    """16 hexadecimal digits that tell a calibration's constants from any other's."""
    return hashlib.sha256(calibration.to_json().encode()).hexdigest()[:16]


@cache
def _records() -> dict[str, TrackRecord]:
    text = (files("dcrit.theory.calibrations") / TRACK_RECORD).read_text(encoding="utf-8")
    return {key: TrackRecord(**fields) for key, fields in json.loads(text).items()}


def track_record(calibration: Calibration) -> TrackRecord | None:
    """How that calibration did; None for one that does not ship or was never tested."""
    return _records().get(fingerprint(calibration))
