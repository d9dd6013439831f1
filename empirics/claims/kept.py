"""Evidence in one small file, without the runs that it comes from: a validation goes on from it anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dcrit.empirics.claims.claim import Record
from dcrit.empirics.claims.frames import AnyStream, Frame
from dcrit.theory.checks import FieldError, check_integer

#: Version of the file's layout.
FORMAT = 1

#: Largest file that is read [bytes].
MOST_BYTES = 64 * 2**20

#: What the file says of a stream, beside its key.
FIELDS = ("what", "seeds", "values", "runs", "details")


def key_of(stream: AnyStream) -> str:
    """A name by what is run, which number is taken and the most blocks: 16 hex digits."""
    units = range(len(stream.drawn)) if isinstance(stream, Frame) else (0,)
    told = f"{'frame' if isinstance(stream, Frame) else stream.measure} {stream.blocks}"
    addresses = [config.address for unit in units for config in stream.configs(unit)]
    return hashlib.sha256(" ".join([told, *addresses]).encode()).hexdigest()[:16]


def evidence_text(records: Mapping[AnyStream, Record]) -> str:
    """The file of some evidence: JSON, a line a stream; of every run its address and its training time [s].

    Args:
        records: What each stream gave; those without a seed are left out.
    """
    lines = [
        json.dumps({key_of(stream): _fields(stream, record)})[1:-1]
        for stream, record in records.items()
        if record.seeds
    ]
    streams = ",\n".join(sorted(lines))
    return f'{{"format": {FORMAT}, "streams": {{\n{streams}\n}}}}\n'


def _fields(stream: AnyStream, record: Record) -> dict[str, Any]:
    return {
        "what": stream.words,
        "seeds": record.seeds,
        "values": record.values,
        "runs": {run: float(f"{seconds:.4g}") for run, seconds in record.seconds_by_run.items()},
        "details": [dict(row) for row in record.details],
    }


def evidence_from(text: bytes, streams: Sequence[AnyStream]) -> tuple[dict[AnyStream, Record], int]:
    """What a file of evidence says of some streams.

    Args:
        text: See :func:`evidence_text`, in UTF-8.
        streams: Of the claims that are judged.

    Returns:
        What each stream gave that the file knows, and how many streams of the file are none of those.

    Raises:
        ValueError: The text is no such file, or says something impossible of a stream.
    """
    try:
        said = json.loads(text)
        entries = dict(said["streams"]) if said["format"] == FORMAT else None
    except (ValueError, TypeError, KeyError):
        entries = None
    if entries is None:
        raise FieldError(
            "evidence", f"be a file evidence.json of format {FORMAT}, as a validation writes it", "another"
        )
    found = {
        stream: _record(stream, entries.pop(key)) for stream in streams for key in [key_of(stream)] if key in entries
    }
    return found, len(entries)


def _record(stream: AnyStream, said: Mapping[str, Any]) -> Record:
    lacking = [name for name in FIELDS if name not in said]
    if lacking:
        raise FieldError("evidence", f"hold {', '.join(FIELDS)} of every stream", f"none of {', '.join(lacking)}")
    first, last = stream.span or (-float("inf"), float("inf"))
    values = [float(value) for value in said["values"]]
    if not all(first <= value <= last for value in values):
        raise FieldError("evidence", f"hold values between {first:g} and {last:g} of '{stream.words}'", values)
    check_integer("seeds of the evidence", said["seeds"], len(values))
    if said["seeds"] % stream.block:
        raise FieldError("seeds of the evidence", f"be a multiple of {stream.block}", said["seeds"])
    return Record(values=values, seeds=said["seeds"], seconds_by_run=said["runs"], details=said["details"])
