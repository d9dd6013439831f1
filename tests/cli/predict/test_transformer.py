"""Every command that trains does it with transformers too; a fast decay makes their horizons short."""

from pathlib import Path
from typing import Any

import pytest

from dcrit.cli.app import app
from tests.worlds.command_line import document_of, invoking

#: Forty time constants are 200 steps.
FAST = ["--model", "transformer", "--activation", "relu", "--learning-rate", "0.02", "--weight-decay", "10"]


invoke = invoking(app, columns=200)


def document(*words: str) -> dict[str, Any]:
    return document_of(invoke(*words, "--json"))


@pytest.fixture
def store(tmp_path: Path) -> list[str]:
    return ["--store", str(tmp_path / "runs"), "--workers", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2])
def test_train_tells_every_run_and_names_the_model(store: list[str], depth: int) -> None:
    words = ["train", *FAST, "--modulus", "5", "--width", "8", "--depth", str(depth), "--n-train", "20", *store]
    found = document(*words)
    assert [run["n_train"] for run in found["runs"]] == [20] * 3
    assert all(run["steps"] == 200 and run["squared_norm"] > 0 for run in found["runs"])
    assert found["problem"]["depth"] == depth
    shown = invoke(*words)
    assert f"add p=5 relu d=8{' 2 layers' * (depth == 2)}" in shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize("quantity", ["critical-size", "capacity", "efficiency"])
def test_every_measurement_trains_transformers(store: list[str], quantity: str) -> None:
    words = ["measure", quantity, *FAST, "--modulus", "5", "--width", "4", *store]
    words += ["--max-runs", "12"] if quantity == "critical-size" else ["--seeds", "1"]
    found = document(*words)
    assert found["problem"]["model"] == "transformer"
    name = {"efficiency": "generalizing_efficiency"}.get(quantity, quantity.replace("-", "_"))
    assert found[name]["value"] is not None or found[name]["reason"]


@pytest.mark.slow
def test_homogeneity_is_measured(store: list[str]) -> None:
    small = ["--modulus", "5", "--width", "16", "--seeds", "1", "--weight-decay", "2", "--learning-rate", "0.1"]
    found = document("measure", "homogeneity", "--model", "mlp", "--activation", "relu", *small)
    assert found["homogeneity"]["value"] == pytest.approx(2, rel=1e-6)
    assert len(found["runs"]) == 6
    shown = invoke("measure", "homogeneity", "--model", "mlp", "--activation", "relu", *small)
    assert shown.exit_code == 0
    assert "κ = 2" in shown.stdout
