"""Tasks whose symbols or classes are no residues, through the commands that train."""

import json
from pathlib import Path
from typing import Any

import pytest

from dcrit.cli.app import app
from tests.worlds.command_line import invoking

FAST = ["--width", "8", "--learning-rate", "0.5", "--workers", "1"]


invoke = invoking(app, columns=200)


@pytest.mark.parametrize(
    ("task", "modulus", "n_train"), [("symmetric-group", "4", "300"), ("sparse-parity", "8", "100")]
)
def test_they_train(tmp_path: Path, task: str, modulus: str, n_train: str) -> None:
    chosen = ["--task", task, "--modulus", modulus, "--n-train", n_train, "--seeds", "2"]
    result = invoke("train", *chosen, *FAST, "--store", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["problem"]["task"] == task
    assert [run["n_train"] for run in found["runs"]] == [int(n_train)] * 2
    assert all(0 <= run["test_accuracy"] <= 1 for run in found["runs"])


def measured(what: str, folder: Path, *more: str) -> dict[str, Any]:
    chosen = ["--task", "sparse-parity", "--modulus", "8", "--width", "16", "--learning-rate", "0.05"]
    result = invoke("measure", what, *chosen, *more, "--store", str(folder), "--workers", "1", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
def test_the_critical_size_of_parity_is_measured(tmp_path: Path) -> None:
    found = measured("critical-size", tmp_path, "--max-runs", "18")
    # Below the first sizes that are looked at, or nearly so: a few times the 16 symbols.
    assert 16 < found["critical_size"]["value"] < 64


@pytest.mark.slow
def test_the_efficiency_of_parity_is_measured_against_random_bits(tmp_path: Path) -> None:
    found = measured("efficiency", tmp_path, "--seeds", "1")
    tasks = [run["task"] for run in found["runs"]]
    assert set(tasks) == {"random-binary", "sparse-parity"}
    best = {task: max(run["efficiency"] for run in found["runs"] if run["task"] == task) for task in set(tasks)}
    smallest = {task: min(run["efficiency"] for run in found["runs"] if run["task"] == task) for task in set(tasks)}
    # Learning the rule costs the same for any number of examples, memorizing bits costs more and more.
    assert best["sparse-parity"] < 2 * smallest["sparse-parity"]
    assert best["random-binary"] > 3 * smallest["random-binary"]


@pytest.mark.parametrize(
    ("task", "modulus", "says"),
    [
        ("symmetric-group", "6", "--modulus must be a number of permuted things from 3 to 5 for task"),
        ("sparse-parity", "7", "--modulus must be an even number of bits from 6 to 12 for task 'sparse-parity', got 7"),
    ],
)
def test_moduli_that_are_none_are_refused(task: str, modulus: str, says: str) -> None:
    result = invoke("train", "--task", task, "--modulus", modulus, "--n-train", "5")
    assert result.exit_code == 2
    assert says in " ".join(result.output.replace("│", " ").split())
