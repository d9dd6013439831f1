import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcrit.empirics.ablations.committed import read
from dcrit.empirics.ablations.strength import READINGS, STRENGTHS, configs, mean_of, page_with_strengths, row_of
from dcrit.theory.circuits.finding import dense_strength, memorizing_efficiency
from tests.worlds.runs import run_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def test_committed_rows_are_of_these_runs_and_stand_in_the_page() -> None:
    rows = read(RESULTS / STRENGTHS)
    named = [(row["modulus"], row["width"], row["n_train"], row["seed"]) for row in rows]
    assert named == [(c.problem.modulus, c.problem.width, c.n_train, c.seed) for c in configs()]
    page = (RESULTS / "two-thresholds.md").read_text(encoding="utf-8")
    assert page_with_strengths(page, rows) == page


def test_strength_grows_with_width_and_time_and_stays_below_the_bound() -> None:
    rows = read(RESULTS / STRENGTHS)
    assert all(row[f"at_{step}"] < dense_strength() for row in rows for step in READINGS)
    wide = [row for row in rows if row["width"] == 4 * row["modulus"]]
    narrow = [row for row in rows if row["width"] == row["modulus"]]
    assert all(row["at_4000"] > row["at_400"] > row["memorized"] for row in wide)
    assert min(row["at_4000"] for row in wide) > max(row["at_4000"] for row in narrow)


def test_strength_of_a_made_up_run_is_the_one_it_was_made_with() -> None:
    config = configs()[0]
    run = run_of(config)
    step = run.curves.step
    norm = np.full(len(step), 10.0)
    margin = memorizing_efficiency(config.problem.modulus, config.n_train, 2.0) * norm**3
    loss = np.log1p((config.n_classes - 1) * np.exp(-margin))
    accuracy = (step >= step[3]).astype(float)
    curves = replace(run.curves, train_loss=loss, neuron_norm=norm, train_accuracy=accuracy)
    row = row_of(replace(run, curves=curves))
    assert row["time_memorized"] == step[3]
    assert [row[name] for name in ("memorized", "at_400", "at_4000")] == pytest.approx([2.0] * 3, abs=1e-3)
    never = replace(curves, train_accuracy=np.zeros(len(step)))
    assert row_of(replace(run, curves=never))["memorized"] is None
    assert mean_of([2.0, None]) == "–"
    assert mean_of([2.0, 3.0]) == "2.50"
    assert math.isfinite(row["at_1000"])
