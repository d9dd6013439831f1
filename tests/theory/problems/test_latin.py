from itertools import combinations

import numpy as np
import pytest

from dcrit.theory.problems.latin import random_latin_square, random_symmetric_latin_square
from dcrit.theory.problems.tasks import IntArray

INTERCALATES_OF_KLEIN, INTERCALATES_OF_CYCLIC = 12, 4


def cyclic(order: int) -> IntArray:
    return np.add.outer(np.arange(order), np.arange(order)) % order


def intercalates(square: IntArray) -> int:
    """2×2 Latin subsquares, which isotopies preserve."""
    pairs = list(combinations(range(len(square)), 2))
    return sum(square[a, c] == square[b, d] and square[a, d] == square[b, c] for a, b in pairs for c, d in pairs)


def cycle_lengths(square: IntArray, a: int, b: int) -> list[int]:
    """Cycle structure of the permutation that takes row a to row b."""
    step = dict(zip(square[a].tolist(), square[b].tolist(), strict=True))
    lengths: list[int] = []
    while step:
        start = symbol = next(iter(step))
        lengths.append(0)
        while symbol in step:
            symbol = step.pop(symbol)
            lengths[-1] += 1
        assert symbol == start
    return sorted(lengths)


@pytest.mark.parametrize("order", range(1, 13))
def test_every_symbol_is_once_in_every_row_and_column(order: int) -> None:
    square = random_latin_square(order, np.random.default_rng(order))
    assert square.shape == (order, order)
    assert square.dtype == np.int64
    for line in [*square, *square.T]:
        assert sorted(line.tolist()) == list(range(order))


def test_squares_follow_their_generator_alone() -> None:
    first, again, other = (random_latin_square(9, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(3))
def test_squares_do_not_have_the_structure_of_the_cyclic_one(seed: int) -> None:
    order = 11
    square = random_latin_square(order, np.random.default_rng(seed))
    rows = list(combinations(range(order), 2))
    assert {tuple(cycle_lengths(cyclic(order), a, b)) for a, b in rows} == {(order,)}
    assert len({tuple(cycle_lengths(square, a, b)) for a, b in rows}) > 3
    assert intercalates(cyclic(order)) == 0
    assert intercalates(square) > 10


@pytest.mark.slow
def test_every_kind_of_square_is_reached_and_no_symbol_preferred() -> None:
    """Order four has two kinds up to relabeling, the tables of Klein's and of the cyclic group."""
    rng = np.random.default_rng(0)
    draws = 300
    squares = [random_latin_square(4, rng) for _ in range(draws)]
    assert {intercalates(square) for square in squares} == {INTERCALATES_OF_KLEIN, INTERCALATES_OF_CYCLIC}
    corners = np.bincount([square[0, 0] for square in squares], minlength=4)
    assert corners == pytest.approx(draws / 4, abs=4 * (3 / 16 * draws) ** 0.5)
    assert len({square.tobytes() for square in squares}) > 150


@pytest.mark.parametrize("order", [1, 3, 5, 7, 13, 23])
def test_symmetric_squares_are_latin_and_symmetric(order: int) -> None:
    square = random_symmetric_latin_square(order, np.random.default_rng(order))
    assert square.dtype == np.int64
    assert np.array_equal(square, square.T)
    for line in (*square, np.diag(square)):
        assert sorted(line.tolist()) == list(range(order))


def test_symmetric_squares_follow_their_generator_and_are_no_group() -> None:
    first, again, other = (random_symmetric_latin_square(11, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    rows = list(combinations(range(11), 2))
    assert len({tuple(cycle_lengths(first, a, b)) for a, b in rows}) > 3


def test_symmetric_squares_of_even_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order must be odd for a symmetric Latin square, got 4"):
        random_symmetric_latin_square(4, np.random.default_rng(0))
