import numpy as np
import pytest

from dcrit.empirics.measures.statistics import SCATTERS, ScalingPosterior

LOG_X = np.log([13.0, 17.0, 23.0, 31.0, 41.0, 47.0])


def posterior(slope: float, *, scatter: float = 0.0, error: float = 0.02, seed: int = 0) -> ScalingPosterior:
    noise = np.random.default_rng(seed).normal(0, np.hypot(scatter, error), LOG_X.size)
    return ScalingPosterior(log_x=LOG_X, log_size=0.3 + slope * LOG_X + noise, errors=np.full(LOG_X.size, error))


def test_the_slope_is_that_of_the_line_where_nothing_scatters() -> None:
    exact = ScalingPosterior(log_x=LOG_X, log_size=1.4 * LOG_X - 2, errors=np.full(LOG_X.size, 0.01))
    assert exact.slope == pytest.approx(1.4, abs=1e-9)
    assert exact.probability_above(1.4) == pytest.approx(0.5, abs=1e-9)


def test_draws_have_the_probabilities_that_are_stated() -> None:
    found = posterior(1.4, scatter=0.05)
    draws = found.slope_draws(40_000)
    assert draws.mean() == pytest.approx(found.slope, abs=0.005)
    for value in (1.2, 1.35, 1.5):
        assert (draws > value).mean() == pytest.approx(found.probability_above(value), abs=0.01)


def test_intervals_contain_the_slope_about_as_often_as_they_say() -> None:
    covered = [abs(posterior(1.4, scatter=0.05, seed=seed).probability_above(1.4) - 0.5) < 0.45 for seed in range(200)]
    assert 0.84 <= np.mean(covered) <= 0.97


def test_a_size_with_a_large_error_hardly_counts() -> None:
    log_size, errors = 1.4 * LOG_X, np.full(LOG_X.size, 0.02)
    log_size[-1] += 1.0
    errors[-1] = 5.0
    assert ScalingPosterior(log_x=LOG_X, log_size=log_size, errors=errors).slope == pytest.approx(1.4, abs=0.01)


def test_evidence_prefers_the_law_that_made_the_sizes_whatever_its_factor() -> None:
    found = posterior(5 / 3)
    right, wrong = found.log_evidence(5 / 3 * LOG_X), found.log_evidence(2 * LOG_X)
    assert right > wrong + 3
    assert found.log_evidence(5 / 3 * LOG_X + 4.0) == pytest.approx(right)


def test_evidence_is_the_integral_it_stands_for() -> None:
    found = posterior(1.4)
    factors = np.linspace(-3, 3, 60_001)
    residual = found.log_size - 1.4 * LOG_X

    def brute(shift: float) -> float:
        total = 0.0
        for scatter in SCATTERS:
            variance = found.errors**2 + scatter**2  # (n,)
            z2 = ((residual[:, None] - shift - factors) ** 2 / variance[:, None]).sum(0)  # (factors,)
            total += np.exp(-0.5 * z2).sum() * (factors[1] - factors[0]) / np.sqrt(variance).prod()
        return float(np.log(total))

    # Up to the constant √2π per size and factor.
    assert found.log_evidence(1.4 * LOG_X) == pytest.approx(brute(0.0) - 0.5 * np.log(2 * np.pi), abs=1e-6)


def test_too_few_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="log_x must hold at least 3"):
        ScalingPosterior(log_x=LOG_X[:2], log_size=LOG_X[:2], errors=LOG_X[:2])
    with pytest.raises(ValueError, match="errors"):
        ScalingPosterior(log_x=LOG_X, log_size=LOG_X, errors=LOG_X[:2])
