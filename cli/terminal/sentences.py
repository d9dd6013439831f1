"""Text from outside on its way to a terminal: nothing in it moves the cursor, and no sentence fills the screen."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup, TyperOption

from dcrit.theory.advice import Setting, notation, told
from dcrit.theory.checks import FieldError
from dcrit.theory.nearest import question

#: Short names of the problem's options.
SHORT = {"task": "-t", "modulus": "-p", "model": "-m", "activation": "-a", "width": "-w", "depth": "-d"}

#: Longest word of a sentence, and longest sentence [characters].
LONGEST_WORD, LONGEST_SENTENCE = 300, 1200

#: Spaces of other widths, which typesetting uses.
_SPACES = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"

#: What every mistake in calling a command is. Typer exports only what derives from it.
UsageError: type[Exception] = typer.BadParameter.__base__ or Exception

Answer = TypeVar("Answer")


class BadField(typer.BadParameter):
    """A field of the library has a bad value: exit 2, with the option in front that sets the field.

    A field that is no option of the command is told by its own name.

    Args:
        error: What the library says.
    """

    def __init__(self, error: FieldError) -> None:
        super().__init__(str(error))
        self.error = error

    def format_message(self) -> str:
        """The sentence in the words of the command that was called."""
        named = self.error.field
        parameters = [] if self.ctx is None else self.ctx.command.params
        for parameter in parameters:
            if parameter.name == self.error.field and isinstance(parameter, TyperOption):
                named = parameter.opts[0]
        with notation(options_of(parameters)):
            demand = FieldError(named, told(self.error.allowed), self.error.got, told(self.error.why))
        return f"Invalid value: {sentence(str(demand))}"


def options_of(parameters: Sequence[Any]) -> Callable[[Setting], str]:
    """How a command writes settings of the library: as its options, and those that it lacks as Python does.

    ``steps=40`` becomes ``--steps 40``, ``predict=False`` becomes ``--no-predict``, ``sizes=(10, 20)`` becomes
    ``--sizes 10,20``, ``run=('id', 'seed')`` becomes ``--run id --run seed``, and ``max_runs=`` becomes ``--max-runs``.

    Args:
        parameters: Of the command.
    """
    known = {one.name: one for one in parameters if isinstance(one, TyperOption)}

    def option(setting: Setting) -> str:
        one = known.get(setting.name)
        if one is None:
            return str(setting)
        name, value = one.opts[0], setting.value
        if value is None:
            return f"{name} {setting.blank}".strip()
        if one.is_flag:
            return name if value else one.secondary_opts[0]
        if isinstance(value, str) or not isinstance(value, Sequence):
            return f"{name} {shlex.quote(str(value))}"
        if all(isinstance(each, int) for each in value):
            return f"{name} {','.join(map(str, value))}"
        return " ".join(f"{name} {shlex.quote(str(each))}" for each in value)

    return option


def unwrapped(text: str) -> str:
    """Paragraphs without the line breaks of the source, for a screen of any width."""
    return "\n\n".join(" ".join(one.split()) for one in re.split(r"\n\s*\n", text.strip()))


def printable(text: str, *, keep: str = "") -> str:
    """The same text, with what a terminal would act on, or not show, written as an escape.

    Args:
        text: From anywhere.
        keep: Characters that are left as they are all the same.
    """
    return "".join(
        one if one.isprintable() or one in _SPACES or one in keep else one.encode("unicode_escape").decode("ascii")
        for one in text
    )


def sentence(text: str) -> str:
    """A message as one line of bounded length."""
    line = re.sub(
        rf"\S{{{LONGEST_WORD},}}",
        lambda word: f"{word[0][: LONGEST_WORD // 2]}…{word[0][-LONGEST_WORD // 4 :]}",
        printable(text),
    )
    return line if len(line) <= LONGEST_SENTENCE else f"{line[: LONGEST_SENTENCE - 200]} … {line[-200:]}"


class Branch(TyperGroup):
    """A branch of the command tree, whose help runs on to the width of the screen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = unwrapped(self.help or "")

    def get_params(self, ctx: Any) -> list[Any]:
        """As typer does it; options without a value show none."""
        found = super().get_params(ctx)
        for one in found:
            if isinstance(one, TyperOption) and one.is_flag and one.metavar is None:
                one.metavar = ""
        return found


class Commands(Branch):
    """The root of the command tree: what a user did wrong leaves it as one printable sentence."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """As typer does it."""
        return _refusing(lambda: super(Commands, self).make_context(*args, **kwargs))

    def invoke(self, ctx: Any) -> Any:
        """As typer does it."""
        return _refusing(lambda: super(Commands, self).invoke(ctx))


def _refusing(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except UsageError as error:
        said: Any = error
        if hasattr(said, "possibilities"):  # no such option: typer exports no class for it
            said.message, said.possibilities = f"{said.message}{_hint(said)}", None
        said.message = sentence(said.message)
        raise


def _hint(error: Any) -> str:
    """What an unknown option may stand for, or that options follow the name of a command."""
    if error.ctx is None:
        return ""
    command = error.ctx.command
    options = [one for one in command.get_params(error.ctx) if isinstance(one, TyperOption)]
    # A short name that this command lacks stands for what it means elsewhere.
    typed = str(error.option_name)
    meant = {short: f"--{name}" for name, short in SHORT.items()}.get(typed, typed)
    asked = question(meant, [name for one in options for name in one.opts if name.startswith("--")])
    if not asked and isinstance(command, TyperGroup):
        asked = f"Options follow the name of a command; {error.ctx.command_path} --help lists them."
    return f". {asked}" if asked else ""
