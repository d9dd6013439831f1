"""What is to be predicted or measured: a task, an architecture and an optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any, ClassVar, Self, cast

from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError, check_choice, check_integer, check_positive, check_probability
from dcrit.theory.families.family import DEFAULT_MODEL, FAMILIES, ModelFamily, names_where
from dcrit.theory.problems.tasks import TASKS, Task


class _Unnamed(Enum):
    """Stands for the model family's own value, until the problem is made."""

    AS_THE_MODEL = "as the model"


AS_THE_MODEL: Any = _Unnamed.AS_THE_MODEL


def check_rate(name: str, got: float) -> None:
    """Raise ``ValueError`` naming the field unless ``got`` is positive, and products of two such are within doubles."""
    check_positive(name, got)
    if not SMALLEST_RATE <= got <= LARGEST_RATE:
        raise FieldError(name, f"be between {SMALLEST_RATE:g} and {LARGEST_RATE:g}", repr(got))


#: Largest modulus, width and depth: counts of pairs and parameters, and powers of them, stay within doubles.
MOST_MODULUS, MOST_WIDTH, MOST_DEPTH = 10**5, 10**9, 100

#: Most points a side of a plane of widths and training-set sizes: the list of a plane's runs fits in memory.
MOST_POINTS = 500

#: Weight decay, learning rate and ε lie between these.
SMALLEST_RATE, LARGEST_RATE = 1e-30, 1e30


#: The protocol's horizon, in time constants 1/(ηλ).
HORIZON = 40


def protocol_horizon(learning_rate: float, weight_decay: float) -> int:
    """Steps that a run takes unless said otherwise, T = 40/(ηλ), rounded up [steps]."""
    return math.ceil(HORIZON * (1.0 / (learning_rate * weight_decay)))


@hinting()
@dataclass(frozen=True, kw_only=True)
class Problem:
    """A task, an architecture and an optimizer; everything but the training-set size and the seed.

    Attributes:
        task: Name of the task, see ``dcrit.theory.problems.tasks.TASKS``, or a polynomial such as ``x^3+x*y^2+y``.
        modulus: p, modulus of the arithmetic; permuted things for ``symmetric-group``, corners for ``dihedral-group``,
            bits for ``sparse-parity``.
        model: Name of the model family, see ``dcrit.theory.families.family.FAMILIES``.
        activation: σ of the hidden layer; the family's own unless named.
        width: H, hidden units of the pair-MLP, or d_model of the transformer.
        depth: Layers; the pair-MLP has one.
        weight_decay: λ, decoupled weight decay [1/step/learning rate].
        learning_rate: η [1]; the family's own unless named.
        beta2: β₂ of AdamW, the part of the mean squared gradient that a step keeps.
        epsilon: ε of AdamW, which is added to the root of that mean.

    Raises:
        ValueError: A field has a value outside its range; the message names field, range and value.
    """

    task: str = "add"
    modulus: int = 23
    model: str = DEFAULT_MODEL
    activation: str = AS_THE_MODEL
    width: int = 64
    depth: int = 1
    weight_decay: float = 1.0
    learning_rate: float = AS_THE_MODEL
    beta2: float = 0.98
    epsilon: float = 1e-8

    #: Fields that problems of the first release had not, and the value that each had then. It is frozen: what is stored
    #: is addressed and read by it, even where the default above comes to differ.
    ADDED_LATER: ClassVar[Mapping[str, str | int | float]] = {"beta2": 0.98, "epsilon": 1e-8}

    def __post_init__(self) -> None:
        task = TASKS.find(self.task)
        check_integer("modulus", self.modulus, 3, MOST_MODULUS)
        task.check_modulus(self.modulus)
        object.__setattr__(self, "task", task.name)  # a formula is written in one way
        family = FAMILIES.find(self.model)
        for name in ("activation", "learning_rate"):
            if getattr(self, name) is AS_THE_MODEL:
                object.__setattr__(self, name, getattr(family, name))
        check_choice("activation", self.activation, family.activations)
        check_integer("width", self.width, 1, MOST_WIDTH)
        check_integer("depth", self.depth, 1, MOST_DEPTH)
        family.check_depth(self.depth)
        family.check_width("width", self.width)
        check_rate("weight_decay", self.weight_decay)
        check_rate("learning_rate", self.learning_rate)
        check_probability("beta2", self.beta2)
        check_rate("epsilon", self.epsilon)
        for name in self.optimizer:  # 1 and 1.0 are one problem: they must be written alike
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def definition(self) -> Task:
        """The task object behind the name."""
        return TASKS[self.task]

    @property
    def n_symbols(self) -> int:
        """S, values an operand takes."""
        return self.definition.n_symbols(self.modulus)

    @property
    def n_classes(self) -> int:
        """C, number of classes."""
        return self.definition.n_classes(self.modulus)

    @property
    def n_pairs(self) -> int:
        """Examples that exist [examples]."""
        return self.definition.n_pairs(self.modulus)

    @property
    def n_params(self) -> int:
        """N, trainable parameters."""
        return self.family.n_params(self)

    @property
    def family(self) -> ModelFamily:
        """Facts of the model family behind the name."""
        return FAMILIES[self.model]

    @property
    def variant(self) -> str:
        """Activation, and the model where it is not the default: what a colour of the figures stands for."""
        return self.family.variant(self.activation)

    @property
    def norm_units(self) -> int:
        """Units whose norms an efficiency is counted in: H hidden units, or the whole transformer."""
        return self.family.norm_units(self)

    @property
    def homogeneity(self) -> float:
        """κ, degree of homogeneity of the logits in the parameters; an effective one where they are not exactly so."""
        return self.family.homogeneity(self)

    def step_flops(self, n_train: int) -> int:
        """Operations of one training step on D examples that count [FLOPs]."""
        return self.family.step_flops(self, n_train)

    @property
    def optimizer(self) -> dict[str, Any]:
        """λ, η, β₂ and ε by name."""
        return {name: getattr(self, name) for name in ("weight_decay", "learning_rate", "beta2", "epsilon")}

    @property
    def time_constant(self) -> float:
        """1/(ηλ), steps in which weight decay alone shrinks a weight by e [steps]."""
        return 1.0 / (self.learning_rate * self.weight_decay)

    @property
    def horizon(self) -> int:
        """T of the protocol, see :func:`protocol_horizon` [steps]."""
        return protocol_horizon(self.learning_rate, self.weight_decay)

    def on_random_labels(self) -> Self:
        """The same model and optimizer on as many symbols, with random labels as frequent: pure memorization."""
        return replace(self, task=self.definition.control, modulus=self.n_symbols)

    def check_rule(self) -> None:
        """Refuse a task that can only be memorized.

        Raises:
            ValueError: Its labels are random.
        """
        if self.definition.rule is None:
            raise FieldError("task", "have a rule to generalize to", repr(self.task), why="its labels are random")

    def check_homogeneous(self) -> None:
        """Refuse a model whose logits are not exactly homogeneous in the parameters, as amplitudes alone need it.

        Raises:
            ValueError: They are not: a transformer's exponent is an effective one.
        """
        if not self.family.exactly_homogeneous:
            allowed = names_where(lambda family: family.exactly_homogeneous)
            raise FieldError("model", f"be {allowed} for training curves without a clock", repr(self.model))

    def check_n_train(self, n_train: int) -> None:
        """Refuse a training-set size that the task cannot fill.

        Raises:
            ValueError: ``n_train`` is below 1 or above the number of pairs.
        """
        check_integer("n_train", n_train, 1)
        if n_train > self.n_pairs:
            raise FieldError(
                "n_train",
                f"be at most {self.n_pairs}, the number of pairs of task '{self.task}' at modulus {self.modulus}",
                n_train,
            )

    def to_dict(self) -> dict[str, str | int | float]:
        """Fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> Self:
        """Inverse of :meth:`to_dict`, also as it was before fields were added; validates as the constructor does."""
        return cls(**cast("dict[str, str]", {**cls.ADDED_LATER, **fields}))  # type: ignore[arg-type]


def task_label(task: str, modulus: int) -> str:
    """A task and its modulus in a few words."""
    return f"{task} p={modulus}"


def label(problem: Problem, *, modulus: bool = True, width: bool = True) -> str:
    """A problem in a few words, for tables, titles and reports; β₂ and ε where they are not the default.

    Args:
        problem: What is named.
        modulus: Whether its modulus plays a part.
        width: Whether its width plays a part; if not, the model family stands in the width's place.
    """
    task = task_label(problem.task, problem.modulus) if modulus else problem.task
    model = f"{problem.family.width_symbol}={problem.width}" if width else problem.model
    layers = f" {problem.depth} layers" if problem.depth > 1 else ""
    beta2 = "" if problem.beta2 == Problem.beta2 else f" β₂={problem.beta2:g}"
    epsilon = "" if problem.epsilon == Problem.epsilon else f" ε={problem.epsilon:g}"
    return f"{task} {problem.activation} {model}{layers}{beta2}{epsilon}"


def rates_label(problem: Problem) -> str:
    """η and λ in a few words where they are not the defaults of the problem's model; empty otherwise.

    Args:
        problem: What is named.
    """
    usual = {"η": problem.family.learning_rate, "λ": Problem.weight_decay}
    own = {"η": problem.learning_rate, "λ": problem.weight_decay}
    return ", ".join(f"{name} = {value:g}" for name, value in own.items() if value != usual[name])


def full_label(problem: Problem, *, modulus: bool = True, width: bool = True) -> str:
    """A problem as :func:`label` has it, with η and λ where they are not the defaults.

    Args:
        problem: What is named.
        modulus: As for :func:`label`.
        width: As for :func:`label`.
    """
    rates = rates_label(problem).replace(" = ", "=").replace(",", "")
    return " ".join(filter(None, [label(problem, modulus=modulus, width=width), rates]))
