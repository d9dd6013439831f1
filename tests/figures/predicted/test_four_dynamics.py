"""The picture of the four dynamics: its runs show what it says, and its curves are those that it names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import dcrit
from dcrit.cli.app import app
from dcrit.empirics.runs.outcomes import dynamics_of, summary_of
from dcrit.figures.predicted.four_dynamics import PLACES, DynamicsPanel, delay_of, draw
from dcrit.theory.circuits.regimes import DYNAMICS


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> list[DynamicsPanel]:
    """The picture made in a clone, and what it was made from."""
    clone = tmp_path_factory.mktemp("clone")
    (clone / "docs" / "results").mkdir(parents=True)
    (clone / "pyproject.toml").touch()
    store = clone / "runs"
    done = CliRunner().invoke(app, ["reproduce", "four-dynamics", "--clone", str(clone), "--store", str(store)])
    assert done.exit_code == 0, done.output
    assert Path(done.stdout.strip()) == clone / "figures" / "explained" / "four-dynamics.png"
    assert (clone / "figures" / "explained" / "four-dynamics.png").stat().st_size > 20_000
    return [
        DynamicsPanel(
            place=place,
            run=dcrit.train(place.problem, place.n_train, seeds=1, store=store).runs[0],
            predicted=dcrit.simulate(place.problem, place.n_train).found,
            critical_size=dcrit.predict(place.problem).critical_size,
            capacity=dcrit.predict(place.problem).capacity,
        )
        for place in PLACES
    ]


@pytest.mark.slow
@pytest.mark.processes
def test_each_run_shows_what_its_panel_is_named(panels: list[DynamicsPanel]) -> None:
    assert tuple(panel.place.dynamics for panel in panels) == DYNAMICS
    assert tuple(dynamics_of(panel.run) for panel in panels) == DYNAMICS


@pytest.mark.slow
@pytest.mark.processes
def test_panels_have_the_curves_of_run_and_theory(panels: list[DynamicsPanel]) -> None:
    figure: Figure = draw(panels[::-1])
    for ax, panel in zip(figure.axes, panels, strict=True):
        assert ax.get_title(loc="left").startswith(panel.place.dynamics)
        lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in ax.get_lines()}
        assert lines["unseen examples"] == pytest.approx(panel.run.curves.test_accuracy)
        # Beyond what is calibrated the theory says nothing, and no line stands for that.
        assert ("unseen examples, predicted" in lines) == (panel.critical_size is not None)
    grokking = figure.axes[-1]
    assert [any(text.get_text() == "delay" for text in ax.texts) for ax in figure.axes] == [False, False, False, True]
    assert f"{panels[-1].critical_size:.0f} predicted" in grokking.get_title(loc="left")


@pytest.mark.slow
@pytest.mark.processes
def test_a_run_of_another_size_is_refused(panels: list[DynamicsPanel]) -> None:
    with pytest.raises(ValueError, match="run must be of 450 examples, got 80"):
        replace(panels[0], run=panels[1].run)


@pytest.mark.slow
@pytest.mark.processes
def test_the_arrow_spans_the_delay_that_tables_and_the_glossary_mean(panels: list[DynamicsPanel]) -> None:
    assert [delay_of(panel.run) for panel in panels[:3]] == [None] * 3
    delay, run = delay_of(panels[-1].run), panels[-1].run
    summary = summary_of(run)
    assert delay == (summary["memorized_at"], summary["generalized_at"])
    assert delay is not None
    curves = run.curves
    assert (curves.train_accuracy[curves.step >= delay[0]] >= 0.99).all()
    assert (curves.test_accuracy[curves.step >= delay[1]] >= 0.9).all()
    assert curves.test_accuracy[curves.step < delay[1]].max() < 0.9
