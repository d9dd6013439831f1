"""Figures of other groups that have a counterpart here: one data file, checked as it is read; nothing is trained."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast, get_args

from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.problems.problem import Problem, full_label

#: What a panel shows: curves over training time, numbers over training-set or model size, or the plane of both.
PanelKind = Literal[
    "accuracy",
    "loss",
    "norm",
    "over-size",
    "over-width",
    "loss-over-width",
    "efficiency",
    "time",
    "capacity",
    "plane",
]

#: Panels of curves over training time, one for each training-set size.
OVER_TIME = ("accuracy", "loss", "norm")

#: Panels with one place a width, at each series' own training-set size.
OVER_WIDTH = ("over-width", "loss-over-width", "capacity")

#: Fewest seeds of a plane: its star has an interval.
PLANE_SEEDS = 2

#: Seeds of a quick variant by kind of panel, where one is too few: three seldom decide whether there is a dip over
#: widths, as seeds near it generalize or do not.
QUICK_SEEDS = {"plane": PLANE_SEEDS, "over-width": 5, "loss-over-width": 5}

Start = Literal["scratch", "generalized"]


@dataclass(frozen=True, kw_only=True)
class FigureSeries:
    """Runs that share a colour.

    Attributes:
        problem: What is trained.
        label: To people; empty where the series is alone.
        n_train: D, where the panel is over width [examples].
        start: From where training starts.
        facts: D_r, random labels that the same network memorizes [examples].
        split: Whether each of both tasks has a feed-forward block of its own.
        pretraining: Steps on the task alone before [steps].
        steps: Horizon [steps]; 0 for that of the panel.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    label: str = ""
    n_train: int = 0
    start: Start = "scratch"
    facts: int = 0
    split: bool = False
    pretraining: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        check_choice("start", self.start, get_args(Start))
        for name in ("n_train", "facts", "pretraining", "steps"):
            check_integer(name, getattr(self, name), 0)
        if self.n_train:
            self.problem.check_n_train(self.n_train)
        if self.facts and self.start != "scratch":
            raise FieldError("start", "be 'scratch' beside facts", repr(self.start))

    def at(self, width: int) -> Problem:
        """The problem at another width."""
        return replace(self.problem, width=width)


@dataclass(frozen=True, kw_only=True)
class FigurePanel:
    """A panel of a figure.

    Attributes:
        kind: What it shows.
        title: Above it.
        series: Runs that it shows.
        sizes: D [examples]; none where series have their own.
        widths: H or d; none for those of the problems.
        capacity_widths: Widths at which random labels are memorized, in a plane.
        seeds: Runs of each.
        steps: Horizon [steps]; 0 for the protocol's 40/(ηλ).

    Raises:
        ValueError: A field is out of range, or what the kind needs is missing.
    """

    kind: PanelKind
    title: str = ""
    series: tuple[FigureSeries, ...]
    sizes: tuple[int, ...] = ()
    widths: tuple[int, ...] = ()
    capacity_widths: tuple[int, ...] = ()
    seeds: int = 3
    steps: int = 0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, get_args(PanelKind))
        check_integer("seeds", self.seeds, 1)
        check_integer("steps", self.steps, 0)
        if not self.series:
            raise FieldError("series", "hold at least one", "none")
        over_width = self.kind in OVER_WIDTH
        if (over_width or self.kind == "plane") and not self.widths:
            raise FieldError("widths", f"be given for a panel of kind {self.kind}", "none")
        if not over_width and not self.sizes:
            raise FieldError("sizes", f"be given for a panel of kind {self.kind}", "none")
        for one in self.series:
            if over_width and not one.n_train:
                raise FieldError("n_train", f"be given for each series of kind {self.kind}", "none")
            for size in self.sizes:
                one.problem.check_n_train(size)
            for width in (*self.widths, *self.capacity_widths):
                one.at(width)


@dataclass(frozen=True, kw_only=True)
class LiteratureFigure:
    """A figure of a paper, and its counterpart here.

    Attributes:
        name: On the command line.
        source: Key into the bibliography.
        shows: What the paper's figure shows.
        expected: What should be seen here.
        blind: What its prediction was made without, in a sentence; empty where nothing is to be said of that.
        panels: What is trained and drawn.

    Raises:
        ValueError: A word is missing, or there is no panel.
    """

    name: str
    source: str
    shows: str
    expected: str
    blind: str = ""
    panels: tuple[FigurePanel, ...]

    def __post_init__(self) -> None:
        for name in ("name", "source", "shows", "expected"):
            if not getattr(self, name):
                raise FieldError(name, "be words", repr(getattr(self, name)))
        if not self.panels:
            raise FieldError("panels", "hold at least one", "none")

    @property
    def setting(self) -> str:
        """Problems and horizons of its runs, each once, in words; widths are those of its curves or of its axis."""
        each = [(panel, one) for panel in self.panels for one in panel.series]
        problems = dict.fromkeys(full_label(one.problem, width=False) for _, one in each)
        steps = dict.fromkeys(str(one.steps or panel.steps or one.problem.horizon) for panel, one in each)
        return f"{', '.join(problems)}; {' or '.join(steps)} steps"


def with_seeds(figure: LiteratureFigure, seeds: int) -> LiteratureFigure:
    """The same figure with another number of seeds in every panel.

    Args:
        figure: A counterpart.
        seeds: Runs of each.

    Raises:
        ValueError: It is too few for a panel.
    """
    least = PLANE_SEEDS if any(one.kind == "plane" for one in figure.panels) else 1
    check_integer("seeds", seeds, least)
    return replace(figure, panels=tuple(replace(one, seeds=seeds) for one in figure.panels))


def quick_variant(figure: LiteratureFigure) -> LiteratureFigure:
    """A figure that trains fast and shows the same roughly: fewest seeds, and every second place of each panel.

    Of more than three curves over size every second one stays. Curves over training time are a few from the start, and
    all stay. Test loss over width is left to the whole figure, where test accuracy stands beside it.

    Args:
        figure: A counterpart.
    """
    kept = [one for one in figure.panels if one.kind != "loss-over-width"] or figure.panels
    return replace(figure, panels=tuple(map(_quick, kept)))


def _quick(panel: FigurePanel) -> FigurePanel:
    seeds = min(panel.seeds, QUICK_SEEDS.get(panel.kind, 1))
    if panel.kind in OVER_TIME:
        return replace(panel, seeds=seeds)
    few = {name: _every_second(getattr(panel, name)) for name in ("sizes", "widths", "capacity_widths")}
    series = panel.series[1::2] if len(panel.series) > 3 else panel.series
    return replace(panel, seeds=seeds, series=series, **few)


def _every_second(places: tuple[int, ...]) -> tuple[int, ...]:
    """Every second of some places, the first and the last among them."""
    return tuple(place for k, place in enumerate(places) if k % 2 == 0 or k == len(places) - 1)


def difference(figure: LiteratureFigure, variant: LiteratureFigure) -> str:
    """What a variant of a figure leaves out, in words; empty where it is the figure itself.

    Args:
        figure: A counterpart.
        variant: The same with other seeds or places.
    """
    kinds = {one.kind for one in variant.panels}
    both = variant.panels, tuple(one for one in figure.panels if one.kind in kinds)
    seeds, usual = ([one.seeds for one in panels] for panels in both)
    places, all_places = ([(one.sizes, one.widths, one.capacity_widths) for one in panels] for panels in both)
    curves, all_curves = ([one.series for one in panels] for panels in both)
    return ", ".join(
        [
            *([f"{_range(seeds)} of {_range(usual)} seeds"] if seeds != usual else []),
            *([_places(variant)] if places != all_places else []),
            *([_curves(variant)] if curves != all_curves else []),
            *(["no test loss"] if len(both[1]) < len(figure.panels) else []),
        ]
    )


def _places(variant: LiteratureFigure) -> str:
    """Which sizes and widths are left, where all panels have the same."""
    each = {(one.sizes, one.widths) for one in variant.panels}
    if len(each) > 1 or any(one.capacity_widths for one in variant.panels):
        return "every second size and width"
    ((sizes, widths),) = each
    told = (("sizes", sizes), ("widths", widths))
    return ", ".join(f"only {name} {', '.join(map(str, places))}" for name, places in told if places)


def _curves(variant: LiteratureFigure) -> str:
    """Which curves are left, where all panels have the same."""
    each = {tuple(one.label for one in panel.series) for panel in variant.panels}
    (labels,) = each if len(each) == 1 else ((),)
    return f"only curves {', '.join(labels)}" if all(labels) and labels else "every second curve"


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def read_figures(text: str) -> tuple[LiteratureFigure, ...]:
    """Figures from the text of a data file.

    Raises:
        ValueError: It is no TOML, lacks a field, has one too many, or a field is out of range; the message names the
            figure.
    """
    document: dict[str, Any] = tomllib.loads(text)
    problems: dict[str, Problem] = {}
    for name, fields in cast("dict[str, dict[str, Any]]", document.get("problems", {})).items():
        own = {key: value for key, value in fields.items() if key != "like"}
        problems[name] = replace(problems[fields["like"]], **own) if "like" in fields else Problem(**own)
    figures: list[LiteratureFigure] = []
    for entry in cast("list[dict[str, Any]]", document.get("figures", [])):
        try:
            panels = tuple(_panel(one, problems) for one in entry.get("panels", ()))
            words = {key: value for key, value in entry.items() if key != "panels"}
            figures.append(LiteratureFigure(**words, panels=panels))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"figure {entry.get('name', 'without a name')}: {error}") from error
    names = [one.name for one in figures]
    for name in names:
        if names.count(name) > 1:
            raise FieldError("name", "be given once", repr(name))
    return tuple(figures)


def _panel(said: Mapping[str, Any], problems: Mapping[str, Problem]) -> FigurePanel:
    fields = dict(said)
    # A plane has one problem, and needs no word for its only series.
    series = fields.pop("series", None) or [{"problem": fields.pop("problem")}]
    for name in ("sizes", "widths", "capacity_widths"):
        fields[name] = tuple(fields.get(name, ()))
    return FigurePanel(**fields, series=tuple(_series(one, problems) for one in series))


def _series(said: Mapping[str, Any], problems: Mapping[str, Problem]) -> FigureSeries:
    fields = dict(said)
    problem = problems[fields.pop("problem")]
    if "width" in fields:
        problem = replace(problem, width=fields.pop("width"))
    return FigureSeries(problem=problem, **fields)


@cache
def literature_figures() -> tuple[LiteratureFigure, ...]:
    """Every figure of the package's data file, in its order."""
    text = (files("dcrit.theory.literature") / "figures.toml").read_text(encoding="utf-8")
    return read_figures(text)
