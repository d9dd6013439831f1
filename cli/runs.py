"""``dcrit runs``: what a store holds, whether it is sound, and a way out of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.theory.checks import FieldError

if TYPE_CHECKING:
    from dcrit.empirics.store.inventory import Group, Incomplete, StoredFile
    from dcrit.empirics.store.store import ParquetStore

    AnyStore = ParquetStore[Any, Any]

app = typer.Typer(help="What a store of runs holds: list, verify, export.", no_args_is_help=True)


class KindChoice(StrEnum):
    """Kinds of stored run."""

    runs = "runs"
    multitask = "multitask"
    dimensions = "dimensions"


def _open(folder: Path, kinds: Sequence[KindChoice] = tuple(KindChoice)) -> dict[KindChoice, list[AnyStore]]:
    """Stores of some kinds in a folder and the folders within; those that are not there take no time."""
    from dcrit.empirics.store.kinds import DIMENSIONS_FOLDER, MULTITASK_FOLDER, Store

    if not folder.is_dir():
        raise typer.BadParameter(f"--store must be a folder that holds runs, got {folder}; 'dcrit train' makes one")
    with options.bad_input():
        singles = Store(folder)
        several: list[AnyStore] = []
        dimensions: list[AnyStore] = []
        within = (folder / MULTITASK_FOLDER).is_dir()
        if KindChoice.multitask in kinds and (within or singles.strange):
            from dcrit.empirics.store.kinds import MultitaskStore

            # Runs of several tasks may lie beside runs of single networks.
            several += [MultitaskStore(folder)] if singles.strange else []
            several += [MultitaskStore(folder / MULTITASK_FOLDER)] if within else []
        if KindChoice.dimensions in kinds and (folder / DIMENSIONS_FOLDER).is_dir():
            from dcrit.empirics.store.kinds import DimensionStore

            dimensions.append(DimensionStore(folder / DIMENSIONS_FOLDER))
    return {KindChoice.runs: [singles], KindChoice.multitask: several, KindChoice.dimensions: dimensions}


def _groups(kind: KindChoice, stores: Sequence[AnyStore]) -> list[Group]:
    from itertools import chain

    from dcrit.empirics.store import inventory as holdings

    describe = {
        KindChoice.runs: holdings.describe_run,
        KindChoice.multitask: holdings.describe_multitask,
        KindChoice.dimensions: holdings.describe_dimension,
    }
    return holdings.grouped(chain.from_iterable(store.headings() for store in stores), describe[kind])


def _row(group: Group) -> dict[str, Any]:
    return {
        **group.settings,
        "runs": group.n_runs,
        "n_train": list(group.n_train),
        "seeds": group.n_seeds,
        "diverged": group.n_diverged,
        "n_bytes": group.n_bytes,
    }


def _total(files: Sequence[StoredFile]) -> dict[str, Any]:
    return {
        "n_files": len(files),
        "n_bytes": sum(file.n_bytes for file in files),
        "oldest_seconds": max((file.age for file in files), default=None),
    }


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} kB"


@app.command("list")
def list_runs(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Runs by problem and horizon: how many, at which sizes, with how many seeds, how many diverged, and their size.

    Then runs of several tasks and effective dimensionalities the same way; what is incomplete (temporary files, and
    checkpoints from which unfinished batches go on); and damaged files, those in their place and those set aside.
    """
    from dcrit.empirics.store.inventory import DAMAGED, disk_use, files_in, incomplete_work

    opened = _open(store)
    rows = {kind: [_row(group) for group in _groups(kind, stores)] for kind, stores in opened.items()}
    n_runs = {kind: sum(row["runs"] for row in rows[kind]) for kind in KindChoice}
    every = [one for stores in opened.values() for one in stores]
    folders = list(dict.fromkeys(one.folder for one in every))
    incomplete = [one for folder in folders for one in incomplete_work(folder)]
    aside = [one for folder in folders for one in files_in(folder / DAMAGED)]
    damaged = {one.path: one.reason for each in every for one in each.damaged}
    n_bytes = disk_use(store)
    left = {kind: _total(_of_kind(incomplete, kind)) for kind in ("temporary", "checkpoint")}
    if as_json:
        print_json(
            {
                "store": str(store),
                "n_runs": n_runs[KindChoice.runs],
                "n_bytes": n_bytes,
                "problems": rows[KindChoice.runs],
                **{
                    kind.value: {
                        "n_runs": n_runs[kind],
                        "n_bytes": sum(row["n_bytes"] for row in rows[kind]),
                        "problems": rows[kind],
                    }
                    for kind in (KindChoice.multitask, KindChoice.dimensions)
                },
                "incomplete": left,
                "damaged": [{"file": str(path), "reason": reason} for path, reason in damaged.items()],
                "set_aside": _total(aside),
            }
        )
        return
    titles = {KindChoice.runs: f"{store}", KindChoice.multitask: "multitask", KindChoice.dimensions: "dimensions"}
    for kind, title in titles.items():
        if rows[kind] or kind == KindChoice.runs:
            _show(title, rows[kind])
    say(
        f"{n_runs[KindChoice.runs]} runs, {n_runs[KindChoice.multitask]} multitask runs, "
        f"{n_runs[KindChoice.dimensions]} effective dimensionalities; all files of {store}: {_size(n_bytes)}"
    )
    for kind, words in (("temporary", "temporary files"), ("checkpoint", "checkpoints")):
        if left[kind]["n_files"]:
            say(
                f"incomplete, {words}: {left[kind]['n_files']} of {_size(left[kind]['n_bytes'])}, "
                f"the oldest written {left[kind]['oldest_seconds'] / 60:.0f} minutes ago"
            )
    if damaged:
        say(f"damaged files, not used: {len(damaged)}; 'dcrit runs verify' says what is wrong with each")
    if aside:
        say(f"damaged files, set aside before: {len(aside)} of {_size(_total(aside)['n_bytes'])}")


def _of_kind(incomplete: Sequence[Incomplete], kind: str) -> list[Incomplete]:
    return [one for one in incomplete if one.kind == kind]


def _show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    names = [name for name in (rows[0] if rows else ("task", "runs")) if name != "n_bytes"]
    shown: list[dict[str, Any]] = [
        row
        | {"n_train": " – ".join(map(str, sorted(set(row["n_train"]))))}
        | ({"tasks": ", ".join(row["tasks"])} if "tasks" in row else {})
        for row in rows
    ]
    table(
        title,
        [*(name.replace("_", " ") for name in names), "size"],
        [[*(row[name] for name in names), _size(row["n_bytes"])] for row in shown],
    )


@app.command("verify")
def verify(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Check every file against its checksum; exit 1 if one is damaged. Damaged runs are made again when needed.

    Runs of single networks, of several tasks, and effective dimensionalities are each checked by what they hold.
    """
    from dcrit.empirics.store.inventory import merged

    by_folder: dict[Path, list[Any]] = {}
    for one in (one for stores in _open(store).values() for one in stores):
        by_folder.setdefault(one.folder, []).append(one.inventory())
    parts = [merged(inventories) for inventories in by_folder.values()]
    damaged = [{"file": str(one.path), "reason": one.reason} for part in parts for one in part.damaged]
    n_runs, n_files, n_stale = (sum(getattr(part, name) for part in parts) for name in ("n_runs", "n_files", "n_stale"))
    if as_json:
        print_json(
            {
                "store": str(store),
                "n_runs": n_runs,
                "n_files": n_files,
                "n_stale": n_stale,
                "n_bytes": sum(part.n_bytes for part in parts),
                "damaged": damaged,
            }
        )
    else:
        say(f"{n_files} sound files with {n_runs} runs, {n_stale} of another protocol or version")
        for entry in damaged:
            say(f"damaged: {entry['file']}: {entry['reason']}; its runs are made again when they are needed")
    if damaged:
        raise typer.Exit(1)


@app.command("export")
def export(
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, .csv or .parquet: the same table, one row an evaluation."),
    ] = None,
    kind: Annotated[
        KindChoice,
        options.one_of(
            KindChoice,
            "Which runs: of single networks; multitask, one row an evaluation and task; "
            "effective dimensionalities, one row a network.",
        ),
    ] = KindChoice.runs,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Folder to log the curves to for TensorBoard, each run under a name of its own."),
    ] = None,
    store: options.StoreFolder = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Write all curves as one table, for TensorBoard, or both. Rows are in no particular order of runs.

    Memory does not grow with the number of runs. Damaged files are left out, and counted.
    """
    from itertools import chain

    from dcrit.cli.terminal.session import check_writable_file
    from dcrit.empirics.store import export as tables
    from dcrit.empirics.store.tensorboard import check_tensorboard, log_curves

    stores = _open(store, [kind])[kind]
    forms = {
        KindChoice.runs: tables.RUNS,
        KindChoice.multitask: tables.MULTITASK,
        KindChoice.dimensions: tables.DIMENSIONS,
    }
    n_runs = n_logged = 0
    with options.bad_input():
        if out is None and tensorboard is None:
            raise FieldError("out", "be a file that ends in .csv or .parquet where --tensorboard is not given", "none")
        if tensorboard is not None and kind != KindChoice.runs:
            raise FieldError(
                "tensorboard",
                f"be left out for --kind {kind}",
                tensorboard,
                why="only runs of single networks are logged",
            )
        if out is not None:
            tables.check_export_name(out)
            check_writable_file(out)
        if tensorboard is not None:
            check_tensorboard(tensorboard)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            n_runs = tables.export(chain.from_iterable(one.runs() for one in stores), out, forms[kind])
        if tensorboard is not None:
            n_logged = log_curves(stores[0].runs(), tensorboard)
    n_damaged = len({one.path for each in stores for one in each.damaged})
    if as_json:
        print_json(
            {
                "file": None if out is None else str(out),
                "n_runs": n_runs,
                "tensorboard": None if tensorboard is None else str(tensorboard),
                "n_logged": n_logged,
                "n_damaged": n_damaged,
            }
        )
        return
    if out is not None:
        say(f"{n_runs} runs written to {out}, one row for {forms[kind].row}")
    if tensorboard is not None:
        say(f"{n_logged} runs logged, beside those logged before; to see them: tensorboard --logdir {tensorboard}")
    if n_damaged:
        say(f"damaged files, left out: {n_damaged}; 'dcrit runs verify' says what is wrong with each")
