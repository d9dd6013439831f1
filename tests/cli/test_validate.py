"""What the validate command prints and writes, over a suite that trains nothing; and the list of figures."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcrit.cli.app import app
from dcrit.empirics.claims import suites
from dcrit.empirics.claims.suites import Suite
from dcrit.empirics.training.budget import Budget, Speed
from dcrit.figures import FIGURES
from tests.worlds.miniature import stand_in
from tests.worlds.report_documents import claim_of, experiment_of

HUGE = 3 * 10**16
MADE = Suite(
    name="quick",
    claims=(
        claim_of("cheap", experiment_of("one"), (1e-6, 1.0), "as predicted"),
        claim_of("dear", experiment_of("two", HUGE), (1e-6, 1.0), "also as predicted"),
    ),
)


@pytest.fixture(autouse=True)
def made_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stand_in(monkeypatch, quick=MADE, paper=MADE)

    def budget_of(minutes: float, workers: int) -> Budget | None:
        assert workers == 2
        return (
            None
            if minutes == float("inf")
            else Budget(seconds=60 * minutes, speed=Speed(device="cuda", rate=1e9), clock=lambda: 0.0)
        )

    monkeypatch.setattr(suites, "budget_of", budget_of)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, ["validate", *words, "--workers", "2"], env={"COLUMNS": "200"})


@pytest.mark.slow
def test_people_see_what_runs_the_verdicts_and_where_the_report_lies() -> None:
    done = invoke("quick")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == ["experiment one (1 of 2)", "experiment two (2 of 2)"]
    assert re.search(r"cheap .* supported", done.stdout)
    assert "report: validation/quick/report.html" in done.stdout
    assert sorted(path.name for path in Path("validation/quick").glob("report.*")) == [
        "report.html",
        "report.json",
        "report.md",
    ]


@pytest.mark.slow
def test_a_budget_leaves_out_what_takes_longer() -> None:
    done = invoke("quick", "--budget", "30", "--json")
    document = json.loads(done.stdout)
    budget, begun = done.stderr.splitlines()
    assert budget == "budget 30 minutes on 1 workers at 1 GFLOP/s each"
    assert begun == "experiment one (1 of 2)"
    assert json.loads(Path("validation/quick/report.json").read_text(encoding="utf-8")) == document
    assert document["budget_minutes"] == 30.0
    cheap, dear = document["claims"]
    assert (cheap["verdict"], dear["verdict"]) == ("supported", "inconclusive")
    assert dear["left_out"]["flops"] == HUGE
    assert dear["reason"].startswith("left out: 3e16 FLOPs")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "verdict"),
    [(("quick",), "supported"), (("paper",), "inconclusive"), (("paper", "--budget", "inf"), "supported")],
)
def test_only_the_paper_suite_has_a_budget_unless_it_is_asked_for(words: tuple[str, ...], verdict: str) -> None:
    monkeyed = json.loads(invoke(*words, "--json").stdout)
    assert monkeyed["claims"][1]["verdict"] == verdict
    assert monkeyed["budget_minutes"] == (30.0 if verdict == "inconclusive" else None)


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
