"""Unknown arguments of public functions are refused with what to pass instead."""

from __future__ import annotations

import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

from dcrit.theory.checks import FieldError
from dcrit.theory.nearest import nearest, question

Public = TypeVar("Public", bound=Callable[..., Any])


def hinting(*, problem: type | None = None, more: Callable[[], Iterable[str]] = tuple) -> Callable[[Public], Public]:
    """Have a function or class of the public interface answer unknown arguments with what was meant.

    Signature and documentation of what is decorated stay as they are.

    Args:
        problem: Class of its argument ``problem``, whose fields an unknown name may mean; None where it has none.
        more: Gives the names that it takes by ``**``; called where an argument is none of the others.

    Raises:
        TypeError: From what is decorated: an argument has an unknown name, or has to be passed by name.
        ValueError: From what is decorated: the argument ``problem`` is of another class.
    """

    def decorate(public: Public) -> Public:
        if isinstance(public, type):
            initial = public.__init__
            called = _Called(name=f"dcrit.{public.__name__}", function=initial, first=1, problem=problem, more=more)

            @functools.wraps(initial)
            def make(made: Any, /, *given: Any, **named: Any) -> None:
                called.check(given, named)
                initial(made, *given, **named)

            public.__init__ = make  # type: ignore[misc]
            return cast("Public", public)
        called = _Called(name=f"dcrit.{public.__name__}", function=public, first=0, problem=problem, more=more)

        @functools.wraps(public)
        def call(*given: Any, **named: Any) -> Any:
            called.check(given, named)
            return public(*given, **named)

        return cast("Public", call)

    return decorate


@dataclass(frozen=True, kw_only=True)
class _Called:
    """What is called, and what it takes.

    Attributes:
        name: As users write it.
        function: What takes the arguments.
        first: Number of the first argument that a user passes.
        problem: As in :func:`hinting`.
        more: As in :func:`hinting`.
    """

    name: str
    function: Callable[..., Any]
    first: int
    problem: type | None
    more: Callable[[], Iterable[str]]

    @functools.cached_property
    def own(self) -> Mapping[str, inspect.Parameter]:
        """Its arguments, but for those that ``**`` takes."""
        taken = list(inspect.signature(self.function).parameters.values())[self.first :]
        return {one.name: one for one in taken if one.kind is not one.VAR_KEYWORD}

    @functools.cached_property
    def nameless(self) -> Sequence[str]:
        """Those of them that need no name."""
        return [one.name for one in self.own.values() if one.kind is not one.KEYWORD_ONLY]

    @functools.cached_property
    def within(self) -> Sequence[str]:
        """Fields of the problem."""
        return [] if self.problem is None else [one.name for one in fields(self.problem)]

    def check(self, given: Sequence[Any], named: Mapping[str, Any]) -> None:
        """Refuse what it does not take, see :func:`hinting`."""
        if not named.keys() <= self.own.keys():
            taken = [*self.own, *self.more()]
            unknown = {name: value for name, value in named.items() if name not in taken}
            if unknown:
                raise TypeError(self._of_unknown(unknown, taken, is_alone=len(unknown) == len(named)))
        if len(given) > (most := len(self.nameless)):
            others = ", ".join(f"{name}=" for name in self.own if name not in self.nameless)
            got = f"got {len(given)} arguments without a name and takes {most}" if most else "takes none without a name"
            raise TypeError(f"{self.name}() {got}; by name it takes {others}")
        if self.problem is not None and (given or "problem" in named):
            self._check_problem(given[0] if given else named["problem"], self.problem)

    def _check_problem(self, got: object, problem: type) -> None:
        if not isinstance(got, problem):
            why = f"for example {self.name}(dcrit.{problem.__name__}(task='add', modulus=23))"
            raise FieldError("problem", f"be a dcrit.{problem.__name__}", reprlib.repr(got), why=why)

    def _of_unknown(self, unknown: Mapping[str, Any], taken: Sequence[str], *, is_alone: bool) -> str:
        fields_meant = {name: self._field(name, value, taken) for name, value in unknown.items()}
        said: list[str] = []
        if inside := {name: field for name, field in fields_meant.items() if field}:
            words = ", ".join(f"{field}={reprlib.repr(unknown[name])}" for name, field in inside.items())
            rest = "" if is_alone and len(self._needed) == 1 else ", ..."
            said.append(
                f"{self.name}() has no argument {', '.join(inside)}: the problem has it, so pass "
                f"{self.name}(dcrit.Problem({words}){rest})."
            )
        for name, field in fields_meant.items():
            if not field:
                hint = question(name, taken) or f"It takes {', '.join(taken)}."
                said.append(f"{self.name}() has no argument {name}. {hint}")
        return " ".join(said)

    @property
    def _needed(self) -> Sequence[str]:
        return [one.name for one in self.own.values() if one.default is one.empty]

    def _field(self, name: str, value: object, taken: Sequence[str]) -> str:
        """The field of the problem that an unknown name means; empty where it means none."""
        several = isinstance(value, Iterable) and not isinstance(value, str)
        if several and nearest(name, taken):
            return ""  # a field has one value
        meant = nearest(name, [*self.within, *taken])
        return meant[0] if meant and meant[0] in self.within else ""
