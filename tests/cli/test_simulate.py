"""``simulate`` and ``predict delay`` through typer's runner, on an app of their own."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import Result

from dcrit.api.predictions import SIZES
from dcrit.cli import simulate
from dcrit.cli.predict import delay
from dcrit.theory.predictions.simulation import flow_at
from dcrit.theory.predictions.simulation import simulate as simulated
from dcrit.theory.problems.problem import Problem
from tests.worlds.command_line import document_of, invoking
from tests.worlds.theory import EXACT

app = typer.Typer()
app.command("simulate")(simulate.simulate)
app.command("delay")(delay.delay)

BOTH = pytest.mark.parametrize("command", ["simulate", "delay"])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A calibration file with laws that are known exactly."""
    path = tmp_path_factory.mktemp("known") / "calibration.json"
    path.write_text(EXACT.calibrate(np.random.default_rng(0)).to_json(), encoding="utf-8")
    return str(path)


invoke = invoking(app)


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, (int, float)) else []


@pytest.mark.parametrize(
    ("words", "caveat"),
    [
        (("--modulus", "31", "--n-train", "400"), True),  # The rule takes over.
        (("--modulus", "31", "--n-train", "100"), False),  # Memory stays.
        (("--modulus", "31", "--n-train", "400", "--model", "transformer", "--width", "24"), False),
    ],
)
def test_a_falling_norm_of_a_pair_mlp_is_said_to_be_wrong(words: tuple[str, ...], caveat: bool) -> None:
    found = document_of(invoke("simulate", *words, "--json"))
    norm = found["curves"]["squared_norm"]
    if caveat:
        assert norm[-1] < 0.99 * max(norm)
        assert "trained pair-MLPs goes on rising" in found["norm_caveat"]
    else:
        assert found["norm_caveat"] == ""
    said = " ".join(invoke("simulate", *words).stdout.split())
    assert ("trained pair-MLPs goes on rising" in said) == caveat


def test_curves_are_those_of_the_library(known: str) -> None:
    found = document_of(invoke("simulate", "--n-train", "300", "--modulus", "23", "--calibration", known, "--json"))
    laws = EXACT.competition(Problem(), np.random.default_rng(0))
    expected = simulated(flow_at(Problem(), laws, 300))
    for name, values in found["curves"].items():
        assert values == pytest.approx(getattr(expected, name).tolist(), rel=1e-3), name
    assert found["horizon"] == found["curves"]["steps"][-1] == 4000
    assert found["curves"]["steps"][0] == 0
    assert found["delay"] == pytest.approx(found["generalized_at"] - found["memorized_at"])
    assert found["critical_size"]["interval"]["low"] <= found["critical_size"]["value"]
    assert found["hysteresis"] is found["out"] is None
    assert all(map(math.isfinite, numbers(found)))


def test_horizon_and_circuits_can_be_chosen(known: str) -> None:
    words = ["--n-train", "200", "--modulus", "23", "--calibration", known, "--steps", "50", "--json"]
    found = document_of(invoke("simulate", *words, "--circuits", "additive"))
    assert found["horizon"] == found["curves"]["steps"][-1] == 50
    assert found["circuits"] == "additive"
    assert found["generalized_at"] is None
    assert found["delay"] is None


@pytest.mark.slow
def test_hysteresis_gives_both_ways(known: str) -> None:
    words = ["simulate", "--n-train", "300", "--modulus", "23", "--calibration", known, "--hysteresis"]
    found = document_of(invoke(*words, "--circuits", "additive", "--start-ratio", "0.6", "--json"))["hysteresis"]
    assert len(found["n_trains"]) == len(found["scratch"]) == len(found["ungrokking"]) == SIZES
    assert found["ungrokking_size"] < 0.5 * found["scratch_size"]
    # So unequal a start is never made up for: each way stays what it was.
    told = invoke(*words, "--circuits", "additive")
    assert "below 1/2 at every size from scratch, above 1/2 at every size after shrinking" in told.stdout


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_picture_is_written_whole(known: str, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"curves{ending}"
    words = ["--n-train", "300", "--modulus", "23", "--calibration", known, "--out", str(out)]
    result = invoke("simulate", *words)
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.stat().st_size > 5000
    assert str(out) in result.stdout


def test_decay_that_extinguishes_everything_is_an_outcome(known: str) -> None:
    words = ["--n-train", "300", "--modulus", "23", "--calibration", known, "--weight-decay", "50"]
    found = document_of(invoke("simulate", *words, "--json"))
    assert found["reason"] == "weight decay extinguishes both circuits"
    assert found["curves"]["steps"] == []
    assert invoke("simulate", *words).exit_code == 0
    late = document_of(invoke("delay", *words, "--json"))
    assert late["memorize_steps"]["value"] is None
    assert "weight decay" in late["memorize_steps"]["reason"]


def test_delay_above_and_below_the_transition() -> None:
    above = document_of(invoke("delay", "--n-train", "500", "--json"))
    assert 0 < above["memorize_steps"]["value"] < above["generalize_steps"]["value"]
    assert above["generalize_steps"]["interval"]["low"] <= above["generalize_steps"]["value"]
    assert above["probability"] == 1
    below = document_of(invoke("delay", "--n-train", "60", "--json"))
    assert below["generalize_steps"]["value"] is None
    assert "too few" in below["generalize_steps"]["reason"]
    assert all(map(math.isfinite, numbers(above) + numbers(below)))


@BOTH
@pytest.mark.parametrize(
    ("words", "title", "calibration"),
    [
        ([], "H=64, 400 examples", "add-mlp-square"),
        (["--model", "transformer", "--modulus", "31"], "d=64, 400 examples", "add-transformer-relu"),
    ],
)
def test_people_get_a_table(command: str, words: list[str], title: str, calibration: str) -> None:
    result = invoke(command, "--n-train", "400", *words)
    assert result.exit_code == 0, result.output
    assert title in result.stdout
    assert f"calibration: {calibration}" in result.stdout
    assert "nan" not in result.stdout


@BOTH
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Missing option '--n-train'"),
        (["--n-train", "0"], "--n-train must be an integer of at least 1, got 0"),
        (["--n-train", "530"], "--n-train must be at most 529"),
        (["--n-train", "x"], "must be an integer, got 'x'"),
        (["--n-train", "9", "--task", "random"], "task must have a rule to find, got 'random'"),
        (["--n-train", "9", "--accuracy", "1"], "--accuracy must be between 0 and 1, got 1.0"),
        (["--n-train", "9", "--level", "nan"], "--level must be between 0 and 1, got nan"),
        (["--n-train", "9", "--weight-decay", "0"], "--weight-decay must be a finite number above 0"),
        (["--n-train", "9", "--calibration", "."], "--calibration must be a file that can be read"),
    ],
)
def test_bad_input_is_one_sentence(command: str, words: list[str], sentence: str) -> None:
    refused(invoke(command, *words), sentence)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "curves.txt"], "--out must be a file .* ending in .png"),
        (["--out", "none/curves.png"], "--out must be a file in a folder that exists"),
        (["--steps", "-1"], "--steps must be an integer from 0 to 1000000000, got -1"),
        (["--start-ratio", "0"], "--start-ratio must be a finite number above 0, got 0"),
        (["--circuits", "both"], "'--circuits'.*'both'"),
        (["--model", "transformer", "--start-ratio", "0.2"], "--model must be 'mlp' .*, got 'transformer'"),
    ],
)
def test_bad_options_of_simulate_are_one_sentence(words: list[str], sentence: str) -> None:
    refused(invoke("simulate", "--n-train", "9", *words), sentence)


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert re.search(sentence, " ".join(result.stderr.split())), result.stderr
