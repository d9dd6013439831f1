"""The examples of docs/how-to/classify.md print what the page says."""

import doctest
import re
from pathlib import Path

import pytest

from dcrit.cli.app import app
from dcrit.empirics.curves.classify import SHOWN
from tests.worlds.command_line import invoking

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "classify.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_print_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
    examples = doctest.DocTestParser().get_doctest(code, {}, "classify.md", None, 0)
    assert len(examples.examples) > 25
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append)
    assert result.failed == 0, "".join(said)
    (shell,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    command, _, expected = shell.partition("\n")
    printed = invoking(app, columns=80)(*command.removeprefix("$ dcrit ").split()).stdout
    assert printed.rpartition("Thresholds:")[0] == expected


def test_the_table_has_every_word_that_a_run_may_be_given() -> None:
    table = PAGE.partition("| dynamics | rule |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| ([a-z -]+?) \|", table, re.MULTILINE)) == sorted(SHOWN)
