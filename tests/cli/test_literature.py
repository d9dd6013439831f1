"""``dcrit reproduce`` for figures of the literature: their table, their page, and one of them."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcrit.api import literature as api
from dcrit.cli.app import app
from dcrit.theory.literature.figures import literature_figures
from tests.worlds.literature import miniature

ROOT = Path(__file__).parents[2]


def reproduce(*words: object) -> object:
    return CliRunner().invoke(app, ["reproduce", *map(str, words)], env={"COLUMNS": "200"})


def test_the_table_names_every_figure_with_runs_and_minutes() -> None:
    document = json.loads(reproduce("literature", "--json").stdout)  # type: ignore[attr-defined]
    assert [one["name"] for one in document["figures"]] == [one.name for one in literature_figures()]
    for one in document["figures"]:
        assert one["command"] == f"dcrit reproduce {one['name']}"
        assert one["runs"] > 0
        assert one["flops"] > 1e9
        assert 0 < one["minutes"] < 40
    shown = reproduce("literature").stdout  # type: ignore[attr-defined]
    assert all(one.name in shown for one in literature_figures())


def test_the_committed_page_is_that_of_the_registry() -> None:
    done = reproduce("literature", "--clone", ROOT, "--check")
    assert done.exit_code == 0, done.output  # type: ignore[attr-defined]


def test_a_page_that_differs_is_told_and_one_outside_of_a_clone_refused(tmp_path: Path) -> None:
    assert reproduce("literature", "--clone", tmp_path).exit_code == 2  # type: ignore[attr-defined]
    alone = reproduce("literature", "--check")
    assert alone.exit_code == 2  # type: ignore[attr-defined]
    for folder in ("docs/results", "docs/reference"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    assert reproduce("literature", "--clone", tmp_path, "--check").exit_code == 1  # type: ignore[attr-defined]
    assert reproduce("literature", "--clone", tmp_path).exit_code == 0  # type: ignore[attr-defined]
    assert reproduce("literature", "--clone", tmp_path, "--check").exit_code == 0  # type: ignore[attr-defined]


def test_each_command_says_what_should_be_seen() -> None:
    said = re.sub(r"\s+", " ", reproduce("nanda-1", "--help").stdout)  # type: ignore[attr-defined]
    assert "train loss falls at once" in said
    assert "Here one should see: Train loss is below 0.01" in said


@pytest.mark.slow
def test_a_figure_is_made_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(miniature(one) for one in literature_figures() if one.name == "huang-2b")
    monkeypatch.setattr(api, "literature_figures", lambda: small)
    done = reproduce("huang-2b", "--store", tmp_path / "runs", "--out", tmp_path, "--workers", 1, "--json")
    document = json.loads(done.stdout)  # type: ignore[attr-defined]
    assert [Path(path).name for path in document["files"]] == ["huang-2b.png", "huang-2b.svg"]
    assert all(Path(path).stat().st_size > 1000 for path in document["files"])
