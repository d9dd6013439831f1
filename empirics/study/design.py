"""Which runs a study of somebody's own model and data makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from dcrit.empirics.study.module_runs import LabelKind, ModuleRunConfig
from dcrit.theory.checks import FieldError, check_choice, check_integer, check_positive, check_probability
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem, protocol_horizon

#: What a run of a study is for.
Role = Literal["transition", "generalizing", "memorizing", "overloading"]
ROLES: tuple[Role, ...] = get_args(Role)

#: Fractions of all examples in the default design.
GENERALIZING_FRACTIONS = (0.5, 0.7, 0.9)
OVERLOADING_FRACTIONS = (0.8, 1.0)

#: Number of default sizes for the transition and on random labels.
N_SIZES = 7


@dataclass(frozen=True, kw_only=True)
class StudyDesign:
    """Which runs a study makes, and how.

    Attributes:
        n_classes: C.
        sizes: Training-set sizes on the real labels, across the transition, for the measured critical size.
        generalizing_sizes: Sizes on the real labels, well above the transition, for e_gen.
        memorizing_sizes: Sizes on random labels that fit, for e_mem.
        overloading_sizes: Sizes on random labels that do not all fit, for the capacity.
        seeds: Runs per size.
        first_seed: Seeds count up from here; every run has one of its own.
        steps: Optimizer steps; 0 for the protocol's 40/(ηλ).
        learning_rate: η of AdamW.
        weight_decay: λ of AdamW.
        beta2: β₂ of AdamW.
        epsilon: ε of AdamW.
        batch_size: Examples a step; 0 for full batches, the protocol's.
        random_labels: ``uniform`` over classes, or ``permuted``: the real labels, shuffled.
        homogeneity: κ; None to measure it.
        ceiling: Best accuracy that is possible on unseen examples: below 1 where labels are noisy.
        level: Probability content of intervals.
        device: ``auto``, ``cpu`` or ``cuda``.

    Empty sizes are chosen from the number of examples.

    Raises:
        ValueError: A field has a value outside its range.
    """

    n_classes: int
    sizes: tuple[int, ...] = ()
    generalizing_sizes: tuple[int, ...] = ()
    memorizing_sizes: tuple[int, ...] = ()
    overloading_sizes: tuple[int, ...] = ()
    seeds: int = 3
    first_seed: int = 0
    steps: int = 0
    learning_rate: float = 1e-2
    weight_decay: float = 1.0
    beta2: float = Problem.beta2
    epsilon: float = Problem.epsilon
    batch_size: int = 0
    random_labels: LabelKind = "uniform"
    homogeneity: float | None = None
    ceiling: float = 1.0
    level: float = LEVEL
    device: str = "auto"

    def __post_init__(self) -> None:
        check_integer("n_classes", self.n_classes, 2)
        for name in ("sizes", "generalizing_sizes", "memorizing_sizes", "overloading_sizes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            for size in getattr(self, name):
                check_integer(name, size, 1)
        check_integer("seeds", self.seeds, 1)
        check_integer("first_seed", self.first_seed, 0)
        check_integer("steps", self.steps, 0)
        check_integer("batch_size", self.batch_size, 0)
        check_positive("learning_rate", self.learning_rate)
        check_positive("weight_decay", self.weight_decay)
        check_probability("beta2", self.beta2)
        check_positive("epsilon", self.epsilon)
        check_choice("random_labels", self.random_labels, ("uniform", "permuted"))
        if self.homogeneity is not None:
            check_positive("homogeneity", self.homogeneity)
        if not 0 < self.ceiling <= 1:
            raise FieldError("ceiling", "be above 0 and at most 1", repr(self.ceiling))
        if not 0 < self.level < 1:
            raise FieldError("level", "be between 0 and 1", repr(self.level))
        check_choice("device", self.device, ("auto", "cpu", "cuda"))

    @property
    def horizon(self) -> int:
        """Steps of every run [steps]."""
        return self.steps or protocol_horizon(self.learning_rate, self.weight_decay)

    def for_examples(self, n_examples: int) -> StudyDesign:
        """The design with all sizes chosen, for that many examples.

        Raises:
            ValueError: A size leaves nothing to test on, or is larger than the number of examples.
        """
        across = np.geomspace(max(2, self.n_classes // 2), max(3, n_examples / 2), N_SIZES)
        across = sorted({min(n_examples - 1, round(size)) for size in across.tolist()})
        filled = replace(
            self,
            sizes=self.sizes or tuple(across),
            generalizing_sizes=self.generalizing_sizes or _parts(GENERALIZING_FRACTIONS, n_examples),
            memorizing_sizes=self.memorizing_sizes or tuple(across),
            overloading_sizes=self.overloading_sizes or _parts(OVERLOADING_FRACTIONS, n_examples),
        )
        for name, most in (
            ("sizes", n_examples - 1),
            ("generalizing_sizes", n_examples),
            ("memorizing_sizes", n_examples - 1),
            ("overloading_sizes", n_examples),
        ):
            for size in getattr(filled, name):
                if size > most:
                    raise FieldError(name, f"be at most {most} for {n_examples} examples", size)
        return filled

    def configs(self) -> Iterator[tuple[Role, ModuleRunConfig]]:
        """What every run is for, and the run."""
        seed = self.first_seed
        blocks: tuple[tuple[Role, LabelKind, tuple[int, ...]], ...] = (
            ("transition", "real", self.sizes),
            ("generalizing", "real", self.generalizing_sizes),
            ("memorizing", self.random_labels, self.memorizing_sizes),
            ("overloading", self.random_labels, self.overloading_sizes),
        )
        for role, labels, sizes in blocks:
            for size in sizes:
                for _ in range(self.seeds):
                    yield (
                        role,
                        ModuleRunConfig(
                            labels=labels,
                            n_train=size,
                            seed=seed,
                            n_classes=self.n_classes,
                            steps=self.horizon,
                            learning_rate=self.learning_rate,
                            weight_decay=self.weight_decay,
                            beta2=self.beta2,
                            epsilon=self.epsilon,
                            batch_size=self.batch_size,
                        ),
                    )
                    seed += 1


def _parts(fractions: Sequence[float], n_examples: int) -> tuple[int, ...]:
    return tuple(max(1, round(fraction * n_examples)) for fraction in fractions)
