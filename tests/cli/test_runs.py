import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dcrit.cli.app import app
from dcrit.empirics.runs.dimensions import DIMENSION_VALUES, DimensionConfig, DimensionRun, DimensionValues
from dcrit.empirics.runs.multitask import beside_facts
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.export import RUNS
from dcrit.empirics.store.inventory import CHECKPOINTS, DAMAGED
from dcrit.empirics.store.kinds import DimensionStore, MultitaskStore, Store
from dcrit.empirics.study.design import SEEDS_A_SIZE
from dcrit.empirics.study.kept import KeptConfig, KeptRun, open_store
from dcrit.empirics.study.module_runs import MODULE_CURVES, ModuleRun, ModuleRunConfig
from dcrit.theory.problems.problem import Problem
from tests.empirics.store.test_export import multitask_run
from tests.worlds.command_line import document_of, invoking
from tests.worlds.mounts import with_mounts
from tests.worlds.stored import configs, made

ROOT = Path(__file__).parents[2]
WIDER = Problem(modulus=7, width=8)

#: Sizes and labels of the runs of a study.
SIZES = ((3, "real"), (8, "uniform"))


invoke = invoking(app, columns=80)


def document(*words: str) -> dict[str, Any]:
    return document_of(invoke("runs", *words, "--json"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Runs of two problems in two files, multitask runs beside them and in a folder within, one dimension."""
    folder = tmp_path / "runs"
    store = Store(folder)
    store.add([made(config) for config in configs(4)])
    wider = [RunConfig(problem=WIDER, n_train=size, seed=seed) for size in (10, 40) for seed in (0, 7)]
    store.add([made(wider[0], ending="diverged"), *(made(config) for config in wider[1:])])
    several = beside_facts(Problem(modulus=5, width=4), n_train=15, n_facts=6)
    MultitaskStore(folder).add([multitask_run(several)])
    MultitaskStore(folder / "mixtures").add([multitask_run(replace(several, seed=seed)) for seed in (1, 2, 3)])
    values = DimensionValues(**dict.fromkeys(DIMENSION_VALUES, 1.5))
    dimension = DimensionRun(config=DimensionConfig(run=wider[0]), values=values, ending="horizon", seconds=1.0)
    DimensionStore(folder / "dimensions").add([dimension])
    return folder


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_listing_has_every_kind_of_run_and_its_size(folder: Path) -> None:
    found = document("list", "--store", str(folder))
    assert (found["n_runs"], found["n_bytes"]) == (8, size_of(folder))
    narrow, wide = found["problems"]
    assert (narrow["width"], narrow["runs"], narrow["seeds"], narrow["n_train"], narrow["diverged"]) == (
        *(4, 4, 4),
        [20, 20],
        0,
    )
    assert (wide["width"], wide["runs"], wide["seeds"], wide["n_train"], wide["diverged"]) == (8, 4, 2, [10, 40], 1)
    assert found["multitask"]["n_runs"] == 4
    (several,) = found["multitask"]["problems"]
    assert (several["tasks"], several["runs"]) == (["add p=5", "random p=5"], 4)
    assert (found["dimensions"]["n_runs"], found["dimensions"]["problems"][0]["width"]) == (1, 8)
    shares = narrow["n_bytes"] + wide["n_bytes"] + found["multitask"]["n_bytes"] + found["dimensions"]["n_bytes"]
    assert shares == size_of(folder)
    nothing = {"n_files": 0, "n_bytes": 0, "oldest_seconds": None}
    assert (found["damaged"], found["set_aside"]) == ([], nothing)
    assert found["incomplete"] == {"temporary": nothing, "checkpoint": nothing}


def test_a_file_of_several_problems_is_shared_by_their_runs(tmp_path: Path) -> None:
    three = [made(config) for config in configs(3)]
    Store(tmp_path).add([*three, made(RunConfig(problem=WIDER, n_train=20, seed=0))])
    narrow, wide = document("list", "--store", str(tmp_path))["problems"]
    assert narrow["n_bytes"] + wide["n_bytes"] == pytest.approx(size_of(tmp_path), abs=1)
    assert narrow["n_bytes"] == pytest.approx(3 * wide["n_bytes"], abs=3)


def test_a_listing_tells_of_incomplete_and_damaged_work(folder: Path) -> None:
    hidden = folder / "mixtures" / f".{'a' * 32}.tmp"
    state = folder / CHECKPOINTS / "ab.checkpoint"
    state.parent.mkdir()
    for path, n_bytes, age in ((hidden, 2_000_000, 600), (state, 300_000, 7200)):
        path.write_bytes(bytes(n_bytes))
        os.utime(path, (time.time() - age, time.time() - age))
    aside = folder / DAMAGED / "old.parquet"
    aside.parent.mkdir()
    aside.write_bytes(bytes(1234))
    bent = next((folder / "dimensions").glob("*.parquet"))
    bent.write_bytes(b"bent")
    found = document("list", "--store", str(folder))
    assert found["n_bytes"] == size_of(folder)
    incomplete = found["incomplete"]
    assert (incomplete["temporary"]["n_files"], incomplete["temporary"]["n_bytes"]) == (1, 2_000_000)
    assert 600 <= incomplete["temporary"]["oldest_seconds"] < 900
    assert (incomplete["checkpoint"]["n_files"], incomplete["checkpoint"]["n_bytes"]) == (1, 300_000)
    assert (found["set_aside"]["n_files"], found["set_aside"]["n_bytes"]) == (1, 1234)
    assert [one["file"] for one in found["damaged"]] == [str(bent)]
    said = invoke("runs", "list", "--store", str(folder)).stdout
    assert "8 runs, 4 multitask runs, 0 effective dimensionalities" in said
    assert "incomplete, temporary files: 1 of 2.0 MB, the oldest written 10 minutes ago" in said
    assert "incomplete, checkpoints: 1 of 0.3 MB, the oldest written 120 minutes ago" in said
    assert "damaged files, not used: 1; 'dcrit runs verify'" in said
    assert "damaged files, set aside before: 1 of 1.2 kB" in said


def test_runs_of_studies_are_listed_by_study_and_verified(folder: Path) -> None:
    def kept(module: str, n_train: int, seed: int, **recipe: Any) -> KeptRun:
        fields = {"labels": "real", "n_classes": 3, "steps": 4} | recipe
        config = ModuleRunConfig(n_train=n_train, seed=seed, **fields)
        curves = np.full((2, len(MODULE_CURVES)), 0.5)
        run = ModuleRun(config=config, step=np.array([0, 4]), curves=curves, homogeneity=2.0, n_params=7)
        key = KeptConfig(structure=module * 32, weights=str(seed), data="d" * 32, run=config)
        return KeptRun(config=key, run=run, seconds=1.0)

    runs = [kept("a", size, SEEDS_A_SIZE * size + k, labels=label) for size, label in SIZES for k in range(2)]
    open_store(folder).add([*runs, kept("b", 9, 7, optimizer="sgd", batch_size=5)])
    found = document("list", "--store", str(folder))
    assert found["studies"]["n_runs"] == 5
    one, other = found["studies"]["problems"]
    assert (one["module"], one["data"], one["runs"], one["n_train"], one["seeds"]) == ("a" * 8, "d" * 8, 4, [3, 8], 2)
    assert (other["module"], other["optimizer"], other["runs"], other["n_train"]) == ("b" * 8, "sgd", 1, [9, 9])
    said = " ".join(invoke("runs", "list", "--store", str(folder)).stdout.split())
    assert "1 effective dimensionalities, 5 runs of studies; all files" in said
    assert "Note 1: optimizer sgd, batch size 5" in said
    assert document("verify", "--store", str(folder))["n_runs"] == 13 + 5
    (bent,) = (folder / "studies").glob("*.parquet")
    bent.write_bytes(b"bent")
    assert invoke("runs", "verify", "--store", str(folder)).exit_code == 1


@pytest.mark.parametrize("within", ["", "mixtures", "dimensions"])
def test_verify_looks_into_every_folder(folder: Path, within: str) -> None:
    found = document("verify", "--store", str(folder))
    assert (found["n_runs"], found["n_files"], found["n_stale"], found["damaged"]) == (13, 5, 0, [])
    assert found["n_bytes"] == size_of(folder)
    bent = next((folder / within).glob("*.parquet"))
    bent.write_bytes(bent.read_bytes()[:-1])
    result = invoke("runs", "verify", "--store", str(folder), "--json")
    assert result.exit_code == 1
    assert [one["file"] for one in json.loads(result.stdout)["damaged"]] == [str(bent)]


@pytest.mark.parametrize(("kind", "n_runs", "n_rows"), [("runs", 8, 72), ("multitask", 4, 24), ("dimensions", 1, 1)])
def test_every_kind_is_exported_alike_to_both_forms(
    folder: Path, tmp_path: Path, kind: str, n_runs: int, n_rows: int
) -> None:
    for suffix in ("csv", "parquet"):
        out = tmp_path / f"table.{suffix}"
        assert document("export", "--store", str(folder), "--kind", kind, "--out", str(out))["n_runs"] == n_runs
    table = pl.read_parquet(tmp_path / "table.parquet")
    assert (len(table), table["address"].n_unique()) == (n_rows, n_runs)
    assert pl.read_csv(tmp_path / "table.csv", schema=table.schema).equals(table)


def test_a_kind_that_is_not_there_is_a_table_without_rows(tmp_path: Path) -> None:
    store, out = tmp_path / "empty", tmp_path / "table.parquet"
    store.mkdir()
    assert document("export", "--store", str(store), "--kind", "multitask", "--out", str(out))["n_runs"] == 0
    assert pl.read_parquet(out).is_empty()


def test_an_export_says_what_it_leaves_out(folder: Path, tmp_path: Path) -> None:
    wanted = configs(1)[0].address
    (victim,) = (path for path in folder.glob("*.parquet") if wanted in pl.read_parquet(path)["address"])
    victim.write_bytes(victim.read_bytes()[:-1])
    out = tmp_path / "table.csv"
    found = document("export", "--store", str(folder), "--out", str(out))
    assert (found["n_runs"], found["n_damaged"]) == (4, 1)
    said = " ".join(invoke("runs", "export", "--store", str(folder), "--out", str(out)).stdout.split())
    assert f"4 runs written to {out}, one row for {RUNS.row}" in said
    assert "damaged files, left out: 1" in said


def test_curves_are_logged_for_tensorboard(folder: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    found = document("export", "--store", str(folder), "--tensorboard", str(logs))
    assert (found["file"], found["n_runs"], found["n_logged"]) == (None, 0, 8)
    assert len(list(logs.glob("*/*/events*"))) == 8
    both = document("export", "--store", str(folder), "--tensorboard", str(logs), "--out", str(tmp_path / "t.csv"))
    assert (both["n_runs"], both["n_logged"]) == (8, 0)


def test_training_logs_its_runs_for_tensorboard(tmp_path: Path) -> None:
    words = ["train", "--modulus", "5", "--width", "4", "--n-train", "12", "--seeds", "2", "--steps", "40"]
    where = ["--workers", "1", "--device", "cpu", "--store", str(tmp_path / "runs")]
    result = invoke(*words, *where, "--tensorboard", str(tmp_path / "logs"), "--json")
    assert (result.exit_code, len(json.loads(result.stdout)["runs"])) == (0, 2)
    assert len(list((tmp_path / "logs").glob("*/*/events*"))) == 2


REFUSED = [
    (["--out", "t.xls"], "--out must end in .csv or .parquet, got t.xls"),
    ([], "--out must be a file that ends in .csv or .parquet where --tensorboard is not given, got none"),
    (["--kind", "bored", "--out", "t.csv"], "must be one of runs, multitask, dimensions, got 'bored'"),
    (["--kind", "multitask", "--tensorboard", "logs"], "--tensorboard must be left out for --kind multitask"),
    (["--tensorboard", "file/logs"], "--tensorboard must be a folder that can be written to, got file/logs"),
]


@pytest.mark.parametrize(("words", "says"), REFUSED)
def test_bad_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "runs").mkdir()
    result = invoke("runs", "export", "--store", "runs", *words)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "runs"]


def test_without_tensorboard_it_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = invoke("runs", "export", "--store", str(folder), "--tensorboard", "logs")
    assert result.exit_code == 2
    sentence = " ".join(result.stderr.replace("│", " ").split())
    assert "--tensorboard must be left out where the package tensorboard is not installed, got" in sentence
    assert "pip install 'dcrit[tensorboard]' installs it" in sentence


TRAIN = "train --modulus 7 --width 4 --n-train 10 --seeds 2 --steps 60 --workers 1 --device cpu --json --store"

FULL = f"""
mount -t tmpfs -o size=64k tmpfs /mnt
cd "{ROOT}"
head -c 60k /dev/zero > /mnt/ballast
code=0
"$1" -m dcrit {TRAIN} /mnt/runs 2> "$2" > /dev/null || code=$?
echo $code $(ls -A /mnt/runs | wc -l)
rm /mnt/ballast
"$1" -m dcrit {TRAIN} /mnt/runs 2> /dev/null > /dev/null
ls -A /mnt/runs | wc -l
"""


@pytest.mark.processes
def test_training_onto_a_full_disk_fails_and_goes_on_when_there_is_space(tmp_path: Path) -> None:
    done = with_mounts(FULL, sys.executable, str(tmp_path / "stderr"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["1", "0", "1"]
    *_, said = (tmp_path / "stderr").read_text().splitlines()
    assert said == (
        "Error: a finished batch could not be stored in /mnt/runs: No space left on device. "
        "Batches stored before are kept; free space there and repeat the command"
    )


READ_ONLY = f"""
mount --bind "$2" "$2"
mount -o remount,bind,ro "$2"
cd "{ROOT}"
code=0
"$1" -m dcrit {TRAIN} "$2" || code=$?
echo $code
"$1" -m dcrit runs list --store "$2" --json | grep -c n_runs
"$1" -m dcrit runs verify --store "$2" --json | grep -c n_runs
"$1" -m dcrit runs export --store "$2" --out "$3"
"""


@pytest.mark.processes
def test_a_read_only_store_refuses_training_before_it_begins(tmp_path: Path) -> None:
    store, out = tmp_path / "runs", tmp_path / "table.csv"
    Store(store).add([made(config) for config in configs(3)])
    done = with_mounts(READ_ONLY, sys.executable, str(store), str(out))
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    sentence = " ".join(done.stderr.replace("│", " ").split())
    assert "--store must be a folder that can be written to, got" in sentence
    assert "Read-only file system" in sentence
    assert "training" not in sentence
    assert done.stdout.splitlines()[0] == "2"
    assert "3 runs written" in done.stdout
    assert len(pl.read_csv(out)) == 27
