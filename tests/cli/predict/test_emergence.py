from pathlib import Path
from typing import Any

import pytest
import typer

from dcrit.cli.predict.emergence import emergence
from dcrit.theory.problems.problem import Problem
from tests.worlds.command_line import document_of, invoking
from tests.worlds.refusals import bad_words, check_refused

app = typer.Typer()
app.command("emergence")(emergence)


invoke = invoking(app)


def document(*words: str) -> dict[str, Any]:
    return document_of(invoke(*words, "--json"))


@pytest.mark.slow
def test_people_read_a_threshold() -> None:
    result = invoke("--n-facts", "40", "--n-train", "300", "--modulus", "23")
    assert result.exit_code == 0, result.output
    assert "D_crit beside 40 facts" in result.stdout
    assert "calibration:" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["square", "relu"])
def test_scripts_read_a_document(activation: str) -> None:
    found = document("--n-facts", "40", "--n-train", "420", "--modulus", "23", "--activation", activation)
    low, high = found["width"]["interval"].values()
    assert low <= found["width"]["value"] <= high
    assert found["n_params"]["value"] == 69 * found["width"]["value"]
    assert found["problem"] == Problem(modulus=23, activation=activation).to_dict()
    assert len(found["widths"]) == len(found["critical_size"]) == len(found["capacity"])
    assert found["level"] == 0.9


@pytest.mark.slow
def test_scripts_read_a_document_of_transformers_with_their_horizon() -> None:
    words = ("--model", "transformer", "--modulus", "31", "--n-train", "600", "--horizon", "5000")
    few, many, far = (document("--n-facts", facts, *words) for facts in ("50", "150", "90000"))
    assert few["horizon"] == few["width"]["horizon"] == 5000
    assert few["width"]["unit"] == "model dimension"
    assert few["width"]["value"] % 4 == 0
    assert few["width"]["value"] <= many["width"]["value"]
    low, high = many["width"]["interval"].values()
    assert low <= many["width"]["value"] <= high
    assert far["width"]["value"] is None
    assert far["width"]["reason"].startswith("cannot tell: ")


@pytest.mark.slow
def test_no_threshold_is_an_answer() -> None:
    found = document("--n-facts", "40", "--n-train", "30")
    assert found["width"]["value"] is None
    assert found["width"]["interval"] is None
    assert "no threshold" in found["width"]["reason"]


@pytest.mark.slow
def test_pictures_are_written_whole(tmp_path: Path) -> None:
    out = tmp_path / "picture.png"
    assert invoke("--n-facts", "40", "--n-train", "300", "--out", str(out)).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


BAD = [
    (["--n-facts", "-1", "--n-train", "300"], "--n-facts must be an integer of at least 0, got -1"),
    (["--n-facts", "x", "--n-train", "300"], "must be an integer, got 'x'"),
    (["--n-facts", "9", "--n-train", "0"], "--n-train must be an integer of at least 1, got 0"),
    (["--n-facts", "9", "--n-train", "530"], "--n-train must be at most 529"),
    (["--n-facts", "9", "--n-train", "300", "--level", "1"], "--level must be between 0 and 1, got 1.0"),
    (
        ["--n-facts", "9", "--n-train", "300", "--model", "transformer", "--activation", "square"],
        "No calibration ships",
    ),
    (["--n-facts", "9", "--n-train", "300", "--out", "picture.txt"], "--out must be a file in a folder that exists"),
]


@bad_words(BAD)
def test_bad_input_is_one_sentence(words: list[str], sentence: str, alone: Path) -> None:
    check_refused(invoke(*words), sentence, alone)
