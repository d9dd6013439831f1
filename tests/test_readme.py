"""The README holds what the committed report says, and its commands exist."""

import json
import re
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcrit.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_committed_report() -> None:
    remake = runpy.run_path(str(ROOT / "cli" / "reproduce.py"))
    reports = remake["committed"]()
    assert "quick" in reports
    assert remake["remade"](README, reports) == README
    for report in reports.values():
        claim = report["claims"][0]
        claim["measured"], before = 123.0, claim["measured"]
        assert remake["remade"](README, reports) != README
        claim["measured"] = before


def test_three_pictures_are_shown_from_the_gallery() -> None:
    pictures = re.findall(r"^!\[[^\]]+\]\(figures/gallery/([a-z-]+)\.png\)$", README, flags=re.MULTILINE)
    assert len(set(pictures)) == len(pictures) == 3
    report = json.loads((ROOT / "figures" / "gallery" / "report.json").read_text(encoding="utf-8"))
    assert set(pictures) <= {figure["name"] for figure in report["figures"]}


@pytest.mark.parametrize("line", re.findall(r"^\| `(dcrit [^`]+)`", README, flags=re.MULTILINE))
def test_commands_are_accepted(line: str) -> None:
    words = line.split()[1:]
    options = [word for word in words if word.startswith("--")]
    command = []
    for word in words:
        if word.startswith("--"):
            break
        command.append(word)
    if command[0] == "figure":
        command = command[:1]
    help_page = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert help_page.exit_code == 0
    assert [option for option in options if option not in help_page.output] == []
