"""Counterparts of published figures: curves over training time, numbers over both sizes, and the plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from dcrit.empirics.experiments.literature import PanelRuns, SeriesRuns
from dcrit.empirics.measures.capacity import OVERLOADED, memorized_count
from dcrit.empirics.measures.planes import interval_of_mean
from dcrit.empirics.measures.ungrokking import ungrokking_outcome
from dcrit.empirics.runs.multitask import MultitaskRun
from dcrit.empirics.runs.outcomes import HALF_PERSISTENCE, outcome_of, passage, settled_value
from dcrit.empirics.runs.single import Run
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.measured.dynamics import log_steps
from dcrit.figures.measured.model_size import LEAST_LOSS, MARKERS, colours
from dcrit.figures.measured.phase_map import draw_plane
from dcrit.theory.estimates import LEVEL
from dcrit.theory.literature.figures import OVER_TIME

#: Height of a panel with its labels, and of its axes at least [inches].
HEIGHT, LEAST_HEIGHT = 2.4, 1.6

#: Opacity of a predicted interval among those of other series.
FAINT_SHADE = 0.1

#: Of a mark of a run in the legend: its colour and shape are those of its curve.
ONE_RUN = "one run"

#: What is drawn over places, by the panel's kind: axis label, and whether the axis is logarithmic.
OVER_PLACES: dict[str, tuple[str, bool]] = {
    "over-size": ("test accuracy [fraction]", False),
    "over-width": ("test accuracy [fraction]", False),
    "loss-over-width": ("test loss [nats]", True),
    "efficiency": (r"efficiency $\gamma/\|\theta\|^\kappa$", True),
    "time": ("steps to test accuracy one half", True),
    "capacity": ("labels memorized [examples]", True),
}

#: What is drawn over training time: axis label, and curves of the training set and of unseen pairs.
CURVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "accuracy": ("accuracy [fraction]", ("train_accuracy", "test_accuracy")),
    "loss": ("loss [nats]", ("train_loss", "test_loss")),
    "norm": ("squared norm $Q$ [1]", ("squared_norm",)),
}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What one pair of axes shows.

    Attributes:
        runs: A panel, or one of its curves.
        colours: Of the curves.
        markers: Of the runs of each curve.
        alone: Whether it is one curve of several panels, which the title names in the legend's place.
    """

    runs: PanelRuns
    colours: Sequence[str]
    markers: Sequence[str]
    alone: bool = False


def draw(evidence: Sequence[PanelRuns], *, title: str = "", remarks: Sequence[str] = ()) -> Figure:
    """One panel each, but one each curve where predictions in their intervals would lie over each other.

    Args:
        evidence: What the panels show.
        title: What was trained, above everything.
        remarks: What the figure leaves out and what it says, below everything.
    """
    each = [one for panel in evidence for one in _apart(panel)]
    with style.context():
        figure, axes = canvas.panels(len(each), height=HEIGHT)
        for ax, one in zip(axes, each, strict=True):
            shown = one.runs
            if shown.grid is not None:
                missing = draw_plane(ax, shown.grid)
                canvas.title(ax, shown.panel.title, missing, width=canvas.PANEL_TEXT)
                continue
            canvas.prepare(ax)
            canvas.heading(ax, shown.panel.title)
            if shown.panel.kind in OVER_TIME:
                _draw_over_time(ax, shown)
            else:
                _draw_over_places(ax, one)
        canvas.legend(figure, columns=3)
        if title:
            size = style.FONT + 1
            broken = canvas.wrapped(title, figure.get_size_inches()[0] - 0.3, size=size)
            if figure.legends:
                figure.legends[0].set_title(broken, prop=FontProperties(size=size))
            else:
                figure.suptitle(broken, fontsize=size)
        canvas.stretch(figure, LEAST_HEIGHT)
        canvas.footnotes(figure, remarks)
        return figure


def _apart(panel: PanelRuns) -> Iterator[Shown]:
    """A panel, or its curves one by one where more than one has a predicted interval."""
    n = len(panel.series)
    shades, markers = colours(n), [MARKERS[k % len(MARKERS)] for k in range(n)]
    if sum(bool(one.accuracies) for one in panel.series) < 2:
        yield Shown(runs=panel, colours=shades, markers=markers)
        return
    # Each in its own axes, so that the title names it and the legend only what the marks are.
    for one, colour, marker in zip(panel.series, shades, markers, strict=True):
        own = one.series.label
        named = f"{own} examples" if own == f"D = {one.series.n_train}" else own
        titled = replace(panel.panel, title=", ".join(filter(None, [panel.panel.title, named])))
        yield Shown(runs=replace(panel, panel=titled, series=[one]), colours=[colour], markers=[marker], alone=True)


def _draw_over_time(ax: Axes, shown: PanelRuns) -> None:
    """Curves of every run, one colour a training-set size; those of the training set are broken.

    The only size of a panel stands in its title, so that panels of one size each share their legend.
    """
    label, names = CURVES[shown.panel.kind]
    places = [(series, size) for series in shown.series for size in series.runs]
    last = 1.0
    for (series, size), colour in zip(places, colours(len(places)), strict=True):
        named = _named(series, f"D = {size}")
        if len(places) == 1:
            canvas.heading(ax, f"{shown.panel.title}\n{named}".strip())
            named = ""
        for k, run in enumerate(series.runs[size]):
            step = run.curves.step
            last = max(last, float(step[-1]))
            for name in names:
                is_train = name.startswith("train")
                what = "" if name == "squared_norm" else "train" if is_train else "test"
                ax.plot(
                    step,
                    _curve(run, name),
                    "--" if is_train else "-",
                    color=colour,
                    linewidth=0.8 if is_train else 1.1,
                    label=", ".join(filter(None, [named, what])) if k == 0 else None,
                )
    log_steps(ax, last)
    ax.set(xlabel="training time [steps]", ylabel=label)
    if shown.panel.kind == "accuracy":
        ax.set_ylim(-0.04, 1.04)
    elif shown.panel.kind == "loss":
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)


def _curve(run: Run | MultitaskRun, name: str) -> np.ndarray:
    """A curve of the first task; losses of nothing have no place on a logarithmic axis."""
    values = np.asarray(getattr(run.curves, name))
    values = values[:, 0] if values.ndim > 1 else values
    return np.maximum(values, LEAST_LOSS) if name.endswith("loss") else values


def _named(series: SeriesRuns, place: str) -> str:
    return ", ".join(filter(None, [series.series.label, place]))


def _test_accuracy(run: Run | MultitaskRun) -> float:
    if isinstance(run, MultitaskRun):
        return run.settled("test_accuracy")
    if run.config.start == "generalized":
        return ungrokking_outcome(run).test_accuracy
    return settled_value(run, "test_accuracy")


def _test_loss(run: Run | MultitaskRun) -> float:
    found = run.settled("test_loss") if isinstance(run, MultitaskRun) else settled_value(run, "test_loss")
    return max(found, LEAST_LOSS)


def _efficiency(run: Run | MultitaskRun) -> float:
    assert isinstance(run, Run)
    return outcome_of(run).efficiency


def _memorized(run: Run | MultitaskRun) -> float:
    """Labels right in networks that have more than they can learn; others say only that there are no fewer."""
    assert isinstance(run, Run)
    found = outcome_of(run)
    return float(memorized_count(found)) if found.train_accuracy < OVERLOADED else math.nan


def _time(run: Run | MultitaskRun) -> float:
    """Step of test accuracy one half; NaN where it does not come."""
    assert isinstance(run, Run)
    duration = HALF_PERSISTENCE * run.config.problem.time_constant
    time = passage(run.curves.step, run.curves.test_accuracy, 0.5, duration)
    return math.nan if time is None else max(time, 1.0)


VALUES: dict[str, Callable[[Run | MultitaskRun], float]] = {
    "over-size": _test_accuracy,
    "over-width": _test_accuracy,
    "loss-over-width": _test_loss,
    "efficiency": _efficiency,
    "time": _time,
    "capacity": _memorized,
}


def _draw_over_places(ax: Axes, one_of: Shown) -> None:
    """One mark a run, and a line through the means of each series; dotted is what was predicted before any run."""
    shown = one_of.runs
    label, is_log = OVER_PLACES[shown.panel.kind]
    over_width = shown.panel.kind in ("over-width", "loss-over-width", "capacity")
    value = VALUES[shown.panel.kind]
    places: list[float] = []
    for k, (one, colour, marker) in enumerate(zip(shown.series, one_of.colours, one_of.markers, strict=True)):
        ax.plot([], [], "o", color=style.GREY, markersize=3, markerfacecolor="none", label=ONE_RUN if k == 0 else None)
        x = [float(one.series.at(place).n_params) if over_width else float(place) for place in one.runs]
        places += x
        values = [[value(run) for run in runs] for runs in one.runs.values()]
        for place, found in zip(x, values, strict=True):
            ax.plot([place] * len(found), found, marker, color=colour, markersize=3, markerfacecolor="none", alpha=0.7)
        means = [_mean(found, is_log=is_log) for found in values]
        name = f"{one.series.label or 'measured'}{'' if is_log else ', mean'}"
        if one_of.alone:
            # What the marks are is the same in all axes.
            ax.plot([], [], color=style.GREY, marker=marker, markersize=3, label="measured mean")
            name = ""
        ax.plot(x, means, color=colour, marker=marker, markersize=3, label=name)
        if not is_log:
            _draw_intervals(ax, x, values, colour, named=k == 0)
        if one.predicted is not None:
            ax.axvline(
                one.predicted, color=colour, linestyle=":", linewidth=0.9, label="predicted size" if k == 0 else None
            )
        _draw_predicted(ax, one, colour, named=k == 0)
    if shown.panel.kind == "time":
        _mark_censored(ax, shown)
    ends = scales.spread(places, margin=0.1)
    if ends is not None:
        scales.log_axis(ax, "x", *ends, most=5)
    ax.set(xlabel=style.SIZE_LABEL, ylabel=f"{label}\nline: geometric mean" if is_log else label)
    if over_width and ends is not None:
        scales.width_axis(ax, shown.series[0].series.problem, list(shown.series[0].runs))
    if not is_log:
        ax.set_ylim(-0.04, 1.04)
        return
    found = [y for line in ax.lines for y in np.asarray(line.get_ydata(), dtype=float) if y > 0]
    limits = scales.spread(found, margin=0.12)
    if limits is not None:
        scales.log_axis(ax, "y", *limits, fewest=3)
    else:
        canvas.blank(ax, "No run shows this within its steps.", width=2.0)


def _draw_intervals(
    ax: Axes, places: Sequence[float], values: Sequence[Sequence[float]], colour: str, *, named: bool
) -> None:
    """The interval of the mean accuracy at each place with several seeds.

    Args:
        ax: Axes.
        places: Where.
        values: Of every run of each place.
        colour: Of the series.
        named: Whether the legend names them.
    """
    found = [(x, interval_of_mean(some)) for x, some in zip(places, values, strict=True)]
    label = f"{LEVEL:.0%} interval of the measured mean" if named else ""
    rows = [(x, interval.low, interval.high) for x, interval in found if interval is not None]
    if rows:
        ax.vlines(*zip(*rows, strict=True), color=colour, linewidth=0.8)
        ax.plot([], [], "|", color=style.GREY, markersize=7, label=label)


def _draw_predicted(ax: Axes, one: SeriesRuns, colour: str, *, named: bool) -> None:
    """Predicted test accuracy over model size in its interval.

    Args:
        ax: Axes.
        one: A series.
        colour: Of the series.
        named: Whether the legend names both.
    """
    told = [(one.series.at(width).n_params, found) for width, found in one.accuracies.items()]
    rows = [
        (n, found.value, found.interval.low, found.interval.high) for n, found in told if found.interval is not None
    ]
    if not rows:
        return
    x, value, low, high = zip(*rows, strict=True)
    label = ("predicted mean", f"{LEVEL:.0%} interval of the prediction") if named else (None, None)
    ax.plot(x, value, linestyle=":", color=colour, linewidth=1.0)
    ax.fill_between(x, low, high, color=colour, alpha=FAINT_SHADE, linewidth=0)
    ax.plot([], [], linestyle=":", color=style.GREY, linewidth=1.0, label=label[0])
    ax.fill_between([], [], [], color=style.GREY, alpha=style.SHADE, linewidth=0, label=label[1])


def _mean(values: Sequence[float], *, is_log: bool) -> float:
    """Mean of those that are numbers; geometric on a logarithmic axis."""
    # A network that fits nothing has a margin below 0, which has no logarithm.
    known = [one for one in values if math.isfinite(one) and (one > 0 or not is_log)]
    if not known:
        return math.nan
    return float(np.exp(np.mean(np.log(known)))) if is_log else float(np.mean(known))


def _mark_censored(ax: Axes, shown: PanelRuns) -> None:
    """Runs that do not come to one half, at their last step."""
    named = False
    for one in shown.series:
        for place, runs in one.runs.items():
            lost = [float(run.curves.step[-1]) for run in runs if math.isnan(_time(run))]
            if lost:
                text = None if named else "not within the steps"
                ax.plot([place] * len(lost), lost, "^", color=style.GREY, markerfacecolor="none", label=text)
                named = True
