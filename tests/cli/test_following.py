"""The next useful command is real: pasted as it is printed, it runs."""

import re
import shlex
from pathlib import Path

import pytest

from dcrit.cli.app import app
from dcrit.cli.terminal.following import command_of, problem_words
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.theory.problems.problem import Problem
from tests.cli.test_reading import check
from tests.worlds.command_line import invoking

invoke = invoking(app, columns=80)

#: Networks of which a measurement takes seconds.
FAST = ["-p", "7", "-w", "8", "--learning-rate", "0.1", "--weight-decay", "4"]

PREDICTIONS = [
    ["predict", "critical-size", "-p", "31", "-w", "48"],
    ["predict", "critical-size", "-w", "32,64", "-T", "2000"],
    ["predict", "critical-size", "-t", "x^2+x*y", "-p", "13"],
    ["predict", "critical-size", "-m", "transformer", "--beta2", "0.97"],
    ["predict", "regime", "-n", "160"],
    ["predict", "regime", "-n", "160,300", "-w", "32,64"],
    ["predict", "delay", "-n", "300", "-T", "2000"],
    ["predict", "double-descent", "-n", "300", "--points", "20"],
    ["predict", "double-descent", "-m", "transformer", "-n", "200", "-T", "900", "--sharp-capacity"],
    ["predict", "emergence", "-n", "300", "--n-facts", "40"],
    ["predict", "phase-diagram", "--points", "9"],
    ["simulate", "-n", "300"],
    ["plan", "phase-diagram", "--points", "3", "--rate", "1e9", "--device", "cpu"],
]

MEASUREMENTS = [
    ["train", *FAST, "-n", "20", "-s", "1"],
    ["train", *FAST[:2], "-w", "8,16", *FAST[4:], "-n", "20", "-s", "1"],
    ["measure", "critical-size", *FAST],
    ["measure", "capacity", "-p", "7", "-w", "1", "--learning-rate", "0.1", "--weight-decay", "4", "-s", "2"],
    ["measure", "efficiency", *FAST, "-s", "1"],
    ["measure", "circuits", *FAST, "-s", "1", "-n", "30"],
    ["measure", "homogeneity", *FAST, "-m", "mlp", "-s", "1"],
    ["measure", "effective-dimension", *FAST, "-s", "1", "-n", "20", "--method", "lanczos", "--probes", "2"],
]


class WorkBeginsError(Exception):
    """The command was understood, and what follows would train networks."""


def stop(*_: object, **__: object) -> None:
    raise WorkBeginsError


def next_commands(text: str) -> list[list[str]]:
    """Words of the commands that an answer ends with: one, or some that belong together."""
    (last,) = re.findall(r"^Next, .*?:\n((?:  dcrit [^\n]*\n)+)\Z", text, re.MULTILINE | re.DOTALL)
    return [shlex.split(line)[1:] for line in last.splitlines()]


def check_runs(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is understood: it answers, or begins to train."""
    with monkeypatch.context() as patch:
        for name, value in list(vars(Laboratory).items()):
            if callable(value) and not name.startswith("__"):
                patch.setattr(Laboratory, name, stop)
        patch.setattr("dcrit.empirics.training.ensemble.Ensemble.__init__", stop)
        patch.setattr("dcrit.empirics.training.speed.measure_speed", stop)
        done = invoke(*words)
    assert done.exit_code == 0 or isinstance(done.exception, WorkBeginsError), done.output


@pytest.mark.parametrize("words", PREDICTIONS, ids=" ".join)
def test_what_a_prediction_ends_with_runs(words: list[str], alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del alone
    said = invoke(*words)
    if said.exit_code == 2:  # No calibration ships for the formula.
        assert "No calibration ships" in " ".join(said.stderr.replace("│", " ").split())
        return
    for command in next_commands(said.stdout):
        check_runs(command, monkeypatch)
    for silent in ("--json", "--quiet"):
        assert "Next, " not in invoke(*words, silent).stdout


@pytest.mark.slow
@pytest.mark.parametrize("words", MEASUREMENTS, ids=" ".join)
def test_what_a_measurement_ends_with_runs(words: list[str], alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trains = words[0] == "train" or words[1] in ("critical-size", "capacity", "efficiency")
    said = invoke(*words, *(["-S", "here", "--workers", "1"] if trains else []))
    assert said.exit_code == 0, said.output
    assert (alone / "here").is_dir() == trains
    check(said.stdout)
    (command,) = next_commands(said.stdout)
    check_runs(command, monkeypatch)
    if trains:
        check(invoke("runs", "list", "-S", "here").stdout)
    quiet = invoke(*words, *(["-S", "here", "--workers", "1"] if trains else []), "-q")
    assert quiet.stderr == ""
    assert "Next, " not in quiet.stdout


@pytest.mark.slow
def test_widths_at_one_size_lead_to_their_curve_and_several_sizes_to_the_plane(alone: Path) -> None:
    del alone
    train = ["train", "-p", "13", "-w", "16,32", "-T", "30", "-s", "1", "--workers", "1", "-S", "here", "-n"]
    (one,), (several,) = (next_commands(invoke(*train, sizes).stdout) for sizes in ("60", "60,80"))
    assert one[:2] == ["predict", "double-descent"]
    assert several[:2] == ["predict", "phase-diagram"]
    text = " ".join(invoke(*one).stdout.split())
    assert "2 runs lie over the prediction, 2 were left out: 2 with another training-set size (80)" in text
    assert Path("double-descent.png").is_file()


def test_words_make_the_same_problem_again() -> None:
    for problem in (
        Problem(),
        Problem(model="transformer", width=32, depth=2, beta2=0.95, epsilon=1e-9),
        Problem(task="x^2+x*y", modulus=13, learning_rate=0.0123456789, weight_decay=2.5, activation="relu"),
    ):
        words = ["predict", "critical-size", *problem_words(problem), "--json"]
        context = _problem_of(words)
        assert context == problem
    assert command_of("train", ["-t", "x^2 + y"]) == "dcrit train -t 'x^2 + y'"


def _problem_of(words: list[str]) -> Problem:
    """The problem that a command is asked about."""
    found: list[Problem] = []

    def keep(problem: Problem, **_: object) -> None:
        found.append(problem)
        raise WorkBeginsError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dcrit.api.predictions.predict", keep)
        invoke(*words)
    return found[0]
