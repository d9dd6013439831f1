"""What was given to the command that runs, so that the one that it names next repeats it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from typer.core import TyperOption


@dataclass(frozen=True, kw_only=True)
class Given:
    """Options of the command that runs, as far as they were given.

    Attributes:
        words: By the name of the parameter, the words that give it again.
        root: The command tree; None outside of a command.
    """

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    root: Any = None

    def options_of(self, words: Iterable[str]) -> list[TyperOption]:
        """Options of the command that some words call; none where they call no command."""
        command = self.root
        for word in words:
            command = getattr(command, "commands", {}).get(word, command)
        return [one for one in getattr(command, "params", ()) if isinstance(one, TyperOption)]


_GIVEN: ContextVar[Given] = ContextVar("given")

#: Outside a command nothing is given.
_NOTHING = Given()


def given() -> Given:
    """What was given to the command that runs."""
    return _GIVEN.get(_NOTHING)


def keep_given(ctx: Any, values: Mapping[str, Any], order: Sequence[Any]) -> None:
    """Remember what was given, until the next command is read.

    Args:
        ctx: Of the command.
        values: As they were written, by the names of parameters.
        order: Parameters that were given.
    """
    words = {one.name: _words(one, values[one.name]) for one in order if isinstance(one, TyperOption)}
    _GIVEN.set(Given(words=words, root=ctx.find_root().command))


def _words(option: TyperOption, value: Any) -> list[str]:
    name = min(option.opts, key=len)
    if option.is_flag:
        return [name] if value else list(option.secondary_opts[:1])
    return [word for one in (value if isinstance(value, list) else [value]) for word in (name, str(one))]
