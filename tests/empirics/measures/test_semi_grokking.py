import math

import numpy as np
import pytest

from dcrit.empirics.measures.semi_grokking import PartialInterval, measure_partial_interval
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcomes_at

PROBLEM = Problem(modulus=31, width=64)
SIZES = (100, 150, 200, 250, 300, 400)


def runs(*means: float, seeds: int = 4, noise: float = 0.0) -> list[Outcome]:
    rng = np.random.default_rng(0)
    sizes = [float(size) for size in SIZES for _ in range(seeds)]
    accuracy = np.repeat(means, seeds)
    return outcomes_at(PROBLEM, sizes, np.clip(accuracy + noise * rng.standard_normal(accuracy.size), 0, 1).tolist())


def found(outcomes: list[Outcome]) -> PartialInterval:
    interval = measure_partial_interval(outcomes, 200)
    assert isinstance(interval, PartialInterval)
    return interval


def test_ends_lie_on_the_line_between_sizes() -> None:
    interval = found(runs(0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    assert interval.onset == pytest.approx(math.sqrt(100 * 150))
    assert interval.completion == pytest.approx(math.sqrt(300 * 400))
    np.testing.assert_allclose(interval.log_widths, interval.log_width)


def test_a_mean_out_of_order_is_levelled() -> None:
    interval = found(runs(0.0, 0.4, 0.2, 0.6, 0.8, 1.0))
    # 0.4 and 0.2 count as 0.3 each.
    assert interval.onset == pytest.approx(100 * 1.5 ** (0.1 / 0.3))


def test_draws_scatter_as_new_runs_would() -> None:
    interval = found(runs(0.0, 0.2, 0.4, 0.6, 0.8, 1.0, noise=0.05))
    assert 0.01 < interval.log_widths.std() < 0.2


def test_draws_whose_ends_lie_outside_the_sizes_are_marked() -> None:
    assert found(runs(0.0, 0.2, 0.4, 0.6, 0.8, 1.0)).reached.all()
    barely = found(runs(0.0, 0.2, 0.4, 0.6, 0.8, 0.9, noise=0.05)).reached
    assert 0.1 < barely.mean() < 0.9


@pytest.mark.parametrize(
    ("means", "word"), [((0.2, 0.3, 0.4, 0.6, 0.8, 1.0), "smallest"), ((0.0, 0.2, 0.3, 0.4, 0.5, 0.6), "largest")]
)
def test_a_level_that_is_not_reached_is_said(means: tuple[float, ...], word: str) -> None:
    message = measure_partial_interval(runs(*means), 10)
    assert isinstance(message, str)
    assert f"at the {word} size tried" in message


def test_without_runs_there_is_no_interval() -> None:
    assert measure_partial_interval([], 10) == "no run has a test accuracy"
