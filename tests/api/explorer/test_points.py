"""Measured points of the explorer: those that ship, and runs of a store."""

import json
from pathlib import Path

import pytest

import dcrit
from dcrit.api.explorer import points
from dcrit.api.explorer.points import published_sizes, shipped_sizes, stored_runs
from dcrit.theory.checks import FieldError
from dcrit.theory.problems.problem import Problem

ROOT = Path(__file__).parents[3]


def test_shipped_sizes_are_those_of_the_committed_files() -> None:
    sizes, n_without = shipped_sizes()
    rows = {name: json.loads((ROOT / "docs/results" / name).read_text(encoding="utf-8")) for name in points.SHIPPED}
    assert len(sizes) + n_without == sum(map(len, rows.values()))
    asked = rows["two-thresholds/measured.json"]
    (wanted,) = [
        one
        for one in sizes
        if one["origin"].endswith("two-thresholds/measured.json") and one["size"] == round(asked[0]["measured"], 1)
    ]
    assert wanted["problem"] == Problem(task="sub", modulus=17, width=64).to_dict()
    assert (wanted["horizon"], wanted["interval"], wanted["at_rest"]) == (1000, asked[0]["measured_interval"], False)
    assert all(one["interval"][0] <= one["size"] <= one["interval"][1] for one in sizes if one["interval"])


def test_published_sizes_name_their_source() -> None:
    found = published_sizes()
    assert found
    assert all(one["origin"].startswith("published: ") for one in found)
    assert {one["at_rest"] for one in found} == {False, True}


@pytest.mark.slow
def test_runs_of_a_store_are_shown_up_to_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = dcrit.Problem(modulus=7, width=16, learning_rate=0.1)
    runs = dcrit.train(tiny, [10, 30], seeds=2, store=tmp_path, workers=1)
    found, n_more = stored_runs(tmp_path)
    assert n_more == 0
    assert sorted((one["n_train"], one["seed"]) for one in found) == [(10, 0), (10, 1), (30, 0), (30, 1)]
    (one,) = [one for one in found if (one["n_train"], one["seed"]) == (30, 1)]
    (run,) = [run for run in runs.runs if (run.config.n_train, run.config.seed) == (30, 1)]
    assert one["accuracy"] == pytest.approx(runs.outcomes[-1].test_accuracy, abs=1e-4)
    assert (one["steps"][0], one["steps"][-1]) == (run.curves.step[0], run.curves.step[-1])
    assert len(one["steps"]) == len(one["train"]) == len(one["test"]) <= points.MOST_EVALUATIONS
    json.dumps(found, allow_nan=False)
    monkeypatch.setattr(points, "MOST_RUNS", 3)
    assert [len(stored_runs(tmp_path)[0]), stored_runs(tmp_path)[1]] == [3, 1]
    with pytest.raises(FieldError, match="store must be a folder that holds runs"):
        stored_runs(tmp_path / "none")
