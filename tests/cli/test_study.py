"""``dcrit study``: one's own file through typer's runner, and what is wrong with it in one sentence."""

import re
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest

import dcrit
from dcrit.api.own import model_and_data
from dcrit.cli.app import app
from dcrit.cli.study import _closer
from dcrit.empirics.study.design import StudyDesign
from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import Estimate, Interval
from tests.worlds.command_line import document_of, invoking
from tests.worlds.option_words import parameters

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
    # Why nothing is predicted is said once, and not in every row.
    assert "There is no prediction to compare: the first run on" in text.stdout
    assert " ".join(text.stdout.split()).count("the first run on") == 1
    assert "measured critical size" in text.stdout
    drawn = " ".join(invoke(*words).stdout.split())
    closer = f"more closely; these runs are kept: dcrit study {mine} --learning-rate 0.05 -T 40 --tolerance "
    assert (found["measured_critical_size"]["value"] is None) == (closer not in drawn)
    undrawn = " ".join(invoke(*words[:-2]).stdout.split())
    assert f"draw it; its runs are not made again: dcrit study {mine} --learning-rate 0.05 -T 40 -o st" in undrawn


def test_the_next_command_asks_for_less_than_was_reached() -> None:
    reached = Estimate(quantity="x", value=200.0, unit="examples", interval=Interval(low=190.0, high=210.0))
    assert _closer(reached, 0.1, 12, seeds=0) == ["--tolerance", "0.03", "--max-runs", "24"]  # 5 % were reached
    assert _closer(reached, 0.02, 12, seeds=0) == ["--tolerance", "0.01", "--max-runs", "24"]
    assert _closer(reached, 0.1, 12, seeds=3) == ["--seeds", "6"]  # sizes that were given are all there is
    point = replace(reached, interval=Interval(low=200.0, high=200.0))
    assert _closer(point, 0.1, 12, seeds=0) == []
    assert _closer(replace(reached, value=None, interval=None, reason="none"), 0.1, 12, seeds=0) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "file must be a Python file that exists, ending in .py, got mine.py"),
        ("x = 1\ny = unknown\n", "got mine.py: NameError in line 2: name 'unknown' is not defined"),
        ("factory = inputs = 1\n", "file must define factory, inputs, labels, got mine.py: labels"),
        (
            "import sys\nsys.exit(3)\n",
            "file must be a Python file that runs to its end, got mine.py: SystemExit in line 2",
        ),
        ("def f(:\n", "file must be a Python file that runs to its end, got mine.py: SyntaxError"),
    ],
    ids=["absent", "fails", "lacks", "ends", "no Python"],
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


def test_the_command_takes_every_choice_of_a_study() -> None:
    given = {one.name: one.default for one in parameters(("study",))}
    for one in fields(StudyDesign):
        assert one.name in given
        if one.default not in (MISSING, ()):
            assert given[one.name] == one.default, one.name


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--weight-decay", "0"], "--steps must be given where there is no weight decay"),
        (["--momentum", "0.5"], "--momentum must be left out unless --optimizer sgd, got 0.5"),
        (["--sizes", "10,40"], "--sizes must be at most 31 for 32 examples, got 40"),
        (["--budget-minutes", "1e-4"], "or larger --learning-rate or --weight-decay"),
        (["--n-classes", "1"], "--n-classes must be"),
    ],
)
def test_what_a_choice_has_to_be_is_told_in_options(words: list[str], says: str, mine: Path) -> None:
    refused = invoke(str(mine), *words)
    assert refused.exit_code == 2
    said = " ".join(refused.stderr.replace("│", " ").split())
    assert says in said
    assert not re.search(r"[a-z_]=|[a-z]_[a-z]", said), said


@pytest.mark.slow
def test_what_a_file_prints_is_no_part_of_the_answer(mine: Path) -> None:
    mine.write_text(f"print('ready')\n{FILE}", encoding="utf-8")
    answer = invoke(str(mine), "--steps", "20", "--sizes", "3,20", "-s", "1", "--no-predict", "--json")
    assert document_of(answer)["design"]["sizes"] == [3, 20]
    assert "ready" in answer.stderr


@pytest.mark.slow
def test_reasons_of_an_answer_name_options(mine: Path) -> None:
    words = ["--learning-rate", "0.05", "--steps", "20", "--sizes", "3,4", "-s", "1", "--memorizing-sizes", "5,8"]
    answer = invoke(str(mine), *words)
    said = " ".join(answer.stdout.split())
    assert "laws take 4 runs over two sizes: give 4 sizes in --memorizing-sizes for --seeds 1" in said
    assert not re.search(r"[a-z]=", said), said
    heard = " ".join(answer.stderr.split())
    assert "study: will measure and not predict: laws take 4 runs over two sizes: give 4 sizes in --memor" in heard
    assert not re.search(r"[a-z]=", heard), heard
    measured = " ".join(invoke(str(mine), *words, "--no-predict").stdout.split())
    assert "not asked for: --no-predict" in measured


@pytest.mark.slow
def test_a_second_call_takes_its_runs_from_the_folder(mine: Path) -> None:
    words = [str(mine), "--learning-rate", "0.05", "--steps", "20", "-s", "1", "--no-predict", "--store", "kept"]
    first = document_of(invoke(*words, "--sizes", "3,20", "--json"))
    assert first["n_runs_found"] == 0
    again = invoke(*words, "--sizes", "3,20,25")
    assert "study: 2 of 3 runs were in kept/studies already" in again.stderr
    assert "2 of 3 runs were in kept already" in " ".join((again.stdout + again.stderr).split())
    mine.write_text(FILE.replace("ReLU", "Tanh"), encoding="utf-8")
    other = invoke(*words, "--sizes", "3,20")
    assert other.exit_code == 0
    assert document_of(invoke(*words, "--sizes", "3,20", "--json"))["n_runs_found"] == 2
    Path("kept.txt").touch()
    refused = invoke(str(mine), "--store", "kept.txt")
    assert refused.exit_code == 2
    assert "--store must be a folder that can be written to" in refused.stderr
