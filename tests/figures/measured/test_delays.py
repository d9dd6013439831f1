import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dcrit.empirics.experiments.delays import DelayEvidence, DelayPoint
from dcrit.empirics.experiments.transitions import Transition
from dcrit.figures.measured import delays
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.problems.problem import Problem

PROBLEM = Problem(modulus=31, width=64)


def point(n_train: int, *steps: float, longer: int = 0, problem: Problem = PROBLEM) -> DelayPoint:
    sides = (0,) * (len(steps) - longer) + (1,) * longer
    return DelayPoint(problem=problem, n_train=n_train, delays=steps, beyond=sides, n_lost=0, predicted=500.0)


def evidence() -> DelayEvidence:
    measured = Estimate(
        quantity="critical_size", value=250.0, interval=Interval(low=240, high=260), unit="examples", n_runs=6
    )
    slow = replace(PROBLEM, learning_rate=0.005)
    return DelayEvidence(
        transition=Transition(problem=PROBLEM, predicted=None, outcomes=(), measured=measured),
        points=[
            point(275, 3000.0, 3900.0, 3900.0, longer=2),
            point(300, 900.0, 1200.0, 1000.0),
            point(350, 500.0, 700.0, 3900.0, longer=1),
            point(350, 1500.0, 1600.0, 1700.0, problem=slow),
        ],
        rates_at=350,
        curve=np.array([[260, 300, 350, 800], [math.inf, 1000, 600, 100]]),
    )


def lines(ax: Axes, label: str) -> list[Line2D]:
    return [line for line in ax.lines if line.get_label() == label]


def test_medians_ranges_and_censored_runs_are_those_measured() -> None:
    ax = Figure().subplots()
    assert delays.draw_sizes(ax, evidence()) == []
    found = {}
    for bar in ax.containers:
        (x, y), *_ = np.asarray(bar.lines[0].get_xydata())  # type: ignore[union-attr]
        (ends,) = bar.lines[2][0].get_segments()  # type: ignore[union-attr]
        found[round(250 * x)] = (y, ends[0, 1], ends[1, 1], bar.get_label())
    assert found[300] == (1000, 900, 1200, delays.MEASURED)
    assert found[275] == (3900, 3000, 3900, delays.LONGER)
    assert found[350] == (700, 500, 3900, delays.MEASURED)
    waited = lines(ax, delays.CENSORED)
    assert [len(np.asarray(line.get_xdata())) for line in waited] == [2, 1]
    assert all((np.asarray(line.get_ydata()) == 3900).all() for line in waited)


def test_the_predicted_curve_is_shown_where_it_is_finite_and_near_what_was_measured() -> None:
    ax = Figure().subplots()
    delays.draw_sizes(ax, evidence())
    (curve,) = lines(ax, delays.THEORY)
    np.testing.assert_allclose(np.asarray(curve.get_xydata()), [(300 / 250, 1000), (350 / 250, 600)])


def test_rates_stand_beside_proportionality_through_the_reference() -> None:
    ax = Figure().subplots()
    assert delays.draw_rates(ax, evidence()) == []
    (line,) = lines(ax, delays.PROPORTIONAL)
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    np.testing.assert_allclose(y / x, 700 / PROBLEM.time_constant)


def test_a_median_that_most_seeds_never_reached_is_a_bound() -> None:
    assert point(300, 900.0, 100.0, 100.0, longer=2).median == (100.0, True)
    assert point(300, 900.0, 800.0, 100.0, longer=1).median == (900.0, False)


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_the_whole_figure_is_drawn_or_says_what_is_missing(known: bool) -> None:
    entry = evidence()
    if not known:
        nothing = replace(entry.transition.measured, value=None, interval=None, reason="no transition")
        transition = replace(entry.transition, measured=nothing)
        entry = replace(entry, transition=transition, points=[], rates_at=None, curve=np.empty((2, 0)))
    figure = delays.draw([entry, entry])
    figure.draw_without_rendering()
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert ("no transition" in texts) == (not known)
    delays.draw([]).draw_without_rendering()
