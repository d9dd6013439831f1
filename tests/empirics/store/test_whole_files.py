import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dcrit.empirics.store.whole_files import ABANDONED_AGE, remove_abandoned, temporaries, whole, write_whole

LONG_AGO = time.time() - 2 * ABANDONED_AGE


def left_behind(folder: Path, *, age: float = 2 * ABANDONED_AGE, name: str = f".{'a' * 32}.tmp") -> Path:
    """A temporary file whose writer was killed."""
    path = folder / name
    path.write_bytes(b"half of it")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
        assert len(temporaries(tmp_path)) == 1
    assert path.read_text() == "new"
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("trouble", [ValueError("no"), KeyboardInterrupt()])
def test_a_writer_that_fails_leaves_nothing(tmp_path: Path, trouble: BaseException) -> None:
    def write_half() -> None:
        with whole(tmp_path / "table.csv") as file:
            file.write(b"half")
            raise trouble

    with pytest.raises(type(trouble)):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_what_went_wrong_first_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*_: object, **__: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "unlink", stale)
    with pytest.raises(ValueError, match="first"), whole(tmp_path / "table.csv"):
        raise ValueError("first")


REFUSALS = [errno.ENOENT, errno.ESTALE, errno.EEXIST, errno.EIO]


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("existed", [False, True])
def test_a_rename_that_was_not_done_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, existed: bool
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "table.csv"
    if existed:
        path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError) as caught:  # noqa: PT011
        write_whole(path, b"new")
    assert caught.value.errno == code
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"] * existed


@pytest.mark.parametrize(("code", "fails"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synchronized_is_told_apart_from_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, fails: bool
) -> None:
    sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), tmp_path.stat()):
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    if fails:
        with pytest.raises(OSError, match="Input/output error"):
            write_whole(tmp_path / "table.csv", b"new")
    else:
        write_whole(tmp_path / "table.csv", b"new")
    assert (tmp_path / "table.csv").read_bytes() == b"new"


def test_only_what_is_old_is_abandoned(tmp_path: Path) -> None:
    young = left_behind(tmp_path, age=ABANDONED_AGE / 2, name=f".{'b' * 32}.tmp")
    old = left_behind(tmp_path)
    assert remove_abandoned(tmp_path, time.time()) == (old,)
    assert list(tmp_path.iterdir()) == [young]


def test_the_clock_of_the_file_system_decides(tmp_path: Path) -> None:
    path = left_behind(tmp_path, age=0)
    assert remove_abandoned(tmp_path, path.stat().st_mtime + ABANDONED_AGE - 1) == ()
    assert remove_abandoned(tmp_path, path.stat().st_mtime + ABANDONED_AGE) == (path,)


def test_a_writer_that_lives_keeps_its_file_however_long_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with whole(path) as file:
        file.write(b"slow")
        file.flush()
        (temporary,) = temporaries(tmp_path)
        os.utime(temporary, (LONG_AGO, LONG_AGO))
        assert remove_abandoned(tmp_path, time.time()) == ()
    assert path.read_bytes() == b"slow"


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_nothing_is_removed_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = left_behind(tmp_path)
    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_whole(tmp_path / "table.csv", b"new")
    assert remove_abandoned(tmp_path, time.time()) == ()
    assert path.exists()


@pytest.mark.parametrize("name", [".nfs000000000001", ".0123.tmp", f"{'a' * 32}.tmp", "notes.txt", f".{'g' * 32}.tmp"])
def test_files_of_others_are_never_removed(tmp_path: Path, name: str) -> None:
    path = left_behind(tmp_path, name=name)
    assert temporaries(tmp_path) == []
    assert remove_abandoned(tmp_path, time.time()) == ()
    assert path.exists()


def vanish(path: Path) -> None:
    path.unlink()


def turn_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [vanish, turn_into_a_folder])
def test_what_changes_meanwhile_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = left_behind(tmp_path)
    monkeypatch.setattr("dcrit.empirics.store.whole_files.temporaries", lambda _: [path])
    change(path)
    assert remove_abandoned(tmp_path, time.time() + 10 * ABANDONED_AGE) == ()


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert temporaries(tmp_path / "none") == []
    assert remove_abandoned(tmp_path / "none", time.time()) == ()
