"""Runs with random curves, as a store's tests need them, and files beside a store's own."""

import hashlib
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dcrit.empirics.runs.single import CURVE_NAMES, Curves, Ending, Run, RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.store.store import ParquetStore
from dcrit.theory.problems.problem import Problem

SPECIAL = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1 / 3]


def made(config: RunConfig, *, n_evaluations: int = 9, ending: Ending = "horizon") -> Run:
    rng = np.random.default_rng(config.seed)
    curves = {name: rng.normal(size=n_evaluations) for name in CURVE_NAMES}
    curves["test_loss"][: len(SPECIAL)] = SPECIAL[:n_evaluations]
    return Run(config=config, curves=Curves(**curves), ending=ending, seconds=rng.random())


def configs(count: int, **fields: Any) -> list[RunConfig]:
    return [RunConfig(problem=Problem(modulus=7, width=4), n_train=20, seed=seed, **fields) for seed in range(count)]


def assert_same(got: Run | None, expected: Run) -> None:
    assert got is not None
    assert (got.config, got.ending, got.seconds) == (expected.config, expected.ending, expected.seconds)
    for name in CURVE_NAMES:
        values = getattr(got.curves, name)
        assert values.dtype == np.float64
        assert values.tobytes() == getattr(expected.curves, name).tobytes(), name


def assert_trained_alike(got: Sequence[Run], expected: Sequence[Run]) -> None:
    """The same runs bit for bit, however long each took."""
    assert [run.config for run in got] == [run.config for run in expected]
    assert [run.ending for run in got] == [run.ending for run in expected]
    for run, other in zip(got, expected, strict=True):
        for name in CURVE_NAMES:
            assert getattr(run.curves, name).tobytes() == getattr(other.curves, name).tobytes(), (run.config, name)


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the runs of each file are decoded from now on."""
    times: Counter[str] = Counter()
    before = ParquetStore._read

    def count(self: ParquetStore[Any, Any], path: Path, *, keep: bool = False) -> object:
        times[path.name] += 1
        return before(self, path, keep=keep)

    monkeypatch.setattr(ParquetStore, "_read", count)
    return times


def files(store: Store) -> list[Path]:
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


def write_named(store: Store, data: bytes) -> Path:
    """A file whose name has the right checksum."""
    path = store.folder / f"{'0' * 16}-{hashlib.sha256(data).hexdigest()[:32]}.parquet"
    path.write_bytes(data)
    return path


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
