import gc
import hashlib
import io
import os
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcrit.empirics.runs.multitask import MULTITASK_CURVES, Component, MultitaskConfig, Phase
from dcrit.empirics.runs.single import CURVE_NAMES, RunConfig
from dcrit.empirics.store.checkpoint import Checkpoint, State, alike, checkpoint_of
from dcrit.empirics.training import ensemble
from dcrit.empirics.training.ensemble import train
from dcrit.empirics.training.multitask_ensemble import train_multitask
from dcrit.theory.problems.problem import Problem

TINY = Problem(modulus=5, width=6, learning_rate=0.05)
ABLE = Problem(modulus=11, width=32, learning_rate=0.02)
ATTENTIVE = Problem(modulus=5, model="transformer", activation="relu", width=8)

#: Widths that are no multiple of 16, members that end early, diverge, start generalized: whatever has a state.
ENSEMBLES = {
    "square": [RunConfig(problem=TINY, n_train=12, seed=seed, steps=120) for seed in range(3)],
    "relu": [RunConfig(problem=replace(TINY, activation="relu"), n_train=12, seed=0, steps=120, precision="float64")],
    "early": [
        RunConfig(
            problem=Problem(modulus=11, width=32, learning_rate=0.02),
            n_train=n,
            seed=s,
            steps=2000,
            until="generalized",
        )
        for s, n in enumerate((106, 108, 110))
    ],
    "generalized": [RunConfig(problem=TINY, n_train=n, seed=1, steps=120, start="generalized") for n in (11, 12)],
    "transformer": [
        RunConfig(
            problem=Problem(modulus=5, model="transformer", activation="relu", width=8), n_train=9, seed=s, steps=90
        )
        for s in range(2)
    ],
    "deep": [
        RunConfig(
            problem=Problem(modulus=5, model="transformer", activation="relu", width=4, depth=2),
            n_train=9,
            seed=0,
            steps=60,
        )
    ],
}

MULTITASK = MultitaskConfig(
    components=(
        Component(task="add", modulus=5, n_train=12),
        Component(task="sub", modulus=5, n_train=12),
        Component(task="random", modulus=5, n_train=6),
    ),
    blocks="split",
    heads="own",
    phases=(Phase(tasks=(0,), steps=60), Phase(tasks=(0, 1, 2), steps=80)),
    width=5,
    learning_rate=0.1,
    seed=0,
)


class StoppedError(Exception):
    """Training was stopped right after a checkpoint."""


class StopAfter(Checkpoint):
    """A checkpoint after which training stops, as by a kill."""

    def __init__(self, path: Path, n_kept: int) -> None:
        super().__init__(path=path, interval=0.0)
        self.n_left = n_kept

    def keep(self, state: Any) -> None:
        super().keep(state)
        self.n_left -= 1
        if self.n_left <= 0:
            raise StoppedError


@pytest.mark.slow
@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("n_kept", [1, 4, 9])
def test_an_ensemble_goes_on_to_the_same_bits(tmp_path: Path, name: str, n_kept: int) -> None:
    configs, n_stops, done = ENSEMBLES[name], 0, 0
    path = tmp_path / "one.checkpoint"
    runs = None
    n_steps: list[int] = []
    while runs is None:
        n_steps = []
        try:
            runs = train(configs, checkpoint=StopAfter(path, n_kept), progress=n_steps.append)
        except StoppedError:
            n_stops += 1
    done = sum(n_steps)
    expected = train(configs)
    assert n_stops >= 1
    assert done == configs[0].total_steps * len(configs)
    assert [run.ending for run in runs] == [run.ending for run in expected]
    for run, other in zip(runs, expected, strict=True):
        for curve in CURVE_NAMES:
            assert getattr(run.curves, curve).tobytes() == getattr(other.curves, curve).tobytes(), curve
        assert run.seconds > 0


def test_what_was_done_before_the_data_shrink_is_not_done_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configs, path = ENSEMBLES["generalized"], tmp_path / "one.checkpoint"
    with pytest.raises(StoppedError):
        train(configs, checkpoint=StopAfter(path, 5))
    state = Checkpoint(path=path, interval=0.0).load(lambda _: True)
    assert state is not None
    assert "rows" not in state  # nothing is recorded before the data shrink
    n_steps: list[int] = []
    train(configs, checkpoint=Checkpoint(path=path, interval=1e9), progress=n_steps.append)
    assert n_steps[0] == int(state["done"]) * len(configs) > 0
    assert not caplog.text
    scratch = [replace(config, start="scratch") for config in configs]
    with pytest.raises(StoppedError):
        train(configs, checkpoint=StopAfter(path, 5))
    train(scratch, checkpoint=Checkpoint(path=path, interval=1e9))
    assert "is a checkpoint of other runs" in caplog.text


def test_the_ensemble_before_is_gone_when_the_data_have_shrunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[ensemble.Ensemble]] = []
    alive: list[int] = []

    class Watched(ensemble.Ensemble):
        def __init__(self, configs: Sequence[RunConfig], device: str = "cpu") -> None:
            super().__init__(configs, device)
            made.append(weakref.ref(self))

        def evaluate(self) -> np.ndarray:
            alive.append(sum(one() is not None for one in made))
            return super().evaluate()

    monkeypatch.setattr(ensemble, "Ensemble", Watched)
    path = tmp_path / "one.checkpoint"
    gc.disable()  # a count of references must do
    try:
        with pytest.raises(StoppedError):
            train(ENSEMBLES["generalized"], checkpoint=StopAfter(path, 30))
        assert len(made) == 2
        assert set(alive) == {1}
        made.clear()
        alive.clear()
        train(ENSEMBLES["generalized"], checkpoint=Checkpoint(path=path, interval=1e9))
        assert len(made) == 1
        assert set(alive) == {1}
    finally:
        gc.enable()


@pytest.mark.slow
def test_members_end_at_different_times_in_the_ensemble_that_ends_early() -> None:
    lengths = {len(run.curves.step) for run in train(ENSEMBLES["early"])}
    assert len(lengths) > 1


def test_a_member_that_diverged_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = ENSEMBLES["square"]

    class Poisoned(ensemble.Ensemble):
        """The second of three members starts at NaN."""

        def __init__(self, configs: Sequence[RunConfig], device: str = "cpu") -> None:
            super().__init__(configs, device)
            if len(configs) == 3:
                self.models.theta[1] = torch.nan

    monkeypatch.setattr(ensemble, "Ensemble", Poisoned)
    expected = train(configs)
    path = tmp_path / "one.checkpoint"
    with pytest.raises(StoppedError):
        train(configs, checkpoint=StopAfter(path, 5))
    runs = train(configs, checkpoint=Checkpoint(path=path, interval=0.0))
    assert [run.ending for run in runs] == ["horizon", "diverged", "horizon"]
    for place in (0, 2):
        assert np.array_equal(runs[place].curves.train_loss, expected[place].curves.train_loss)
    assert np.isnan(runs[1].curves.train_loss).all()


@pytest.mark.slow
@pytest.mark.parametrize("n_kept", [1, 7])
def test_a_multitask_run_goes_on_to_the_same_bits(tmp_path: Path, n_kept: int) -> None:
    configs, n_stops, runs = [MULTITASK, replace(MULTITASK, seed=1)], 0, None
    n_steps: list[int] = []
    while runs is None:
        n_steps = []
        try:
            runs = train_multitask(configs, checkpoint=StopAfter(tmp_path / "m", n_kept), progress=n_steps.append)
        except StoppedError:
            n_stops += 1
    assert n_stops >= 3
    assert sum(n_steps) == 2 * 140
    for run, other in zip(runs, train_multitask(configs), strict=True):
        for curve in MULTITASK_CURVES:
            assert getattr(run.curves, curve).tobytes() == getattr(other.curves, curve).tobytes(), curve


def kept(path: Path, **arrays: Any) -> bytes:
    """A file that has the right checksum, whatever it holds."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    path.write_bytes(hashlib.sha256(data).digest() + data)
    return data


def begun(tmp_path: Path) -> Path:
    path = tmp_path / "one.checkpoint"
    with pytest.raises(StoppedError):
        train(ENSEMBLES["square"], checkpoint=StopAfter(path, 3))
    return path


@pytest.mark.parametrize("place", [0, 31, 32, 40, 900, -1])
def test_a_flipped_bit_is_found_and_the_runs_begin_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: int
) -> None:
    path = begun(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    n_steps: list[int] = []
    runs = train(ENSEMBLES["square"], checkpoint=Checkpoint(path=path, interval=0.0), progress=n_steps.append)
    assert "is damaged, its runs begin anew" in caplog.text
    assert n_steps[0] == 0  # nothing is done at the evaluation before the first step
    assert np.array_equal(runs[0].curves.train_loss, train(ENSEMBLES["square"])[0].curves.train_loss)


@pytest.mark.parametrize("length", [0, 5, 32, 33, 400])
def test_a_truncated_file_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int) -> None:
    path = begun(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    assert Checkpoint(path=path, interval=0.0).load(lambda _: True) is None
    assert "begin anew" in caplog.text


def test_objects_are_never_unpickled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, witness = tmp_path / "one.checkpoint", tmp_path / "witness"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(witness),)

    kept(path, theta=np.array([Hostile()], dtype=object))
    assert Checkpoint(path=path, interval=0.0).load(lambda _: True) is None
    assert "is no checkpoint" in caplog.text
    assert not witness.exists()


@pytest.mark.parametrize("change", ["lacks", "more", "shape", "members", "endings", "lengths"])
def test_a_state_of_other_runs_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str) -> None:
    path = begun(tmp_path)
    state: dict[str, Any] = dict(Checkpoint(path=path, interval=0.0).load(lambda _: True) or {})
    if change == "lacks":
        del state["theta"]
    elif change == "more":
        state["more"] = np.zeros(3)
    elif change == "shape":
        state["mean"] = state["mean"][:, :-1]
    elif change == "members":
        state["active"] = state["active"] + 7
    elif change == "endings":
        state["endings"] = np.array(["", "", "exploded"])
    else:
        state["lengths"] = state["lengths"] + 1
    kept(path, **state)
    assert train(ENSEMBLES["square"], checkpoint=Checkpoint(path=path, interval=0.0))[0].ending == "horizon"
    assert "is a checkpoint of other runs" in caplog.text


def test_states_are_kept_no_more_often_than_the_interval(tmp_path: Path) -> None:
    now, made = 0.0, 0

    def state() -> State:
        nonlocal made
        made += 1
        return {"x": np.zeros(2)}

    checkpoint = Checkpoint(path=tmp_path / "folder" / "one", interval=10.0, clock=lambda: now)
    for tick in range(100):
        now = float(tick)
        checkpoint.keep(state)
    assert made == 9
    loaded = checkpoint.load(lambda found: alike(found, {"x": (2,)}))
    assert loaded is not None
    assert loaded["x"].tolist() == [0.0, 0.0]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["one"]
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.load(lambda _: True) is None


def test_a_full_disk_costs_the_checkpoint_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    runs = train(ENSEMBLES["square"], checkpoint=Checkpoint(path=tmp_path / "one", interval=0.0))
    assert [run.ending for run in runs] == ["horizon"] * 3
    assert "no checkpoint could be written" in caplog.text
    assert "No space left on device" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_an_ensemble_is_found_by_its_members_in_their_order(tmp_path: Path) -> None:
    configs = ENSEMBLES["square"]
    paths = {checkpoint_of(tmp_path, chosen).path for chosen in (configs, configs[::-1], configs[:2])}
    assert len(paths) == 3
    assert checkpoint_of(tmp_path, [replace(config) for config in configs]).path in paths
    assert {path.parent for path in paths} == {tmp_path / "checkpoints"}


def test_shapes_are_compared_by_name() -> None:
    state = {"x": np.zeros((2, 3)), "n": np.array(1)}
    assert alike(state, {"x": (2, None), "n": ()})
    assert not alike(state, {"x": (2, 4), "n": ()})
    assert not alike(state, {"x": (2,), "n": ()})
    assert not alike(state, {"x": (2, 3)})
