"""Your own model and data, and your own training curves."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcrit.api.answers import Answer, Sized, axes_of, finished, table_of
from dcrit.api.horizons import steps_of
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError
from dcrit.theory.written import number, span

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from dcrit.empirics.curves.classify import Classification as Named
    from dcrit.empirics.curves.curve_files import CurveFile
    from dcrit.empirics.study.design import StudyDesign
    from dcrit.empirics.study.module_runs import Factory
    from dcrit.empirics.study.result import StudyResult
    from dcrit.theory.estimates import Estimate


@dataclass(frozen=True, kw_only=True)
class Study(Sized):
    """What was found of somebody's own model and data.

    Attributes:
        result: Estimates, efficiencies and runs.
    """

    result: StudyResult

    @property
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""
        return self.result.measured

    @property
    def _at(self) -> str:
        design = self.result.design
        return f" (η = {number(design.learning_rate)}, λ = {number(design.weight_decay)})"

    @property
    def predicted(self) -> Estimate:
        """Critical size that efficiencies imply; no run across the transition enters."""
        return self.result.predicted

    @property
    def title(self) -> str:
        """What was studied, in a few words."""
        return f"study: {self.result.n_params} parameters, {self.result.n_examples} examples"

    def to_dict(self) -> dict[str, Any]:
        """All but the single runs, as JSON values."""
        return self.result.to_dict()

    def to_polars(self) -> pl.DataFrame:
        """One row a quantity."""
        return table_of({one.quantity: one for one in self.result.estimates()})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw test accuracy over training-set size, with the measured and the predicted critical size."""
        from dcrit.figures.measured.study import draw_study

        ax, sizes = axes_of(ax), (self.predicted, self.size)
        draw_study(ax, self.result)
        return finished(ax, self.title, ", ".join(map(_numbers, ("predicted", "measured"), sizes)))


def _numbers(what: str, size: Estimate) -> str:
    """A critical size with its interval, in a few words."""
    if size.value is None:
        return f"{what}: none"
    interval = size.interval
    return f"{what} {number(size.value)}{'' if interval is None else f' ({span(interval.low, interval.high)})'}"


def choice_names() -> Iterable[str]:
    """What a study can be told of its runs."""
    from dcrit.empirics.study.design import StudyDesign

    return [*(one.name for one in fields(StudyDesign)), "horizon"]


@hinting(more=choice_names)
def study(
    factory: Factory,
    inputs: ArrayLike,
    labels: ArrayLike,
    design: StudyDesign | None = None,
    *,
    store: Path | str | None = None,
    **choices: Any,
) -> Study:
    """Train anybody's model on anybody's data, on real and on random labels; predict its critical size and measure it.

    Sizes are chosen where none are given. What the study costs is timed first: above ``budget_minutes`` it is refused.
    First runs tell whether it can predict; if not, it says so at once, and measures.

    Args:
        factory: Makes a new torch module from a seed; its logits have shape (n, C).
        inputs: (n, …) all examples, as tensor or array.
        labels: (n,) their classes, as tensor or array.
        design: Which runs to make; None to have them chosen.
        store: Folder in which finished runs are kept: the same call, or one with more runs, takes them from there.
            None to keep nothing.
        **choices: Fields of :class:`~dcrit.empirics.study.design.StudyDesign`, where no design is given; ``horizon``
            is another name for its ``steps``.

    Raises:
        ValueError: Module, data, design and store do not fit together, or the study would take longer than it may.
        StoreWriteError: A finished run cannot be kept.
    """
    from dcrit.empirics.study.design import StudyDesign
    from dcrit.empirics.study.module_runs import as_examples, check_labels
    from dcrit.empirics.study.study import study as study_of

    if design is None:
        classes = as_examples(inputs, labels)[1]
        check_labels(classes)
        least, most = (int(classes.min()), int(classes.max())) if classes.numel() else (0, 1)
        if least > 0 and "n_classes" not in choices:
            more = Setting("n_classes", most + 1)
            why = Advice(f"give labels - {least}, or ", more, " where there is a class 0 that does not occur")
            raise FieldError("labels", "count classes from 0", f"{least} to {most}", why=why)
        length = steps_of(choices.pop("steps", 0), choices.pop("horizon", None))
        choices |= {"steps": length} if length else {}
        choices.setdefault("n_classes", max(2, most + 1))
        design = StudyDesign(**choices)
    elif choices:
        raise ValueError(f"design must be left out beside {', '.join(choices)}, got both")
    return Study(result=study_of(factory, inputs, labels, design, store=store))


#: What a file of one's own model and data defines, in the order in which :func:`study` takes it.
DEFINED = ("factory", "inputs", "labels")


def model_and_data(file: Path | str) -> tuple[Factory, ArrayLike, ArrayLike]:
    """What a Python file defines for :func:`study`: ``factory``, ``inputs`` and ``labels``.

    The file is run, with its own folder first among those that modules are imported from.

    Args:
        file: Its path.

    Raises:
        ValueError: There is no such file, it fails as it runs, or it lacks one of the three.
    """
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        raise FieldError("file", "be a Python file that exists, ending in .py", str(path))
    before = list(sys.path)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        found = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
        where = f" in line {lines[-1]}" if lines else ""
        why = f"{type(error).__name__}{where}: {error}"
        raise FieldError("file", "be a Python file that runs to its end", str(path), why=why) from error
    finally:
        sys.path[:] = before
    if lacking := [name for name in DEFINED if name not in found]:
        raise FieldError(
            "file", f"define {', '.join(DEFINED)}", str(path), why=f"{' and '.join(lacking)} are not defined in it"
        )
    factory, inputs, labels = (found[name] for name in DEFINED)
    return factory, inputs, labels


@dataclass(frozen=True, kw_only=True)
class Classification(Answer):
    """The dynamics that training curves show, run by run.

    Attributes:
        files: Where the curves came from; none for a table.
        curves: The curves as they were read.
        runs: One verdict a run, each with its reasons.
    """

    files: tuple[Path, ...]
    curves: CurveFile
    runs: Sequence[Named]

    @property
    def title(self) -> str:
        """What was classified, in a few words."""
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        shown = self.runs[0].dynamics if len(self.runs) == 1 else "dynamics"
        return f"{shown}: {self.files[0] if self.files else 'a table'}{more}"

    @property
    def dynamics(self) -> list[str]:
        """What each run shows, in the field's words."""
        return [one.dynamics for one in self.runs]

    def to_dict(self) -> dict[str, Any]:
        """Verdicts and reasons, as JSON values."""
        return {
            "file": str(self.files[0]) if len(self.files) == 1 else None,
            "files": [str(one) for one in self.files],
            "columns": dict(self.curves.columns),
            "notes": list(self.curves.notes),
            "runs": [one.to_dict() for one in self.runs],
        }

    def to_polars(self) -> pl.DataFrame:
        """One row a run."""
        import polars as pl

        rows = [
            {
                "run": one.run,
                "dynamics": one.dynamics,
                "train_accuracy": one.settled.get("train_accuracy"),
                "test_accuracy": one.settled.get("test_accuracy"),
                "memorized_at": one.events.memorized_at,
                "generalized_at": one.events.generalized_at,
                "delay": one.events.delay,
                "because": "; ".join(one.reasons),
            }
            for one in self.runs
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curves, each named by what it shows, and the events that this rests on."""
        from dcrit.figures.measured.curves import draw_curves

        ax = axes_of(ax)
        draw_curves(ax, self.curves.runs, self.runs, unit=self.curves.unit, column=self.curves.columns.get("step"))
        return finished(ax, self.title)


@hinting()
def classify(
    source: Path | str | Sequence[Path | str] | pl.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Any,
    *,
    columns: Mapping[str, str] | None = None,
    run: Sequence[str] = (),
    n_classes: int | None = None,
    ceiling: float | None = None,
    missing: Sequence[float] = (),
) -> Classification:
    """Name the dynamics in training curves, with reasons, or say that none can be told.

    Args:
        source: A file of any format that is known, several of them, or a table (polars, pandas, a mapping of columns
            to values, a list of records), one row an evaluation.
        columns: Columns by field (``step``, ``train_accuracy``, …) where matching by name should not decide.
        run: Columns that together tell runs apart.
        n_classes: C; levels then count from chance, and losses are taken as mean cross-entropies in nats.
        ceiling: Best possible test accuracy; None to take 1, or a level at which test accuracy rests.
        missing: Values that stand where nothing was measured, such as -1.

    Raises:
        ValueError: The source cannot be read, or lacks a column.
    """
    from dcrit.empirics.curves.classify import classify as dynamics_of
    from dcrit.empirics.curves.curve_files import curves_of, read_curves
    from dcrit.empirics.curves.settling import Thresholds

    Thresholds.for_classes(n_classes, 1.0 if ceiling is None else ceiling)  # what is refused is refused before reading
    paths = _paths(source)
    read = read_curves(paths, columns, run, missing) if paths else curves_of(_frame(source), columns, run, missing)
    return Classification(
        files=paths,
        curves=read,
        runs=[dynamics_of(one, n_classes=n_classes, ceiling=ceiling) for one in read.runs],
    )


def _paths(source: Any) -> tuple[Path, ...]:
    """The files that a source names; none where it is a table."""
    if isinstance(source, str | Path):
        return (Path(source),)
    if isinstance(source, list | tuple) and source and all(isinstance(one, str | Path) for one in source):
        return tuple(map(Path, source))
    return ()


def _frame(source: Any) -> pl.DataFrame:
    """A table from whatever holds columns or records.

    Raises:
        ValueError: It holds neither.
    """
    import numpy as np
    import polars as pl

    from dcrit.empirics.curves.json_tables import table_of_values

    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, Mapping) and all(np.ndim(one) == 1 and len(one) for one in source.values()):
        source = {str(name): np.asarray(one).tolist() for name, one in source.items()}
    if isinstance(source, Mapping | list | tuple):
        return table_of_values(source).frame
    names = getattr(source, "columns", None)
    if names is None:
        raise FieldError(
            "source", "be files, a table, a mapping of columns or a list of records", type(source).__name__
        )
    index = getattr(source, "index", None)
    columns = {str(name): source[name].to_numpy().tolist() for name in names}
    if index is not None and getattr(index, "name", None):  # pandas keeps steps there when it was asked to
        columns = {str(index.name): index.to_numpy().tolist()} | columns
    return table_of_values(columns).frame
