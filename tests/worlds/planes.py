"""Planes of model and training-set size made by hand."""

from collections.abc import Callable

import numpy as np

from dcrit.empirics.experiments.size_grid import Grid, Plane
from dcrit.theory.problems.problem import Problem

WIDTHS = (4, 8, 12, 16, 24, 32)
SIZES = (120, 170, 240, 330, 450)
SEEDS = 5

#: Random labels memorized per parameter [examples].
PER_PARAMETER = 0.3


def asked(task: str = "add", model: str = "transformer") -> Plane:
    problem = Problem(task=task, modulus=23, model=model, activation="relu", width=24)  # type: ignore[arg-type]
    return Plane(problem=problem, widths=WIDTHS, sizes=SIZES, capacity_widths=(4, 8), seeds=SEEDS)


def plane(
    accuracy: Callable[[int, int], float],
    *,
    task: str = "add",
    model: str = "transformer",
    loss: Callable[[int, int], float] = lambda _, __: 1.0,
    fitted: Callable[[int, int], bool] = lambda _, __: True,
    noise: float = 0.01,
    per_parameter: float = PER_PARAMETER,
    delayed: bool = True,
    seed: int = 0,
) -> Grid:
    """A plane with that mean test accuracy and loss at (D, width)."""
    made = asked(task, model)
    rng = np.random.default_rng(seed)
    shape = (len(SIZES), len(WIDTHS), SEEDS)

    def over(function: Callable[[int, int], float]) -> np.ndarray:
        return np.array([[function(size, width) for width in WIDTHS] for size in SIZES])[..., None]

    fits = np.broadcast_to(over(lambda size, width: float(fitted(size, width))), shape)
    test = (over(accuracy) + noise * rng.standard_normal(shape)).clip(0, 1)
    counts = {width: per_parameter * made.at(width).n_params for width in (4, 8)}
    return Grid(
        plane=made,
        test_accuracy=test,
        train_accuracy=np.where(fits > 0, 1.0, 0.8),
        test_loss=over(loss) * np.exp(5 * noise * rng.standard_normal(shape)),
        fitted_at=np.full(shape, 100.0),
        grokked_at=np.where(test >= 0.9, 1000.0 if delayed else 150.0, np.inf),
        memorized={width: count * np.exp(0.05 * rng.standard_normal(6)) for width, count in counts.items()},
    )


def rising(size: int, width: int) -> float:
    """Half accuracy at 250 examples whatever the width."""
    return 1 / (1 + (250 / size) ** 12)


def dipped(size: int, width: int) -> float:
    """As :func:`rising`, but the narrowest model generalizes in part below the transition, by progression."""
    return max(rising(size, width), 0.4) if width == 4 or width >= 24 else rising(size, width)
