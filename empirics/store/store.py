"""Finished work on disk: one Parquet file a batch, found by configuration, trusted only by its checksum."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, overload

import numpy as np
import polars as pl
from cachetools import LRUCache

from dcrit.empirics.runs.addressed import Addressed, AnyConfig, AnyRun, Finished, Heading, canonical
from dcrit.empirics.store.batch_files import (
    CURVE,
    HEAD,
    OtherKindError,
    UntrustedError,
    batch_name,
    batch_paths,
    check_addresses,
    decoded,
    parquet,
    trusted_bytes,
)
from dcrit.empirics.store.inventory import CHECKPOINTS, DAMAGED, Damage, Inventory, files_in, incomplete_work
from dcrit.empirics.store.whole_files import is_gone, remove_abandoned, write_whole
from dcrit.theory.checks import FieldError

__all__ = ["Addressed", "Finished", "ParquetStore", "StoreWriteError"]

#: Bytes that the decoded runs of a store may take until the file read longest ago is dropped.
CACHE_BYTES = 64 * 2**20

#: Bytes of a decoded run beside its curves, measured.
RUN_BYTES = 3000

_FULL = (errno.ENOSPC, errno.EDQUOT)


class StoreWriteError(RuntimeError):
    """A finished batch could not be written; those written before it are kept."""


class ParquetStore(ABC, Generic[AnyConfig, AnyRun]):
    """Finished runs in one folder, addressed by what was run.

    Files are written under a hidden temporary name, then renamed, and never changed: a reader sees
    a whole batch or none, and several processes may share the folder, also over a network. Nothing is read
    before it is asked for; then the addresses of all runs are kept, and the files read last up to
    :data:`CACHE_BYTES`. A file whose bytes do not have the checksum in its name, or whose configurations do
    not have the addresses beside them, counts as absent and is listed in :attr:`damaged`. Whole files
    of runs of another kind are left alone, and so are runs that this version does not understand: those of another
    protocol, and those with fields, values or endings that a later version added. Curves that a file lacks, because
    they were added after it was written, are NaN; those that are not known are ignored.

    Args:
        folder: Where the files lie; need not exist before :meth:`prepare` or :meth:`add`.

    Attributes:
        kind: Which of ``KINDS`` a configuration of such a run has.
        curve_names: Columns of the curves.
        endings: Why a run may have ended.
    """

    kind: ClassVar[str]
    curve_names: ClassVar[tuple[str, ...]]
    endings: ClassVar[tuple[str, ...]]

    @abstractmethod
    def config_from(self, fields: dict[str, Any]) -> AnyConfig:
        """Inverse of the configuration's ``to_dict``; ValueError, TypeError or KeyError where it is none."""

    @abstractmethod
    def columns(self, run: AnyRun) -> dict[str, np.ndarray]:
        """Curves of a run, each as one row of numbers."""

    @abstractmethod
    def run_from(self, config: AnyConfig, curves: dict[str, np.ndarray], ending: str, seconds: float) -> AnyRun:
        """Inverse of :meth:`columns`, NaN for curves that are lacking; ValueError where they are not of such a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._forget()

    def _forget(self) -> None:
        self._scanned = False
        self._known: set[str] = set()
        self._places: dict[str, Path] = {}
        self._cache = kept_files(CACHE_BYTES)
        self._damaged: dict[Path, Damage] = {}
        self._others: dict[Path, str] = {}

    def prepare(self) -> None:
        """Create the folder, make sure that files can be written there, and remove what killed writers left.

        Raises:
            ValueError: They cannot.
            StoreWriteError: They could, but there is no space left.
        """
        probe = self.folder / f".{uuid.uuid4().hex}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                probe.touch()
                probe.write_bytes(bytes(4096))
                now = probe.stat().st_mtime
            finally:
                with contextlib.suppress(OSError):
                    probe.unlink()
        except OSError as error:
            if error.errno in _FULL:
                raise StoreWriteError(f"nothing can be stored in {self.folder}: {_advice(error)}") from error
            raise FieldError("store", "be a folder that can be written to", self.folder, why=error.strerror) from error
        remove_abandoned(self.folder, now)
        remove_abandoned(self.folder / CHECKPOINTS, now)

    def get(self, config: AnyConfig) -> AnyRun | None:
        """The stored run of a configuration; None if there is none."""
        if config.address not in self._places:
            self._scan()
        run = self._load(config.address)
        return run and replace(run, config=config)

    def stored(self, configs: Sequence[AnyConfig]) -> set[str]:
        """Addresses of those of the runs that are stored; no curve is decoded."""
        self._scan()
        return {config.address for config in configs if config.address in self._places}

    def find(self, configs: Sequence[AnyConfig]) -> dict[str, AnyRun]:
        """Those of the runs that are stored, by address, all in memory; ``StoredRuns`` reads them one by one."""
        self._scan()
        runs = {config.address: self._load(config.address) for config in configs}
        return {address: run for address, run in runs.items() if run is not None}

    def missing(self, configs: Sequence[AnyConfig]) -> list[AnyConfig]:
        """Configurations without a stored run, each once, in the order given."""
        self._scan()
        return list({config.address: config for config in configs if config.address not in self._places}.values())

    def runs(self) -> Iterator[AnyRun]:
        """All stored runs, each once, file by file in the order of their names."""
        self._scan()
        for path in sorted(set(self._places.values())):
            for address, run in self._read(path).items():
                if self._places.get(address) == path:
                    yield run

    def headings(self) -> Iterator[Heading[AnyConfig]]:
        """What is known of all stored runs without their curves, in the order of :meth:`runs`."""
        self._scan()
        for path in sorted(set(self._places.values())):
            with self._noting_damage(path):
                data = trusted_bytes(path)
                frame = self._decode(data, list(HEAD))
                for config, ending, seconds in zip(
                    self._configs(frame), frame["ending"], frame["seconds"], strict=True
                ):
                    if config is not None and self._places.get(config.address) == path:
                        yield Heading(config=config, ending=ending, seconds=seconds, n_bytes=len(data) / len(frame))

    def add(self, runs: Sequence[AnyRun]) -> None:
        """Store finished runs as one batch; those known to be stored already are left as they are.

        Files that other processes added since the store was last asked for runs are not looked for: a listing after
        every file takes time that grows with the square of their number.

        Args:
            runs: Finished runs.

        Raises:
            StoreWriteError: The file cannot be written, for example because the disk is full.
        """
        if not self._scanned:
            self._scan()
        batch = {run.config.address: run for run in runs if run.config.address not in self._places}
        if not batch:
            return
        table = self._table(list(batch.values()))
        data = parquet(table)
        path = self.folder / batch_name(list(batch), data)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            raise StoreWriteError(f"a finished batch could not be stored in {self.folder}: {_advice(error)}") from error
        self._known.add(path.name)
        self._damaged.pop(path, None)
        self._places |= dict.fromkeys(batch, path)
        self._cache[path] = Kept(batch, _size(table))

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """Files that were found damaged and not yet moved aside."""
        self._scan()
        return tuple(self._damaged.values())

    @property
    def strange(self) -> tuple[Path, ...]:
        """Whole files of runs of another kind."""
        self._scan()
        return tuple(self._others)

    def set_aside(self) -> tuple[Damage, ...]:
        """Move damaged files to a subfolder, so that their runs are made again; nothing is deleted.

        Every file is read once more before: over a network one may have been seen in part.

        Returns:
            The files moved, with their new paths.

        Raises:
            StoreWriteError: One cannot be moved.
        """
        moved: list[Damage] = []
        for path in [damage.path for damage in self.damaged]:
            del self._damaged[path]
            self._known.discard(path.name)
            self._read(path)
            damage = self._damaged.pop(path, None)
            if damage is None:
                continue
            target = self.folder / DAMAGED / path.name
            try:
                if target.parent.is_symlink():
                    raise StoreWriteError(f"{target.parent} must be a folder of the store, and is a link out of it")
                target.parent.mkdir(exist_ok=True)
                os.replace(path, target)
            except OSError as error:
                if is_gone(error):  # another process was faster
                    continue
                self._damaged[path] = damage
                raise StoreWriteError(
                    f"a damaged file could not be set aside, {path}: {error.strerror}. Nothing was changed"
                ) from error
            moved.append(replace(damage, path=target))
        return tuple(moved)

    def inventory(self) -> Inventory:
        """Read every file again, in full, and check everything that can be checked."""
        self._forget()
        self._scan()
        addresses: set[str] = set()
        n_stale = 0
        for path in batch_paths(self.folder):
            if path not in self._damaged and path not in self._others:
                with self._noting_damage(path):
                    rows = self._decoded_runs(self._decode(trusted_bytes(path), self._columns))
                    n_stale += sum(run is None for _, run in rows)
                    addresses |= {address for address, run in rows if run is not None}
        sound = [path for path in batch_paths(self.folder) if path not in self._damaged and path not in self._others]
        return Inventory(
            n_runs=len(addresses),
            n_stale=n_stale,
            sound=tuple(sound),
            damaged=tuple(self._damaged.values()),
            others=tuple(Damage(path=path, reason=reason) for path, reason in self._others.items()),
            set_aside=files_in(self.folder / DAMAGED),
            incomplete=incomplete_work(self.folder),
        )

    def _scan(self) -> None:
        """Index the files that appeared since the last time."""
        self._scanned = True
        for path in batch_paths(self.folder):
            if path.name in self._known:
                continue
            self._known.add(path.name)
            with self._noting_damage(path):
                frame = self._decode(trusted_bytes(path), list(HEAD))
                check_addresses(frame)
                known = frame.filter(pl.col("ending").is_in(self.endings))
                for address in known["address"]:
                    self._places.setdefault(address, path)

    def _load(self, address: str) -> AnyRun | None:
        """A run whose place is known; what this version would write otherwise is never asked for by its address."""
        path = self._places.get(address)
        if path is None:
            return None
        kept = self._cache.get(path)
        return (self._read(path, keep=True) if kept is None else kept.runs).get(address)

    def _read(self, path: Path, *, keep: bool = False) -> dict[str, AnyRun]:
        """Runs of one file by address; none, and their places forgotten, if it is gone or damaged."""
        with self._noting_damage(path):
            frame = self._decode(trusted_bytes(path), self._columns)
            runs = {address: run for address, run in self._decoded_runs(frame) if run is not None}
            if keep:
                self._cache[path] = Kept(runs, _size(frame))
            return runs
        return {}

    @contextlib.contextmanager
    def _noting_damage(self, path: Path) -> Iterator[None]:
        """What to make of a file that cannot be used: its runs count as absent."""
        try:
            yield
        except OtherKindError as error:
            self._others[path] = str(error)
        except (UntrustedError, OSError) as error:
            if isinstance(error, OSError) and is_gone(error):
                self._known.discard(path.name)
            else:
                self._damaged[path] = Damage(path=path, reason=str(error))
            self._places = {address: place for address, place in self._places.items() if place != path}

    @property
    def _columns(self) -> list[str]:
        return [*HEAD, *self.curve_names]

    def _table(self, runs: Sequence[AnyRun]) -> pl.DataFrame:
        table: dict[str, list[object]] = {
            "address": [run.config.address for run in runs],
            "config": [canonical(run.config) for run in runs],
            "ending": [run.ending for run in runs],
            "seconds": [run.seconds for run in runs],
        }
        rows = [self.columns(run) for run in runs]
        table |= {name: [row[name] for row in rows] for name in self.curve_names}
        return pl.DataFrame(table, schema=HEAD | dict.fromkeys(self.curve_names, CURVE))

    def _decode(self, data: bytes, columns: Sequence[str]) -> pl.DataFrame:
        return decoded(data, columns, self.curve_names, self.kind)

    def _configs(self, frame: pl.DataFrame) -> Iterator[AnyConfig | None]:
        """Configuration of every row, None where it is stale; no row of a file with a false address is trusted."""
        check_addresses(frame)
        for address, text in zip(frame["address"], frame["config"], strict=True):
            config = None
            # Protocols and fields come and go: what this version would write otherwise, it never asks for.
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                config = self.config_from(json.loads(text))
            yield config if config is not None and config.address == address else None

    def _decoded_runs(self, frame: pl.DataFrame) -> list[tuple[str, AnyRun | None]]:
        """Address and run of every row, no run where it is stale."""
        names = [name for name in self.curve_names if name in frame.columns]
        curves: dict[str, list[np.ndarray]] = {}
        ends = frame.select(pl.col(names).list.len().cum_sum())
        for name in names:
            values = frame[name].explode()
            if values.null_count():
                raise UntrustedError(f"{name} is not one value an evaluation")
            curves[name] = np.split(values.to_numpy(writable=True), ends[name].to_numpy()[:-1])
        runs: list[tuple[str, AnyRun | None]] = []
        for row, config in enumerate(self._configs(frame)):
            run = None
            if config is not None and (ending := frame["ending"][row]) in self.endings:
                mine = {name: values[row] for name, values in curves.items()}
                try:
                    run = self.run_from(config, mine, ending, frame["seconds"][row])
                except ValueError as error:
                    raise UntrustedError(str(error)) from error
            runs.append((frame["address"][row], run))
        return runs


class Kept(NamedTuple):
    """Decoded runs of a file by address, and the memory that they take [bytes]."""

    runs: dict[str, Any]
    n_bytes: int


def kept_files(n_bytes: int) -> LRUCache[Path, Kept]:
    """The files used last; the one used longest ago goes first, and one that is larger than all stays alone."""
    return LRUCache(n_bytes, getsizeof=lambda kept: min(kept.n_bytes, n_bytes))


def _size(table: pl.DataFrame) -> int:
    """Memory that the runs of a table take once decoded [bytes]."""
    return RUN_BYTES * len(table) + int(table.estimated_size())


def _advice(error: OSError) -> str:
    remedy = "free space there" if error.errno in _FULL else "make it a folder that can be written to"
    return f"{error.strerror}. Batches stored before are kept; {remedy} and repeat the command"


class StoreReadError(RuntimeError):
    """A stored run is no longer there."""


class StoredRuns(Sequence[AnyRun], Generic[AnyConfig, AnyRun]):
    """Stored runs in the order of their configurations, read file by file; memory does not grow with their number.

    A file is decoded once while runs of it follow each other closely, in terms of the store's cache, and
    again where they do not.

    Args:
        store: Where the runs are.
        configs: What was run; may repeat itself.
        remake: Makes again what the store turns out to lack; by default nothing does.
    """

    def __init__(
        self,
        store: ParquetStore[AnyConfig, AnyRun],
        configs: Sequence[AnyConfig],
        *,
        remake: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._configs, self._remake = store, tuple(configs), remake

    def __len__(self) -> int:
        return len(self._configs)

    @overload
    def __getitem__(self, index: int, /) -> AnyRun: ...

    @overload
    def __getitem__(self, index: slice, /) -> Self: ...

    def __getitem__(self, index: int | slice, /) -> AnyRun | Self:
        """A run, or a sequence of some of them.

        Raises:
            IndexError: There is no such run.
            StoreReadError: Its file was removed, or damaged, after it was found, and it was not made again.
        """
        if isinstance(index, slice):
            return type(self)(self._store, self._configs[index], remake=self._remake)
        return self._run(self._configs[index])

    def __iter__(self) -> Iterator[AnyRun]:
        """All runs in order.

        Raises:
            StoreReadError: The file of one was removed, or damaged, after it was found, and it was not made again.
        """
        return map(self._run, self._configs)

    def _run(self, config: AnyConfig) -> AnyRun:
        run = self._store.get(config)
        if run is None:
            self._remake()
            run = self._store.get(config)
        if run is None:
            raise StoreReadError(
                f"run {config.address} is no longer in {self._store.folder}: its file was removed or damaged after "
                "it was found. Repeat the command to make the run again"
            )
        return run
