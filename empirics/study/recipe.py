"""How a module of somebody else is trained: loss, optimizer, batches and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from dcrit.theory.advice import Advice, Setting
from dcrit.theory.checks import (
    FieldError,
    check_choice,
    check_integer,
    check_not_negative,
    check_positive,
    check_probability,
)
from dcrit.theory.problems.problem import Problem, protocol_horizon

LossName = Literal["cross-entropy", "mean-squared-error"]
OptimizerName = Literal["adamw", "sgd"]
PrecisionName = Literal["float64", "float32"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything of an ordinary training loop that somebody may want to choose.

    Attributes:
        learning_rate: η.
        weight_decay: λ [1/step/learning rate]; 0 for none. AdamW's is decoupled; ``sgd`` adds λθ to the gradient.
        optimizer: ``adamw``, or ``sgd``: gradient descent with momentum.
        beta2: β₂ of AdamW.
        epsilon: ε of AdamW.
        momentum: Of ``sgd``; 0 for none.
        warm_up: Steps in which the learning rate rises linearly from 0 to η; 0 for none.
        batch_size: Examples a step; 0 for all of the training set.
        loss: ``cross-entropy``, or ``mean-squared-error``: logits against 1 for the label's class and 0 for the others,
            averaged over examples and classes.
        loss_precision: Floating-point numbers that the loss is computed in. With ``float32`` the gradient of small
            cross-entropies is rounding, or 0.
        label_noise: Part of the training examples whose label is replaced by another class, evenly drawn. Test labels
            stay clean.

    Raises:
        ValueError: A field has a value outside its range.
    """

    learning_rate: float = 1e-2
    weight_decay: float = 1.0
    optimizer: OptimizerName = "adamw"
    beta2: float = Problem.beta2
    epsilon: float = Problem.epsilon
    momentum: float = 0.0
    warm_up: int = 0
    batch_size: int = 0
    loss: LossName = "cross-entropy"
    loss_precision: PrecisionName = "float64"
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        for one in fields(self):
            if isinstance(value := getattr(self, one.name), np.generic):
                object.__setattr__(self, one.name, value.item())
        check_positive("learning_rate", self.learning_rate)
        check_not_negative("weight_decay", self.weight_decay)
        check_choice("optimizer", self.optimizer, get_args(OptimizerName))
        check_probability("beta2", self.beta2)
        check_positive("epsilon", self.epsilon)
        for name in ("momentum", "label_noise"):
            if not 0 <= getattr(self, name) < 1:
                raise FieldError(name, "be at least 0 and below 1", repr(getattr(self, name)))
        if self.momentum and self.optimizer != "sgd":
            only = Advice("be left out unless ", Setting("optimizer", "sgd"))
            raise FieldError("momentum", only, repr(self.momentum))
        check_integer("warm_up", self.warm_up, 0)
        check_integer("batch_size", self.batch_size, 0)
        check_choice("loss", self.loss, get_args(LossName))
        check_choice("loss_precision", self.loss_precision, get_args(PrecisionName))

    @property
    def time_constant(self) -> float:
        """Steps in which weight decay alone shrinks a weight by e, (1 − momentum)/(ηλ); inf without decay [steps]."""
        if not self.weight_decay:
            return math.inf
        return (1 - self.momentum) / (self.learning_rate * self.weight_decay)

    @property
    def protocol_steps(self) -> int:
        """Forty time constants, the horizon of the package's own runs [steps].

        Raises:
            ValueError: There is no weight decay, so no time constant.
        """
        if not self.weight_decay:
            why = "without weight decay there is no time constant 1/(ηλ) to choose it by"
            raise FieldError("steps", "be given where there is no weight decay", "none", why=why)
        return protocol_horizon(self.learning_rate / (1 - self.momentum), self.weight_decay)

    def recipe(self) -> dict[str, Any]:
        """The fields of a recipe by name, as far as this has more."""
        return {one.name: getattr(self, one.name) for one in fields(Recipe)}
