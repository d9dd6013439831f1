"""An option that takes one value refuses a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption


class Command(TyperCommand):
    """A command whose options are given at most once, unless they take several values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does it, which would let the last of several values win in silence."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter(order).items():
            if times > 1 and isinstance(option, TyperOption) and takes_one(option):
                values = " and ".join(f"'{value}'" for value in _values(option.opts, args))
                raise typer.BadParameter(f"{option.opts[0]} must be given once, got {values}", ctx=ctx)
        return super().parse_args(ctx, args)


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
