"""A sign of life on a terminal, for what takes longer than a second before it shows anything of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from rich.console import Console
from rich.status import Status

from dcrit.cli.terminal.printing import current
from dcrit.empirics.training.quiet import until_display

#: Work that ends sooner needs no sign [s].
PATIENCE = 1.0


class Waiting:
    """A spinner on standard error that begins after a while and ends once.

    Args:
        console: Where it is shown; nothing is where that is no terminal.
        patience: How long nothing is shown [s].
    """

    def __init__(self, console: Console, patience: float) -> None:
        self._status = Status("working …", console=console)
        self._timer = threading.Timer(patience, self._begin)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._over = not console.is_interactive
        self._shown = False
        if not self._over:
            self._timer.start()

    def _begin(self) -> None:
        with self._lock:
            if not self._over:
                self._status.start()
                self._shown = True

    def stop(self) -> None:
        """End it, or keep it from beginning."""
        with self._lock:
            self._over = True
            self._timer.cancel()
            if self._shown:
                self._status.stop()
                self._shown = False


@contextlib.contextmanager
def waiting(console: Console | None = None, patience: float = PATIENCE) -> Iterator[None]:
    """Show on a terminal that work goes on, until its own progress is shown, or it ends.

    Args:
        console: Where; None for standard error.
        patience: How long nothing is shown [s].
    """
    if current().quiet:
        yield
        return
    with until_display(Waiting(console or Console(stderr=True), patience).stop):
        yield
