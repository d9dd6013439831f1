import hashlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store import store as parquet_store
from dcrit.empirics.store.batch_files import batch_paths
from dcrit.empirics.store.kinds import DAMAGED, Store, StoreWriteError
from dcrit.theory.problems.problem import Problem
from tests.worlds.stored import assert_same, configs, files, made, parquet, write_named


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_runs_come_back_bit_by_bit(store: Store) -> None:
    runs = [
        made(RunConfig(problem=Problem(), n_train=100, seed=0)),
        made(RunConfig(problem=Problem(task="mul", modulus=11), n_train=7, seed=1), n_evaluations=1, ending="diverged"),
        made(
            RunConfig(
                problem=Problem(activation="relu", learning_rate=0.1 + 0.2),
                n_train=5,
                seed=2**40,
                steps=60,
                until="generalized",
                precision="float64",
            ),
            n_evaluations=40,
            ending="decided",
        ),
    ]
    store.add(runs)
    again = Store(store.folder)
    for run in runs:
        assert_same(store.get(run.config), run)
        assert_same(again.get(run.config), run)


def test_a_run_is_found_by_what_it_is_however_that_was_written(store: Store) -> None:
    (config,) = configs(1)
    explicit = replace(config, steps=config.horizon)
    store.add([made(explicit)])
    for opened in (store, Store(store.folder)):
        got = opened.get(config)
        assert got is not None
        assert got.config == config


def test_what_is_not_stored_is_missing_once_in_order(store: Store) -> None:
    first, second, third = configs(3)
    assert store.get(first) is None
    assert store.missing([third, first, third]) == [third, first]
    store.add([made(first)])
    assert store.missing([third, first, second, third]) == [third, second]
    assert list(store.find([third, first])) == [first.address]


def test_all_runs_are_found_whichever_batch_they_are_in(store: Store) -> None:
    runs = [made(config) for config in configs(5)]
    store.add(runs[:3])
    store.add(runs[3:])
    got = {run.config.seed: run for run in Store(store.folder).runs()}
    assert len(got) == 5
    for run in runs:
        assert_same(got[run.config.seed], replace(run, config=replace(run.config, steps=run.config.horizon)))


def test_a_batch_is_one_file_named_by_its_runs_and_its_bytes(store: Store) -> None:
    runs = [made(config) for config in configs(4)]
    store.add(runs)
    (path,) = files(store)
    identity, checksum = path.stem.split("-")
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(checksum)
    other = Store(store.folder.parent / "other")
    other.add([replace(run, seconds=7.0) for run in reversed(runs)])
    assert files(other)[0].name.startswith(f"{identity}-")
    assert files(other)[0].name != path.name


def test_what_is_stored_is_not_stored_again(store: Store) -> None:
    runs = [made(config) for config in configs(3)]
    store.add(runs[:2])
    Store(store.folder).add([runs[1], runs[0], runs[0]])
    assert len(files(store)) == 1
    Store(store.folder).add(runs)
    new = next(path for path in files(store) if len(pl.read_parquet(path)) == 1)
    assert pl.read_parquet(new)["address"].to_list() == [runs[2].config.address]
    store.add([])
    assert len(files(store)) == 2


def test_files_of_other_processes_appear(store: Store) -> None:
    first, second = configs(2)
    assert store.missing([first, second]) == [first, second]
    Store(store.folder).add([made(first)])
    assert_same(store.get(first), made(first))
    Store(store.folder).add([made(second)])
    assert_same(store.get(second), made(second))
    assert Store(store.folder).missing([first, second]) == []


def test_the_folder_is_listed_once_however_many_files_are_added(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    listings = 0

    def listed(folder: Path) -> list[Path]:
        nonlocal listings
        listings += 1
        return batch_paths(folder)

    monkeypatch.setattr(parquet_store, "batch_paths", listed)
    wanted = list(configs(6))
    assert store.missing(wanted) == wanted
    for config in wanted:
        store.add([made(config)])
        store.add([made(config)])
    assert listings == 1
    assert store.missing(wanted) == []
    assert listings == 2
    assert len(batch_paths(store.folder)) == 6


def test_a_run_is_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = configs(2)
    store.add([made(first), made(second)])
    opened = Store(store.folder)
    opened.get(first)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read again"))
    assert_same(opened.get(second), made(second))
    assert_same(store.get(first), made(first))


def test_a_reader_sees_a_whole_batch_or_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = configs(2)
    seen: list[int] = []

    def rename(source: Path, target: Path) -> None:
        seen.append(len(Store(store.folder).missing(wanted)))
        assert len(source.read_bytes()) > 1000
        Path(source).rename(target)
        seen.append(len(Store(store.folder).missing(wanted)))

    monkeypatch.setattr(os, "replace", rename)
    store.add([made(config) for config in wanted])
    assert seen == [2, 0]
    assert len(files(store)) == 1


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("trouble", "raised"),
    [(OSError(28, "No space left on device"), StoreWriteError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_an_interrupted_write_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: str, trouble: BaseException, raised: type[BaseException]
) -> None:
    first, second = configs(2)
    store.add([made(first)])
    before = files(store)

    def fail(*_: object) -> None:
        raise trouble

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(raised) as caught:
            store.add([made(second)])
    if raised is StoreWriteError:
        assert str(store.folder) in str(caught.value)
        assert "No space left" in str(caught.value)
    assert files(store) == before
    assert store.missing([first, second]) == [second]
    store.add([made(second)])
    assert_same(Store(store.folder).get(second), made(second))


def truncated(data: bytes) -> bytes:
    return data[:-1]


def halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(_: bytes) -> bytes:
    return b""


def lengthened(data: bytes) -> bytes:
    return data + b"\0"


def flipped(place: float) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        at = round(place * (len(data) - 1))
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return flip


DAMAGES = [truncated, halved, emptied, lengthened, *(flipped(place) for place in (0, 0.2, 0.4, 0.6, 0.8, 1))]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bytes_are_found_and_not_trusted(store: Store, damage: Callable[[bytes], bytes]) -> None:
    sound, lost = configs(2)
    store.add([made(lost)])
    (path,) = files(store)
    store.add([made(sound)])
    path.write_bytes(damage(path.read_bytes()))

    opened = Store(store.folder)
    assert opened.get(lost) is None
    assert opened.missing([sound, lost]) == [lost]
    assert_same(opened.get(sound), made(sound))
    (found,) = opened.damaged
    assert found.path == path
    assert "checksum" in found.reason

    (moved,) = opened.set_aside()
    assert moved.path == store.folder / DAMAGED / path.name
    assert moved.path.exists()
    assert not path.exists()
    assert moved.reason == found.reason
    assert opened.damaged == opened.set_aside() == Store(store.folder).damaged == ()

    opened.add([made(lost)])
    assert_same(Store(store.folder).get(lost), made(lost))


def test_damage_between_indexing_and_reading_is_found(store: Store) -> None:
    first, second = configs(2)
    store.add([made(first)])
    (path,) = files(store)
    store.add([made(second)])
    opened = Store(store.folder)
    assert opened.missing([first, second]) == []
    path.write_bytes(truncated(path.read_bytes()))
    assert list(opened.find([first, second])) == [second.address]
    assert [damage.path for damage in opened.damaged] == [path]
    assert opened.missing([first, second]) == [first]


def test_a_file_that_is_gone_is_missing_but_not_damaged(store: Store) -> None:
    (config,) = configs(1)
    store.add([made(config)])
    opened = Store(store.folder)
    assert opened.missing([config]) == []
    (path,) = files(store)
    data = path.read_bytes()
    path.unlink()
    assert opened.get(config) is None
    assert opened.damaged == ()
    path.write_bytes(data)
    assert_same(opened.get(config), made(config))


def test_a_file_that_cannot_be_read_is_damaged(store: Store) -> None:
    path = store.folder / f"{'0' * 16}-{'0' * 32}.parquet"
    path.mkdir(parents=True)
    assert [damage.path for damage in store.damaged] == [path]


def test_a_false_address_is_not_trusted(store: Store) -> None:
    mine, other, absent = configs(3)
    store.add([made(mine), made(other)])
    (path,) = files(store)
    frame = pl.read_parquet(path)
    path.unlink()
    forged = frame.with_columns(
        config=pl.Series([json.dumps(absent.to_dict(), sort_keys=True, separators=(",", ":")), frame["config"][1]])
    )
    path = write_named(store, parquet(forged))
    opened = Store(store.folder)
    assert opened.missing([mine, other, absent]) == [mine, other, absent]
    (found,) = opened.damaged
    assert found.path == path
    assert mine.address in found.reason


class Trap:
    """Unpickling this leaves a trace."""

    trace: Path

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.trace,)


def without_the_steps(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop("step")


def without_the_seconds(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop("seconds")


def with_another_type(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("seconds").cast(pl.Float32))


def with_a_null(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(seconds=pl.lit(None, pl.Float64))


def with_a_null_in_a_curve(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(step=pl.Series([[*row[:-1], None] for row in frame["step"].to_list()]))


def with_a_short_curve(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("deficit_low").list.slice(1))


def with_a_curve_of_another_type(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("max_norm").cast(pl.List(pl.Float32)))


FORGERIES = [
    without_the_steps,
    without_the_seconds,
    with_another_type,
    with_a_null,
    with_a_null_in_a_curve,
    with_a_short_curve,
    with_a_curve_of_another_type,
]


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_table_of_something_else_is_not_trusted(store: Store, forge: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    wanted = configs(2)
    store.add([made(config) for config in wanted])
    (path,) = files(store)
    frame = pl.read_parquet(path)
    path.unlink()
    path = write_named(store, parquet(frame))
    assert len(Store(store.folder).find(wanted)) == 2
    path.unlink()
    path = write_named(store, parquet(forge(frame)))
    opened = Store(store.folder)
    assert opened.find(wanted) == {}
    assert [damage.path for damage in opened.damaged] == [path]
    assert opened.inventory().damaged == opened.damaged


def test_nothing_is_unpickled(store: Store, tmp_path: Path) -> None:
    store.prepare()
    trace = tmp_path / "trace"
    data = pickle.dumps(Trap(trace))
    path = write_named(store, data)
    assert [damage.path for damage in store.damaged] == [path]
    assert not trace.exists()
    pickle.loads(data)
    assert trace.exists()


def test_runs_of_another_protocol_are_stale(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("dcrit.empirics.runs.single.PROTOCOL", -1)
        store.add([made(config) for config in configs(3)])
        assert Store(store.folder).inventory().n_runs == 3
    wanted = configs(4)
    store = Store(store.folder)
    assert store.missing(wanted) == wanted
    store.add([made(wanted[0])])
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged) == (1, 3, ())
    assert len(list(store.runs())) == 1


@pytest.mark.parametrize("change", [{"tempo": 3}, {"n_train": 0}, {"problem": 3}, {"steps": 0}, None])
def test_configurations_of_another_version_are_stale(store: Store, change: dict[str, object] | None) -> None:
    (config,) = configs(1)
    store.add([made(config)])
    (path,) = files(store)
    frame = pl.read_parquet(path)
    path.unlink()
    text = json.dumps([] if change is None else config.to_dict() | change, sort_keys=True)
    address = hashlib.sha256(text.encode()).hexdigest()[:32]
    write_named(store, parquet(frame.with_columns(address=pl.lit(address), config=pl.lit(text))))
    inventory = Store(store.folder).inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged) == (0, 1, ())


def test_an_inventory_counts_what_is_there(store: Store) -> None:
    assert (store.inventory().n_runs, store.inventory().n_files, store.inventory().n_bytes) == (0, 0, 0)
    runs = [made(config) for config in configs(6)]
    for start in (0, 2, 4):
        store.add(runs[start : start + 2])
    paths = files(store)
    assert store.inventory().n_files == 3
    paths[1].write_bytes(truncated(paths[1].read_bytes()))
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_files, inventory.n_stale) == (4, 2, 0)
    assert inventory.n_bytes == sum(path.stat().st_size for path in paths)
    assert [damage.path for damage in inventory.damaged] == [paths[1]]


def test_other_files_are_left_alone(store: Store) -> None:
    store.prepare()
    others = ["table.parquet", ".0123.tmp", "notes.txt", f"{'0' * 16}-{'0' * 32}.parquet.bak"]
    for name in others:
        (store.folder / name).write_text("mine")
    assert store.damaged == store.set_aside() == ()
    assert store.inventory().n_files == 0
    assert sorted(path.name for path in files(store)) == sorted(others)


def test_reading_does_not_create_the_folder(store: Store) -> None:
    assert store.missing(configs(2)) == configs(2)
    assert list(store.runs()) == []
    assert not store.folder.exists()


def test_prepare_creates_the_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "b")
    store.prepare()
    store.prepare()
    assert store.folder.is_dir()
    assert files(store) == []


@pytest.mark.parametrize("below", ["", "runs", "runs/deep"])
def test_a_folder_that_cannot_be_written_is_refused_by_name(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" / below
    with pytest.raises(ValueError, match=r"^store must be a folder that can be written to, got ") as caught:
        Store(folder).prepare()
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_can_only_be_read_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.folder.mkdir()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(ValueError, match=rf"^store must be .* got {store.folder}: Permission denied$"):
        store.prepare()
