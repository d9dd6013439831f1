"""Figures of the literature: what is known of each, how long its counterpart takes, and the counterpart itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from dcrit.api.answers import Statement
from dcrit.api.costs import CORE, measured_time_of, seconds_on_one_core
from dcrit.api.training import MachineOptions, laboratory_of
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.checks import no_choice
from dcrit.theory.literature.figures import (
    LiteratureFigure,
    difference,
    literature_figures,
    quick_variant,
    with_seeds,
)

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

    from dcrit.api.double_descent import LaidOver
    from dcrit.empirics.experiments.literature import PanelRuns
    from dcrit.empirics.training.work import Trained
    from dcrit.theory.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class LiteratureList(Statement):
    """Every figure of the literature that has a counterpart here.

    Attributes:
        figures: One entry a figure: name, source, what the paper shows, what should be seen here, its command,
            whether a prediction is drawn in it, and runs, FLOPs and minutes on one core.
    """

    figures: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"{len(self.figures)} figures of the literature"

    def to_dict(self) -> dict[str, Any]:
        """All of them, as JSON values."""
        return {"core": CORE, "figures": list(self.figures)}

    def to_polars(self) -> pl.DataFrame:
        """One row a figure."""
        import polars as pl

        return pl.DataFrame(list(self.figures))


def list_literature() -> LiteratureList:
    """Every figure of the literature that has a counterpart here, with what it takes on one core."""
    from dcrit.api.report.bibliography import reference
    from dcrit.empirics.experiments.literature import configs_of_figure, has_prediction, stages
    from dcrit.empirics.training.work import work_of

    entries: list[Mapping[str, Any]] = []
    for one in literature_figures():
        work = work_of(stages(one))
        source = reference(one.source)
        entries.append(
            {
                "name": one.name,
                "source": source.text,
                "link": source.link,
                "shows": one.shows,
                "expected": one.expected,
                "blind": one.blind,
                "command": f"dcrit reproduce {one.name}",
                "predicted": has_prediction(one, shipped_calibrations()),
                "runs": len(configs_of_figure(one)),
                "flops": work.flops,
                "minutes": seconds_on_one_core(stages(one)) / 60,
            }
        )
    return LiteratureList(figures=entries)


@dataclass(frozen=True, kw_only=True)
class OverWidth:
    """A curve of a figure over model size, beside what was predicted of it.

    Attributes:
        label: Of the curve.
        problem: What was trained; its width plays no part.
        n_train: D [examples].
        horizon: T [steps].
        laid: Its runs over the prediction, and whether both show a dip.
    """

    label: str
    problem: Problem
    n_train: int
    horizon: int
    laid: LaidOver

    @property
    def told(self) -> str:
        """Whether runs show a dip, and whether that was predicted, under the name of the curve."""
        return f"{self.label}: {self.laid.gist}" if self.label else self.laid.gist

    @property
    def is_decided(self) -> bool:
        """Whether the runs tell that there is a dip, or that there is none."""
        return self.laid.dip is not None and self.laid.dip.ruling != "cannot tell"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {"label": self.label, "n_train": self.n_train, "horizon": self.horizon, **self.laid.to_dict()}


@dataclass(frozen=True, kw_only=True)
class LiteratureDrawing(Statement):
    """The counterpart of a published figure.

    Attributes:
        figure_of: What it is the counterpart of.
        evidence: Runs of each panel.
        files: Where it was written.
        variant: What it leaves out of the whole figure, in words; empty where it is whole.
        over_width: Curves over model size of which something was predicted.
    """

    figure_of: LiteratureFigure
    evidence: Sequence[PanelRuns]
    files: Sequence[Path]
    variant: str = ""
    over_width: Sequence[OverWidth] = ()

    @property
    def title(self) -> str:
        """What the paper shows."""
        return self.figure_of.shows

    def figure(self) -> Figure:
        """The figure, drawn anew."""
        from dcrit.figures.measured.literature import draw

        return draw(
            self.evidence, title=f"Counterpart of {self.figure_of.name}: {self.figure_of.setting}", remarks=self.remarks
        )

    @property
    def remarks(self) -> list[str]:
        """Whether dips are as predicted, what it leaves out, and what should be seen."""
        return [one for one in (*(each.told for each in self.over_width), self.variant, self.seen) if one]

    @property
    def seen(self) -> str:
        """What should be seen; where something was predicted over model size, only what that was made without."""
        return self.figure_of.blind if self.over_width else f"One should see: {self.figure_of.expected}"

    def to_dict(self) -> dict[str, Any]:
        """What it shows and where it was written, as JSON values."""
        one = self.figure_of
        return {
            "name": one.name,
            "source": one.source,
            "shows": one.shows,
            "expected": one.expected,
            "blind": one.blind,
            "variant": self.variant,
            "over_width": [curve.to_dict() for curve in self.over_width],
            "files": [str(path) for path in self.files],
        }

    def to_polars(self) -> pl.DataFrame:
        """One row."""
        import polars as pl

        one = self.figure_of
        return pl.DataFrame([{"name": one.name, "shows": one.shows, "expected": one.expected}])


def literature_figure(
    name: str,
    *,
    seeds: int | None = None,
    quick: bool = False,
    store: Path | str = "runs",
    out: Path | str | None = None,
    note: Callable[[str], None] = lambda _: None,
    **machine: Unpack[MachineOptions],
) -> LiteratureDrawing:
    """The counterpart of a published figure; what the store lacks is trained.

    Args:
        name: As :func:`list_literature` has it.
        seeds: Runs of each; None for those of the figure.
        quick: Whether it is the quick variant: fewer seeds, and every second size and width.
        store: Folder in which runs are kept; what an interrupted call has trained is there for the next one.
        out: Folder that it is written to, as PNG and SVG; None for none.
        note: Told what is trained and how long that takes at most, in words, before it begins.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: There is no such figure, seeds are too few for it, or a folder cannot be written.
    """
    from dcrit.empirics.experiments.literature import configs_of_figure, measure
    from dcrit.empirics.store.whole_files import check_writable_folder

    known = {one.name: one for one in literature_figures()}
    if name not in known:
        raise no_choice("name", name, known)
    asked = quick_variant(known[name]) if quick else known[name]
    asked = asked if seeds is None else with_seeds(asked, seeds)
    left_out = difference(known[name], asked)
    # Other seeds than usual are told by the difference.
    each = "" if _seeds(asked) != _seeds(known[name]) else _each(asked)
    variant = f"{'Quick variant' if quick else 'Variant'} of {name}: {left_out}{each}." if left_out else ""
    if out is not None:
        check_writable_folder(Path(out))
    with laboratory_of(store, machine) as laboratory:
        configs = configs_of_figure(asked)
        note(_cost(asked, configs, laboratory.lacking(configs)))
        evidence = measure(asked, laboratory)
    made = LiteratureDrawing(
        figure_of=asked, evidence=evidence, files=(), variant=variant, over_width=_over_width(evidence)
    )
    if out is None:
        return made
    from dcrit.api.report.pictures import save_drawing

    # A picture that leaves something out does not take the place of the whole one.
    written = save_drawing(f"{name}-quick" if quick else name, made.figure(), Path(out))
    return replace(made, files=written)


def _over_width(evidence: Sequence[PanelRuns]) -> list[OverWidth]:
    """Curves over model size that something was predicted of, each once; those beside facts are about no dip."""
    from dcrit.api.double_descent import double_descent
    from dcrit.empirics.runs.single import Run

    found: list[OverWidth] = []
    for shown in evidence:
        if any(one.series.facts for one in shown.series):
            continue
        for one in shown.series:
            if not one.accuracies:
                continue
            runs = [run for some in one.runs.values() for run in some if isinstance(run, Run)]
            series = one.series
            curve = double_descent(series.problem, series.n_train, horizon=series.steps or shown.panel.steps or None)
            found.append(
                OverWidth(
                    label=series.label,
                    problem=series.problem,
                    n_train=series.n_train,
                    horizon=curve.found.horizon,
                    laid=curve.lay(runs),
                )
            )
    return found


def _cost(figure: LiteratureFigure, configs: Sequence[Trained], lacking: Sequence[Trained]) -> str:
    """What a figure trains and how long that takes, in words."""
    if not lacking:
        return f"{figure.name}: all {len(configs)} runs are stored, none is trained"
    stored = f", {len(configs) - len(lacking)} of them stored" if len(lacking) < len(configs) else ""
    runs = f"{figure.name}: {len(configs)} runs{_each(figure)}{stored}"
    return f"{runs}; training takes about {measured_time_of(lacking)} on one idle core"


def _seeds(figure: LiteratureFigure) -> set[int]:
    return {panel.seeds for panel in figure.panels}


def _each(figure: LiteratureFigure) -> str:
    """How many seeds every network of a figure has, in words after others; empty for one, or where they differ."""
    seeds = _seeds(figure)
    return f", {min(seeds)} seeds each" if len(seeds) == 1 and seeds != {1} else ""
