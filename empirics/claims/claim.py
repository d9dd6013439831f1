"""What a claim is: a sentence, an experiment, a criterion fixed before the run, and a judge of what the runs say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from dcrit.empirics.claims.effect import SIGNIFICANCE, Effect, Statistic, every
from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Account
from dcrit.theory.estimates import Interval
from dcrit.theory.registry import Registry, discovered

Ruling = Literal["supported", "refuted", "inconclusive"]
Evidence = TypeVar("Evidence")
Row = Mapping[str, str | float | None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the runs say about a claim, before several claims are corrected for.

    Attributes:
        predicted: What the claim or the theory puts there.
        measured: The measured statistic.
        interval: Its interval.
        n_runs: Runs it rests on.
        n_unconverged: Runs made for it and not used.
        reason: One sentence with the numbers that decide, or why nothing can be decided.
        p_inside: Smallness supports the claim, see :class:`Effect`; None where it cannot be supported.
        p_outside: Smallness refutes it; None where it cannot be refuted.
        rows: Details, one row a configuration, for tables.
    """

    predicted: float | None
    measured: float | None
    interval: Interval | None
    n_runs: int
    n_unconverged: int
    reason: str
    p_inside: float | None
    p_outside: float | None
    rows: Sequence[Row] = field(default_factory=tuple)

    @property
    def p_value(self) -> float | None:
        """The smaller of both: at most one of them can be small for good reason."""
        return min((p for p in (self.p_inside, self.p_outside) if p is not None), default=None)

    def ruling(self, significance: float = SIGNIFICANCE) -> Ruling:
        """Supported or refuted where the p-value is at most that, else inconclusive."""
        if self.p_value is None or self.p_value > significance:
            return "inconclusive"
        return "supported" if self.p_value == self.p_inside else "refuted"


def finding_on(
    rows: Sequence[Row],
    effects: Sequence[Effect | None],
    shown: Statistic | None,
    *,
    predicted: float | None,
    n_runs: int,
    n_unconverged: int,
    reason: str,
) -> Finding:
    """The finding on a claim about every configuration: all effects decide together, and one number is shown.

    Args:
        rows: Details, one row a configuration.
        effects: One a configuration; None where its runs do not say.
        shown: The measured statistic; None where there is none.
        predicted: What the claim or the theory puts there.
        n_runs: Runs it rests on.
        n_unconverged: Runs made for it and not used.
        reason: One sentence with the numbers that decide.
    """
    p_inside, p_outside = every(effects)
    return Finding(
        predicted=predicted,
        measured=None if shown is None else shown.value,
        interval=None if shown is None else shown.interval,
        n_runs=n_runs,
        n_unconverged=n_unconverged,
        reason=reason,
        p_inside=p_inside,
        p_outside=p_outside,
        rows=rows,
    )


def columns_of(effect: Effect | None, name: str, *, ends: str = "") -> Row:
    """An effect in a table: its value under that name, and both ends of its interval.

    Args:
        effect: What is shown; None leaves the cells empty.
        name: Column of the value.
        ends: Before ``low`` and ``high`` in the names of the other two.
    """
    if effect is None:
        return {name: None, f"{ends}low": None, f"{ends}high": None}
    return {name: effect.value, f"{ends}low": effect.interval.low, f"{ends}high": effect.interval.high}


@dataclass(frozen=True, kw_only=True)
class Claim(Generic[Evidence]):
    """A claim under test.

    Attributes:
        id: Its name on the command line.
        order: Place in the table of verdicts, counted from 1; those of other packages come last.
        statement: The sentence.
        source: Keys into the bibliography, or ``dcrit`` for our own.
        criterion: What is supported, refuted or inconclusive, fixed before the run.
        experiment: Makes the runs.
        judge: Evidence to finding.
    """

    id: str
    order: float = math.inf
    statement: str
    source: tuple[str, ...]
    criterion: str
    experiment: Experiment[Any, Evidence]
    judge: Callable[[Evidence], Finding]


#: Every claim by its id, in the order of the verdict table.
CLAIMS: Registry[Claim[Any]] = Registry(
    "claim",
    Claim,
    group="dcrit.claims",
    own=lambda: discovered("dcrit.empirics.claims", "CLAIM"),
    name=lambda claim: claim.id,
    order=lambda claim: claim.order,
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The ruling on a claim beside the others of its suite.

    Attributes:
        claim: The claim.
        finding: What the runs say.
        ruling: After the correction for several claims.
        threshold: Largest p-value that would have decided here; None where there is no p-value.
        account: The runs of its experiment; claims that share an experiment share them.
    """

    claim: Claim[Any]
    finding: Finding
    ruling: Ruling
    threshold: float | None
    account: Account

    @property
    def reason(self) -> str:
        """The finding's reason, and that it is not enough beside the other claims where that is so."""
        alone, p_value = self.finding.ruling(), self.finding.p_value
        if alone == self.ruling or p_value is None or self.threshold is None:
            return self.finding.reason
        return (
            f"{self.finding.reason}; {alone} alone, but not beside the other claims (Holm: p = {p_value:.2g} "
            f"where {self.threshold:.2g} is needed)"
        )


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as the report and ``--json`` hold it."""

    def clean(value: str | float | None) -> str | float | None:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    claim, finding = verdict.claim, verdict.finding
    interval = finding.interval
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": list(claim.source),
        "criterion": claim.criterion,
        "predicted": clean(finding.predicted),
        "measured": clean(finding.measured),
        "interval": None if interval is None else interval.to_dict(),
        "level": None if interval is None else interval.level,
        "verdict": verdict.ruling,
        "reason": verdict.reason,
        "p_value": finding.p_value,
        "threshold": verdict.threshold,
        "n_runs": finding.n_runs,
        "n_unconverged": finding.n_unconverged,
        "runs_made": verdict.account.n_runs,
        "training_seconds": verdict.account.seconds,
        "rows": [{key: clean(value) for key, value in row.items()} for row in finding.rows],
    }
