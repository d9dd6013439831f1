"""What every kind of run has in common: a configuration with an address, and what is known of it once finished.

A configuration may gain fields. A class lists those in ``ADDED_LATER``, each with the value that runs stored before
had of it, frozen when it was added: the dataclass's own default may change later, this value never. At its frozen
value a field is left out of what is hashed, so that addresses of stored runs stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar


class Addressed(Protocol):
    """A configuration that a store finds runs by."""

    @cached_property
    def address(self) -> str:
        """Content address: 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        ...


class Finished(Protocol):
    """A finished run: a dataclass of a configuration, why it ended, how long it took, and curves."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def config(self) -> Any:
        """What was run."""
        ...

    @property
    def ending(self) -> str:
        """Why it ended."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took [s]."""
        ...


AnyConfig = TypeVar("AnyConfig", bound=Addressed)
AnyRun = TypeVar("AnyRun", bound=Finished)


Asked_contra = TypeVar("Asked_contra", contravariant=True)
Made_co = TypeVar("Made_co", covariant=True)


class Runner(Protocol[Asked_contra, Made_co]):
    """Finds runs of one kind in a store, or trains them."""

    def __call__(self, configs: Sequence[Asked_contra], /, *, stage: str) -> Sequence[Made_co]:
        """Finished runs in the order of the configurations.

        Args:
            configs: What to run; may repeat itself.
            stage: What the runs are for, to people.
        """
        ...


def addressed_fields(value: Any) -> Any:
    """A dataclass as JSON values, those within it likewise; fields added later go unsaid at their frozen values.

    Args:
        value: A dataclass with or without ``ADDED_LATER``, a tuple of values, or a JSON value.
    """
    if is_dataclass(value):
        later: Mapping[str, Any] = getattr(value, "ADDED_LATER", {})
        said = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: addressed_fields(got) for name, got in said.items() if name not in later or got != later[name]}
    return [addressed_fields(each) for each in value] if isinstance(value, tuple) else value


def canonical(config: Addressed) -> str:
    """The text whose hash is the address."""
    return json.dumps(config.to_dict(), sort_keys=True, separators=(",", ":"))


def address_of(text: str) -> str:
    """Content address of a canonical text: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Heading(Generic[AnyConfig]):
    """What is known of a stored run without its curves.

    Attributes:
        config: What was run.
        ending: Why it ended.
        seconds: How long it took [s].
        n_bytes: Its share of its file [bytes].
    """

    config: AnyConfig
    ending: str
    seconds: float
    n_bytes: float
