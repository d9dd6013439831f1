"""One curve gets one answer in whatever format it is written; what is no curve is named in one sentence."""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[attr-defined]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from dcrit.empirics.curves.classify import Classification, classify
from dcrit.empirics.curves.curve_files import CurveFile, read_curves
from dcrit.empirics.curves.printed import table_of_prints

STEP = list(range(0, 10_001, 100))
TRAIN = [round(min(1.0, 0.01 + 0.33 * k), 4) for k in range(101)]
TEST = [round(1 / (1 + np.exp((50 - k) / 2)), 4) for k in range(101)]
ROWS = list(zip(STEP, TRAIN, TEST, strict=True))

Writer = Callable[[Path], list[Path]]
FORMATS: dict[str, Writer] = {}


def written(
    name: str, file: str = "log.txt", encoding: str = "utf-8"
) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register the text of a format."""

    def register(make: Callable[[], str]) -> Callable[[], str]:
        def write(folder: Path) -> list[Path]:
            path = folder / file
            path.write_bytes(make().encode(encoding))
            return [path]

        FORMATS[name] = write
        return make

    return register


def files(name: str) -> Callable[[Writer], Writer]:
    def register(write: Writer) -> Writer:
        FORMATS[name] = write
        return write

    return register


def lines(header: str, row: str, **options: Callable[[float], Any]) -> str:
    def cell(value: float) -> Any:
        return options["number"](value) if "number" in options else value

    return (
        "\n".join([*([header] if header else []), *(row.format(s=s, t=cell(a), v=cell(b)) for s, a, b in ROWS)]) + "\n"
    )


# --- tables ---

TABLES = {
    "comma": ("step,train_acc,test_acc", "{s},{t},{v}"),
    "semicolon": ("step;train_acc;test_acc", "{s};{t};{v}"),
    "tab": ("step\ttrain_acc\ttest_acc", "{s}\t{t}\t{v}"),
    "blanks": ("step train_acc   test_acc", "{s}  {t}\t {v}"),
    "comma and blank": ("step, train_acc, test_acc", "{s}, {t}, {v}"),
    "markdown": ("| step | train_acc | test_acc |\n|---|---:|:---:|", "| {s} | {t} | {v} |"),
    "quotes": ('"step","train_acc","test_acc"', '"{s}","{t}","{v}"'),
    "thousands": ("step,train_acc,test_acc", '"{s:,}","{t}","{v}"'),
    "windows ends": ("step,train_acc,test_acc\r", "{s},{t},{v}\r"),
    "comments": ("# seed 3\n// lr 0.1\nstep,train_acc,test_acc", "{s},{t},{v}"),
    "names in a comment": ("# step train_acc test_acc", "{s} {t} {v}"),
    "numpy's savetxt": ("# step train_acc test_acc", "{s:.18e} {t:.18e} {v:.18e}"),
    "no header, blanks": ("", "{s} {t} {v}"),
    "no header, commas": ("", "{s},{t},{v}"),
    "words above": ("Loading data\nTraining on cpu\nstep,train_acc,test_acc", "{s},{t},{v}"),
    "a pandas index": (",step,train_acc,test_acc", "7,{s},{t},{v}"),
    "pandas printed": ("      step  train_acc  test_acc", "0    {s}  {t}  {v}"),
    "tensors": ("step,train_acc,test_acc", "{s},tensor({t}),\"tensor({v}, device='cuda:0')\""),
    "only names of sets": ("epoch,train,val", "{s},{t},{v}"),
    "Keras's CSVLogger": ("epoch,accuracy,loss,val_accuracy,val_loss", "{s},{t},0.5,{v},0.4"),
    "capitals": ("Step,Train Accuracy,Validation Accuracy", "{s},{t},{v}"),
    "ids of distributions": ("t,train_acc,id_test,ood_test", "{s},{t},{v},0.0"),
    "an epoch beside it": ("epoch,optim_step,train_accs,val_accs", "3,{s},{t},{v}"),
    "Accelerate's prints": ("step,accuracy,train_accuracy", "{s},{v},{t}"),
    "top-1": ("it,train/acc1,test/acc1,train/acc5", "{s},{t},{v},1.0"),
    "no steps": ("train_acc,test_acc", "{t},{v}"),
    "whether it is training": ("step,is_train,acc", "{s},True,{t}\n{s},False,{v}"),
    "units below": ("step,train_acc,test_acc\n[steps],[1],[1]", "{s},{t},{v}"),
    "sets and metrics": ("Epoch,Train - Accuracy,Validation - Accuracy,Train - Loss", "{s},{t},{v},1.0"),
    "a footer": ("step,train_acc,test_acc", "{s},{t},{v}\nsaved a checkpoint"),
    "contexts of Aim": (
        "run.name,metric.name,metric.context,step,value",
        "a,acc,\"{{'subset': 'train'}}\",{s},{t}\na,acc,\"{{'subset': 'val'}}\",{s},{v}",
    ),
    "x": ("x,train_acc,test_acc", "{s},{t},{v}"),
    "rows that end with a comma": ("step,train_acc,test_acc", "{s},{t},{v},"),
    "R's write.table": ("step,train_acc,test_acc", "row,{s},{t},{v}"),
    "drawn with lines": ("┏━━━━┳━━━━┓\n┃ step ┃ train acc ┃ test acc ┃\n┡━━━━╇━━━━┩", "│ {s} │ {t} │ {v} │"),
    "words around steps": ("step,train_acc,test_acc", "step {s}/10000,{t},{v}"),
    "a minus of typesetting": ("step,train_acc,test_acc,loss", "{s},{t},{v},−1.5"),
    "units in names": ("step (iterations),train accuracy (fraction),test accuracy (fraction)", "{s},{t},{v}"),
    "two headers": (",train,train,test,test\n,acc,loss,acc,loss", "{s},{t},0.1,{v},0.2"),
    "an impossible norm": ("step,train_acc,test_acc,weight_norm", "{s},{t},{v},-1"),
    "an unreadable loss": ("step,train_acc,test_acc,train_loss", "{s},{t},{v},low"),
    "outside of the sample": ("step,in_sample_acc,out_of_sample_acc", "{s},{t},{v}"),
    "sets inside the distribution": ("step,id_train,ood_test", "{s},{t},{v}"),
    "tokens seen": ("tokens_seen,train_acc,heldout_acc", "{s},{t},{v}"),
    "trainer's step": ("train/global_step,train/acc_epoch,val/acc_epoch", "{s},{t},{v}"),
    "empty cells": ("step,train_acc,test_acc", "{s},{t},\n{s},,{v}"),
    "None": ("step,train_acc,test_acc", "{s},{t},None\n{s},NA,{v}"),
    "nan between": ("step,train_acc,test_acc", "{s},{t},nan\n{s},NaN,{v}"),
    "Lightning's metrics.csv": (
        "epoch,step,train_acc_epoch,train_acc_step,train_loss,val_acc,val_loss",
        "0,{s},,0.5,1.0,,\n0,{s},{t},,,,\n0,{s},,,,{v},0.3",
    ),
    "fresh headers after a resume": ("step,train_acc,test_acc", "{s},{t},{v}\nstep,train_acc,test_acc"),
    "long by set": ("step,split,loss,accuracy", "{s},train,.1,{t}\n{s},val,2.,{v}"),
    "long by metric": ("step,metric,value", "{s},train_acc,{t}\n{s},test_acc,{v}\n{s},lr,0.1"),
    "long by set and metric": ("step,phase,name,value", "{s},train,accuracy,{t}\n{s},test,accuracy,{v}"),
    "long, blanks": ("step split metric value", "{s} train accuracy {t}\n{s} test accuracy {v}"),
    "MLflow's table": (
        "run_id,key,value,step,timestamp",
        "a1,train_acc,{t},{s},1700000000000\na1,val_acc,{v},{s},1700000000001",
    ),
    "a chart of Weights & Biases": (
        '"Step","fine-sun-3 - train/acc","fine-sun-3 - train/acc__MIN","fine-sun-3 - train/acc__MAX",'
        '"fine-sun-3 - test/acc","fine-sun-3 - test/acc__MIN","fine-sun-3 - test/acc__MAX"',
        '"{s}","{t}","{t}","{t}","{v}","{v}","{v}"',
    ),
}
for _name, (_header, _row) in TABLES.items():
    written(_name)(lambda header=_header, row=_row: lines(header, row))

NUMBERS: dict[str, tuple[str, str, Callable[[float], str]]] = {
    "percent signs": ("step,train_acc,test_acc", "{s},{t},{v}", lambda x: f"{100 * x:.2f}%"),
    "percent": ("step,train_acc,test_acc", "{s},{t},{v}", lambda x: f"{100 * x:.2f}"),
    "decimal commas": ("step;train_acc;test_acc", "{s};{t};{v}", lambda x: f"{x:.4f}".replace(".", ",")),
    "decimal commas and blanks": ("step train_acc test_acc", "{s} {t} {v}", lambda x: f"{x:.4f}".replace(".", ",")),
    "errors": ("step,train_err,test_err", "{s},{t},{v}", lambda x: f"{1 - x:.4f}"),
    "errors in percent": ("step,train error (%),test error (%)", "{s},{t},{v}", lambda x: f"{100 - 100 * x:.2f}"),
    "decimal commas and percent signs": (
        "step;train_acc;test_acc",
        "{s};{t};{v}",
        lambda x: f"{100 * x:.2f} %".replace(".", ","),
    ),
    "right of all": ("step,train_acc,test_acc", "{s},{t},{v}", lambda x: f"{round(10_000 * x)}/10000"),
    "deviations": ("step,train_acc,test_acc", "{s},{t},{v}", lambda x: f"{x:.4f} ± 0.01"),
    "LaTeX": (
        "\\begin{tabular}{rrr}\nstep & train acc & test acc \\\\\n\\hline",
        "{s} & {t} & {v} \\\\",
        lambda x: f"{100 * x:.2f}\\%",
    ),
}
for _name, (_header, _row, _number) in NUMBERS.items():
    written(_name)(lambda header=_header, row=_row, number=_number: lines(header, row, number=number))

for _name, _encoding in (
    ("a byte order mark", "utf-8-sig"),
    ("UTF-16", "utf-16"),
    ("UTF-16 without a mark", "utf-16-le"),
):
    written(_name, encoding=_encoding)(lambda: lines("step,train_acc,test_acc", "{s},{t},{v}"))
written("Latin letters", encoding="cp1252")(lambda: lines("step,train_acc,test_acc,größe", "{s},{t},{v},1"))

# --- prints ---

PRINTS = {
    "prints with bars": "epoch {s} | train loss 0.1 | train acc {t} | test loss 0.2 | test acc {v}",
    "prints with commas": "Epoch: {s}, Train Loss: 0.1, Train Acc: {t}, Val Loss: 0.3, Val Acc: {v}",
    "prints with equal signs": "step={s} train_acc={t} test_acc={v} lr=1e-3",
    "prints of many": "Epoch [{s}/10000], Loss: 0.5, Train Accuracy: {t}, Test Accuracy: {v}",
    "prints with times": "2024-01-01 12:00:00,123 INFO root: step {s}: train accuracy {t} - test accuracy {v}",
    "prints of sets": "[{s}/10000] train: loss 0.1 acc {t} test: loss 0.4 acc {v}",
    "Keras's progress": "Epoch {s}/10000\n32/32 [=======>...] - 1s 3ms/step - loss: 0.5 - accuracy: {t} - val_loss: 1"
    " - val_accuracy: {v}",
    "dicts of Python": "{{'step': {s}, 'train_acc': {t}, 'eval_acc': {v}, 'note': None}}",
    "PyTorch's ImageNet": "Epoch: [{s}][ 0/196]\tLoss 5e-1\tAcc@1  {t} ( {t})\tAcc@5  1.0\n * Acc@1 {v} Acc@5 1.0",
    "JSON behind a time": '2021-01-01 00:00:00 | INFO | train | {{"step": {s}, "train_acc": "{t}"}}\n'
    '2021-01-01 | INFO | valid | {{"step": {s}, "valid_acc": "{v}"}}',
    "two lines": "Epoch {s}\n  Train | loss 0.1 | acc {t}\n  Test | loss 0.4 | acc {v}",
    "prints of two sets": "epoch {s:03d} train/val acc: {t}/{v}",
    "prints of sets behind the metric": "step {s}: acc (train/test) {t} / {v}",
    "prints of sets behind the value": "[{s}] acc: {t} (train) / {v} (test)",
}
for _name, _row in PRINTS.items():
    written(_name)(lambda row=_row: "Using device: cuda\nModel has 1,234 parameters\n" + lines("", row))

# --- JSON ---

RECORDS = [{"step": s, "train_acc": t, "test_acc": v} for s, t, v in ROWS]
COLUMNS = {"step": STEP, "train_acc": TRAIN, "test_acc": TEST}
DOCUMENTS: dict[str, Any] = {
    "JSON columns": COLUMNS,
    "JSON columns with scalars": COLUMNS | {"config": {"lr": 0.1, "layers": [128, 64, 32]}, "best": 1.0},
    "JSON records": RECORDS,
    "JSON under history": {"args": {"seed": 1}, "history": COLUMNS},
    "JSON records under history": {"history": RECORDS},
    "JSON by set": {"epochs": STEP, "train": {"acc": TRAIN, "loss": TEST}, "val": {"acc": TEST, "loss": TRAIN}},
    "Keras's history": {"accuracy": TRAIN, "loss": TEST, "val_accuracy": TEST, "val_loss": TRAIN},
    "JSON with steps of their own": {
        "train_acc": [[s, t] for s, t, _ in ROWS],
        "test_acc": [[s, v] for s, _, v in ROWS],
    },
    "Sacred's metrics": {
        "train.acc": {"steps": STEP, "values": TRAIN, "timestamps": [str(s) for s in STEP]},
        "test.acc": {"steps": STEP, "values": TEST, "timestamps": [str(s) for s in STEP]},
    },
    "JSON keyed by words": {f"step_{s}": {"train_acc": t, "test_acc": v} for s, t, v in ROWS},
    "traces of Plotly": {
        "data": [
            {"name": "train accuracy", "x": STEP, "y": TRAIN},
            {"name": "test accuracy", "x": STEP, "y": TEST},
        ],
        "layout": {},
    },
    "JSON curves with names": {
        "metrics": [
            {"name": "train_accuracy", "steps": STEP, "values": TRAIN},
            {"name": "test_accuracy", "steps": STEP, "values": TEST},
        ]
    },
    "JSON keyed by step": {str(s): {"train_acc": t, "test_acc": v} for s, t, v in ROWS},
    "pandas's JSON": {name: dict(zip(map(str, range(101)), column, strict=True)) for name, column in COLUMNS.items()},
    "pandas's split JSON": {"columns": list(COLUMNS), "index": list(range(101)), "data": [list(row) for row in ROWS]},
    "pandas's table JSON": {"schema": {"fields": []}, "data": RECORDS},
    "JSON rows without names": [list(row) for row in ROWS],
    "JSON rows": [list(COLUMNS), *map(list, ROWS)],
    "JSON lists by set": {
        "train": [{"step": s, "acc": t, "loss": 1.0} for s, t, _ in ROWS],
        "val": [{"step": s, "acc": v} for s, _, v in ROWS],
    },
    "JSON lists with lists of steps": {
        "train_steps": [*STEP, 10_100],
        "train_acc": [*TRAIN, 1.0],
        "test_steps": STEP,
        "test_acc": TEST,
    },
    "Hugging Face's trainer_state": {
        "best_metric": 1.0,
        "global_step": 10_000,
        "log_history": [
            record
            for s, t, v in ROWS
            for record in (
                {"epoch": s / 1000, "loss": 0.1, "step": s, "learning_rate": 1e-3},
                {"epoch": s / 1000, "train_accuracy": t, "step": s},
                {"epoch": s / 1000, "eval_accuracy": v, "eval_loss": 2.0, "step": s, "eval_runtime": 1.5},
            )
        ],
    },
}
for _name, _document in DOCUMENTS.items():
    written(_name, "log.json")(lambda document=_document: json.dumps(document))


@written("lists with names")
def _() -> str:
    return "\n".join(f"{name} = {values}" for name, values in COLUMNS.items())


@written("prints of thousands")
def _() -> str:
    return "".join(f"step {s / 1000:g}k train acc {t} test acc {v}\n" for s, t, v in ROWS)


@written("apostrophes")
def _() -> str:
    rows = "".join(f"{f'{s:,}'.replace(',', chr(39))},{t},{v}\n" for s, t, v in ROWS)
    return f"step,train_acc,test_acc\n{rows}"


@written("a table on its side")
def _() -> str:
    rows = (("step", STEP), ("train_acc", TRAIN), ("test_acc", TEST))
    return "".join(f"{name},{','.join(map(str, values))}\n" for name, values in rows)


@written("JSON rows, one a line")
def _() -> str:
    return "".join(f"{json.dumps(row)}\n" for row in ROWS)


@written("JSON records without lines")
def _() -> str:
    return "".join(map(json.dumps, RECORDS))


@written("TOML")
def _() -> str:
    return "[history]\n" + "\n".join(f"{name} = {values}" for name, values in COLUMNS.items())


@written("YAML")
def _() -> str:
    return "".join(f"{name}:\n" + "".join(f"- {one}\n" for one in values) for name, values in COLUMNS.items())


@written("JSON lines")
def _() -> str:
    return "\n".join(json.dumps(record) for record in RECORDS)


@written("JSON lines with others")
def _() -> str:
    meta = [{"event": "start", "config": {"lr": 0.1}}, *RECORDS, {"event": "end", "best_acc": 1.0}]
    return "started\n" + "\n".join(json.dumps(record) for record in meta)


@written("history of Weights & Biases")
def _() -> str:
    rows = [
        {"_step": s, "_runtime": 0.1 * s, "_timestamp": 1.7e9 + s, "train/acc": t, "val": {"acc": v}}
        for s, t, v in ROWS
    ]
    return "\n".join(json.dumps(record) for record in rows)


@written("JSON lines by set")
def _() -> str:
    return "\n".join(
        json.dumps({"split": split, "step": s, "accuracy": value})
        for s, t, v in ROWS
        for split, value in (("train", t), ("valid", v))
    )


@written("JSON lines with NaN")
def _() -> str:
    return "\n".join(
        json.dumps({"step": s, "train_acc": a, "test_acc": b})
        for s, t, v in ROWS
        for a, b in ((t, np.nan), (np.nan, v))
    )


# --- files ---


@files("gzip")
def _(folder: Path) -> list[Path]:
    path = folder / "log.csv.gz"
    path.write_bytes(gzip.compress(lines("step,train_acc,test_acc", "{s},{t},{v}").encode()))
    return [path]


@files("Parquet")
def _(folder: Path) -> list[Path]:
    path = folder / "log.parquet"
    pl.DataFrame(COLUMNS).write_parquet(path)
    return [path]


@files("arrays of NumPy")
def _(folder: Path) -> list[Path]:
    path = folder / "curves.npz"
    np.savez(path, steps=np.array(STEP), train_acc=np.array(TRAIN), test_acc=np.array(TEST)[:, None], modulus=97)
    return [path]


@files("arrays of NumPy beside objects")
def _(folder: Path) -> list[Path]:
    path = folder / "curves.npz"
    config = np.array({"lr": 1}, dtype=object)
    np.savez(path, steps=np.array(STEP), train_acc=np.array(TRAIN), test_acc=np.array(TEST), config=config)
    return [path]


@files("one array of NumPy")
def _(folder: Path) -> list[Path]:
    np.save(folder / "curves.npy", np.array(ROWS))
    return [folder / "curves.npy"]


@files("an array of NumPy with names")
def _(folder: Path) -> list[Path]:
    kinds = [("step", "i8"), ("train_acc", "f8"), ("test_acc", "f8")]
    np.save(folder / "curves.npy", np.array(ROWS, dtype=kinds))
    return [folder / "curves.npy"]


@files("steps and values, a file each")
def _(folder: Path) -> list[Path]:
    return two(folder, ("train_acc.csv", "val_acc.csv"), "step,value", "{s},{y}")


def two(folder: Path, names: tuple[str, str], header: str, row: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path, values in zip(paths, (TRAIN, TEST), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(
            row.format(s=s, y=y, w=1.7e9 + s, ms=1_700_000_000_000 + s) for s, y in zip(STEP, values, strict=True)
        )
        path.write_text(f"{header}\n{text}\n".lstrip("\n"))
    return paths


@files("a file for each set")
def _(folder: Path) -> list[Path]:
    return two(folder, ("train.csv", "test.csv"), "step,accuracy,loss", "{s},{y},0.1")


@files("a folder for each set")
def _(folder: Path) -> list[Path]:
    return two(folder, ("train/log.csv", "val/log.csv"), "step,acc", "{s},{y}")


@files("downloads of TensorBoard")
def _(folder: Path) -> list[Path]:
    return two(
        folder, ("run-.-tag-accuracy_train.csv", "run-.-tag-accuracy_test.csv"), "Wall time,Step,Value", "{w},{s},{y}"
    )


@files("downloads of Keras's TensorBoard")
def _(folder: Path) -> list[Path]:
    return two(
        folder,
        ("run-train-tag-epoch_accuracy.csv", "run-validation-tag-epoch_accuracy.csv"),
        "Wall time,Step,Value",
        "{w},{s},{y}",
    )


@files("metrics of MLflow")
def _(folder: Path) -> list[Path]:
    return two(folder, ("metrics/train_acc", "metrics/val_acc"), "", "{ms} {y} {s}")


@files("charts of Weights & Biases")
def _(folder: Path) -> list[Path]:
    first, second = folder / "wandb_export_1.csv", folder / "wandb_export_2.csv"
    first.write_text(lines('"Step","a - train/acc","a - train/acc__MIN"', '"{s}","{t}","{t}"'))
    second.write_text(lines('"Step","a - val/acc","a - val/acc__MIN"', '"{s}","{v}","{v}"'))
    return [first, second]


@files("JSON downloads of TensorBoard")
def _(folder: Path) -> list[Path]:
    paths = [folder / "train_acc.json", folder / "test_acc.json"]
    for path, values in zip(paths, (TRAIN, TEST), strict=True):
        path.write_text(json.dumps([[1.7e9 + s, s, y] for s, y in zip(STEP, values, strict=True)]))
    return paths


def events(folder: Path, curves: dict[str, list[float]], version: int = 1) -> Path:
    """An event file as a writer of either version of TensorFlow makes it, without either."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder))
    for k, step in enumerate(STEP):
        for tag, values in curves.items():
            value = Summary.Value(tag=tag, simple_value=values[k])
            if version == 2:
                value = Summary.Value(tag=tag, tensor=make_tensor_proto(np.float32(values[k])))
            writer.add_event(Event(wall_time=1.7e9 + step, step=step, summary=Summary(value=[value])))
    writer.close()
    return next(folder.glob("*tfevents*"))


@files("an event file of TensorBoard")
def _(folder: Path) -> list[Path]:
    return [events(folder, {"accuracy/train": TRAIN, "accuracy/test": TEST})]


@files("an event file of TensorBoard 2")
def _(folder: Path) -> list[Path]:
    return [events(folder, {"train_acc": TRAIN, "val_acc": TEST}, version=2)]


@files("a folder of Keras's TensorBoard")
def _(folder: Path) -> list[Path]:
    events(folder / "logs" / "train", {"epoch_accuracy": TRAIN, "epoch_loss": TEST}, version=2)
    events(folder / "logs" / "validation", {"epoch_accuracy": TEST, "epoch_loss": TRAIN}, version=2)
    return [folder / "logs"]


@files("a folder of MLflow")
def _(folder: Path) -> list[Path]:
    two(folder, ("run1/metrics/train_acc", "run1/metrics/val_acc"), "", "{ms} {y} {s}")
    return [folder]


@files("values without steps, a file each")
def _(folder: Path) -> list[Path]:
    return two(folder, ("train_acc.txt", "test_acc.txt"), "", "{y}")


@files("steps, dates and values, a file each")
def _(folder: Path) -> list[Path]:
    return two(folder, ("train_acc.csv", "test_acc.csv"), "", "{s},2024-01-01 00:00:00,{y}")


def said(found: CurveFile) -> tuple[Classification, ...]:
    return tuple(classify(one) for one in found.runs)


@pytest.mark.processes
@pytest.mark.parametrize("name", FORMATS)
def test_one_curve_gets_one_answer_in_every_format(name: str, tmp_path: Path) -> None:
    (found,) = said(read_curves(FORMATS[name](tmp_path)))
    counted = name in ("no steps", "Keras's history", "values without steps, a file each")
    unit = 0.01 if counted else 1.0
    assert found.dynamics == "grokking", found.reasons
    assert found.events.memorized_at == 300 * unit
    assert found.events.generalized_at == 5500 * unit
    assert found.events.delay == pytest.approx(5500 / 300)
    assert found.settled["train_accuracy"] == pytest.approx(1.0)
    assert found.settled["test_accuracy"] == pytest.approx(1.0, abs=1e-3)
    assert found.settled["test_accuracy_moved"] == pytest.approx(TEST[95] - TEST[65], abs=2e-3)


SEVERAL: dict[str, tuple[str, str]] = {
    "seeds in rows": ("log.csv", "seed,step,train_acc,test_acc\n" + lines("", "0,{s},{t},{v}\n1,{s},{t},0.01")),
    "seeds in columns": (
        "log.csv",
        lines("step,train_acc_0,train_acc_1,test_acc_0,test_acc_1", "{s},{t},{t},{v},0.01"),
    ),
    "seeds in names": (
        "log.csv",
        lines("step,seed0/train_acc,seed1/train_acc,seed0/test_acc,seed1/test_acc", "{s},{t},{t},{v},0.01"),
    ),
    "runs of Weights & Biases": (
        "chart.csv",
        lines('"Step","0 - train/acc","0 - test/acc","1 - train/acc","1 - test/acc"', "{s},{t},{v},{t},0.01"),
    ),
    "a sweep in columns": (
        "log.csv",
        lines("step,train_acc_wd=0.1,test_acc_wd=0.1,train_acc_wd=1.0,test_acc_wd=1.0", "{s},{t},{v},{t},0.01"),
    ),
    "JSON lists for each run": (
        "log.json",
        json.dumps({"step": STEP, "train_acc": [TRAIN, TRAIN], "test_acc": [TEST, [0.01] * 101]}),
    ),
    "JSON by run": (
        "log.json",
        json.dumps({str(k): COLUMNS | {"test_acc": test} for k, test in enumerate((TEST, [0.01] * 101))}),
    ),
    "JSON lists of runs": (
        "log.json",
        json.dumps(
            {"args": {"lr": 1}}
            | {
                str(k): [{"step": s, "train_acc": t, "test_acc": v if k == 0 else 0.01} for s, t, v in ROWS]
                for k in (0, 1)
            }
        ),
    ),
    "JSON records of runs": (
        "log.json",
        json.dumps(
            [{"seed": k, "history": COLUMNS | {"test_acc": test}} for k, test in enumerate((TEST, [0.01] * 101))]
        ),
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_runs_are_told_apart(name: str, tmp_path: Path) -> None:
    file, text = SEVERAL[name]
    (tmp_path / file).write_text(text)
    found = read_curves(tmp_path / file)
    runs = ("wd=0.1", "wd=1.0") if "sweep" in name else ("0", "1")
    assert [(one.run, one.dynamics) for one in said(found)] == list(
        zip(runs, ("grokking", "memorization"), strict=True)
    )


def test_arrays_of_several_runs_are_told_apart(tmp_path: Path) -> None:
    train, test = np.array([TRAIN, TRAIN]), np.array([TEST, [0.01] * 101])
    np.savez(tmp_path / "runs.npz", step=np.array(STEP), train_acc=train, test_acc=test.T)
    found = read_curves(tmp_path / "runs.npz")
    assert [(one.run, one.dynamics) for one in said(found)] == [("0", "grokking"), ("1", "memorization")]


def test_rows_of_two_runs_are_refused_and_those_of_one_are_not(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    header = "step,train_acc,test_acc\n"
    other = [(s, t, 0.01) for s, t, _ in ROWS]
    several = {
        "one after the other": [*ROWS, *((s + 50, t, v) for s, t, v in other)],
        "side by side": [row for pair in zip(ROWS, other, strict=True) for row in pair],
    }
    for rows in several.values():
        path.write_text(header + "".join(f"{s},{t},{v}\n" for s, t, v in rows))
        with pytest.raises(ValueError, match="run must be a column that tells runs apart, got none"):
            read_curves(path)
    single = {"twice": [*ROWS, *ROWS], "odd, then even": [*ROWS[1::2], *ROWS[::2]], "backwards": ROWS[::-1]}
    for name, rows in single.items():
        path.write_text(header + "".join(f"{s},{t},{v}\n" for s, t, v in rows))
        assert said(read_curves(path))[0].events.generalized_at == 5500, name
    alternating = [(s + 50 * k, t, v) for pair in zip(ROWS, other, strict=True) for k, (s, t, v) in enumerate(pair)]
    path.write_text(header + "".join(f"{s},{t},{v}\n" for s, t, v in alternating))
    (found,) = said(read_curves(path))
    assert found.dynamics == "cannot tell"
    assert "leaps 30 times from below 0.1 to 0.9 or more" in found.reasons[0]


def test_several_files_are_a_run_each_or_parts_of_runs(tmp_path: Path) -> None:
    whole = tmp_path / "a.csv", tmp_path / "b.json"
    whole[0].write_text(lines("step,train_acc,test_acc", "{s},{t},{v}"))
    whole[1].write_text(json.dumps({"epoch": STEP, "train_err": [1 - t for t in TRAIN], "val_err": [1.0] * 101}))
    found = read_curves(whole)
    assert [(one.run, one.dynamics) for one in said(found)] == [("a", "grokking"), ("b", "memorization")]
    assert "each of the 2 files is a run of its own, as each holds train and test" in found.notes
    parts = [
        path
        for run in ("x", "y")
        for path in two(tmp_path, (f"{run}_train.csv", f"{run}_val.csv"), "step,acc", "{s},{y}")
    ]
    found = read_curves(parts)
    assert [(one.run, one.dynamics) for one in said(found)] == [("x", "grokking"), ("y", "grokking")]
    (tmp_path / "c_val.csv").write_text(lines("epoch,acc", "{s},{v}"))
    with pytest.raises(ValueError, match=r"step must be counted in one unit in all files, got step in .*, epoch in "):
        read_curves([parts[0], tmp_path / "c_val.csv"])


def test_of_steps_that_are_repeated_the_last_value_counts_and_that_is_said(tmp_path: Path) -> None:
    first = "".join(f"{s},{t},0.0\n" for s, t, _ in ROWS if s <= 6000)
    again = "".join(f"{s},{t},{v}\n" for s, t, v in ROWS if s >= 2000)
    (tmp_path / "log.csv").write_text(f"step,train_acc,test_acc\n{first}{again}")
    found = read_curves(tmp_path / "log.csv")
    (run,) = said(found)
    assert (run.dynamics, run.events.generalized_at) == ("grokking", 5500.0)
    assert any("41 steps have more than one row, from step 2000 on, as after a resume" in note for note in found.notes)
    (tmp_path / "twice.csv").write_text(lines("step,train_acc,test_acc", "{s},{t},{v}") + lines("", "{s},{t},0.0"))
    with pytest.raises(ValueError, match=r"tells runs apart, got none, .* no other column tells these rows apart"):
        read_curves(tmp_path / "twice.csv")
    (tmp_path / "batches.csv").write_text(lines("epoch,batch,train_acc,test_acc", "{s},0,0.5,\n{s},1,{t},{v}"))
    assert said(read_curves(tmp_path / "batches.csv"))[0].dynamics == "grokking"
    (tmp_path / "within.csv").write_text(
        "epoch,step,train_acc,test_acc\n"
        + "".join(f"{k},{b},{t},{v}\n" for k, (_, t, v) in enumerate(ROWS) for b in (0, 5))
    )
    assert said(read_curves(tmp_path / "within.csv"))[0].events.generalized_at == 55 * 6


def test_values_that_stand_for_nothing_are_named(tmp_path: Path) -> None:
    for value, refused in (("-1", True), ("0.0", False)):
        rows = "".join(f"{s},{t},{v if k % 4 == 0 else value}\n" for k, (s, t, v) in enumerate(ROWS))
        (tmp_path / "log.csv").write_text(f"step,train_acc,test_acc\n{rows}")
        if refused:
            with pytest.raises(
                ValueError, match=r"got -1 in column 'test_acc': missing=\[-1\] says that this value stands"
            ):
                read_curves(tmp_path / "log.csv")
        else:
            (run,) = said(read_curves(tmp_path / "log.csv"))
            assert (run.dynamics, "missing=[0] says so" in run.reasons[0]) == ("cannot tell", True)
        (run,) = said(read_curves(tmp_path / "log.csv", missing=[float(value)]))
        assert (run.dynamics, run.events.generalized_at) == ("grokking", 5600.0)


def test_accuracies_in_two_units_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,train_acc,test_acc\n" + "".join(f"{s},{100 * t},{v}\n" for s, t, v in ROWS))
    with pytest.raises(
        ValueError, match="accuracies must all be fractions, or all percent, got 1 at most in column 'test"
    ):
        read_curves(tmp_path / "log.csv")


@pytest.mark.slow
@pytest.mark.parametrize("row", ["{k},{t:.4f},{v:.4f}", "epoch {k} | train acc {t:.4f} | test acc {v:.4f}"])
def test_long_logs_are_read_in_seconds(row: str, tmp_path: Path) -> None:
    number = 1_000_000 if "epoch" not in row else 30_000
    step = np.arange(number)
    train, test = np.minimum(1, step * 10 / number), 1 / (1 + np.exp(20 - step * 40 / number))
    assert table_of_prints("word " * 200_000, "log.txt") is None
    text = "\n".join(row.format(k=k, t=t, v=v) for k, t, v in zip(step, train, test, strict=True))
    (tmp_path / "log.csv").write_text(f"{'' if 'epoch' in row else 'step,train_acc,test_acc'}\n{text}".lstrip("\n"))
    began = time.process_time()
    (run,) = said(read_curves(tmp_path / "log.csv"))
    assert run.dynamics == "grokking"
    assert time.process_time() - began < 20


@pytest.mark.processes
def test_events_need_tensorboard_and_scalars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = events(tmp_path / "a", {"train_acc": TRAIN})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert len(read_curves(path).runs[0].curves["train_accuracy"][0]) < 101  # what was written whole is read
    path.write_bytes(data[:40])
    with pytest.raises(ValueError, match="its TensorBoard events hold no scalars"):
        read_curves(path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'dcrit\[tensorboard\]' installs it"):
        read_curves(path)
