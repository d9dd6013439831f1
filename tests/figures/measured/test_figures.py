"""What holds for every figure: nothing is cut off or covered, axes say their units, nothing leaks out."""

import builtins
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from dcrit import figures
from dcrit.figures import FIGURES
from dcrit.figures.drawing import style
from dcrit.theory.calibrations.calibration import shipped_calibrations
from tests.worlds.figures import EMPTY, NO_CAPACITY, NO_FIT, NO_TRANSITION, Evidence, crowded_evidence

Drawn = Callable[[str, str], Figure]

KINDS = pytest.mark.parametrize("kind", ["complete", "gappy", "empty"])
#: Figures of experiments that have evidence here; others bring their own.
NAMES = pytest.mark.parametrize("name", [name for name, spec in FIGURES.items() if spec.experiment.name in EMPTY])


def texts_of(figure: Figure) -> list[Text]:
    """Every text that a reader sees."""
    found = list(figure.texts)
    for legend in figure.legends:
        found += legend.get_texts()
    for ax in figure.axes:
        found += [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts, *_tick_labels(ax)]  # type: ignore[attr-defined]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _tick_labels(ax: Axes) -> Iterator[Text]:
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)


def box_of(text: Text) -> Bbox:
    """The text alone, without a line that leads from it."""
    text.get_window_extent()
    return Text.get_window_extent(text)


def overlap(one: Bbox, other: Bbox) -> float:
    """Shared area, in square points."""
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else shared.width * shared.height * (72 / 100) ** 2


def check_texts(figure: Figure) -> None:
    """No text is cut off, and none covers another."""
    edge = figure.bbox.padded(0.5)
    boxes = [(text, box_of(text)) for text in texts_of(figure)]
    for text, box in boxes:
        assert edge.contains(box.x0, box.y0), text
        assert edge.contains(box.x1, box.y1), text
    for (one, first), (other, second) in combinations(boxes, 2):
        assert overlap(first, second) < 1.0, (one, other)


def said(figure: Figure) -> str:
    return " ".join(" ".join(text.get_text().split()) for text in texts_of(figure))


@pytest.mark.slow
@NAMES
@KINDS
def test_no_text_is_cut_off_or_covered_by_another(drawn: Drawn, name: str, kind: str) -> None:
    check_texts(drawn(name, kind))


@pytest.mark.slow
@NAMES
@KINDS
def test_everything_lies_inside_the_figure(drawn: Drawn, name: str, kind: str) -> None:
    figure = drawn(name, kind)
    tight, size = figure.get_tightbbox(), figure.get_size_inches()
    assert min(tight.x0, tight.y0) > -0.01
    assert tight.x1 < size[0] + 0.01
    assert tight.y1 < size[1] + 0.01
    assert size[0] in (style.SINGLE, style.DOUBLE, 0.6 * style.DOUBLE)


@pytest.mark.slow
@NAMES
@KINDS
def test_legends_and_remarks_never_cover_a_panel(drawn: Drawn, name: str, kind: str) -> None:
    figure = drawn(name, kind)
    outside = [legend.get_window_extent() for legend in figure.legends] + [box_of(text) for text in figure.texts]
    panels = [ax.get_window_extent() for ax in figure.axes]
    assert all(overlap(box, panel) == 0 for box in outside for panel in panels)
    assert all(ax.get_legend() is None for ax in figure.axes)


@NAMES
@KINDS
def test_axes_are_labelled_with_units(drawn: Drawn, name: str, kind: str) -> None:
    axes = drawn(name, kind).axes
    lowest, leftmost = min(ax.get_position().y0 for ax in axes), min(ax.get_position().x0 for ax in axes)
    for ax in axes:
        # Inner panels of the training curves share the labels at the edge.
        if name != "dynamics" or ax.get_position().y0 < lowest + 0.01:
            assert re.fullmatch(r".+ \[.+\]", ax.get_xlabel())
        if name != "dynamics" or ax.get_position().x0 < leftmost + 0.01:
            assert re.fullmatch(r".+ \[.+\]", ax.get_ylabel())


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "critical-sizes": [NO_FIT, f"Not shown: add p=31 relu H=48: {NO_TRANSITION}", "no calibration speaks for it"],
        "accuracies": [f"No predicted curve: {NO_FIT}", f"No curve fitted: {NO_TRANSITION}", "No runs.", "a priori"],
        "efficiencies": [f"No laws fitted: {NO_FIT}", f"No measured critical size: {NO_TRANSITION}", "No runs."],
        "capacity": [f"Not shown: relu: {NO_CAPACITY}"],
        "dynamics": ["No run was made: the curves put no point here."],
    }.items(),
)
def test_missing_evidence_is_said_in_words(drawn: Drawn, name: str, expected: list[str]) -> None:
    text = said(drawn(name, "gappy"))
    for words in expected:
        assert words in text


@NAMES
def test_without_any_evidence_a_picture_says_so(drawn: Drawn, name: str) -> None:
    assert re.search(r"No (problem|capacity|run) ", said(drawn(name, "empty")))


@NAMES
def test_ticks_keep_their_style_outside_the_context(drawn: Drawn, name: str) -> None:
    labels = [label for ax in drawn(name, "complete").axes for label in _tick_labels(ax)]
    assert labels
    assert {label.get_fontsize() for label in labels} == {style.SMALL}


@NAMES
def test_drawing_leaves_nothing_behind(name: str, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("a figure function wrote or read a file")

    fonts = Path(mpl.get_data_path())
    opened = builtins.open

    def guarded(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        assert "r" in mode, file
        assert fonts in Path(file).parents, file
        return opened(file, mode, *rest, **named)

    monkeypatch.setattr(builtins, "open", guarded)
    for method in ("open", "write_text", "write_bytes", "mkdir"):
        monkeypatch.setattr(Path, method, forbidden)
    monkeypatch.setattr(Figure, "savefig", forbidden)
    before = dict(mpl.rcParams)
    FIGURES[name].draw(evidence[FIGURES[name].experiment.name])
    assert dict(mpl.rcParams) == before
    assert not Gcf.figs


@pytest.mark.slow
def test_many_problems_stay_legible() -> None:
    figure = FIGURES["critical-sizes"].draw(crowded_evidence())
    figure.draw_without_rendering()
    labels = [box_of(text) for text in figure.axes[0].texts]
    assert len(labels) == 20
    inside = figure.axes[0].get_window_extent()
    assert all(overlap(box, inside) > 0.99 * overlap(box, box) for box in labels)
    assert max(overlap(one, other) for one, other in combinations(labels, 2)) < 1.0


def test_every_figure_that_is_written_is_listed() -> None:
    modules = [import_module(found.name) for found in pkgutil.walk_packages(figures.__path__, f"{figures.__name__}.")]
    written = [module.SPEC for module in modules if hasattr(module, "SPEC")]
    assert sorted(spec.name for spec in written) == sorted(FIGURES)
    assert all(FIGURES[spec.name] is spec for spec in written)


def test_figures_are_listed_by_their_names() -> None:
    assert [spec.name for spec in FIGURES.values()] == list(FIGURES)
    for spec in FIGURES.values():
        assert re.fullmatch("[a-z]+(-[a-z]+)*", spec.name)
        assert spec.title
        assert spec.caption_with(shipped_calibrations()).endswith(".")


def test_captions_of_predictions_say_how_large_the_networks_behind_their_constants_were() -> None:
    calibrations = shipped_calibrations()
    small = replace(calibrations[0], thresholds=None)
    for spec in FIGURES.values():
        expected = f"at most {max(cell.n_symbols for cell in small.cells)} symbols" if spec.draws_predictions else ""
        assert expected in spec.caption_with([small])
        assert (spec.caption_with(calibrations) != spec.caption) == spec.draws_predictions


@pytest.mark.processes
def test_listing_figures_loads_neither_torch_nor_pyplot() -> None:
    code = "import sys, dcrit.figures; print(*{'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not result.stdout.strip()
