"""The explorer's file: whole, alone, and refused in one sentence where it cannot be made."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dcrit
from dcrit.api.explorer import page
from dcrit.cli.app import app
from tests.worlds.bare_explorer import without_theory
from tests.worlds.command_line import invoking


@pytest.fixture
def no_theory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the seconds that grids take: nothing here looks at them."""
    without_theory(monkeypatch)


@pytest.mark.usefixtures("no_theory")
def test_the_command_and_the_function_write_the_same_file(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine.html", tmp_path / "new" / "theirs.html"
    found = dcrit.explore(mine)
    done = CliRunner().invoke(app, ["explore", "--out", str(theirs), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == found.to_dict() | {"file": str(theirs)}
    assert mine.read_bytes() == theirs.read_bytes()
    assert found.n_bytes == mine.stat().st_size < 5e6
    assert found.to_polars().height == 1
    assert "measured sizes" in found.title


@pytest.mark.usefixtures("no_theory")
def test_nothing_outside_the_file_is_named_and_nothing_inside_it_ends_a_script(tmp_path: Path) -> None:
    text = dcrit.explore(tmp_path / "page.html").file.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href|action)\s*=\s*["']?(?:https?:)?//""", text)
    assert "default-src 'none'" in text
    assert len(re.findall(r"<script\b", text)) == len(re.findall(r"</script>", text)) == 5


def test_without_the_plotting_library_one_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "LIBRARY", "no_such_library")
    out = tmp_path / "page.html"
    done = invoking(app)("explore", "--out", str(out))
    assert done.exit_code == 2
    assert "pip install 'dcrit[explore]'" in done.output
    assert not out.exists()


def test_a_store_that_is_none_and_a_folder_as_file_are_bad_input(tmp_path: Path) -> None:
    for words in (["--store", str(tmp_path / "none")], ["--out", str(tmp_path)]):
        done = CliRunner().invoke(app, ["explore", *words])
        assert done.exit_code == 2
        assert words[0] in done.output
