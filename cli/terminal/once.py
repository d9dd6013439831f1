"""What every command asks of its words, and how its help reads.

An option that takes one value has one, an option that takes several takes lists, a file can hold options, and a path
can be looked up.
"""

from __future__ import annotations

import errno
import functools
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from dcrit.cli.terminal.given import keep_given
from dcrit.cli.terminal.printing import printed
from dcrit.cli.terminal.sentences import options_of, unwrapped
from dcrit.theory.advice import notation, told

#: Faults of a path that no file of that name can have; whatever else is wrong with it, its command says.
_BAD_PATHS = {
    errno.ENAMETOOLONG: "made of names of at most 255 bytes",
    errno.ELOOP: "without links that lead in circles",
    errno.EACCES: "in folders that may be entered",
}

#: What stands before the name of a file of options, and most bytes of such a file.
FILE_MARK, MOST_BYTES = "@", 1 << 20

#: What the help shows in the place of a value, by its type.
_METAVARS: dict[Any, str] = {Path: "PATH", list[Path]: "PATH", str: "TEXT", list[str]: "TEXT", bool: ""}


class Command(TyperCommand):
    """A command whose options are given at most once, unless they take several values, and whose paths may exist."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.help:
            self.help = unwrapped(self.help)
        for parameter in self.params:
            if not isinstance(parameter, TyperOption):
                # An argument's name says what it is; its type is one of the interface's.
                parameter.display_type_rich = _nothing  # type: ignore[attr-defined]
                continue
            if parameter.metavar is None:
                annotation = parameter.type_descriptor.annotation
                parameter.metavar = _METAVARS.get(annotation, "" if parameter.is_flag else None)
            # Errors name an option by its long name alone.
            parameter.get_error_hint = functools.partial("'{}'".format, _name(parameter))  # type: ignore[method-assign]

    def get_help_option(self, ctx: Any) -> Any:
        """As typer does it; the option takes no value, and its help shows none."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.metavar = ""
        return found

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does it, which would let the last of several values win in silence."""
        args = self._with_files(ctx, args)
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        keep_given(ctx, values, order)
        for option, times in Counter(order).items():
            if times > 1 and isinstance(option, TyperOption) and takes_one(option):
                several = " and ".join(f"'{value}'" for value in _values(option.opts, args))
                raise typer.BadParameter(f"{_name(option)} must be given once, got {several}", ctx=ctx)
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            given = ctx.params.get(parameter.name)
            for path in given if isinstance(given, list | tuple) else (given,):
                if isinstance(path, Path):
                    name = _name(parameter) if isinstance(parameter, TyperOption) else "the argument"
                    self._check_path(ctx, name, path)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """As typer does it; what the library says of settings is told in options of this command."""
        with notation(options_of(self.params)):
            try:
                return super().invoke(ctx)
            except RuntimeError as error:
                error.args = tuple(told(one) if isinstance(one, str) else one for one in error.args)
                raise

    def _check_path(self, ctx: Any, name: str, path: Path) -> None:
        try:
            path.stat()
        except OSError as error:
            if error.errno in _BAD_PATHS:
                allowed = _BAD_PATHS[error.errno]
                raise typer.BadParameter(f"{name} must be a path {allowed}, got '{path}'", ctx=ctx) from error

    def _with_files(self, ctx: Any, args: list[str]) -> list[str]:
        """The words with those of files in their place; an option that is given outside a file counts instead."""
        takes_value = {
            name for one in self.params if isinstance(one, TyperOption) and not one.is_flag for name in one.opts
        }
        own: list[str] = []
        files: list[str] = []
        before = ""
        for word in args:
            is_file = word.startswith(FILE_MARK) and len(word) > 1 and before not in takes_value
            (files if is_file else own).append(word)
            before = "" if is_file or before in takes_value else word
        if not files:
            return args
        told = [word for name in files for word in words_of(ctx, name)]
        _, _, order = self.make_parser(ctx).parse_args(args=list(own))
        given = {name for option in order if isinstance(option, TyperOption) for name in option.opts}
        return [*_without(given, takes_value, told), *own]


def words_of(ctx: Any, name: str) -> list[str]:
    """Words of a file of options: as on a command line, over any number of lines, without what follows a #.

    Args:
        ctx: Of the command.
        name: The file, behind its mark.

    Raises:
        typer.BadParameter: It cannot be read (exit 2).
    """
    try:
        path = Path(name[1:])
        if not path.is_file():
            raise OSError("no such file")
        if path.stat().st_size > MOST_BYTES:
            raise OSError(f"larger than {MOST_BYTES} bytes")
        return shlex.split(path.read_text(encoding="utf-8"), comments=True)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"the argument must be a file of options behind @, got '{name}': {error}", ctx=ctx
        ) from (error)


def _without(names: set[str], takes_value: set[str], words: list[str]) -> list[str]:
    """The words without some options and their values."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        name = word.partition("=")[0] if word.startswith("--") else word
        value = [next(rest, "")] if name in takes_value and "=" not in word else []
        if name not in names:
            kept += [word, *value]
    return kept


def _nothing(**_: object) -> str:
    """What is shown of a type that says nothing."""
    return ""


def takes_one(option: TyperOption) -> bool:
    """Whether an option has one value: flags have none."""
    return not (option.multiple or option.is_flag or option.count)


def _name(option: Any) -> str:
    """The first long name of an option."""
    return next((str(one) for one in option.opts if one.startswith("--")), str(option.opts[0]))


def _values(names: Iterable[str], words: list[str]) -> list[str]:
    """What is said for an option, in the order of the words."""
    names = list(names)
    short = [name for name in names if not name.startswith("--")]
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if name in names:
            found.append(value if "=" in word else next(rest, ""))
        else:
            found += [word[len(one) :] for one in short if word.startswith(one) and not word.startswith("--")]
    return found


def once(app: typer.Typer) -> None:
    """Make every command below refuse a second value, and print as it is told to; once, however often it is called."""
    for command in app.registered_commands:
        if command.cls is Command:
            continue
        command.cls = Command
        assert command.callback is not None
        command.callback = printed(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            once(group.typer_instance)
