"""Logarithmic axes: few, plain numbers at their ticks, and widths below model sizes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from dcrit.figures.drawing import canvas, scales, style
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


def test_small_numbers_between_powers_of_ten_have_a_factor() -> None:
    ax = Figure().subplots()
    scales.log_axis(ax, "y", 1.8e-4, 1.1e-3)
    shown = ax.yaxis.get_major_formatter().format_ticks(ax.get_yticks().tolist())
    assert shown == [rf"${k} \cdot 10^{{-4}}$" for k in (2, 3, 5, 7)] + ["0.001"]


def test_widths_stand_below_model_sizes_and_none_over_another() -> None:
    ax, problem = Figure().subplots(), Problem(model="transformer", modulus=31)
    ax.set_xscale("log")
    scales.width_axis(ax, problem, [4, 8, 12, 16, 24, 28, 32, 44, 48])
    pairs = [label.get_text().replace("\u2009", "").split("\n") for label in ax.get_xticklabels()]
    assert [width for _, width in pairs] == ["4", "8", "12", "16", "24", "28", "32", "44", "48"]
    assert [pairs[0][0], pairs[-1][0]] == ["456", "30816"]
    assert ax.get_xlabel() == "model size $N$ [parameters]\nbelow: width $d$ [model dimension]"


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("widths", [[8], [4, 8, 12, 16, 24, 32, 48], [8, 16, 32, 64, 128], list(range(4, 64, 4))])
def test_no_label_of_a_model_size_lies_over_another_as_drawn(columns: int, widths: list[int]) -> None:
    with style.context():
        figure, axes = canvas.panels(1, height=2.0) if columns == 1 else (canvas.new_figure(7.0, 2.0), [])
        axes = axes or list(figure.subplots(1, columns))
        for ax in axes:
            canvas.prepare(ax)
            ax.set_ylabel("test accuracy [fraction]\nline: geometric mean")
            ax.set_xscale("log")
            sizes = [Problem(model="transformer", modulus=37, width=width).n_params for width in widths]
            ends = scales.spread([float(size) for size in sizes], margin=0.1)
            assert ends is not None
            ax.set_xlim(*ends)
            scales.width_axis(ax, Problem(model="transformer", modulus=37), widths)
        figure.draw_without_rendering()
        for ax in axes:
            labels = ax.get_xticklabels()
            numbers = [label.get_window_extent() for label in labels if not label.get_text().startswith("\n")]
            assert len(numbers) >= min(2, len(widths))
            assert all(one.x1 < other.x0 for one, other in itertools.pairwise(numbers))
            for label in labels:  # the lower line alone
                label.set_text(label.get_text().split("\n")[1])
            below = [label.get_window_extent() for label in labels]
            assert all(one.x1 < other.x0 for one, other in itertools.pairwise(below))
            assert ax.xaxis.label.get_window_extent().x1 <= figure.bbox.x1
            assert ax.xaxis.label.get_window_extent().x0 >= 0
