"""Every option of every command, with values that nobody means: an answer, or one sentence and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from dcrit.api import predictions
from dcrit.cli.app import app
from dcrit.cli.terminal.sentences import LONGEST_SENTENCE
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.training import ensemble, speed
from dcrit.theory.calibrations.calibration import shipped_calibrations
from tests.worlds.bare_explorer import without_theory
from tests.worlds.option_words import command_lines, commands, parameters

COMMANDS = list(commands())

#: Calls of each command within this process, for each of its parameters, of which a call gives odd values to two on
#: average; and calls as processes of their own.
CALLS, PROCESSES = 4, 12


class WorkBeginsError(Exception):
    """The input was accepted, and what follows would train networks or take its time."""


def stop(*_: object, **__: object) -> None:
    raise WorkBeginsError


def inventory(folder: Path) -> list[tuple[str, int]]:
    """Everything below a folder, links not followed, with the sizes of files."""
    return sorted(
        (os.path.join(at, name), os.lstat(os.path.join(at, name)).st_size if name in files else -1)
        for at, folders, files in os.walk(folder)
        for name in (*folders, *files)
    )


class Place:
    """A working folder, some folders deep, that is made anew where a call left something."""

    def __init__(self, top: Path) -> None:
        self.top, self.work = top, top / "some" / "folders" / "deep"
        self.restore()

    def restore(self) -> None:
        os.chdir("/")
        shutil.rmtree(self.top, ignore_errors=True)
        self.work.mkdir(parents=True)
        os.chdir(self.work)
        Path("file").write_text("neither a folder nor data", encoding="utf-8")
        Path("empty").mkdir()
        Path("loop").symlink_to("loop")
        os.mkfifo("pipe")
        Path("ok.csv").write_text("step,train_acc,test_acc\n0,.1,.1\n1,1,.5\n", encoding="utf-8")
        Path("calibration.json").write_text(shipped_calibrations()[0].to_json(), encoding="utf-8")
        self.before = inventory(self.top)

    def is_untouched(self) -> bool:
        return inventory(self.top) == self.before


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Where calls are made, with nothing behind them that trains."""
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in list(vars(Laboratory).items()):
            if callable(value) and not name.startswith("__"):
                patch.setattr(Laboratory, name, stop)
        patch.setattr(ensemble.Ensemble, "__init__", stop)
        patch.setattr(speed, "measure_speed", stop)
        patch.setattr(predictions, "SIZES", 2)
        without_theory(patch)
        yield Place(tmp_path_factory.mktemp("fuzz") / "top")
    os.chdir(before)


def refusal(stderr: str) -> str:
    """The one sentence that standard error holds below how to call the command."""
    lines = stderr.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("╭─ Error"))
    assert all(line.startswith(("Usage:", "Try ")) for line in lines[:start] if line.strip()), stderr
    *inside, last = lines[start + 1 :]
    assert last.startswith("╰"), stderr
    return " ".join(line.strip("│").strip() for line in inside)


def check_refusal(path: tuple[str, ...], stdout: str, stderr: str) -> None:
    """Nothing on standard output, and a sentence that names a parameter, what it got and what is allowed."""
    assert stdout == ""
    # One box may be wider than the screen only by the frame.
    said = refusal(stderr)
    assert len(said) <= LONGEST_SENTENCE + 200
    assert all(one.isprintable() or one in "\n\u00a0\u202f" for one in stderr), ascii(stderr)
    if re.match(
        r"No such option: |Missing (option|argument|command)|Got unexpected extra argument|No such command", said
    ):
        return
    if re.match(r"Option '?--[\w-]+'? (requires an argument|does not take a value)", said):
        return
    names = {name for one in parameters(path) for name in (*one.opts, one.name, str(one.name).upper())}
    named = [name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said)]
    assert named or "the argument" in said, said
    assert re.search(r"\bmust be\b|\bmust (have|end|lie|hold|reach|make)\b|\btimes\b.*\bmust\b|\blacks\b", said), said
    assert re.search(r"\bgot\b|\blacks\b", said), said


def check(path: tuple[str, ...], words: list[str], result: Result, place: Place) -> None:
    if isinstance(result.exception, WorkBeginsError):
        return
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{words!r} ends in a traceback") from result.exception
    assert result.exit_code in (0, 2), (words, result.exit_code)
    if result.exit_code == 2:
        check_refusal(path, result.stdout, result.stderr)
        assert place.is_untouched(), words


@pytest.mark.slow
@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_any_input_is_answered_or_refused_in_one_sentence(path: tuple[str, ...], place: Place) -> None:
    @settings(
        max_examples=CALLS * len(parameters(path)),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(words=command_lines(path))
    def call(words: list[str]) -> None:
        try:
            check(path, words, CliRunner().invoke(app, words, env={"COLUMNS": "600"}), place)
        finally:
            if not place.is_untouched():
                place.restore()

    call()


def test_every_command_and_option_is_walked() -> None:
    names = {" ".join(path) for path in COMMANDS}
    assert {"train", "classify", "predict critical-size", "measure circuits", "runs export"} <= names
    assert {one.name for one in parameters(("train",))} >= {"n_train", "task", "store", "workers", "as_json"}
    assert {one.name for one in parameters(("classify",))} >= {"file", "step", "run", "n_classes"}


#: Commands that train or take seconds; calls of all others are questions that are answered at once, or are refused.
SLOW = ("train", "calibrate", "validate", "measure", "explore")


@pytest.mark.processes
@pytest.mark.parametrize("group", range(4))
def test_processes_do_the_same(group: int, tmp_path: Path) -> None:
    place = Place(tmp_path / "top")
    lines: list[tuple[tuple[str, ...], list[str]]] = []
    quick = [path for path in COMMANDS if path[0] not in SLOW]

    @settings(max_examples=PROCESSES // 4)
    @given(data=st.data(), path=st.sampled_from(quick[group::4]))
    def collect(data: st.DataObject, path: tuple[str, ...]) -> None:
        # A terminal can send any bytes but zero; those that are no UTF-8 arrive as surrogates of their own kind.
        words = data.draw(command_lines(path))
        if not any("\ud800" <= one <= "\udc7f" or "\udd00" <= one <= "\udfff" for word in words for one in word):
            lines.append((path, words))

    collect()
    assert len(lines) >= PROCESSES // 8
    for path, words in lines:
        done = subprocess.run(
            [sys.executable, "-m", "dcrit", *words],
            capture_output=True,
            timeout=300,
            check=False,
            env=os.environ | {"COLUMNS": "600", "PYTHONUTF8": "1"},
        )
        stdout, stderr = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in stderr, (words, stderr)
        assert done.returncode in (0, 1, 2), words
        if done.returncode == 2:
            check_refusal(path, stdout, stderr)
            assert place.is_untouched(), words
        place.restore()
