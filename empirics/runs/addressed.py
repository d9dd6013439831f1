"""What every kind of run has in common: a configuration with an address, and what is known of it once finished."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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


def canonical(config: Addressed) -> str:
    """The text whose hash is the address."""
    return json.dumps(config.to_dict(), sort_keys=True, separators=(",", ":"))


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
