"""How much a Parquet file expands to, read off its headers before any of it is decoded.

A list of ten million zeros takes three kilobytes, so the size of a file says nothing, and neither polars nor any
other dependency tells how many values its pages hold. Headers are structs in Thrift's compact protocol.

Source: parquet2013.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

#: First and last bytes of a file, and bytes of the footer's length and the mark behind it.
MAGIC, TAIL = b"PAR1", 8

#: Most bytes of a footer, columns and levels of nesting: readers recurse, and keep something for every column.
LARGEST_FOOTER, MOST_COLUMNS, DEEPEST = 4_000_000, 10_000, 16

#: Most fields and elements of all headers together.
MOST_FIELDS = 1_000_000

#: Every value of a page continues the one before it: a file of n bytes may hold n² of them.
DELTA_BYTE_ARRAY = 7


class ForeignParquetError(ValueError):
    """A file is no Parquet file, expands to more than is allowed, or has headers that do not say to how much."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much a file may expand to.

    Attributes:
        n_values: Values of all columns together, those inside lists counted one by one.
        n_bytes: Bytes of all pages, uncompressed.
    """

    n_values: int
    n_bytes: int


def read_parquet(data: bytes, most: Bounds, columns: list[str] | None = None) -> pl.DataFrame:
    """A table from the bytes of a file that anybody may have written.

    Args:
        data: The file.
        most: What it may expand to.
        columns: Those to decode; None for all.

    Raises:
        ForeignParquetError: It expands to more, or is damaged; the message is one line.
    """
    check_bounds(data, most)
    return decode(data, columns)


def decode(data: bytes, columns: list[str] | None = None) -> pl.DataFrame:
    """A table from the bytes of a file whose bounds were checked.

    Args:
        data: The file.
        columns: Those to decode; None for all.

    Raises:
        ForeignParquetError: It is damaged; the message is one line.
    """
    try:
        with _silence():
            return pl.read_parquet(io.BytesIO(data), columns=columns)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ForeignParquetError(str(error).strip().partition("\n")[0]) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing on standard error: a decoder that gives up on damaged bytes writes where in itself that was."""
    try:
        before = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


def check_bounds(data: bytes, most: Bounds) -> None:
    """Refuse a file that would fill the memory; that it can be decoded is not checked.

    Args:
        data: The file.
        most: What is allowed.

    Raises:
        ForeignParquetError: It expands to more, or its headers are damaged.
    """
    size = int.from_bytes(data[-TAIL : -len(MAGIC)], "little")
    if not (data.startswith(MAGIC) and data.endswith(MAGIC) and TAIL + len(MAGIC) + size <= len(data)):
        raise ForeignParquetError("it does not end as a Parquet file does")
    if size > LARGEST_FOOTER:
        raise ForeignParquetError(f"its footer has {size} bytes, more than {LARGEST_FOOTER}")
    reader = _Reader(data)
    footer, _ = reader.struct(len(data) - TAIL - size)
    try:
        _check_schema(footer[2])
        n_values = n_bytes = 0
        for group in footer[4]:
            # A list has at least one entry a row, also where it is empty.
            at_least = n_values + max(0, group[3]) * len(group[1])
            for chunk in group[1]:
                more_values, more_bytes = _chunk(reader, chunk[3])
                n_values, n_bytes = n_values + more_values, n_bytes + more_bytes
                _check(n_values, n_bytes, most)
            n_values = max(n_values, at_least)
            _check(n_values, n_bytes, most)
        _check(max(0, footer[3]), 0, most)
    except ForeignParquetError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ForeignParquetError("its headers lack what a Parquet file says of itself") from error


def _check(n_values: int, n_bytes: int, most: Bounds) -> None:
    if n_values > most.n_values:
        raise ForeignParquetError(f"it expands to more than {most.n_values} values")
    if n_bytes > most.n_bytes:
        raise ForeignParquetError(f"it expands to more than {most.n_bytes / 1e6:g} MB")


def _check_schema(elements: list[dict[int, Any]]) -> None:
    """Refuse trees of columns that readers would walk down too far."""
    if len(elements) > MOST_COLUMNS:
        raise ForeignParquetError(f"it has more than {MOST_COLUMNS} columns")
    open_nodes: list[float] = [math.inf]
    for element in elements:
        open_nodes[-1] -= 1
        if element.get(5, 0) > 0:
            open_nodes.append(element[5])
        while len(open_nodes) > 1 and open_nodes[-1] <= 0:
            open_nodes.pop()
        if len(open_nodes) > DEEPEST:
            raise ForeignParquetError(f"its columns are nested more than {DEEPEST} deep")


def _chunk(reader: _Reader, column: dict[int, Any]) -> tuple[int, int]:
    """Values and bytes of one column's pages in a row group, wherever a reader may begin."""
    starts = {column[name] for name in (9, 11) if column.get(name)}
    end = min(starts) + column[7]
    counts = [(sum(values), sum(sizes)) for values, sizes in (_pages(reader, start, end) for start in starts)]
    return max(column[5], *(n for n, _ in counts), 0), max(column[6], *(n for _, n in counts), 0)


def _pages(reader: _Reader, start: int, end: int) -> tuple[list[int], list[int]]:
    values, sizes = [], []
    for header in _headers(reader, start, end):
        page = header.get(5) or header.get(7) or header.get(8) or {}
        if DELTA_BYTE_ARRAY in (page.get(2) if 8 not in header else None, page.get(4) if 8 in header else None):
            raise ForeignParquetError("a page is encoded as DELTA_BYTE_ARRAY, whose size cannot be told")
        values.append(max(0, page.get(1, 0)))
        sizes.append(max(0, header[2]))
    return values, sizes


def _headers(reader: _Reader, start: int, end: int) -> Iterator[dict[int, Any]]:
    place = start
    if start < 0 or end > len(reader.data):
        raise ForeignParquetError("a column lies outside the file")
    while place < end:
        header, behind = reader.struct(place)
        if header[3] < 0:
            raise ForeignParquetError("a page has a negative size")
        yield header
        place = behind + header[3]


class _Reader:
    """Structs in Thrift's compact protocol, as fields by their numbers.

    Args:
        data: What they lie in.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self._left = data, MOST_FIELDS

    def struct(self, place: int, depth: int = 0) -> tuple[dict[int, Any], int]:
        """Fields of a struct, and where it ends.

        Raises:
            ForeignParquetError: There is none.
        """
        if depth > DEEPEST:
            raise ForeignParquetError("its headers are nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while True:
            self._count()
            head, place = self._byte(place)
            if head == 0:
                return fields, place
            if head >> 4:
                number += head >> 4
            else:
                number, place = self._integer(place)
            kind = head & 15
            if kind in (1, 2):
                fields[number] = kind == 1
            else:
                fields[number], place = self._value(kind, place, depth)

    def _count(self, n: int = 1) -> None:
        self._left -= n
        if self._left < 0:
            raise ForeignParquetError(f"its headers have more than {MOST_FIELDS} fields")

    def _byte(self, place: int) -> tuple[int, int]:
        if not 0 <= place < len(self.data):
            raise ForeignParquetError("a header ends before its time")
        return self.data[place], place + 1

    def _number(self, place: int) -> tuple[int, int]:
        value = shift = 0
        while shift < 70:
            byte, place = self._byte(place)
            value |= (byte & 127) << shift
            if byte < 128:
                return value, place
            shift += 7
        raise ForeignParquetError("a header holds a number without an end")

    def _integer(self, place: int) -> tuple[int, int]:
        value, place = self._number(place)
        return (value >> 1) ^ -(value & 1), place

    def _value(self, kind: int, place: int, depth: int) -> tuple[Any, int]:
        """A value of a kind, and where it ends: integers, texts, lists, maps and structs of such."""
        if kind in (1, 2, 3):
            return self._byte(place)
        if kind in (4, 5, 6):
            return self._integer(place)
        if kind in (7, 13):
            return None, place + (8 if kind == 7 else 16)
        if kind == 8:
            length, place = self._number(place)
            return None, place + length
        if kind in (9, 10):
            head, place = self._byte(place)
            length, place = (head >> 4, place) if head >> 4 < 15 else self._number(place)
            self._count(length)
            found = []
            for _ in range(length):
                item, place = self._value(head & 15, place, depth + 1)
                found.append(item)
            return found, place
        if kind == 11:
            length, place = self._number(place)
            self._count(2 * length)
            kinds, place = self._byte(place) if length else (0, place)
            for _ in range(length):
                _, place = self._value(kinds >> 4, place, depth + 1)
                _, place = self._value(kinds & 15, place, depth + 1)
            return None, place
        if kind == 12:
            return self.struct(place, depth + 1)
        raise ForeignParquetError("a header holds a value of an unknown kind")
