"""Validation suites: which claims they judge, in what order their runs are made, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import get_args

from dcrit.empirics.claims.claim import Claim, Finding, Record, Verdict
from dcrit.empirics.claims.evidence import decide
from dcrit.empirics.claims.frames import AnyStream, Frame
from dcrit.empirics.claims.protocol import CLAIMS
from dcrit.empirics.claims.spending import next_blocks
from dcrit.empirics.claims.streams import AnyRun
from dcrit.empirics.experiments.experiment import SuiteName
from dcrit.empirics.experiments.laboratory import AnyConfig, Laboratory
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.budget import Budget
from dcrit.empirics.training.work import Stage
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.checks import FieldError
from dcrit.theory.nearest import nearest


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a validation trains and judges.

    Attributes:
        name: Word on the command line.
        claims: What is judged: every claim that has a part in it, unless fewer are chosen.
        n_claims: How many belong to it, where fewer are chosen; None for those it holds.
    """

    name: SuiteName
    claims: tuple[Claim, ...]
    n_claims: int | None = None

    def finding(self, claim: Claim, records: Mapping[AnyStream, Record]) -> Finding:
        """What runs say about the parts of a claim in this suite."""
        return Finding(parts=claim.within(self.name), records=records)

    @property
    def streams(self) -> list[AnyStream]:
        """Streams of all its claims, each once."""
        return list(dict.fromkeys(stream for claim in self.claims for stream in self.finding(claim, {}).streams))

    def stages(self) -> dict[str, list[Stage]]:
        """What each claim trains at most, block by block."""
        return {claim.id: _stages(self.finding(claim, {}).streams) for claim in self.claims}


def _stages(streams: Sequence[AnyStream]) -> list[Stage]:
    rounds = max((stream.blocks for stream in streams), default=0)
    return [
        Stage(known=[config for stream in streams if k < stream.blocks for config in block_of(stream, k)])
        for k in range(rounds)
    ]


def block_of(stream: AnyStream, block: int) -> list[AnyConfig]:
    """Runs of a block of fresh seeds.

    Args:
        stream: Of which.
        block: Counted from 0.
    """
    first = block * stream.block
    return [config for unit in range(first, first + stream.block) for config in stream.configs(unit)]


def stored_runs(suite: Suite, laboratory: Laboratory) -> set[str]:
    """Addresses of all runs of a suite that are stored.

    Args:
        suite: Whose.
        laboratory: Knows what is stored.
    """
    blocks = [block_of(stream, k) for stream in suite.streams for k in range(stream.blocks)]
    configs = [config for block in blocks for config in block]
    return {one.address for one in configs} - {one.address for one in laboratory.lacking(configs)}


def suite_of(name: SuiteName) -> Suite:
    """All claims that have a part in a suite."""
    return Suite(name=name, claims=tuple(claim for claim in CLAIMS.values() if name in claim.suites))


SUITE_NAMES: tuple[SuiteName, ...] = get_args(SuiteName)

#: Time for a suite's runs where none is given [minutes].
BUDGETS: Mapping[SuiteName, float] = {"quick": math.inf, "standard": math.inf, "paper": 30.0}


def minutes_of(name: SuiteName, minutes: float | None, *, workers: int = 0, address: str | None = None) -> float:
    """Time for a suite's runs: as given, or the suite's own [minutes]; inf for as long as they take.

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
            Advice("be at least 1 beside ", Setting("address"), f" and a budget of {minutes:g} minutes"),
            "0",
            why="say how many batches the cluster trains at a time",
        )
    return minutes


def budget_of(minutes: float, workers: int = 0) -> Budget | None:
    """A budget that begins now, with the rate of this machine measured first; None where there is no limit.

    Args:
        minutes: Time for the runs [minutes].
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
            homes = {other: {claim.id for claim in suite_of(other).claims} for other in SUITE_NAMES}
            near = nearest(name, set().union(*homes.values()), most=1)
            others = [other for other, ids in homes.items() if near and near[0] in ids]
            got = f"'{name}'" + (f"; the nearest is '{near[0]}'" if near and near[0] != name else "")
            where = f", a claim of {' and '.join(others)}" if others and suite.name not in others else ""
            raise FieldError("claim", f"be one of {', '.join(known)} in suite {suite.name}", f"{got}{where}")
    if not claims:
        return suite
    # All claims of the suite still count: one judged alone gets no easier ruling.
    return replace(suite, claims=tuple(known[name] for name in claims), n_claims=suite.n_claims or len(suite.claims))


def gather(
    suite: Suite,
    laboratory: Laboratory,
    *,
    begin: Callable[[str], None] = lambda _: None,
    budget: Budget | None = None,
    known: Mapping[AnyStream, Record] | None = None,
) -> dict[AnyStream, Record]:
    """Make fresh runs, block by block, until every claim is decided or its blocks or the time are spent.

    What is stored is taken in first, whatever the time: called again, it goes on where it ended. Where a time is given
    it is the limit, and seeds beyond those that were declared may be made: evidence allows that at any time.

    Args:
        suite: What to run.
        laboratory: Trains runs, or finds them.
        begin: Told in words what each round makes.
        budget: Time for what is not stored; None for as long as it takes. It goes to the claims that are nearest to a
            decision, see :func:`~dcrit.empirics.claims.spending.next_blocks`.
        known: Evidence to go on from, whose runs are not needed; none of it is changed.

    Returns:
        What the streams gave.
    """
    records = {stream: deepcopy((known or {}).get(stream, Record())) for stream in suite.streams}
    while stored := _stored(records, laboratory):
        _make(stored, records, laboratory)
    while True:
        findings = [suite.finding(claim, records) for claim in suite.claims]

        def wanting(stream: AnyStream, among: Sequence[Finding] = findings) -> int:
            return sum(stream in one.streams and one.wants(stream, beyond=budget is not None) for one in among)

        wanted = {
            stream: block_of(stream, record.seeds // stream.block)
            for stream, record in records.items()
            if wanting(stream)
        }
        if budget is not None:
            lacking = {stream: laboratory.lacking(block) for stream, block in wanted.items()}
            wanted = {stream: wanted[stream] for stream in next_blocks(findings, lacking, budget)}
        if not wanted:
            return records
        open_claims = sum(any(wanting(stream, [one]) for stream in wanted) for one in findings)
        begin(f"{sum(map(len, wanted.values()))} fresh runs for {open_claims} of {len(findings)} claims")
        _make(wanted, records, laboratory)


def _stored(records: Mapping[AnyStream, Record], laboratory: Laboratory) -> dict[AnyStream, list[AnyConfig]]:
    """The next block of each stream that is stored: it belongs to the evidence, wanted or not."""
    blocks = {
        stream: block_of(stream, record.seeds // stream.block)
        for stream, record in records.items()
        if record.seeds < stream.block * stream.blocks or not isinstance(stream, Frame)
    }
    lacking = {one.address for one in laboratory.lacking([config for block in blocks.values() for config in block])}
    return {stream: block for stream, block in blocks.items() if not lacking & {one.address for one in block}}


def _make(
    chosen: Mapping[AnyStream, Sequence[AnyConfig]], records: Mapping[AnyStream, Record], laboratory: Laboratory
) -> None:
    """Make the runs of some blocks in one sweep of each kind, and take them in seed by seed."""
    configs = [config for block in chosen.values() for config in block]
    single = [one for one in configs if isinstance(one, RunConfig)]
    several = [one for one in configs if isinstance(one, MultitaskConfig)]
    looked_at = [one for one in configs if isinstance(one, DimensionConfig)]
    found: dict[str, AnyRun] = {}
    if single:
        found |= {run.config.address: run for run in laboratory.runs(single, stage="fresh seeds")}
    if several:
        made = laboratory.multitask(several, stage="fresh seeds of several tasks")
        found |= {run.config.address: run for run in made}
    if looked_at:
        found |= {run.config.address: run for run in laboratory.dimensions(looked_at, stage="their curvature")}
    for stream in chosen:
        record = records[stream]
        for unit in range(record.seeds, record.seeds + stream.block):
            record.add(stream, [found[config.address] for config in stream.configs(unit)])


def judge(suite: Suite, records: Mapping[AnyStream, Record]) -> list[Verdict]:
    """Every claim with its ruling, beside all claims of the whole suite."""
    findings = [suite.finding(claim, records) for claim in suite.claims]
    decisions = decide([one.evidence for one in findings], n_claims=suite.n_claims)
    return [
        Verdict(claim=claim, finding=finding, decision=decision)
        for claim, finding, decision in zip(suite.claims, findings, decisions, strict=True)
    ]
