"""What a claim is: a sentence, a criterion fixed before the run, and a judge that gives the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dcrit.empirics.calibrate import CapacityLine
from dcrit.empirics.efficiency import CompetitionFit
from dcrit.empirics.outcomes import Outcome
from dcrit.empirics.runs import Curves
from dcrit.theory.estimates import Interval, Measurement, Prediction
from dcrit.theory.problem import Activation, Problem
from dcrit.theory.regimes import Dynamics

Ruling = Literal["supported", "refuted", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class ProblemEvidence:
    """What a suite measured on one problem.

    Attributes:
        problem: The problem.
        memorizing: Outcomes on random labels.
        generalizing: Outcomes on the real task well above the transition.
        fit: The competition fitted to those two, or why there is none.
        transition: Outcomes of the runs that locate the transition.
        critical_size: Measured from ``transition``.
        implied: Critical size implied by ``fit``; no measured critical size enters it.
        a_priori: Critical size predicted by the shipped calibration, before any of these runs; None where
            no calibration speaks for the problem.
    """

    problem: Problem
    memorizing: Sequence[Outcome]
    generalizing: Sequence[Outcome]
    fit: CompetitionFit | str
    transition: Sequence[Outcome]
    critical_size: Measurement
    implied: Prediction
    a_priori: Prediction | None


@dataclass(frozen=True, kw_only=True)
class DynamicsEvidence:
    """Runs at a point where the two curves put one of the four dynamics.

    Attributes:
        problem: The problem, its width included.
        n_train: D [examples].
        predicted: The dynamics that the curves put there.
        observed: What each run showed.
        norm_ratios: Settled squared norm of each run over its largest.
        example: Curves of the first run, for pictures.
    """

    problem: Problem
    n_train: int
    predicted: Dynamics
    observed: tuple[Dynamics, ...]
    norm_ratios: tuple[float, ...]
    example: Curves


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything a suite measured.

    Attributes:
        problems: One entry a problem.
        capacities: Capacity over model size, by activation, or why there is no line.
        dynamics: Points at which the four dynamics were looked for.
    """

    problems: Sequence[ProblemEvidence]
    capacities: Mapping[Activation, CapacityLine | str]
    dynamics: Sequence[DynamicsEvidence]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the runs say about a claim.

    Attributes:
        claim: Its id.
        verdict: The ruling, by the claim's own criterion.
        predicted: What the claim or the theory puts there.
        measured: The measured statistic.
        interval: Its interval.
        n_runs: Runs it rests on.
        n_unconverged: Runs made for it and not used.
        reason: One sentence with the numbers that decided.
        rows: Details, one row a configuration, for tables.
    """

    claim: str
    verdict: Ruling
    predicted: float | None
    measured: float | None
    interval: Interval | None
    n_runs: int
    n_unconverged: int
    reason: str
    rows: Sequence[Mapping[str, str | float | None]] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim under test.

    Attributes:
        id: Its name on the command line.
        statement: The sentence.
        source: Keys into the bibliography, or ``dcrit`` for our own.
        criterion: What is supported, refuted or inconclusive, fixed before the run.
        judge: Evidence to verdict.
    """

    id: str
    statement: str
    source: tuple[str, ...]
    criterion: str
    judge: Callable[[Evidence], Verdict]


def rule(interval: Interval, *, inside: tuple[float, float]) -> Ruling:
    """Supported if the interval lies within a range, refuted if it lies outside, inconclusive if it straddles."""
    low, high = inside
    if low <= interval.low and interval.high <= high:
        return "supported"
    if interval.high < low or interval.low > high:
        return "refuted"
    return "inconclusive"


def combine(rulings: Sequence[Ruling]) -> Ruling:
    """A claim about every configuration: refuted by one, supported by all."""
    if "refuted" in rulings:
        return "refuted"
    return "supported" if rulings and all(ruling == "supported" for ruling in rulings) else "inconclusive"


def label(problem: Problem) -> str:
    """A problem in a few words, for tables."""
    return f"{problem.task} p={problem.modulus} {problem.activation} H={problem.width}"


def verdict_json(claim: Claim, verdict: Verdict) -> dict[str, Any]:
    """The verdict as the report and ``--json`` hold it."""

    def clean(value: str | float | None) -> str | float | None:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    interval = verdict.interval
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": list(claim.source),
        "criterion": claim.criterion,
        "predicted": clean(verdict.predicted),
        "measured": clean(verdict.measured),
        "interval": None if interval is None else [interval.low, interval.high],
        "level": None if interval is None else interval.level,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "n_runs": verdict.n_runs,
        "n_unconverged": verdict.n_unconverged,
        "rows": [{key: clean(value) for key, value in row.items()} for row in verdict.rows],
    }
