"""Effective dimensionality of stored networks' twins: what is asked for and what is found, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

from dcrit.empirics.runs.addressed import address_of, addressed_fields, canonical
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.checks import FieldError

#: What is found, one number each.
DIMENSION_VALUES = ("value", "smaller", "larger", "train_loss", "test_loss", "step")

#: Raised whenever the same configuration comes to mean another number.
DIMENSION_PROTOCOL = 1


@dataclass(frozen=True, kw_only=True)
class DimensionConfig:
    """A network whose N_eff at α = ελ is wanted: the one of median training loss over the run's last tenth.

    Attributes:
        run: How it is trained.

    Raises:
        ValueError: The run does not start from scratch.
    """

    run: RunConfig

    ADDED_LATER: ClassVar[Mapping[str, Any]] = {}

    def __post_init__(self) -> None:
        if self.run.start != "scratch":
            raise FieldError("start", "be 'scratch' where curvature is looked at", f"'{self.run.start}'")

    @property
    def total_steps(self) -> int:
        """Steps at most [steps]."""
        return self.run.total_steps

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return addressed_fields(self) | {"run": self.run.to_dict(), "dimension_protocol": DIMENSION_PROTOCOL}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        rest = {key: value for key, value in fields.items() if key not in ("run", "dimension_protocol")}
        return cls(run=RunConfig.from_dict(fields["run"]), **{**cls.ADDED_LATER, **rest})

    @cached_property
    def address(self) -> str:
        """Content address: 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return address_of(canonical(self))


@dataclass(frozen=True, kw_only=True)
class DimensionValues:
    """What was found; all NaN for a diverged run.

    Attributes:
        value: N_eff at α [parameters].
        smaller: At α/10 [parameters].
        larger: At 10α [parameters].
        train_loss: Of the network looked at [nats].
        test_loss: On all other pairs; NaN where there are none [nats].
        step: At which it was looked at [steps].
    """

    value: float
    smaller: float
    larger: float
    train_loss: float
    test_loss: float
    step: float

    def to_dict(self) -> dict[str, float]:
        """Fields by name."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class DimensionRun:
    """A network that was looked at.

    Attributes:
        config: What was asked for.
        values: What was found.
        ending: ``horizon`` or ``diverged``.
        seconds: Training and curvature together [s].
    """

    config: DimensionConfig
    values: DimensionValues
    ending: Literal["horizon", "diverged"]
    seconds: float = field(compare=False)
