"""The file of a finished batch: its name, which carries a checksum, and its table, which is trusted by that alone."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dcrit.empirics.runs.addressed import address_of
from dcrit.theory.calibrations.bounded_files import read_bounded
from dcrit.theory.checks import FieldError

#: Most bytes of a file.
LARGEST_FILE = 1_000_000_000

#: Columns of every kind of run; its curves, lists of numbers, are beside them.
HEAD = {"address": pl.String, "config": pl.String, "ending": pl.String, "seconds": pl.Float64}
CURVE = pl.List(pl.Float64)

#: Identity of a batch (its addresses, hashed) and checksum.
_NAME = re.compile(r"[0-9a-f]{16}-(?P<checksum>[0-9a-f]{32})\.parquet")

#: What a configuration has at its top to say of which kind its run is: the version of that kind's protocol.
KINDS = ("protocol", "mixture_protocol", "dimension_protocol", "study_protocol")


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
        raise FieldError("store", "be a folder that can be read", folder, why=error.strerror) from error


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


def decoded(data: bytes, columns: Sequence[str], curves: Sequence[str], kind: str) -> pl.DataFrame:
    """Some columns of the table in a file, without those of them that it lacks.

    Curves were added over time, and others will be: only the step is in every file, and what nobody asks for may be
    anything.

    Args:
        data: Bytes of the file.
        columns: Which columns to decode, the configuration among them.
        curves: Names of all columns beside :data:`HEAD`.
        kind: Which of :data:`KINDS` is wanted.

    Raises:
        UntrustedError: It is no such table, or values are missing.
        OtherKindError: It is a table of another kind of run.
    """
    try:
        schema = pl.read_parquet_schema(io.BytesIO(data))
        wrong = f"its columns are {', '.join(schema)}, of other names or types than a run's"
        if any(schema.get(name) != type_ for name, type_ in HEAD.items()):
            raise UntrustedError(wrong)
        frame = pl.read_parquet(io.BytesIO(data), columns=[name for name in columns if name in schema])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise UntrustedError(f"it is not a Parquet file of runs: {error}") from error
    found = _kind(frame)
    if found not in ("", kind):
        raise OtherKindError(f"its configurations have a {found}, as those of another kind of run")
    if not found:
        frame = frame.select(name for name in frame.columns if name in HEAD)
    elif "step" not in schema or any(schema.get(name, CURVE) != CURVE for name in curves):
        raise UntrustedError(wrong)
    if sum(frame.null_count().row(0)):
        raise UntrustedError("values are missing")
    return frame


def _kind(frame: pl.DataFrame) -> str:
    """Of which kind the first run of a file says to be; empty where this version does not know it."""
    try:
        fields = json.loads(frame["config"][0])
    except (IndexError, TypeError, ValueError, RecursionError):
        return ""
    return next((kind for kind in KINDS if isinstance(fields, dict) and kind in fields), "")


def check_addresses(frame: pl.DataFrame) -> None:
    """Trust no row of a table in which a configuration does not have the address beside it.

    Raises:
        UntrustedError: One has not.
    """
    for address, text in zip(frame["address"], frame["config"], strict=True):
        if address_of(text) != address:
            raise UntrustedError(f"the configuration stored under address {address} has another address")
