"""Experiment: the runs of a figure of the literature, fixed one by one, and what predictions say beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.size_grid import Grid, Plane, grid_of, predicted_map
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun, beside_facts
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.work import Stage
from dcrit.theory.calibrations.calibration import Calibration, calibration_for
from dcrit.theory.estimates import Estimate
from dcrit.theory.literature.figures import OVER_WIDTH, FigurePanel, FigureSeries, LiteratureFigure
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.predictions.double_descent import predict_accuracies


@dataclass(frozen=True, kw_only=True)
class SeriesRuns:
    """What a series gave.

    Attributes:
        series: What was run.
        runs: Finished runs by the panel's places: a training-set size, or a width.
        predicted: D_crit(T) of the series from scratch, or D_rest, before any run; None over widths, and where nothing
            speaks for it [examples].
        accuracies: Test accuracy at each width before any run; empty over sizes, and where nothing speaks for it.
    """

    series: FigureSeries
    runs: dict[int, list[Run | MultitaskRun]]
    predicted: float | None = None
    accuracies: Mapping[int, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PanelRuns:
    """What a panel shows.

    Attributes:
        panel: What was asked.
        series: Runs of each series; none of a plane.
        grid: The plane; None of other kinds.
    """

    panel: FigurePanel
    series: list[SeriesRuns] = field(default_factory=list)
    grid: Grid | None = None


def places_of(panel: FigurePanel) -> tuple[int, ...]:
    """Training-set sizes or widths that each series is run at."""
    return panel.widths if panel.kind in OVER_WIDTH else panel.sizes


def config_of(panel: FigurePanel, series: FigureSeries, place: int, seed: int) -> RunConfig | MultitaskConfig:
    """One run of a panel.

    Args:
        panel: Which.
        series: One of its series.
        place: Training-set size, or width.
        seed: Counted from 0.
    """
    over_width = panel.kind in OVER_WIDTH
    problem, n_train = (series.at(place), series.n_train) if over_width else (series.problem, place)
    steps = series.steps or panel.steps
    if series.facts:
        return beside_facts(
            problem,
            n_train=n_train,
            n_facts=series.facts,
            seed=seed,
            blocks="split" if series.split else "shared",
            pretraining=series.pretraining,
            horizon=steps or None,
        )
    return RunConfig(problem=problem, n_train=n_train, seed=seed, steps=steps, start=series.start)


def plane_of_panel(panel: FigurePanel) -> Plane:
    """The plane that a panel of that kind shows."""
    return Plane(
        problem=panel.series[0].problem,
        widths=panel.widths,
        sizes=panel.sizes,
        capacity_widths=panel.capacity_widths,
        seeds=panel.seeds,
        steps=panel.steps,
    )


def configs_of_panel(panel: FigurePanel) -> Iterator[RunConfig | MultitaskConfig]:
    """Every run of a panel."""
    if panel.kind == "plane":
        plane = plane_of_panel(panel)
        yield from plane.configs()
        for block in plane.capacity_configs():
            yield from block
        return
    for series in panel.series:
        for place in places_of(panel):
            for seed in range(panel.seeds):
                yield config_of(panel, series, place, seed)


def configs_of_figure(figure: LiteratureFigure) -> list[RunConfig | MultitaskConfig]:
    """Every run of a figure, each once."""
    found = {config.address: config for panel in figure.panels for config in configs_of_panel(panel)}
    return list(found.values())


def stages(figure: LiteratureFigure) -> list[Stage]:
    """What a figure trains at most."""
    return [Stage(known=configs_of_figure(figure))]


def measure(figure: LiteratureFigure, laboratory: Laboratory) -> list[PanelRuns]:
    """Find or make the runs of a figure, a panel each."""
    configs = configs_of_figure(figure)
    single = [one for one in configs if isinstance(one, RunConfig)]
    several = [one for one in configs if isinstance(one, MultitaskConfig)]
    found: dict[str, Run | MultitaskRun] = {}
    if single:
        found |= {run.config.address: run for run in laboratory.runs(single, stage=f"runs of {figure.name}")}
    if several:
        made = laboratory.multitask(several, stage=f"runs of several tasks of {figure.name}")
        found |= {run.config.address: run for run in made}
    return [_panel_runs(panel, found, laboratory) for panel in figure.panels]


def _panel_runs(panel: FigurePanel, found: dict[str, Run | MultitaskRun], laboratory: Laboratory) -> PanelRuns:
    if panel.kind == "plane":
        plane = plane_of_panel(panel)

        def runs_of(configs: Sequence[RunConfig]) -> list[Run]:
            made = [found[config.address] for config in configs]
            return [run for run in made if isinstance(run, Run)]

        blocks = [runs_of(block) for block in plane.capacity_configs()]
        return PanelRuns(
            panel=panel, grid=grid_of(plane, runs_of(plane.configs()), blocks, predicted_map(plane, laboratory))
        )
    series = [
        SeriesRuns(
            series=one,
            runs={
                place: [found[config_of(panel, one, place, seed).address] for seed in range(panel.seeds)]
                for place in places_of(panel)
            },
            predicted=_predicted(panel, one, laboratory.calibrations),
            accuracies=_accuracies(panel, one, laboratory.calibrations),
        )
        for one in panel.series
    ]
    return PanelRuns(panel=panel, series=series)


def has_prediction(figure: LiteratureFigure, calibrations: Sequence[Calibration]) -> bool:
    """Whether something that was predicted before any run is drawn in a figure.

    Args:
        figure: Which.
        calibrations: Constants for predictions.
    """
    return any(
        calibration_for(plane_of_panel(panel).problem, calibrations) is not None
        if panel.kind == "plane"
        else any(_speaking(panel, one, calibrations) is not None for one in panel.series)
        for panel in figure.panels
    )


def _speaking(panel: FigurePanel, series: FigureSeries, calibrations: Sequence[Calibration]) -> Calibration | None:
    """The calibration whose predictions are drawn beside a series; None where there is none."""
    if panel.kind not in ("over-size", "over-width") or series.facts:
        return None
    calibration = calibration_for(series.problem, calibrations)
    return None if calibration is None or calibration.thresholds is None else calibration


def _predicted(panel: FigurePanel, series: FigureSeries, calibrations: Sequence[Calibration]) -> float | None:
    calibration = _speaking(panel, series, calibrations)
    if calibration is None or panel.kind != "over-size":
        return None
    found = predict_critical_size(series.problem, calibration, horizon=series.steps or panel.steps or None)
    return (found.critical_size if series.start == "scratch" else found.at_rest).value


def _accuracies(panel: FigurePanel, series: FigureSeries, calibrations: Sequence[Calibration]) -> dict[int, Estimate]:
    calibration = _speaking(panel, series, calibrations)
    if calibration is None or panel.kind != "over-width":
        return {}
    steps = series.steps or panel.steps or None
    told = predict_accuracies(series.problem, calibration, n_train=series.n_train, widths=panel.widths, horizon=steps)
    return dict(zip(panel.widths, told, strict=True))
