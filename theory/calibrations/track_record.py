"""How a shipped calibration did on configurations measured beyond it: one data file, written by a command."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from scipy.special import bdtr

from dcrit.theory.calibrations.calibration import TRACK_RECORD, Calibration
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem

#: Fields that are ranges, least and largest.
RANGES = ("n_symbols", "width")

#: Fields that are records of other sizes than D_crit, as people call these.
OTHERS = {"edges": "the edges of semi-grokking", "at_rest": "D_rest"}

#: Chance below which as few measurements inside as there are is no chance.
RARELY = 0.05


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
        at_rest: The same of D_rest.

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
    at_rest: TrackRecord | None = None

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
        others = {name: None if (other := getattr(self, name)) is None else other.to_dict() for name in OTHERS}
        return asdict(self) | spans | others

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        fields = dict(document)
        fields.update({name: tuple(fields[name]) for name in RANGES if fields.get(name)})
        fields.update({name: cls.from_dict(fields[name]) for name in OTHERS if fields.get(name)})
        return cls(**fields)

    def by_size(self) -> dict[str, TrackRecord]:
        """The record of every size that has one, by its name in an answer."""
        sizes = {"critical_size": self, "onset": self.edges, "completion": self.edges, "at_rest": self.at_rest}
        return {name: one for name, one in sizes.items() if one is not None}

    def sentences(self) -> list[str]:
        """The record for people: that of D_crit, then of other sizes where there is one."""
        told = [f"track record of D_crit, for such networks that no constant is from{self._where}: {self._scores}"]
        for name, words in OTHERS.items():
            other: TrackRecord | None = getattr(self, name)
            if other is not None:
                told.append(f"track record of {words}, for such networks{other._where}: {other._scores}")
        return told

    @property
    def is_overconfident(self) -> bool:
        """Whether so few measurements inside 90 % intervals are rarer than one in twenty: intervals are too narrow."""
        return bool(bdtr(self.n_inside, self.n_configurations, LEVEL) < RARELY)

    @property
    def _where(self) -> str:
        if self.n_symbols is None or self.width is None:
            return ""
        (low, high), (narrow, wide) = self.n_symbols, self.width
        return f" ({low} to {high} symbols, widths {narrow} to {wide})"

    @property
    def _scores(self) -> str:
        return (
            f"{self.n_inside} of {self.n_configurations} inside the 90 % interval, off by a "
            f"factor of {math.exp(self.median_error):.3g} in the median, {math.exp(self.worst_error):.3g} at worst"
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
