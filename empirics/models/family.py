"""What training and instruments need of a model family: its architecture, as a protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from dcrit.theory.problems.problem import Problem


class Networks(Protocol):
    """M independent networks of one shape, trained in place.

    Attributes:
        theta: All parameters, (M, rows, columns).
    """

    theta: Tensor

    def logits_of_all_pairs(self) -> Tensor:
        """Logits of all ordered pairs, row-major in (a, b): (M, C, S²)."""
        ...

    def neuron_squared_norms(self) -> Tensor:
        """‖θ_i‖² of every unit i, in float64: (M, units); all units together are all parameters."""
        ...


N = TypeVar("N", bound=Networks)
N_contra = TypeVar("N_contra", bound=Networks, contravariant=True)


class Step(Protocol[N_contra]):
    """Gradient of the mean cross-entropy of every member over its own training set."""

    def gradient(self, models: N_contra, grad: Tensor, /) -> None:
        """Overwrite ``grad``, shaped as ``theta``, with the gradient in all parameters."""
        ...


@dataclass(frozen=True, kw_only=True)
class Examples:
    """The training sets of M networks, padded to R rows.

    Attributes:
        symbols: (M, R, 2) first and second operand.
        labels: (M, R) classes.
        weights: (M, R) 1/D for training examples, 0 for padding.
    """

    symbols: Tensor
    labels: Tensor
    weights: Tensor


class SymbolTables(NamedTuple):
    """Parameters of one network that have an axis of symbols.

    Attributes:
        first: (S, columns) what is looked up for a first operand.
        second: (S, columns) the same for a second operand; None where both share one table.
        unembed: (C, columns) where all other parameters are these; None where other matrices come between.
    """

    first: Tensor
    second: Tensor | None
    unembed: Tensor | None


class Architecture(Protocol[N]):
    """How networks of one model family are made and trained; its facts are a ``ModelFamily`` of the theory."""

    def initial(self, problem: Problem, generator: torch.Generator, /) -> Tensor:
        """Initial parameters of one network, (rows, columns) in float64."""
        ...

    def networks(self, problem: Problem, theta: Tensor, /) -> N:
        """Networks of parameters (M, rows, columns), which they hold without a copy."""
        ...

    def step(self, problem: Problem, examples: Examples, dtype: torch.dtype, /) -> Step[N]:
        """A training step on the members' training sets."""
        ...

    def pair_logits(self, problem: Problem, theta: Tensor, symbols: Tensor, /) -> Tensor:
        """Logits of one network (rows, columns) on pairs (D, 2), (D, C), by operations that differentiate twice."""
        ...

    def symbol_tables(self, problem: Problem, theta: Tensor, /) -> SymbolTables:
        """Views of one network's parameters, (rows, columns), by symbol."""
        ...


def architecture_of(problem: Problem) -> Architecture[Any]:
    """The architecture that the facts of a problem's family name.

    Raises:
        ImportError: There is no such module.
        AttributeError: There is no such object in it.
    """
    found: Architecture[Any] = resolve_name(problem.family.architecture)
    return found
