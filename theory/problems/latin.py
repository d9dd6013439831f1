"""Random Latin squares: tasks with the margins of a group's table and no rule to find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcrit.theory.checks import FieldError

#: Moves per cell of the cube; the chain has forgotten the cyclic square long before.
MOVES_PER_CELL = 1


def random_latin_square(order: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A nearly uniform Latin square: every symbol once in every row and every column.

    Moves ±1 through the incidence cube, whose lines each sum to one, allowing one cell of −1 on
    the way ("improper" squares); ends at the first proper square after order³ moves.

    Args:
        order: Number of rows, columns and symbols.
        rng: Source of randomness.

    Returns:
        (order, order) array of symbols 0..order-1.

    Source: jacobson1996.
    """
    rows, columns = np.indices((order, order))
    cube = np.zeros((order, order, order), dtype=np.int8)  # (row, column, symbol)
    cube[rows, columns, (rows + columns) % order] = 1
    improper: tuple[int, int, int] | None = None
    moves = MOVES_PER_CELL * order**3
    while moves > 0 or improper is not None:
        moves -= 1
        if improper is None:
            row, column, symbol = (int(value) for value in rng.integers(order, size=3))
            if cube[row, column, symbol]:
                continue
        else:
            row, column, symbol = improper
        # On each line through the cell one entry of +1 is lowered; an improper cell offers two, one at random.
        other_row = int(rng.choice(np.flatnonzero(cube[:, column, symbol] == 1)))
        other_column = int(rng.choice(np.flatnonzero(cube[row, :, symbol] == 1)))
        other_symbol = int(rng.choice(np.flatnonzero(cube[row, column, :] == 1)))
        cube[row, column, symbol] += 1
        cube[row, other_column, other_symbol] += 1
        cube[other_row, column, other_symbol] += 1
        cube[other_row, other_column, symbol] += 1
        cube[other_row, column, symbol] -= 1
        cube[row, other_column, symbol] -= 1
        cube[row, column, other_symbol] -= 1
        cube[other_row, other_column, other_symbol] -= 1
        corner = (other_row, other_column, other_symbol)
        improper = corner if cube[corner] < 0 else None
    return cube.argmax(axis=2).astype(np.int64)


def random_symmetric_latin_square(order: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random Latin square of odd order whose (a, b) and (b, a) hold the same symbol, as in a commutative group.

    Such squares are the ways to split all edges between order + 1 points into order perfect matchings, one a symbol:
    the edge {a, b} is cell (a, b), and the edge from the last point to a is cell (a, a). Hill climbing: an edge joins a
    matching that both its ends lack, at the price of at most one other edge, until all edges have a place.

    Args:
        order: Number of rows, columns and symbols; odd.
        rng: Source of randomness.

    Returns:
        (order, order) array of symbols 0..order-1.

    Raises:
        ValueError: The order is even.

    Source: dinitz1987.
    """
    if order % 2 == 0:
        raise FieldError("order", "be odd for a symmetric Latin square", order)
    points = order + 1
    partner = np.full((order, points), -1)  # of a point in each matching
    matching = np.full((points, points), -1)  # of an edge; the diagonal is none
    np.fill_diagonal(matching, order)

    def part(symbol: int, one: int, other: int) -> None:
        partner[symbol, [one, other]] = matching[one, other] = matching[other, one] = -1

    def join(symbol: int, one: int, other: int) -> None:
        partner[symbol, one], partner[symbol, other] = other, one
        matching[one, other] = matching[other, one] = symbol

    while (partner < 0).any():
        lacking = np.argwhere(partner < 0)
        symbol, one = (int(value) for value in lacking[rng.integers(len(lacking))])
        if rng.integers(2):
            # A point that lacks a matching has as many edges without one.
            other = int(rng.choice(np.flatnonzero(matching[one] < 0)))
            if partner[symbol, other] >= 0:
                part(symbol, other, int(partner[symbol, other]))
        else:
            alone = np.flatnonzero(partner[symbol] < 0)
            other = int(rng.choice(alone[alone != one]))
            if matching[one, other] >= 0:
                part(int(matching[one, other]), one, other)
        join(symbol, one, other)
    square = matching[:order, :order].copy()
    np.fill_diagonal(square, matching[order, :order])
    return square.astype(np.int64)
