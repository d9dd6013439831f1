import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from dcrit.empirics.ablations import edges
from dcrit.empirics.ablations.two_thresholds import WIDTHS
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.calibrations.track_record import track_record

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def test_means_pass_a_level_between_their_sizes() -> None:
    sizes = np.array([100.0, 100.0, 200.0, 200.0])
    accuracy = np.array([0.2, 0.4, 0.8, 0.6])  # log-odds of 0.3 and 0.7: one half is in the middle of ln D
    assert edges.passed_by_means(sizes, accuracy, 0.5) == pytest.approx(math.sqrt(2) * 100)
    assert edges.passed_by_means(sizes, accuracy, 0.9) is None
    assert edges.passed_by_means(sizes, accuracy, 0.1) is None


def test_means_that_fall_are_levelled() -> None:
    sizes = np.array([100.0, 200.0, 400.0, 800.0])
    accuracy = np.array([0.1, 0.8, 0.6, 0.95])
    found = edges.passed_by_means(sizes, accuracy, 0.65)
    assert found is not None
    assert 100 < found < 200
    assert edges.passed_by_means(sizes, np.array([0.1, 0.6, 0.8, 0.95]), 0.65) == pytest.approx(
        200 * 2 ** ((_odds(0.65) - _odds(0.6)) / (_odds(0.8) - _odds(0.6)))
    )


def _odds(level: float) -> float:
    return math.log(level / (1 - level))


def test_a_line_finds_the_edges_of_a_logistic_transition() -> None:
    rng = np.random.default_rng(0)
    sizes = np.geomspace(200, 330, 9)
    accuracy = expit((np.log(sizes / 260) + rng.normal(0, 0.005, 9)) / 0.08)
    for level in (0.1, 0.9):
        found = edges.passed_by_line(sizes, accuracy, level)
        if accuracy.min() <= level <= accuracy.max():
            assert found == pytest.approx(260 * math.exp(0.08 * _odds(level)), rel=0.03)
    # Nothing is read beyond the runs, nor from few.
    assert edges.passed_by_line(sizes[3:6], accuracy[3:6], 0.9) is None
    assert edges.passed_by_line(sizes[4:], accuracy[4:], 0.1) is None


def test_runs_of_narrow_networks_are_those_that_are_committed() -> None:
    asked = [
        (one[0].problem.activation, one[0].problem.modulus, one[0].problem.width, one[0].n_train)
        for one in edges.configs(shipped_calibrations())
    ]
    rows = edges.read(RESULTS / "two-thresholds" / "edges.json")
    assert [(row["activation"], row["modulus"], row["width"], row["n_train"]) for row in rows] == asked
    assert all(len(row["test_accuracy"]) == edges.SEEDS for row in rows)


@pytest.mark.slow
def test_intervals_of_edges_hold_most_measured_ones_and_say_so() -> None:
    measured = list(edges.measured_edges(RESULTS))
    found = edges.scored_edges(measured, [law for one in shipped_calibrations() if (law := one.thresholds)])
    for kind in (edges.DRAWN, edges.NARROW_MLPS, edges.TRANSFORMERS):
        some = [one for one in found if one.edge.kind == kind]
        assert len(some) > 8
        assert sum(one.inside for one in some) >= 0.8 * len(some)
        assert sum(one.inside for one in some) >= sum(one.inside_alone for one in some)
    for one in shipped_calibrations():
        record = track_record(one)
        assert record is not None
        mine = [each for each in found if one.thresholds and one.thresholds.covers(each.edge.problem)]
        told = [each for each in mine if math.isfinite(each.error)]
        assert (record.edges is None) == (not told)
        if record.edges is not None:
            assert record.edges.n_configurations == len(told)
            assert record.edges.n_inside == sum(each.inside for each in told)
            assert record.edges.bias == pytest.approx(float(np.mean([each.error for each in told])), abs=1e-4)


def test_the_scatter_that_ships_is_of_the_size_that_widths_are_off_by() -> None:
    (score,) = edges.read(RESULTS / "two-thresholds" / WIDTHS)
    for one in shipped_calibrations():
        assert one.thresholds is not None
        if "add" in one.thresholds.tasks:
            assert 0.5 < one.thresholds.law.levels.scatter / score["median"] < 1.5
