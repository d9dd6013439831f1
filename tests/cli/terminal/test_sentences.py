"""What a command says of an error that the library raises."""

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from dcrit.cli.terminal.options import bad_input
from dcrit.cli.terminal.sentences import Commands, in_options
from dcrit.theory.checks import FieldError

app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
ERRORS = {
    "option": FieldError("n_train", "be at most 9", 10),
    "argument": FieldError("kind", "be known", "'none'"),
    "neither": FieldError("coefficients", "be 4 numbers", "none"),
    "defect": ValueError("n_train must not be broken, got a defect"),
}


@app.command("ask")
def ask(kind: str, n_train: int = 3) -> None:
    """Raise an error of the library."""
    with bad_input():
        raise ERRORS[kind]


@app.command("other")
def other() -> None:
    """Have a second command, so that the first has a name."""


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("option", "--n-train must be at most 9, got 10"),
        ("argument", "kind must be known, got 'none'"),
        ("neither", "coefficients must be 4 numbers, got none"),
    ],
)
def test_a_field_is_told_by_its_option_where_it_has_one(kind: str, says: str) -> None:
    result = CliRunner().invoke(app, ["ask", kind], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert says in result.stderr
    assert f"--{says}" not in result.stderr


def test_an_error_without_a_field_is_no_bad_input() -> None:
    """Its first word is an option's name all the same: nobody parses it."""
    result = CliRunner().invoke(app, ["ask", "defect"])
    assert result.exit_code == 1
    assert result.exception is ERRORS["defect"]


@app.command("made")
def made(steps: int = 3, batch_size: int = 3, predict: bool = True, sizes: int = 3) -> None:
    """Have options of all kinds."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("try steps=40, or steps=1e6; (steps=7) is less", "try --steps 40, or --steps 1e6; (--steps 7) is less"),
        ("not asked for: predict=False", "not asked for: --no-predict"),
        ("unless predict=True", "unless --predict"),
        ("try sizes=(10, 20,) or sizes=(3,).", "try --sizes 10,20 or --sizes 3."),
        ("smaller batch_size= or steps", "smaller --batch-size or steps"),
        ("unless sizes='few', steps=…", "unless --sizes few, --steps …"),
        ("loss=3 and resteps=4 are no options, κ=2 is none", "loss=3 and resteps=4 are no options, κ=2 is none"),
    ],
)
def test_options_stand_for_the_arguments_of_the_library(text: str, says: str) -> None:
    parameters = get_command(app).commands["made"].params  # type: ignore[attr-defined]
    assert in_options(text, parameters) == says
