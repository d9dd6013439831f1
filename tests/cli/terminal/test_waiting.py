"""A sign of life on a terminal, and none elsewhere; colours only where they are wanted; values that shells complete."""

import io
import re
import time

import pytest
from rich.console import Console
from typer.testing import CliRunner

from dcrit.cli.app import app
from dcrit.cli.terminal.printing import Printing, printing
from dcrit.cli.terminal.waiting import Waiting, waiting
from dcrit.empirics.training import progress
from dcrit.empirics.training.progress import SweepDisplay
from dcrit.empirics.training.quiet import display_begins, silence
from dcrit.empirics.training.sweep import SweepProgress


def terminal() -> Console:
    """A terminal that keeps what is shown."""
    return Console(file=io.StringIO(), force_terminal=True, force_interactive=True, width=80)


def shown(console: Console) -> str:
    """What was shown so far."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_sign_of_life_begins_after_a_while_and_ends_with_the_work() -> None:
    console = terminal()
    with waiting(console, patience=0.0):
        for _ in range(500):
            if "working" in shown(console):
                break
            time.sleep(0.01)
        assert "working" in shown(console)
        display_begins()
        length = len(shown(console))
        time.sleep(0.2)
        assert len(shown(console)) == length


@pytest.mark.parametrize("console", [terminal(), Console(file=io.StringIO())], ids=["terminal", "file"])
def test_nothing_is_shown_of_what_is_quick_or_goes_to_a_file(console: Console) -> None:
    patience = 3600.0 if console.is_interactive else 0.0
    one = Waiting(console, patience)
    one.stop()
    one.stop()
    assert shown(console) == ""


def test_nothing_is_shown_where_the_answer_alone_is_wanted() -> None:
    console = terminal()
    with printing(Printing(quiet=True)), waiting(console, patience=0.0):
        time.sleep(0.05)
    assert shown(console) == ""
    with silence():
        assert SweepDisplay()._console.quiet


def test_a_long_stage_says_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=200)
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    with SweepDisplay(console) as display:
        report = display.stage("training")
        for done, runs in ((0, 0), (30, 1), (100, 4)):
            report(SweepProgress(done=done, total=100, runs_done=runs, runs_total=4, runs_reused=0))
    first, middle, last = shown(console).splitlines()
    assert first == "training: 4 runs, 0 of them stored before"
    assert re.fullmatch(r"training: 30% of the work, 1/4 runs, after \d+ s, about [\d.]+ s left", middle)
    assert last.startswith("training: done in ")


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    words = ["predict", "regime", "-n", "160"]
    coloured, plain = (
        CliRunner().invoke(app, words, env={"COLUMNS": "80", "FORCE_COLOR": "1", "NO_COLOR": wish}).stdout
        for wish in ("", "1")
    )
    assert "\x1b[" in coloured
    # Bold is no colour.
    assert not [one for one in ("\x1b[3", "\x1b[9") if one + "1m" in plain or one + "2m" in plain]


@pytest.mark.parametrize(
    ("words", "one"),
    [
        ("dcrit predict critical-size --task sq", "square-of-sum"),
        ("dcrit predict critical-size --model t", "transformer"),
        ("dcrit predict critical-size --format l", "latex"),
        ("dcrit measure critical-size --method c", "clock"),
        ("dcrit figure effi", "efficiencies"),
        ("dcrit validate q", "quick"),
        ("dcrit validate quick --claim four", "four-dynamics"),
    ],
)
def test_shells_complete_values(words: str, one: str) -> None:
    env = {"_DCRIT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = CliRunner().invoke(app, [], prog_name="dcrit", env=env)
    assert one in done.stdout.split()
