from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dcrit.empirics.export import RUNS, export
from dcrit.empirics.runs import CURVE_NAMES, RunConfig
from dcrit.theory.problem import Problem
from tests.empirics.stored import made


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_export_has_a_row_for_every_evaluation(tmp_path: Path, suffix: str) -> None:
    problem = Problem(task="sub", modulus=7, width=4, weight_decay=0.5)
    runs = [
        made(RunConfig(problem=problem, n_train=20, seed=0, steps=60), n_evaluations=9),
        made(RunConfig(problem=problem, n_train=21, seed=1), n_evaluations=4, ending="decided"),
    ]
    path = tmp_path / f"table{suffix}"
    path.write_text("old")
    assert export(runs, path, RUNS) == 2
    table = pl.read_csv(path) if suffix == ".csv" else pl.read_parquet(path)
    assert table["address"].to_list() == [runs[0].config.address] * 9 + [runs[1].config.address] * 4
    assert table["steps"].to_list() == [60] * 9 + [8000] * 4
    assert set(table["task"]) == {"sub"}
    assert set(table["weight_decay"]) == {0.5}
    assert set(table.columns) == {
        *("address", "ending", "seconds", *CURVE_NAMES),
        *(*problem.to_dict(), "n_train", "seed", "steps", "until", "precision", "start"),
    }
    for name in CURVE_NAMES:
        expected = np.concatenate([getattr(run.curves, name) for run in runs])
        np.testing.assert_array_equal(table[name].to_numpy(), expected, err_msg=name)
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_an_export_of_nothing_is_a_table_without_rows(tmp_path: Path) -> None:
    assert export([], tmp_path / "table.csv", RUNS) == 0
    assert (tmp_path / "table.csv").read_text().startswith("address,task,modulus,")
    assert pl.read_csv(tmp_path / "table.csv").is_empty()


def test_an_export_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^out must end in \.csv or \.parquet, got .*table\.xls"):
        export([], tmp_path / "table.xls", RUNS)
    with pytest.raises(ValueError, match=r"^out must be a file that can be written, got .*table\.csv"):
        export([], tmp_path / "none" / "table.csv", RUNS)
    assert list(tmp_path.iterdir()) == []
