"""The page of findings, from made reports and sizes of a known law."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from dcrit.empirics.ablations.findings import PAGE, exponent_of, findings, gaps, sizes

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "results"


def test_the_committed_page_is_made_from_committed_results() -> None:
    ((path, text),) = findings(RESULTS).items()
    assert path == RESULTS / PAGE
    assert path.read_text(encoding="utf-8") == text


def rows(exponent: float, *, at_rest: bool, moduli: tuple[int, ...] = (23, 31, 47, 67, 113)) -> list[dict[str, object]]:
    noise = np.random.default_rng(0).normal(0, 0.02, len(moduli))
    return [
        {"n_symbols": p, "size": 2 * p**exponent * math.exp(off), "at_rest": at_rest}
        for p, off in zip(moduli, noise, strict=True)
    ]


def test_exponents_are_found_again() -> None:
    found = exponent_of(rows(1.5, at_rest=False))
    assert found is not None
    assert 1.5 in found.interval
    assert found.value == pytest.approx(1.5, abs=0.05)
    assert (found.moduli, found.n) == ((23, 113), 5)
    assert exponent_of(rows(1.5, at_rest=False, moduli=(13, 17, 31, 47))) is None  # small moduli tell nothing


def test_gaps_are_taken_where_both_sizes_are_measured() -> None:
    scratch, rest = rows(1.5, at_rest=False, moduli=(30, 47, 67)), rows(1.0, at_rest=True, moduli=(31, 47, 113))
    found = gaps([*scratch, *rest])
    assert [modulus for modulus, _, _ in found] == [31, 47]
    assert found[1][1:] == pytest.approx((scratch[1]["size"], rest[1]["size"]))


def test_sizes_at_rest_of_each_family_are_there() -> None:
    for series in (("mlp", "square", 128, 4000), ("transformer", "relu", 32, 5000)):
        assert {row["at_rest"] for row in sizes(RESULTS, *series)} == {True, False}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Committed results with a standard report of two claims beside the quick one."""
    folder = tmp_path / "results"
    shutil.copytree(RESULTS, folder)
    quick = json.loads((folder / "quick.json").read_text(encoding="utf-8"))
    (first, *_) = quick["claims"]
    row = first["rows"][0] | {"quantity": "change of ln Q", "measured": -0.7, "low": -0.9, "high": -0.5}
    norm = first | {
        "id": "norm-signature",
        "statement": "Grokking lowers the norm.",
        "verdict": "refuted",
        "measured": None,
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


def test_claims_of_the_later_report_stand_under_their_verdicts(results: Path) -> None:
    (text,) = findings(results).values()
    holds, rest = text.split("## What is refuted")
    refuted, rest = rest.split("## What is not decided")
    undecided, new = rest.split("## What is new")
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


def test_reports_by_p_values_are_no_findings(results: Path) -> None:
    shutil.copy(RESULTS / "standard-p-values.json", results / "standard.json")
    (text,) = findings(results).values()
    assert "`dd-peak-sqrt`" not in text
    assert "not judged by fresh runs yet" in text
