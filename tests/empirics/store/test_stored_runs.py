import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store import store as parquet_store
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.store.store import StoredRuns, StoreReadError
from tests.worlds.stored import assert_same, configs, made

FILES, BATCH = 60, 16


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[RunConfig]]:
    """Sixty files of sixteen runs."""
    store, wanted = Store(tmp_path_factory.mktemp("many")), configs(FILES * BATCH)
    for start in range(0, len(wanted), BATCH):
        store.add([made(config, n_evaluations=40) for config in wanted[start : start + BATCH]])
    return store.folder, wanted


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever curves are decoded."""
    times: list[int] = []
    before = Store._decoded_runs

    def count(self: Store, frame: object) -> object:
        times.append(1)
        return before(self, frame)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Store, "_decoded_runs", count)
    return times


@pytest.mark.slow
def test_runs_come_in_the_order_of_their_configurations(many: tuple[Path, list[RunConfig]]) -> None:
    folder, wanted = many
    order = [wanted[k] for k in (700, 3, 3, 959, 0)]
    runs = StoredRuns(Store(folder), order)
    assert len(runs) == 5
    for got, config in zip(runs, order, strict=True):
        assert_same(got, made(config, n_evaluations=40))
    assert [run.config for run in (runs[0], runs[-1])] == [order[0], order[-1]]
    part = runs[1:4:2]
    assert isinstance(part, StoredRuns)
    assert [run.config for run in part] == [order[1], order[3]]
    with pytest.raises(IndexError):
        runs[5]


@pytest.mark.slow
def test_a_run_comes_with_the_configuration_that_was_asked_for(many: tuple[Path, list[RunConfig]]) -> None:
    folder, (first, *_) = many
    explicit = replace(first, steps=first.horizon)
    asked = [run.config.steps for run in StoredRuns(Store(folder), [first, explicit])]
    assert asked == [0, first.horizon] != [0, 0]


@pytest.mark.slow
def test_a_file_is_decoded_once_where_its_runs_follow_each_other(
    many: tuple[Path, list[RunConfig]], decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_store, "CACHE_BYTES", 1)
    folder, wanted = many
    store = Store(folder)
    assert store.stored(wanted) == {config.address for config in wanted}
    assert decoded == []
    assert sum(1 for _ in StoredRuns(store, wanted)) == len(wanted)
    assert len(decoded) == FILES


@pytest.mark.slow
def test_files_that_take_turns_are_decoded_once_where_the_cache_holds_them(
    many: tuple[Path, list[RunConfig]], decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, wanted = many
    turns = [
        wanted[file * BATCH + k]
        for first in range(0, FILES, 10)
        for k in range(BATCH)
        for file in range(first, first + 10)
    ]
    assert sum(1 for _ in StoredRuns(Store(folder), turns)) == len(wanted)
    assert len(decoded) == FILES
    monkeypatch.setattr(parquet_store, "CACHE_BYTES", 1)
    assert sum(1 for _ in StoredRuns(Store(folder), turns[: 10 * BATCH])) == 10 * BATCH
    assert len(decoded) == FILES + 10 * BATCH


def peak_of_reading(folder: Path, wanted: list[RunConfig]) -> int:
    """Most memory while runs are read that had been indexed before [bytes]."""
    store = Store(folder)
    store.stored(wanted)
    tracemalloc.start()
    try:
        for _ in StoredRuns(store, wanted):
            pass
        for _ in store.runs():
            pass
        store.get(wanted[0])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_runs(
    many: tuple[Path, list[RunConfig]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, wanted = many
    all_runs = len(wanted) * 12 * 40 * 8
    peak_of_reading(folder, wanted[:BATCH])  # what is made once
    monkeypatch.setattr(parquet_store, "CACHE_BYTES", 500_000)
    few, more = peak_of_reading(folder, wanted[: 8 * BATCH]), peak_of_reading(folder, wanted)
    assert more < 1.3 * few
    assert more < all_runs / 3
    monkeypatch.setattr(parquet_store, "CACHE_BYTES", 10**9)
    assert peak_of_reading(folder, wanted) > all_runs


@pytest.mark.slow
def test_a_writer_does_not_keep_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "CACHE_BYTES", 200_000)
    store, wanted = Store(tmp_path), configs(60 * BATCH)
    tracemalloc.start()
    try:
        for start in range(0, len(wanted), BATCH):
            store.add([made(config, n_evaluations=40) for config in wanted[start : start + BATCH]])
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < len(wanted) * 12 * 40 * 8 / 4


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"bent")])
def test_a_run_that_went_is_told_by_its_address(tmp_path: Path, damage: object) -> None:
    store, (first, second) = Store(tmp_path), configs(2)
    store.add([made(first)])
    opened = Store(tmp_path)
    assert opened.stored([first, second]) == {first.address}
    (path,) = tmp_path.iterdir()
    damage(path)  # pyright: ignore[reportCallIssue]
    with pytest.raises(StoreReadError, match=rf"^run {first.address} is no longer in .*Repeat the command") as caught:
        list(StoredRuns(opened, [first]))
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(StoreReadError, match=second.address):
        StoredRuns(opened, [second])[0]
