"""What a claim is: a sentence, what has to be true of fresh runs for it to hold, and what those say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.claims.evidence import (
    Decision,
    EValues,
    Ruling,
    every,
    evidence_of_mean,
    evidence_of_slope,
    interval_of_mean,
    interval_of_slope,
    together,
)
from dcrit.empirics.claims.frames import AnyStream, Frame
from dcrit.empirics.claims.streams import AnyRun
from dcrit.empirics.experiments.experiment import SuiteName
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.theory.checks import FieldError, check_choice
from dcrit.theory.estimates import Interval
from dcrit.theory.problems.problem import label
from dcrit.theory.written import confidence_sequence, finite, number

FloatArray = NDArray[np.float64]
Row = Mapping[str, str | float | None]

#: E-value at which nothing more is run for a claim.
ENOUGH = 100.0


@dataclass(kw_only=True)
class Record:
    """What fresh seeds of a stream have given.

    Attributes:
        values: Their numbers, in the order of the seeds, without those that did not tell.
        seeds: How many were asked.
        seconds_by_run: Training time of every run, by its address [s].
        details: A row a problem, where a stream has several.
    """

    values: list[float] = field(default_factory=list)
    seeds: int = 0
    seconds_by_run: dict[str, float] = field(default_factory=dict)
    details: list[Row] = field(default_factory=list)

    def add(self, stream: AnyStream, runs: Sequence[AnyRun]) -> None:
        """Take in the runs of one more seed."""
        self.seeds += 1
        self.seconds_by_run |= {run.config.address: run.seconds for run in runs}
        value = stream.value(runs)
        if not math.isnan(value):
            self.values.append(value)
        if isinstance(stream, Frame) and runs:
            self.details.append(stream.row(runs))

    @property
    def n_left_out(self) -> int:
        """Seeds that did not tell."""
        return self.seeds - len(self.values)


#: What every stream has given so far.
Records = Mapping[AnyStream, Record]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The mean of a stream lies in a range that was fixed before any of its runs.

    Attributes:
        stream: Of which runs.
        low: Lower end of the range; -inf where it is open.
        high: Upper end; inf where it is open.
        where: The network and the size, to people; by the stream's runs if empty.

    Raises:
        ValueError: The range is empty or everything, or reaches what the number cannot be.
    """

    stream: AnyStream
    low: float = -math.inf
    high: float = math.inf
    where: str = ""

    def __post_init__(self) -> None:
        if not self.low < self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise FieldError("low", "be below high, and one of them finite", f"{self.low!r} and {self.high!r}")
        first, last = self.stream.span or (-math.inf, math.inf)
        for end in (self.low, self.high):
            if math.isfinite(end) and not first < end < last:
                raise FieldError("low and high", f"lie between {first:g} and {last:g}", repr(end))

    @property
    def words(self) -> str:
        """What is claimed, to people."""
        return f"{self.stream.words} {self.limit}"

    @property
    def limit(self) -> str:
        """The range that was fixed before, to people."""
        low, high = (self.stream.plain(end) for end in (self.low, self.high))
        if math.isinf(self.high):
            return f"above {low:g}"
        if math.isinf(self.low):
            return f"below {high:g}"
        return f"between {low:g} and {high:g}"

    def estimate(self, values: Sequence[float]) -> tuple[float | None, Interval]:
        """The mean in the unit that people read, None without values, and its 90 % confidence sequence."""
        plain, found = self.stream.plain, self.interval(values)
        mean = plain(float(np.mean(values))) if len(values) else None
        return mean, Interval(low=plain(found.low), high=plain(found.high), level=found.level)

    @property
    def place(self) -> str:
        """Network and size, to people."""
        if self.where or isinstance(self.stream, Frame):
            return self.where
        problems = list(dict.fromkeys(label(arm.problem) for arm in self.stream.arms))
        configs = [arm.config(0) for arm in self.stream.arms]
        horizons = [(one.run if isinstance(one, DimensionConfig) else one).horizon for one in configs]
        sizes, steps = (
            ", ".join(map(str, dict.fromkeys(each))) for each in ([arm.n_train for arm in self.stream.arms], horizons)
        )
        return f"{' and '.join(problems)}, D = {sizes}, T = {steps}"

    def evidence(self, values: Sequence[float]) -> EValues:
        """E-values of the mean in the range, and outside."""
        above = self._above(values, self.low) if math.isfinite(self.low) else None
        below = self._above(values, self.high) if math.isfinite(self.high) else None
        if below is not None:
            below = EValues(holds=below.fails, fails=below.holds)
        return every([side for side in (above, below) if side is not None])

    def _above(self, values: Sequence[float], edge: float) -> EValues:
        if self.stream.span is None:
            return evidence_of_slope(values, edge)
        first, last = self.stream.span
        return evidence_of_mean(_scaled(values, first, last), (edge - first) / (last - first))

    def interval(self, values: Sequence[float]) -> Interval:
        """90 % confidence sequence of the mean."""
        if self.stream.span is None:
            return interval_of_slope(values)
        first, last = self.stream.span
        found = interval_of_mean(_scaled(values, first, last))
        return Interval(
            low=first + found.low * (last - first), high=first + found.high * (last - first), level=found.level
        )


def _scaled(values: Sequence[float], first: float, last: float) -> FloatArray:
    return (np.asarray(values, dtype=np.float64) - first) / (last - first)


Joined = Literal["every", "together"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of the statements that a claim is made of.

    Attributes:
        name: What it says, in a few words.
        conditions: What has to be true of fresh runs.
        joined: ``every``: it fails if one condition does; ``together``: it is known to fail only where all do, as of
            two sizes that are told apart by runs between them.
        suites: Which validations it belongs to.

    Raises:
        ValueError: It has no condition, or no suite.
    """

    name: str
    conditions: tuple[Condition, ...]
    joined: Joined = "every"
    suites: tuple[SuiteName, ...] = ("standard",)

    def __post_init__(self) -> None:
        check_choice("joined", self.joined, get_args(Joined))
        if not self.conditions:
            raise FieldError("conditions", "hold at least one", "none")
        for suite in self.suites or ("none",):
            check_choice("suites", suite, get_args(SuiteName))

    def evidence(self, records: Records) -> EValues:
        """E-values of the part; 1 on both sides where a condition has no data and the others say nothing without it."""
        found = [one.evidence(_values(records, one.stream)) for one in self.conditions]
        return every(found) if self.joined == "every" else together(found)


def _values(records: Records, stream: AnyStream) -> Sequence[float]:
    return records[stream].values if stream in records else ()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim under test.

    Attributes:
        id: Its name on the command line.
        order: Place in the table of verdicts; those of other packages come last.
        statement: The sentence.
        source: Keys into the bibliography, or ``dcrit`` for our own.
        criterion: What is compared with what, and how ranges and sizes were chosen.
        parts: What it is made of; it holds only if each does.

    Raises:
        ValueError: It has no part.
    """

    id: str
    order: float = math.inf
    statement: str
    source: tuple[str, ...]
    criterion: str
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise FieldError("parts", "hold at least one", "none")

    @property
    def suites(self) -> set[SuiteName]:
        """Validations that judge it, by parts of their own."""
        return {suite for part in self.parts for suite in part.suites}

    def within(self, suite: SuiteName) -> tuple[Part, ...]:
        """Its parts in a validation."""
        return tuple(part for part in self.parts if suite in part.suites)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What fresh runs say about a claim.

    Attributes:
        parts: Those that are judged.
        records: What their streams gave.
    """

    parts: tuple[Part, ...]
    records: Records

    @cached_property
    def evidence(self) -> EValues:
        """E-values of the claim."""
        return every([part.evidence(self.records) for part in self.parts])

    @cached_property
    def conditions(self) -> list[tuple[Part, Condition, EValues]]:
        """Every condition with its own e-values."""
        both = [(part, one) for part in self.parts for one in part.conditions]
        return [(part, one, one.evidence(_values(self.records, one.stream))) for part, one in both]

    @property
    def streams(self) -> list[AnyStream]:
        """Streams of the parts, each once."""
        return list(dict.fromkeys(one.stream for _, one, _ in self.conditions))

    @cached_property
    def leading(self) -> int:
        """Place of the condition that decides: the weakest of a claim that may hold, the worst of one that may fail."""
        found = [one for _, _, one in self.conditions]
        if self.evidence.holds >= self.evidence.fails:
            return min(range(len(found)), key=lambda k: found[k].holds)
        return max(range(len(found)), key=lambda k: found[k].fails)

    def wants(self, stream: AnyStream, *, beyond: bool = False, goal: float = ENOUGH) -> bool:
        """Whether more seeds of a stream would help: there are some, and neither it nor the claim is decided.

        The evidence of slopes may depend on nothing but itself: their streams do not ask about the claim.

        Args:
            stream: Which.
            beyond: Whether there may be more seeds than were declared. Of drawn problems there are never more.
            goal: E-value at which a claim, or a slope, needs no more.
        """
        record = self.records.get(stream)
        limited = not beyond or isinstance(stream, Frame)
        if limited and record is not None and record.seeds >= stream.block * stream.blocks:
            return False
        if stream.span is not None and self.evidence.larger >= goal:
            return False
        own = [found for _, one, found in self.conditions if one.stream == stream]
        return any(one.holds < goal and one.fails < goal * len(self.conditions) for one in own)

    @property
    def wants_more(self) -> bool:
        """Whether more seeds of any of its streams would help, of those that were declared."""
        return any(map(self.wants, self.streams))

    @property
    def takes_more(self) -> bool:
        """The same of seeds beyond those that were declared too, which a budget of time makes."""
        return any(self.wants(stream, beyond=True) for stream in self.streams)

    @property
    def seconds_by_run(self) -> dict[str, float]:
        """Training time of every run behind it, by its address [s]."""
        found: dict[str, float] = {}
        for stream in self.streams:
            if stream in self.records:
                found |= self.records[stream].seconds_by_run
        return found

    @property
    def n_left_out(self) -> int:
        """Seeds that did not tell."""
        return sum(self.records[stream].n_left_out for stream in self.streams if stream in self.records)

    def more_seeds(self, goal: float = ENOUGH) -> dict[AnyStream, float]:
        """Seeds of each stream that would bring the claim to an e-value; inf where evidence does not grow.

        Where a seed multiplies the evidence of a condition by a factor, ln(goal/e) over its logarithm more are needed.
        A claim that may hold needs all its conditions. One that may fail needs the part that is nearest to it, and of
        that part one condition, or all where only together they fail.

        Args:
            goal: That e-value.
        """
        if self.evidence.larger >= goal:
            return {}
        if self.evidence.holds >= self.evidence.fails:
            return self._seeds_until([(one, found.holds) for _, one, found in self.conditions], goal)
        ways: list[dict[AnyStream, float]] = []
        for part in self.parts:
            own = [(one, found.fails) for other, one, found in self.conditions if other is part]
            bar = goal * len(self.parts)
            ways += (
                [self._seeds_until(own, bar)]
                if part.joined == "together"
                else [self._seeds_until([one], bar * len(own)) for one in own]
            )
        return min(ways, key=_runs)

    def _seeds_until(self, conditions: Sequence[tuple[Condition, float]], goal: float) -> dict[AnyStream, float]:
        """Seeds of each stream until all of some conditions, given with their e-values, reach a goal."""
        needed: dict[AnyStream, float] = {}
        for one, own in conditions:
            n = len(_values(self.records, one.stream))
            seeds = math.ceil(n * (math.log(goal / own) / math.log(own))) if 1 < own < goal and n else math.inf
            needed[one.stream] = max(needed.get(one.stream, 0.0), 0.0 if own >= goal else seeds)
        return needed

    @property
    def more_runs(self) -> int | None:
        """Runs that would bring the claim to e = 100 if evidence grew as before; None where it does not grow."""
        total = _runs(self.more_seeds())
        return None if math.isinf(total) else int(total)

    def rows(self) -> list[Row]:
        """A row a condition: estimate and confidence sequence beside the claimed range, then the evidence."""
        rows: list[Row] = []
        for part, one, found in self.conditions:
            values = _values(self.records, one.stream)
            measured, interval = one.estimate(values)
            rows.append(
                {
                    "part": part.name,
                    "where": one.place,
                    "quantity": one.stream.words,
                    "claimed": one.limit,
                    "measured": measured,
                    "low": interval.low,
                    "high": interval.high,
                    "claimed low": one.stream.plain(one.low),
                    "claimed high": one.stream.plain(one.high),
                    "seeds": len(values),
                    "left out": self.records[one.stream].n_left_out if one.stream in self.records else 0,
                    "e holds": found.holds,
                    "e fails": found.fails,
                }
            )
        return rows

    def prediction_errors(self) -> list[dict[str, Any]]:
        """Bias, spreads, coverage and ranks of the predictions of each frame that was drawn; reported, no evidence."""
        frames = [stream for stream in self.streams if isinstance(stream, Frame) and stream in self.records]
        found = [frame.errors(self.records[frame].details) for frame in frames]
        return [one.to_dict() for one in found if one is not None]

    def details(self) -> list[Row]:
        """A row a problem of the frames that were drawn."""
        return [row for stream in self.streams if stream in self.records for row in self.records[stream].details]


def _runs(seeds: Mapping[AnyStream, float]) -> float:
    """Runs of so many seeds of each stream."""
    return sum(more * len(stream.configs(0)) for stream, more in seeds.items())


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The ruling on a claim beside the others of its suite.

    Attributes:
        claim: The claim.
        finding: What the runs say.
        decision: By directional e-BH.
    """

    claim: Claim
    finding: Finding
    decision: Decision

    @property
    def ruling(self) -> Ruling:
        """Supported, refuted or inconclusive."""
        return self.decision.ruling

    @property
    def reason(self) -> str:
        """One sentence: what the leading condition measured, the evidence, and what more is needed."""
        part, one, _ = self.finding.conditions[self.finding.leading]
        values = _values(self.finding.records, one.stream)
        if not len(values):
            return "no run was made yet" if not self.finding.seconds_by_run else f"{part.name}: no run tells yet"
        (measured, interval), evidence = one.estimate(values), self.finding.evidence
        where = ", ".join(filter(None, [part.name, one.place]))
        within = confidence_sequence(interval.to_dict(), len(values), between="to")
        said = (
            f"{where}: {one.stream.words} is {number(measured)} ({within}), limit {one.limit}; "
            f"e = {evidence.holds:.2g} that it holds, {evidence.fails:.2g} that it fails"
        )
        if self.ruling != "inconclusive":
            return said
        return f"{said}, {self.decision.needed:.2g} needed; {self._outlook}"

    @property
    def _outlook(self) -> str:
        """What more runs are expected to do for a claim that is not decided."""
        if self.finding.evidence.larger >= ENOUGH:
            return f"no more seeds are made beyond e = {ENOUGH:g}"
        if not self.finding.wants_more:
            more = ", and a budget of more time adds others" if self.finding.takes_more else ""
            return f"all seeds that were declared are spent{more}"
        more = self.finding.more_runs
        if more is None:
            return "how many more runs would decide it cannot be told, because the evidence of a part does not grow yet"
        return f"about {more} more runs would bring it to e = {ENOUGH:g}, if its evidence keeps growing at this rate"


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as the report and ``--json`` hold it; numbers that are not finite are null."""
    claim, finding = verdict.claim, verdict.finding
    _, leading, _ = finding.conditions[finding.leading]
    values = _values(finding.records, leading.stream)
    measured, interval = leading.estimate(values)
    plain = leading.stream.plain
    document = {
        "id": claim.id,
        "statement": claim.statement,
        "source": list(claim.source),
        "criterion": claim.criterion,
        "leading": finding.leading,
        "claimed": {"low": plain(leading.low), "high": plain(leading.high)},
        "quantity": leading.stream.words,
        "measured": measured,
        "interval": interval.to_dict(),
        "level": interval.level,
        "verdict": verdict.ruling,
        "alone": verdict.decision.alone,
        "reason": verdict.reason,
        "e_holds": finding.evidence.holds,
        "e_fails": finding.evidence.fails,
        "e_needed": verdict.decision.needed,
        "more_runs": finding.more_runs,
        "n_runs": len(finding.seconds_by_run),
        "n_left_out": finding.n_left_out,
        "training_seconds": sum(finding.seconds_by_run.values()),
        "rows": finding.rows(),
        "details": finding.details(),
        "prediction_errors": finding.prediction_errors(),
    }
    return finite(document)
