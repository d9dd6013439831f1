"""The instruments on the command line, through typer's runner."""

import re
from pathlib import Path
from typing import Any

import pytest

from dcrit.cli.app import app
from tests.worlds.command_line import document_of, invoking

FAST = ["--modulus", "7", "--width", "8", "--learning-rate", "0.1"]
#: What an estimate has, in every document.
ESTIMATE = {
    *("quantity", "value", "interval", "level", "unit", "horizon"),
    *("n_runs", "n_unconverged", "extrapolated", "reason"),
}


pytestmark = pytest.mark.usefixtures("alone")

invoke = invoking(app)


def document(*words: str) -> dict[str, Any]:
    return document_of(invoke(*words, "--json"))


@pytest.mark.parametrize("command", ["circuits", "effective-dimension", "critical-size", "capacity", "efficiency"])
def test_instruments_have_help(command: str) -> None:
    result = invoke("measure", command, "--help")
    assert result.exit_code == 0
    assert f"measure {command}" in result.output


BAD = [
    (["circuits"], "Missing option '--n-train'"),
    (["circuits", "--n-train", "20", "--task", "cubic"], "--task must be one of add, sub, mul, div .*got 'cubic'"),
    (["circuits", "--n-train", "20", "--task", "random"], "--task must be one of add, sub, mul, div .*got 'random'"),
    (["circuits", "--n-train", "529"], "--n-train must be at most 528, .*unseen pairs.*got 529"),
    (["circuits", "--n-train", "0"], "--n-train must be an integer of at least 1, got 0"),
    (["circuits", "--n-train", "20", "--seeds", "0"], "--seeds must be an integer of at least 1, got 0"),
    (["circuits", "--n-train", "20", "--model", "transformer", "--width", "6"], "--width must be a multiple of"),
    (["effective-dimension", "--n-train", "530"], "--n-train must be at most 529"),
    (["effective-dimension", "--n-train", "9", "--alpha", "-1"], "--alpha must be a finite number above 0, got -1.0"),
    (["effective-dimension", "--n-train", "9", "--probes", "1"], "--probes must be an integer of at least 2, got 1"),
    (
        ["effective-dimension", "--n-train", "9", "--matrix", "fisher"],
        "'--matrix': must be one of gauss-newton, hessian, got 'fisher'",
    ),
    (["critical-size", "--start", "middle"], "'--start': must be one of scratch, generalized, both, got 'middle'"),
]


@pytest.mark.parametrize(("words", "says"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_sentence_and_nothing_else(words: list[str], says: str, tmp_path: Path) -> None:
    result = invoke("measure", *words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    sentence = " ".join(result.stderr.replace("│", " ").split())
    assert re.search(says, sentence), sentence
    assert list(tmp_path.iterdir()) == []


def test_circuits_answer_in_the_keys_of_the_contract() -> None:
    found = document("measure", "circuits", "--n-train", "40", "--seeds", "2", *FAST)
    share, predicted = found["generalizing_share"], found["predicted_generalizing_share"]
    assert share.keys() == predicted.keys() == ESTIMATE
    assert (share["quantity"], share["n_runs"], found["n_train"]) == ("generalizing_share", 2, 40)
    assert share["interval"]["low"] <= share["value"] <= share["interval"]["high"]
    rows, runs = found["over_training"], found["runs"]
    assert rows[0]["step"] == 0
    assert rows[-1]["step"] == 400
    assert share["value"] == pytest.approx(sum(run["share"] for run in runs) / 2)
    for run in runs:
        assert set(run["key_frequencies"]) <= {1, 2, 3}
        assert len(run["frequency_power"]) == 3
    for row in rows:
        assert row["restricted_loss"] > 0
        assert row["excluded_loss"] > 0
    # λ and η are outside the shipped calibration's protocol.
    assert predicted["value"] is None or predicted["extrapolated"]


def test_circuits_print_tables_and_say_progress_on_standard_error() -> None:
    result = invoke("measure", "circuits", "--task", "mul", "--n-train", "30", "--seeds", "2", *FAST)
    assert result.exit_code == 0, result.output
    for word in ("restricted", "excluded", "γ gen", "IPR", "measured", "predicted", "seed 1: key frequencies"):
        assert word in result.stdout
    assert "circuits: 2 runs" in result.stderr
    assert "circuits: done" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "lanczos"])
def test_effective_dimension_answers_in_the_keys_of_the_contract(method: str) -> None:
    words = ["measure", "effective-dimension", "--n-train", "30", "--seeds", "2", "--method", method, *FAST]
    found = document(*words)
    assert found.keys() >= {"problem", "alpha", "matrix", "method", "n_params", "standard_error", "runs"}
    measured = found["effective_dimension"]
    assert measured.keys() == ESTIMATE
    assert (found["alpha"], found["matrix"]) == (1e-8, "gauss-newton")
    assert 0 < measured["value"] < found["n_params"] == 168
    assert measured["interval"]["low"] < measured["value"] < measured["interval"]["high"]
    assert (found["standard_error"] == 0) == (method == "exact")
    for run in found["runs"]:
        assert run["at_larger_alpha"] < run["effective_dimension"] < run["at_smaller_alpha"]
        assert (run["lanczos_steps"] == 0) == (method == "exact")


def test_effective_dimension_falls_with_alpha_and_can_use_the_hessian() -> None:
    words = ["measure", "effective-dimension", "--n-train", "30", "--seeds", "1", *FAST]
    small, large = (document(*words, "--alpha", alpha)["effective_dimension"]["value"] for alpha in ("1e-9", "1e-4"))
    assert large < small
    result = invoke(*words, "--matrix", "hessian")
    assert result.exit_code == 0, result.output
    assert "hessian, exact, α = 1e-08" in result.stdout
    assert "one run has no interval" in result.stdout
    assert "eigenvalues: done" in result.stderr


@pytest.mark.slow
def test_no_transition_is_an_answer_with_its_horizon() -> None:
    # A network of one hidden unit learns nothing.
    words = ["measure", "critical-size", "--modulus", "7", "--width", "1", "--learning-rate", "0.1"]
    found = document(*words, "--workers", "1")
    size = found["critical_size"]
    assert (size["value"], size["interval"], size["horizon"]) == (None, None, 400)
    assert size["reason"].startswith("no transition by step 400: mean test accuracy is below one half at every size")
    assert found["horizon"] == 400
    assert found["sizes"][-1] == 48
    above = document(*words, "--workers", "1", "--start", "generalized")
    assert above["ungrokking_size"]["value"] is None
    assert "nothing to lose" in above["ungrokking_size"]["reason"]


@pytest.mark.slow
def test_the_clock_measures_with_one_horizon_of_steps() -> None:
    words = ["measure", "critical-size", "--modulus", "13", "--width", "64", "--method", "clock", "--workers", "1"]
    found = document(*words, "--horizon", "1000")
    size = found["critical_size"]
    assert size.keys() == ESTIMATE
    assert size["interval"]["low"] < size["value"] < size["interval"]["high"] < 169
    assert 2 <= size["n_runs"] <= 4
    assert 0 < found["steps_taken"] <= 1000
    assert (found["method"], found["horizon"], found["transition_width"]) == ("clock", 1000, None)
    assert len(found["sizes"]) <= size["n_runs"]
    silent = document(*words, "--model", "transformer", "--task", "sum-squares")
    assert silent["critical_size"]["value"] is None
    assert "no law of the time to generalize speaks" in silent["critical_size"]["reason"]
    assert (silent["method"], silent["steps_taken"], silent["sizes"]) == ("clock", 0, [])
    refused = invoke(*words, "--start", "both")
    assert refused.exit_code == 2
    assert "--method must be posterior where start is both, got clock" in refused.stderr


@pytest.mark.slow
def test_both_directions_are_measured_side_by_side() -> None:
    words = ["measure", "critical-size", "--modulus", "7", "--width", "16", "--learning-rate", "0.1", "--workers", "1"]
    found = document(*words, "--start", "both", "--max-runs", "24")
    assert found["start"] == "both"
    assert all(found[name].keys() == ESTIMATE for name in ("critical_size", "ungrokking_size", "hysteresis"))
    again = document(*words, "--max-runs", "24")
    assert again["critical_size"] == found["critical_size"]
    assert "ungrokking_size" not in again
    result = invoke(*words, "--start", "generalized", "--max-runs", "24")
    assert result.stdout.startswith("D_rest, from above, after 400 steps (η = 0.1): no network generalized")


@pytest.mark.slow
def test_efficiencies_are_stated_in_three_norms_and_capacity_in_bits() -> None:
    words = ["--modulus", "7", "--width", "16", "--learning-rate", "0.1", "--workers", "1"]
    found = document("measure", "efficiency", *words)
    assert set(found["norms"]) == {"l2", "l2,kappa", "linf"}
    for row in found["norms"].values():
        efficiency = row["generalizing_efficiency"]
        assert efficiency.keys() == row["implied_critical_size"].keys() == ESTIMATE
        assert row.keys() >= {"memorizing_amplitude", "memorizing_exponent", "mixing"}
        assert (efficiency["value"] is None) == bool(efficiency["reason"])
    capacity = document(
        "measure", "capacity", "--modulus", "11", "--width", "2", "--learning-rate", "0.1", "--workers", "1"
    )
    two = document(
        "measure", "capacity", "--task", "sparse-parity", "--modulus", "6", "--width", "1", "--learning-rate", "0.1"
    )
    assert two["problem"]["task"] == "sparse-parity"
    bits, examples = capacity["bits_per_parameter"], capacity["capacity"]
    assert bits["interval"]["low"] <= bits["value"] <= bits["interval"]["high"]
    scale = bits["value"] / examples["value"]
    assert bits["interval"] == pytest.approx({name: scale * end for name, end in examples["interval"].items()})
