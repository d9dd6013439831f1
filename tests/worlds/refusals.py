"""What every command does with bad input."""

from pathlib import Path

from typer.testing import Result


def check_refused(result: Result, sentence: str, folder: Path) -> None:
    """One sentence on standard error, exit code 2, and nothing written."""
    assert result.exit_code == 2, result.output
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert list(folder.iterdir()) == []
