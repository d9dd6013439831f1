"""``dcrit study``: one's own file through typer's runner, and what is wrong with it in one sentence."""

from pathlib import Path

import pytest

import dcrit
from dcrit.api.own import model_and_data
from dcrit.cli.app import app
from dcrit.theory.checks import FieldError
from tests.worlds.command_line import document_of, invoking

FILE = """
import dcrit
import torch
from helper import WIDTH

inputs, labels = dcrit.sparse_parity(5, 2, 32)


def factory(seed):
    return torch.nn.Sequential(
        torch.nn.Linear(5, WIDTH, bias=False), torch.nn.ReLU(), torch.nn.Linear(WIDTH, 2, bias=False)
    )
"""

invoke = invoking(app, "study", columns=80)


@pytest.fixture
def mine(alone: Path) -> Path:
    """A file beside a module that it imports."""
    (alone / "helper.py").write_text("WIDTH = 8\n", encoding="utf-8")
    path = alone / "mine.py"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_file_is_studied_as_by_the_function(mine: Path) -> None:
    words = [str(mine), "--learning-rate", "0.05", "--steps", "40", "--max-runs", "4", "-s", "1", "-o", "study.png"]
    found = document_of(invoke(*words, "--json"))
    choices = {"learning_rate": 0.05, "steps": 40, "max_runs": 4, "seeds": 1}
    same = dcrit.study(*model_and_data(mine), **choices).to_dict()
    assert found["measured_critical_size"] == same["measured_critical_size"]
    assert found["design"]["steps"] == 40
    assert Path("study.png").stat().st_size > 1000
    text = invoke(*words, "-q")
    assert text.exit_code == 0
    assert max(map(len, text.stdout.splitlines())) <= 80
    assert "predicted critical size" in text.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "file must be a Python file that exists, ending in .py, got mine.py"),
        ("x = 1\ny = unknown\n", "got mine.py: NameError in line 2: name 'unknown' is not defined"),
        ("factory = inputs = 1\n", "file must define factory, inputs, labels, got mine.py: labels"),
        ("def f(:\n", "file must be a Python file that runs to its end, got mine.py: SyntaxError"),
    ],
    ids=["absent", "fails", "lacks", "no Python"],
)
def test_what_is_wrong_with_a_file_is_one_sentence(text: str | None, says: str, alone: Path) -> None:
    path = Path("mine.py")
    if text is not None:
        path.write_text(text, encoding="utf-8")
    refused = invoke(str(path))
    assert refused.exit_code == 2
    assert says in " ".join(refused.stderr.replace("│", " ").split())
    assert refused.stdout == ""
    with pytest.raises(FieldError, match="file must"):
        model_and_data(path)


def test_a_bad_choice_names_its_option(mine: Path) -> None:
    refused = invoke(str(mine), "--learning-rate", "-1")
    assert refused.exit_code == 2
    assert "--learning-rate must be" in refused.stderr
