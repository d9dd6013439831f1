"""Files that strangers wrote, as every command meets them: read as data, or refused in one sentence."""

import json
import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.cli.app import app
from dcrit.empirics.runs.single import CURVE_NAMES, Curves, Run, RunConfig
from dcrit.empirics.store.batch_files import checksum, parquet
from dcrit.empirics.store.kinds import Store, StoreWriteError
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.problems.problem import Problem
from tests.cli.test_fuzz_options import refusal
from tests.worlds.command_line import invoking

CALIBRATION = json.loads(shipped_calibrations()[0].to_json())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


invoke = invoking(app, columns=3000)


def said(*words: str, codes: tuple[int, ...] = (0, 2)) -> str:
    """What a call is refused with; nothing where it is answered. Anything else is a fault."""
    result = invoke(*words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{words!r} ends in a traceback") from result.exception
    assert result.exit_code in codes, result.output
    for text in (result.stdout, result.stderr):
        assert all(one.isprintable() or one in "\n\u00a0\u202f" for one in text), ascii(text)
    if result.exit_code == 2:
        assert result.stdout == ""
        return refusal(result.stderr)
    if "--json" in words:
        json.loads(result.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    return ""


# --- things that are no files ---


@pytest.mark.parametrize("words", [["classify"], ["predict", "critical-size", "--calibration"]], ids=" ".join)
def test_what_is_no_file_is_refused_at_once(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("folder").mkdir()
    Path("dangling").symlink_to("nowhere")
    Path("circle").symlink_to("circle")
    for name, why in (
        ("pipe", "it is a pipe"),
        ("folder", "it is a folder"),
        ("/dev/zero", "it is a device"),
        ("dangling", "No such file"),
        ("none\udcff", "No such file"),
    ):
        sentence = said(*words, name)
        assert "must be a file that can be read, got" in sentence
        assert why in sentence
    assert "must be a path without links that lead in circles, got 'circle'" in said(*words, "circle")
    assert "must be a path made of names of at most 255 bytes" in said(*words, "x" * 300)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "closed.csv"
    path.touch(mode=0)
    assert "Permission denied" in said("classify", str(path))


def test_large_files_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert "--file must be a file of at most 256 MB" in said("classify", str(path)).replace(
        "file must", "--file must", 1
    )
    assert "--calibration must be a file of at most 16 MB" in said(
        "predict", "critical-size", "--calibration", str(path)
    )


# --- classify ---

NAMES = st.sampled_from(
    ["step", "train_acc", "test acc", "val_loss", "loss", "norm", "run", "seed", "", "[/red]", "\x1b[2J", "\u202e", "é"]
)
MARKS = ["[bold]", "[/]", "\x1b[31m", "\x00", "\x9b", "é", "=1+1", "true", "NULL", "1,5"]
CELLS = st.sampled_from(
    [
        "",
        "0",
        "1",
        "2",
        "0.5",
        "-1",
        "nan",
        "inf",
        "-inf",
        "1e308",
        "1e400",
        "9" * 400,
        "1.7",
        "97",
        '"',
        "'",
        '""',
        *MARKS,
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """CSV that looks meant, in some of its ways."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6) | st.just(["step", "train_acc", "test_acc", "run"]))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=6))
    rows += draw(st.lists(st.lists(CELLS, max_size=8), max_size=1))
    separator, end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    text = end.join(separator.join(row) for row in [names, *rows])
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"]))
    return text.encode(encoding, "replace")


@pytest.mark.processes
@settings(max_examples=400)
@given(data=texts() | st.binary(max_size=100), document=st.booleans())
def test_any_csv_is_read_or_refused(data: bytes, document: bool, folder: Path) -> None:
    path = folder / "curves.csv"
    path.write_bytes(data)
    sentence = said("classify", str(path), *(["--json"] if document else []))
    assert not sentence or ("must" in sentence and "got" in sentence), sentence


SERIES: dict[str, Callable[[random.Random], pl.Series]] = {
    "floats": lambda rng: pl.Series(
        [rng.choice([0.0, 0.5, 1.0, 97.0, -1.0, math.nan, math.inf, 1e308]) for _ in "abc"]
    ),
    "integers": lambda rng: pl.Series([rng.randrange(-1, 3) for _ in "abc"]),
    "large": lambda _: pl.Series([2**62, 0, 1]),
    "texts": lambda _: pl.Series(["[/]", "\x1b[31m", "1"]),
    "nothing": lambda _: pl.Series([None, None, None]),
    "truths": lambda _: pl.Series([True, False, None]),
    "bytes": lambda _: pl.Series([b"\x80", b"", b"1"]),
    "lists": lambda _: pl.Series([[0.0], [0.5], [1.0]]),
    "ragged": lambda _: pl.Series([[0.0, 1.0], [], [1.0]]),
    "nested": lambda _: pl.Series([[[0.0]], [[1.0]], []]),
    "structs": lambda _: pl.Series([{"a": 1}, {"a": 2}, {"a": 3}]),
    "dates": lambda _: pl.Series([0, 1, 2]).cast(pl.Date),
    "durations": lambda _: pl.Series([0, 1, 2]).cast(pl.Duration),
    "decimals": lambda _: pl.Series(["0.1", "0.2", "1.0"]).cast(pl.Decimal(10, 2)),
    "categories": lambda _: pl.Series(["a", "b", "a"]).cast(pl.Categorical),
    "arrays": lambda _: pl.Series([[0.0], [0.5], [1.0]]).cast(pl.Array(pl.Float64, 1)),
}


@pytest.mark.processes
@settings(max_examples=15, deadline=None)
@given(kinds=st.lists(st.sampled_from(sorted(SERIES)), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_any_parquet_is_read_or_refused(kinds: list[str], seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    names = ["step", "train_acc", "test_acc", "run", "norm"]
    path = folder / "curves.parquet"
    pl.DataFrame({name: SERIES[kind](rng) for name, kind in zip(names, kinds, strict=False)}).write_parquet(path)
    sentence = said("classify", str(path))
    assert not sentence or "must" in sentence


@pytest.mark.processes
def test_a_column_of_objects_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame({"step": [0.0, 1.0], "train_acc": [0.5, 1.0]})
    path = tmp_path / "curves.parquet"
    frame.with_columns(pl.col("train_acc").cast(pl.Binary)).write_parquet(path)
    assert "--train-accuracy must be a column of numbers, got column 'train_acc' of type Binary" in said(
        "classify", str(path)
    )


@pytest.mark.processes
def test_a_few_kilobytes_cannot_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    pl.DataFrame({"step": [[0.0] * 20_000_001], "train_acc": [[0.0]]}).write_parquet(path)
    assert path.stat().st_size < 100_000
    assert "it expands to more than 20000000 values" in said("classify", str(path))
    wide = tmp_path / "wide.csv"
    wide.write_text("," * 9000 + "\n" * 3000, encoding="utf-8")
    assert "at most 10000 columns and 20000000 values" in said("classify", str(wide))
    wide.write_text("step,train_acc" + "," * 10_000 + "\n", encoding="utf-8")
    assert "at most 10000 columns" in said("classify", str(wide))


@pytest.mark.processes
def test_long_names_of_runs_are_not_copied_a_million_times(tmp_path: Path) -> None:
    path = tmp_path / "names.parquet"
    runs = pl.Series(["x" * 1_000_000]).gather([0] * 1000)
    pl.DataFrame({"step": range(1000), "train_acc": [0.5] * 1000, "run": runs}).write_parquet(path)
    assert path.stat().st_size < 50_000
    assert "it expands to more than 256 MB" in said("classify", str(path))


@pytest.mark.parametrize("largest", ["1.7", "1.00001", "9.9"])
def test_an_accuracy_a_little_above_1_is_no_percent(largest: str, tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(f"step,train_acc,test_acc\n0,0.1,0.1\n1,{largest},0.5\n", encoding="utf-8")
    assert f"got {float(largest):g} at most, in column 'train_acc'" in said("classify", str(path))
    path.write_text(f"step,train_acc_pct,test_acc\n0,0.1,0.1\n1,{largest},0.5\n", encoding="utf-8")
    assert said("classify", str(path)) == ""
    path.write_text("step,train_acc,test_acc\n0,0.1,0.1\n1,10,1.7\n", encoding="utf-8")
    assert said("classify", str(path)) == ""


# --- calibrations ---

ODD = [
    None,
    True,
    -1,
    0,
    2,
    1e308,
    -1e308,
    1e-308,
    math.nan,
    math.inf,
    10**30,
    10**400,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
]


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_of(inner, (*path, key))


PLACES = [path for path in paths_of(CALIBRATION) if path]


@pytest.mark.slow
@settings(max_examples=400)
@given(
    changes=st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(range(len(ODD) + 1))), min_size=1, max_size=3),
    command=st.sampled_from(["critical-size", "regime", "delay", "phase-diagram"]),
)
def test_any_calibration_is_used_or_refused(changes: list[tuple[Any, int]], command: str, folder: Path) -> None:
    document = json.loads(json.dumps(CALIBRATION))
    for path, odd in changes:
        inner = document
        try:
            for key in path[:-1]:
                inner = inner[key]
            if odd == len(ODD):
                del inner[path[-1]]
            else:
                inner[path[-1]] = ODD[odd]
        except (LookupError, TypeError):
            continue
    path = folder / "calibration.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    words = [
        "predict",
        command,
        "--calibration",
        str(path),
        *(["--n-train", "100"] if command in ("regime", "delay") else []),
    ]
    sentence = said(*words)
    assert not sentence or "--calibration must" in sentence, sentence


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "\ufeff{}", "null", '"x"', "[]", "{}", "\0", "NaN", "1e999"]
)
def test_other_json_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text, encoding="utf-8")
    assert "--calibration must be a document" in said("predict", "critical-size", "--calibration", str(path))


# --- stores ---


def a_run(seed: int = 0) -> Run:
    config = RunConfig(problem=Problem(modulus=5, width=4), n_train=10, seed=seed, steps=4)
    curves = {name: np.array([0.0, 0.5, 1.0]) for name in CURVE_NAMES} | {"step": np.array([0.0, 1.0, 4.0])}
    return Run(config=config, curves=Curves(**curves), ending="horizon", seconds=1.0)


def hostile(store: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Path:
    """A file of one run that was changed, under a name with the right checksum."""
    opened = Store(store)
    opened.add([a_run()])
    (path,) = store.glob("*.parquet")
    data = parquet(change(pl.read_parquet(path)))
    path.unlink()
    target = store / f"{path.name[:16]}-{checksum(data)}.parquet"
    target.write_bytes(data)
    return target


CHANGES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "a column of bytes": lambda frame: frame.with_columns(pl.col("config").cast(pl.Binary)),
    "a column of structs": lambda frame: frame.with_columns(pl.struct("seconds").alias("seconds")),
    "one more column": lambda frame: frame.with_columns(pl.lit(b"\x80\x04").alias("pickled")),
    "no column": lambda frame: frame.drop("config"),
    "deep JSON": lambda frame: frame.with_columns(pl.lit("[" * 100_000).alias("config")),
    "no evaluation": lambda frame: frame.with_columns(
        pl.lit([], pl.List(pl.Float64)).alias(name) for name in CURVE_NAMES
    ),
    "another ending": lambda frame: frame.with_columns(pl.lit("\x1b[2J").alias("ending")),
    "a million numbers": lambda frame: frame.with_columns(pl.Series("step", [[0.0] * 1_000_001])),
    "a name that leaves": lambda frame: frame.with_columns(pl.lit("../../x").alias("address")),
    "no rows": lambda frame: frame.clear(),
}

#: What a later version may have written.
NOT_DAMAGED = {"one more column", "another ending", "no rows"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_hostile_store_file_is_refused_as_data(change: str, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    path = hostile(store, CHANGES[change])
    before = sorted(tmp_path.rglob("*"))
    verdict = invoke("runs", "verify", "--store", str(store))
    assert isinstance(verdict.exception, SystemExit | None), verdict.exception
    if change in NOT_DAMAGED:
        assert verdict.exit_code == 0
    else:
        assert verdict.exit_code == 1
        assert path.name in verdict.stdout
    assert all(one.isprintable() or one == "\n" for one in verdict.stdout)
    for words in (["runs", "list"], ["runs", "list", "--json"]):
        assert said(*words, "--store", str(store)) == ""
    assert said("runs", "export", "--store", str(store), "--out", str(tmp_path / "out.csv")) == ""
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "out.csv"])


def test_odd_things_under_the_name_of_a_store_file_are_no_runs(tmp_path: Path) -> None:
    name = f"{'0' * 16}-{'0' * 32}.parquet"
    for number, make in enumerate(
        (os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink(path, path))
    ):
        store = tmp_path / str(number)
        store.mkdir()
        make(str(store / name))
        verdict = invoke("runs", "verify", "--store", str(store))
        assert (verdict.exit_code, type(verdict.exception)) == (1, SystemExit), verdict.exception
        assert name in verdict.stdout
        assert said("runs", "list", "--store", str(store)) == ""


def test_damaged_files_do_not_leave_through_a_link(tmp_path: Path) -> None:
    store, outside = tmp_path / "runs", tmp_path / "outside"
    outside.mkdir()
    path = hostile(store, CHANGES["no column"])
    (store / "damaged").symlink_to(outside)
    with pytest.raises(StoreWriteError, match="is a link out of it"):
        Store(store).set_aside()
    assert path.exists()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "dynamics/../../x", "", ".", "\x1b[2J"])
def test_names_of_figures_and_claims_are_those_there_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "name must be one of" in said("figure", "--out", "o", "--", name)
    assert "--claim must be one of" in said("validate", "quick", "--claim", name)
    assert list(tmp_path.iterdir()) == []
