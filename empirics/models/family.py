"""What an ensemble needs of a model family: initial parameters, networks and their training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from dcrit.empirics.models import transformer
from dcrit.empirics.models.deep_transformer import DeepTrainingStep, DeepTransformers
from dcrit.empirics.models.pair_mlp import PairMLPs, TrainingStep
from dcrit.empirics.models.transformer import Transformers
from dcrit.empirics.models.transformer_weights import initial_parameters
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


@dataclass(frozen=True, kw_only=True)
class Family(Generic[N]):
    """How networks of one model family are made and trained.

    Attributes:
        initial: Problem and generator to the initial parameters of one network, (rows, columns) in float64.
        networks: Problem and parameters (M, rows, columns) to networks.
        step: Problem, training sets and floating-point type to a training step.
    """

    initial: Callable[[Problem, torch.Generator], Tensor]
    networks: Callable[[Problem, Tensor], N]
    step: Callable[[Problem, Examples, torch.dtype], Step[N]]


def _uniform_layers(problem: Problem, generator: torch.Generator) -> Tensor:
    """U over V over W, (2S + C, H), as ``torch.nn.Linear`` starts: uniform within ±1/√fan_in.

    The embedding is seen as a layer on two one-hot vectors, of fan_in 2S.
    """
    n_symbols, width, n_classes = problem.n_symbols, problem.width, problem.n_classes

    def uniform(*shape: int, fan_in: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1) / fan_in**0.5

    embed = uniform(2 * n_symbols, width, fan_in=2 * n_symbols)  # (2S, H)
    unembed = uniform(n_classes, width, fan_in=width)  # (C, H)
    return torch.cat([embed, unembed])  # (2S + C, H)


PAIR_MLP = Family[PairMLPs](
    initial=_uniform_layers,
    networks=lambda problem, theta: PairMLPs(theta=theta, activation=problem.activation, n_classes=problem.n_classes),
    step=lambda problem, examples, dtype: TrainingStep(
        symbols=examples.symbols,
        labels=examples.labels,
        weights=examples.weights,
        width=problem.width,
        n_symbols=problem.n_symbols,
        dtype=dtype,
        n_classes=problem.n_classes,
    ),
)

TRANSFORMER = Family[Transformers](
    initial=initial_parameters,
    networks=lambda problem, theta: Transformers(
        theta=theta, activation=problem.activation, n_classes=problem.n_classes
    ),
    step=lambda problem, examples, dtype: transformer.TrainingStep(
        symbols=examples.symbols,
        labels=examples.labels,
        weights=examples.weights,
        width=problem.width,
        n_symbols=problem.n_symbols,
        n_classes=problem.n_classes,
        dtype=dtype,
    ),
)

DEEP_TRANSFORMER = Family[DeepTransformers](
    initial=initial_parameters,
    networks=lambda problem, theta: DeepTransformers(
        theta=theta, activation=problem.activation, n_classes=problem.n_classes, n_layers=problem.depth
    ),
    step=lambda _, examples, dtype: DeepTrainingStep(
        symbols=examples.symbols, labels=examples.labels, weights=examples.weights, dtype=dtype
    ),
)


def family_of(problem: Problem) -> Family[Any]:
    """The family that trains a problem's model fastest."""
    if problem.model == "mlp":
        return PAIR_MLP
    return TRANSFORMER if problem.depth == 1 else DEEP_TRANSFORMER
