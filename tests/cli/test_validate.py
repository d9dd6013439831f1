"""What the validate command prints and writes, over a suite that trains nothing; and the list of figures."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcrit.cli.app import app
from dcrit.empirics.claims import suites
from dcrit.empirics.claims.claim import Condition
from dcrit.empirics.claims.suites import Suite, block_of
from dcrit.empirics.training.budget import Budget, Speed
from dcrit.empirics.training.work import Stage, work_of
from dcrit.figures import FIGURES
from dcrit.theory.problems.problem import Problem
from tests.worlds.miniature import accuracy, claim_of, stand_in

TINY = Problem(modulus=5, width=4, learning_rate=0.1, weight_decay=4.0)

#: Networks that are right on less than nine tenths of what they do not see; the second takes some hundred times longer.
MADE = Suite(
    name="quick",
    claims=(
        claim_of("cheap", Condition(stream=accuracy(TINY, 3, blocks=8), high=0.9)),
        claim_of("dear", Condition(stream=accuracy(replace(TINY, width=600), 3, blocks=8), high=0.9)),
    ),
)


@pytest.fixture(autouse=True)
def made_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stand_in(monkeypatch, quick=MADE, paper=MADE)

    def budget_of(minutes: float, workers: int) -> Budget | None:
        assert workers == 2
        if minutes == float("inf"):
            return None
        # 30 minutes are 18 MFLOP: blocks of the first claim take less, those of the second more.
        return Budget(seconds=60 * minutes, speed=Speed(device="cuda", rate=1e4), clock=lambda: 0.0)

    monkeypatch.setattr(suites, "budget_of", budget_of)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, ["validate", *words, "--workers", "2"], env={"COLUMNS": "200"})


@pytest.mark.slow
def test_people_see_what_runs_the_verdicts_and_where_the_report_lies() -> None:
    done = invoke("quick", "--claim", "cheap")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[0] == "4 fresh runs for 1 of 1 claims"
    assert re.search(r"cheap .* supported", done.stdout)
    assert "report: validation/quick/report.html" in done.stdout
    assert sorted(path.name for path in Path("validation/quick").glob("report.*")) == [
        "report.html",
        "report.json",
        "report.md",
    ]
    assert {path.name for path in Path("validation/quick/figures").iterdir()} == {"cheap.png", "cheap.svg"}


@pytest.mark.slow
def test_a_budget_goes_to_the_cheapest_and_more_of_it_adds_to_what_is_there() -> None:
    work = work_of([Stage(known=block_of(MADE.streams[0], 0))], "cuda")
    assert work.cost < 18e6 < work_of([Stage(known=block_of(MADE.streams[1], 0))], "cuda").cost
    done = invoke("quick", "--budget", "30", "--json")
    document = json.loads(done.stdout)
    assert done.stderr.splitlines()[0] == "budget 30 minutes on 1 workers at 1e-05 GFLOP/s each"
    assert json.loads(Path("validation/quick/report.json").read_text(encoding="utf-8")) == document
    assert (document["budget_minutes"], document["open_claims"], document["stored_runs"]) == (30.0, 1, 0)
    cheap, dear = document["claims"]
    assert (cheap["verdict"], dear["verdict"]) == ("supported", "inconclusive")
    assert (dear["n_runs"], dear["reason"]) == (0, "no run was made yet")
    more = json.loads(invoke("quick", "--budget", "inf", "--json").stdout)
    assert [one["verdict"] for one in more["claims"]] == ["supported", "supported"]
    assert more["claims"][0]["rows"] == cheap["rows"]
    assert (more["budget_minutes"], more["open_claims"], more["stored_runs"]) == (None, 0, document["runs"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "verdict"),
    [(("quick",), "supported"), (("paper",), "inconclusive"), (("paper", "--budget", "inf"), "supported")],
)
def test_only_the_paper_suite_has_a_budget_unless_it_is_asked_for(words: tuple[str, ...], verdict: str) -> None:
    monkeyed = json.loads(invoke(*words, "--json").stdout)
    assert monkeyed["claims"][1]["verdict"] == verdict
    assert monkeyed["budget_minutes"] == (30.0 if verdict == "inconclusive" else None)


@pytest.mark.slow
def test_a_file_of_evidence_stands_for_the_runs_that_it_came_from() -> None:
    first = json.loads(invoke("quick", "--claim", "cheap", "--json").stdout)
    done = invoke("quick", "--evidence", "validation/quick/evidence.json", "--out", "new", "--json")
    assert done.stderr.splitlines()[:2] == [
        f"going on from {first['runs']} runs in validation/quick/evidence.json",
        "4 fresh runs for 1 of 2 claims",
    ]
    second = json.loads(done.stdout)
    assert second["claims"][0]["rows"] == first["claims"][0]["rows"]
    assert second["claims"][1]["verdict"] == "supported"
    assert (first["stored_runs"], second["stored_runs"]) == (0, first["runs"])
    kept = json.loads(Path("new/evidence.json").read_text(encoding="utf-8"))["streams"]
    assert sum(len(one["runs"]) for one in kept.values()) == second["runs"] > first["runs"]
    refused = invoke("quick", "--evidence", "validation/quick/report.json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--evidence must be a file evidence.json of format 1" in refused.stderr


@pytest.mark.parametrize("minutes", ["0", "-5", "nan"])
def test_no_time_at_all_is_refused(minutes: str) -> None:
    done = invoke("quick", "--budget", minutes)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--budget must be above 0 minutes, or inf, got" in done.stderr
    assert not Path("validation").exists()


def test_figures_are_listed_with_their_experiment_and_suites() -> None:
    done = CliRunner().invoke(app, ["figure", "--list", "--json"])
    listed = json.loads(done.stdout)["figures"]
    assert [one["name"] for one in listed] == list(FIGURES)
    for one in listed:
        spec = FIGURES[one["name"]]
        assert one["experiment"] == spec.experiment.name
        assert one["suites"] == list(spec.experiment.designs)
    table = CliRunner().invoke(app, ["figure", "--list"], env={"COLUMNS": "200"}).stdout
    for column in ("name", "shows", "experiment", "suites", "critical-sizes", "competition", "quick"):
        assert column in table
