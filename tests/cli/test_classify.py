"""``dcrit classify`` as a person and as a script meet it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dcrit.cli.app import app
from tests.cli.test_reading import check
from tests.worlds.command_line import document_of, invoking

invoke = invoking(app, "classify")


@pytest.fixture
def grokked(tmp_path: Path) -> Path:
    step = np.arange(0, 1000, 10)
    path = tmp_path / "curves.csv"
    pl.DataFrame(
        {
            "Epoch": step,
            "Train Acc": np.where(step < 50, 20.0, 100.0),
            "val_acc": np.where(step < 500, 3.0, 97.0),
            "weight_norm": np.where(step < 500, 10.0, 6.0),
        }
    ).write_csv(path)
    return path


def test_a_document_holds_verdict_reasons_events_and_thresholds(grokked: Path) -> None:
    found = document_of(invoke(str(grokked), "--json"))
    assert found["file"] == str(grokked)
    (run,) = found["runs"]
    assert {"run", "dynamics", "reasons", "events", "settled", "thresholds"} <= run.keys()
    assert run["dynamics"] == "grokking"
    assert (run["events"]["memorized_at"], run["events"]["generalized_at"], run["events"]["delayed"]) == (50, 500, True)
    assert run["settled"]["test_accuracy"] == pytest.approx(0.97)
    assert run["settled"]["norm_ratio"] == pytest.approx(0.36)
    assert (run["thresholds"]["fitted"], run["thresholds"]["low"], run["thresholds"]["high"]) == (0.99, 0.1, 0.9)
    assert found["columns"]["test_accuracy"] == "val_acc"


def test_the_answer_for_people_says_the_same(grokked: Path) -> None:
    result = invoke(str(grokked))
    assert result.exit_code == 0
    for words in (
        "grokking, because test accuracy settles at 0.97, at or above 0.9",
        "generalization is delayed: it comes at step 500, 10 times as late as memorization, 2 or more",
        "squared norm falls, to 0.36",
        "Note: column 'val_acc' is validation, which counts as test.",
        "Note: accuracies are taken as percent",
        "Thresholds: memorized from train accuracy 0.99",
    ):
        assert words in " ".join(result.stdout.split())


def test_thresholds_are_those_that_apply(grokked: Path, tmp_path: Path) -> None:
    def said(path: Path, *words: str) -> str:
        return " ".join(invoke(str(path), *words).stdout.split()).partition("Thresholds: ")[2]

    assert "squared norm has fallen below 0.9" in said(grokked)
    frame = pl.read_csv(grokked)
    path = tmp_path / "plain.csv"
    frame.drop("weight_norm").write_csv(path)
    plain = said(path)
    assert "delayed from 2 times" in plain
    for word in ("norm", "unstable", "rests", "patience", "memorization takes"):
        assert word not in plain
    frame.with_columns(val_acc=pl.lit(1.5)).drop("weight_norm").write_csv(path)
    memorized = said(path)
    assert "memorization takes 5 times" in memorized
    assert "delayed" not in memorized
    path.write_text("step,train_loss\n" + "".join(f"{k},1.0\n" for k in range(20)))
    assert said(path) == ""


def test_classes_and_columns_may_be_given(grokked: Path) -> None:
    run = document_of(invoke(str(grokked), "--n-classes", "2", "--json"))["runs"][0]
    assert run["thresholds"]["high"] == pytest.approx(0.95)
    swapped = document_of(invoke(str(grokked), "--test-accuracy", "Train Acc", "--json"))
    assert swapped["runs"][0]["events"]["generalized_at"] == 50


@pytest.mark.processes
def test_many_runs_have_a_row_and_a_reason_each(tmp_path: Path) -> None:
    step = np.arange(30)
    frame = pl.concat(
        [pl.DataFrame({"seed": [k] * 30, "step": step, "train_acc": 0.1 * k + 0 * step}) for k in range(6)]
    )
    path = tmp_path / "curves.parquet"
    frame.write_parquet(path)
    found = document_of(invoke(str(path), "--json"))
    assert [run["run"] for run in found["runs"]] == [str(k) for k in range(6)]
    assert {run["dynamics"] for run in found["runs"]} == {"cannot tell"}
    assert invoke(str(path)).stdout.count("there is no test accuracy") >= 6


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.csv"], "file must be a file that can be read, got none.csv: No such file"),
        (
            ["curves.csv", "--step", "time"],
            "--step must be a column of the file ('Epoch', 'Train Acc', 'val_acc', 'weight_norm'), got 'time'",
        ),
        (["curves.csv", "--run", "id"], "--run must be a column of the file"),
        (["curves.csv", "--n-classes", "1"], "--n-classes must be an integer of at least 2, got 1"),
        (["curves.csv", "--n-classes", "ten"], "must be an integer, got 'ten'"),
        (
            ["empty.csv"],
            "file must be training curves as text (CSV and the like), JSON, Parquet or TensorBoard events, got empty",
        ),
        (
            ["other.csv"],
            "--train-accuracy must be a column of the file, got none: looked for train accuracy, accuracy, train loss",
        ),
        (
            ["other.jsonl"],
            "columns can be named for --step, --train-accuracy, --test-accuracy, --train-loss, --test-loss, "
            "--train-error, --test-error",
        ),
        (["named.jsonl"], "columns can be named for --train-accuracy, --train-loss, --train-error"),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], says: str, grokked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(grokked.parent)
    Path("empty.csv").touch()
    Path("other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    Path("other.jsonl").write_text('{"a": 1, "b": 2}\n{"a": 2, "b": 3}\n', encoding="utf-8")
    Path("named.jsonl").write_text('{"step": 1, "test_acc": 0, "b": 1}\n' * 2, encoding="utf-8")
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in " ".join(line.strip("│ ") for line in result.stderr.splitlines())


@pytest.mark.processes
def test_it_starts_without_torch_or_scipy(grokked: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "dcrit", "classify", str(grokked), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert json.loads(done.stdout)["runs"]
    assert "polars" in loaded
    assert loaded & {"torch", "matplotlib", "sympy", "scipy"} == set()


@pytest.mark.slow
def test_a_picture_is_drawn_of_any_log(grokked: Path) -> None:
    late = grokked.with_name("late.csv")
    late.write_text("step,train_acc,test_acc\n" + "".join(f"{k},1,1\n" for k in range(44_000, 46_000, 50)))
    for path, out in ((grokked, "a.png"), (late, "b.svg")):
        found = document_of(invoke(str(path), "--json", "--out", str(path.with_name(out))))
        assert found["runs"]
        assert path.with_name(out).stat().st_size > 5000
    refused = invoke(str(grokked), "--out", "picture.txt")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--out must be a file in a folder that exists" in refused.stderr


def test_ceiling_and_missing_values_may_be_given(grokked: Path) -> None:
    path = grokked.with_name("minus.csv")
    rows = "".join(
        f"{k},{min(1, k / 10)},{-1 if k % 3 else 0.05 if k < 60 else 0.7 + k % 2 / 30}\n" for k in range(120)
    )
    path.write_text(f"step,train_acc,test_acc\n{rows}")
    refused = invoke(str(path))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--missing -1 says that this value stands where nothing was measured" in " ".join(
        line.strip("│ ") for line in refused.stderr.splitlines()
    )
    plain = document_of(invoke(str(path), "--missing", "-1", "--json"))["runs"][0]
    assert plain["dynamics"] == "semi-grokking"
    run = document_of(invoke(str(path), "--missing", "-1", "--ceiling", "0.75", "--json"))["runs"][0]
    assert (run["dynamics"], run["thresholds"]["ceiling"]) == ("generalized below a ceiling", 0.75)
    assert "--ceiling must be above chance, 0, and at most 1, got 1.5" in invoke(str(path), "--ceiling", "1.5").stderr


def test_several_files_are_answered_together_in_eighty_columns(grokked: Path) -> None:
    other = grokked.with_name("a-run-with-quite-a-long-name-that-says-what-was-tried.csv")
    other.write_text(grokked.read_text(encoding="utf-8"), encoding="utf-8")
    result = invoking(app, "classify", columns=80)(str(grokked), str(other))
    grid = [line for line in result.stdout.splitlines() if line[:1] in "┏┃┡│└"]
    assert len(grid) >= 6
    assert max(map(len, grid)) <= 80
    check(result.stdout)
    found = document_of(invoke(str(grokked), str(other), "--json"))
    assert found["file"] is None
    assert found["files"] == [str(grokked), str(other)]
    assert [run["dynamics"] for run in found["runs"]] == ["grokking"] * 2
