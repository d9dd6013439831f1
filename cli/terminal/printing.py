"""How a command prints: as tables or one JSON document, in which notation, and how much beside the answer."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from dcrit.cli.terminal.options import choice, words


class FormatChoice(StrEnum):
    """Notations of what is printed."""

    table = "table"
    markdown = "markdown"
    latex = "latex"
    json = "json"


@dataclass(frozen=True, kw_only=True)
class Printing:
    """How the command that runs prints.

    Attributes:
        notation: Of its tables.
        quiet: Whether only the answer is printed: no progress, no remarks, no next command.
    """

    notation: FormatChoice = FormatChoice.table
    quiet: bool = False


_CURRENT: ContextVar[Printing] = ContextVar("printing")

#: Outside a command there are tables, and nothing is left out.
_OUTSIDE = Printing()


def current() -> Printing:
    """How the command that runs prints."""
    return _CURRENT.get(_OUTSIDE)


@contextlib.contextmanager
def printing(how: Printing) -> Iterator[None]:
    """Print like that within.

    Args:
        how: Notation and amount.
    """
    token = _CURRENT.set(how)
    try:
        yield
    finally:
        _CURRENT.reset(token)


Format = Annotated[
    FormatChoice,
    typer.Option(
        "--format",
        "-f",
        parser=choice(FormatChoice),
        metavar=words(FormatChoice),
        autocompletion=lambda: list(FormatChoice),
        help="Notation of the answer; json is the same as --json.",
        rich_help_panel="Output",
    ),
]

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print the answer alone: no progress, no remarks, no next command.",
        rich_help_panel="Output",
    ),
]

#: The options that every command with --json has beside it, and their defaults.
ADDED: dict[str, tuple[Any, Any]] = {"notation": (Format, FormatChoice.table), "quiet": (Quiet, False)}


def printed(command: Callable[..., None]) -> Callable[..., None]:
    """The same command with --format and --quiet, where it has --json.

    Args:
        command: Its parameters are options and arguments.
    """
    signature = inspect.signature(command, eval_str=True)
    if "as_json" not in signature.parameters or "notation" in signature.parameters:
        return command

    @functools.wraps(command)
    def run(**given: Any) -> None:
        notation, quiet = given.pop("notation"), given.pop("quiet")
        if given["as_json"] and notation not in (FormatChoice.table, FormatChoice.json):
            raise typer.BadParameter(f"--format must be json or left out beside --json, got '{notation}'")
        given["as_json"] = given["as_json"] or notation == FormatChoice.json
        with printing(Printing(notation=notation, quiet=quiet)), _silenced(quiet):
            command(**given)

    parameters = [
        *signature.parameters.values(),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in ADDED.items()
        ),
    ]
    # Typer reads both; a command's own parameters keep their order and kinds.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    )
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


@contextlib.contextmanager
def _silenced(quiet: bool) -> Iterator[None]:
    """No progress within, where nothing but the answer is wanted."""
    from dcrit.empirics.training.quiet import silence

    with silence() if quiet else contextlib.nullcontext():
        yield
