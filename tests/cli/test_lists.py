"""Several moduli, widths and sizes in one answer, fresh seeds, planes that are trained, and runs over the theory."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import dcrit
from dcrit.cli.app import app
from dcrit.theory.checks import FieldError
from tests.worlds.command_line import document_of, invoking

invoke = invoking(app)

#: Forty time constants of these are a hundred steps.
FAST = ["-p", "7", "--learning-rate", "0.1", "--weight-decay", "4"]
QUICK = dcrit.Problem(modulus=7, learning_rate=0.1, weight_decay=4.0)


def words(*given: str, store: Path | None = None) -> list[str]:
    """Words of a command that trains in a folder of its own."""
    return [*given, *([] if store is None else ["-S", str(store), "--workers", "1"]), "--json"]


def test_lists_are_answered_one_by_one_in_one_document() -> None:
    for given in (["-w", "32", "-w", "64"], ["-w", "32,64"], ["--width=32,64"], ["-w32", "-w", "64"]):
        found = document_of(invoke("predict", "critical-size", *given, "-p", "23,31", "--json"))
        problems = [(one["problem"]["modulus"], one["problem"]["width"]) for one in found["answers"]]
        assert problems == [(23, 32), (23, 64), (31, 32), (31, 64)]
    alone = document_of(invoke("predict", "critical-size", "-w", "64", "-p", "31", "--json"))
    assert found["answers"][3] == alone
    same = dcrit.predict(dcrit.Problem(), moduli=[23, 31], widths=[32, 64])
    assert same.to_dict() == found
    table = same.to_polars()
    assert table.filter(pl.col("quantity") == "critical_size")["width"].to_list() == [32, 64, 32, 64]
    assert same[3].critical_size == alone["critical_size"]["value"]
    assert len(same) == 4
    ax = same.plot()
    assert ax.get_xlabel() == "modulus $p$"
    assert [label.split(",")[0] for label in ax.get_legend_handles_labels()[1]] == ["width 32", "width 64"]
    assert "critical sizes" in ax.get_title()


def test_sizes_may_be_several_where_each_has_an_answer() -> None:
    asked = ["-n", "100,250", "-w", "32,64", "--json"]
    found = document_of(invoke("predict", "regime", *asked))
    assert [one["n_train"] for one in found["answers"]] == [100, 250, 100, 250]
    assert dcrit.regime(dcrit.Problem(), [100, 250], widths=[32, 64]).to_dict() == found
    delays = document_of(invoke("predict", "delay", *asked))
    assert dcrit.delay(dcrit.Problem(), [100, 250], widths=[32, 64]).to_dict() == delays
    text = invoke("predict", "delay", "-n", "100,250").stdout
    assert "probability by T" in text
    assert "width" not in text


@pytest.mark.parametrize(
    "asked",
    [
        ["simulate", "-n", "100,200"],
        ["predict", "phase-diagram", "-p", "23,31"],
        ["predict", "double-descent", "-n", "100,200"],
        ["measure", "efficiency", "-w", "32,64"],
    ],
    ids=" ".join,
)
def test_a_list_is_refused_where_one_value_is_meant(asked: list[str]) -> None:
    refused = invoke(*asked)
    assert refused.exit_code == 2
    assert f"must be one integer, and no list of them, got '{asked[-1]}'" in refused.stderr
    first, second = asked[-1].split(",")
    again = invoke(*asked[:-1], first, asked[-2], second)
    assert again.exit_code == 2
    assert f"must be given once, got '{first}' and '{second}'" in again.stderr


def test_a_bad_value_of_a_list_is_named() -> None:
    assert "got 4" in invoke("predict", "critical-size", "-t", "mul", "-p", "23,4").stderr
    assert "must be an integer, got 'x'" in invoke("predict", "critical-size", "-p", "23,x").stderr


def test_a_plane_is_trained_and_lies_over_the_theory(tmp_path: Path) -> None:
    store, out = tmp_path / "runs", tmp_path / "plane.png"
    asked = [*FAST, "-w", "8,16", "-n", "20,30", "-s", "2"]
    found = document_of(invoke(*words("train", *asked, "-o", str(out), store=store)))
    assert [(one["width"], one["n_train"], one["seed"]) for one in found["runs"]] == [
        (width, n_train, seed) for width in (8, 16) for n_train in (20, 30) for seed in (0, 1)
    ]
    assert out.stat().st_size > 1000
    same = dcrit.train(QUICK, [20, 30], widths=[8, 16], seeds=2, store=store, workers=1)
    assert [one["address"] for one in same.summaries] == [one["address"] for one in found["runs"]]
    assert "mlp" in same.title
    assert same.plot().get_xlabel().startswith("model size")
    # The theory is asked about another weight decay of which it knows; runs of this one are none of its problem.
    other = words("predict", "phase-diagram", "-p", "7", "--learning-rate", "0.1", "--points", "9", "-S", str(store))
    assert document_of(invoke(*other))["runs"] == []


def test_runs_over_a_phase_diagram_are_those_of_its_problem_and_horizon(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    asked = ["-p", "13", "-w", "16,32", "--steps", "30"]
    document_of(invoke(*words("train", *asked, "-n", "60", "-s", "2", store=store)))
    picture = tmp_path / "diagram.png"
    diagram = ["predict", "phase-diagram", "-p", "13", "-T", "30", "--points", "9", "-S", str(store)]
    found = document_of(invoke(*diagram, "-o", str(picture), "--json"))
    assert [(one["width"], one["n_train"], one["n_runs"]) for one in found["runs"]] == [(16, 60, 2), (32, 60, 2)]
    assert {one["predicted"] for one in found["runs"]} <= set(found["regimes"])
    assert picture.stat().st_size > 1000
    same = dcrit.phase_diagram(dcrit.Problem(modulus=13), horizon=30, points=9, store=store)
    assert same.points == found["runs"]
    labels = same.plot().get_legend_handles_labels()[1]
    assert any(label.startswith("runs: ") for label in labels)
    assert sum("interval" in label for label in labels) == 1
    problem = dcrit.Problem(modulus=13)
    runs = dcrit.train(problem, [60, 80], widths=[16, 32], seeds=1, horizon=30, store=store, workers=1)
    ax = dcrit.phase_diagram(problem, horizon=30, points=9).plot(runs=runs)
    assert any(label.startswith("runs: ") for label in ax.get_legend_handles_labels()[1])
    assert "4 runs lie over the prediction, none was left out" in " ".join(ax.get_title().split())
    left, right = ax.get_xlim()
    assert all(left < one.config.problem.n_params < right for one in runs.runs)
    text = invoke(*diagram).stdout
    assert "most show" in text
    assert "points most runs show what is most likely there" in " ".join(text.split())
    with pytest.raises(FieldError, match="store must be a folder that holds runs"):
        dcrit.phase_diagram(dcrit.Problem(modulus=13), points=9, store=tmp_path / "none")


@pytest.mark.slow
def test_another_first_seed_makes_fresh_runs(tmp_path: Path) -> None:
    asked = [*FAST, "-w", "8"]
    first, fresh = (
        document_of(invoke(*words("train", *asked, "-n", "20", "-s", "2", "--seed", seed, store=tmp_path)))["runs"]
        for seed in ("0", "7")
    )
    assert [one["seed"] for one in first] == [0, 1]
    assert [one["seed"] for one in fresh] == [7, 8]
    held = document_of(invoke("runs", "list", "-S", str(tmp_path), "--json"))["n_runs"]
    document_of(invoke(*words("measure", "critical-size", *asked, "--seed", "50", store=tmp_path)))
    after = document_of(invoke("runs", "list", "-S", str(tmp_path), "--json"))["n_runs"]
    document_of(invoke(*words("measure", "critical-size", *asked, "--seed", "90", store=tmp_path)))
    assert held < after < document_of(invoke("runs", "list", "-S", str(tmp_path), "--json"))["n_runs"]
    with pytest.raises(FieldError, match="seed must be 0 where seeds= says which, got 3"):
        dcrit.train(QUICK, 20, seeds=[1, 2], seed=3, store=tmp_path)


@pytest.mark.slow
def test_several_capacities_are_measured_in_one_table(tmp_path: Path) -> None:
    asked = words("measure", "capacity", *FAST, "-w", "1,2", "-s", "2", store=tmp_path)
    found = document_of(invoke(*asked))
    same = dcrit.capacity(replace(QUICK, task="random"), widths=[1, 2], seeds=2, store=tmp_path, workers=1)
    assert same.to_dict() == found
    assert [one["problem"]["width"] for one in found["answers"]] == [1, 2]
    assert all(one["capacity"]["quantity"] == "capacity" for one in found["answers"])
