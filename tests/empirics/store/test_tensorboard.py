import doctest
import importlib.util
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dcrit.empirics.runs.single import CURVE_NAMES, Run, RunConfig
from dcrit.empirics.store import tensorboard as module
from dcrit.empirics.store.tensorboard import TAGS, check_tensorboard, log_curves, run_name
from dcrit.theory.problems.problem import Problem
from tests.worlds.stored import configs, made


def stepped(config: RunConfig) -> Run:
    """A run with random curves at whole steps."""
    run = made(config)
    return replace(run, curves=replace(run.curves, step=np.arange(9.0) ** 3))


def logged(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of every tag of one of TensorBoard's runs."""
    events = EventAccumulator(str(folder)).Reload()
    tags: Any = events.Tags()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in tags["scalars"]}


def test_curves_come_back_in_float32_at_their_steps(tmp_path: Path) -> None:
    runs = [stepped(config) for config in configs(2)]
    assert log_curves(iter(runs), tmp_path) == 2
    for run in runs:
        found = logged(tmp_path / run_name(run.config))
        assert set(found) == set(TAGS.values())
        for name, tag in TAGS.items():
            steps, values = zip(*found[tag], strict=True)
            assert list(steps) == [k**3 for k in range(9)]
            np.testing.assert_array_equal(values, getattr(run.curves, name).astype(np.float32))


def test_every_curve_has_a_tag_by_its_meaning() -> None:
    assert set(TAGS) == set(CURVE_NAMES) - {"step"}
    assert TAGS["train_accuracy"] == "accuracy/train"
    assert len(set(TAGS.values())) == len(TAGS)


def test_a_run_that_is_there_is_left(tmp_path: Path) -> None:
    first, second, third = (stepped(config) for config in configs(3))
    assert log_curves([first], tmp_path) == 1
    before = {path: path.read_bytes() for path in tmp_path.rglob("events*")}
    assert log_curves([first, second], tmp_path) == 1
    assert log_curves([third], tmp_path) == 1
    after = {path: path.read_bytes() for path in tmp_path.rglob("events*")}
    assert before.items() <= after.items()
    assert len(after) == 3


def test_names_tell_what_was_run_and_stay_in_the_folder() -> None:
    problem = Problem(modulus=23, width=64)
    base = RunConfig(problem=problem, n_train=170, seed=3)
    assert re.fullmatch(
        r"add-mod-23-square-mlp-width-64-decay-1-rate-0\.01/size-170-seed-3-[0-9a-f]{12}", run_name(base)
    )
    deep = Problem(model="transformer", activation="relu", width=16, depth=2)
    others = [
        *(replace(base, problem=replace(problem, **change)) for change in ({"width": 32}, {"weight_decay": 0.5})),
        *(replace(base, **change) for change in ({"seed": 4}, {"steps": 7}, {"precision": "float64"})),
        RunConfig(problem=deep, n_train=10, seed=0),
    ]
    names = {run_name(config) for config in [base, *others]}
    assert len(names) == 1 + len(others)
    assert all(name.count("/") == 1 and ".." not in name and not name.startswith(("/", ".")) for name in names)


def test_a_writer_that_fails_leaves_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    (run,) = (stepped(config) for config in configs(1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            log_curves([run], tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert log_curves([run], tmp_path) == 1


def test_another_process_may_be_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = (stepped(config) for config in configs(1))
    rename = os.rename

    def too_late(source: Path, target: Path) -> None:
        target.mkdir()
        (target / "theirs").touch()
        rename(source, target)

    monkeypatch.setattr(os, "rename", too_late)
    assert log_curves([run], tmp_path) == 0
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["theirs"]


def test_without_the_package_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"^tensorboard must be left out .*pip install 'dcrit\[tensorboard\]'"):
        log_curves([], tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^tensorboard must be a folder that can be written to, got .*file/logs"):
        check_tensorboard(tmp_path / "file" / "logs")


def test_the_example_holds() -> None:
    attempted = doctest.testmod(module)
    assert attempted.attempted > 2
    assert attempted.failed == 0
