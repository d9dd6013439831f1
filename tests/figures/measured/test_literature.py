"""Counterparts of published figures, trained in miniature and drawn."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import dcrit
from dcrit.empirics.experiments import literature
from dcrit.empirics.experiments.laboratory import Machine, open_runs
from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.figures.measured.literature import draw
from dcrit.theory.literature.figures import OVER_TIME, PanelKind, literature_figures
from tests.worlds.literature import miniature


@pytest.mark.slow
def test_figures_of_every_kind_are_made_from_nothing(tmp_path: Path) -> None:
    chosen = ("huang-1", "huang-2a", "huang-3a", "huang-4", "huang-5b", "varma-2", "varma-3", "nanda-1", "nanda-2")
    small = [miniature(one, steps=10) for one in literature_figures() if one.name in chosen]
    assert {panel.kind for one in small for panel in one.panels} == set(get_args(PanelKind))
    together = replace(small[0], panels=tuple(panel for one in small for panel in one.panels))
    with open_runs(tmp_path, Machine(workers=1), display=False) as laboratory:
        evidence = literature.measure(together, laboratory)
        assert laboratory.lacking(literature.configs_of_figure(together)) == []
    shown = iter(evidence)
    for one in small:
        panels = [next(shown) for _ in one.panels]
        drawn = draw(panels)
        drawn.draw_without_rendering()
        check(drawn, panels)
        plt.close(drawn)


@pytest.mark.slow
def test_title_and_legend_of_a_single_panel_stay_inside_the_picture(tmp_path: Path) -> None:
    (figure,) = [miniature(one, steps=10) for one in literature_figures() if one.name == "huang-3d"]
    with open_runs(tmp_path, Machine(workers=1), display=False) as laboratory:
        drawn = draw(literature.measure(figure, laboratory), title=f"Counterpart of {figure.name}: {figure.setting}")
    drawn.draw_without_rendering()
    (legend,) = drawn.legends
    box = legend.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= drawn.bbox.x1
    assert len(drawn.axes) == 1
    assert not box.overlaps(drawn.axes[0].get_window_extent())
    plt.close(drawn)


@pytest.mark.slow
def test_panels_of_one_size_each_share_their_legend_and_are_told_by_their_titles(tmp_path: Path) -> None:
    (figure,) = [miniature(one, steps=10) for one in literature_figures() if one.name == "huang-2e"]
    with open_runs(tmp_path, Machine(workers=1), display=False) as laboratory:
        drawn = draw(literature.measure(figure, laboratory), title="four dynamics")
    (legend,) = drawn.legends
    assert [one.get_text() for one in legend.get_texts()] == ["train", "test"]
    titles = [ax.get_title() for ax in drawn.axes]
    assert titles[:2] == ["progression, accuracy\nd = 8, D = 3500", "memorization, accuracy\nd = 32, D = 2000"]
    assert len(set(titles)) == len(titles) == 8
    plt.close(drawn)


def check(drawn: Figure, panels: Sequence[literature.PanelRuns]) -> None:
    """Every run of a figure is in its picture, and no two predicted intervals lie over each other."""
    axes = iter(drawn.axes)
    for shown in panels:
        panel, n_predicted = shown.panel, sum(bool(one.accuracies) for one in shown.series)
        if panel.kind == "plane":
            next(axes)
            continue
        if panel.kind in OVER_TIME:
            assert len(next(axes).lines) == len(panel.sizes) * (1 if panel.kind == "norm" else 2)
            continue
        for n_curves in [1] * len(panel.series) if n_predicted > 1 else [len(panel.series)]:
            ax = next(axes)
            # Those of the legend have no place.
            shades = [one for one in ax.collections if isinstance(one, PolyCollection) and one.get_paths()]
            assert len(shades) <= 1
            # A line through the means of each series, over places in their order.
            lines = [line for line in ax.lines if np.size(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
            assert len(lines) >= n_curves
            assert all(np.diff(line.get_xdata())[0] > 0 for line in lines[:n_curves])
    assert next(axes, None) is None


def test_runs_are_counted_once_and_differ_in_what_series_differ_in() -> None:
    by_name = {one.name: one for one in literature_figures()}
    both = by_name["huang-2a"]
    assert len(literature.configs_of_figure(both)) == both.panels[0].seeds  # two panels, the same runs
    facts = literature.configs_of_figure(by_name["huang-5a"])
    assert {len(one.components) for one in facts if isinstance(one, MultitaskConfig)} == {2}
    shared, split, pretrained = by_name["huang-5b"].panels[0].series
    panel = by_name["huang-5b"].panels[0]
    configs = [literature.config_of(panel, one, 12, 0) for one in (shared, split, pretrained)]
    assert [one.blocks for one in configs] == ["shared", "split", "shared"]  # type: ignore[union-attr]
    assert [len(one.phases) for one in configs] == [1, 1, 2]  # type: ignore[union-attr]


def test_sizes_that_were_predicted_stand_beside_the_runs(tmp_path: Path) -> None:
    (figure,) = (one for one in literature_figures() if one.name == "varma-3")
    panel = figure.panels[0]
    with open_runs(tmp_path, Machine(workers=1), display=False) as laboratory:
        scratch, rest = (literature._predicted(panel, one, laboratory.calibrations) for one in panel.series)
    assert scratch is not None
    assert rest is not None
    assert math.isfinite(rest)
    assert rest < scratch


def test_accuracies_that_were_predicted_stand_beside_those_over_width(tmp_path: Path) -> None:
    (figure,) = (one for one in literature_figures() if one.name == "huang-3a")
    panel = figure.panels[0]
    with open_runs(tmp_path, Machine(workers=1), display=False) as laboratory:
        told = [literature._accuracies(panel, one, laboratory.calibrations) for one in panel.series]
        assert literature._accuracies(figure.panels[1], panel.series[0], laboratory.calibrations) == {}
    asked = dcrit.double_descent(panel.series[1].problem, panel.series[1].n_train, horizon=panel.steps, points=60)
    curve = dict(zip(asked.found.widths.tolist(), asked.found.accuracy.tolist(), strict=True))
    assert {width: one.value for width, one in told[1].items()} == {
        width: pytest.approx(curve[width]) for width in panel.widths
    }
    # Few examples are never enough, many are for every width.
    assert all(few.value < many.value for few, many in zip(told[0].values(), told[3].values(), strict=True))  # type: ignore[operator]
