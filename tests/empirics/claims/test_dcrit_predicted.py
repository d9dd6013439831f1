import math

import numpy as np
import pytest

from dcrit.empirics.claims.claim import Ruling
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.theory.problems.problem import Problem
from tests.worlds.evidence import SQUARE, entry, judged, prediction
from tests.worlds.runs import outcomes_at

NAME = "dcrit-predicted"
TRUTH = 260.0

#: The fewest of which the sign test says anything alone.
PROBLEMS = 5


def transition(problem: Problem = SQUARE, *, truth: float = TRUTH, noise: float = 0.02, seed: int = 0) -> list[Outcome]:
    rng = np.random.default_rng(seed)
    sizes = np.repeat(np.round(truth * np.exp([-0.4, -0.2, -0.08, 0.0, 0.08, 0.2, 0.4])), 4)
    accuracy = 1 / (1 + np.exp(-np.log(sizes / truth) / 0.12)) + noise * rng.standard_normal(sizes.size)
    return outcomes_at(problem, sizes.tolist(), accuracy.clip(0, 1).tolist())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factor", "noise", "expected"),
    [
        (1.03, 0.02, "supported"),
        (0.97, 0.02, "supported"),
        (1.3, 0.02, "refuted"),
        (0.7, 0.02, "refuted"),
        (math.exp(0.1), 0.1, "inconclusive"),
    ],
)
def test_predicted_critical_size(factor: float, noise: float, expected: Ruling) -> None:
    found = judged(
        NAME,
        [
            entry(transition=transition(noise=noise, seed=k), predicted=prediction(factor * TRUTH))
            for k in range(PROBLEMS)
        ],
    )
    assert found.ruling() == expected
    assert found.predicted == 0.10
    assert found.measured == pytest.approx(abs(math.log(factor)), abs=0.02)
    assert (found.n_runs, found.n_unconverged) == (28 * PROBLEMS, 0)


def test_four_problems_decide_nothing() -> None:
    few = [entry(transition=transition(seed=k), predicted=prediction(1.01 * TRUTH)) for k in range(4)]
    assert judged(NAME, few).p_value == pytest.approx(1 / 16)


@pytest.mark.parametrize(
    ("factors", "expected", "inside"),
    [
        ((1.05, 0.96, 1.02, 0.97, 1.04), "supported", 5),
        # The median is as small, but not over any five problems like these.
        ((1.05, 0.96, 2.0, 0.97, 2.0), "inconclusive", 3),
        ((1.5, 0.6, 2.0, 1.5, 0.5), "refuted", 0),
    ],
)
def test_the_prediction_error_is_a_median_over_problems(
    factors: tuple[float, ...], expected: Ruling, inside: int
) -> None:
    entries = [
        entry(transition=transition(seed=k), predicted=prediction(factor * TRUTH), implied=0.9 * TRUTH)
        for k, factor in enumerate(factors)
    ]
    found = judged(NAME, entries)
    assert found.ruling() == expected
    assert found.measured == pytest.approx(np.median(np.abs(np.log(factors))), abs=0.02)
    assert f"over 5 problems; {inside} of them inside" in found.reason
    # The error of the implied sizes, ln 0.9, is told beside it.
    assert "0.10" in found.reason
    assert [row["ln ratio"] for row in found.rows] == pytest.approx(np.log(factors).tolist(), abs=0.02)


def test_problems_without_prediction_or_transition_are_shown_and_not_judged() -> None:
    flat = outcomes_at(SQUARE, [100, 300, 900], [0.0, 0.1, 0.2])
    entries = [
        entry(transition=transition(), predicted=prediction(1.02 * TRUTH)),
        entry(transition=transition(seed=1)),
        entry(transition=transition(seed=2), predicted=prediction(None, reason="memorizing wins")),
        entry(transition=flat, predicted=prediction(5.0)),
        entry(),
    ]
    found = judged(NAME, entries)
    # What is there is good, but not complete.
    assert (found.ruling(), found.p_inside) == ("inconclusive", None)
    assert judged(NAME, entries[:1]).p_inside == pytest.approx(0.5)
    assert found.n_runs == 28
    notes = [str(row["note"]) for row in found.rows]
    assert notes[:3] == ["", "no calibration ships for it", "memorizing wins"]
    assert all(note.startswith("no transition") for note in notes[3:])
    assert "nan" not in found.reason
    none = judged(NAME, entries[1:])
    assert (none.ruling(), none.measured, none.interval) == ("inconclusive", None, None)


def test_diverged_runs_are_counted() -> None:
    runs = transition()
    lost = outcomes_at(SQUARE, [250, 270], [math.nan, math.nan])
    found = judged(NAME, [entry(transition=[*runs, *lost], predicted=prediction(TRUTH))])
    assert (found.n_runs, found.n_unconverged) == (28, 2)


def test_sizes_of_different_problems_err_apart() -> None:
    def width(n_problems: int) -> float:
        alike = [entry(transition=transition(noise=0.1), predicted=prediction(1.2 * TRUTH)) for _ in range(n_problems)]
        interval = judged(NAME, alike).interval
        assert interval is not None
        return interval.high - interval.low

    assert width(15) < 0.8 * width(1)
