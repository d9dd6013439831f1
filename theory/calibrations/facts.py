"""How much facts to memorize disturb a task beside them: one measured constant a family, with its error."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Self

from dcrit.theory.calibrations.outside import beyond
from dcrit.theory.calibrations.thresholds import FARTHEST_LOAD, check_subject
from dcrit.theory.checks import FieldError, check_integer, check_not_negative, check_positive
from dcrit.theory.circuits.clock import LevelClocks
from dcrit.theory.problems.problem import Problem

#: The file that ships, written by ``dcrit reproduce emergence``.
FACTS = "facts.json"

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class FactsConstants:
    """The law of :mod:`dcrit.theory.circuits.facts_from_scratch` for one family of tasks and networks.

    Attributes:
        tasks: Tasks it speaks for.
        model: Model family.
        activation: σ.
        interference: a.
        log_error: Standard deviation of ln a.
        scatter: Of ln D_crit beside facts, beyond that of D_crit without any.
        n_symbols: Least and largest S of the runs.
        width: Least and largest width.
        load: Largest D_r/D_crit(0).
        n_runs: How many they were.

    Raises:
        ValueError: A field is out of range.

    Source: own runs, by ``dcrit reproduce emergence``.
    """

    tasks: tuple[str, ...]
    model: str
    activation: str
    interference: float
    log_error: float
    scatter: float
    n_symbols: tuple[int, int]
    width: tuple[int, int]
    load: float
    n_runs: int

    def __post_init__(self) -> None:
        check_subject(self.tasks, self.model, self.activation)
        check_positive("interference", self.interference)
        check_positive("load", self.load)
        check_not_negative("log_error", self.log_error)
        check_not_negative("scatter", self.scatter)
        check_integer("n_runs", self.n_runs, 1)
        for name in ("n_symbols", "width"):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise FieldError(name, "be a range from low to high", f"{low!r} to {high!r}")

    def covers(self, problem: Problem) -> bool:
        """Whether the constant speaks for that task, model and activation at all."""
        return problem.task in self.tasks and problem.model == self.model and problem.activation == self.activation

    def beside(self, clocks: LevelClocks, n_facts: int) -> LevelClocks:
        """Times and sizes of a network beside D_r facts.

        Args:
            clocks: Of the network without any.
            n_facts: D_r [examples].
        """
        facts = {"n_facts": float(n_facts), "interference": self.interference}
        return replace(clocks, memory=replace(clocks.memory, **facts))

    def outside(self, problem: Problem, n_facts: int, alone: float) -> tuple[str, ...]:
        """What of a question lies outside the calibration runs, and by how much: one phrase each.

        Args:
            problem: The question.
            n_facts: D_r [examples].
            alone: D_crit without facts [examples].
        """
        axes = (
            ("the number of symbols", problem.n_symbols, self.n_symbols),
            ("the width", problem.width, self.width),
            ("facts per example of D_crit without them", max(n_facts / alone, 1e-9), (1e-9, self.load)),
        )
        return beyond(axes)

    def silence(self, n_facts: int, alone: float) -> str:
        """Why nothing is said of so many facts; empty where something is.

        Args:
            n_facts: D_r [examples].
            alone: D_crit without facts [examples].
        """
        most = FARTHEST_LOAD * self.load
        if n_facts <= most * alone:
            return ""
        return (
            f"cannot tell: {n_facts} facts are {n_facts / alone:.3g} per example of D_crit without facts; the law is "
            f"calibrated up to {self.load:.3g} and says nothing beyond {most:.3g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        fields: dict[str, Any] = {**document}
        fields |= {name: tuple(document[name]) for name in ("tasks", "n_symbols", "width")}
        return cls(**fields)


def facts_text(constants: list[FactsConstants]) -> str:
    """Constants as the JSON document that ships."""
    document = {"format": FORMAT, "families": [one.to_dict() for one in constants]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def facts_from(text: str) -> tuple[FactsConstants, ...]:
    """Inverse of :func:`facts_text`.

    Raises:
        ValueError: The text is no such document.
    """
    document = json.loads(text)
    if document.get("format") != FORMAT:
        raise FieldError("format", f"be {FORMAT}", repr(document.get("format")))
    return tuple(FactsConstants.from_dict(one) for one in document["families"])


@cache
def shipped_facts() -> tuple[FactsConstants, ...]:
    """The constants that come with the package."""
    return facts_from((files("dcrit.theory.calibrations") / FACTS).read_text(encoding="utf-8"))


def facts_constants(problem: Problem) -> FactsConstants | None:
    """The constants that speak for a problem; None where none ship."""
    return next((one for one in shipped_facts() if one.covers(problem)), None)
