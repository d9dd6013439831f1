"""Validation suites: which claims they hold, in what order the experiments are made, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dcrit.empirics.claims.claim import CLAIMS, Claim, Finding, Verdict
from dcrit.empirics.claims.effect import holm_thresholds
from dcrit.empirics.experiments.experiment import Experiment, SuiteName
from dcrit.empirics.experiments.laboratory import Account, Laboratory
from dcrit.empirics.training.budget import Budget, LeftOut
from dcrit.theory.checks import FieldError


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a validation trains and judges.

    Attributes:
        name: Word on the command line.
        claims: What is judged: every claim whose experiment has a design of that name, unless fewer are chosen.
        n_claims: How many are corrected for, where fewer are chosen; None for those it holds.
    """

    name: SuiteName
    claims: tuple[Claim[Any], ...]
    n_claims: int | None = None

    @property
    def experiments(self) -> list[Experiment[Any, Any]]:
        """Experiments of the claims, each once."""
        return list({claim.experiment.name: claim.experiment for claim in self.claims}.values())


def suite_of(name: SuiteName) -> Suite:
    """All claims that have a part in a suite."""
    return Suite(name=name, claims=tuple(claim for claim in CLAIMS.values() if name in claim.experiment.designs))


SUITE_NAMES: tuple[SuiteName, ...] = ("quick", "standard", "paper")

#: Time for a suite's experiments where none is given [minutes].
BUDGETS: Mapping[SuiteName, float] = {"quick": math.inf, "standard": math.inf, "paper": 30.0}


def minutes_of(name: SuiteName, minutes: float | None, *, workers: int = 0, address: str | None = None) -> float:
    """Time for a suite's experiments: as given, or the suite's own [minutes]; inf for as long as they take.

    Args:
        name: Suite.
        minutes: As asked for; None for the suite's own.
        workers: Training processes; 0 for as many as there is room for.
        address: Of a running cluster.

    Raises:
        ValueError: It is no time, or limited on a cluster of which nothing says how much it trains at a time.
    """
    minutes = BUDGETS[name] if minutes is None else minutes
    if not minutes > 0:
        raise FieldError("budget", "be above 0 minutes, or inf", repr(minutes))
    if math.isfinite(minutes) and address is not None and workers == 0:
        raise FieldError(
            "workers",
            f"be at least 1 beside --address and a budget of {minutes:g} minutes",
            "0",
            why="say how many batches the cluster trains at a time",
        )
    return minutes


def budget_of(minutes: float, workers: int = 0) -> Budget | None:
    """A budget that begins now, with the rate of this machine measured first; None where there is no limit.

    Args:
        minutes: Time for the experiments [minutes].
        workers: Training processes; 0 for one per core.
    """
    if math.isinf(minutes):
        return None
    from dcrit.empirics.training.devices import resolve_device
    from dcrit.empirics.training.executor import usable_cores
    from dcrit.empirics.training.speed import measure_speed

    device = resolve_device("auto")
    processes = (workers or usable_cores()) if device == "cpu" else 1
    return Budget(seconds=60 * minutes, speed=measure_speed(device, processes), workers=processes)


def select(suite: Suite, claims: Sequence[str]) -> Suite:
    """The suite with only the claims of those ids; all of them where none is named.

    Raises:
        ValueError: An id is not among the suite's claims.
    """
    known = {claim.id: claim for claim in suite.claims}
    for name in claims:
        if name not in known:
            others = [other for other in SUITE_NAMES if name in {claim.id for claim in suite_of(other).claims}]
            where = f", a claim of {' and '.join(others)}" if others else ""
            raise FieldError("claim", f"be one of {', '.join(known)} in suite {suite.name}", f"'{name}'{where}")
    if not claims:
        return suite
    # All claims of the suite stay corrected for: one judged alone gets no easier ruling.
    return replace(suite, claims=tuple(known[name] for name in claims), n_claims=suite.n_claims or len(suite.claims))


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one experiment of a suite gave.

    Attributes:
        evidence: For its claims and figures, or that it was left out.
        account: The runs it rests on.
    """

    evidence: Any
    account: Account


def gather(
    suite: Suite,
    laboratory: Laboratory,
    *,
    begin: Callable[[str], None] = lambda _: None,
    budget: Budget | None = None,
) -> dict[str, Result]:
    """Make the suite's experiments, one after the other, and leave out those that there is no time for.

    Args:
        suite: What to run.
        laboratory: Trains runs, or finds them.
        begin: Told the name of each experiment before it is made.
        budget: Time for all of them; None for as long as it takes.

    Returns:
        Results by the experiment's name.
    """
    results: dict[str, Result] = {}
    for experiment in suite.experiments:
        design = experiment.designs[suite.name]
        refusal = None if budget is None else budget.refusal(experiment.work(suite.name, budget.speed.device))
        if refusal is not None:
            results[experiment.name] = Result(evidence=refusal, account=Account())
            continue
        begin(experiment.name)
        with laboratory.account() as account:
            evidence = experiment.measure(design, laboratory)
        results[experiment.name] = Result(evidence=evidence, account=account)
    return results


def judge(suite: Suite, results: Mapping[str, Result]) -> list[Verdict]:
    """Every claim with its ruling, corrected for all claims of the whole suite but those left out for lack of time."""
    own = [results[claim.experiment.name] for claim in suite.claims]
    findings = [_finding(claim, result.evidence) for claim, result in zip(suite.claims, own, strict=True)]
    n_left_out = sum(isinstance(result.evidence, LeftOut) for result in own)
    n_claims = (suite.n_claims or len(suite.claims)) - n_left_out
    p_values = [finding.p_value for finding in findings]
    thresholds = holm_thresholds(p_values, n_claims=n_claims)
    return [
        Verdict(
            claim=claim,
            finding=finding,
            ruling="inconclusive" if threshold is None else finding.ruling(threshold),
            threshold=threshold,
            account=result.account,
        )
        for claim, finding, threshold, result in zip(suite.claims, findings, thresholds, own, strict=True)
    ]


def _finding(claim: Claim[Any], evidence: Any) -> Finding:
    if not isinstance(evidence, LeftOut):
        return claim.judge(evidence)
    return Finding(
        predicted=None,
        measured=None,
        interval=None,
        n_runs=0,
        n_unconverged=0,
        reason=evidence.reason,
        p_inside=None,
        p_outside=None,
    )
