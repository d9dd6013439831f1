"""A table of training curves as some format holds it, before its columns are told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dcrit.empirics.curves.names import is_known, set_of
from dcrit.theory.checks import FieldError

#: What a source of curves may be, for messages.
READ = "be training curves as text (CSV and the like), JSON, Parquet or TensorBoard events"

#: What three columns without names are taken as, and how that is said.
NAMELESS = ("step", "train", "test")
ASSUMED = "nothing names the three columns: they are taken as step, train accuracy and test accuracy"

#: Endings that say nothing about what is inside.
_ENDINGS = re.compile(r"\.(csv|tsv|txt|log|out|dat|jsonl?|ndjson|gz|parquet)$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Table:
    """What one source holds.

    Attributes:
        frame: One row an evaluation; texts or numbers.
        format: What was found, as it follows the words "it was read as".
        name: What the source is called, without ending; it may say what a lone column holds.
        notes: What was assumed in reading it, as sentences.
        running: Rows are what one program printed one after the other, so of several for one step the last counts.
    """

    frame: pl.DataFrame
    format: str
    name: str = ""
    notes: tuple[str, ...] = ()
    running: bool = False


def stem_of(name: str) -> str:
    """The name of a file without the endings that formats have."""
    while (shorter := _ENDINGS.sub("", name)) != name:
        name = shorter
    return name


def metric_named(name: str) -> str:
    """The curve that a file's name says it holds; empty where it says none.

    TensorBoard calls downloads ``run-NAME-tag-TAG.csv``, where a stroke in the tag is written as an underscore.
    """
    stem = stem_of(name)
    tagged = re.fullmatch(r"run[-_](?P<run>.*?)[-_]tag[-_](?P<tag>.+)", stem)
    words = [tagged["tag"]] if tagged else []
    if tagged and set_of(tagged["run"]):
        words.insert(0, f"{tagged['run']}/{tagged['tag']}")
    parts = [one for one in re.split(r"[^A-Za-z0-9@]+", stem) if one]
    # The last words of a name say most: my_run_val_acc.
    words += ["_".join(parts[k:]) for k in range(len(parts))]
    return next((word for word in words if is_known(word)), "")


def frame_of(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """A table from lists of numbers, texts and nothing; a column that mixes numbers and texts becomes texts."""
    made: dict[str, pl.Series] = {}
    for name, values in columns.items():
        if all(one is None or isinstance(one, int | float) for one in values):
            made[name] = pl.Series(name, [None if one is None else float(one) for one in values], dtype=pl.Float64)
        else:
            texts = [None if one is None else str(one) for one in values]
            made[name] = pl.Series(name, texts, dtype=pl.String)
    return pl.DataFrame(list(made.values()))


def from_records(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A table with a row for every record, and what a record lacks left empty."""
    names = dict.fromkeys(name for record in records for name in record)
    return frame_of({name: [record.get(name) for record in records] for name in names})


def curve_frame(metric: str, steps: Sequence[Any], values: Sequence[Any]) -> pl.DataFrame:
    """A table of one curve at its own steps."""
    return frame_of({"step": list(steps), metric: list(values)})


def stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Tables one below the other; where their columns of one name differ in kind, all become texts."""
    kinds: dict[str, set[Any]] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            kinds.setdefault(name, set()).add(kind)
    texts = [name for name, found in kinds.items() if len(found) > 1]
    alike = [
        frame.with_columns(pl.col([name for name in texts if name in frame.columns]).cast(pl.String))
        for frame in frames
    ]
    return pl.concat(alike, how="diagonal") if alike else pl.DataFrame()


def one_curve(rows: pl.DataFrame, source: str, name: str, what: str) -> Table:
    """A table of steps and values of one curve, which is called after its file.

    Args:
        rows: Columns ``step`` and ``value``.
        source: The file, for messages.
        name: Its name, which says what the values are.
        what: The format.

    Raises:
        ValueError: The name says nothing.
    """
    metric = metric_named(name)
    if not metric:
        raise FieldError(
            "file",
            "be called after the curve that it holds, such as train_acc.csv",
            source,
            why=f"it was read as {what}, which holds one curve and does not say of what",
        )
    return Table(
        frame=rows.rename({"value": metric}),
        format=what,
        name=name,
        notes=(f"{source} holds one curve, {metric!r} by its name",),
    )
