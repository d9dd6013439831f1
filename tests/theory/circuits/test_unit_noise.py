"""The part of a rule that few hidden units hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.circuits.unit_noise import RANDOM_PHASES, RANDOM_SPREAD, UnitNoise, held_part


def accuracy_of_random_phases(modulus: int, width: int, seed: int) -> float:
    """Test accuracy over all pairs of a squared network whose units have frequencies and phases at random."""
    rng = np.random.default_rng(seed)
    frequency = 2 * math.pi / modulus * rng.integers(1, (modulus - 1) // 2 + 1, width)  # (H,)
    left, right = rng.uniform(0, 2 * math.pi, (2, width))  # (H,) each
    symbols = np.arange(modulus)[:, None]  # (p, 1)
    first, second = np.cos(symbols * frequency + left), np.cos(symbols * frequency + right)  # (p, H) each
    out = np.cos(symbols * frequency + left + right)  # (p, H)
    hidden = (first[:, None] + second[None]) ** 2  # (p, p, H)
    said = (hidden @ out.T).argmax(axis=2)  # (p, p)
    return float((said == (symbols + symbols.T) % modulus).mean())


@pytest.mark.parametrize(("modulus", "width"), [(23, 16), (23, 48), (59, 32), (59, 64)])
def test_random_phases_are_right_as_often_as_the_law_says(modulus: int, width: int) -> None:
    measured = np.mean([accuracy_of_random_phases(modulus, width, seed) for seed in range(20)])
    assert held_part(modulus, width, RANDOM_PHASES, spread=RANDOM_SPREAD) == pytest.approx(measured, abs=0.05)


def test_against_draws_of_the_largest_of_many() -> None:
    rng = np.random.default_rng(0)
    right, wrong = rng.standard_normal(20_000), rng.standard_normal((20_000, 22)).max(axis=1)
    drawn = float((0.6 * math.sqrt(16) + right > wrong).mean())
    assert held_part(23, 16, 0.6) == pytest.approx(drawn, abs=0.015)


def test_one_wrong_class_has_a_closed_form() -> None:
    # Φ(κ√H/√2): one difference of two equal noises.
    expected = 0.5 * (1 + math.erf(0.5 * math.sqrt(9) / 2))
    assert held_part(2, 9, 0.5) == pytest.approx(expected, abs=1e-9)


@given(st.integers(2, 200), st.integers(1, 400), st.floats(0.05, 3.0))
def test_more_units_hold_more_and_more_symbols_less(n_symbols: int, width: int, signal: float) -> None:
    here = held_part(n_symbols, width, signal)
    assert 0 < here <= 1
    assert held_part(n_symbols, width + 1, signal) >= here - 1e-12
    assert held_part(n_symbols + 1, width, signal) <= here + 1e-12


def test_wide_networks_hold_the_whole_rule() -> None:
    assert held_part(113, 512, 0.6) == pytest.approx(1.0, abs=1e-6)


def test_moved_goes_by_standard_deviations_of_the_logarithm() -> None:
    units = UnitNoise(signal=0.6, scatter=0.1, lag=0.2, load=2.0, width=12)
    assert units.moved(-2.0).signal == pytest.approx(0.6 * math.exp(-0.2))
    assert units.moved(1.0).ceiling(23, 16) > units.ceiling(23, 16)


@pytest.mark.parametrize(
    ("name", "value"), [("signal", 0.0), ("scatter", -0.1), ("lag", math.inf), ("load", math.nan), ("width", 0)]
)
def test_refuses_constants_that_are_none(name: str, value: float) -> None:
    good: dict[str, float] = {"signal": 0.6, "scatter": 0.1, "lag": 0.2, "load": 2.0, "width": 12}
    with pytest.raises(ValueError, match=name):
        UnitNoise(**{**good, name: value})  # type: ignore[arg-type]
