"""The command line as a person and as a script meet it, through typer's runner."""

import json
from pathlib import Path

import pytest
from typer.testing import Result

from dcrit.cli import validate as validate_command
from dcrit.cli.app import app
from dcrit.empirics.claims import suites
from dcrit.empirics.experiments.laboratory import Machine, open_runs
from dcrit.empirics.runs.multitask import beside_facts
from dcrit.theory.problems.problem import Problem
from tests.worlds.command_line import document_of, invoking
from tests.worlds.miniature import miniature_suite, stand_in
from tests.worlds.refusals import bad_words, check_refused

TINY = ["--modulus", "5", "--width", "4"]
PROBLEM_KEYS = {
    "task",
    "modulus",
    "model",
    "activation",
    "width",
    "depth",
    "weight_decay",
    "learning_rate",
    "beta2",
    "epsilon",
}
COMMANDS = [
    ["predict", "critical-size"],
    ["measure", "critical-size"],
    ["measure", "capacity"],
    ["measure", "efficiency"],
    ["train"],
    ["calibrate"],
    ["validate"],
    ["figure"],
    ["runs", "list"],
    ["runs", "verify"],
    ["runs", "export"],
]


invoke = invoking(app, columns=200)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str]) -> None:
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_predict_answers_in_the_keys_of_the_contract() -> None:
    found = document_of(invoke("predict", "critical-size", "--modulus", "31", "--width", "48", "--json"))
    size = found["critical_size"]
    names = ("critical_size", "onset", "completion", "crossing", "at_rest", "mixture", "capacity")
    for name in (*names, "generalizing_efficiency"):
        assert found[name].keys() == size.keys()
        assert found[name]["quantity"] == name
    assert size["interval"]["low"] < size["value"] < size["interval"]["high"]
    assert (size["level"], size["extrapolated"], size["horizon"]) == (0.9, False, 4000)
    assert found["problem"].keys() == PROBLEM_KEYS


def test_predict_inside_the_calibrated_box_is_no_extrapolation() -> None:
    found = document_of(invoke("predict", "critical-size", "--modulus", "23", "--width", "48", "--json"))
    assert found["critical_size"]["extrapolated"] is False


def test_isomorphic_tasks_have_one_prediction() -> None:
    sizes = {
        task: document_of(invoke("predict", "critical-size", "--task", task, "--modulus", modulus, "--json"))
        for task, modulus in (("add", "30"), ("sub", "30"), ("mul", "31"), ("div", "31"))
    }
    assert len({found["critical_size"]["value"] for found in sizes.values()}) == 1


def test_a_wider_level_gives_a_wider_interval() -> None:
    narrow, wide = (
        document_of(invoke("predict", "critical-size", "--level", level, "--json"))["critical_size"]["interval"]
        for level in ("0.5", "0.95")
    )
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


@pytest.mark.slow
def test_explain_prints_equations_beside_the_json() -> None:
    result = invoke("predict", "critical-size", "--explain", "--json")
    assert json.loads(result.stdout)["critical_size"]["value"] > 0
    assert "D_crit" in result.stderr


BAD = [
    (["predict", "critical-size", "--modulus", "2"], "--modulus must be an integer of at least 3, got 2"),
    (["predict", "critical-size", "--modulus", "9", "--task", "mul"], "--modulus must be prime for task 'mul', got 9"),
    (["predict", "critical-size", "--modulus", "7.5"], "'--modulus': must be an integer, got '7.5'"),
    (["train", *TINY, "--n-train", "many"], "'--n-train': must be an integer, got 'many'"),
    (["measure", "critical-size", "--tolerance", "fine"], "'--tolerance': must be a number, got 'fine'"),
    (["predict", "critical-size", "--width", "0"], "--width must be an integer of at least 1, got 0"),
    (["predict", "critical-size", "--weight-decay", "-1"], "--weight-decay must be a finite number above 0, got -1.0"),
    (["predict", "critical-size", "--weight-decay", "nan"], "--weight-decay must be a finite number above 0, got nan"),
    (["predict", "critical-size", "--task", "ad"], "the nearest is 'add'"),
    (["predict", "critical-size", "--level", "1"], "--level must be between 0 and 1, got 1.0"),
    (["predict", "critical-size", "--model", "transformer", "--activation", "square"], "No calibration ships"),
    (["predict", "critical-size", "--calibration", "nowhere.json"], "nowhere.json"),
    (["train", *TINY, "--n-train", "26"], "--n-train must be at most 25, the number of pairs"),
    (["train", *TINY, "--n-train", "10", "--seeds", "0"], "--seeds must be an integer of at least 1, got 0"),
    (["train", *TINY, "--n-train", "10", "--workers", "-1"], "--workers must be an integer of at least 0, got -1"),
    (["train", *TINY, "--n-train", "10", "--steps", "-1"], "--steps must be an integer of at least 0, got -1"),
    (["train", *TINY, "--n-train", "10", "--depth", "2"], "--depth must be 1 for model 'mlp', got 2"),
    (["measure", "critical-size", "--tolerance", "0"], "--tolerance must be a finite number above 0, got 0.0"),
    (["validate", "quick", "--claim", "nonsense"], "--claim must be one of"),
    (["figure", "nonsense"], "must be one of critical-sizes"),
    (["runs", "list", "--store", "nowhere"], "--store must be a folder that holds runs, got nowhere"),
]


@bad_words(BAD)
def test_bad_input_is_one_sentence_exit_2_and_nothing_written(words: list[str], sentence: str, alone: Path) -> None:
    check_refused(invoke(*words), sentence, alone)


@pytest.mark.parametrize(
    "words",
    [
        ["train", *TINY, "--n-train", "10", "--store", "file/runs"],
        ["validate", "quick", "--out", "file/out"],
        ["calibrate", "--out", "file/out.json"],
    ],
    ids=lambda words: words[0],
)
def test_an_unwritable_place_is_refused_before_anything_is_computed(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("a file is no folder", encoding="utf-8")
    result = invoke(*words)
    assert result.exit_code == 2, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_corrupt_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text('{"format": 1}', encoding="utf-8")
    result = invoke("predict", "critical-size", "--calibration", str(path))
    assert result.exit_code == 2
    assert "--calibration must be" in result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Result, Path]:
    store = tmp_path_factory.mktemp("train") / "runs"
    words = ["train", *TINY, "--n-train", "10", "--n-train", "20", "--seeds", "2", "--steps", "60", "--workers", "1"]
    words += ["--store", str(store), "--json"]
    return words, invoke(*words), store


def test_train_tells_every_run(trained: tuple[list[str], Result, Path]) -> None:
    _, result, _ = trained
    found = document_of(result)
    assert [(run["n_train"], run["seed"]) for run in found["runs"]] == [(10, 0), (10, 1), (20, 0), (20, 1)]
    assert all(run["steps"] == 60 and run["ending"] == "horizon" for run in found["runs"])
    assert found["seconds_per_step"] > 0
    assert found["model_steps_per_second"] == pytest.approx(1 / found["seconds_per_step"])
    assert found["flops_per_step"] == 6 * 15 * 4 * 5  # 6·D·H·C, as many steps at D = 10 as at 20
    assert found["peak_memory_bytes"] > 10 << 20


def test_a_rerun_trains_nothing(trained: tuple[list[str], Result, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    words, first, _ = trained
    monkeypatch.setattr("dcrit.empirics.training.executor.train", lambda *_, **__: pytest.fail("trained again"))
    assert json.loads(invoke(*words).stdout)["runs"] == json.loads(first.stdout)["runs"]


def test_a_file_cut_short_is_found_and_its_runs_are_made_again(
    trained: tuple[list[str], Result, Path],
) -> None:
    words, first, store = trained
    assert document_of(invoke("runs", "verify", "--store", str(store), "--json"))["damaged"] == []
    victim = next(store.glob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-20])
    verdict = invoke("runs", "verify", "--store", str(store), "--json")
    assert verdict.exit_code == 1
    assert [entry["file"] for entry in json.loads(verdict.stdout)["damaged"]] == [str(victim)]
    assert json.loads(invoke(*words).stdout)["runs"] == json.loads(first.stdout)["runs"]
    assert document_of(invoke("runs", "verify", "--store", str(store), "--json"))["damaged"] == []


def test_multitask_runs_in_the_same_folder_are_sound(tmp_path: Path) -> None:
    several = beside_facts(Problem(modulus=5, width=4, learning_rate=0.5), n_train=15, n_facts=6)
    with open_runs(tmp_path, Machine(workers=1), display=False) as bench:
        bench.multitask([several], stage="several tasks")
    found = document_of(invoke("runs", "verify", "--store", str(tmp_path), "--json"))
    assert (found["damaged"], found["n_runs"], found["n_files"]) == ([], 1, 1)
    assert document_of(invoke("runs", "list", "--store", str(tmp_path), "--json"))["n_runs"] == 0


def test_runs_are_listed_and_exported(trained: tuple[list[str], Result, Path], tmp_path: Path) -> None:
    _, _, store = trained
    listing = document_of(invoke("runs", "list", "--store", str(store), "--json"))
    assert (listing["n_runs"], len(listing["problems"])) == (4, 1)
    out = tmp_path / "curves.csv"
    assert invoke("runs", "export", "--store", str(store), "--out", str(out)).exit_code == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) > 4 * 10


def test_measure_answers_in_the_keys_of_the_contract(tmp_path: Path) -> None:
    words = ["measure", "capacity", "--modulus", "7", "--width", "2", "--learning-rate", "0.1", "--seeds", "2"]
    found = document_of(invoke(*words, "--store", str(tmp_path / "runs"), "--workers", "1", "--json"))
    assert found.keys() == {"problem", "capacity", "bits_per_parameter"}
    size = found["capacity"]
    assert size["interval"]["low"] <= size["value"] <= size["interval"]["high"]


@pytest.mark.slow
def test_validate_writes_report_and_figures_and_says_the_same_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Forty time constants of a fast decay are a hundred steps: the whole path in seconds.
    small = miniature_suite(Problem(modulus=7, width=16, learning_rate=0.05, weight_decay=4.0), blocks=2)
    stand_in(monkeypatch, quick=small)
    words = ["validate", "quick", "--out", str(tmp_path), "--workers", "1", "--json"]
    found = document_of(invoke(*words))
    assert {claim["id"] for claim in found["claims"]} == {claim.id for claim in small.claims}
    for claim in found["claims"]:
        assert {"id", "statement", "claimed", "measured", "interval", "verdict"} <= claim.keys()
        assert claim["verdict"] in ("supported", "refuted", "inconclusive")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == found
    drawn = {claim["id"] for claim in found["claims"] if any(row["measured"] is not None for row in claim["rows"])}
    assert len(drawn) >= 2
    for suffix in ("png", "svg"):
        assert {path.stem for path in (tmp_path / "figures").glob(f"*.{suffix}")} == drawn
    again = document_of(invoke(*words))
    assert again["claims"] == found["claims"]
    assert validate_command.SuiteChoice.quick.value in suites.SUITE_NAMES
