import io
import sys

import pytest
from rich.console import Console

from dcrit.empirics.training.progress import SweepDisplay
from dcrit.empirics.training.sweep import SweepProgress


def progress(done: int, total: int, runs_done: int, reused: int = 1, failures: int = 0) -> SweepProgress:
    return SweepProgress(
        done=done, total=total, runs_done=runs_done, runs_total=9, runs_reused=reused, failures=failures
    )


def shown(*reports: SweepProgress, terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120, color_system=None, _environ={"TERM": "xterm"})
    with SweepDisplay(console) as display:
        report = display.stage("[red] sizes, round 2")
        for one in reports:
            report(one)
    return output.getvalue()


def last_bar(*reports: SweepProgress) -> str:
    return next(line for line in reversed(shown(*reports, terminal=True).splitlines()) if "runs" in line)


def test_without_a_terminal_a_stage_is_a_line_at_each_end() -> None:
    text = shown(progress(0, 8, 1), progress(3, 8, 1), progress(6, 8, 5), progress(8, 8, 9), terminal=False)
    assert text == ("[red] sizes, round 2: 9 runs, 1 of them stored before\n[red] sizes, round 2: done in 0 s\n")


def test_without_a_terminal_a_stage_that_is_stored_is_one_line() -> None:
    assert shown(progress(0, 0, 9, 9), terminal=False) == "[red] sizes, round 2: 9 runs, 9 of them stored before\n"


def test_a_display_without_stages_shows_nothing() -> None:
    assert shown(terminal=False) == ""


def test_on_a_terminal_a_bar_shows_runs_and_times() -> None:
    half = last_bar(progress(0, 8, 1), progress(4, 8, 5))
    assert "[red] sizes, round 2" in half
    assert "5/9 runs" in half
    assert "elapsed" in half
    full = last_bar(progress(0, 8, 1), progress(8, 8, 9))
    assert "9/9 runs" in full
    assert "0:00:00 left" in full
    assert "0:00:00 left" not in half


@pytest.mark.parametrize(("failures", "said"), [(1, "1 batch failed"), (3, "3 batches failed")])
def test_failures_are_shown_with_the_runs(failures: int, said: str) -> None:
    reports = [progress(0, 8, 1), progress(2, 8, 3, failures=failures)]
    assert f"3/9 runs, {said}" in last_bar(*reports)
    ended = shown(*reports, progress(8, 8, 9, failures=failures), terminal=False)
    assert ended.splitlines()[-1] == f"[red] sizes, round 2: done in 0 s, {said}"
    assert "failed" not in last_bar(progress(0, 8, 1), progress(2, 8, 3))


def test_on_a_terminal_a_stage_that_is_stored_has_a_full_bar() -> None:
    assert "0:00:00 left" in last_bar(progress(0, 0, 9, 9))


def test_output_stays_output_while_a_bar_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"})
    before = sys.stdout
    with SweepDisplay(console) as display:
        display.stage("sizes")(progress(0, 8, 1))
        assert sys.stdout is before
        print("a result")
    assert capsys.readouterr().out == "a result\n"
