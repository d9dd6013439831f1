"""``dcrit runs``: what a store holds, whether it is sound, and a way out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import NOTE, print_json, say, table
from dcrit.cli.terminal.sentences import Branch
from dcrit.cli.terminal.session import session
from dcrit.empirics.study.recipe import Recipe
from dcrit.theory.problems.problem import Problem, label

app = typer.Typer(cls=Branch, help="What a store of runs holds: list, verify, export.", no_args_is_help=True)


class KindChoice(StrEnum):
    """Kinds of stored run."""

    runs = "runs"
    multitask = "multitask"
    dimensions = "dimensions"


#: Fields of a single network's problem.
_PROBLEM = tuple(one.name for one in fields(Problem))

#: Choices of how a module of a study is trained, and their defaults.
_RECIPE = {one.name: one.default for one in fields(Recipe)}


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} kB"


@app.command("list")
def list_runs(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Runs by problem and horizon: how many, at which sizes, with how many seeds, how many diverged, and their size.

    Then runs of several tasks, effective dimensionalities and runs of studies the same way; what is incomplete
    (temporary files, and checkpoints from which unfinished batches go on); and damaged files, those in their place and
    those set aside.
    """
    from dcrit.api.stores import list_runs as holdings_of

    with session():
        found = holdings_of(store)
    if as_json:
        print_json(found.to_dict())
        return
    for kind, rows in found.problems.items():
        if rows or kind == "runs":
            _show(str(store) if kind == "runs" else kind, rows)
    say(
        f"{found.n_runs()} runs, {found.n_runs('multitask')} multitask runs, "
        f"{found.n_runs('dimensions')} effective dimensionalities, {found.n_runs('studies')} runs of studies; "
        f"all files of {store}: {_size(found.n_bytes)}"
    )
    for kind, words in (("temporary", "temporary files"), ("checkpoint", "checkpoints")):
        if (left := found.incomplete[kind])["n_files"]:
            say(
                f"incomplete, {words}: {left['n_files']} of {_size(left['n_bytes'])}, "
                f"the oldest written {left['oldest_seconds'] / 60:.0f} minutes ago"
            )
    if found.damaged:
        say(f"damaged files, not used: {len(found.damaged)}; 'dcrit runs verify' says what is wrong with each")
    if aside := found.set_aside["n_files"]:
        say(f"damaged files, set aside before: {aside} of {_size(found.set_aside['n_bytes'])}")


def _of_study(row: Mapping[str, Any]) -> dict[str, object]:
    """What tells a study apart: hashes of module and data, classes, λ and η."""
    hashes = {name: row[name] for name in ("module", "data", "n_classes")}
    return {**hashes, "λ": row["weight_decay"], "η": row["learning_rate"]}


def _recipe(row: Mapping[str, Any]) -> str:
    """What else of a study's recipe is not the default."""
    others = [name for name in _RECIPE if name not in ("learning_rate", "weight_decay")]
    return ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in others if row[name] != _RECIPE[name])


def _show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """One row a problem and horizon; a single network's problem is told in a few words."""
    shown: list[dict[str, object]] = []
    for row in rows:
        several = {name: row[name] for name in _PROBLEM if name in row}
        problem: dict[str, object] = dict(several)
        if len(several) == len(_PROBLEM):
            one = Problem.from_dict(several)
            problem = {"problem": label(one), "λ": one.weight_decay, "η": one.learning_rate}
        elif "tasks" in row:
            problem = {**several, "tasks": ", ".join(row["tasks"])}
        elif "module" in row:
            problem = _of_study(row)
        rest = {name: value for name, value in row.items() if name not in (*_PROBLEM, *_RECIPE, "tasks", "n_bytes")}
        sizes = " – ".join(map(str, sorted(set(row["n_train"]))))
        counts = rest | {"n_train": sizes, "diverged": row.get("diverged") or None}
        shown.append({**problem, **counts, "size": _size(row["n_bytes"])})
        if "module" in row:
            shown[-1][NOTE] = _recipe(row) or None
    names = list(dict.fromkeys(name for row in shown for name in row)) or ["problem", "runs"]
    headings = {"n_train": "D", "steps": "T", "n_classes": "classes"}
    table(
        title,
        [headings.get(name, name.replace("_", " ")) for name in names],
        [[row.get(n) for n in names] for row in shown],
    )


@app.command("verify")
def verify(store: options.StoreFolder = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Check every file against its checksum; exit 1 if one is damaged. Damaged runs are made again when needed.

    Runs of single networks, of several tasks, and effective dimensionalities are each checked by what they hold.
    """
    from dcrit.api.stores import verify_runs

    with session():
        found = verify_runs(store)
    if as_json:
        print_json(found.to_dict())
    else:
        say(f"{found.n_files} sound files with {found.n_runs} runs, {found.n_stale} of another protocol or version")
        for path, reason in found.damaged.items():
            say(f"damaged: {path}: {reason}; its runs are made again when they are needed")
    if found.damaged:
        raise typer.Exit(1)


@app.command("export")
def export(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write, .csv or .parquet: the same table, one row an evaluation."),
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
    from dcrit.api.stores import export_runs

    with session():
        found = export_runs(out, kind=kind.value, tensorboard=tensorboard, store=store)
    if as_json:
        print_json(found.to_dict())
        return
    if out is not None:
        say(f"{found.n_runs} runs written to {out}, one row for {found.row}")
    if tensorboard is not None:
        say(
            f"{found.n_logged} runs logged, beside those logged before; to see them: tensorboard --logdir {tensorboard}"
        )
    if found.n_damaged:
        say(f"damaged files, left out: {found.n_damaged}; 'dcrit runs verify' says what is wrong with each")
