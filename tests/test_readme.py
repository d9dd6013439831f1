"""The README is short, its numbers are generated, its links and pictures are there, and its quickstart runs."""

import json
import re
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from dcrit.api.report.tables import RELIANCE, VERDICTS, committed, reliance, tables
from dcrit.empirics.ablations.committed import with_block

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
VERDICTS_PAGE = (ROOT / "docs" / "results" / "verdicts.md").read_text(encoding="utf-8")
RESULTS = ROOT / "docs" / "results"

#: Words that a reader has the patience for, listings and what pictures are called aside.
MOST_WORDS = 800


def words(markdown: str) -> list[str]:
    """What is read of a page: neither listings, nor names of pictures, nor comments, nor where links lead."""
    text = re.sub(r"^```.*?^```$|<!--.*?-->|!\[[^\]]*\]\([^)]*\)", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\]\([^)]*\)", "]", text).split()


def test_it_is_short() -> None:
    assert 400 < len(words(README)) <= MOST_WORDS


def test_words_are_counted_as_a_reader_sees_them() -> None:
    page = "# One\n\n```sh\nnot these\n```\n\n![nor these](a.png)\n\n[two three](where/it leads) <!-- not -->"
    assert words(page) == ["#", "One", "[two", "three]"]


def test_its_numbers_are_those_of_the_committed_results() -> None:
    block = reliance(RESULTS)
    assert with_block(README, RELIANCE, block) == README
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]]
    kinds = [f"{model} {start}" for start in ("from scratch", "at rest") for model in ("pair-MLP", "transformer")]
    assert [row[0] for row in rows] == kinds
    at_rest = json.loads((RESULTS / "two-thresholds" / "at-rest.json").read_text(encoding="utf-8"))
    for name, model in (("pair-MLP at rest", "mlp"), ("transformer at rest", "transformer")):
        asked = [row["measured"] for row in at_rest if row["problem"]["model"] == model]
        n = sum(size is not None for size in asked)
        (counted,) = [row[1] for row in rows if row[0] == name]
        assert counted == (str(n) if n == len(asked) else f"{n} of {len(asked)}")
    assert all(int(row[1]) > 4 for row in rows[:2])
    for _, _, median, inside in rows:
        found = re.fullmatch(r"(\d+)% \((\d+)% – (\d+)%\)", inside)
        assert found is not None
        share, low, high = map(int, found.groups())
        assert low <= share <= high
        assert 0 < float(median.rstrip("%")) < 30


def test_tables_of_verdicts_are_those_of_the_committed_reports() -> None:
    reports, predictors = committed(RESULTS), json.loads((RESULTS / "ablation.json").read_text(encoding="utf-8"))
    assert set(reports) == {"quick", "standard", "paper"}
    assert with_block(VERDICTS_PAGE, VERDICTS, tables(reports, predictors)) == VERDICTS_PAGE
    for report in reports.values():
        claim = report["claims"][0]
        claim["measured"], before = 123.0, claim["measured"]
        assert with_block(VERDICTS_PAGE, VERDICTS, tables(reports, predictors)) != VERDICTS_PAGE
        claim["measured"] = before


def test_both_explained_pictures_are_shown_and_said_how_to_read() -> None:
    pictures = re.findall(r"^!\[[^\]]+\]\((figures/[\w/-]+\.png)\)\n\n\*[^*]+\*$", README, flags=re.MULTILINE)
    assert pictures == ["figures/explained/two-thresholds.png", "figures/explained/four-dynamics.png"]
    assert all((ROOT / picture).is_file() for picture in pictures)


@pytest.mark.slow
@pytest.mark.processes
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
    assert (tmp_path / "phase-diagram.png").stat().st_size > 10_000
