import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.circuits.regimes import DYNAMICS
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.predictions.phase_diagram import (
    default_widths,
    explain_star,
    few_widths,
    last_fall,
    phase_diagram,
    predict_star,
)
from dcrit.theory.problems.problem import Problem
from tests.worlds.theory import EXACT, NOISY

CALIBRATION = replace(NOISY.calibrate(np.random.default_rng(0)), capacity=CapacityLaw(bits=0.5, log_bits_error=0.04))
KNOWN = replace(EXACT.calibrate(np.random.default_rng(0)), capacity=CapacityLaw(bits=0.5))
PROBLEM = Problem()
WIDTHS, SIZES = np.arange(8, 140, 3), np.linspace(5, 529, 60)
DIAGRAM = phase_diagram(PROBLEM, CALIBRATION, widths=WIDTHS, n_trains=SIZES, n_draws=50)


def slow_regime(n_train: float, width: int) -> str:
    sizes = predict_critical_size(replace(PROBLEM, width=width), CALIBRATION, n_draws=3)
    assert sizes.capacity.value is not None
    if n_train > sizes.capacity.value:
        return "progression"
    if sizes.onset.value is None or n_train < sizes.onset.value:
        return "ungrokking"
    return "semi-grokking" if sizes.completion.value is None or n_train < sizes.completion.value else "grokking"


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(SIZES) - 4), st.integers(0, len(WIDTHS) - 1))
def test_codes_are_those_of_one_point_at_a_time(row: int, column: int) -> None:
    assert DYNAMICS[DIAGRAM.codes[row, column]] == slow_regime(float(SIZES[row]), int(WIDTHS[column]))


def test_bands_hold_their_curves() -> None:
    d = DIAGRAM
    best = np.minimum(d.critical_size, PROBLEM.n_pairs)
    assert (d.critical_low <= best).all()
    assert (best <= d.critical_high).all()
    assert (d.capacity_low < d.capacity).all()
    assert (d.capacity < d.capacity_high).all()
    assert (d.onset <= d.completion).all()
    assert d.extrapolated.tolist() == [width < 16 or width > 128 for width in WIDTHS]


def test_the_star_lies_on_both_curves() -> None:
    star = phase_diagram(PROBLEM, KNOWN, widths=np.arange(8, 129), n_trains=SIZES, n_draws=10).star
    assert star.width.value is not None
    assert star.n_train.value is not None
    assert star.n_params.value == pytest.approx(3 * 23 * star.width.value, rel=1e-3)
    assert star.n_train.value == pytest.approx(0.5 * 3 * 23 * star.width.value / math.log2(23), rel=1e-3)
    sizes = [
        predict_critical_size(replace(PROBLEM, width=width), KNOWN, n_draws=3).critical_size.value
        for width in (math.floor(star.width.value), math.ceil(star.width.value))
    ]
    assert min(sizes) * 0.999 <= star.n_train.value <= max(sizes) * 1.001  # type: ignore[type-var, operator]
    assert star.width.interval is not None
    assert star.width.interval.low == pytest.approx(star.width.interval.high, rel=1e-2)


def test_the_star_is_the_same_whatever_widths_are_looked_at() -> None:
    star = phase_diagram(PROBLEM, KNOWN, widths=[120, 128], n_trains=SIZES, n_draws=10).star
    assert star == phase_diagram(PROBLEM, KNOWN, widths=[8, 9], n_trains=SIZES, n_draws=10).star
    assert star == predict_star(PROBLEM, KNOWN, n_draws=10)


def test_a_star_beyond_all_widths_is_none_with_its_reason() -> None:
    small = replace(KNOWN, capacity=replace(KNOWN.capacity, bits=0.01))
    star = predict_star(PROBLEM, small, n_draws=10)
    assert star.width.value is None
    assert "above the largest width that was tried, 128" in star.width.reason
    assert "above the largest" in explain_star(star)


def test_the_last_fall_counts_and_gaps_are_left_out() -> None:
    excess = np.array([[1.0, -1, 1, np.nan], [-1, -2, 1, 1], [1, -3, 1, np.nan], [-3, -4, 1, -1]])
    assert last_fall(np.arange(4.0), excess).tolist() == [2.25, -np.inf, np.inf, 2.0]


def test_default_widths_are_rising_integers_around_the_calibration() -> None:
    widths = default_widths(PROBLEM, CALIBRATION, 30)
    assert (widths[0], widths[-1]) == (8, 128)
    assert (np.diff(widths) > 0).all()
    assert default_widths(PROBLEM, CALIBRATION, 5, smallest=20, largest=40).tolist()[::4] == [20, 40]


@pytest.mark.parametrize("name", ["widths", "n_trains", "level", "n_draws"])
def test_bad_input_is_refused(name: str) -> None:
    bad = {"widths": [3.0, 4.0], "n_trains": [2.0, 1.0], "level": 0.0, "n_draws": 0}[name]
    with pytest.raises(ValueError, match=f"^{name} must be"):
        phase_diagram(PROBLEM, CALIBRATION, **{"widths": [16, 24], "n_trains": SIZES, name: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "step", "expected"),
    [
        (4, 48, 4, [4, 8, 12, 16, 24, 32, 48]),
        (16, 256, 1, [16, 32, 64, 128, 256]),
        (13, 256, 1, [13, 16, 32, 64, 128, 256]),
        (5, 7, 1, [5, 6, 7]),
        (41, 46, 1, [41, 42, 43, 44, 45, 46]),
    ],
)
def test_few_widths_are_both_ends_and_round_ones_between(low: int, high: int, step: int, expected: list[int]) -> None:
    assert few_widths(np.arange(low, high + 1, step), step) == expected
