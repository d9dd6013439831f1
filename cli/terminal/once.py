"""What every command asks of its words: an option that takes one value has one, and a path can be looked up."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

#: Faults of a path that no file of that name can have; whatever else is wrong with it, its command says.
_BAD_PATHS = {
    errno.ENAMETOOLONG: "made of names of at most 255 bytes",
    errno.ELOOP: "without links that lead in circles",
    errno.EACCES: "in folders that may be entered",
}


class Command(TyperCommand):
    """A command whose options are given at most once, unless they take several values, and whose paths may exist."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does it, which would let the last of several values win in silence."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter(order).items():
            if times > 1 and isinstance(option, TyperOption) and takes_one(option):
                values = " and ".join(f"'{value}'" for value in _values(option.opts, args))
                raise typer.BadParameter(f"{option.opts[0]} must be given once, got {values}", ctx=ctx)
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            given = ctx.params.get(parameter.name)
            for path in given if isinstance(given, list | tuple) else (given,):
                if isinstance(path, Path):
                    name = parameter.opts[0] if isinstance(parameter, TyperOption) else "the argument"
                    self._check_path(ctx, name, path)
        return rest

    def _check_path(self, ctx: Any, name: str, path: Path) -> None:
        try:
            path.stat()
        except OSError as error:
            if error.errno in _BAD_PATHS:
                allowed = _BAD_PATHS[error.errno]
                raise typer.BadParameter(f"{name} must be a path {allowed}, got '{path}'", ctx=ctx) from error


def takes_one(option: TyperOption) -> bool:
    """Whether an option has one value: flags have none."""
    return not (option.multiple or option.is_flag or option.count)


def _values(names: Iterable[str], words: list[str]) -> list[str]:
    """What is said for an option, in the order of the words."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if name in names:
            found.append(value if "=" in word else next(rest, ""))
    return found


def once(app: typer.Typer) -> None:
    """Make every command below refuse a second value."""
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            once(group.typer_instance)
