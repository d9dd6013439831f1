"""The page of findings, from made reports and sizes of a known law."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dcrit.api.report.findings import FROM_EMPTY, PAGE, claims_of, findings, telling

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "results"


def test_the_committed_page_is_made_from_committed_results() -> None:
    ((path, text),) = findings(RESULTS).items()
    assert path == RESULTS / PAGE
    assert path.read_text(encoding="utf-8") == text


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Committed results with a standard report of two claims beside the quick one, which has three."""
    folder = tmp_path / "results"
    shutil.copytree(RESULTS, folder)
    (folder / "paper.json").unlink()
    quick = json.loads((folder / "quick.json").read_text(encoding="utf-8"))
    (first, *_) = quick["claims"]
    row = first["rows"][0] | {"quantity": "change of ln Q", "measured": -0.7, "low": -0.9, "high": -0.5}
    norm = first | {
        "id": "norm-signature",
        "statement": "Grokking lowers the norm.",
        "verdict": "refuted",
        "measured": None,
        "leading": 0,
        "rows": [row],
    }
    errors = {
        "n": 36,
        "rms": 0.0712,
        "worst": 0.21,
        "fit": {"bias": {"value": 0.011, "interval": {"low": -0.01, "high": 0.03}}},
        "coverage": [{"level": 0.9, "part": 0.75}],
        "mean_squared_z": 1.4,
    }
    drawn = first | {"id": "dcrit-predicted", "prediction_errors": [errors]}
    report = quick | {"suite": "standard", "claims": [norm, drawn]}
    (folder / "standard.json").write_text(json.dumps(report), encoding="utf-8")
    return folder


def test_a_claim_is_told_by_the_report_that_judges_the_most_claims() -> None:
    def report(*ids: str) -> dict[str, Any]:
        return {"claims": [{"id": one, "of": ids} for one in ids]}

    few, many, other = report("a", "b"), report("c", "b", "a"), report("b", "d")
    reports = {"first": few, "second": many, "third": other}
    assert {name: one["of"] for name, one in claims_of(reports).items()} == {
        **dict.fromkeys("abc", ("c", "b", "a")),
        "d": ("b", "d"),
    }
    assert telling(reports) == {"second": many, "third": other}
    assert telling({"first": few, "again": report("b", "a")}).keys() == {"again"}


def test_claims_of_a_report_stand_under_their_verdicts(results: Path) -> None:
    (text,) = findings(results).values()
    holds, rest = text.split("## What is refuted")
    refuted, rest = rest.split("## What is not decided")
    undecided, new = rest.split("## What is new")
    assert "* `dcrit validate standard`: 200 runs took " in holds
    assert "`dcrit-predicted`" in holds
    assert "`emergence-split`" in holds  # of the quick report, which alone has it here
    assert "* `norm-signature`: Grokking lowers the norm. No run tells yet." in refuted
    assert undecided.strip() == "None of the claims."
    assert "| change of ln Q | -0.7 (-0.9 to -0.5) |" in new
    assert "| `dcrit-predicted` | 36 | 0.071 | 0.210 | +0.011 (-0.010 to +0.030) | 75% | 1.40 |" in new


def test_claims_that_are_not_decided_are_named(results: Path) -> None:
    report = json.loads((results / "standard.json").read_text(encoding="utf-8"))
    report["claims"][0]["verdict"] = "inconclusive"
    (results / "standard.json").write_text(json.dumps(report), encoding="utf-8")
    (text,) = findings(results).values()
    before, rest = text.split("## What is not decided")
    assert rest.partition("##")[0].strip() == "`norm-signature`."
    assert "`norm-signature`" not in before


def test_a_call_from_an_empty_store_is_told_with_what_it_took(results: Path) -> None:
    (text,) = findings(results).values()
    report = json.loads((results / FROM_EMPTY).read_text(encoding="utf-8"))
    decided = [one for one in report["claims"] if one["verdict"] in ("supported", "refuted")]
    assert report["stored_runs"] == 0
    assert f"{report['runs']} runs, " in text
    assert f", {len(decided)} of {len(report['claims'])} claims decided." in text
    (results / FROM_EMPTY).unlink()
    (without,) = findings(results).values()
    assert "from an empty store" not in without
