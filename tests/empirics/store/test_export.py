import json
import math
import sys
import textwrap
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun, DimensionValues
from dcrit.empirics.runs.multitask import (
    MULTITASK_CURVES,
    TASK_CURVES,
    MultitaskConfig,
    MultitaskCurves,
    MultitaskRun,
    beside_facts,
)
from dcrit.empirics.runs.single import CURVE_NAMES, Run, RunConfig
from dcrit.empirics.store.export import CHUNK, DIMENSIONS, MULTITASK, RUNS, Table, export
from dcrit.empirics.store.store import StoreReadError
from dcrit.theory.problems.problem import Problem
from tests.worlds.mounts import with_mounts
from tests.worlds.stored import configs, made

ROOT = Path(__file__).parents[3]


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


def same_table(folder: Path, runs: list[Any], table: Table[Any]) -> pl.DataFrame:
    """What was exported, which is the same by either name."""
    for suffix in ("csv", "parquet"):
        assert export(iter(runs), folder / f"table.{suffix}", table) == len(runs)
    read = pl.read_parquet(folder / "table.parquet")
    assert read.schema == pl.Schema(table.schema)
    again = pl.read_csv(folder / "table.csv", schema=table.schema)
    assert again.equals(read)
    return read


def multitask_run(config: MultitaskConfig, n_evaluations: int = 3) -> MultitaskRun:
    rng = np.random.default_rng(config.seed)
    shape = (n_evaluations, len(config.components))
    values = {name: rng.normal(size=shape if name in TASK_CURVES else shape[:1]) for name in MULTITASK_CURVES}
    return MultitaskRun(config=config, curves=MultitaskCurves(**values), ending="horizon", seconds=0.5)


def test_multitask_runs_have_a_row_for_every_evaluation_and_task(tmp_path: Path) -> None:
    problem = Problem(modulus=5, width=4)
    runs = [
        multitask_run(beside_facts(problem, n_train=15, n_facts=6, seed=2, pretraining=10)),
        multitask_run(beside_facts(problem, n_train=11, n_facts=0, seed=3), n_evaluations=2),
    ]
    table = same_table(tmp_path, runs, MULTITASK)
    assert table["component"].to_list() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert table["task"].to_list() == ["add"] * 3 + ["random"] * 3 + ["add"] * 2
    assert table["n_train"].to_list() == [15] * 3 + [6] * 3 + [11] * 2
    assert json.loads(table["phases"][0])[0] == {"tasks": [0], "steps": 10}
    curves = runs[0].curves
    assert table["test_loss"].to_list()[:6] == [*curves.test_loss[:, 0], *curves.test_loss[:, 1]]
    assert table["squared_norm"].to_list()[:6] == [*curves.squared_norm] * 2


def test_dimensions_have_a_row_for_every_network(tmp_path: Path) -> None:
    run = RunConfig(problem=Problem(modulus=7, width=4), n_train=20, seed=5)
    values = DimensionValues(value=1.5, smaller=2.5, larger=0.5, train_loss=0.1, test_loss=math.nan, step=400.0)
    made_of = DimensionRun(config=DimensionConfig(run=run), values=values, ending="horizon", seconds=2.0)
    table = same_table(tmp_path, [made_of], DIMENSIONS)
    (row,) = table.to_dicts()
    assert (row["address"], row["seed"], row["steps"]) == (made_of.config.address, 5, run.horizon)
    assert [row[name] for name in ("value", "smaller", "larger", "train_loss", "step")] == [1.5, 2.5, 0.5, 0.1, 400.0]
    assert math.isnan(row["test_loss"])


def test_more_runs_than_fit_a_piece_are_all_there_once(tmp_path: Path) -> None:
    wanted = configs(2 * CHUNK + 3)
    table = same_table(tmp_path, [made(config, n_evaluations=2) for config in wanted], RUNS)
    assert table["seed"].to_list() == [config.seed for config in wanted for _ in range(2)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_runs_are_dropped_when_they_are_written(tmp_path: Path, suffix: str) -> None:
    alive: list[weakref.ref[Run]] = []
    most = 0

    def each() -> Iterator[Run]:
        nonlocal most
        for config in configs(10 * CHUNK):
            run = made(config, n_evaluations=3)
            alive.append(weakref.ref(run))
            most = max(most, sum(one() is not None for one in alive))
            yield run

    assert export(each(), tmp_path / f"table.{suffix}", RUNS) == 10 * CHUNK
    assert CHUNK <= most < 5 * CHUNK


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_runs_that_cannot_be_read_leave_no_table(tmp_path: Path, suffix: str) -> None:
    def each() -> Iterator[Run]:
        yield from (made(config) for config in configs(CHUNK))
        raise StoreReadError("run 7 is no longer there")

    with pytest.raises(StoreReadError, match="run 7 is no longer there"):
        export(each(), tmp_path / f"table.{suffix}", RUNS)
    assert list(tmp_path.iterdir()) == []


EXPORT_TOO_MUCH = textwrap.dedent("""
    import sys
    from pathlib import Path
    from dcrit.empirics.store.export import RUNS, ExportError, export
    from tests.worlds.stored import configs, made

    path = Path("/mnt") / sys.argv[1]
    path.write_text("old")
    try:
        export((made(config, n_evaluations=100) for config in configs(500)), path, RUNS)
    except ExportError as error:
        print(error)
    assert path.read_text() == "old"
    assert list(Path("/mnt").iterdir()) == [path]
""")


@pytest.mark.processes
@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_full_disk_leaves_what_was_there(name: str) -> None:
    done = with_mounts(
        f'mount -t tmpfs -o size=500k tmpfs /mnt; cd "{ROOT}"; exec "$1" -c "$2" "$3"',
        sys.executable,
        EXPORT_TOO_MUCH,
        name,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"the table could not be written to /mnt/{name}: ")
    assert done.stdout.endswith("No space left on device (os error 28). Nothing is left of it\n")
