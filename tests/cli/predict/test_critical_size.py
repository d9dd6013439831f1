"""What ``dcrit predict critical-size`` says to people: short rows, and nothing twice."""

import typer

from dcrit.cli.predict.critical_size import CIRCUITS, MEANINGS, critical_size
from tests.worlds.command_line import document_of, invoking

app = typer.Typer()
app.command("critical-size")(critical_size)
app.command("other")(critical_size)

invoke = invoking(app, "critical-size")


def said(*words: str) -> str:
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_rows_are_one_line_each_in_a_narrow_terminal() -> None:
    result = invoking(app, "critical-size", columns=80)("--modulus", "31", "--width", "32")
    for name, meaning in MEANINGS.items():
        rows = [line for line in result.stdout.splitlines() if line.startswith(f"│ {meaning.format(T=4000)} ")]
        assert len(rows) == (name != "symmetric_size"), meaning
    assert "Generalizing efficiency e_gen = 0.000439 (90% interval 0.000408 – 0.000468) nats per norm^κ." in " ".join(
        result.stdout.split()
    )


def test_what_is_too_far_outside_to_tell_is_one_sentence_and_stays_in_the_document() -> None:
    words = ("--model", "transformer", "--modulus", "59", "--width", "64")
    assert "Too far" not in said(*words)
    text = " ".join(said(*words, "--explain").split())
    assert "Too far outside the calibration to tell: D_cross, the mixture at rest, e_gen; the number of" in text
    assert "│ D_cross" not in text
    assert text.count("2.57 times the largest") == 1
    document = document_of(invoke(*words, "--json"))
    for name in CIRCUITS:
        assert document[name]["value"] is None
        assert document[name]["reason"].startswith("cannot tell: so far outside")


def test_a_reason_that_is_said_of_all_is_no_note() -> None:
    text = said("--model", "transformer", "--modulus", "59", "--width", "64")
    notes = text.partition("Note 1: ")[2].partition("Accuracy is the mean")[0]
    assert "times the largest" not in notes
    assert "unreliable: 5 of 9 measured sizes lay inside 90 % intervals" in notes  # D_rest of transformers
    assert "more than there are pairs" in notes  # D_mem
    assert "Outside the calibration, so intervals are wider: the number of symbols 59" in " ".join(text.split())


def test_a_row_that_has_its_own_reason_keeps_it() -> None:
    text = " ".join(said("--model", "transformer", "--modulus", "59", "--width", "4").split())
    assert "Note 1: width 4 can hold 0.46 of the rule, so accuracy never reaches 0.5" in text
    assert "D_rest, at rest: accuracy 0.5 is kept │ – │ – │ 1" in text
    assert "Note 2: D_crit is above the capacity of " in text
    assert (
        "Accuracy is the mean over seeds, on all unseen pairs. AdamW with η = 0.003, λ = 1, β₂ = 0.98, ε = 1e-08"
        in text
    )
    assert "(transformer, 680 parameters, 3481 pairs)" in text
