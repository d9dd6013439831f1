"""The README holds what the committed report says, and its commands exist."""

import json
import re
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot
from typer.testing import CliRunner

from dcrit.cli.app import app
from dcrit.cli.reproduce import committed, remade

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_committed_report() -> None:
    results = ROOT / "docs" / "results"
    reports, predictors = committed(results), json.loads((results / "ablation.json").read_text(encoding="utf-8"))
    assert "quick" in reports
    assert remade(README, reports, predictors) == README
    for report in reports.values():
        claim = report["claims"][0]
        claim["measured"], before = 123.0, claim["measured"]
        assert remade(README, reports, predictors) != README
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


@pytest.mark.slow
def test_the_quickstart_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    assert len([line for line in code.splitlines() if line]) <= 10
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # The page is ours.
    pyplot.close("all")
    said = capsys.readouterr().out
    found = re.search(r"predicted (\d+) .*measured (\d+), (\d+) to (\d+)", said, flags=re.DOTALL)
    assert found is not None
    predicted, measured, low, high = map(int, found.groups())
    assert low <= measured <= high
    assert abs(predicted / measured - 1) < 0.3
    assert (tmp_path / "critical-size.png").stat().st_size > 10_000
