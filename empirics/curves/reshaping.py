"""Tables that loggers and trackers lay out otherwise, brought to one column a curve."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from dcrit.empirics.curves.names import is_field, is_known, is_step, metric_of, plain, set_of
from dcrit.empirics.curves.table import Table, metric_named, one_curve, stacked

#: Columns that name what the value of a row is, and columns that hold it.
_LABELS = (
    "metric",
    "metrics",
    "metricname",
    "name",
    "tag",
    "key",
    "variable",
    "measure",
    "quantity",
    "scalar",
    "curve",
)
_VALUES = ("value", "values", "metricvalue", "val", "y", "score", "result")

#: Most distinct words of a column that parts rows.
_MOST_WORDS = 200

#: Columns that are made of names that may be any, where fewer are known: each is as long as the table.
_OTHER_METRICS = 20

_CHART = re.compile(r"(?P<run>.*\S) - (?P<metric>\S.*)")
_BAND = re.compile(r"__(MIN|MAX)$")


def reshaped(table: Table, source: str) -> Table:
    """One row an evaluation and one column a curve, from a chart's export, a download or a long table.

    Args:
        table: As its format holds it.
        source: What it is called in messages.

    Raises:
        ValueError: It holds one curve and nothing says of what.
    """
    names = {plain(name): name for name in table.frame.columns}
    if names.keys() == {"walltime", "step", "value"}:
        rows = table.frame.select(pl.col(names["step"]).alias("step"), pl.col(names["value"]).alias("value"))
        return one_curve(rows, source, table.name, "TensorBoard's download of one curve")
    if len(names) == 2 and (step := next((name for key, name in names.items() if is_step(key)), None)) is not None:
        (value,) = (name for name in names.values() if name != step)
        if plain(value) in _VALUES and metric_named(table.name):
            rows = table.frame.select(pl.col(step).alias("step"), pl.col(value).alias("value"))
            return one_curve(rows, source, table.name, "steps and values of one curve")
    return _numbered_runs(_long_sets(_flags(_long_metrics(_charts(table)))))


def _flags(table: Table) -> Table:
    """A column that says whether a row is of the training set becomes one that names the set."""
    name = next((one for one in table.frame.columns if plain(one) in ("istrain", "istraining", "intrain")), None)
    if name is None:
        return table
    true = pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase().is_in(["true", "1", "1.0", "yes"])
    frame = table.frame.with_columns(pl.when(true).then(pl.lit("train")).otherwise(pl.lit("test")).alias(name))
    return replace(table, frame=frame)


#: What a sweep may change from run to run, as it stands in the names of columns.
_SWEPT = "seed|s|run|rep|trial|fold|wd|weight_?decay|lr|frac|fraction|width|modulus|n|d"

_NUMBERED = (
    re.compile(r"(?P<base>.*?[A-Za-z])[_\-/. (]*(?:seed|run|rep|trial)?[_\-/. ]*(?P<number>\d+)\)?"),
    re.compile(r"(?:seed|run|rep|trial)[_\-. ]?(?P<number>\d+)[_\-/. ]+(?P<base>.+)", re.IGNORECASE),
    re.compile(
        rf"(?P<base>.*?[A-Za-z])[_\-/. (\[]+(?P<number>(?:{_SWEPT})[_\-= ]*\d+(?:\.\d+)?(?:e[+-]?\d+)?)[)\]]?",
        re.IGNORECASE,
    ),
)


def _numbered_runs(table: Table) -> Table:
    """Columns ``train_acc_0, train_acc_1, …`` or ``seed0/train_acc, …`` become runs."""
    for pattern in _NUMBERED:
        found = {
            name: (hit["base"], hit["number"])
            for name in table.frame.columns
            if (hit := pattern.fullmatch(name)) and set_of(hit["base"]) == "" and is_known(hit["base"])
        }
        numbers: dict[str, set[str]] = {}
        for base, number in found.values():
            numbers.setdefault(base, set()).add(number)
        some = next(iter(numbers.values()), set[str]())
        # The accuracy of the first answer stands beside that of the first five.
        if len(some) < 2 or ("5" in some and "2" not in some) or any(one != some for one in numbers.values()):
            continue
        shared = [name for name in table.frame.columns if name not in found]
        frames = [
            table.frame.select(
                *shared, *(pl.col(name).alias(base) for name, (base, other) in found.items() if other == number)
            ).with_columns(pl.lit(number).alias("run"))
            for number in sorted(some, key=_size)
        ]
        note = f"{len(some)} runs are told apart by the numbers in names such as {next(iter(found))!r}"
        return replace(table, frame=stacked(frames), notes=(*table.notes, note))
    return table


def _size(label: str) -> tuple[float, str]:
    number = re.search(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?$", label, re.IGNORECASE)
    return float(number[0]) if number else 0.0, label


def _charts(table: Table) -> Table:
    """Charts as Weights & Biases exports them: ``run - train/acc``, with its least and its largest value beside it."""
    found: dict[str, tuple[str, str]] = {}
    for name in table.frame.columns:
        if (chart := _CHART.fullmatch(name)) and is_known(_BAND.sub("", chart["metric"])):
            found[name] = chart["run"], chart["metric"]
    if not found:
        return table
    if all(set_of(run) for run, _ in found.values()):
        names = {name: f"{run}/{metric}" for name, (run, metric) in found.items()}
        return replace(table, frame=table.frame.rename(names))
    shared = [name for name in table.frame.columns if not _CHART.fullmatch(name)]
    runs = dict.fromkeys(run for run, _ in found.values())
    frames: list[pl.DataFrame] = []
    for run in runs:
        curves = {name: metric for name, (of, metric) in found.items() if of == run and not _BAND.search(metric)}
        frame = table.frame.select(*shared, *(pl.col(name).alias(metric) for name, metric in curves.items()))
        frames.append(frame.with_columns(pl.lit(run).alias("run")) if len(runs) > 1 else frame)
    return Table(frame=stacked(frames), format="a chart's export", name=table.name, notes=table.notes)


def _texts(frame: pl.DataFrame) -> dict[str, list[str]]:
    """Columns of few distinct words, and the words."""
    found: dict[str, list[str]] = {}
    for name, kind in frame.schema.items():
        if kind == pl.String and frame.height:
            words = frame[name].drop_nulls().unique(maintain_order=True)
            words = words.filter(words != "")
            if 0 < len(words) <= _MOST_WORDS:
                found[name] = words.to_list()
    return found


def _long_metrics(table: Table) -> Table:
    """A column that names metrics beside one that holds their values becomes a column a metric."""
    frame, texts = table.frame, _texts(table.frame)
    label = next((name for name, words in texts.items() if plain(name) in _LABELS and any(map(is_known, words))), None)
    value = next((name for name in frame.columns if plain(name) in _VALUES), None)
    if label is None or value is None:
        return table
    words = sorted(texts[label], key=is_known, reverse=True)
    kept = max(_OTHER_METRICS, sum(map(is_known, words)))
    columns = [pl.when(pl.col(label) == word).then(pl.col(value)).alias(word) for word in words[:kept]]
    wide = frame.with_columns(columns).drop(label, value)
    return Table(frame=wide, format="a long table of metrics and values", name=table.name, notes=table.notes)


def _long_sets(table: Table) -> Table:
    """A column that says of every row whether it is of the training set becomes columns of their own for each set."""
    frame = table.frame
    label = next(
        (
            name
            for name, words in _texts(frame).items()
            if all(map(set_of, words)) and not is_field("step", name) and not all(map(_is_digit, words))
        ),
        None,
    )
    if label is None:
        return table
    metrics = [name for name in frame.columns if name != label and (metric_of(name) or plain(name) in _VALUES)]
    if not metrics:
        return table
    words = _texts(frame)[label]
    columns = [
        pl.when(pl.col(label) == word).then(pl.col(name)).alias(f"{set_of(word)}/{metric_of(name) or 'accuracy'}")
        for word in words
        for name in metrics
    ]
    made = {expression.meta.output_name() for expression in columns}
    if len(made) < len(columns):  # two columns of one meaning: their own names tell them apart
        columns = [
            pl.when(pl.col(label) == word).then(pl.col(name)).alias(f"{set_of(word)}/{name}")
            for word in words
            for name in metrics
        ]
    wide = frame.with_columns(columns).drop(label, *metrics)
    return Table(frame=wide, format=f"a long table of sets, by column {label!r}", name=table.name, notes=table.notes)


def _is_digit(word: str) -> bool:
    return word.isdigit()
