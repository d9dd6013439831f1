"""Finished work on disk: one Parquet file a batch, found by configuration, trusted only by its checksum."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import polars as pl

from dcrit.empirics.inventory import Damage, Inventory
from dcrit.empirics.parquet_bounds import Bounds, ForeignParquetError, read_parquet
from dcrit.theory.foreign_files import read_bounded

#: Subfolder to which damaged files are moved.
DAMAGED = "damaged"

#: Columns of every kind of run; its curves, lists of numbers, are beside them.
HEAD = {"address": pl.String, "config": pl.String, "ending": pl.String, "seconds": pl.Float64}

#: Most bytes of a file, and values and bytes that it may expand to.
LARGEST_FILE = 1_000_000_000
EXPANDED = Bounds(n_values=200_000_000, n_bytes=2_000_000_000)

#: Identity of a batch (its addresses, hashed) and checksum.
_NAME = re.compile(r"[0-9a-f]{16}-(?P<checksum>[0-9a-f]{32})\.parquet")


class Addressed(Protocol):
    """A configuration that a store finds runs by."""

    @cached_property
    def address(self) -> str:
        """Content address: 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        ...


class Finished(Protocol):
    """A finished run: a dataclass of a configuration, why it ended, how long it took, and curves."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def config(self) -> Any:
        """What was run."""
        ...

    @property
    def ending(self) -> str:
        """Why it ended."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took [s]."""
        ...


AnyConfig = TypeVar("AnyConfig", bound=Addressed)
AnyRun = TypeVar("AnyRun", bound=Finished)


def canonical(config: Addressed) -> str:
    """The text whose hash is the address."""
    return json.dumps(config.to_dict(), sort_keys=True, separators=(",", ":"))


class StoreWriteError(RuntimeError):
    """A finished batch could not be written; those written before it are kept."""


class UntrustedError(Exception):
    """What is wrong with a file's contents."""


class OtherKindError(Exception):
    """A file holds runs of another kind, which another store of the same folder reads."""


class ParquetStore(ABC, Generic[AnyConfig, AnyRun]):
    """Finished runs in one folder, addressed by what was run.

    Files are written under a hidden temporary name, then renamed, and never changed: a reader sees
    a whole batch or none, and several processes may share the folder. Nothing is read before it is
    asked for. A file whose bytes do not have the checksum in its name, or whose configurations do
    not have the addresses beside them, counts as absent and is listed in :attr:`damaged`. Whole files
    of runs of another kind are left alone.

    Args:
        folder: Where the files lie; need not exist before :meth:`prepare` or :meth:`add`.

    Attributes:
        curve_names: Columns of the curves.
        other_curve_names: Columns of the curves of other kinds of run, which may lie in the same folder.
        endings: Why a run may have ended.
    """

    curve_names: ClassVar[tuple[str, ...]]
    other_curve_names: ClassVar[tuple[tuple[str, ...], ...]] = ()
    endings: ClassVar[tuple[str, ...]]

    @abstractmethod
    def config_from(self, fields: dict[str, Any]) -> AnyConfig:
        """Inverse of the configuration's ``to_dict``; ValueError, TypeError or KeyError where it is none."""

    @abstractmethod
    def columns(self, run: AnyRun) -> dict[str, np.ndarray]:
        """Curves of a run, each as one row of numbers."""

    @abstractmethod
    def run_from(self, config: AnyConfig, curves: dict[str, np.ndarray], ending: str, seconds: float) -> AnyRun:
        """Inverse of :meth:`columns`; ValueError where curves are not those of such a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._forget()

    def _forget(self) -> None:
        self._known: set[str] = set()
        self._places: dict[str, Path] = {}
        self._runs: dict[str, AnyRun] = {}
        self._damaged: dict[Path, Damage] = {}
        self._others: dict[Path, str] = {}
        self._n_stale = 0

    def prepare(self) -> None:
        """Create the folder and make sure that files can be written there.

        Raises:
            ValueError: They cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".{uuid.uuid4().hex}.tmp"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ValueError(
                f"store must be a folder that can be written to, got {self.folder}: {error.strerror}"
            ) from error

    def get(self, config: AnyConfig) -> AnyRun | None:
        """The stored run of a configuration; None if there is none."""
        if config.address not in self._places:
            self._scan()
        run = self._load(config.address)
        return run and replace(run, config=config)

    def find(self, configs: Sequence[AnyConfig]) -> dict[str, AnyRun]:
        """Those of the runs that are stored, by address."""
        self._scan()
        runs = {config.address: self._load(config.address) for config in configs}
        return {address: run for address, run in runs.items() if run is not None}

    def missing(self, configs: Sequence[AnyConfig]) -> list[AnyConfig]:
        """Configurations without a stored run, each once, in the order given."""
        self._scan()
        return list({config.address: config for config in configs if config.address not in self._places}.values())

    def runs(self) -> Iterator[AnyRun]:
        """All stored runs, by address."""
        self._scan()
        for address in sorted(self._places):
            run = self._load(address)
            if run is not None:
                yield run

    def add(self, runs: Sequence[AnyRun]) -> None:
        """Store finished runs as one batch; those stored already are left as they are.

        Args:
            runs: Finished runs.

        Raises:
            StoreWriteError: The file cannot be written, for example because the disk is full.
        """
        lacking = {config.address for config in self.missing([run.config for run in runs])}
        batch = {run.config.address: run for run in runs if run.config.address in lacking}
        if not batch:
            return
        data = self._encode(list(batch.values()))
        identity = hashlib.sha256("".join(sorted(batch)).encode()).hexdigest()[:16]
        path = self.folder / f"{identity}-{checksum(data)}.parquet"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            raise StoreWriteError(
                f"a finished batch could not be stored in {self.folder}: {error.strerror}. "
                "Batches stored before are kept; free space there and repeat the command"
            ) from error
        self._known.add(path.name)
        self._places |= dict.fromkeys(batch, path)
        self._runs |= batch

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """Files that were found damaged and not yet moved aside."""
        self._scan()
        return tuple(self._damaged.values())

    def set_aside(self) -> tuple[Damage, ...]:
        """Move damaged files to a subfolder, so that their runs are made again; nothing is deleted.

        Returns:
            The files moved, with their new paths.
        """
        moved: list[Damage] = []
        for damage in self.damaged:
            target = self.folder / DAMAGED / damage.path.name
            if target.parent.is_symlink():
                raise StoreWriteError(f"{target.parent} must be a folder, and is a link that leads out of the store")
            target.parent.mkdir(exist_ok=True)
            # Another process may have been faster.
            with contextlib.suppress(FileNotFoundError):
                os.replace(damage.path, target)
                moved.append(replace(damage, path=target))
            del self._damaged[damage.path]
            self._known.discard(damage.path.name)
        return tuple(moved)

    def inventory(self) -> Inventory:
        """Read every file again, in full, and check everything that can be checked."""
        self._forget()
        self._scan()
        for path in self._paths():
            if path not in self._damaged and path not in self._others:
                self._read(path)
        sound = [path for path in self._paths() if path not in self._damaged and path not in self._others]
        return Inventory(
            n_runs=len(self._places),
            n_stale=self._n_stale,
            sound=tuple(sound),
            damaged=tuple(self._damaged.values()),
            others=tuple(Damage(path=path, reason=reason) for path, reason in self._others.items()),
        )

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ValueError(f"store must be a folder that can be read, got {self.folder}: {error.strerror}") from error

    def _scan(self) -> None:
        """Index the files that appeared since the last time."""
        for path in self._paths():
            if path.name in self._known:
                continue
            self._known.add(path.name)
            with self._noting_damage(path):
                frame = self._decode(_trusted_bytes(path), ["address", "config"])
                for address, config in zip(frame["address"], self._configs(frame), strict=True):
                    if config is None:
                        self._n_stale += 1
                    else:
                        self._places.setdefault(address, path)

    def _load(self, address: str) -> AnyRun | None:
        if address in self._places and address not in self._runs:
            self._runs |= self._read(self._places[address])
        return self._runs.get(address)

    def _read(self, path: Path) -> dict[str, AnyRun]:
        """Runs of one file by address; none, and their places forgotten, if it is gone or damaged."""
        with self._noting_damage(path):
            return self._decoded_runs(self._decode(_trusted_bytes(path)))
        self._places = {address: place for address, place in self._places.items() if place != path}
        return {}

    @contextlib.contextmanager
    def _noting_damage(self, path: Path) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            self._known.discard(path.name)
        except OtherKindError as error:
            self._others[path] = str(error)
        except (UntrustedError, OSError) as error:
            self._damaged[path] = Damage(path=path, reason=str(error))

    @property
    def _schema(self) -> pl.Schema:
        return pl.Schema(HEAD | dict.fromkeys(self.curve_names, pl.List(pl.Float64)))

    def _encode(self, runs: Sequence[AnyRun]) -> bytes:
        table: dict[str, list[object]] = {
            "address": [run.config.address for run in runs],
            "config": [canonical(run.config) for run in runs],
            "ending": [run.ending for run in runs],
            "seconds": [run.seconds for run in runs],
        }
        rows = [self.columns(run) for run in runs]
        table |= {name: [row[name] for row in rows] for name in self.curve_names}
        return parquet(pl.DataFrame(table, schema=self._schema))

    def _decode(self, data: bytes, columns: list[str] | None = None) -> pl.DataFrame:
        try:
            frame = read_parquet(data, EXPANDED, columns)
        except ForeignParquetError as error:
            raise UntrustedError(f"it is not a Parquet file of runs: {error}") from error
        names = frame.columns if columns is None else pl.read_parquet_schema(io.BytesIO(data))
        wrong = f"its columns are {', '.join(names)}, of other names or types than a run's"
        if any(set(names) == {*HEAD, *curves} for curves in self.other_curve_names):
            raise OtherKindError(wrong)
        if frame.schema != pl.Schema({name: self._schema[name] for name in columns or self._schema}):
            raise UntrustedError(wrong)
        if sum(frame.null_count().row(0)):
            raise UntrustedError("values are missing")
        # One text may stand in every row, and takes no place until it is read.
        if sum(frame.select(pl.col(pl.String).str.len_bytes().cast(pl.UInt64).sum()).row(0)) > EXPANDED.n_bytes:
            raise UntrustedError("its texts are too long")
        return frame

    def _configs(self, frame: pl.DataFrame) -> Iterator[AnyConfig | None]:
        """Configuration of every row, None where it is stale; no row of a file with a false address is trusted."""
        for address, text in frame.select("address", "config").iter_rows():
            if hashlib.sha256(text.encode()).hexdigest()[:32] != address:
                raise UntrustedError(f"the configuration stored under address {address} has another address")
        for address, text in frame.select("address", "config").iter_rows():
            config = None
            # Protocols and fields come and go: what this version would write otherwise, it never asks for.
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                config = self.config_from(json.loads(text))
            yield config if config is not None and config.address == address else None

    def _decoded_runs(self, frame: pl.DataFrame) -> dict[str, AnyRun]:
        if not set(frame["ending"]) <= set(self.endings):
            raise UntrustedError(f"endings are {', '.join(frame['ending'].unique())}")
        curves: dict[str, list[np.ndarray]] = {}
        for name in self.curve_names:
            values = frame[name].explode()
            if values.null_count():
                raise UntrustedError(f"{name} is not one value an evaluation")
            starts = frame[name].list.len().cum_sum().to_numpy()[:-1]
            curves[name] = np.split(values.to_numpy(writable=True), starts)
        runs: dict[str, AnyRun] = {}
        for row, config in enumerate(self._configs(frame)):
            if config is not None:
                mine = {name: curves[name][row] for name in self.curve_names}
                try:
                    run = self.run_from(config, mine, frame["ending"][row], frame["seconds"][row])
                except ValueError as error:
                    raise UntrustedError(str(error)) from error
                runs[config.address] = run
        return runs


def checksum(data: bytes) -> str:
    """What a file's name says of its bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it never exists in part, not even after a power cut."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def parquet(table: pl.DataFrame) -> bytes:
    """A table as the bytes of a file."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def _trusted_bytes(path: Path) -> bytes:
    try:
        data = read_bounded(path, "it", LARGEST_FILE)
    except ValueError as error:
        raise (
            error.__cause__ if isinstance(error.__cause__, FileNotFoundError) else UntrustedError(str(error))
        ) from error
    if not path.name.endswith(f"-{checksum(data)}.parquet"):
        raise UntrustedError(f"its {len(data)} bytes do not have the checksum in its name")
    return data
