"""A folder opened as a laboratory: what is there is found, what is not is trained, and what cannot be read is named."""

import doctest
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dcrit.empirics.experiments import laboratory as module
from dcrit.empirics.experiments.laboratory import Laboratory, LackingRunsError, Machine, RefusedError, open_runs
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.multitask import beside_facts
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store import store as parquet_store
from dcrit.empirics.store.batch_files import checksum, parquet
from dcrit.empirics.store.kinds import DIMENSIONS_FOLDER, MULTITASK_FOLDER, Store
from dcrit.empirics.store.store import StoreReadError
from dcrit.empirics.training import executor as executors
from dcrit.theory.problems.problem import Problem
from tests.worlds.stored import assert_same, configs, count_decoded, made

HERE = Machine(workers=1)
WANTED = configs(6, steps=40)


def opened(folder: Path, **options: Any) -> Any:
    return open_runs(folder, HERE, display=False, **options)


def fill(folder: Path, wanted: Sequence[RunConfig], per_file: int = 2) -> dict[str, Run]:
    runs = [made(config) for config in wanted]
    for start in range(0, len(runs), per_file):
        Store(folder).add(runs[start : start + per_file])
    return {run.config.address: run for run in runs}


def bend(folder: Path, config: RunConfig) -> Path:
    """Make the file of a run one that has its checksum and its addresses, and curves that cannot be."""
    (path,) = [path for path in folder.glob("*.parquet") if config.address in pl.read_parquet(path)["address"]]
    data = parquet(pl.read_parquet(path).with_columns(pl.col("test_loss").list.slice(1)))
    path.unlink()
    bent = path.with_name(f"{path.name[:16]}-{checksum(data)}.parquet")
    bent.write_bytes(data)
    return bent


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "train", lambda *_, **__: pytest.fail("something is trained"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the curves of each file are decoded."""
    return count_decoded(monkeypatch)


def test_all_kinds_of_run_are_trained_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(modulus=5, width=4, learning_rate=0.5)
    several = [beside_facts(problem, n_train=15, n_facts=6, seed=seed) for seed in (1, 0)]
    looked_at = [DimensionConfig(run=RunConfig(problem=problem, n_train=15, seed=seed)) for seed in (3, 0)]

    def ask(bench: Laboratory) -> list[Sequence[Any]]:
        return [
            bench.runs(WANTED, stage="singles"),
            bench.multitask(several, stage="several"),
            bench.dimensions(looked_at, stage="dimensions"),
        ]

    with opened(tmp_path) as bench:
        first = [list(found) for found in ask(bench)]
    assert [[one.config for one in found] for found in first] == [WANTED, several, looked_at]
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    assert {path.parent for path in kept} == {tmp_path, tmp_path / MULTITASK_FOLDER, tmp_path / DIMENSIONS_FOLDER}
    monkeypatch.setattr(module, "_executor", lambda _: pytest.fail("an executor is made"))
    for may_train in (True, False):
        with opened(tmp_path, may_train=may_train) as bench:
            again = [list(found) for found in ask(bench)]
        assert [[one.config.address for one in found] for found in again] == [
            [one.config.address for one in found] for found in first
        ]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept


def test_asking_decodes_nothing_and_each_file_is_decoded_once(
    tmp_path: Path, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch, untrained: None
) -> None:
    monkeypatch.setattr(parquet_store, "CACHE_BYTES", 0)
    runs = fill(tmp_path, WANTED)
    with opened(tmp_path) as bench:
        found = bench.runs(WANTED, stage="found")
        assert bench.lacking(WANTED) == []
        assert not decoded
        for got in found:
            assert_same(got, runs[got.config.address])
    assert decoded == {path.name: 1 for path in tmp_path.glob("*.parquet")}
    assert len(decoded) == 3


@pytest.mark.parametrize("victim", range(6))
def test_a_run_that_cannot_be_read_is_named_and_no_other_takes_its_place(
    tmp_path: Path, victim: int, untrained: None
) -> None:
    runs = fill(tmp_path, WANTED, per_file=1)
    bent = bend(tmp_path, WANTED[victim])
    said = rf"^store must be a folder with the runs for pictures, got {tmp_path}, which lacks 1 .*{bent.name} cannot"
    with opened(tmp_path, may_train=False) as bench:
        found = iter(bench.runs(WANTED, stage="pictures"))
        for config in WANTED[:victim]:
            run = next(found)
            assert run.config == config
            assert_same(run, runs[config.address])
        with pytest.raises(LackingRunsError, match=said):
            next(found)
        # What asks again is told at once.
        with pytest.raises(LackingRunsError, match=said):
            bench.runs(WANTED, stage="pictures")
    assert bent.exists()


def test_a_run_that_cannot_be_read_is_made_again_in_its_place(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        before = list(bench.runs(WANTED, stage="first"))
    bent = bend(tmp_path, WANTED[2])
    with opened(tmp_path) as bench:
        after = list(bench.runs(WANTED, stage="second"))
    assert [run.config for run in after] == WANTED
    for run, expected in zip(after, before, strict=True):
        assert run.curves.test_loss.tobytes() == expected.curves.test_loss.tobytes()
    assert (tmp_path / "damaged" / bent.name).exists()


def test_a_closed_laboratory_trains_nothing(tmp_path: Path, untrained: None) -> None:
    fill(tmp_path, WANTED[:3], per_file=1)
    with opened(tmp_path) as bench:
        found = bench.runs(WANTED[:3], stage="found")
    bend(tmp_path, WANTED[1])
    with pytest.raises(StoreReadError, match=f"run {WANTED[1].address} is no longer in"):
        list(found)
    with pytest.raises(RuntimeError, match="runs for late lack, and the laboratory is closed"):
        bench.runs(WANTED, stage="late")


def test_what_lacks_is_counted_where_nothing_may_be_trained(tmp_path: Path, untrained: None) -> None:
    fill(tmp_path, WANTED[:2])
    before = sorted(tmp_path.rglob("*"))
    with (
        pytest.raises(LackingRunsError, match=f"for pictures, got {tmp_path}, which lacks 4 of them$"),
        opened(tmp_path, may_train=False) as bench,
    ):
        bench.runs([*WANTED, *WANTED], stage="pictures")
    assert sorted(tmp_path.rglob("*")) == before
    with (
        pytest.raises(RefusedError, match=r"^store must be a folder with runs, got "),
        opened(tmp_path / "none", may_train=False),
    ):
        pass
    assert not (tmp_path / "none").exists()


def test_no_folder_is_left_of_a_laboratory_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new" / "runs"
    with (
        pytest.raises(RefusedError, match=r"^address must be 'auto' or host:port"),
        open_runs(folder, Machine(executor="ray", address="nowhere")),
    ):
        pass

    def no_cluster(_: Machine) -> None:
        assert folder.is_dir()
        raise ValueError("address must be of a cluster, got none")

    monkeypatch.setattr(module, "_executor", no_cluster)
    with pytest.raises(RefusedError, match=r"^address must be of a cluster"), opened(folder) as bench:
        bench.runs(WANTED, stage="never")
    assert list(tmp_path.iterdir()) == []


def test_errors_of_what_is_made_in_a_laboratory_are_its_makers_own(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    with pytest.raises(ValueError, match="my own") as caught, opened(folder):
        raise ValueError("my own")
    assert type(caught.value) is ValueError
    assert folder.is_dir()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("neither")
    with (
        pytest.raises(RefusedError, match=r"^store must be a folder that can be written to, got .*file/runs"),
        opened(tmp_path / "file" / "runs"),
    ):
        pass


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"workers": -1}, "workers must be an integer of at least 0, got -1"),
        ({"address": "auto"}, "address must be left out without executor='ray', got 'auto'"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        Machine(**fields)


def test_people_are_told_on_standard_error_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path / "quiet") as bench:
        bench.runs(WANTED[:1], stage="quietly")
    assert capsys.readouterr() == ("", "")
    with open_runs(tmp_path / "loud", HERE) as bench:
        bench.runs(WANTED[:1], stage="loudly")
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[0]) == ("", "loudly: 1 runs, 0 of them stored before")


def test_the_example_holds() -> None:
    assert "torch" in sys.modules
    attempted = doctest.testmod(module)
    assert attempted.attempted > 3
    assert attempted.failed == 0
