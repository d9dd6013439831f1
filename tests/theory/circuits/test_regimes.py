import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.circuits.regimes import DYNAMICS, SEMI_GROKKING, dynamics_codes

sizes = st.integers(1, 40).map(float)


@pytest.mark.parametrize(
    ("n_train", "capacity", "onset", "completion", "expected"),
    [
        (500, 400, 200, 300, "progression"),
        (401, 400, 500, 600, "progression"),
        (100, 400, 200, 300, "ungrokking"),
        (400, 400, 500, 600, "ungrokking"),
        (199, 400, 200, 300, "ungrokking"),
        (200, 400, 200, 300, "semi-grokking"),
        (299, 400, 200, 300, "semi-grokking"),
        (300, 400, 200, 300, "grokking"),
        (400, 400, 200, 300, "grokking"),
        (350, 400, 200, math.inf, "semi-grokking"),
        (350, 400, math.inf, math.inf, "ungrokking"),
        (350, math.inf, 200, 300, "grokking"),
    ],
)
def test_literal_points(n_train: float, capacity: float, onset: float, completion: float, expected: str) -> None:
    assert DYNAMICS[int(dynamics_codes(n_train, capacity, onset, completion))] == expected


@given(sizes, sizes, sizes, sizes)
def test_codes_follow_the_definitions(n_train: float, capacity: float, one: float, other: float) -> None:
    onset, completion = sorted((one, other))
    if n_train > capacity:
        expected = "progression"
    elif n_train < onset:
        expected = "ungrokking"
    elif n_train < completion:
        expected = "semi-grokking"
    else:
        expected = "grokking"
    assert DYNAMICS[int(dynamics_codes(n_train, capacity, onset, completion))] == expected


def test_codes_broadcast_over_a_plane() -> None:
    n_train, n_params = np.array([50.0, 150.0, 250.0])[:, None], np.array([1.0, 10.0])[None, :]
    codes = dynamics_codes(n_train, 100 * n_params, 200 - 10 * n_params, 240.0)
    assert [[DYNAMICS[code] for code in row] for row in codes] == [
        ["ungrokking", "ungrokking"],
        ["progression", "semi-grokking"],
        ["progression", "grokking"],
    ]


def test_semi_grokking_is_a_range_of_accuracies_around_one_half() -> None:
    low, high = SEMI_GROKKING
    assert 0 < low < 0.5 < high < 1
