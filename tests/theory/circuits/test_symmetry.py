import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dcrit.theory.circuits.symmetry import SymmetryLaw, mirrored_fraction

LAW = SymmetryLaw(
    coefficients=(-0.7, -0.2, -0.1, -0.3),
    width=0.1,
    covariance=((4e-4, 0.0, 1e-4, 0.0), (0.0, 9e-4, 0.0, 0.0), (1e-4, 0.0, 1e-3, 0.0), (0.0, 0.0, 0.0, 5e-4)),
    scatter=0.05,
)


def with_entry(row: int, column: int, value: float) -> tuple[tuple[float, ...], ...]:
    """The unit matrix with one other entry."""
    matrix = np.eye(4)
    matrix[row, column] = value
    return tuple(tuple(entries) for entries in matrix.tolist())


def test_the_mirrored_fraction_is_the_mean_over_all_training_sets() -> None:
    pairs = list(itertools.product(range(3), repeat=2))
    for n_train in (1, 4, 7):
        parts = []
        for trained in itertools.combinations(pairs, n_train):
            unseen = [pair for pair in pairs if pair not in trained]
            parts.append(np.mean([(b, a) in trained for a, b in unseen]))
        assert float(mirrored_fraction(n_train, 3)) == pytest.approx(np.mean(parts))


def test_half_of_the_mirror_images_are_right_at_the_size_of_the_law() -> None:
    size = LAW.size(31, 24)
    assert size == pytest.approx(31**2 * math.exp(-0.7 - 0.2 * math.log(31 / 20)))
    bent = LAW.size(31, 48) / size
    assert bent == pytest.approx(math.exp(-0.1 * math.log(2) - 0.3 * math.log(2) ** 2))
    assert float(LAW.mirrored_accuracy(size, 31, 24)) == pytest.approx(0.5)
    for accuracy in (0.1, 0.9):
        assert float(LAW.mirrored_accuracy(LAW.size(23, 40, accuracy=accuracy), 23, 40)) == pytest.approx(accuracy)
        assert LAW.size(23, 40, accuracy=accuracy) == pytest.approx(LAW.factor(accuracy) * LAW.size(23, 40))


def test_draws_scatter_by_the_uncertainty_of_the_law_and_between_cells() -> None:
    rng = np.random.default_rng(0)
    x = np.array([1.0, math.log(37 / 20), math.log(2), math.log(2) ** 2])
    expected = math.sqrt(x @ np.array(LAW.covariance) @ x + 0.05**2)
    for widening in (1.0, 2.0):
        logs = np.log(LAW.draw(37, 48, 20_000, rng, widening=widening))
        assert float(logs.std()) == pytest.approx(widening * expected, rel=0.03)
        assert float(logs.mean()) == pytest.approx(0.0, abs=0.01)


def test_it_survives_writing() -> None:
    assert SymmetryLaw.from_dict(LAW.to_dict()) == LAW


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("coefficients", (0.0, 1.0), "coefficients must be 4 numbers"),
        ("coefficients", (0.0, 1.0, 0.0, math.nan), "coefficients must lie between"),
        ("coefficients", (1e5, 0.0, 0.0, 0.0), "coefficients must lie between"),
        ("width", 1e9, "width must be at most"),
        ("scatter", 1e4, "scatter must lie between 0"),
        ("covariance", with_entry(0, 1, 5.0), "covariance must be a positive symmetric"),
        ("width", 0.0, "width must be"),
        ("covariance", with_entry(1, 1, -1.0), "covariance must be a positive"),
        ("covariance", ((1.0,),), "covariance must be a positive symmetric 4 by 4 matrix"),
        ("scatter", -0.1, "scatter must lie between 0"),
    ],
)
def test_constants_that_mean_nothing_are_refused(field: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(LAW, **{field: value})


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_a_level_that_is_never_reached_is_refused(accuracy: float) -> None:
    with pytest.raises(ValueError, match="accuracy must be between 0 and 1"):
        LAW.factor(accuracy)
