"""What a store of runs holds, whether it is sound, and a way out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from dcrit.api.answers import Statement
from dcrit.api.training import STORE
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError, check_choice

if TYPE_CHECKING:
    import polars as pl

    from dcrit.empirics.measures.beside import LeftOut
    from dcrit.empirics.runs.single import Run
    from dcrit.empirics.store.inventory import Group, Incomplete, StoredFile
    from dcrit.empirics.store.kinds import Store
    from dcrit.empirics.store.store import ParquetStore
    from dcrit.theory.problems.problem import Problem

    AnyStore = ParquetStore[Any, Any]

#: Kinds of stored run.
Kind = Literal["runs", "multitask", "dimensions"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: These, and the runs of studies, which hold whatever module and data somebody gave.
Held = Literal["runs", "multitask", "dimensions", "studies"]
HELD: tuple[Held, ...] = get_args(Held)


@dataclass(frozen=True, kw_only=True)
class Holdings(Statement):
    """What a store holds.

    Attributes:
        store: Its folder.
        n_bytes: All its files on the disk [bytes].
        problems: Runs by problem and horizon, for every kind; those of studies by module, data and recipe.
        incomplete: Temporary files, and checkpoints from which unfinished batches go on.
        damaged: Files that cannot be used, with reasons.
        set_aside: Damaged files that were found before.
    """

    store: Path
    n_bytes: int
    problems: Mapping[Held, Sequence[Mapping[str, Any]]]
    incomplete: Mapping[str, Mapping[str, Any]]
    damaged: Mapping[Path, str]
    set_aside: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"runs in {self.store}"

    def n_runs(self, kind: Held = "runs") -> int:
        """Stored runs of one kind."""
        return sum(row["runs"] for row in self.problems[kind])

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        others = {
            kind: {
                "n_runs": self.n_runs(kind),
                "n_bytes": sum(row["n_bytes"] for row in self.problems[kind]),
                "problems": self.problems[kind],
            }
            for kind in HELD
            if kind != "runs"
        }
        return {
            "store": str(self.store),
            "n_runs": self.n_runs(),
            "n_bytes": self.n_bytes,
            "problems": self.problems["runs"],
            **others,
            "incomplete": self.incomplete,
            "damaged": [{"file": str(path), "reason": reason} for path, reason in self.damaged.items()],
            "set_aside": self.set_aside,
        }

    def to_polars(self) -> pl.DataFrame:
        """One row a problem and horizon of single networks."""
        import polars as pl

        return pl.DataFrame(self.problems["runs"], infer_schema_length=None)


@hinting()
def list_runs(store: Path | str = STORE) -> Holdings:
    """Stored runs by problem and horizon: how many, at which sizes, with how many seeds, how many diverged.

    Runs of studies are told apart by hashes of module and data, and by how they are trained.

    Args:
        store: Folder of the runs.

    Raises:
        ValueError: It is no such folder.
    """
    from dcrit.empirics.store.inventory import DAMAGED, disk_use, files_in, incomplete_work

    opened = _open(Path(store))
    every = [one for stores in opened.values() for one in stores]
    problems: dict[Held, list[dict[str, Any]]] = {
        kind: [_row(group) for group in _groups(kind, stores)] for kind, stores in opened.items()
    }
    folders = list(dict.fromkeys(one.folder for one in every))
    incomplete = [one for folder in folders for one in incomplete_work(folder)]
    return Holdings(
        store=Path(store),
        n_bytes=disk_use(Path(store)),
        problems=problems,
        incomplete={kind: _total(_of_kind(incomplete, kind)) for kind in ("temporary", "checkpoint")},
        damaged={one.path: one.reason for each in every for one in each.damaged},
        set_aside=_total([one for folder in folders for one in files_in(folder / DAMAGED)]),
    )


@dataclass(frozen=True, kw_only=True)
class Soundness(Statement):
    """Whether files of a store are what they were when they were written.

    Attributes:
        store: Its folder.
        n_runs: Runs in sound files.
        n_files: Sound files.
        n_stale: Of another protocol or version.
        n_bytes: Sound files on the disk [bytes].
        damaged: Other files, with what is wrong with them; their runs are made again when they are needed.
    """

    store: Path
    n_runs: int
    n_files: int
    n_stale: int
    n_bytes: int
    damaged: Mapping[Path, str]

    @property
    def title(self) -> str:
        """What was found, in a few words."""
        return f"{self.store}: {self.n_files} sound files, {len(self.damaged)} damaged"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        numbers = {name: getattr(self, name) for name in ("n_runs", "n_files", "n_stale", "n_bytes")}
        return {
            "store": str(self.store),
            **numbers,
            "damaged": [{"file": str(path), "reason": reason} for path, reason in self.damaged.items()],
        }

    def to_polars(self) -> pl.DataFrame:
        """One row a damaged file."""
        import polars as pl

        return pl.DataFrame(self.to_dict()["damaged"], schema={"file": pl.String, "reason": pl.String})


@hinting()
def verify_runs(store: Path | str = STORE) -> Soundness:
    """Check every file of a store against its checksum.

    Args:
        store: Folder of the runs.

    Raises:
        ValueError: It is no such folder.
    """
    from dcrit.empirics.store.inventory import merged

    by_folder: dict[Path, list[Any]] = {}
    for one in chain.from_iterable(_open(Path(store)).values()):
        by_folder.setdefault(one.folder, []).append(one.inventory())
    parts = [merged(inventories) for inventories in by_folder.values()]
    numbers = {name: sum(getattr(part, name) for part in parts) for name in ("n_runs", "n_files", "n_stale", "n_bytes")}
    damaged = {one.path: one.reason for part in parts for one in part.damaged}
    return Soundness(store=Path(store), damaged=damaged, **numbers)


@dataclass(frozen=True, kw_only=True)
class Exported(Statement):
    """What was written of a store.

    Attributes:
        file: The table; None where none was asked for.
        row: What a row of it is.
        n_runs: Runs in it.
        tensorboard: Folder that curves were logged to; None where it was not asked for.
        n_logged: Runs logged there, beside those logged before.
        n_damaged: Damaged files, left out.
    """

    file: Path | None
    row: str
    n_runs: int
    tensorboard: Path | None
    n_logged: int
    n_damaged: int

    @property
    def title(self) -> str:
        """What was written, in a few words."""
        return f"{self.n_runs} runs written, {self.n_logged} logged"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {
            "file": None if self.file is None else str(self.file),
            "n_runs": self.n_runs,
            "tensorboard": None if self.tensorboard is None else str(self.tensorboard),
            "n_logged": self.n_logged,
            "n_damaged": self.n_damaged,
        }

    def to_polars(self) -> pl.DataFrame:
        """One row."""
        import polars as pl

        return pl.DataFrame([self.to_dict()])


@hinting()
def export_runs(
    out: Path | str | None = None,
    *,
    kind: Kind = "runs",
    tensorboard: Path | str | None = None,
    store: Path | str = STORE,
) -> Exported:
    """Write all curves of a store as one table, for TensorBoard, or both; memory does not grow with the runs.

    Args:
        out: File to write, .csv or .parquet; None for none.
        kind: ``runs`` of single networks, one row an evaluation; ``multitask``, one row an evaluation and task;
            ``dimensions``, effective dimensionalities, one row a network.
        tensorboard: Folder to log the curves to; None for none.
        store: Folder of the runs.

    Raises:
        ValueError: A value is not allowed, or something cannot be written.
    """
    from dcrit.empirics.store import export as tables
    from dcrit.empirics.store.tensorboard import check_tensorboard, log_curves
    from dcrit.empirics.store.whole_files import check_writable_file

    check_choice("kind", kind, KINDS)
    file, logs = (None if path is None else Path(path) for path in (out, tensorboard))
    stores = _open(Path(store), [kind])[kind]
    form = {"runs": tables.RUNS, "multitask": tables.MULTITASK, "dimensions": tables.DIMENSIONS}[kind]
    n_runs = n_logged = 0
    if file is None and logs is None:
        needed = Advice("be a file that ends in .csv or .parquet where ", Setting("tensorboard"), " is not given")
        raise FieldError("out", needed, "none")
    if logs is not None and kind != "runs":
        why = "only runs of single networks are logged"
        raise FieldError("tensorboard", Advice("be left out for ", Setting("kind", kind)), logs, why=why)
    if file is not None:
        tables.check_export_name(file)
        check_writable_file(file)
    if logs is not None:
        check_tensorboard(logs)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        n_runs = tables.export(chain.from_iterable(one.runs() for one in stores), file, form)
    if logs is not None:
        n_logged = log_curves(stores[0].runs(), logs)
    return Exported(
        file=file,
        row=form.row,
        n_runs=n_runs,
        tensorboard=logs,
        n_logged=n_logged,
        n_damaged=len({one.path for each in stores for one in each.damaged}),
    )


def stored_runs_of(store: Path | str) -> Store:
    """The store of runs of single networks in a folder.

    Raises:
        ValueError: It is no such folder.
    """
    from dcrit.empirics.store.kinds import Store

    (opened,) = _open(Path(store), ("runs",))["runs"]
    assert isinstance(opened, Store)
    return opened


def runs_beside(
    store: Store, problem: Problem, *, horizon: int, n_train: int | None = None
) -> tuple[list[Run], list[LeftOut]]:
    """Stored runs that may lie over a prediction for a problem at any width, and why others may not.

    Args:
        store: Where they are kept.
        problem: Its width plays no part.
        horizon: T [steps].
        n_train: D; None for any [examples].
    """
    from dcrit.empirics.measures.beside import choose

    kept, left_out = choose(store.headings(), problem, horizon=horizon, n_train=n_train)
    return list(store.find([one.config for one in kept]).values()), left_out


def _open(folder: Path, kinds: Sequence[Held] = HELD) -> dict[Held, list[AnyStore]]:
    """Stores of some kinds in a folder and the folders within; those that are not there take no time."""
    from dcrit.empirics.store.kinds import DIMENSIONS_FOLDER, MULTITASK_FOLDER, STUDIES_FOLDER, Store

    if not folder.is_dir():
        raise FieldError("store", "be a folder that holds runs", folder, why="'dcrit train' makes one")
    singles = Store(folder)
    several: list[AnyStore] = []
    dimensions: list[AnyStore] = []
    within = (folder / MULTITASK_FOLDER).is_dir()
    if "multitask" in kinds and (within or singles.strange):
        from dcrit.empirics.store.kinds import MultitaskStore

        # Runs of several tasks may lie beside runs of single networks.
        several += [MultitaskStore(folder)] if singles.strange else []
        several += [MultitaskStore(folder / MULTITASK_FOLDER)] if within else []
    if "dimensions" in kinds and (folder / DIMENSIONS_FOLDER).is_dir():
        from dcrit.empirics.store.kinds import DimensionStore

        dimensions.append(DimensionStore(folder / DIMENSIONS_FOLDER))
    studies: list[AnyStore] = []
    if "studies" in kinds and (folder / STUDIES_FOLDER).is_dir():
        from dcrit.empirics.study.kept import StudyStore

        studies.append(StudyStore(folder / STUDIES_FOLDER))
    return {"runs": [singles], "multitask": several, "dimensions": dimensions, "studies": studies}


def _groups(kind: Held, stores: Sequence[AnyStore]) -> list[Group]:
    from dcrit.empirics.store import inventory

    if kind == "studies":
        if not stores:
            return []
        from dcrit.empirics.study.kept import describe_study

        return inventory.grouped(chain.from_iterable(store.headings() for store in stores), describe_study)
    describe = {
        "runs": inventory.describe_run,
        "multitask": inventory.describe_multitask,
        "dimensions": inventory.describe_dimension,
    }
    return inventory.grouped(chain.from_iterable(store.headings() for store in stores), describe[kind])


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


def _of_kind(incomplete: Sequence[Incomplete], kind: str) -> list[Incomplete]:
    return [one for one in incomplete if one.kind == kind]
