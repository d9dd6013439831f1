"""What every command does with bad input."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import Result


def bad_words(cases: Sequence[tuple[list[str], str]]) -> pytest.MarkDecorator:
    """A test once for each case: words that are refused, and a part of the sentence that says so."""
    return pytest.mark.parametrize(("words", "sentence"), cases, ids=[" ".join(words) for words, _ in cases])


def check_refused(result: Result, sentence: str, folder: Path) -> None:
    """One sentence on standard error, exit code 2, and nothing written."""
    assert result.exit_code == 2, result.output
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert list(folder.iterdir()) == []
