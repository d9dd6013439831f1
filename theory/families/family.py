"""What the theory and the bookkeeping of training know of a model family: facts, one file a family, without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dcrit.theory.checks import FieldError
from dcrit.theory.registry import Registry, discovered

#: Of a problem in which none is named.
DEFAULT_MODEL = "mlp"


class Shape(Protocol):
    """A network, as far as facts of its family depend on it."""

    @property
    def activation(self) -> str:
        """σ."""
        ...

    @property
    def width(self) -> int:
        """H or d."""
        ...

    @property
    def depth(self) -> int:
        """Layers."""
        ...

    @property
    def n_symbols(self) -> int:
        """S."""
        ...

    @property
    def n_classes(self) -> int:
        """C."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelFamily(ABC):
    """Facts of one model family; networks themselves are made by its ``dcrit.empirics.models.family.Architecture``.

    Attributes:
        name: The word in configurations and on the command line.
        label: What people call it.
        architecture: Where its ``Architecture`` is, as ``module:object``; only what trains imports it.
        activations: Those it is built with.
        activation: The one that is meant where none is named.
        learning_rate: η that is meant where none is named.
        width_symbol: Letter for the width.
        width_unit: What the width counts, in words.
        width_step: Widths are multiples of this.
        width_parts: What makes them so, in words.
        deepest: Largest depth; None for any.
        shares_embedding: One embedding serves both operands, so that (a, b) and (b, a) may be memorized as one pair.
        exactly_homogeneous: Logits are: scaling all parameters by s scales them by s^κ. Training curves by the theory
            are integrated for such families alone; they start from amplitudes that were measured on pair-MLPs.
        multitask: Networks that learn several tasks are built like it.
        capacity_widths: Widths that all pairs of a calibration's modulus overload, to measure capacity at.
        capacity_exponent: e of :class:`~dcrit.theory.circuits.laws.CapacityLaw`, measured: 2 where bits per parameter
            grow with the parameters for each pair of a table, 0 where they grow with parameters alone.
        fewest_members: Smallest batch that is worth a step's calls.
        call_flops: What takes as long as one member's share of these calls [FLOPs of matrix products].
        cache_bytes: Tensors of a batch's step are held within this on a core [bytes].
        large_set: Training sets above this are padded by 1/16 at most, since they fill a batch alone [examples]; None
            where that never pays.
    """

    name: str
    label: str
    architecture: str
    activations: tuple[str, ...]
    activation: str
    learning_rate: float
    width_symbol: str = "H"
    width_unit: str = "hidden units"
    width_step: int = 1
    width_parts: str = "units"
    deepest: int | None = 1
    shares_embedding: bool = False
    exactly_homogeneous: bool = False
    multitask: bool = False
    capacity_widths: tuple[int, ...] = (4, 6, 8, 12, 16, 24, 32)
    capacity_exponent: float = 0.0
    fewest_members: int = 4
    call_flops: int = 300_000
    cache_bytes: int = 4 << 20
    large_set: int | None = None

    @abstractmethod
    def n_params(self, shape: Shape) -> int:
        """N, trainable parameters."""

    @abstractmethod
    def homogeneity(self, shape: Shape) -> float:
        """κ, degree of homogeneity of the logits in the parameters; an effective one where they are not exactly so."""

    @abstractmethod
    def step_flops(self, shape: Shape, n_train: int) -> int:
        """Operations of one training step that count: products with weights, forward once, backward twice [FLOPs].

        A multiplication and an addition count as two. Look-ups, activations, softmax and the optimizer count as
        nothing, nor do rows that only pad.

        Args:
            shape: The network.
            n_train: D, examples of a step.
        """

    @abstractmethod
    def weights_per_pair(self, shape: Shape) -> int:
        """Weights that one pair is multiplied with, to estimate the cost of rows."""

    @abstractmethod
    def values_per_pair(self, shape: Shape) -> int:
        """Values that are kept for one pair beside its logits, to estimate memory."""

    def other_flops_per_pair(self, shape: Shape) -> int:
        """What takes as long as a step's other work on one pair, outside of products [FLOPs of matrix products]."""
        del shape
        return 0

    def norm_units(self, shape: Shape) -> int:
        """Units whose norms an efficiency is counted in; 1 for the network as a whole."""
        del shape
        return 1

    def variant(self, activation: str) -> str:
        """Activation, and the family where it is not the default."""
        return activation if self.name == DEFAULT_MODEL else f"{activation} {self.name}"

    def check_width(self, field: str, width: int) -> None:
        """Raise ``ValueError`` naming the field unless networks of that width exist."""
        if width % self.width_step:
            raise FieldError(field, f"be a multiple of the {self.label}'s {self.width_step} {self.width_parts}", width)

    def check_depth(self, depth: int) -> None:
        """Raise ``ValueError`` unless networks of that depth exist."""
        if self.deepest is not None and depth > self.deepest:
            allowed = "1" if self.deepest == 1 else f"at most {self.deepest}"
            raise FieldError("depth", f"be {allowed} for model '{self.name}'", depth)


#: Every model family by its name.
FAMILIES: Registry[ModelFamily] = Registry(
    "model",
    ModelFamily,
    group="dcrit.families",
    own=lambda: discovered("dcrit.theory.families", "FAMILY"),
    name=lambda family: family.name,
)


def activations() -> tuple[str, ...]:
    """Activations of any family, each once."""
    return tuple(dict.fromkeys(kind for family in FAMILIES.values() for kind in family.activations))


def names_where(fact: Callable[[ModelFamily], bool]) -> str:
    """Names of the families of which a fact holds, as messages list what is allowed."""
    return " or ".join(f"'{family.name}'" for family in FAMILIES.values() if fact(family))
