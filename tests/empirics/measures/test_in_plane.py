"""What runs show has the words of a single run everywhere: in the plane as in their table."""

from dataclasses import replace

import numpy as np
import pytest

import dcrit
from dcrit.empirics.measures.in_plane import as_predicted, most_show, points_in_plane
from dcrit.empirics.runs.outcomes import summary_of
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.circuits.regimes import DYNAMICS, region_label, shown_from_scratch
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

CONFIG = RunConfig(problem=Problem(modulus=7, width=8), n_train=20, seed=0)
AFTER = np.array(CONFIG.evaluation_steps()) > CONFIG.horizon / 2

#: Curves by what they show.
CURVES = {
    "memorization": {"train_accuracy": 1.0, "test_accuracy": 0.02},
    "semi-grokking": {"train_accuracy": 1.0, "test_accuracy": 0.5},
    "grokking": {"train_accuracy": 1.0, "test_accuracy": AFTER * 1.0},
    "ungrokking": {"train_accuracy": 1.0, "test_accuracy": 1.0 - AFTER},
    "partial memorization": {"train_accuracy": 0.25, "test_accuracy": 0.02},
    "progression": {"train_accuracy": 0.6, "test_accuracy": 0.5},
    "learned nothing": {"train_accuracy": 0.02, "test_accuracy": 0.02},
}


def run(shows: str, seed: int = 0, n_train: int = 20) -> Run:
    return run_of(
        replace(CONFIG, seed=seed, n_train=n_train), train_loss=1e-4, squared_norm=9.0, neuron_norm=3.0, **CURVES[shows]
    )


@pytest.mark.parametrize("shows", CURVES)
def test_a_point_and_the_table_of_runs_have_one_word(shows: str) -> None:
    assert summary_of(run(shows))["dynamics"] == shows
    n_showing = 3 if shows == "progression" else 2
    assert most_show([run(shows), run("progression", 1), run(shows, 2)]) == (shows, n_showing)
    (point,) = points_in_plane([run(shows), run(shows, 1)], None)
    assert (point["dynamics"], point["n_runs"], point["predicted"]) == (shows, 2, None)
    assert point["n_showing"] == 2


def test_memorization_is_what_the_region_called_ungrokking_predicts() -> None:
    assert as_predicted("memorization", "ungrokking")
    assert not as_predicted("ungrokking", "ungrokking")
    assert not as_predicted("memorization", "progression")
    assert as_predicted("generalized at once", "grokking")
    assert as_predicted("partial memorization", "progression")
    assert not as_predicted("partial memorization", "ungrokking")
    assert not as_predicted("generalized at once", "semi-grokking")
    others = [one for one in DYNAMICS if one != "ungrokking"]
    assert all(as_predicted(one, one) and shown_from_scratch(one) == one == region_label(one) for one in others)
    assert region_label("ungrokking") == "ungrokking (memorization)"


@pytest.mark.slow
def test_nothing_is_predicted_outside_of_the_plane() -> None:
    plane = dcrit.phase_diagram(Problem(), points=9, min_width=32, max_width=64).diagram
    inside, narrow, wide = (
        run_of(RunConfig(problem=Problem(width=width), n_train=200, seed=0), train_accuracy=1.0)
        for width in (48, 16, 128)
    )
    told = {one["width"]: one["predicted"] for one in points_in_plane([inside, narrow, wide], plane)}
    assert told.pop(48) in DYNAMICS
    assert told == {16: None, 128: None}
