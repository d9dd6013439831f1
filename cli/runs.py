"""``dcrit runs``: what a store holds, whether it is sound, and a way out of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli import options
from dcrit.cli.output import print_json, say, table

if TYPE_CHECKING:
    from dcrit.empirics.runs import Run
    from dcrit.empirics.store import Store
    from dcrit.theory.problem import Problem

app = typer.Typer(help="What a store of runs holds: list, verify, export.", no_args_is_help=True)


def _open(folder: Path) -> Store:
    from dcrit.empirics.store import Store

    if not folder.is_dir():
        raise typer.BadParameter(f"--store must be a folder that holds runs, got {folder}; 'dcrit train' makes one")
    return Store(folder)


@app.command("list")
def list_runs(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Runs by problem and horizon: how many, at which sizes, with how many seeds, and how many diverged."""
    opened = _open(store)
    groups: dict[tuple[Problem, int], list[Run]] = {}
    for run in opened.runs():
        groups.setdefault((run.config.problem, run.config.horizon), []).append(run)
    inventory = opened.inventory()
    rows = [
        {
            **problem.to_dict(),
            "steps": steps,
            "runs": len(found),
            "n_train": [min(run.config.n_train for run in found), max(run.config.n_train for run in found)],
            "seeds": len({run.config.seed for run in found}),
            "diverged": sum(run.ending == "diverged" for run in found),
        }
        for (problem, steps), found in sorted(groups.items(), key=lambda item: str(item[0]))
    ]
    if as_json:
        print_json({"store": str(store), "n_runs": inventory.n_runs, "n_bytes": inventory.n_bytes, "problems": rows})
        return
    names = list(rows[0]) if rows else ["task", "runs"]
    shown = [row | {"n_train": " – ".join(map(str, row["n_train"]))} for row in rows]
    table(f"{store}", [name.replace("_", " ") for name in names], [list(row.values()) for row in shown])
    say(f"{inventory.n_runs} runs in {inventory.n_files} files, {inventory.n_bytes / 1e6:.1f} MB")


@app.command("verify")
def verify(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Check every file against its checksum; exit 1 if one is damaged. Damaged runs are made again when needed.

    Runs of single networks and of mixtures are checked each by what they have to hold.
    """
    from dcrit.empirics.inventory import merged
    from dcrit.empirics.mixture_store import MixtureStore

    inventory = merged([_open(store).inventory(), MixtureStore(store).inventory()])
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
    as_json: options.Json = False,
) -> None:
    """Write all curves as one table."""
    from dcrit.cli.training import check_writable_file
    from dcrit.empirics.store import check_export_name
    from dcrit.empirics.store import export as write

    opened = _open(store)
    with options.bad_input():
        check_export_name(out)
        check_writable_file(out)
        runs = list(opened.runs())
        out.parent.mkdir(parents=True, exist_ok=True)
        write(runs, out)
    if as_json:
        print_json({"file": str(out), "n_runs": len(runs)})
    else:
        say(f"{len(runs)} runs written to {out}")
