"""The command line as a person and as a script meet it, through typer's runner."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

Invoke = Callable[..., Result]


def invoking(app: typer.Typer, *first: str, columns: int = 500) -> Invoke:
    """What runs a command with some words, in a terminal of so many columns.

    Args:
        app: The commands.
        first: Words before the others.
        columns: Of the terminal.
    """

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, [*first, *words], env={"COLUMNS": str(columns)})

    return invoke


def document_of(result: Result) -> dict[str, Any]:
    """The one JSON document that standard output holds."""
    assert result.exit_code == 0, result.output
    found, end = json.JSONDecoder(parse_constant=lambda word: pytest.fail(f"{word} is not JSON")).raw_decode(
        result.stdout
    )
    assert result.stdout[end:] == "\n"
    return found
