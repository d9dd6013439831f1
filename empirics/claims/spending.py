"""Where the time of a budget goes: to the claims that are nearest to a verdict, a few at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from dcrit.empirics.claims.claim import ENOUGH, Finding
from dcrit.empirics.claims.evidence import SIGNIFICANCE
from dcrit.empirics.claims.frames import AnyStream
from dcrit.empirics.experiments.laboratory import AnyConfig
from dcrit.empirics.training.budget import Budget
from dcrit.empirics.training.work import Stage, Work, work_of

#: E-value that decides beside all the others once half of the claims have one as large: K/(0.05·k) at k = K/2.
TOGETHER = 2 / SIGNIFICANCE

#: Rounds that a budget is spent in: each goes by all that was seen before it.
ROUNDS = 40

#: Blocks of means and of slopes that bring a claim to ``TOGETHER`` at best, as long as nothing is known of it.
FEWEST_OF_MEANS, FEWEST_OF_SLOPES = 3, 4


def next_blocks(
    findings: Sequence[Finding], lacking: Mapping[AnyStream, Sequence[AnyConfig]], budget: Budget
) -> list[AnyStream]:
    """Streams that get their next block of seeds; none where there is no time or nothing is wanted.

    Time goes to one claim after the other, the one first of which the least work is expected until its verdict, until
    the round is full. Claims go on to e = 40 first, which decides them all once half of them have it, and beyond only
    when no other block can be afforded. Evidence of means may be added wherever it is wanted. That of slopes may depend
    on nothing but itself, so that a stream of slopes that has begun is never left out.

    Args:
        findings: Of all claims so far.
        lacking: Runs of the next block of every stream that are not stored.
        budget: Time that is left.
    """
    costs = {stream: _work(runs, budget).cost for stream, runs in lacking.items()}
    for goal in (TOGETHER, ENOUGH):
        chosen: list[AnyStream] = []
        runs: list[AnyConfig] = []
        for streams in _by_nearness(findings, costs, goal):
            if sum(costs[one] for one in chosen) >= budget.total_cost / ROUNDS:
                break
            for stream in streams:
                more = [*runs, *lacking[stream]]
                if stream not in chosen and budget.suffices(_work(more, budget)):
                    chosen, runs = [*chosen, stream], more
        if chosen:
            return chosen
    return []


def _work(runs: Sequence[AnyConfig], budget: Budget) -> Work:
    return work_of([Stage(known=runs)], budget.speed.device)


def _by_nearness(
    findings: Sequence[Finding], costs: Mapping[AnyStream, float], goal: float
) -> Iterator[Sequence[AnyStream]]:
    """Streams that want another block: slopes that have begun, those of one claim after the other, the cheapest."""
    wanted = {
        stream: one.records[stream].seeds > 0
        for one in findings
        for stream in one.streams
        if stream in costs and one.wants(stream, beyond=True, goal=goal)
    }
    yield [stream for stream, begun in wanted.items() if begun and stream.span is None]
    wanted_costs = {stream: costs[stream] for stream in wanted}
    expected = [expected_work(one, wanted_costs, goal) for one in findings]
    for one in sorted(filter(None, expected), key=lambda one: sum(one.values())):
        yield list(one)
    # What nearer claims want may be too dear for what is left, and blocks of others cheap enough.
    for stream in sorted(wanted, key=lambda stream: costs[stream]):
        yield [stream]


def expected_work(finding: Finding, costs: Mapping[AnyStream, float], goal: float) -> dict[AnyStream, float]:
    """Work on each stream until a claim has an e-value [FLOPs].

    A stream that has no seed yet takes the fewest blocks that can decide. Where evidence does not grow, as many blocks
    are expected as were declared, and those made so far once more: the longer it has not grown, the later it will.

    Args:
        finding: Of the claim.
        costs: Of the next block of each stream that is wanted [FLOPs].
        goal: That e-value.
    """
    return {
        stream: costs[stream] * _blocks_until(stream, seeds, finding.records[stream].seeds)
        for stream, seeds in finding.more_seeds(goal).items()
        if seeds and stream in costs
    }


def _blocks_until(stream: AnyStream, seeds: float, done: int) -> int:
    if math.isfinite(seeds):
        return math.ceil(seeds / stream.block)
    if not done:
        return min(stream.blocks, FEWEST_OF_SLOPES if stream.span is None else FEWEST_OF_MEANS)
    return stream.blocks + done // stream.block
