"""A critical size without its horizon means nothing: what people read names T or says that a size is at rest."""

import re

import pytest

from dcrit.cli.app import app
from tests.worlds.command_line import invoking

COMMANDS = {
    "regime": ["predict", "regime", "--n-train", "250"],
    "emergence": ["predict", "emergence", "--n-facts", "40", "--n-train", "300"],
    "phase-diagram": ["predict", "phase-diagram", "--points", "20"],
    "critical-size": ["predict", "critical-size"],
    "double-descent": ["predict", "double-descent", "--n-train", "300"],
}


def shown(*words: str) -> str:
    result = invoking(app)(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_prediction_names_its_horizon(command: str) -> None:
    asked = shown(*COMMANDS[command], "--horizon", "3000")
    assert " 3000 steps" in asked
    # The constants were measured over a range of steps of their own.
    assert "4000" not in re.sub(r"calibration: [^)]*\)", "", asked)


@pytest.mark.slow
def test_tables_of_curves_say_after_how_many_steps() -> None:
    facts = shown(*COMMANDS["emergence"])
    assert "beside 40 facts within 4000 steps" in facts
    assert "over width, D_crit after 4000 steps" in facts
    plane = shown(*COMMANDS["phase-diagram"])
    assert "the star, where D_mem meets D_crit after 4000 steps" in plane
    assert "both curves, D_crit after 4000 steps" in plane


@pytest.mark.parametrize("words", [[], ["--model", "transformer", "--modulus", "31", "--width", "24"]])
def test_each_size_of_a_transition_has_its_steps_or_is_at_rest(words: list[str]) -> None:
    lines = [line for line in shown("predict", "critical-size", *words).splitlines() if line.startswith("│ ")]
    sizes = [line for line in lines if re.search("accuracy|efficient|right", line)]
    assert len(sizes) == 6
    assert all(re.search(r"after \d+ steps|at rest", line) for line in sizes)


@pytest.mark.slow
def test_simulated_curves_tell_the_horizon_of_the_size_beside_them() -> None:
    found = shown("simulate", "--n-train", "300", "--steps", "500", "--hysteresis")
    assert "D_crit after 500 steps" in found
    assert "as efficient at rest" in found
    assert "test accuracy after 500 steps" in found
