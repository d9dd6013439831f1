"""The file of a finished batch: its name, which carries a checksum, and its table, which is trusted by that alone."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dcrit.empirics.store.parquet_bounds import Bounds, ForeignParquetError, check_bounds, decode
from dcrit.theory.calibrations.bounded_files import read_bounded

#: Most bytes of a file, and values and bytes that it may expand to.
LARGEST_FILE = 1_000_000_000
EXPANDED = Bounds(n_values=200_000_000, n_bytes=2_000_000_000)

#: Columns of every kind of run; its curves, lists of numbers, are beside them.
HEAD = {"address": pl.String, "config": pl.String, "ending": pl.String, "seconds": pl.Float64}

#: Identity of a batch (its addresses, hashed) and checksum.
_NAME = re.compile(r"[0-9a-f]{16}-(?P<checksum>[0-9a-f]{32})\.parquet")


#: What reading a forged file may end with.
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, ForeignParquetError)


class UntrustedError(Exception):
    """What is wrong with a file's contents."""


class OtherKindError(Exception):
    """A file holds runs of another kind, which another store of the same folder reads."""


def checksum(data: bytes) -> str:
    """What a file's name says of its bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def batch_name(addresses: Sequence[str], data: bytes) -> str:
    """Name of the file that holds the runs of these addresses in these bytes."""
    return f"{hashlib.sha256(''.join(sorted(addresses)).encode()).hexdigest()[:16]}-{checksum(data)}.parquet"


def batch_paths(folder: Path) -> list[Path]:
    """Files in a folder that are batches by their names.

    Raises:
        ValueError: The folder is there and cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ValueError(f"store must be a folder that can be read, got {folder}: {error.strerror}") from error


def trusted_bytes(path: Path) -> bytes:
    """Bytes of a file.

    Raises:
        UntrustedError: They do not have the checksum in its name.
        OSError: It cannot be read.
    """
    try:
        data = read_bounded(path, "it", LARGEST_FILE)
    except ValueError as error:
        cause = error.__cause__
        raise cause if isinstance(cause, OSError) else UntrustedError(str(error)) from error
    if not path.name.endswith(f"-{checksum(data)}.parquet"):
        raise UntrustedError(f"its {len(data)} bytes do not have the checksum in its name")
    return data


def parquet(table: pl.DataFrame) -> bytes:
    """A table as the bytes of a file."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def decoded(
    data: bytes,
    columns: Sequence[str],
    curves: Sequence[str],
    other_curves: Sequence[Sequence[str]] = (),
) -> pl.DataFrame:
    """Some columns of the table in a file.

    Args:
        data: Bytes of the file.
        columns: Which columns to decode.
        curves: Names of all columns beside :data:`HEAD`.
        other_curves: Those of other kinds of run.

    Raises:
        UntrustedError: It is no such table, or values are missing.
        OtherKindError: It is a table of another kind of run.
    """
    try:
        check_bounds(data, EXPANDED)
        schema = pl.read_parquet_schema(io.BytesIO(data))
        expected = HEAD | dict.fromkeys(curves, pl.List(pl.Float64))
        wrong = f"its columns are {', '.join(schema)}, of other names or types than a run's"
        if any(set(schema) == {*HEAD, *other} for other in other_curves):
            raise OtherKindError(wrong)
        if list(schema.items()) != list(expected.items()):
            raise UntrustedError(wrong)
        frame = decode(data, list(columns))
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        ForeignParquetError,
    ) as error:  # a forged file can reach both
        raise UntrustedError(f"it is not a Parquet file of runs: {error}") from error
    if sum(frame.null_count().row(0)):
        raise UntrustedError("values are missing")
    # One text may stand in every row, and takes no place until it is read.
    if sum(frame.select(pl.col(pl.String).str.len_bytes().cast(pl.UInt64).sum()).row(0)) > EXPANDED.n_bytes:
        raise UntrustedError("its texts are too long")
    return frame


def check_addresses(frame: pl.DataFrame) -> None:
    """Trust no row of a table in which a configuration does not have the address beside it.

    Raises:
        UntrustedError: One has not.
    """
    for address, text in zip(frame["address"], frame["config"], strict=True):
        if hashlib.sha256(text.encode()).hexdigest()[:32] != address:
            raise UntrustedError(f"the configuration stored under address {address} has another address")
