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
from dcrit.theory.problems.problem import Problem

#: Fields that are ranges, least and largest.
RANGES = ("n_symbols", "width")


@dataclass(frozen=True, kw_only=True)
class TrackRecord:
    """Errors ln(predicted/measured) of critical sizes that no constant was fitted to.

    Attributes:
        n_configurations: Configurations predicted and measured.
        median_error: Median of |ln(predicted/measured)|.
        worst_error: Largest of them.
        bias: Mean of ln(predicted/measured); negative where predictions are low.
        n_inside: Measurements inside the predicted 90 % interval.
        n_symbols: Least and largest S of the configurations; None where they are not known.
        width: Least and largest H, likewise.
        edges: The same of sizes at mean test accuracies 0.1 and 0.9, each counted by itself; None where none is
            measured.

    Raises:
        ValueError: A field is out of range.
    """

    n_configurations: int
    median_error: float
    worst_error: float
    bias: float
    n_inside: int
    n_symbols: tuple[int, int] | None = None
    width: tuple[int, int] | None = None
    edges: TrackRecord | None = None

    def __post_init__(self) -> None:
        check_integer("n_configurations", self.n_configurations, 1)
        check_integer("n_inside", self.n_inside, 0)
        if self.n_inside > self.n_configurations:
            raise FieldError("n_inside", f"be at most {self.n_configurations}", self.n_inside)
        if not 0 <= self.median_error <= self.worst_error:
            raise FieldError("median_error", f"be between 0 and {self.worst_error}", self.median_error)
        for name in RANGES:
            span = getattr(self, name)
            if span is not None and not 0 < span[0] <= span[1]:
                raise FieldError(name, "be a range from low to high", f"{span[0]!r} to {span[1]!r}")

    @classmethod
    def of(cls, errors: Sequence[float], inside: Sequence[bool], problems: Sequence[Problem] = ()) -> Self:
        """The record of some configurations.

        Args:
            errors: (n,) ln(predicted/measured).
            inside: (n,) whether the predicted interval holds the measurement.
            problems: (n,) what was predicted, or none.
        """
        symbols, widths = [one.n_symbols for one in problems], [one.width for one in problems]
        size = np.abs(errors)
        return cls(
            n_configurations=len(errors),
            median_error=round(float(np.median(size)), 4),
            worst_error=round(float(size.max()), 4),
            bias=round(float(np.mean(errors)), 4),
            n_inside=sum(inside),
            n_symbols=(min(symbols), max(symbols)) if symbols else None,
            width=(min(widths), max(widths)) if widths else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        spans = {name: None if (span := getattr(self, name)) is None else [*span] for name in RANGES}
        return asdict(self) | spans | {"edges": None if self.edges is None else self.edges.to_dict()}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        fields = dict(document)
        fields.update({name: tuple(fields[name]) for name in RANGES if fields.get(name)})
        if fields.get("edges"):
            fields["edges"] = cls.from_dict(fields["edges"])
        return cls(**fields)

    def sentences(self) -> list[str]:
        """The record for people: that of D_crit, and that of the edges of semi-grokking where there is one."""
        told = [
            f"track record of D_crit, for networks of this model, activation and rule{self._where} from which no "
            f"constant comes: {self._scores}"
        ]
        if self.edges is not None:
            edges = self.edges
            told.append(f"track record of the edges of semi-grokking, for such networks{edges._where}: {edges._scores}")
        return told

    @property
    def _where(self) -> str:
        if self.n_symbols is None or self.width is None:
            return ""
        (low, high), (narrow, wide) = self.n_symbols, self.width
        return f" ({low} to {high} symbols, widths {narrow} to {wide})"

    @property
    def _scores(self) -> str:
        return (
            f"{self.n_inside} of {self.n_configurations} inside the 90 % interval, median |ln(predicted/measured)| "
            f"{self.median_error:.3f}, worst {self.worst_error:.3f}, mean ln ratio {self.bias:+.3f}"
        )


def fingerprint(calibration: Calibration) -> str:
    """16 hexadecimal digits that tell a calibration's constants from any other's."""
    return hashlib.sha256(calibration.to_json().encode()).hexdigest()[:16]


@cache
def _records() -> dict[str, TrackRecord]:
    text = (files("dcrit.theory.calibrations") / TRACK_RECORD).read_text(encoding="utf-8")
    return {key: TrackRecord.from_dict(fields) for key, fields in json.loads(text).items()}


def track_record(calibration: Calibration) -> TrackRecord | None:
    """How that calibration did; None for one that does not ship or was never tested."""
    return _records().get(fingerprint(calibration))
