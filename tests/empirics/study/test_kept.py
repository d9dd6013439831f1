"""Runs of a study are kept, found again by what decides them, and by nothing else."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dcrit
from dcrit.empirics.runs.addressed import canonical
from dcrit.empirics.study import study as module
from dcrit.empirics.study.fingerprint import data_hash, fingerprint_of
from dcrit.empirics.study.kept import KeptConfig, KeptRun, open_store
from dcrit.empirics.study.module_runs import MODULE_CURVES, ModuleRun, ModuleRunConfig, train_module
from dcrit.theory.checks import FieldError

SIGNS, PARITY = dcrit.sparse_parity(6, 2, 64)
INPUTS, LABELS = torch.tensor(SIGNS, dtype=torch.float32), torch.tensor(PARITY)
QUICK: dict[str, Any] = {"steps": 8, "sizes": (10, 40), "seeds": 1, "predict": False}


def mlp(seed: int) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


class Powered(nn.Module):
    def __init__(self, power: float) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(6, 2), lambda x: x**power

    def forward(self, inputs: Tensor) -> Tensor:
        return self.act(self.layer(inputs))


class Louder(nn.Module):
    """As loud as :class:`Powered` but in training, where the code alone shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs)


class LouderInTraining(Louder):
    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs) * (2 if self.training else 1)


def config(**changed: Any) -> ModuleRunConfig:
    fields: dict[str, Any] = {"labels": "real", "n_train": 10, "seed": 3, "n_classes": 2, "steps": 8}
    return ModuleRunConfig(**(fields | changed))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make()


def test_what_a_module_does_is_in_its_fingerprint() -> None:
    makers: tuple[Callable[[], nn.Module], ...] = (
        lambda: mlp(0),
        lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)),
        lambda: Powered(2),
        lambda: Powered(3),
        Louder,
        LouderInTraining,
    )
    prints = [fingerprint_of(seeded(make), INPUTS, 2, "cpu") for make in makers]
    assert len(set(prints)) == len(prints)
    assert prints == [fingerprint_of(seeded(make), INPUTS, 2, "cpu") for make in makers]
    other = fingerprint_of(mlp(0), INPUTS, 2, "cpu")
    assert other.structure == prints[0].structure
    assert other.weights != prints[0].weights
    frozen = seeded(lambda: mlp(0))
    next(frozen.parameters()).requires_grad_(False)
    assert fingerprint_of(frozen, INPUTS, 2, "cpu").structure != prints[0].structure


def test_data_differ_by_every_value_type_and_shape() -> None:
    nearly = INPUTS.clone()
    nearly[5, 3] += 1e-6
    given = [
        (INPUTS, LABELS),
        (nearly, LABELS),
        (INPUTS.double(), LABELS),
        (INPUTS[:, None], LABELS),
        (INPUTS, 1 - LABELS),
    ]
    assert len({data_hash(*one) for one in given}) == len(given)


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    run = train_module(mlp, INPUTS, LABELS, config(n_train=64))
    assert np.isnan(run.curve("test_accuracy")).all()
    kept = KeptRun(config=KeptConfig(structure="a", weights="b", data="c", run=run.config), run=run, seconds=0.5)
    open_store(tmp_path).add([kept])
    found = open_store(tmp_path).get(kept.config)
    assert found is not None
    assert (found.config, found.seconds, found.ending) == (kept.config, 0.5, "horizon")
    np.testing.assert_array_equal(found.run.curves, run.curves)
    np.testing.assert_array_equal(found.run.step, run.step)
    assert (found.run.config, found.run.n_params) == (run.config, run.n_params)
    assert found.run.homogeneity == run.homogeneity or math.isnan(run.homogeneity)
    for one in (run.config, replace(run.config, enough=0.9)):
        there = replace(kept.config, run=one)
        assert KeptConfig.from_dict(json.loads(canonical(there))) == there
    assert open_store(tmp_path).get(replace(kept.config, run=config(seed=4))) is None
    assert open_store(tmp_path).get(replace(kept.config, data="d")) is None


def counting(patch: pytest.MonkeyPatch, most: float = math.inf) -> list[ModuleRunConfig]:
    """Which runs are made from here on; Ctrl-C is pressed in the one after the most."""
    made: list[ModuleRunConfig] = []

    def train(factory: Any, inputs: Tensor, labels: Tensor, one: ModuleRunConfig, *, device: str) -> ModuleRun:
        if len(made) >= most:
            raise KeyboardInterrupt
        made.append(one)
        curves = np.full((2, len(MODULE_CURVES)), 0.5)
        return ModuleRun(config=one, step=np.array([0.0, one.steps]), curves=curves, homogeneity=2.0, n_params=74)

    patch.setattr(module, "train_module", train)
    return made


def test_a_study_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counting(monkeypatch, most=3)
    more: dict[str, Any] = QUICK | {"sizes": (10, 20, 30, 40)}
    with pytest.raises(KeyboardInterrupt) as stopped:
        dcrit.study(mlp, SIGNS, PARITY, **more, store=tmp_path)
    folder = tmp_path / "studies"
    assert stopped.value.__notes__ == [f"3 finished runs are kept in {folder}: the same call goes on from there."]
    made = counting(monkeypatch)
    found = dcrit.study(mlp, SIGNS, PARITY, **more, store=tmp_path)
    assert ([one.n_train for one in made], found.result.n_found) == ([40], 3)
    assert capsys.readouterr().err == f"study: 3 of 4 runs were in {folder} already\n"
    # More seeds add runs to those that are there; so does a search that may take more of them.
    made = counting(monkeypatch)
    twice: dict[str, Any] = more | {"seeds": 2}
    again = dcrit.study(mlp, SIGNS, PARITY, **twice, store=tmp_path)
    assert (len(made), again.result.n_found) == (4, 4)
    short = counting(monkeypatch)
    dcrit.study(mlp, SIGNS, PARITY, **QUICK | {"sizes": (), "max_runs": 3}, store=tmp_path)
    longer = counting(monkeypatch)
    found = dcrit.study(mlp, SIGNS, PARITY, **QUICK | {"sizes": (), "max_runs": 5}, store=tmp_path)
    assert found.result.n_found >= 3
    assert not set(short) & set(longer)


def test_ctrl_c_without_a_folder_says_how_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    counting(monkeypatch, most=1)
    with pytest.raises(KeyboardInterrupt) as stopped:
        dcrit.study(mlp, SIGNS, PARITY, **QUICK)
    assert stopped.value.__notes__[0].startswith("Nothing was kept. With store=FOLDER finished runs are kept")


def test_runs_of_other_data_or_modules_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dcrit.empirics.study.cost.PATIENCE_SECONDS", 0.0)
    made = counting(monkeypatch)
    for inputs, labels in ((SIGNS, PARITY), (SIGNS, 1 - PARITY)):
        dcrit.study(mlp, inputs, labels, **QUICK, store=tmp_path)
    assert len(made) == 4
    assert "0 of 2 runs were in" in (said := capsys.readouterr().err)
    assert "already; 2 runs there are of other data" in said
    dcrit.study(lambda seed: Powered(2), SIGNS, PARITY, **QUICK, store=tmp_path)
    assert len(made) == 6
    assert "already; 2 runs there are of other modules, or trained otherwise" in capsys.readouterr().err


def test_a_factory_that_does_not_repeat_itself_is_told_of_and_its_runs_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = torch.Generator().manual_seed(0)

    def factory(seed: int) -> nn.Module:
        found = mlp(seed)
        for one in found.parameters():
            nn.init.normal_(one, generator=stream)
        return found

    counting(monkeypatch)
    found = dcrit.study(factory, SIGNS, PARITY, **QUICK, store=tmp_path)
    assert "two calls of the factory with one seed give different weights, so that this study" in found.reason
    assert "study: runs are not kept, as two calls of the factory with one seed" in capsys.readouterr().err
    counting(monkeypatch, most=1)
    with pytest.raises(KeyboardInterrupt) as stopped:
        dcrit.study(factory, SIGNS, PARITY, **QUICK, store=tmp_path)
    reason = "Nothing was kept, as two calls of the factory with one seed give different modules."
    assert stopped.value.__notes__ == [reason]
    assert list((tmp_path / "studies").iterdir()) == []


def test_a_folder_that_is_none_is_refused_before_any_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = counting(monkeypatch)
    (tmp_path / "file").touch()
    with pytest.raises(FieldError, match=r"store must be a folder that can be written to, got .*file"):
        dcrit.study(mlp, SIGNS, PARITY, **QUICK, store=tmp_path / "file")
    assert made == []
