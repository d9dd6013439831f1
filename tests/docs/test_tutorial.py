"""Every block of docs/tutorial.md and of the short how-tos runs, and says what the page says it does."""

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import matplotlib as mpl
import pytest
from matplotlib import pyplot
from typer.testing import CliRunner

import dcrit
from dcrit.api.measurements import Part
from dcrit.cli.app import app
from dcrit.theory.calibrations.calibration import calibration_of

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

#: Setting up, which the tests of what is shipped do.
SETUP = {"make setup", "source .venv/bin/activate"}


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each listing."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def commands(text: str) -> Iterator[list[str]]:
    """Words of each command of a listing, without what is remarked beside it."""
    for line in text.splitlines():
        if line and line not in SETUP:
            yield shlex.split(line, comments=True)


def alike(shown: str, said: str) -> bool:
    """Whether words are the same, or numbers nearly: the last digits of a run differ between machines."""
    try:
        return float(said) == pytest.approx(float(shown), rel=0.2, abs=0.05)
    except ValueError:
        return said == shown


def says(output: str, line: str) -> bool:
    """Whether a command says a line somewhere, the lines of its tables aside."""
    said, shown = re.sub(r"[│┃]", " ", output).split(), line.split()
    windows = (said[start : start + len(shown)] for start in range(len(said) - len(shown) + 1))
    return any(all(map(alike, shown, window)) for window in windows)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder, and pictures that no window shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    mpl.use("agg")
    yield tmp_path
    pyplot.close("all")


@pytest.mark.slow
@pytest.mark.processes
def test_the_tutorial_runs_from_top_to_bottom_and_says_what_it_shows(folder: Path) -> None:
    output, shown = "", 0
    for language, text in blocks("docs/tutorial.md"):
        if language == "sh":
            output = ""
            for first, *words in commands(text):
                assert first == "dcrit"
                done = CliRunner().invoke(app, words)
                assert done.exit_code == 0, done.output
                output += done.output
        elif language == "python":
            exec(compile(text, "docs/tutorial.md", "exec"), {})  # The page is ours.
        else:
            for line in text.splitlines():
                assert says(output, line), line
                shown += 1
    assert shown > 8
    assert {path.name for path in folder.iterdir()} == {"dcrit-runs", "critical-size.png", "phase-diagram.png"}


def test_numbers_may_differ_a_little_and_words_not() -> None:
    output = "│ 80 │ memorization │ 0.009 │\n│ 300 │ grokking │ 0.98 │"
    assert says(output, "300 grokking 1.0")
    assert not says(output, "300 grokking 0.5")
    assert not says(output, "80 grokking 0.98")


def test_the_tutorial_installs_by_a_target_of_the_makefile() -> None:
    lines = {line for language, text in blocks("docs/tutorial.md") if language == "sh" for line in text.splitlines()}
    assert lines >= SETUP
    assert "\nsetup:" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_calibration_of_the_how_to_is_one_that_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [text for language, text in blocks("docs/how-to/calibrate.md") if language == "python"]
    asked: list[dict[str, Any]] = []

    def calibrate(*args: Any, **options: Any) -> SimpleNamespace:
        """What the page asks for, answered by what ships: measuring it takes minutes."""
        asked.append(inspect.signature(measured).bind(*args, **options).arguments)
        return SimpleNamespace(calibration=calibration_of(asked[-1]["problem"]))

    measured = dcrit.calibrate
    monkeypatch.setattr(dcrit, "calibrate", calibrate, raising=False)
    exec(compile(code, "docs/how-to/calibrate.md", "exec"), {})  # The page is ours.
    (options,) = asked
    assert options["only"] in get_args(Part)
    assert "Interval(low=" in capsys.readouterr().out


@pytest.mark.slow
def test_the_figure_of_the_how_to_is_drawn(folder: Path) -> None:
    (code,) = [text for language, text in blocks("docs/how-to/reproduce-a-figure.md") if language == "python"]
    exec(compile(code, "docs/how-to/reproduce-a-figure.md", "exec"), {})  # The page is ours.
    assert (folder / "phase-diagram.png").stat().st_size > 10_000


def test_the_example_of_the_reference_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [text for language, text in blocks("docs/reference/python.md") if language == "python"]
    exec(compile(code, "docs/reference/python.md", "exec"), {})  # The page is ours.
    assert "Interval(low=" in capsys.readouterr().out
