"""Bad input in full, what streams hold, and answers that are outcomes of their own, through typer's runner."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import Result

from dcrit.cli.app import app
from dcrit.empirics.claims import suites
from dcrit.empirics.store import store as parquet_store
from dcrit.empirics.training import executor
from dcrit.figures import FIGURES
from dcrit.theory.calibrations.calibration import Calibration, shipped_calibrations
from dcrit.theory.calibrations.track_record import TrackRecord
from dcrit.theory.problems.problem import Problem
from tests.worlds.command_line import document_of, invoking
from tests.worlds.miniature import capacities_of, miniature_suite, stand_in
from tests.worlds.stored import count_decoded

TINY = ["--modulus", "5", "--width", "4"]
SIZE = ["--n-train", "10"]
FAST = ["--learning-rate", "0.1", "--weight-decay", "4"]
PREDICT, TRAIN = ["predict", "critical-size"], ["train", *TINY]


invoke = invoking(app)


def only_sentence(result: Result) -> str:
    """What the one box on standard error says, below how to call the command."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("╭─ Error"))
    assert all(line.startswith(("Usage:", "Try ")) for line in lines[:start] if line.strip())
    *inside, last = lines[start + 1 :]
    assert last.startswith("╰")
    assert all(line.startswith("│") and line.endswith("│") for line in inside)
    return " ".join(line.strip("│").strip() for line in inside)


BAD = [
    ([*PREDICT, "--modulus", "4", "--task", "mul"], "--modulus must be .*prime .*got 4"),
    ([*PREDICT, "--modulus", "2", "--task", "mul"], "--modulus must be .* got 2"),
    ([*PREDICT, "--task", "aad"], "--task must be one of add, .*, got 'aad'; the nearest is 'add'"),
    ([*PREDICT, "--task", "squares-of-sums"], "the nearest is 'square-of-sum'"),
    ([*PREDICT, "--learning-rate", "inf"], "--learning-rate must be a finite number above 0, got inf"),
    ([*PREDICT, "--learning-rate", "0"], "--learning-rate must be a finite number above 0, got 0.0"),
    ([*PREDICT, "--beta2", "1"], "--beta2 must be a number above 0 and below 1, got 1.0"),
    ([*PREDICT, "--epsilon", "0"], "--epsilon must be a finite number above 0, got 0.0"),
    ([*PREDICT, "--activation", "gelu"], "'--activation'.*relu, square, got 'gelu'"),
    ([*PREDICT, "--level", "0"], "--level must be between 0 and 1, got 0.0"),
    ([*PREDICT, "--level", "nan"], "--level must be between 0 and 1, got nan"),
    ([*PREDICT, "--level", "90"], "--level must be between 0 and 1, got 90.0"),
    ([*PREDICT, "--model", "transformer", "--width", "6"], "--width must be a multiple of .*, got 6"),
    ([*PREDICT, "--colour", "red"], "No such option: --colour$"),
    (["predict", "phase-diagram", "-w", "32"], r"No such option: -w\. Did you mean --min-width or --max-width\?$"),
    ([*PREDICT, "--lr", "1"], r"No such option: --lr\. Did you mean --learning-rate\?$"),
    ([*PREDICT, "--hidden-size=32"], r"No such option: --hidden-size\. Did you mean --width\?$"),
    ([*PREDICT, "-m", "mlpp"], "must be one of mlp, transformer, got 'mlpp'; the nearest is 'mlp'$"),
    ([*TRAIN, "--epochs", "100"], r"No such option: --epochs\. Did you mean --horizon or --steps\?$"),
    ([*TRAIN, "--train-fraction", "0.3"], r"Did you mean --n-train\?$"),
    (["predict", "--modulus", "59"], "Options follow the name of a command; .*predict --help lists them"),
    (["predict", "critical-sise"], "Did you mean 'critical-size'"),
    (["reproduce", "huang3a"], "NAME must be one of .*; the nearest is 'huang-3a'$"),
    (["validate", "quik"], "got 'quik'; the nearest is 'quick'$"),
    (["validate", "quick", "--claim", "ungroking"], "in suite quick, got 'ungroking'; the nearest is 'ungrokking'$"),
    (["validate", "quick", "--claim", "dcrit-predictd"], "the nearest is 'dcrit-predicted', a claim of standard"),
    ([*PREDICT, "--calibration", "."], r"--calibration must be a file that can be read, got \."),
    ([*TRAIN], "Missing option '--n-train'"),
    ([*TRAIN, "--n-train", "0"], "--n-train must be an integer of at least 1, got 0"),
    ([*TRAIN, "--n-train", "10", "--n-train", "26"], "--n-train must be at most 25, .*, got 26"),
    (["train", *SIZE, "--model", "transformer", "--width", "6"], "--width must be a multiple of the .*, got 6"),
    ([*TRAIN, *SIZE, "--precision", "float16"], "'--precision'.*'float16'"),
    ([*TRAIN, *SIZE, "--device", "tpu"], "'--device'.*'tpu'"),
    (["measure", "critical-size", "--max-runs", "0"], "--max-runs must be an integer of at least 1, got 0"),
    (["measure", "capacity", "--seeds", "0"], "--seeds must be an integer of at least 1, got 0"),
    (["measure", "efficiency", "--modulus", "1"], "--modulus must be an integer of at least 3, got 1"),
    (["measure", "efficiency", "--model", "transformer", "--width", "6"], "--width must be a multiple of .*, got 6"),
    (["measure", "homogeneity", "--seeds", "0"], "--seeds must be an integer of at least 1, got 0"),
    (["calibrate", "--out", "new/c.json", "--width", "0"], "--width must be an integer of at least 1, got 0"),
    (["calibrate", "--out", "new/c.json", "--modulus", "13"], "--modulus must be given at least 2 different values"),
    (["calibrate", "--out", "new/c.json", "--width", "16"], "--width must be given at least 3 different values"),
    (["calibrate", "--out", "new/c.json", "--workers", "-1"], "--workers must be an integer of at least 0, got -1"),
    (["train", *SIZE, "--model", "rnn"], "'--model': must be one of mlp, transformer, got 'rnn'"),
    (
        ["train", *TINY, *SIZE, "--precision", "float16"],
        "'--precision': must be one of float32, float64, got",
    ),
    (
        ["measure", "efficiency", "--task", "random"],
        "--task must have .*, got 'random': its labels are random",
    ),
    (["calibrate", "--out", "new", "--task", "random"], "--task must have a rule to generalize to, got 'random'"),
    (["validate", "long"], "'suite': must be one of quick, standard, paper, got 'long'"),
    (["validate", "quick", "--out", "new", "--workers", "-1"], "--workers must be an integer of at least 0, got -1"),
    (
        ["validate", "quick", "--out", "new", "--claim", "four"],
        "--claim must be one of .* in suite quick, got 'four'",
    ),
    (["runs", "verify", "--store", "none"], "--store must be a folder that holds runs, got none"),
    (["figure", "dynamics", "--store", "none", "--out", "new"], "--store must be a folder .*, got none"),
    (["train", *TINY, *SIZE, "--store", "file/runs"], "--store must be a folder .*, got file/runs: Not a directory"),
    (["validate", "quick", "--out", "file/new"], "--out must be a folder .*, got file/new: Not a directory"),
    (["calibrate", "--out", "file/c.json"], "--out must be a file .*, got file/c.json: "),
    (["runs", "export", "--store", "empty", "--out", "file/c.csv"], "--out must be a file .*, got file/c.csv"),
    (["runs", "export", "--store", "empty", "--out", "new/c.txt"], "--out must end in .csv or .parquet, got new/c.txt"),
    (["calibrate", "--out", "new/c.json", "--store", "file"], "--store must be a folder .*, got file"),
    (["calibrate", "--out", "empty"], "--out must be a file .*, got empty, which is something else"),
    (["validate", "quick", "--out", "new", "--store", "file"], "--store must be a folder .*, got file"),
    (["validate", "quick", "--out", "new", "--budget", "soon"], "'--budget': must be a number, got 'soon'"),
    (["measure", "capacity", "--seeds", "1000000000"], "'--seeds': must be an integer of at most 10000, got"),
    (
        ["measure", "efficiency", "--weight-decay", "1e-12"],
        "--weight-decay must be at least 4e-07/η beside --learning-rate 0.01",
    ),
    (["train", *SIZE, "--modulus", "99991"], "--modulus must make at most 10000000 pairs to be trained on, got 99991"),
    ([*PREDICT, "--modulus", "9" * 5000], "'--modulus': must be an integer, got '9+…9+'"),
    ([*PREDICT, "--model", "\x1b[31mred"], r"got '\\x1b\[31mred'"),
    (["runs", "list", "--store", "x" * 300], "--store must be a path made of names of at most 255 bytes, got"),
    (["measure", "capacity", *TINY, "--store", "file"], "--store must be a folder .*, got file"),
]


def inventory(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file, below which nothing can be written even by root, and an empty folder."""
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("words", "says"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_sentence_and_nothing_else(words: list[str], says: str, place: Path) -> None:
    before = inventory(place)
    assert re.search(says, only_sentence(invoke(*words)))
    assert inventory(place) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="speaks of machines without CUDA")
def test_cuda_is_refused_where_there_is_none(place: Path) -> None:
    before = inventory(place)
    sentence = only_sentence(invoke(*TRAIN, *SIZE, "--device", "cuda"))
    assert re.search("--device must be 'cpu' or 'auto' on this machine, got 'cuda'", sentence)
    assert inventory(place) == before


def test_a_composite_modulus_says_why_it_makes_no_group() -> None:
    assert "group" in only_sentence(invoke(*PREDICT, "--modulus", "9", "--task", "mul"))


@pytest.mark.parametrize("word", ["transformer", "cubic"])
def test_where_no_calibration_ships_the_way_out_is_named(word: str) -> None:
    asked = ["--model", word, "--activation", "square"] if word == "transformer" else ["--task", word]
    sentence = only_sentence(invoke(*PREDICT, *asked))
    assert "No calibration ships" in sentence
    assert f"'{word}'" in sentence
    assert "dcrit calibrate" in sentence


def altered(change: Callable[[dict[str, Any]], None]) -> bytes:
    fields = json.loads(shipped_calibrations()[0].to_json())
    change(fields)
    return json.dumps(fields).encode()


CORRUPT = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[1, 2]",
    "no text": b"\xff\xfe\x00",
    "other format": altered(lambda fields: fields.update(format=99)),
    "no cells": altered(lambda fields: fields.update(cells=[])),
    "no number": altered(lambda fields: fields["cells"][0].__setitem__(5, "x")),
    "a field is missing": altered(lambda fields: fields.pop("activation")),
    "short row": altered(lambda fields: fields["cells"][0].pop()),
}


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_calibration_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    assert "--calibration must be a" in only_sentence(invoke(*PREDICT, "--calibration", str(path)))


def test_a_calibration_for_something_else_is_refused(tmp_path: Path) -> None:
    relu = next(one for one in shipped_calibrations() if one.activation == "relu")
    path = tmp_path / "calibration.json"
    path.write_text(relu.to_json(), encoding="utf-8")
    assert document_of(invoke(*PREDICT, "--activation", "relu", "--calibration", str(path), "--json"))["critical_size"]
    assert "--calibration must be for task 'add'" in only_sentence(invoke(*PREDICT, "--calibration", str(path)))


def test_answers_for_people_hold_the_numbers_of_the_document() -> None:
    found = document_of(invoke(*PREDICT, "--modulus", "23", "--json"))
    text = invoke(*PREDICT, "--modulus", "23").stdout
    size = found["critical_size"]
    assert f" {size['value']:.0f} " in text
    assert f"{size['interval']['low']:.0f} – {size['interval']['high']:.0f}" in text
    assert size["level"] == 0.9
    name, ranges = found["calibration"].removesuffix(")").split(" (", 1)
    told = " ".join(text.split())
    assert f"calibration: {name} (" in told
    assert all(one in told for one in ("circuits at rest: ", ranges.split(",")[0]))


# --- training ---


def test_a_document_on_one_stream_and_progress_on_the_other(tmp_path: Path) -> None:
    words = [*TRAIN, *SIZE, "--steps", "20", "--seeds", "2", "--workers", "1", "--store", str(tmp_path), "--json"]
    result = invoke(*words)
    found = document_of(result)
    assert found["seconds_per_step"] > 0
    assert result.stderr.startswith("training: 2 runs, 0 of them stored before")
    again = invoke(*words)
    # Memory is that of the process that reports it.
    assert document_of(again) | {"peak_memory_bytes": 0} == found | {"peak_memory_bytes": 0}
    assert again.stderr == ""


def test_without_unseen_pairs_or_numbers_no_dynamics_is_named(tmp_path: Path) -> None:
    words = [*TRAIN, "--steps", "20", "--seeds", "1", "--workers", "1", "--store", str(tmp_path), "--json"]
    (full,) = document_of(invoke(*words, "--n-train", "25"))["runs"]
    assert (full["dynamics"], full["test_accuracy"], full["ending"]) == (None, None, "horizon")
    (part,) = document_of(invoke(*words, "--n-train", "24"))["runs"]
    assert (part["dynamics"], part["converged"]) == ("unsettled", False)  # 20 steps are a fortieth of the horizon
    (lost,) = document_of(invoke(*words, "--n-train", "24", "--learning-rate", "1e30", "--weight-decay", "1e-30"))[
        "runs"
    ]
    assert (lost["dynamics"], lost["train_accuracy"], lost["ending"]) == (None, None, "diverged")


@pytest.mark.slow
def test_a_measured_critical_size_or_its_absence_has_the_same_keys(tmp_path: Path) -> None:
    words = ["measure", "critical-size", *TINY, *FAST, "--store", str(tmp_path)]
    found = document_of(invoke(*words, "--workers", "1", "--json"))
    size = found["critical_size"]
    assert (size["value"], size["interval"], size["level"], size["n_runs"]) == (None, None, 0.9, 6)
    assert size["reason"].startswith("no transition")
    assert found["problem"]["modulus"] == 5


@pytest.mark.slow
def test_a_maximum_of_runs_counts_probes_and_no_more_are_made(tmp_path: Path) -> None:
    words = ["measure", "critical-size", *TINY, *FAST, "--tolerance", "0.0001", "--workers", "1", "--json"]
    for max_runs in (3, 8, 12):
        folder = tmp_path / str(max_runs)
        found = document_of(invoke(*words, "--max-runs", str(max_runs), "--store", str(folder)))
        assert document_of(invoke("runs", "list", "--store", str(folder), "--json"))["n_runs"] <= max_runs
        assert found["critical_size"]["n_runs"] <= max(0, max_runs - 6)


@pytest.mark.slow
def test_a_measured_efficiency_or_its_absence_comes_with_its_runs(tmp_path: Path) -> None:
    words = ["measure", "efficiency", *TINY, *FAST, "--seeds", "1", "--store", str(tmp_path), "--workers", "1"]
    found = document_of(invoke(*words, "--json"))
    assert {"generalizing_efficiency", "implied_critical_size", "mixing", "norms"} <= found.keys()
    assert len(found["runs"]) == 11
    assert {run["task"] for run in found["runs"]} == {"add", "random"}
    assert (found["generalizing_efficiency"]["value"] is None) == bool(found["generalizing_efficiency"]["reason"])
    text = invoke(*words)
    assert (text.exit_code, text.stderr) == (0, "")


@pytest.mark.slow
def test_runs_that_make_no_calibration_fail_and_write_none(tmp_path: Path) -> None:
    words = [
        "calibrate",
        "--learning-rate",
        "0.5",
        "--weight-decay",
        "4",
        "--seeds",
        "1",
        "--store",
        str(tmp_path / "runs"),
        "--workers",
        "1",
    ]
    for option, values in (("--modulus", ("3", "5", "6", "7")), ("--width", ("1", "2", "3", "4"))):
        for value in values:
            words += [option, value]
    result = invoke(*words, "--out", str(tmp_path / "c.json"))
    assert result.exit_code == 1
    assert isinstance(result.exception, RuntimeError)
    assert "the runs do not make a calibration" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


# --- a validation ---


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], Result, Path]]:
    """A suite whose horizon is a hundred steps, under the name of the quick one; figures are drawn of it as well."""
    out = tmp_path_factory.mktemp("validate") / "out"
    problem = Problem(modulus=7, width=8, learning_rate=0.1, weight_decay=4.0)
    words = ["validate", "quick", "--out", str(out), "--workers", "1", "--json"]
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, quick=miniature_suite(problem))
        patch.setitem(FIGURES, "capacity", replace(FIGURES["capacity"], experiment=capacities_of(problem)))
        yield words, invoke(*words), out


@pytest.mark.slow
def test_a_validation_answers_in_the_keys_of_the_contract(validated: tuple[list[str], Result, Path]) -> None:
    _, result, out = validated
    found = document_of(result)
    assert [claim["id"] for claim in found["claims"]] == [claim.id for claim in suites.suite_of("quick").claims]
    for claim in found["claims"]:
        assert {"id", "statement", "claimed", "measured", "interval", "verdict"} <= claim.keys()
        assert claim["verdict"] in ("supported", "refuted", "inconclusive")
        assert claim["n_runs"] > 0
        assert claim["training_seconds"] > 0
        assert claim["reason"]
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == found
    assert "fresh seeds: " in result.stderr


@pytest.mark.slow
def test_claims_are_judged_alone_without_training_again(
    validated: tuple[list[str], Result, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, first, out = validated
    monkeypatch.setattr(executor, "train", lambda *_, **__: pytest.fail("trained again"))
    names = ["few-fail", "efficiency-falls"]
    chosen = document_of(invoke(*words, "--claim", names[0], "--claim", names[1]))
    claims = {claim["id"]: claim for claim in document_of(first)["claims"]}
    # Beside fewer claims what is needed differs, and with it a ruling may.
    beside = {"e_needed", "verdict", "reason"}
    for claim, name in zip(chosen["claims"], names, strict=True):
        assert {key: value for key, value in claim.items() if key not in beside} == {
            key: value for key, value in claims[name].items() if key not in beside
        }
    assert len(list(out.glob("runs/*.parquet"))) > 0


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the runs of each file are decoded; no store keeps more than one file's."""
    monkeypatch.setattr(parquet_store, "CACHE_BYTES", 0)
    return count_decoded(monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("claim", ["few-fail", "efficiency-falls"])
def test_a_claim_decodes_each_stored_file_once(
    validated: tuple[list[str], Result, Path], claim: str, decoded: Counter[str]
) -> None:
    words, _, _ = validated
    document_of(invoke(*words, "--claim", claim))
    assert set(decoded.values()) == {1}


@pytest.mark.slow
def test_a_measurement_decodes_each_stored_file_once(tmp_path: Path, decoded: Counter[str]) -> None:
    words = ["measure", "critical-size", *TINY, *FAST, "--store", str(tmp_path), "--json"]
    first = document_of(invoke(*words))
    decoded.clear()
    assert document_of(invoke(*words)) == first
    assert decoded == {path.name: 1 for path in tmp_path.glob("*.parquet")}
    assert len(decoded) > 1
    for command in ("efficiency", "capacity"):
        words = ["measure", command, *TINY, *FAST, "--store", str(tmp_path / command), "--json"]
        first = document_of(invoke(*words))
        decoded.clear()
        assert document_of(invoke(*words)) == first
        assert decoded == {path.name: 1 for path in (tmp_path / command).glob("*.parquet")}, command


@pytest.mark.slow
def test_a_figure_trains_its_runs_where_it_is_told_to_and_draws_them_again_without(
    validated: tuple[list[str], Result, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, out = validated
    words = ["figure", "capacity", "--store", str(out / "runs"), "--out", str(tmp_path), "--json"]
    first = document_of(invoke(*words, "--train", "--workers", "1"))
    monkeypatch.setattr(executor, "train", lambda *_, **__: pytest.fail("trained again"))
    found = document_of(invoke(*words))
    assert found == first
    assert sorted(Path(path).name for path in found["files"]) == ["capacity.png", "capacity.svg"]
    assert all(Path(path).stat().st_size > 1000 for path in found["files"])


@pytest.mark.slow
def test_a_figure_of_runs_that_are_not_there_says_who_makes_them(
    validated: tuple[list[str], Result, Path], place: Path
) -> None:
    del validated  # Only its suite is needed.
    sentence = only_sentence(invoke("figure", "capacity", "--store", "empty", "--out", "out"))
    assert re.search(
        r"--store must be a folder with the runs for .*, got empty, which lacks \d+ of them: 'dcrit figure capac",
        sentence,
    )
    assert list((place / "empty").iterdir()) == []


@pytest.mark.slow
def test_a_figure_of_a_suite_that_has_no_part_of_it_is_refused(
    validated: tuple[list[str], Result, Path], place: Path
) -> None:
    del validated  # Its experiments have designs for the quick suite alone.
    before = inventory(place)
    sentence = only_sentence(invoke("figure", "capacity", "--suite", "paper", "--out", "out"))
    assert "--suite must be one of quick for figure capacity, got 'paper'" in sentence
    assert inventory(place) == before


@pytest.mark.slow
def test_every_shipped_calibration_answers_through_the_command() -> None:
    answered: list[Calibration] = []
    for one in shipped_calibrations():
        for task in one.tasks:
            modulus = "31" if task in ("mul", "div") else "30"
            family = ["--model", one.model, "--activation", one.activation, "--learning-rate", str(one.learning_rate)]
            found = document_of(invoke(*PREDICT, "--task", task, "--modulus", modulus, *family, "--json"))
            assert found["calibration"] == one.name
        answered.append(one)
    assert answered


def test_a_prediction_whose_like_failed_before_says_so_beside_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "unreliable" not in invoke(*PREDICT, "--modulus", "31", "--width", "64").stdout
    record = TrackRecord(n_configurations=3, median_error=0.2, worst_error=0.3, bias=-0.2, n_inside=1)
    monkeypatch.setattr("dcrit.theory.calibrations.track_record.track_record", lambda _: record)
    told = " ".join(invoke(*PREDICT, "--modulus", "31", "--width", "64").stdout.split())
    assert "unreliable" in told
    assert "1 of 3 inside the 90 % interval" in told


def test_a_transformer_from_scratch_is_told_apart_from_circuits_at_rest() -> None:
    family = ["--model", "transformer", "--activation", "relu", "--learning-rate", "0.003", "--width", "24"]
    found = document_of(invoke(*PREDICT, "--modulus", "31", *family, "--json"))
    names = ("at_rest", "symmetric_size", "critical_size", "onset", "completion")
    at_rest, symmetric, critical, onset, completion = (found[name]["value"] for name in names)
    assert at_rest < critical
    assert at_rest < symmetric
    assert onset < critical < completion
    assert "D_sym" in invoke(*PREDICT, "--modulus", "31", *family).stdout
    alone = document_of(invoke(*PREDICT, "--modulus", "31", "--width", "64", "--json"))
    assert "symmetric_size" not in alone
    assert alone["at_rest"]["value"] < alone["critical_size"]["value"]
    sooner = document_of(invoke(*PREDICT, "--modulus", "31", "--width", "64", "--horizon", "1000", "--json"))
    assert sooner["critical_size"]["horizon"] == 1000
    assert sooner["critical_size"]["value"] > alone["critical_size"]["value"]
    assert sooner["at_rest"] == alone["at_rest"]
    earlier = document_of(invoke(*PREDICT, "--modulus", "31", *family, "--horizon", "1000", "--json"))
    assert earlier["critical_size"]["horizon"] == 1000
    assert earlier["critical_size"]["value"] > critical
