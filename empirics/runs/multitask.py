"""Networks that learn several tasks at once: what is mixed, what tasks share, in which order, and what is recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.runs.addressed import address_of, addressed_fields, canonical
from dcrit.empirics.runs.outcomes import SETTLED_FRACTION
from dcrit.empirics.runs.single import Ending, Precision, evaluation_steps
from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.families.family import DEFAULT_MODEL, FAMILIES, names_where
from dcrit.theory.problems.problem import Problem

Blocks = Literal["shared", "split"]
Heads = Literal["shared", "own"]
Embedding = Literal["merged", "apart"]
Operands = Literal["shared", "own"]
FloatArray = NDArray[np.float64]

#: Raised whenever the trainer changes what a configuration means, so that no stored run is mistaken for a new one.
MULTITASK_PROTOCOL = 1


@dataclass(frozen=True, kw_only=True)
class Component:
    """One of several tasks.

    Attributes:
        task: Name of the task; ``random`` and its kind are facts to memorize.
        modulus: p.
        n_train: D, training-set size [examples].
        operands: ``shared``: its symbols are those of the other tasks, with the same rows of U and V;
            ``own``: symbols of its own, with rows to themselves.

    Raises:
        ValueError: A field has a value outside its range.
    """

    task: str
    modulus: int
    n_train: int
    operands: Operands = "shared"

    ADDED_LATER: ClassVar[Mapping[str, Any]] = {}

    def __post_init__(self) -> None:
        self.problem.check_n_train(self.n_train)
        check_choice("operands", self.operands, ("shared", "own"))

    @property
    def problem(self) -> Problem:
        """The task in a network of default size, for what depends on the task alone: symbols, classes, pairs."""
        return Problem(task=self.task, modulus=self.modulus)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training on some of the tasks.

    The loss is the mean cross-entropy over all training examples of these tasks together. The optimizer's
    moments start anew. Parameters that only idle tasks use stand still, without decay.

    Attributes:
        tasks: Places of the trained tasks among the components.
        steps: Its length [steps].

    Raises:
        ValueError: No task, one twice, or a number out of range.
    """

    tasks: tuple[int, ...]
    steps: int

    ADDED_LATER: ClassVar[Mapping[str, Any]] = {}

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise FieldError("tasks", "be at least one, each once", repr(self.tasks))
        for task in self.tasks:
            check_integer("tasks", task, 0)
        check_integer("steps", self.steps, 1)


@dataclass(frozen=True, kw_only=True)
class MultitaskConfig:
    """Everything that decides the result of one network on several tasks.

    The network answers (a, b) of task t through a hidden layer of H units,

        blocks shared:  logits = W·σ(A·(U[a] + V[b] + T[t])),  the task is a token with an embedding T[t]
        blocks split:   logits = W·σ(A_t·(U[a] + V[b])),       every task has a feed-forward block of its own

    without biases. A transformer reads [a, b, =_t] and answers at =_t, a token of its own for every task; split blocks
    are feed-forward blocks of its one layer, and all else is shared. Of one task it is the transformer.
    What follows is of pair-MLPs. A reads embeddings of H dimensions where the embedding is ``apart``, as the block of a
    transformer does: split blocks then share U, V and W. Where it is ``merged``, as in the pair-MLP, there is no
    A (it is the identity) and rows of U and V are weights of the block itself, so split blocks have U_t and V_t
    of their own and share W alone. One component with split blocks and a merged embedding is the pair-MLP.
    Split blocks with own heads and a merged embedding share nothing: networks side by side, as a control.

    Attributes:
        components: The tasks; those that share operands have as many symbols.
        seed: Draws initial parameters, training sets and random labels.
        blocks: Whether tasks share the hidden units, see above.
        heads: ``shared``: one W, hence as many classes in every task; ``own``: W_t for every task.
        embedding: ``merged`` or ``apart``, see above; a transformer's blocks read the residual stream: ``apart``.
        phases: What is trained when; none for all tasks jointly over the protocol's 40/(ηλ) steps.
        activation: σ.
        width: H, hidden units of a block, or a transformer's d.
        weight_decay: λ, decoupled weight decay [1/step/learning rate].
        learning_rate: η [1].
        beta2: β₂ of AdamW, as of :class:`~dcrit.theory.problems.problem.Problem`.
        epsilon: ε of AdamW, likewise.
        precision: Floating-point type of parameters, gradients and loss.
        model: Model family.

    Raises:
        ValueError: A field has a value outside its range, or tasks cannot share what they are to share.

    Source: huang2024 (a task beside facts, and blocks for each).
    """

    components: tuple[Component, ...]
    seed: int
    blocks: Blocks = "shared"
    heads: Heads = "shared"
    embedding: Embedding = "merged"
    phases: tuple[Phase, ...] = ()
    activation: str = "square"
    width: int = 64
    weight_decay: float = 1.0
    learning_rate: float = 1e-2
    precision: Precision = "float32"
    beta2: float = Problem.beta2
    epsilon: float = Problem.epsilon
    model: str = DEFAULT_MODEL

    ADDED_LATER: ClassVar[Mapping[str, Any]] = {"beta2": 0.98, "epsilon": 1e-8, "model": "mlp"}

    def __post_init__(self) -> None:
        if not self.components:
            raise FieldError("components", "be at least one", "none")
        check_integer("seed", self.seed, 0)
        check_several(self.model)
        check_choice("blocks", self.blocks, ("shared", "split"))
        check_choice("heads", self.heads, ("shared", "own"))
        check_choice("embedding", self.embedding, ("apart",) if self.is_transformer else ("merged", "apart"))
        check_choice("precision", self.precision, ("float32", "float64"))
        for name, value in self.problem(0).optimizer.items():  # it checks them, and writes 1 as 1.0
            object.__setattr__(self, name, value)
        problems = [self.problem(k) for k in range(len(self.components))]
        sharing = {p.n_symbols for p, c in zip(problems, self.components, strict=True) if c.operands == "shared"}
        if len(sharing) > 1:
            raise FieldError(
                "components",
                "have as many symbols each to share operands",
                sorted(sharing),
                why="give one of them operands of its own, or another modulus",
            )
        classes = {p.n_classes for p in problems}
        if self.heads == "shared" and len(classes) > 1:
            raise FieldError("heads", "be own where tasks differ in classes", f"shared for {sorted(classes)}")
        if not self.phases:
            joint = Phase(tasks=tuple(range(len(problems))), steps=problems[0].horizon)
            object.__setattr__(self, "phases", (joint,))
        last = max(task for phase in self.phases for task in phase.tasks)
        if last >= len(problems):
            raise FieldError("phases", f"name components from 0 to {len(problems) - 1}", last)

    @property
    def is_transformer(self) -> bool:
        """Whether tasks are told apart by tokens that are read last, and share attention."""
        return self.model == "transformer"

    def problem(self, task: int) -> Problem:
        """One of the tasks with the width and the optimizer of all of them."""
        component = self.components[task]
        return Problem(
            task=component.task,
            modulus=component.modulus,
            model=self.model,
            activation=self.activation,
            width=self.width,
            weight_decay=self.weight_decay,
            learning_rate=self.learning_rate,
            beta2=self.beta2,
            epsilon=self.epsilon,
        )

    @property
    def horizon(self) -> int:
        """Steps of all phases [steps]."""
        return sum(phase.steps for phase in self.phases)

    @property
    def total_steps(self) -> int:
        """The same, by the name that it has for single networks [steps]."""
        return self.horizon

    def evaluation_steps(self) -> list[int]:
        """Steps at which curves are recorded: 0, and those of the protocol counted from the start of every phase."""
        steps, began = [0], 0
        for phase in self.phases:
            steps += [began + step for step in evaluation_steps(phase.steps, self.problem(0).time_constant)[1:]]
            began += phase.steps
        return steps

    def with_n_train(self, n_train: int, *, seed: int) -> Self:
        """The same tasks with another training-set size of the first task, and another seed."""
        first = replace(self.components[0], n_train=n_train)
        return replace(self, components=(first, *self.components[1:]), seed=seed)

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return addressed_fields(self) | {"mixture_protocol": MULTITASK_PROTOCOL}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        rest = {key: value for key, value in fields.items() if key not in ("components", "phases", "mixture_protocol")}
        return cls(
            components=tuple(Component(**{**Component.ADDED_LATER, **each}) for each in fields["components"]),
            phases=tuple(
                Phase(**{**Phase.ADDED_LATER, **each, "tasks": tuple(each["tasks"])}) for each in fields["phases"]
            ),
            **{**cls.ADDED_LATER, **rest},
        )

    @cached_property
    def address(self) -> str:
        """Content address: 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return address_of(canonical(self))


@dataclass(frozen=True, kw_only=True)
class MultitaskCurves:
    """Recorded curves of one run, one row an evaluation, one column a task.

    Attributes:
        step: (E,) optimizer steps taken over all phases [steps].
        train_loss: (E, K) mean cross-entropy on the task's training set [nats].
        train_accuracy: (E, K) fraction of it that is classified correctly.
        test_loss: (E, K) mean cross-entropy on the task's other pairs [nats]; NaN where there are none.
        test_accuracy: (E, K) accuracy on them; NaN likewise.
        squared_norm: (E,) Q = ‖θ‖² of all parameters.
    """

    step: FloatArray
    train_loss: FloatArray
    train_accuracy: FloatArray
    test_loss: FloatArray
    test_accuracy: FloatArray
    squared_norm: FloatArray


TASK_CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
MULTITASK_CURVES = tuple(MultitaskCurves.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class MultitaskRun:
    """A finished run of one network on several tasks.

    Attributes:
        config: What was run.
        curves: What was recorded.
        ending: ``horizon`` (all steps taken) or ``diverged`` (not finite).
        seconds: Share of the ensemble's wall time [s].
    """

    config: MultitaskConfig
    curves: MultitaskCurves
    ending: Ending
    seconds: float = field(compare=False)

    def settled(self, name: str, task: int = 0) -> float:
        """Median of a task's curve over the last tenth of the last phase; NaN for a diverged run.

        Args:
            name: One of ``TASK_CURVES``.
            task: Place among the components.
        """
        check_choice("name", name, TASK_CURVES)
        if self.ending == "diverged":
            return math.nan
        start = self.config.horizon - SETTLED_FRACTION * self.config.phases[-1].steps
        return float(np.median(getattr(self.curves, name)[self.curves.step >= start, task]))


def check_several(model: str) -> None:
    """Refuse a model family of which no networks with several tasks are built.

    Raises:
        ValueError: It is unknown, or one of them.
    """
    if not FAMILIES.find(model).multitask:
        allowed = names_where(lambda family: family.multitask)
        raise FieldError("model", f"be {allowed} for several tasks", f"'{model}'")


def beside_facts(
    problem: Problem,
    *,
    n_train: int,
    n_facts: int,
    seed: int = 0,
    blocks: Blocks = "shared",
    heads: Heads = "shared",
    embedding: Embedding | None = None,
    operands: Operands = "shared",
    pretraining: int = 0,
    horizon: int | None = None,
) -> MultitaskConfig:
    """A task beside facts to memorize: random pairs of as many symbols with random labels as frequent as the task's.

    Args:
        problem: The task, width and optimizer.
        n_train: D, examples of the task [examples].
        n_facts: D_r [examples]; 0 for the task alone in the same architecture.
        seed: Of everything that is drawn.
        blocks: As of :class:`MultitaskConfig`.
        heads: As of :class:`MultitaskConfig`.
        embedding: As of :class:`MultitaskConfig`; ``merged`` in pair-MLPs where none is named.
        operands: ``shared``: facts are about the task's own operands; ``own``: about others.
        pretraining: Steps on the task alone before all is trained [steps].
        horizon: Steps on all of it; None for the protocol's [steps].

    Raises:
        ValueError: The model is not one that learns several tasks, or a value is out of range.
    """
    check_several(problem.model)
    if problem.depth > 1:
        raise FieldError("depth", "be 1 for several tasks", problem.depth)
    check_integer("n_facts", n_facts, 0)
    check_integer("pretraining", pretraining, 0)
    components = [Component(task=problem.task, modulus=problem.modulus, n_train=n_train)]
    if n_facts:
        control = problem.on_random_labels()
        components.append(Component(task=control.task, modulus=control.modulus, n_train=n_facts, operands=operands))
    everything = tuple(range(len(components)))
    joint = Phase(tasks=everything, steps=problem.horizon if horizon is None else horizon)
    return MultitaskConfig(
        components=tuple(components),
        seed=seed,
        blocks=blocks,
        heads=heads,
        embedding=embedding or ("apart" if problem.model == "transformer" else "merged"),
        phases=(Phase(tasks=(0,), steps=pretraining), joint) if pretraining else (joint,),
        activation=problem.activation,
        width=problem.width,
        model=problem.model,
        **problem.optimizer,
    )
