"""What a command says of an error that the library raises."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import dcrit.theory
from dcrit.cli.terminal.options import bad_input
from dcrit.cli.terminal.sentences import Commands, options_of
from dcrit.theory.advice import Advice, Setting, notation, told
from dcrit.theory.checks import FieldError
from tests.worlds.option_words import commands, parameters

app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
ERRORS = {
    "option": FieldError("n_train", "be at most 9", 10),
    "argument": FieldError("kind", "be known", "'none'"),
    "neither": FieldError("coefficients", "be 4 numbers", "none"),
    "hint": FieldError(
        "n_train",
        Advice("be below ", Setting("n_train", 9)),
        10,
        why=Advice("try ", Setting("n_train", 3), " or ", Setting("loss", 4)),
    ),
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
def made(
    file: str, *, steps: int = 3, batch_size: int = 3, predict: bool = True, sizes: int = 3, kind: str = "few"
) -> None:
    """Have options of all kinds."""


@pytest.mark.parametrize(
    ("setting", "python", "says"),
    [
        (Setting("steps", 40), "steps=40", "--steps 40"),
        (Setting("steps", 1e6), "steps=1000000.0", "--steps 1000000.0"),
        (Setting("predict", value=False), "predict=False", "--no-predict"),
        (Setting("predict", value=True), "predict=True", "--predict"),
        (Setting("sizes", (10, 20)), "sizes=(10, 20)", "--sizes 10,20"),
        (Setting("sizes", [-1]), "sizes=[-1]", "--sizes -1"),
        (Setting("sizes", [-0.5]), "sizes=[-0.5]", "--sizes -0.5"),
        (Setting("kind", "few"), "kind='few'", "--kind few"),
        (Setting("kind", ["id", "my seed"]), "kind=['id', 'my seed']", "--kind id --kind 'my seed'"),
        (Setting("batch_size"), "batch_size=", "--batch-size"),
        (Setting("kind", blank="NAME"), "kind=NAME", "--kind NAME"),
        (Setting("unknown", 3), "unknown=3", "unknown=3"),
        (Setting("file", "mine.py"), "file='mine.py'", "file='mine.py'"),
    ],
    ids=str,
)
def test_settings_are_told_in_python_and_in_options(setting: Setting, python: str, says: str) -> None:
    sentence = Advice("try ", setting, ", or more")
    assert str(sentence) == told(sentence) == f"try {python}, or more"
    with notation(options_of(get_command(app).commands["made"].params)):  # type: ignore[attr-defined]
        assert told(sentence) == f"try {says}, or more"
        assert told("try steps=40") == "try steps=40"  # nobody looks for settings in a plain text
    assert told(sentence) == str(sentence)


def test_an_error_of_the_library_names_options_where_the_command_has_them() -> None:
    result = CliRunner().invoke(app, ["ask", "hint"], env={"COLUMNS": "200"})
    assert "--n-train must be below --n-train 9, got 10: try --n-train 3 or loss=4" in result.stderr


def test_no_message_of_the_library_writes_a_setting_into_its_text() -> None:
    """Settings are fields, so that options can stand for them; whole commands and code are written as they are."""
    names = {one.name for path in commands() for one in parameters(path)}
    several = "|".join(name for name in names if "_" in name)
    written = re.compile(
        rf"(?<![\w.-])({'|'.join(names)})=|(?<![\w-])--[a-z]|\b(give|try|be left out .*)\b({several})\b"
    )
    root = Path(dcrit.theory.__file__).parents[1]
    files = [one for folder in ("theory", "empirics", "dcrit/api") for one in (root / folder).rglob("*.py")]
    assert len(files) > 200
    found = [
        f"{file.relative_to(root)}:{line}: {text}"
        for file in files
        for line, text in texts_of(ast.parse(file.read_text(encoding="utf-8")))
        if written.search(text) and "dcrit" not in text
    ]
    assert not found
    (one,) = [text for _, text in texts_of(ast.parse("say(f'try steps={steps}')")) if written.search(text)]
    assert one == "try steps=…"


def texts_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every message, what is put into one as …; docstrings are none."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            inner |= {id(one) for one in node.values}
            yield node.lineno, "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value
