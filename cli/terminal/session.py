"""A laboratory as commands open it: what is wrong with folder or machine is bad input, and Ctrl-C ends it kindly."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.waiting import waiting

if TYPE_CHECKING:
    from dcrit.empirics.experiments.laboratory import Laboratory, Machine


@contextlib.contextmanager
def session(machine: Machine | None = None) -> Iterator[None]:
    """What a command does with the interface, where runs may be trained.

    Args:
        machine: Where to train; None where nothing is trained.

    Raises:
        typer.BadParameter: A value is out of range, the folder cannot be written, there is no such device or no such
            cluster (exit 2).
        typer.Exit: Ctrl-C was pressed (exit 130).
    """
    with contextlib.ExitStack() as stack:
        if machine is not None and machine.executor == "ray":
            # Ray prints news of lost workers and nodes on standard output, which is the command's.
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            with waiting(), options.bad_input():
                yield
        except ValueError as error:
            # Predictions have no laboratory, and need not wait for one to be loaded.
            from dcrit.empirics.experiments.laboratory import RefusedError

            if not isinstance(error, RefusedError):
                raise
            with options.bad_input():
                raise error.__cause__ or error from None
        except KeyboardInterrupt:
            print("Interrupted. Finished batches are kept: the same command goes on from there.", file=sys.stderr)
            raise typer.Exit(130) from None


@contextlib.contextmanager
def laboratory(store: Path, machine: Machine) -> Iterator[Laboratory]:
    """The runs in that folder, as :func:`open_runs` opens them, in a :func:`session`.

    Args:
        store: Folder of the runs.
        machine: Where to train.
    """
    from dcrit.empirics.experiments.laboratory import open_runs

    with session(machine), open_runs(store, machine) as bench:
        yield bench
