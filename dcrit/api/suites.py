"""The claims of a suite: what they take, their verdicts, and pictures of their runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from dcrit.api.answers import Answer, Statement, axes_of, finished
from dcrit.api.horizons import steps_of
from dcrit.api.training import STORE, MachineOptions, laboratory_of, machine_names
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError, check_choice, check_integer, no_choice
from dcrit.theory.problems.problem import Problem, full_label

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dcrit.empirics.claims.claim import Record, Verdict
    from dcrit.empirics.claims.frames import AnyStream
    from dcrit.empirics.claims.suites import Suite
    from dcrit.empirics.experiments.experiment import SuiteName
    from dcrit.empirics.experiments.size_grid import Plane
    from dcrit.empirics.training.budget import Speed
    from dcrit.empirics.training.work import Stage, Work
    from dcrit.figures.drawing.figure import FigureSpec
    from dcrit.theory.calibrations.calibration import Calibration

#: Numbers of workers that times are told for, beside the number of this machine's.
WORKERS = (1, 8, 64, 512)


@dataclass(frozen=True, kw_only=True)
class Validation(Answer):
    """Verdicts on the claims of a suite.

    Attributes:
        suite: What was judged.
        verdicts: One a claim.
        calibrations: Constants of the predictions beside published numbers.
        budget_minutes: Time that the runs were given; None for as long as they took [minutes].
        seconds: That it took; runs that were stored before took none of them [s].
        records: Evidence on every stream of runs, also of claims that were not asked for where it was given.
        n_stored: How many of the runs behind the verdicts were made before.
    """

    suite: Suite
    verdicts: Sequence[Verdict]
    calibrations: Sequence[Calibration]
    budget_minutes: float | None
    seconds: float
    records: Mapping[AnyStream, Record]
    n_stored: int

    @property
    def title(self) -> str:
        """What was judged, in a few words."""
        return f"suite {self.suite.name}: {len(self.verdicts)} claims"

    @property
    def rulings(self) -> dict[str, str]:
        """Ruling by claim."""
        return {one.claim.id: one.ruling for one in self.verdicts}

    def to_dict(self) -> dict[str, Any]:
        """Every verdict with its numbers, as JSON values."""
        from dcrit.empirics.claims.claim import verdict_json

        return {"suite": self.suite.name, "claims": [verdict_json(one) for one in self.verdicts]}

    def to_polars(self) -> pl.DataFrame:
        """One row a claim."""
        import polars as pl

        columns = ("measured", "verdict", "alone", "e_holds", "e_fails", "n_runs", "n_left_out", "reason")
        rows = [
            {
                "claim": one["id"],
                "claimed low": one["claimed"]["low"],
                "claimed high": one["claimed"]["high"],
                "low": one["interval"]["low"],
                "high": one["interval"]["high"],
                **{name: one[name] for name in columns},
            }
            for one in self.to_dict()["claims"]
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def report(self) -> dict[str, Any]:
        """Everything that the report says, as JSON values."""
        from dcrit.api.report.document import document_of

        return document_of(
            self.suite,
            self.verdicts,
            self.calibrations,
            seconds=self.seconds,
            n_stored=self.n_stored,
            budget_minutes=self.budget_minutes,
        )

    def write(self, folder: Path | str) -> dict[str, Path]:
        """Write the report, as JSON, Markdown and HTML, its pictures in ``figures``, and ``evidence.json``.

        Args:
            folder: Where to.

        Returns:
            The three files by their suffix.

        Raises:
            ValueError: The folder cannot be written.
        """
        from dcrit.api.report.document import write_report
        from dcrit.api.report.pictures import save_all
        from dcrit.empirics.claims.kept import evidence_text
        from dcrit.empirics.store.whole_files import check_writable_folder, write_whole

        folder = Path(folder)
        check_writable_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "evidence.json", evidence_text(self.records).encode())
        pictures = save_all(self.verdicts, folder / "figures", self.calibrations)
        vector = {name: next(path for path in paths if path.suffix == ".svg") for name, paths in pictures.items()}
        return write_report(self.report(), folder, vector)

    def figure(self, claim: str) -> Figure:
        """Estimates and confidence sequences of a claim beside what it claims.

        Raises:
            ValueError: It was not judged.
        """
        from dcrit.figures.measured.verdict import draw

        found = {one.claim.id: one.finding for one in self.verdicts}
        if claim not in found:
            raise no_choice("claim", claim, found)
        return draw(found[claim].rows())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how many claims are supported, refuted and undecided, and which."""
        from dcrit.figures.measured.rulings import draw_rulings

        ax = axes_of(ax)
        draw_rulings(ax, self.rulings)
        return finished(ax, self.title)


@hinting(more=machine_names)
def validate(
    suite: SuiteName = "quick",
    *,
    claims: Sequence[str] = (),
    budget: float | None = None,
    store: Path | str = STORE,
    evidence: Path | str | None = None,
    note: Callable[[str], None] = lambda _: None,
    **machine: Unpack[MachineOptions],
) -> Validation:
    """Train real networks, compare them with the theory, and give a verdict on every claim of a suite.

    Args:
        suite: ``quick``, ``standard`` or ``paper``.
        claims: Ids of the claims to judge; none for all.
        budget: Time for fresh runs, of the undecided claims nearest to a verdict first [minutes]; None for the
            suite's own. Called again, more runs are added to those that are stored.
        store: Folder in which runs are kept; what is there is not trained again.
        evidence: File ``evidence.json`` that an earlier validation wrote, to go on from: its runs are not needed.
        note: Told how long it may take, and what each round makes, in words.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, the folder cannot be written, or the file is no evidence.
    """
    from dcrit.empirics.claims.suites import (
        SUITE_NAMES,
        budget_of,
        gather,
        judge,
        minutes_of,
        select,
        stored_runs,
        suite_of,
    )

    began = time.monotonic()
    check_choice("suite", suite, SUITE_NAMES)
    whole = suite_of(suite)
    chosen = select(whole, tuple(claims))
    known = {} if evidence is None else _known(Path(evidence), whole, note)
    workers = machine.get("workers", 0)
    minutes = minutes_of(suite, budget, workers=workers, address=machine.get("address"))
    limited = budget_of(minutes, workers)
    if limited is not None:
        rate = f"{limited.speed.rate / 1e9:.3g} GFLOP/s"
        note(f"budget {minutes:g} minutes on {limited.workers} workers at {rate} each")
    with laboratory_of(store, machine) as laboratory:
        before = stored_runs(chosen, laboratory) | {run for one in known.values() for run in one.seconds_by_run}
        records = known | gather(chosen, laboratory, begin=note, budget=limited, known=known)
    verdicts = judge(chosen, records)
    behind = {run for one in verdicts for run in one.finding.seconds_by_run}
    return Validation(
        suite=chosen,
        verdicts=verdicts,
        calibrations=laboratory.calibrations,
        budget_minutes=None if limited is None else minutes,
        seconds=time.monotonic() - began,
        records=records,
        n_stored=len(before & behind),
    )


def _known(path: Path, suite: Suite, note: Callable[[str], None]) -> dict[AnyStream, Record]:
    """What a file of evidence says of a suite."""
    from dcrit.empirics.claims.kept import MOST_BYTES, evidence_from
    from dcrit.theory.calibrations.bounded_files import read_bounded

    known, others = evidence_from(read_bounded(path, "evidence", MOST_BYTES), suite.streams)
    runs = len({run for record in known.values() for run in record.seconds_by_run})
    note(f"going on from {runs} runs in {path}")
    if others:
        note(f"evidence on {others} kinds of runs in {path} belongs to no claim of suite {suite.name}, and is left out")
    return known


@dataclass(frozen=True, kw_only=True)
class Plan(Statement):
    """What training takes at most.

    Attributes:
        asked: What is planned, in a few words.
        works: By the claim, or what else is planned.
        speed: Of one worker.
        rate_measured: Whether that was measured here, or given.
        workers_here: Workers that this machine has room for.
        walls: Time until the last of some workers ends, by their number [s].
        plane: Widths and training-set sizes of a plane, which :func:`dcrit.train` takes; None for a suite.
    """

    asked: str
    works: Mapping[str, Work]
    speed: Speed
    rate_measured: bool
    workers_here: int
    walls: Mapping[int, float]
    plane: Plane | None = None

    @property
    def title(self) -> str:
        """What is planned, in a few words."""
        return self.asked

    @property
    def total(self) -> Work:
        """All of them."""
        from dcrit.empirics.training.work import Work

        return sum(self.works.values(), Work())

    def bytes_of_worker(self, work: Work) -> int:
        """Memory of a worker: of a process where it is one, of the accelerator there [bytes]."""
        from dcrit.empirics.training.work import PROCESS_BYTES

        return work.bytes_held + (PROCESS_BYTES if self.speed.device == "cpu" else 0)

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {
            "plan": self.asked,
            "device": self.speed.device,
            "rate": self.speed.rate,
            "rate_measured": self.rate_measured,
            "workers_here": self.workers_here,
            "experiments": [{"name": name} | self._fields(work) for name, work in self.works.items()],
            "total": self._fields(self.total),
            "wall": [{"workers": n, "seconds": seconds} for n, seconds in self.walls.items()],
            "widths": None if self.plane is None else list(self.plane.widths),
            "n_train": None if self.plane is None else list(self.plane.sizes),
        }

    def to_polars(self) -> pl.DataFrame:
        """One row an experiment."""
        import polars as pl

        return pl.DataFrame(self.to_dict()["experiments"], infer_schema_length=None)

    def _fields(self, work: Work) -> dict[str, Any]:
        return asdict(work) | {"seconds": self.speed.seconds(work), "bytes_of_worker": self.bytes_of_worker(work)}


@hinting()
def plan(
    suite: SuiteName = "quick",
    *,
    claims: Sequence[str] = (),
    workers: Sequence[int] = (),
    device: str = "auto",
    rate: float | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Plan:
    """What a suite takes at most: runs, FLOPs, bytes and hours.

    Args:
        suite: ``quick``, ``standard`` or ``paper``.
        claims: Ids of the claims to plan for; none for all.
        workers: Numbers of workers to tell the time for; none for 1, those of this machine, 8, 64 and 512.
        device: ``auto``, ``cpu`` or ``cuda``.
        rate: What one worker does in a second; None to measure it here, which takes seconds [FLOP/s].
        note: Told what is measured, in words.

    Raises:
        ValueError: A value is out of range.
    """
    from dcrit.empirics.claims.suites import SUITE_NAMES, select, suite_of

    check_choice("suite", suite, SUITE_NAMES)
    chosen = select(suite_of(suite), tuple(claims))
    return _planned(f"suite {suite}", chosen.stages(), workers=workers, device=device, rate=rate, note=note)


@hinting(problem=Problem)
def plan_phase_diagram(
    problem: Problem,
    *,
    points: int = 20,
    min_width: int = 4,
    max_width: int = 128,
    min_n_train: int | None = None,
    max_n_train: int | None = None,
    seeds: int = 3,
    steps: int = 0,
    horizon: int | None = None,
    workers: Sequence[int] = (),
    device: str = "auto",
    rate: float | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Plan:
    """What real training of a whole plane takes at most: widths by sizes by seeds.

    Args:
        problem: Its width is replaced.
        points: Widths, and sizes, at most; both evenly spaced in their logarithms.
        min_width: First width.
        max_width: Last width.
        min_n_train: First training-set size; None for 3 % of all pairs [examples].
        max_n_train: Last one; None for 95 % of all pairs [examples].
        seeds: Runs per point, at least 2.
        steps: How long each run is trained, its horizon [steps]; 0 for the protocol's 40/(ηλ).
        horizon: T, another name for steps; None where it is not given [steps].
        workers: As for :func:`plan`.
        device: As for :func:`plan`.
        rate: As for :func:`plan` [FLOP/s].
        note: As for :func:`plan`.

    Raises:
        ValueError: A value is out of range.
    """
    from dcrit.empirics.experiments.size_grid import GridDesign, plane_of, stages

    first = max(1, round(0.03 * problem.n_pairs)) if min_n_train is None else min_n_train
    last = max(first + 1, round(0.95 * problem.n_pairs)) if max_n_train is None else max_n_train
    widths, sizes, steps = (min_width, max_width), (first, last), steps_of(steps, horizon)
    plane = plane_of(problem, points=points, widths=widths, sizes=sizes, seeds=seeds, steps=steps)
    title = f"phase diagram of {full_label(problem, width=False)}"
    found = _planned(
        title, {"plane": stages(GridDesign(planes=(plane,)))}, workers=workers, device=device, rate=rate, note=note
    )
    return replace(found, plane=plane)


def _planned(
    title: str,
    stages: Mapping[str, Sequence[Stage]],
    *,
    workers: Sequence[int],
    device: str,
    rate: float | None,
    note: Callable[[str], None],
) -> Plan:
    from dcrit.empirics.training.work import Work, work_of

    speed, here = _speed(device, rate, workers, note)
    works = {name: work_of(own, speed.device) for name, own in stages.items()}
    total = sum(works.values(), Work())
    walls = {n: speed.seconds(total, n) for n in workers or sorted({*WORKERS, here})}
    return Plan(asked=title, works=works, speed=speed, rate_measured=rate is None, workers_here=here, walls=walls)


def _speed(device: str, rate: float | None, workers: Sequence[int], note: Callable[[str], None]) -> tuple[Speed, int]:
    """Speed of one worker, and how many this machine has; only measured where no rate is given."""
    from dcrit.empirics.training.budget import Speed
    from dcrit.empirics.training.executor import usable_cores

    for n in workers:
        check_integer("workers", n, 1)
    if rate is not None:
        name = "cpu" if device == "auto" else device
        return Speed(device=name, rate=rate), usable_cores() if name == "cpu" else 1
    from dcrit.empirics.training.devices import resolve_device
    from dcrit.empirics.training.speed import measure_speed

    name = resolve_device(device)
    here = usable_cores() if name == "cpu" else 1
    note(f"measuring how fast {here} worker{'s train' if here > 1 else ' trains'} here")
    return measure_speed(name, here), here


@dataclass(frozen=True, kw_only=True)
class FigureList(Statement):
    """The comparison figures that can be drawn.

    Attributes:
        figures: One entry a figure: its name, what it shows, its experiment, and the suites that make it.
    """

    figures: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"{len(self.figures)} figures"

    def to_dict(self) -> dict[str, Any]:
        """All of them, as JSON values."""
        return {"figures": list(self.figures)}

    def to_polars(self) -> pl.DataFrame:
        """One row a figure."""
        import polars as pl

        return pl.DataFrame([{**one, "suites": ", ".join(one["suites"])} for one in self.figures])


@hinting()
def list_figures() -> FigureList:
    """Every comparison figure, the main result first."""
    from dcrit.figures import FIGURES

    figures = [
        {
            "name": spec.name,
            "title": spec.title,
            "experiment": spec.experiment.name,
            "suites": list(spec.experiment.designs),
        }
        for spec in FIGURES.values()
    ]
    return FigureList(figures=figures)


@dataclass(frozen=True, kw_only=True)
class Drawing(Statement):
    """A comparison figure of stored runs; it has several axes, so it is a whole figure.

    Attributes:
        spec: What it shows.
        evidence: What its experiment found in the runs.
        files: Where it was written.
    """

    spec: FigureSpec[Any]
    evidence: Any
    files: Sequence[Path]

    @property
    def title(self) -> str:
        """What it shows, in a few words."""
        return self.spec.title

    @property
    def caption(self) -> str:
        """What a reader needs to read it."""
        return self.spec.caption

    def figure(self) -> Figure:
        """The figure, drawn anew."""
        return self.spec.draw(self.evidence)

    def to_dict(self) -> dict[str, Any]:
        """Where it was written, as JSON values."""
        return {"files": [str(path) for path in self.files]}

    def to_polars(self) -> pl.DataFrame:
        """One row: its name, what it shows and its caption."""
        import polars as pl

        return pl.DataFrame([{"name": self.spec.name, "title": self.title, "caption": self.caption}])


@hinting(more=machine_names)
def figure(
    name: str,
    *,
    suite: SuiteName = "quick",
    store: Path | str | None = None,
    out: Path | str | None = None,
    train: bool = False,
    **machine: Unpack[MachineOptions],
) -> Drawing:
    """A comparison figure from the runs of its experiment.

    Args:
        name: As :func:`list_figures` has it.
        suite: Whose design of the experiment is drawn.
        store: Folder of the runs; None for where ``dcrit validate`` keeps those of the suite.
        out: Folder that it is written to, as PNG and SVG; None for none.
        train: Whether runs that the store lacks are trained.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is not allowed, or the store lacks runs that may not be trained.
    """
    from dcrit.empirics.experiments.laboratory import LackingRunsError, open_runs
    from dcrit.empirics.store.whole_files import check_writable_folder
    from dcrit.figures import FIGURES

    if name not in FIGURES:
        raise no_choice("name", name, FIGURES)
    spec = FIGURES[name]
    if suite not in spec.experiment.designs:
        raise no_choice("suite", suite, spec.experiment.designs, among=f" for figure {name}")
    folder = Path("validation") / suite / "runs" if store is None else Path(store)
    made = f"'dcrit figure {name} --suite {suite} --train' makes them"
    if not train and not folder.is_dir():
        raise FieldError("store", f"be a folder with the runs of figure {name!r}", folder, why=made)
    if out is not None:
        check_writable_folder(Path(out))
    try:
        with laboratory_of(folder, machine) if train else open_runs(folder, may_train=False) as laboratory:
            evidence = spec.experiment.measure(spec.experiment.designs[suite], laboratory)
    except LackingRunsError as error:
        why = "; ".join(filter(None, [error.why, made]))
        raise FieldError(error.field, error.allowed, error.got, why=why) from error
    files: Sequence[Path] = ()
    if out is not None:
        from dcrit.api.report.pictures import save

        files = save(spec, evidence, Path(out))
    return Drawing(spec=spec, evidence=evidence, files=files)
