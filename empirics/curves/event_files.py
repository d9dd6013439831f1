"""TensorBoard's event files, read by its own reader where that package is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dcrit.empirics.curves.names import is_known, set_of
from dcrit.empirics.curves.table import READ, Table, curve_frame, stacked
from dcrit.theory.checks import FieldError

#: Most event files of a folder, and most bytes of all of them.
MOST_FILES, MOST_BYTES = 10_000, 256_000_000


def is_event_file(data: bytes) -> bool:
    """Whether bytes begin as a file of events does: a record with the version of its format."""
    return b"brain.Event:" in data[:64]


def event_files_in(folder: Path) -> list[Path]:
    """Event files anywhere in a folder, by name, which sorts those of one run by their time."""
    found = [one for one in folder.rglob("*tfevents*") if one.is_file()]
    return sorted(found[: MOST_FILES + 1])


def _scalars(path: Path) -> Iterator[tuple[str, int, float]]:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader  # noqa: PLC0415
    from tensorboard.util import tensor_util  # noqa: PLC0415

    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.HasField("tensor"):
                array = tensor_util.make_ndarray(value.tensor)
                if array.size == 1 and array.dtype.kind in "fiu":
                    yield value.tag, event.step, float(array.reshape(()))


def table_of_events(files: list[Path], root: Path) -> Table:
    """Scalars in event files: each folder is a run, but folders such as ``train`` and ``validation`` name a set.

    Args:
        files: Event files, those of one folder in the order of time.
        root: The folder that was asked for, or the file.

    Raises:
        ValueError: TensorBoard is not installed, the files are damaged, too many or too large, or hold no scalars.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise FieldError(
            "file",
            "be left out where the package tensorboard is not installed",
            f"{root} with TensorBoard's events",
            why="pip install 'dcrit[tensorboard]' installs it; TensorBoard's own CSV downloads are read without",
        )
    if len(files) > MOST_FILES or sum(one.stat().st_size for one in files) > MOST_BYTES:
        raise FieldError("file", f"hold at most {MOST_FILES} event files of {MOST_BYTES / 1e6:g} MB together", root)
    curves: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    for path in files:
        folder = path.parent.relative_to(root).parts if path != root else ()
        part = next((key for word in folder if (key := set_of(word))), "")
        run = "/".join(word for word in folder if not set_of(word))
        try:
            for tag, step, value in _scalars(path):
                column = f"{part}/{tag}" if part else tag
                if folder and not is_known(column) and is_known(folder[-1]):
                    column, run = folder[-1], "/".join(folder[:-1])  # as add_scalars makes folders
                steps, values = curves.setdefault((run, column), ([], []))
                steps.append(step)
                values.append(value)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise FieldError("file", "hold TensorBoard's events", path, why=reason or type(error).__name__) from error
    if not curves:
        raise FieldError("file", READ, root, why="its TensorBoard events hold no scalars")
    several = len({run for run, _ in curves}) > 1
    frames = [
        frame.with_columns(pl.lit(run).alias("run")) if several else frame
        for (run, column), (steps, values) in curves.items()
        for frame in (curve_frame(column, steps, values),)
    ]
    return Table(frame=stacked(frames), format="TensorBoard's events", name=root.name)
