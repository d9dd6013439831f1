import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.empirics.curves.curve_files import CurveFile, read_curves

STEP = [0.0, 10.0, 20.0]


def written(folder: Path, text: str | bytes, name: str = "curves.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def zipped(member: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(member, "text")
    return data.getvalue()


def saved(**arrays: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.savez(data, allow_pickle=True, **arrays)
    return data.getvalue()


def array(values: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, values, allow_pickle=True)
    return data.getvalue()


def table(folder: Path, columns: Mapping[str, Sequence[object]], *, kind: str = "csv") -> Path:
    frame, path = pl.DataFrame(columns), folder / f"curves.{kind}"
    if kind == "csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return path


def only(found: CurveFile) -> dict[str, list[float]]:
    (curves,) = found.runs
    return {name: values.tolist() for name, (_, values) in curves.curves.items()}


NAMES = {
    "step": [
        "step",
        "Step",
        "_step",
        "global_step",
        "trainer/global_step",
        "steps",
        "iteration",
        "Iter",
        "epoch",
        "Epochs",
    ],
    "train_accuracy": [
        "train_accuracy",
        "Train Acc",
        "train/accuracy",
        "trainAcc",
        "accuracy_train",
        "acc",
        "training.accuracy",
        "Train accuracy (%)",
        "TRAINING-SET ACCURACY",
        "metrics/train_acc",
        "train_top1",
        "Accuracy",
    ],
    "test_accuracy": [
        "test_accuracy",
        "Test Acc",
        "test/accuracy",
        "val_accuracy",
        "valid acc",
        "Validation Accuracy",
        "eval/acc",
        "acc_val",
        "held-out accuracy",
        "dev_acc",
        "testAccuracy",
    ],
    "train_loss": ["train_loss", "loss", "Training Loss", "train/cross_entropy", "train_nll"],
    "test_loss": ["test_loss", "validation loss", "val_loss", "eval/loss", "loss/test"],
    "norm": ["norm", "weight_norm", "params_norm", "l2", "L2 norm", "Parameter Norm", "norm/l2"],
    "squared_norm": ["squared_norm", "Squared Norm", "weight_norm_squared", "l2_squared", "squared l2 norm"],
}


@pytest.mark.parametrize(("field", "name"), [(field, name) for field, names in NAMES.items() for name in names])
def test_columns_are_matched_as_people_write_them(field: str, name: str, tmp_path: Path) -> None:
    columns: Mapping[str, Sequence[object]] = {
        "step": STEP,
        "train_accuracy": [0.1, 0.5, 1.0],
        "lr": [1.0, 1.0, 1.0],
    }
    columns = {key: values for key, values in columns.items() if key != field} | {name: [0.0, 0.25, 0.5]}
    found = read_curves(table(tmp_path, columns))
    assert found.columns[field] == name
    assert "lr" not in found.columns.values()
    if field == "step":
        assert found.runs[0].curves["train_accuracy"][0].tolist() == [0.0, 0.25, 0.5]
    elif field == "norm":
        assert only(found)["squared_norm"] == [0.0, 0.0625, 0.25]
        assert any("squared" in note for note in found.notes)
    else:
        assert only(found)[field] == [0.0, 0.25, 0.5]


@pytest.mark.parametrize(
    "name", ["learning_rate", "time", "train_time", "stepsize", "normalized", "test_precision", "lossy"]
)
def test_other_columns_are_left_alone(name: str, tmp_path: Path) -> None:
    columns: Mapping[str, Sequence[object]] = {
        "step": STEP,
        "train_accuracy": [0.1, 0.5, 1.0],
        name: ["a", "b", "c"],
    }
    assert name not in read_curves(table(tmp_path, columns)).columns.values()


def test_preferred_names_win_and_what_was_assumed_is_said(tmp_path: Path) -> None:
    text = "epoch,step,steps,acc,val_acc,val_loss,test_loss\n0,0,9,.5,.25,1,2\n1,5,9,1,.5,3,4\n"
    found = read_curves(written(tmp_path, text))
    assert found.columns == {
        "step": "step",
        "train_accuracy": "acc",
        "test_accuracy": "val_acc",
        "test_loss": "test_loss",
    }
    assert "column 'val_acc' is validation, which counts as test" in found.notes
    assert any("'acc' is taken as train accuracy" in note for note in found.notes)
    assert only(found)["test_loss"] == [2.0, 4.0]


@pytest.mark.parametrize(
    "header", ["step,train_acc,Train Accuracy", "step,train_accuracy_pct,accuracy/train", "step,train_acc,train_acc"]
)
def test_two_columns_for_one_field_are_named_both(header: str, tmp_path: Path) -> None:
    assert len(read_curves(written(tmp_path, f"{header}\n1,0.5,0.5\n")).runs) == 1  # they hold the same
    path = written(tmp_path, f"{header}\n1,0.5,0.6\n")
    with pytest.raises(ValueError, match="train_accuracy must be one column, got") as error:
        read_curves(path)
    for name in header.split(",")[1:]:
        assert f"'{name}" in str(error.value)


def test_a_named_column_ends_the_ambiguity(tmp_path: Path) -> None:
    path = written(tmp_path, "t,a,train_acc,Train Accuracy\n0,.5,.1,.3\n1,.5,.2,.4\n")
    found = read_curves(path, {"train_accuracy": "Train Accuracy", "step": "t"})
    assert only(found) == {"train_accuracy": [0.3, 0.4]}


@pytest.mark.processes
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "file must be training curves as text .* which is empty"),
        ("step,train_acc\n", "file must hold a header and rows"),
        (
            "when,train_acc\n1,1\n2,1\n",
            "step must be a column .* got none: looked for step, iteration, epoch, batch, examples, tokens among "
            "'when', 'train_acc'; it may be one of 'when'; the file was read as a table with a header; columns can be "
            "named for step, test_accuracy, test_loss, test_error$",
        ),
        (
            "step,foo\n1,1\n",
            "train_accuracy must be a column .* train accuracy, accuracy, train loss or error among 'step', 'foo'; it "
            "may be one of 'foo'",
        ),
        ("step,test_acc\n1,1\n", "train_accuracy must be a column"),
        ("step,train_acc\n1,high\n", "train_accuracy must be numbers, got 'high' in column 'train_acc'"),
        ("step,train_acc\nx,1\n", "step must be numbers, got 'x'"),
        ("step,train_acc\n,1\n", "step must be a finite number in every row, got nothing"),
        ("step,train_acc\nnan,1\n", "step must be .* got nan"),
        (
            "step,train_acc\n1,-0.1\n",
            "train_accuracy must lie between 0 and 1, .* got -0.1 in column 'train_acc': missing=.-0.1. says",
        ),
        (
            "step,train_loss\n1,-2\n",
            "train_loss must be at least 0, got -2 .*: missing=.-2. says that this value stands",
        ),
        (
            "step,train_loss\n1,-2\n2,-3\n",
            "train_loss must be at least 0, got -3 .*: 2 values lie below 0, so this is no cross-entropy",
        ),
        ("step,train_acc\n1,101\n", "train_accuracy must lie between .* got 101"),
        (
            "step,train_acc\n1,0.5\n1,0.6\n",
            "run must be a column that tells runs apart, .* step 1 has more than one value",
        ),
        ("step,train_acc\n1,2\n1,2,3,4\n", "line 3 of its table has 4 cells, and the first 2"),
        ("step,train_acc\n,\n,\n", "at least one row with a value"),
        (b"\x80\x04\x95\x10\x00", "which is a pickle, which is never unpickled: save its curves as CSV"),
        (b"(dp0\nVstep\np1\n", "which is a pickle, which is never unpickled: save its curves as CSV"),
        (array(np.array({}, dtype=object)), "one NumPy array: it holds objects, which are never unpickled"),
        (
            array(np.zeros((2, 3, 4))),
            r"one NumPy array of shape \(2, 3, 4\): save its curves as CSV, or by numpy.savez",
        ),
        (b"\x93NUMPY and more", "which is one NumPy array: "),
        (b"PK\x03\x04 and more", "which is a ZIP archive, such as .xlsx or .pt: save its curves as CSV"),
        (zipped("xl/workbook.xml"), "which is a ZIP archive, such as .xlsx or .pt: save its curves as CSV"),
        (
            saved(train_acc=np.array([{}], dtype=object)),
            "objects, which are never unpickled, are left out: 'train_acc'",
        ),
        (saved(train_acc=np.zeros(3), test_acc=np.zeros(2)), "lists of one length, .* train_acc 3, test_acc 2"),
        (b":W&B\x01\x02", "which is a run file of Weights & Biases: export"),
        (b"\x00\x01\x02\x03 anything", "which is binary"),
        (b"\x1f\x8b and then nothing", "packed by gzip and damaged"),
        (b"PAR1 and then nothing", "it begins as Parquet does, but"),
        ('{"train_acc": 1.0, "test_acc": 0.9}', "JSON summary, which has last values only: export the history"),
        ('{"train_acc": [0, 1, 1], "test_acc": [0, 1]}', "lists of one length, .* train_acc 3, test_acc 2"),
        ('{"a": {"b": [{"c": "d"}]}}', "no curve was found in its JSON, under 'a'"),
        ('[{"step": 1, "train_acc"', "it begins as JSON does, and is damaged or breaks off"),
        ("<html><table></table></html>", "which is a page of HTML or XML: save its table as CSV"),
        ("just words\nand more of them\n", "train_accuracy must be a column"),
        ("1 0.1 0.2 0.3 0.4\n2 0.1 0.2 0.3 0.4\n", "a table of 5 columns without names, which are called 1 to 5"),
        ("step,train,test\n1,5.1,6.0\n2,3.0,4.0\n", "train_accuracy must be named, got column 'train' that names no"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(text: str | bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says) as error:
        read_curves(written(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_file_or_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file must be a file that can be read, got .*none.csv: No such file"):
        read_curves(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="file must be a file that can be read"):
        read_curves(tmp_path)
    path = written(tmp_path, "step,train_acc\n1,1\n")
    with pytest.raises(
        ValueError, match=r"test_accuracy must be a column of the file \('step', 'train_acc'\), got 'val'"
    ):
        read_curves(path, {"test_accuracy": "val"})
    with pytest.raises(ValueError, match=r"run must be a column of the file .* got 'seed'"):
        read_curves(path, run=["seed"])
    with pytest.raises(ValueError, match=r"columns must name fields among step, .*, got 'speed'"):
        read_curves(path, {"speed": "step"})


def test_percent_is_one_unit_for_the_whole_file(tmp_path: Path) -> None:
    columns: Mapping[str, Sequence[object]] = {
        "step": STEP,
        "train_acc": [5.0, 60.0, 100.0],
        "test_acc": [0.0, 0.5, 0.9],
    }
    found = read_curves(table(tmp_path, columns))
    assert only(found)["train_accuracy"] == pytest.approx([0.05, 0.6, 1.0])
    assert only(found)["test_accuracy"] == pytest.approx([0.0, 0.005, 0.009])
    assert any("percent" in note for note in found.notes)
    rounded = read_curves(table(tmp_path, columns | {"train_acc": [0.1, 0.5, 1.0000001]}))
    assert not any("percent" in note for note in rounded.notes)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_blank_cells_and_a_byte_order_mark(separator: str, tmp_path: Path) -> None:
    # Loggers write train and test values in rows of their own, and leave the other cells empty.
    rows = ["step,train_acc,test_acc", "0,0.5,", "0,,0.25", "3, 0.75 ,", "3,,nan", ",,"]
    text = "\ufeff" + "\r\n".join(row.replace(",", separator) for row in rows) + "\r\n"
    found = read_curves(written(tmp_path, text))
    (curves,) = found.runs
    assert [values.tolist() for values in curves.curves["train_accuracy"]] == [[0.0, 3.0], [0.5, 0.75]]
    step, values = curves.curves["test_accuracy"]
    np.testing.assert_array_equal(values, [0.25, np.nan])
    assert step.tolist() == [0.0, 3.0]


def test_runs_are_told_apart_and_sorted(tmp_path: Path) -> None:
    columns: Mapping[str, Sequence[object]] = {
        "seed": [10, 2, 10, 2],
        "D": [5, 5, 5, 6],
        "step": [1, 1, 0, 1],
        "train_acc": [0.4, 0.3, 0.2, 0.1],
    }
    with pytest.raises(
        ValueError,
        match=r"run must be a column that tells runs apart, got 'seed', but step 1 has .*: run=\['seed', 'D'\] would",
    ):
        read_curves(table(tmp_path, columns))
    found = read_curves(table(tmp_path, {name: column[:3] for name, column in columns.items()}))
    assert [curves.run for curves in found.runs] == ["2", "10"]
    assert found.runs[1].curves["train_accuracy"][1].tolist() == [0.2, 0.4]
    joined = read_curves(table(tmp_path, columns), run=["D", "seed"])
    assert [curves.run for curves in joined.runs] == ["5, 2", "5, 10", "6, 2"]
    assert joined.columns["run"] == "D, seed"


@pytest.mark.processes
def test_lists_of_a_parquet_file_are_rows(tmp_path: Path) -> None:
    columns: Mapping[str, Sequence[object]] = {
        "run": ["a", "b"],
        "step": [STEP, [5.0]],
        "train_accuracy": [[0.1, 0.2, 0.3], [1.0]],
    }
    found = read_curves(table(tmp_path, columns, kind="parquet"))
    assert [curves.curves["train_accuracy"][1].tolist() for curves in found.runs] == [[0.1, 0.2, 0.3], [1.0]]
    ragged = columns | {"train_accuracy": [[0.1], [1.0]]}
    with pytest.raises(ValueError, match="lists of one length"):
        read_curves(table(tmp_path, ragged, kind="parquet"))


@pytest.mark.processes
def test_columns_of_another_type_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path, {"step": [1, 2], "train_acc": [True, False]}, kind="parquet")
    with pytest.raises(
        ValueError, match="train_accuracy must be a column of numbers, got column 'train_acc' of type Bool"
    ):
        read_curves(path)


def attempt(data: bytes, folder: Path) -> None:
    path, refusal = written(folder, data), "one sentence"
    try:
        assert read_curves(path).runs
    except ValueError as error:
        refusal = str(error)
    assert len(refusal) > 10
    assert "\n" not in refusal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("curves")


CELLS = st.sampled_from(
    ["", "1", "0.5", "nan", "-inf", "1e400", '"', "'", "step", "train_acc", "test acc", "\x00", "é", "9" * 400]
)


@pytest.mark.processes
@given(data=st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(data: bytes, folder: Path) -> None:
    attempt(data, folder)


@pytest.mark.slow
@given(
    rows=st.lists(st.lists(CELLS, max_size=4), max_size=6),
    separator=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_random_tables_are_refused_or_read(rows: list[list[str]], separator: str, end: str, folder: Path) -> None:
    attempt(end.join(separator.join(row) for row in rows).encode(), folder)
    attempt(("step,train_acc\n" + end.join(separator.join(row) for row in rows)).encode(), folder)


PARQUET = io.BytesIO()
pl.DataFrame({"step": STEP, "train_acc": STEP}).write_parquet(PARQUET)


@pytest.mark.processes
@settings(max_examples=15, deadline=None)
@given(place=st.integers(0, len(PARQUET.getvalue()) - 1), change=st.integers(1, 255), cut=st.integers(0, 200))
def test_damaged_parquet_is_refused_or_read(place: int, change: int, cut: int, folder: Path) -> None:
    data = bytearray(PARQUET.getvalue())
    data[place] ^= change
    attempt(bytes(data[: len(data) - cut]), folder)
