"""The task of a cluster's worker, run in this process."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dcrit.empirics.store.checkpoint import Checkpoint
from dcrit.empirics.training import sweep
from dcrit.empirics.training.ray_executor import Message, installed, work
from dcrit.empirics.training.sweep import Assignment


def messages(
    trains: Callable[..., list[Any]],
    *,
    checkpoint: Checkpoint | None = None,
    marker: Path | None = None,
    interval: float = 0.0,
    versions: dict[str, str] | None = None,
) -> list[Message]:
    assignment = Assignment(trains=trains, configs=(1, 2), device="cpu", checkpoint=checkpoint)
    return list(work(assignment, versions or installed(), marker, interval))


def tell(configs: tuple[int, ...], *, progress: Callable[[int], None], **_: Any) -> list[int]:
    for n_steps in (5, 6, 7):
        progress(n_steps)
    return list(configs)


def test_steps_come_before_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "REPORT_INTERVAL", 0.0)
    assert messages(tell) == [5, 6, 7, [1, 2]]
    assert messages(tell, interval=math.inf) == [[1, 2]]


def test_training_has_one_thread_and_its_device() -> None:
    def look(_: object, *, device: str, **__: object) -> list[object]:
        return [torch.get_num_threads(), device]

    assert messages(look) == [[1, "cpu"]]


def test_memory_that_runs_out_is_told() -> None:
    def too_large(*_: object, **__: object) -> list[object]:
        return [torch.empty(1 << 60, dtype=torch.uint8)]

    (message,) = messages(too_large)
    assert isinstance(message, MemoryError)
    assert str(message) == "memory ran out in a worker"


def test_another_failure_is_told_with_its_place() -> None:
    def fail(*_: object, **__: object) -> list[object]:
        raise OSError("no such number")

    (message,) = messages(fail)
    assert isinstance(message, str)
    assert message.startswith("Traceback")
    assert message.endswith("OSError: no such number\n")


def test_other_versions_train_nothing() -> None:
    def never(*_: object, **__: object) -> list[object]:
        pytest.fail("something is trained")

    (message,) = messages(never, versions=installed() | {"torch": "1.0"})
    assert isinstance(message, str)
    assert f"torch {torch.__version__}" in message
    assert "torch 1.0" in message
    assert message.endswith("they must be the same")


def test_checkpoints_are_kept_where_the_store_is_seen_alone(tmp_path: Path) -> None:
    def give_back(*_: object, checkpoint: Checkpoint | None, **__: object) -> list[object]:
        return [checkpoint]

    now = 0.0
    checkpoint = Checkpoint(path=tmp_path / "one", interval=30.0, clock=lambda: now)
    marker = tmp_path / "marker"
    marker.touch()
    assert messages(give_back, checkpoint=checkpoint, marker=tmp_path / "other") == [[None]]
    assert messages(give_back, checkpoint=checkpoint) == [[None]]
    assert messages(give_back, marker=marker) == [[None]]
    now = 1000.0
    (message,) = messages(give_back, checkpoint=checkpoint, marker=marker)
    assert isinstance(message, list)
    (kept,) = message
    assert kept.path == checkpoint.path
    # Its time began when training did: another machine's clock says nothing here.
    kept.keep(lambda: pytest.fail("a state is kept too early"))
