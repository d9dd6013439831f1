"""Parquet files that anybody may have written, read by a process of their own with limits on memory and time.

A list of ten million zeros takes three kilobytes, and what a decoder does at damaged bytes, it does to the process that
it is in: it may write to the terminal, end it, or never come back.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys

import polars as pl

#: Most values of a table, those inside lists counted one by one, bytes of it, and columns.
MOST_VALUES, MOST_BYTES, MOST_COLUMNS = 20_000_000, 256_000_000, 10_000

#: Address space of the reader [bytes], and how long it may take [s].
MEMORY, SECONDS = 4_000_000_000, 60

#: With what the reader ends where it refused the file and said why.
_REFUSED = 3


class ForeignParquetError(ValueError):
    """A file is no Parquet table, or a larger one than is read; the message is one line."""


def read_parquet(data: bytes) -> pl.DataFrame:
    """A table from the bytes of a file.

    Args:
        data: The file.

    Raises:
        ForeignParquetError: It is damaged or too large, or its reader ended over it.
    """
    words = [sys.executable, "-P", __file__, str(MEMORY), str(SECONDS)]
    # A thread reserves address space; two are enough, and as many on every machine.
    environment = os.environ | {"POLARS_MAX_THREADS": "2", "RUST_BACKTRACE": "0"}
    try:
        done = subprocess.run(words, input=data, capture_output=True, timeout=2 * SECONDS, env=environment, check=False)
    except subprocess.TimeoutExpired as error:
        raise ForeignParquetError(f"its reader took more than {2 * SECONDS} s") from error
    if done.returncode == _REFUSED:
        raise ForeignParquetError(done.stdout.decode())
    if done.returncode:
        raise ForeignParquetError(
            f"its reader ended with code {done.returncode}: it is damaged, or takes more than {MEMORY / 1e9:g} GB of "
            f"memory or {SECONDS} s to read"
        )
    return pl.read_ipc_stream(io.BytesIO(done.stdout))


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _decoded(data: bytes) -> pl.DataFrame:
    """The table, once it is known to be of a size that can be handed back.

    Raises:
        ForeignParquetError: It is not.
        PolarsError: It cannot be decoded.
    """
    frame = pl.read_parquet(io.BytesIO(data))
    if frame.width > MOST_COLUMNS:
        raise ForeignParquetError(f"it has more than {MOST_COLUMNS} columns")
    lists = frame.select(pl.col(name).list.len().sum() for name, kind in frame.schema.items() if kind == pl.List)
    if frame.height * frame.width + sum(lists.row(0) if lists.width else ()) > MOST_VALUES:
        raise ForeignParquetError(f"it expands to more than {MOST_VALUES} values")
    if frame.estimated_size() > MOST_BYTES:
        raise ForeignParquetError(f"it expands to more than {MOST_BYTES / 1e6:g} MB")
    return frame


def _child(memory: int, seconds: int) -> None:
    """What the reader does: the file comes on standard input, the table goes to standard output."""
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_CPU, seconds)
    _limit(resource.RLIMIT_CORE, 0)
    table = io.BytesIO()
    try:
        _decoded(sys.stdin.buffer.read()).write_ipc_stream(table)
    except (ForeignParquetError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        sys.stdout.write(str(error).strip().partition("\n")[0])
        sys.exit(_REFUSED)
    sys.stdout.buffer.write(table.getbuffer())


if __name__ == "__main__":
    _child(*map(int, sys.argv[1:]))
