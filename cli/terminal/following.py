"""The next useful command, with the options of the last one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from dcrit.cli.terminal.given import given
from dcrit.cli.terminal.output import then
from dcrit.cli.terminal.sentences import SHORT
from dcrit.theory.families.family import DEFAULT_MODEL
from dcrit.theory.problems.problem import Problem

#: Options that no next command repeats of itself: those of the problem and the horizon, which are named with it, as the
#: next command may be about others, and how the answer is shown.
NEVER_REPEATED = frozenset(
    {*(one.name for one in fields(Problem)), "steps", "horizon", "out", "as_json", "notation", "quiet"}
)


def problem_words(problem: Problem, *, without: Iterable[str] = ()) -> list[str]:
    """Options that make a problem: those that differ from their defaults, and those that were given all the same.

    Args:
        problem: What is asked about.
        without: Fields that are left out.
    """
    usual = Problem(model=problem.model)
    left_out = set(without)
    words: list[str] = []
    for one in fields(Problem):
        value = getattr(problem, one.name)
        default = DEFAULT_MODEL if one.name == "model" else getattr(usual, one.name)
        if (value != default or one.name in given().words) and one.name not in left_out:
            said = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
            words += [SHORT.get(one.name, f"--{one.name.replace('_', '-')}"), said]
    return words


def command_of(*words: str | Sequence[str]) -> str:
    """A command line of ``dcrit`` that a shell reads as these words, and as what was given to the command that runs.

    Options that were given and that the command has too are repeated, unless the words have them.

    Args:
        *words: Words, and lists of words.
    """
    flat = [one for each in words for one in ([each] if isinstance(each, str) else each)]
    before = given()
    more = [
        word
        for option in before.options_of(flat)
        if option.name not in NEVER_REPEATED and not set(option.opts).intersection(flat)
        for word in before.words.get(str(option.name), ())
    ]
    return shlex.join(["dcrit", *flat, *more])


def store_words(store: Path) -> list[str]:
    """The option of a folder of runs."""
    return ["-S", str(store)]


def has_diagram(problem: Problem, horizon: int | None) -> bool:
    """Whether a phase diagram of a problem can be predicted.

    Args:
        problem: Its width plays no part.
        horizon: T; None for the protocol's [steps].
    """
    from dcrit.api.predictions import phase_diagram
    from dcrit.theory.checks import FieldError

    try:
        phase_diagram(problem, points=2, horizon=horizon)
    except FieldError:
        return False
    return True


def diagram_command(problem: Problem, horizon: int | None, store: Path) -> str:
    """The command that lays runs of several widths and sizes over the plane."""
    words = [*problem_words(problem, without=["width"]), *horizon_words(horizon), *store_words(store)]
    return command_of("predict", "phase-diagram", words, "-o", "diagram.png")


def descent_command(problem: Problem, n_train: int, horizon: int | None, store: Path, more: Sequence[str] = ()) -> str:
    """The command that lays runs of several widths at one size over test accuracy against model size.

    Args:
        problem: Its width plays no part.
        n_train: D [examples].
        horizon: T; None for the protocol's [steps].
        store: Folder of the runs.
        more: Other options.
    """
    words = [*problem_words(problem, without=["width"]), "-n", str(n_train), *horizon_words(horizon), *more]
    return command_of("predict", "double-descent", words, store_words(store), "-o", "double-descent.png")


def then_diagram(
    problem: Problem, horizon: int | None, store: Path, *, n_widths: int = 1, sizes: Sequence[int] = ()
) -> None:
    """Name the command that lays runs over the theory, or, where the theory is silent, the one that lists them.

    Args:
        problem: What was run.
        horizon: T; None for the protocol's [steps].
        store: Folder of the runs.
        n_widths: How many widths were run.
        sizes: Training-set sizes that were run [examples].
    """
    if not has_diagram(problem, horizon):
        then(command_of("runs", "list", store_words(store)), "see what the folder holds")
        return
    if n_widths > 1 and len(set(sizes)) == 1:
        command = descent_command(problem, sizes[0], horizon, store)
        then(command, "lay these runs over the predicted accuracy of each model size")
        return
    then(diagram_command(problem, horizon, store), "lay these runs over the theory")


def calibration_words(calibration: Path | None) -> list[str]:
    """The option of constants of one's own."""
    return [] if calibration is None else ["--calibration", str(calibration)]


def list_of(values: Iterable[int]) -> str:
    """Several numbers as an option takes them."""
    return ",".join(map(str, values))


def horizon_words(horizon: int | None) -> list[str]:
    """The option of a horizon, where it is not the protocol's."""
    return ["-T", str(horizon)] if horizon else []


def list_words(lists: Mapping[str, Sequence[int]]) -> list[str]:
    """Options of several moduli and widths."""
    names = {"moduli": "-p", "widths": "-w"}
    return [word for name, values in lists.items() for word in (names[name], list_of(values))]
