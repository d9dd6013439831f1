import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from dcrit.empirics.experiments.facts import FactsDesign, FactsPoint, FactsSeries, additive, measure, rule
from dcrit.figures.measured import emergence_threshold as module
from dcrit.theory.problems.problem import Problem
from tests.worlds.multitask import MultitaskWorld, facts_of

PROBLEM = Problem(modulus=31, width=64)
MAIN = FactsSeries(problem=PROBLEM, n_facts=(0, 100, 200))


@pytest.fixture(scope="module")
def evidence() -> list[FactsPoint]:
    series = (
        MAIN,
        FactsSeries(problem=replace(PROBLEM, width=32), n_facts=(0, 100)),
        FactsSeries(problem=PROBLEM, n_facts=(100,), blocks="split"),
        FactsSeries(problem=PROBLEM, n_facts=(100,), is_pretrained=True),
        FactsSeries(problem=replace(PROBLEM, activation="relu"), n_facts=(0, 100)),
    )
    world = MultitaskWorld(size=lambda one: math.inf if facts_of(one) == 200 else 300.0 + facts_of(one))
    return measure(FactsDesign(series=series, budget=6), world.laboratory())


def bars(ax: Axes, label: str) -> list[tuple[float, float]]:
    found = [one for one in ax.containers if isinstance(one, ErrorbarContainer) and one.get_label() == label]
    return [tuple(np.asarray(one.lines[0].get_xydata())[0]) for one in found]  # type: ignore[union-attr]


@pytest.mark.slow
def test_every_architecture_stands_at_its_measured_size(evidence: list[FactsPoint]) -> None:
    ax = Figure().subplots()
    module.draw_facts(ax, evidence, MAIN)
    for series, kind in ((MAIN, "one block"), (evidence[5].series, "a block for each")):
        own = [one for one in evidence if one.series == series and one.transition.measured.value is not None]
        drawn = bars(ax, kind)
        assert [y for _, y in drawn] == pytest.approx([one.transition.measured.value for one in own])
        np.testing.assert_allclose([x for x, _ in drawn], [one.n_facts for one in own], atol=6)
    assert len(bars(ax, "one block, task alone first")) == 1
    (beyond,) = [line for line in ax.lines if line.get_label() == module.BEYOND]
    assert np.asarray(beyond.get_ydata())[0] >= 0.9 * PROBLEM.n_pairs


@pytest.mark.slow
def test_curves_are_the_rule_and_the_additive_formula(evidence: list[FactsPoint]) -> None:
    ax = Figure().subplots()
    module.draw_facts(ax, evidence, MAIN)
    base = evidence[0]
    size = base.transition.measured.value
    assert size is not None
    curves = {str(line.get_label()): np.asarray(line.get_xydata()) for line in ax.lines}
    for facts, y in curves[module.RULE][[0, 10]]:
        assert y == pytest.approx(rule(replace(base, n_facts=int(facts)), size))
    for facts, y in curves[module.FORMULA]:
        expected = additive(replace(base, n_facts=int(facts)), np.array(size))
        assert expected is not None
        assert y == pytest.approx(float(expected))


@pytest.mark.slow
def test_widths_are_those_of_the_same_task_beside_as_many_facts(evidence: list[FactsPoint]) -> None:
    ax = Figure().subplots()
    module.draw_widths(ax, evidence, MAIN)
    for count, label in ((0, "one block, no facts"), (100, "one block, 100 facts")):
        assert [x for x, _ in bars(ax, label)] == [32, 64]
        (line,) = [
            one
            for one in ax.lines
            if str(one.get_label()).startswith(module.BARE) and str(count or "no") in str(one.get_label())
        ]
        point = next(one for one in evidence if one.series == MAIN and one.n_facts == count)
        assert np.asarray(line.get_ydata())[1] == pytest.approx(rule(point))


@pytest.mark.slow
def test_the_whole_figure_is_drawn_or_says_that_nothing_was_measured(evidence: list[FactsPoint]) -> None:
    figure = module.draw(evidence)
    figure.draw_without_rendering()
    assert module.main_series(evidence) == MAIN
    empty = module.draw([])
    empty.draw_without_rendering()
    assert all("No critical size" in ax.texts[0].get_text() for ax in empty.axes)
