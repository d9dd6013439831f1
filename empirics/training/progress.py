"""What a sweep shows to people, on standard error."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dcrit.empirics.training.budget import duration
from dcrit.empirics.training.quiet import display_begins, is_silent
from dcrit.empirics.training.sweep import Report, SweepProgress

#: Where standard error is no terminal, a line says how far work is after so long [s].
LINE_EVERY = 30.0


class SweepDisplay:
    """How far sweeps are: a bar a stage on a terminal, elsewhere a line now and then.

    Args:
        console: Where to write; None for standard error, or nowhere where progress is silenced.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, quiet=is_silent())
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[runs]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("elapsed"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._console,
            disable=not self._console.is_interactive or self._console.quiet,
            # Otherwise what is printed on standard output meanwhile would end up on standard error.
            redirect_stdout=False,
            # Batches end, and runs stop early, in bursts: a rate takes minutes to tell.
            speed_estimate_period=120,
        )

    def __enter__(self) -> Self:
        display_begins()
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage(self, name: str) -> Report:
        """What the next sweep reports to.

        Args:
            name: What its runs are for.
        """
        return self._bar(name) if self._console.is_interactive else self._lines(name)

    def _bar(self, name: str) -> Report:
        task = self._bars.add_task(name, total=None, runs="")

        def report(sweep: SweepProgress) -> None:
            # Without any work to do a bar would never be full.
            done, total = (sweep.done, sweep.total) if sweep.total else (1, 1)
            self._bars.update(task, completed=done, total=total, runs=_so_far(sweep))

        return report

    def _lines(self, name: str) -> Report:
        began: float | None = None
        last = 0.0

        def report(sweep: SweepProgress) -> None:
            nonlocal began, last
            now = time.monotonic()
            if began is None:
                began = last = now
                self._print(f"{name}: {sweep.runs_total} runs, {sweep.runs_reused} of them stored before")
            elif sweep.runs_done == sweep.runs_total:
                self._print(f"{name}: done in {now - began:.0f} s{_failures(sweep)}")
            elif now - last >= LINE_EVERY:
                last = now
                done = sweep.done / sweep.total if sweep.total else 1.0
                left = f", about {duration((now - began) * (1 - done) / done)} left" if done else ""
                self._print(f"{name}: {done:.0%} of the work, {_so_far(sweep)}, after {now - began:.0f} s{left}")

        return report

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _so_far(sweep: SweepProgress) -> str:
    return f"{sweep.runs_done}/{sweep.runs_total} runs{_failures(sweep)}"


def _failures(sweep: SweepProgress) -> str:
    """What went wrong so far, in words that follow others."""
    if not sweep.failures:
        return ""
    return f", {sweep.failures} {'batch' if sweep.failures == 1 else 'batches'} failed"


@contextlib.contextmanager
def display(stage: str, n_runs: int, total: int) -> Iterator[Callable[[int], None]]:
    """Shows on standard error how far work is; what it yields is told how much was just finished.

    Args:
        stage: What the work is.
        n_runs: Networks.
        total: All of the work, in the units that are reported.
    """
    done = 0
    with SweepDisplay() as bars:
        report = bars.stage(stage)

        def tell(runs_done: int) -> None:
            report(SweepProgress(done=done, total=total, runs_done=runs_done, runs_total=n_runs, runs_reused=0))

        def progress(finished: int) -> None:
            nonlocal done
            done += finished
            tell(0)

        tell(0)
        yield progress
        done = total
        tell(n_runs)
