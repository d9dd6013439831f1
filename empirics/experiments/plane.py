"""A measured phase diagram: one problem over widths and training-set sizes, evenly spaced in their logarithms."""

from __future__ import annotations

import numpy as np

from dcrit.empirics.experiments.size_grid import GridFamily
from dcrit.theory.problem import N_HEADS, Problem, check_integer

#: Most points a side: of so many widths and sizes the list of runs itself would not fit in memory.
MOST_POINTS = 500


def plane_of(
    problem: Problem, *, points: int, widths: tuple[int, int], sizes: tuple[int, int], seeds: int = 3, steps: int = 0
) -> GridFamily:
    """Runs of a plane of at most K widths and K sizes, as far as whole numbers lie apart.

    Args:
        problem: Its width is replaced.
        points: K.
        widths: First and last.
        sizes: D, first and last [examples].
        seeds: Runs per point.
        steps: Horizon [steps]; 0 for the protocol's.

    Raises:
        ValueError: A number is out of range.
    """
    check_integer("points", points, 2)
    if points > MOST_POINTS:
        raise ValueError(f"points must be at most {MOST_POINTS}, got {points}")
    step = 1 if problem.model == "mlp" else N_HEADS
    check_integer("min_width", widths[0], 1)
    check_integer("max_width", widths[1], widths[0] + 1)
    check_integer("min_n_train", sizes[0], 1)
    check_integer("max_n_train", sizes[1], sizes[0] + 1)
    for name, width in zip(("min_width", "max_width"), widths, strict=True):
        if width % step:
            raise ValueError(f"{name} must be a multiple of the transformer's {step} heads, got {width}")
    if sizes[1] >= problem.n_pairs:
        raise ValueError(f"max_n_train must leave pairs to test on, got {sizes[1]} of {problem.n_pairs}")
    return GridFamily(
        problem=problem,
        widths=tuple(step * width for width in _spaced(widths[0] // step, widths[1] // step, points)),
        sizes=_spaced(*sizes, points),
        capacity_widths=(),
        seeds=seeds,
        steps=steps,
    )


def _spaced(low: int, high: int, n: int) -> tuple[int, ...]:
    return tuple(np.unique(np.geomspace(low, high, n).round().astype(np.int64)).tolist())
