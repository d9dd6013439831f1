"""How often verdicts err where every claim is at the edge of what it says, and one looks again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from dcrit.empirics.claims.evidence import SIGNIFICANCE, EValues, decide, evidence_of_mean, evidence_of_slope

FloatArray = NDArray[np.float64]

#: Seeds between two looks, and e-value at which a claim gets no more of them.
LOOK, ENOUGH = 4, 100.0


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Data of a claim at its edge.

    Attributes:
        draw: Values of so many seeds.
        evidence: On their mean being above the edge.
        edge: Their true mean.
    """

    draw: Callable[[np.random.Generator, int], FloatArray]
    evidence: Callable[[FloatArray, float], EValues]
    edge: float


#: Test accuracies of seeds that generalize or do not, half of them each, and slopes that are as large as they may be.
EDGES: Mapping[str, Edge] = {
    "accuracies": Edge(
        draw=lambda rng, n: rng.integers(2, size=n).astype(np.float64), evidence=evidence_of_mean, edge=0.5
    ),
    "slopes": Edge(draw=lambda rng, n: rng.normal(size=n), evidence=evidence_of_slope, edge=0.0),
}


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Rates of error of many repetitions; at an edge every verdict counts as wrong.

    Attributes:
        data: What the values are.
        claims: That are judged together.
        seeds: Of each, at most.
        repetitions: Of everything.
        wrong: Repetitions with a verdict once nothing more is run.
        wrong_at_a_look: Repetitions that had a verdict at any look, as of one who stops as soon as there is one.
        wrong_alone: Repetitions in which some claim got its verdict whatever the others were (†).
        wrong_by_t_test: Claims that Student's t-test decided at some look, in one of both directions.
    """

    data: str
    claims: int
    seeds: int
    repetitions: int
    wrong: float
    wrong_at_a_look: float
    wrong_alone: float
    wrong_by_t_test: float


def simulate(data: str, *, repetitions: int, claims: int = 27, seeds: int = 48) -> Errors:
    """Error rates by simulation.

    Args:
        data: One of ``EDGES``.
        repetitions: How many.
        claims: Judged together, all at their edge.
        seeds: Of each claim, at most.
    """
    edge, rng = EDGES[data], np.random.default_rng(0)
    at_end = at_look = alone = by_t_test = 0
    for _ in range(repetitions):
        values = [edge.draw(rng, seeds) for _ in range(claims)]
        found, rejected, looked = [EValues()] * claims, np.zeros(claims, dtype=bool), False
        decisions = decide(found)
        for n in range(LOOK, seeds + 1, LOOK):
            found = [
                before if before.larger >= ENOUGH else edge.evidence(own[:n], edge.edge)
                for own, before in zip(values, found, strict=True)
            ]
            rejected |= _by_t_test(np.array([own[:n] for own in values]), edge.edge)
            decisions = decide(found)
            looked |= any(one.ruling != "inconclusive" for one in decisions)
        at_end += any(one.ruling != "inconclusive" for one in decisions)
        alone += any(one.alone for one in decisions)
        at_look += looked
        by_t_test += int(rejected.sum())
    return Errors(
        data=data,
        claims=claims,
        seeds=seeds,
        repetitions=repetitions,
        wrong=at_end / repetitions,
        wrong_at_a_look=at_look / repetitions,
        wrong_alone=alone / repetitions,
        wrong_by_t_test=by_t_test / (repetitions * claims),
    )


def _by_t_test(values: FloatArray, edge: float) -> NDArray[np.bool_]:
    """Claims that a t-test would decide, one direction at a time (claims,)."""
    apart = values.std(axis=1) > 0
    found = np.zeros(len(values), dtype=bool)
    found[apart] = np.asarray(ttest_1samp(values[apart], edge, axis=1).pvalue) <= 2 * SIGNIFICANCE
    return found


def verdict_errors(*, repetitions: int = 1000) -> list[dict[str, float | str]]:
    """One row a kind of data, as it is committed.

    Args:
        repetitions: Of each.
    """
    return [asdict(simulate(data, repetitions=repetitions)) for data in EDGES]
