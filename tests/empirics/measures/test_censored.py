import numpy as np
import pytest

from dcrit.empirics.measures.statistics import CensoredFit, fit_censored


def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 2, n)
    return np.stack([np.ones(n), x], 1), 1 + 0.8 * x + 0.3 * rng.standard_normal(n)


def fitted(*args: np.ndarray) -> CensoredFit:
    found = fit_censored(*args)
    assert isinstance(found, CensoredFit)
    return found


def test_without_censoring_it_is_least_squares() -> None:
    columns, y = sample(30, 0)
    found = fitted(columns, y, np.zeros(30))
    plain, residual = np.linalg.lstsq(columns, y, rcond=None)[:2]
    np.testing.assert_allclose(found.coefficients, plain, atol=1e-3)
    variance = residual[0] / 28 * np.linalg.inv(columns.T @ columns)
    np.testing.assert_allclose(found.errors, np.sqrt(np.diag(variance)), rtol=0.01)
    assert found.freedom == 28


@pytest.mark.parametrize("side", [1, -1])
def test_bounds_keep_the_slope_that_they_would_bend_as_values(side: int) -> None:
    columns, y = sample(4000, 1)
    edge = 2.1 if side == 1 else 1.5
    beyond = side * ((y - edge) * side > 0)
    bounded = np.where(beyond != 0, edge, y)
    found = fitted(columns, bounded, beyond)
    assert found.coefficients[1] == pytest.approx(0.8, abs=0.04)
    assert found.scatter == pytest.approx(0.3, abs=0.02)
    naive = fitted(columns, bounded, np.zeros(4000))
    assert naive.coefficients[1] < 0.65


@pytest.mark.slow
def test_intervals_contain_the_slope_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(200):
        columns, y = sample(40, seed)
        found = fitted(columns, np.minimum(y, 2.2), (y > 2.2).astype(int))
        inside += abs(found.coefficients[1] - 0.8) < 1.7 * found.errors[1]
    assert 0.85 <= inside / 200 <= 0.96


@pytest.mark.parametrize(
    ("known", "says"), [(2, "2 known values for 2 coefficients"), (3, "do not tell the coefficients apart")]
)
def test_too_little_says_so(known: int, says: str) -> None:
    columns = np.ones((6, 2))
    beyond = np.arange(6) >= known
    found = fit_censored(columns, np.arange(6.0), beyond.astype(int))
    assert isinstance(found, str)
    assert says in found
