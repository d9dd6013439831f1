"""Every command that a page names is there, with the options that the page gives it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from dcrit.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LISTING = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(dcrit [a-z][^`]*)`")


def lines(page: str) -> Iterator[str]:
    """Commands of a page, in listings and in its sentences."""
    for listing in LISTING.findall(page):
        for line in listing.replace("\\\n", " ").splitlines():
            if (command := line.strip().removeprefix("$ ")).startswith("dcrit "):
                yield command
    yield from (" ".join(found.split()) for found in INLINE.findall(page))


def fault(line: str) -> str | None:
    """What is wrong with a command: a name that there is none of, or an option that it does not have."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    words = shlex.split(line, comments=True)[1:]
    while isinstance(command, TyperGroup) and words and re.fullmatch(r"[a-z][a-z0-9-]*", words[0]):
        found = command.get_command(context, words.pop(0))
        if found is None:
            return f"no such command: {line}"
        command = found
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    unknown = given - known - {"--help", "-h"}
    return f"no option {', '.join(sorted(unknown))}: {line}" if unknown else None


def test_commands_of_all_pages_are_accepted() -> None:
    found = {page: list(lines(page.read_text(encoding="utf-8"))) for page in PAGES}
    assert sum(map(len, found.values())) > 100
    assert {page.name: wrong for page, some in found.items() if (wrong := list(filter(None, map(fault, some))))} == {}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("dcrit predict critical-size -p 23 --width=64  # a remark", None),
        ("dcrit reproduce NAME --check", "no option --check"),
        ("dcrit predict everything", "no such command"),
        ("dcrit train --modulo 23", "no option --modulo"),
    ],
)
def test_a_command_is_looked_up(line: str, wrong: str | None) -> None:
    found = fault(line)
    assert (found is None) if wrong is None else str(found).startswith(wrong)
