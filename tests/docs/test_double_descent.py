"""Double descent is told by one recipe: the same problem, sizes, widths and horizon on every page and in the figure."""

import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from dcrit.cli.app import app
from dcrit.cli.terminal.options import problems_from
from dcrit.theory.literature.figures import literature_figures
from dcrit.theory.problems.problem import Problem
from tests.docs.test_commands import PAGES, lines
from tests.worlds.command_line import invoking
from tests.worlds.option_words import command_at

(FIGURE,) = (one for one in literature_figures() if one.name == "huang-3a")
PANEL = FIGURE.panels[0]
HOW_TO = Path("docs") / "how-to" / "reproduce-a-figure.md"


def options_of(line: str) -> dict[str, Any]:
    """Options of a command as they are understood."""
    words = shlex.split(line, comments=True)[1:]
    path = tuple(words[:2] if words[0] == "predict" else words[:1])
    return command_at(path).make_context(path[-1], words[len(path) :]).params


def problem_of(options: dict[str, Any]) -> Problem:
    """The problem of a command at the width of the figure."""
    asked = {one.name: options[one.name] for one in fields(Problem) if one.name in options}
    asked |= {name: [asked[name]] for name in ("modulus", "width") if isinstance(asked.get(name), int)}
    asked |= {"modulus": flat(asked["modulus"]), "width": None}
    return replace(problems_from(**asked).problem, width=PANEL.series[0].problem.width)


def flat(values: list[int | tuple[int, ...]]) -> tuple[int, ...]:
    """Numbers of an option that takes lists."""
    return tuple(one for each in values for one in (each if isinstance(each, tuple) else (each,)))


PREDICTIONS = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for line in dict.fromkeys(lines(page.read_text(encoding="utf-8")))
    if line.startswith("dcrit predict double-descent")
]


def test_the_recipe_stands_on_several_pages() -> None:
    assert len(PREDICTIONS) >= 4


@pytest.mark.parametrize("line", PREDICTIONS)
def test_a_prediction_is_of_a_series_of_the_figure_at_its_horizon(line: str) -> None:
    asked = options_of(line)
    assert asked["horizon"] == PANEL.steps
    assert (problem_of(asked), asked["n_train"]) in [(one.problem, one.n_train) for one in PANEL.series]


def test_runs_have_the_widths_of_the_figure_and_of_the_command_that_a_prediction_names() -> None:
    page = (Path(__file__).resolve().parents[2] / HOW_TO).read_text(encoding="utf-8")
    (trained,) = [line for line in lines(page) if line.startswith("dcrit train -m transformer")]
    (predicted, laid) = [line for line in lines(page) if line.startswith("dcrit predict double-descent")]
    said = " ".join(invoking_app(*shlex.split(predicted, comments=True)[1:]).split())
    named = "dcrit train" + said.partition("dcrit train")[2].partition(" dcrit predict")[0]
    assert "--store" in laid
    for line in (trained, named):
        asked = options_of(line)
        assert flat(asked["width"]) == PANEL.widths
        assert (problem_of(asked), asked["steps"]) == (PANEL.series[0].problem, PANEL.steps)
        assert flat(asked["n_train"]) == (options_of(laid)["n_train"],)
    assert options_of(trained)["seeds"] == options_of(named)["seeds"] >= PANEL.seeds


def invoking_app(*words: str) -> str:
    """What a command prints."""
    done = invoking(app, columns=80)(*words)
    assert done.exit_code == 0, done.output
    return done.stdout
