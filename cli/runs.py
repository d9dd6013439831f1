"""``dcrit runs``: what a store holds, whether it is sound, and a way out of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli import options
from dcrit.cli.output import print_json, say, table

if TYPE_CHECKING:
    from dcrit.empirics.store import Store

app = typer.Typer(help="What a store of runs holds: list, verify, export.", no_args_is_help=True)


def _open(folder: Path) -> Store:
    from dcrit.empirics.store import Store

    if not folder.is_dir():
        raise typer.BadParameter(f"--store must be a folder that holds runs, got {folder}")
    return Store(folder)


@app.command("list")
def list_runs(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Runs by problem: sizes, seeds and endings."""
    opened = _open(store)
    groups: dict[tuple[object, ...], list[tuple[int, int, str]]] = {}
    for run in opened.runs():
        problem = run.config.problem
        key = (problem.task, problem.modulus, problem.activation, problem.width, problem.weight_decay)
        groups.setdefault(key, []).append((run.config.n_train, run.config.seed, run.ending))
    inventory = opened.inventory()
    rows = [
        {
            "task": key[0],
            "modulus": key[1],
            "activation": key[2],
            "width": key[3],
            "weight_decay": key[4],
            "runs": len(found),
            "smallest_n_train": min(size for size, _, _ in found),
            "largest_n_train": max(size for size, _, _ in found),
            "diverged": sum(ending == "diverged" for _, _, ending in found),
        }
        for key, found in sorted(groups.items(), key=str)
    ]
    if as_json:
        print_json({"store": str(store), "n_runs": inventory.n_runs, "n_bytes": inventory.n_bytes, "problems": rows})
        return
    names = list(rows[0]) if rows else ["task", "runs"]
    table(f"{store}", [name.replace("_", " ") for name in names], [list(row.values()) for row in rows])
    say(f"{inventory.n_runs} runs in {inventory.n_files} files, {inventory.n_bytes / 1e6:.1f} MB")


@app.command("verify")
def verify(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Check every file against its checksum; exit 1 if one is damaged. Damaged runs are made again when needed."""
    inventory = _open(store).inventory()
    damaged = [{"file": str(damage.path), "reason": damage.reason} for damage in inventory.damaged]
    if as_json:
        print_json(
            {
                "store": str(store),
                "n_runs": inventory.n_runs,
                "n_files": inventory.n_files,
                "n_stale": inventory.n_stale,
                "n_bytes": inventory.n_bytes,
                "damaged": damaged,
            }
        )
    else:
        say(f"{inventory.n_files} sound files with {inventory.n_runs} runs, {inventory.n_stale} of another protocol")
        for entry in damaged:
            say(f"damaged: {entry['file']}: {entry['reason']}; its runs are made again when they are needed")
    if damaged:
        raise typer.Exit(1)


@app.command("export")
def export(
    out: Annotated[
        Path, typer.Option(help="File to write, .csv (one row an evaluation), or .parquet (one row a run).")
    ],
    store: options.StoreFolder = options.DEFAULT_STORE,
) -> None:
    """Write all curves as one table."""
    from dcrit.cli.training import check_writable_file
    from dcrit.empirics.store import export as write

    opened = _open(store)
    with options.bad_input():
        check_writable_file(out)
        runs = list(opened.runs())
        write(runs, out)
    say(f"{len(runs)} runs written to {out}")
