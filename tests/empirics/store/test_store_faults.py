import errno
import itertools
import os
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.empirics.store import batch_files
from dcrit.empirics.store.inventory import CHECKPOINTS, DAMAGED
from dcrit.empirics.store.kinds import Store, StoreWriteError
from dcrit.empirics.store.whole_files import ABANDONED_AGE
from tests.worlds.mounts import with_mounts
from tests.worlds.stored import assert_same, configs, files, made

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


# -- no space left -------------------------------------------------------------------------------------------------

FILL_AND_FREE = textwrap.dedent("""
    import sys
    from pathlib import Path
    from dcrit.empirics.store.kinds import Store
    from dcrit.empirics.store.store import StoreWriteError
    from tests.worlds.stored import configs, made

    folder = Path(sys.argv[1])
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(40_000))
    wanted = configs(40)
    store = Store(folder)
    store.prepare()
    try:
        for config in wanted:
            store.add([made(config, n_evaluations=40)])
    except StoreWriteError as error:
        print(error)
    opened = Store(folder)
    lacking = opened.missing(wanted)
    assert 0 < len(lacking) < len(wanted)
    assert [path.name for path in folder.iterdir() if path.suffix != ".parquet"] == ["ballast"]
    assert opened.inventory().damaged == ()
    try:
        while True:
            with ballast.open("ab", buffering=0) as file:
                file.write(bytes(4096))
    except OSError:
        pass
    try:
        store.prepare()
    except StoreWriteError as error:
        print(error)
    ballast.unlink()
    for config in lacking:
        store.add([made(config, n_evaluations=40)])
    assert Store(folder).missing(wanted) == []
""")


@pytest.mark.processes
def test_a_full_disk_is_told_and_gone_on_from() -> None:
    done = with_mounts(
        f'mount -t tmpfs -o size=500k tmpfs /mnt; cd "{ROOT}"; exec "$1" -c "$2" /mnt', sys.executable, FILL_AND_FREE
    )
    assert (done.returncode, done.stderr) == (0, "")
    batch, ahead = done.stdout.splitlines()
    assert batch == (
        "a finished batch could not be stored in /mnt: No space left on device. Batches stored before are kept; "
        "free space there and repeat the command"
    )
    assert ahead == batch.replace("a finished batch could not be stored", "nothing can be stored")


def test_a_limit_on_the_size_of_files_is_told(store: Store) -> None:
    (config,) = configs(1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        store.prepare()
        with pytest.raises(StoreWriteError, match=r"could not be stored in .*: File too large"):
            store.add([made(config, n_evaluations=200)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(store) == []
    store.add([made(config, n_evaluations=200)])
    assert Store(store.folder).missing([config]) == []


# -- a store that can only be read ---------------------------------------------------------------------------------

READ_ONLY = textwrap.dedent("""
    import sys
    from pathlib import Path
    from dcrit.empirics.store.kinds import Store
    from dcrit.empirics.store.store import StoreWriteError
    from tests.worlds.stored import configs, made

    stored, bent, lacking = configs(3)
    store = Store(Path(sys.argv[1]))
    assert store.get(stored) is not None
    assert store.missing([stored, bent, lacking]) == [bent, lacking]
    assert store.inventory().n_runs == len(list(store.runs())) == 1
    for refused in (store.prepare, store.set_aside, lambda: store.add([made(lacking)])):
        try:
            refused()
        except (ValueError, StoreWriteError) as error:
            print(type(error).__name__, error)
    assert len(store.damaged) == 1
""")


@pytest.mark.processes
def test_a_read_only_store_is_read_and_not_written(tmp_path: Path) -> None:
    stored, bent, _ = configs(3)
    Store(tmp_path).add([made(bent)])
    (path,) = files(Store(tmp_path))
    path.write_bytes(path.read_bytes()[:-1])
    Store(tmp_path).add([made(stored)])
    before = {path: path.read_bytes() for path in files(Store(tmp_path))}
    done = with_mounts(
        f'mount --bind "$3" "$3"; mount -o remount,bind,ro "$3"; cd "{ROOT}"; exec "$1" -c "$2" "$3"',
        sys.executable,
        READ_ONLY,
        str(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
    prepared, moved, added = done.stdout.splitlines()
    assert (
        prepared == f"FieldError store must be a folder that can be written to, got {tmp_path}: Read-only file system"
    )
    assert moved == (
        f"StoreWriteError a damaged file could not be set aside, {path}: Read-only file system. Nothing was changed"
    )
    assert added.startswith(
        f"StoreWriteError a finished batch could not be stored in {tmp_path}: Read-only file system"
    )
    assert {path: path.read_bytes() for path in files(Store(tmp_path))} == before


# -- several processes ---------------------------------------------------------------------------------------------

WRITE_MUCH = textwrap.dedent("""
    import random, sys
    from pathlib import Path
    from dcrit.empirics.store.kinds import Store
    from tests.worlds.stored import configs, made

    draw = random.Random(int(sys.argv[2]))
    wanted = configs(60)
    mine = Store(Path(sys.argv[1]))
    mine.prepare()
    print("ready", flush=True)
    sys.stdin.readline()
    mine.set_aside()
    for turn in range(40):
        batch = draw.sample(wanted, 5)
        store = mine if turn % 2 else Store(mine.folder)
        store.prepare()
        store.add([made(config) for config in batch])
        for config in batch:
            assert store.get(config).curves.step.tobytes() == made(config).curves.step.tobytes()
    assert mine.damaged == ()
""")


@pytest.mark.processes
def test_processes_that_write_at_once_lose_and_damage_nothing(store: Store) -> None:
    bent = configs(12)[::-1]
    for config in bent:
        store.add([made(config)])
    for path in files(store):
        path.write_bytes(path.read_bytes()[:-7])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE_MUCH, str(store.folder), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    ends = [process.communicate("\n", timeout=300) for process in processes]
    assert [(process.returncode, error) for process, (_, error) in zip(processes, ends, strict=True)] == [(0, "")] * 3
    after = Store(store.folder)
    assert after.missing(configs(60)) == []
    for config in configs(60):
        assert_same(after.get(config), made(config))
    inventory = after.inventory()
    assert (inventory.n_runs, inventory.damaged, inventory.incomplete) == (60, (), ())
    assert len(inventory.set_aside) == len(bent)


# -- file servers --------------------------------------------------------------------------------------------------


def test_a_run_that_is_in_two_files_counts_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = configs(3)
    store.add([made(first), made(second)])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", lambda _: iter(()))
        Store(store.folder).add([replace(made(second), seconds=7.0), made(third)])
    assert len(files(store)) == 2
    opened = Store(store.folder)
    assert sorted(run.config.seed for run in opened.runs()) == [0, 1, 2]
    assert sorted(heading.config.seed for heading in opened.headings()) == [0, 1, 2]
    assert opened.inventory().n_runs == 3


def test_a_file_that_is_listed_and_gone_is_missing_until_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = configs(2)
    store.add([made(first)])
    (path,) = files(store)
    store.add([made(second)])
    data, listed = path.read_bytes(), sorted(store.folder.iterdir())
    path.unlink()
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(listed))
    opened = Store(store.folder)
    assert opened.missing([first, second]) == [first]
    assert (opened.get(first), opened.damaged, opened.set_aside()) == (None, (), ())
    assert [run.config.seed for run in opened.runs()] == [second.seed]
    path.write_bytes(data)
    assert opened.missing([first, second]) == []
    assert_same(opened.get(first), made(first))


@pytest.mark.parametrize("code", [errno.ESTALE, errno.ENOENT])
def test_a_stale_handle_is_no_damage(store: Store, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    (config,) = configs(1)
    store.add([made(config)])
    opened, read = Store(store.folder), batch_files.read_bounded
    troubles = itertools.chain([True], itertools.repeat(False))

    def fail_once(path: Path, name: str, limit: int) -> bytes:
        if next(troubles):
            raise ValueError("it must be a file that can be read") from OSError(code, os.strerror(code))
        return read(path, name, limit)

    monkeypatch.setattr(batch_files, "read_bounded", fail_once)
    assert opened.missing([config]) == [config]
    assert opened.damaged == opened.set_aside() == ()
    assert_same(opened.get(config), made(config))


def test_a_file_that_was_seen_in_part_is_not_set_aside(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (config,) = configs(1)
    store.add([made(config)])
    opened, read = Store(store.folder), batch_files.read_bounded
    with monkeypatch.context() as patched:
        patched.setattr(batch_files, "read_bounded", lambda *where: read(*where)[:1000])
        assert opened.missing([config]) == [config]
        assert len(opened.damaged) == 1
    assert opened.set_aside() == ()
    assert opened.damaged == ()
    assert opened.missing([config]) == []
    assert_same(opened.get(config), made(config))
    assert not (store.folder / DAMAGED).exists()


def test_what_a_file_server_puts_there_is_left_alone(store: Store) -> None:
    (config,) = configs(1)
    store.add([made(config)])
    silly = store.folder / ".nfs00000000042a1b2c00000001"
    silly.write_bytes(b"open elsewhere")
    os.utime(silly, (0, 0))
    opened = Store(store.folder)
    opened.prepare()
    assert silly.exists()
    inventory = opened.inventory()
    assert (inventory.n_runs, inventory.n_files, inventory.damaged, inventory.incomplete) == (1, 1, (), ())


# -- damage --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """Name and bytes of a file of two runs."""
    store = Store(tmp_path_factory.mktemp("batch"))
    store.add([made(config) for config in configs(2)])
    (path,) = files(store)
    return path.name, path.read_bytes()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder each time."""
    return (tmp_path_factory.mktemp("bent") for _ in itertools.count())


def cut(data: bytes, place: float, bit: int) -> bytes:
    return data[: int(place * len(data))]


def flip(data: bytes, place: float, bit: int) -> bytes:
    at = min(int(place * len(data)), len(data) - 1)  # a place just below 1 may round to it
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def zero_from(data: bytes, place: float, bit: int) -> bytes:
    """As a crash leaves a file whose length was written and whose contents were not."""
    at = min(int(place * len(data)), len(data.rstrip(b"\0")) - 1)
    return data[:at] + bytes(len(data) - at)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    damage=st.sampled_from([cut, flip, zero_from]),
    place=st.floats(min_value=0, max_value=1, exclude_max=True),
    bit=st.integers(min_value=0, max_value=7),
)
def test_every_cut_and_every_flipped_bit_is_found(
    batch: tuple[str, bytes],
    folders: Iterator[Path],
    damage: Callable[[bytes, float, int], bytes],
    place: float,
    bit: int,
) -> None:
    folder = next(folders)
    name, data = batch
    bent = damage(data, place, bit)
    assert bent != data
    (folder / name).write_bytes(bent)
    wanted = configs(2)
    store = Store(folder)
    assert store.missing(wanted) == wanted
    assert store.find(wanted) == {}
    (moved,) = store.set_aside()
    assert (moved.path, moved.path.read_bytes()) == (folder / DAMAGED / name, bent)
    assert "checksum" in moved.reason
    store.add([made(config) for config in wanted])
    assert (folder / name).read_bytes() == data
    assert store.set_aside() == ()


def test_a_file_that_the_reader_panics_at_is_damaged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What polars panics at depends on its version."""
    (config,) = configs(1)
    store.add([made(config)])
    opened = Store(store.folder)

    def panic(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("index out of bounds")

    with monkeypatch.context() as patched:
        patched.setattr(pl, "read_parquet", panic)
        assert opened.missing([config]) == [config]
        (damage,) = opened.damaged
        assert damage.reason == "it is not a Parquet file of runs: index out of bounds"


# -- what killed writers leave -------------------------------------------------------------------------------------

KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from dcrit.empirics.store.kinds import Store
    from tests.worlds.stored import configs, made

    store = Store(Path(sys.argv[1]))
    store.add([made(configs(2)[0])])
    os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    store.add([made(configs(2)[1])])
""")


@pytest.mark.kills
def test_what_a_killed_writer_left_is_listed_and_in_an_hour_removed(store: Store) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.folder)], check=False, timeout=300, cwd=ROOT)
    assert done.returncode == -9
    first, second = configs(2)
    opened = Store(store.folder)
    assert opened.missing([first, second]) == [second]
    (left,) = opened.inventory().incomplete
    assert left.kind == "temporary"
    assert left.n_bytes == left.path.stat().st_size > 1000
    assert left.age < ABANDONED_AGE / 2
    opened.prepare()
    assert left.path.exists()
    before = time.time() - ABANDONED_AGE - 60
    os.utime(left.path, (before, before))
    (left,) = opened.inventory().incomplete
    assert left.age > ABANDONED_AGE
    opened.prepare()
    assert opened.inventory().incomplete == ()
    assert opened.missing([first, second]) == [second]


def test_work_that_goes_on_from_checkpoints_is_listed_and_kept(store: Store) -> None:
    folder = store.folder / CHECKPOINTS
    folder.mkdir(parents=True)
    state, hidden, other = (folder / name for name in ("ab.checkpoint", f".{'c' * 32}.tmp", "notes.txt"))
    for path in (state, hidden, other):
        path.write_bytes(bytes(10))
        os.utime(path, (0, 0))
    assert {(one.path, one.kind, one.n_bytes) for one in store.inventory().incomplete} == {
        (state, "checkpoint", 10),
        (hidden, "temporary", 10),
    }
    store.prepare()
    assert sorted(folder.iterdir()) == [state, other]
