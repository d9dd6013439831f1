"""Which runs a study of somebody's own model and data makes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.measures.critical_size import Sides, posterior_of, sides_of
from dcrit.empirics.measures.efficiency import FEWEST
from dcrit.empirics.measures.sequential import FEWEST_RUNS, ROUND_RUNS, guess_of, is_narrow, near, sizes_around
from dcrit.empirics.study.module_runs import LabelKind, ModuleRunConfig
from dcrit.empirics.study.recipe import Recipe
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.checks import FieldError, check_choice, check_integer, check_positive
from dcrit.theory.estimates import LEVEL

FloatArray = NDArray[np.float64]

#: What a run of a study is for: where to look, the efficiencies and the capacity, the measured critical size.
Role = Literal["probing", "generalizing", "memorizing", "overloading", "transition"]
ROLES: tuple[Role, ...] = get_args(Role)

#: Most classes: accuracies are counted by class.
MOST_CLASSES = 1_000_000

#: Sizes of the prediction's runs, as multiples of where probes put the transition.
GENERALIZING_MULTIPLES, MEMORIZING_MULTIPLES = (1.5, 2.2, 3.3), (0.4, 0.63, 1.0, 1.6)

#: The same of e_gen where one run is made at each size, as laws take four at least.
GENERALIZING_ALONE = (1.5, 1.9, 2.5, 3.3)

#: Where too few examples are left for that, sizes of e_gen lie between this multiple, or this part of the largest, and
#: the largest.
LEAST_MULTIPLE, LEAST_PART = 1.1, 0.67

#: Seeds of one role and size lie so close; those of another begin at the next multiple.
SEEDS_A_SIZE = 1000

#: Largest part of all examples that is trained on where some have to be left to test on.
LARGEST_FRACTION = 0.9

#: Short runs that say where to look, and their part of the horizon.
PROBES, PROBE_FRACTION = 6, 0.1

#: Accuracy between chance and ceiling at which a run across the transition may end early.
ENOUGH = 0.9


@dataclass(frozen=True, kw_only=True)
class StudyDesign(Recipe):
    """Which runs a study makes, and how: fields of :class:`~dcrit.empirics.study.recipe.Recipe`, and these.

    Attributes:
        n_classes: C.
        sizes: Training-set sizes on the real labels, across the transition, for the measured critical size; empty to
            have them chosen one after the other, where the posterior of what is known says.
        generalizing_sizes: Sizes on the real labels, well above the transition, for e_gen.
        memorizing_sizes: Sizes on random labels that fit, for e_mem.
        overloading_sizes: Sizes on random labels that do not all fit, for the capacity.
        predict: Whether to train on random labels and to predict; if not, the critical size is measured alone.
        seeds: Runs per size, where sizes are given or chosen beforehand.
        tolerance: Relative half width of the measured interval at which a search ends.
        max_runs: Full runs across the transition that a search makes at most.
        budget_minutes: Time that all runs may take at most; a study that would take longer is refused.
        first_seed: Added to the seed of every run, see :meth:`seed`.
        steps: Horizon of every run; 0 for 40 time constants 1/(ηλ).
        random_labels: ``uniform`` over classes, or ``permuted``: the real labels, shuffled.
        homogeneity: κ; None to measure it.
        ceiling: Best accuracy that is possible on unseen examples.
        level: Probability content of intervals.
        device: ``auto``, ``cpu`` or ``cuda``.

    Empty sizes are chosen from short probes on the real labels, see :meth:`for_examples`.

    Raises:
        ValueError: A field has a value outside its range.
    """

    n_classes: int
    sizes: tuple[int, ...] = ()
    generalizing_sizes: tuple[int, ...] = ()
    memorizing_sizes: tuple[int, ...] = ()
    overloading_sizes: tuple[int, ...] = ()
    predict: bool = True
    seeds: int = 2
    tolerance: float = 0.1
    max_runs: int = 12
    budget_minutes: float = 15.0
    first_seed: int = 0
    steps: int = 0
    random_labels: LabelKind = "uniform"
    homogeneity: float | None = None
    ceiling: float = 1.0
    level: float = LEVEL
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("n_classes", self.n_classes, 2, MOST_CLASSES)
        for name in ("sizes", "generalizing_sizes", "memorizing_sizes", "overloading_sizes"):
            given = getattr(self, name)
            if isinstance(given, (int, str)) or not isinstance(given, (Sequence, np.ndarray)):
                raise FieldError(name, "be a list of sizes", repr(given))
            object.__setattr__(self, name, tuple(int(size) if isinstance(size, np.integer) else size for size in given))
            for size in getattr(self, name):
                check_integer(name, size, 1)
        check_choice("predict", self.predict, (True, False))
        check_integer("seeds", self.seeds, 1)
        check_positive("tolerance", self.tolerance)
        check_integer("max_runs", self.max_runs, 1)
        check_positive("budget_minutes", self.budget_minutes)
        check_integer("first_seed", self.first_seed, 0)
        check_integer("steps", self.steps, 0)
        if not self.steps:
            _ = self.protocol_steps  # says that it needs weight decay
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
        """Steps of every full run [steps]."""
        return self.steps or self.protocol_steps

    @property
    def why_unpredicted(self) -> str:
        """Why this design predicts nothing; empty where it does."""
        if not self.predict:
            return Advice("not asked for: ", Setting("predict", value=False))
        if not self.weight_decay:
            why = ": nothing makes a network prefer the circuit with more margin per norm"
            return Advice(Setting("weight_decay", 0), why)
        if self.label_noise:
            why = ": what fits noise is more than the rule, so e_gen is unknown"
            return Advice(Setting("label_noise", float(f"{self.label_noise:g}")), why)
        for name in ("generalizing_sizes", "memorizing_sizes"):
            given = set(getattr(self, name))
            if given and (len(given) < 2 or self.seeds * len(given) < FEWEST):
                least = max(2, math.ceil(FEWEST / self.seeds))
                why = f"laws take {FEWEST} runs over two sizes: give {least} sizes in "
                return Advice(why, Setting(name), " for ", Setting("seeds", self.seeds))
        return ""

    @property
    def needs_probes(self) -> bool:
        """Whether sizes are left to be chosen."""
        predicting = () if self.why_unpredicted else (self.generalizing_sizes, self.memorizing_sizes)
        return not all((self.sizes, *predicting))

    def probe_sizes(self, n_examples: int) -> tuple[int, ...]:
        """Sizes of short probes, from about half an example a class to nearly all."""
        largest = largest_of(n_examples)
        return _distinct(np.geomspace(min(max(2, self.n_classes // 2), largest), largest, PROBES).tolist(), largest)

    def for_examples(
        self, n_examples: int, n_train: FloatArray | None = None, accuracy: FloatArray | None = None
    ) -> StudyDesign:
        """The design with all sizes of the prediction chosen, for that many examples.

        Sizes follow where probes put the transition: e_gen at 1.5 to 3.3 times of it, see :meth:`sizes_above`, e_mem
        at 0.4 to 1.6 times.

        Args:
            n_examples: n.
            n_train: (k,) sizes of the probes; None where none were made.
            accuracy: (k,) their test accuracies, between chance 0 and ceiling 1.

        Raises:
            ValueError: A size leaves nothing to test on, or is larger than the number of examples.
        """
        largest = largest_of(n_examples)
        place = where_to_look(self.probe_sizes(n_examples), n_train, accuracy)
        multiples = partial(_multiples, place, largest)
        filled = self
        if not self.why_unpredicted:
            filled = replace(
                self,
                generalizing_sizes=self.generalizing_sizes or self.sizes_above(place, largest),
                memorizing_sizes=self.memorizing_sizes or multiples(MEMORIZING_MULTIPLES),
                overloading_sizes=self.overloading_sizes or (n_examples,),
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

    def sizes_above(self, place: float, largest: int) -> tuple[int, ...]:
        """Sizes for e_gen: 1.5 to 3.3 times where the transition is; what is left above it where that is too large.

        Args:
            place: Where it is [examples].
            largest: Most examples that there may be.
        """
        multiples = GENERALIZING_MULTIPLES if self.seeds > 1 else GENERALIZING_ALONE
        low, high = place * multiples[0], place * multiples[-1]
        if high <= largest:
            return _distinct([place * multiple for multiple in multiples], largest)
        low = min(low, max(LEAST_MULTIPLE * place, LEAST_PART * largest), largest / LEAST_MULTIPLE)
        return _distinct(np.geomspace(low, largest, len(multiples)).tolist(), largest)

    def enough(self, chance: float) -> float:
        """Test accuracy that settles on which side of one half a run ends."""
        return chance + ENOUGH * (self.ceiling - chance)

    def predicting(self) -> Iterator[tuple[Role, LabelKind, int]]:
        """Every run that the prediction rests on: what it is for, on which labels, of which size."""
        if self.why_unpredicted:
            return
        blocks: tuple[tuple[Role, LabelKind, tuple[int, ...]], ...] = (
            ("generalizing", "real", self.generalizing_sizes),
            ("memorizing", self.random_labels, self.memorizing_sizes),
            ("overloading", self.random_labels, self.overloading_sizes),
        )
        for role, labels, sizes in blocks:
            for size in sizes:
                for _ in range(self.seeds):
                    yield role, labels, size

    def seed(self, role: Role, size: int, index: int) -> int:
        """Seed of one run: first_seed + index + 1000·(number of the role + number of roles·size).

        It does not depend on how many runs are made elsewhere: with more ``seeds`` or ``max_runs``, those that were
        made before are made by the same seeds.

        Args:
            role: What the run is for.
            size: D.
            index: How many runs of that role and size are made before.
        """
        return self.first_seed + index + SEEDS_A_SIZE * (ROLES.index(role) + len(ROLES) * size)

    def config(self, labels: LabelKind, n_train: int, seed: int, **more: Any) -> ModuleRunConfig:
        """One run of this design."""
        fields = {"steps": self.horizon, **self.recipe(), **more}
        return ModuleRunConfig(labels=labels, n_train=n_train, seed=seed, n_classes=self.n_classes, **fields)

    def next_sizes(
        self, n_examples: int, tried: tuple[FloatArray, FloatArray], probes: tuple[FloatArray, FloatArray], n_made: int
    ) -> list[int]:
        """Sizes of the next full runs across the transition; none when enough is known, or none is left.

        Args:
            n_examples: n.
            tried: Sizes and accuracies, (k,) each, of full runs on the real labels, between chance 0 and ceiling 1.
            probes: The same of short probes, which say where to look and nothing else.
            n_made: Runs that were made for this, diverged ones as well.
        """
        room, largest = min(ROUND_RUNS, self.max_runs - n_made), largest_of(n_examples)
        n_train, accuracy = tried
        top, bottom = n_train >= largest, n_train <= 1
        if (accuracy[top] < 0.5).sum() >= 2 or (accuracy[bottom] >= 0.5).sum() >= 2:
            return []
        if room <= 0 or (n_made >= FEWEST_RUNS and not n_train.size):
            return []
        posterior = posterior_of(n_train, accuracy, n_examples)
        if is_narrow(posterior, self.tolerance):
            return []
        place = None
        if sides_of(n_train, accuracy) is not Sides.BOTH:
            apart = math.log(largest / max(2, self.n_classes // 2)) / (2 * (PROBES - 1))
            place = near(
                math.log(where_to_look(self.probe_sizes(n_examples), *probes)), posterior.log_sizes, max(0.2, apart)
            )
        return [min(largest, max(1, round(size))) for size in sizes_around(posterior, room, place)]


def largest_of(n_examples: int) -> int:
    """Most examples that a run trains on where some have to be left to test on."""
    return max(1, math.floor(LARGEST_FRACTION * n_examples))


def where_to_look(sizes: Sequence[int], n_train: FloatArray | None = None, accuracy: FloatArray | None = None) -> float:
    """The size at which probes put the transition; an end of what they tried where they saw one side of it alone.

    Args:
        sizes: Sizes of the probes that were to be made.
        n_train: (k,) sizes of those that have an accuracy; None for none.
        accuracy: (k,) test accuracies, between chance 0 and ceiling 1.
    """
    if n_train is None or accuracy is None or not n_train.size:
        return math.sqrt(sizes[0] * sizes[-1])
    guess = guess_of(n_train, accuracy)
    if guess is not None:
        return math.exp(guess)
    if accuracy[np.argmin(n_train)] >= 0.5:
        return float(n_train.min())
    return math.sqrt(sizes[-min(2, len(sizes))] * sizes[-1])


def _multiples(place: float, largest: int, multiples: Sequence[float]) -> tuple[int, ...]:
    """Multiples of a size; where the largest one does not fit, all are moved down by one factor."""
    fits = min(1.0, largest / (place * multiples[-1]))
    return _distinct([place * multiple * fits for multiple in multiples], largest)


def sizes_times(sizes: Sequence[int], factor: float, largest: int) -> tuple[int, ...]:
    """Sizes moved by a factor; where the largest one does not fit, all are moved by less."""
    return _multiples(1.0, largest, [factor * size for size in sizes])


def _distinct(sizes: Sequence[float], largest: int) -> tuple[int, ...]:
    return tuple(sorted({min(largest, max(1, round(size))) for size in sizes}))
