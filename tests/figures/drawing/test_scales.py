"""Logarithmic axes: few, plain numbers at their ticks, and widths below model sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from dcrit.figures.drawing import scales
from dcrit.theory.problems.problem import Problem


def test_ticks_are_as_many_as_fit() -> None:
    assert scales.log_ticks(3, 2000) == [3, 10, 30, 100, 300, 1000]
    assert scales.log_ticks(1, 9, 6) == [1, 2, 3, 5, 7]


@pytest.mark.parametrize(("low", "high"), [(1e-12, 300), (1e-7, 1e6), (2e-9, 5e-2)])
def test_over_many_decades_ticks_are_powers_of_ten_that_lie_evenly(low: float, high: float) -> None:
    ticks = scales.log_ticks(low, high, 6, 3)
    assert 3 <= len(ticks) <= 6
    exponents = np.log10(ticks)
    assert np.allclose(exponents, np.round(exponents))
    assert len(set(np.diff(np.round(exponents)))) == 1


@given(st.floats(-14, 10), st.floats(0.02, 20), st.integers(3, 8))
def test_ticks_never_are_more_than_fit_nor_outside(start: float, decades: float, most: int) -> None:
    low, high = 10**start, 10 ** (start + decades)
    ticks = scales.log_ticks(low, high, most)
    assert len(ticks) <= most
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(ticks)


def test_small_numbers_are_powers_of_ten() -> None:
    ax = Figure().subplots()
    scales.log_axis(ax, "y", 1e-12, 300, fewest=3)
    shown = ax.yaxis.get_major_formatter().format_ticks(ax.get_yticks().tolist())
    assert shown[0] == "$10^{-12}$"
    assert shown[-1] == "1"


def test_widths_stand_below_model_sizes_and_none_over_another() -> None:
    ax, problem = Figure().subplots(), Problem(model="transformer", modulus=31)
    ax.set_xscale("log")
    scales.width_axis(ax, problem, [4, 8, 12, 16, 24, 28, 32, 44, 48])
    pairs = [label.get_text().replace("\u2009", "").split("\n") for label in ax.get_xticklabels()]
    assert [width for _, width in pairs] == ["4", "8", "12", "16", "24", "32", "48"]
    assert pairs[0][0] == "456"
    places = np.log([float(size) for size, _ in pairs])
    assert np.diff(places).min() >= scales.NEAR * (places[-1] - places[0])
    assert ax.get_xlabel() == "model size $N$ [parameters]\nbelow: width $d$ [model dimension]"
