"""The next useful command is real: pasted as it is printed, it runs."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.cli.app import app
from dcrit.cli.terminal.following import command_of, problem_words
from dcrit.cli.terminal.options import problems_from
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.theory.problems.problem import Problem
from tests.cli.test_reading import check
from tests.worlds.command_line import invoking
from tests.worlds.option_words import command_at, commands

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


def problem_in(words: list[str]) -> Problem:
    """The problem that the words of a command are about; its width is the usual one where the command has none."""
    path = next(path for path in commands() if tuple(words[: len(path)]) == path)
    context = command_at(path).make_context(path[-1], words[len(path) :])
    asked = {one.name: context.params[one.name] for one in fields(Problem) if one.name in context.params}
    several = {name: [asked.pop(name)] for name in ("modulus", "width") if isinstance(asked.get(name), int)}
    lists = {name: _flat(asked.pop(name)) for name in ("modulus", "width") if name in asked}
    return problems_from(**asked, **several, **lists).problem


def _flat(values: list[int | tuple[int, ...]] | None) -> list[int] | None:
    return (
        None if values is None else [one for each in values for one in (each if isinstance(each, tuple) else (each,))]
    )


#: Problems as options say them: defaults that are given all the same are no less given.
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "-t": st.sampled_from(["add", "sub", "x^2 + y"]),
        "-p": st.sampled_from(["7", "23", "31"]),
        "-m": st.sampled_from(["mlp", "transformer"]),
        "-a": st.just("relu"),
        "-w": st.sampled_from(["32", "64"]),
        "-d": st.just("1"),
        "--weight-decay": st.sampled_from(["1", "0.5"]),
        "--learning-rate": st.sampled_from(["1e-2", "3e-3", "0.0123456789"]),
        "--beta2": st.sampled_from(["0.98", "0.97"]),
        "--epsilon": st.sampled_from(["1e-8", "1e-9"]),
    },
)


@given(options=GIVEN)
@settings(max_examples=60, deadline=None)
def test_words_make_the_same_problem_again_and_repeat_what_was_given(options: dict[str, str]) -> None:
    words = [word for both in options.items() for word in both]
    before = problem_in(["predict", "critical-size", *words])
    for target in (["measure", "critical-size"], ["train", "-n", "20"], ["measure", "efficiency"]):
        problem_in(["predict", "critical-size", *words])  # what was given is what the last command was given
        command = shlex.split(command_of(*target, problem_words(before)))[1:]
        assert problem_in(command) == before
        assert set(options) <= set(command)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["predict", "critical-size", "-w", "64", "-p", "23"], "measure critical-size -p 23 -w 64"),
        (["predict", "regime", "-n", "160", "-m", "mlp", "-T", "4000"], "train -m mlp -n 160 -T 4000"),
        (
            ["predict", "double-descent", "-n", "300", "--points", "9", "--level", "0.8"],
            "double-descent.png --points 9 --level 0.8",
        ),
        (["predict", "phase-diagram", "--points", "9", "--max-width", "99"], "--points 6 --steps 4000 --max-width 99"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_the_next_command_repeats_what_was_given(words: list[str], says: str) -> None:
    assert says in " ".join(invoke(*words).stdout.split())


def test_nothing_is_given_outside_of_a_command_or_to_the_next_one() -> None:
    invoke("predict", "critical-size", "-w", "64", "--help")
    problem_in(["predict", "critical-size"])
    assert problem_words(Problem()) == []
    assert command_of("train", ["-t", "x^2 + y"]) == "dcrit train -t 'x^2 + y'"
