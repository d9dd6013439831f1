from pathlib import Path
from typing import Any

import pytest
import typer

import dcrit
from dcrit.cli.predict.critical_size import critical_size
from dcrit.cli.predict.double_descent import double_descent
from dcrit.cli.predict.phase_diagram import _surprises, phase_diagram
from dcrit.cli.predict.regime import regime
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.circuits.regimes import shown_from_scratch
from tests.worlds.command_line import document_of, invoking
from tests.worlds.refusals import bad_words, check_refused

app = typer.Typer()
app.command("regime")(regime)
app.command("critical-size")(critical_size)
app.command("phase-diagram")(phase_diagram)
app.command("double-descent")(double_descent)

COMMANDS = [["regime", "--n-train", "300"], ["phase-diagram", "--points", "20"], ["double-descent", "--n-train", "300"]]


invoke = invoking(app)


def document(*words: str) -> dict[str, Any]:
    return document_of(invoke(*words, "--json"))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["square", "relu"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_every_command_answers_people_and_scripts(words: list[str], activation: str) -> None:
    result = invoke(*words, "--activation", activation)
    assert result.exit_code == 0, result.output
    assert "calibration:" in result.stdout
    assert document(*words, "--activation", activation)["calibration"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--modulus", "23"], ["--modulus", "37", "--model", "transformer"]])
def test_the_star_that_is_explained_is_that_of_the_plane_and_divides_the_regimes(words: list[str]) -> None:
    star = document("phase-diagram", "--points", "20", "--horizon", "5000", *words)["star"]
    n_params, n_train, width = (star[name]["value"] for name in ("n_params", "n_train", "width"))
    text = invoke("critical-size", "--explain", "--horizon", "5000", *words, "--width", "48").stdout
    told = f"N* = {n_params:.4g} parameters (width {width:.3g}), D* = {n_train:.4g} examples, T = 5000 steps"
    assert told in text
    assert text.count("N* = ") == 1
    if "transformer" in words:
        regimes = [
            document("regime", *words, "--width", one, "--horizon", "5000", "--n-train", f"{n_train:.0f}")["regime"]
            for one in ("8", "12", "16")
        ]
        assert regimes[0] == "progression"
        assert regimes[2] == "semi-grokking"


@pytest.mark.slow
def test_documents_hold_what_was_asked() -> None:
    one = document(*COMMANDS[0])
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    plane = document(*COMMANDS[1], "--min-width", "16", "--max-width", "64")
    assert (plane["widths"][0], plane["widths"][-1]) == (16, 64)
    assert (len(plane["codes"]), len(plane["codes"][0])) == (20, len(plane["widths"]))
    # D_mem ∝ N^s and N ∝ H.
    (shipped,) = [c for c in shipped_calibrations() if c.tasks[0] == "add" and c.activation == "square"]
    assert document(*COMMANDS[2])["width_exponent"] == pytest.approx(1 / shipped.capacity.slope)


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS[1:], ids=lambda words: words[0])
def test_pictures_are_written_whole(words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "picture.png"
    assert invoke(*words, "--out", str(out)).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


BAD = [
    (["regime", "--n-train", "0"], "--n-train must be an integer of at least 1, got 0"),
    (["regime", "--n-train", "9", "--level", "1"], "--level must be between 0 and 1, got 1.0"),
    (["double-descent", "--n-train", "530"], "--n-train must be at most 529"),
    (["phase-diagram", "--points", "1"], "--points must be an integer of at least 2, got 1"),
    (["phase-diagram", "--min-width", "0"], "--min-width must be an integer of at least 1, got 0"),
    (["phase-diagram", "--min-width", "9", "--max-width", "9"], "--max-width must be an integer of at least 10, got 9"),
    (["phase-diagram", "--model", "transformer", "--activation", "square"], "No calibration ships"),
    (["phase-diagram", "--out", "nowhere/picture.png"], "--out must be a file in a folder that exists"),
    (["phase-diagram", "--out", "picture.txt"], "--out must be a file in a folder that exists"),
]


@bad_words(BAD)
def test_bad_input_is_one_sentence(words: list[str], sentence: str, alone: Path) -> None:
    check_refused(invoke(*words), sentence, alone)


@pytest.mark.slow
def test_a_surprise_is_what_is_not_most_likely_at_the_point_itself() -> None:
    """The plane has the regime of the nearest of its points, which are few here."""
    answer = dcrit.phase_diagram(dcrit.Problem(modulus=31), points=3)
    found = dcrit.regime(dcrit.Problem(modulus=31, width=64), 600).to_dict()
    best = max(found["probabilities"], key=found["probabilities"].__getitem__)
    other = "progression" if best != "progression" else "grokking"
    point = {"width": 64, "n_train": 600, "predicted": other}
    assert _surprises(answer, [{**point, "dynamics": shown_from_scratch(best)}], None) == []
    ((told, chance),) = _surprises(answer, [{**point, "predicted": best, "dynamics": other}], None)
    assert told["dynamics"] == other
    assert chance == pytest.approx(found["probabilities"][other])
