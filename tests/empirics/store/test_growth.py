"""Stored runs of the first release are found, whatever was added to configurations and curves since."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.multitask import Component, MultitaskConfig, Phase
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.kinds import DimensionStore, MultitaskStore, Store
from dcrit.theory.problems.problem import Problem

RELEASE_1 = Path(__file__).parents[2] / "data" / "store-of-release-1"

MLP = Problem(task="add", modulus=5, width=4)
RELU = Problem(task="mul", modulus=5, activation="relu", width=3, weight_decay=0.5, learning_rate=0.02)
QUICK = Problem(task="add", modulus=5, width=4, learning_rate=0.5)
SHALLOW = Problem(task="sub", modulus=5, model="transformer", activation="relu", width=4, learning_rate=3e-3)
DEEP = Problem(task="add", modulus=5, model="transformer", activation="square", width=4, depth=2, learning_rate=3e-3)

#: What was run, by the address that it has for ever.
SINGLE = {
    "aa0fef2380f1bb95e6adc7a0cc0589de": RunConfig(problem=MLP, n_train=15, seed=0, steps=20),
    "bbca1b1445c0e5dc142fc5c47766a42d": RunConfig(problem=MLP, n_train=15, seed=1, steps=20),
    "7a8914c888126c0dfada0861f10cac32": RunConfig(
        problem=RELU, n_train=16, seed=7, steps=12, until="generalized", precision="float64"
    ),
    "4fe2639a900e83f06eaa7c14b5752cbe": RunConfig(problem=MLP, n_train=12, seed=0, steps=10, start="generalized"),
    "6dbe817e50d8047e01b3799268017409": RunConfig(problem=SHALLOW, n_train=15, seed=0, steps=10),
    "d2282fae507a967a8f14ae9f33767862": RunConfig(problem=DEEP, n_train=15, seed=0, steps=10),
}
MULTITASK = {
    "4c4c577b1954e885890e4cdb2e1191ae": MultitaskConfig(
        components=(Component(task="add", modulus=5, n_train=15), Component(task="random", modulus=5, n_train=10)),
        seed=0,
        width=4,
        phases=(Phase(tasks=(0,), steps=5), Phase(tasks=(0, 1), steps=5)),
    ),
    "497097da20bbc60c30d3e374c1bb89cc": MultitaskConfig(
        components=(
            Component(task="add", modulus=5, n_train=15),
            Component(task="mul", modulus=7, n_train=20, operands="own"),
        ),
        seed=3,
        blocks="split",
        heads="own",
        embedding="apart",
        activation="relu",
        width=4,
        phases=(Phase(tasks=(0, 1), steps=8),),
    ),
}
DIMENSION = {"8d1d0890f26e9948985265f8230f6201": DimensionConfig(run=RunConfig(problem=QUICK, n_train=15, seed=0))}
EXPECTED: dict[str, dict[str, Any]] = json.loads((RELEASE_1 / "expected.json").read_text())


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.astype("<f8").tobytes()).hexdigest()[:32]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASE_1, tmp_path / "runs"))


def check_single(store: Store, configs: dict[str, RunConfig]) -> None:
    """Every run is found under its address of then, with the very bytes of its curves."""
    assert store.missing(list(configs.values())) == []
    for address, config in configs.items():
        assert config.address == address
        run = store.get(config)
        assert run is not None
        assert (run.ending, run.seconds) == (EXPECTED[address]["ending"], EXPECTED[address]["seconds"])
        for name, expected in EXPECTED[address]["curves"].items():
            assert digest(getattr(run.curves, name)) == expected, name
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged, inventory.others) == (len(configs), 0, (), ())


def check_multitask(store: MultitaskStore) -> None:
    assert store.missing(list(MULTITASK.values())) == []
    for address, config in MULTITASK.items():
        assert config.address == address
        run = store.get(config)
        assert run is not None
        assert (run.ending, run.seconds) == (EXPECTED[address]["ending"], EXPECTED[address]["seconds"])
        for name, expected in EXPECTED[address]["curves"].items():
            assert digest(getattr(run.curves, name)) == expected, name
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged) == (len(MULTITASK), 0, ())


def check_dimensions(store: DimensionStore) -> None:
    for address, config in DIMENSION.items():
        assert config.address == address
        run = store.get(config)
        assert run is not None
        assert (run.ending, run.seconds) == (EXPECTED[address]["ending"], EXPECTED[address]["seconds"])
        for name, expected in EXPECTED[address]["values"].items():
            assert getattr(run.values, name) == expected
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged) == (len(DIMENSION), 0, ())


def test_stored_runs_of_the_first_release_are_found(folder: Path) -> None:
    check_single(Store(folder), SINGLE)
    check_multitask(MultitaskStore(folder / "mixtures"))
    check_dimensions(DimensionStore(folder / "dimensions"))
