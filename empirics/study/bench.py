"""The runs of a study in the order in which they are needed: made, or found among those that were kept."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from dcrit.empirics.measures.efficiency import FEWEST
from dcrit.empirics.study.advice import advice_on
from dcrit.empirics.study.cost import LEEWAY, Cost, Pace, Watch, check_budget, cost_of
from dcrit.empirics.study.design import PROBE_FRACTION, Role, StudyDesign, largest_of, sizes_times, where_to_look
from dcrit.empirics.study.early import Fault, fault_of, past_transition
from dcrit.empirics.study.fingerprint import data_hash, fingerprint_of
from dcrit.empirics.study.kept import KeptConfig, KeptRun, StudyStore
from dcrit.empirics.study.module_runs import (
    Factory,
    FloatArray,
    LabelKind,
    ModuleOutcome,
    ModuleRun,
    ModuleRunConfig,
    new_module,
    outcome_at,
)
from dcrit.theory.advice import Advice, Setting, joined

#: How often sizes are moved, or the horizon is doubled, until a first run shows that a prediction can come of it.
MOVES, DOUBLINGS = 4, 2

#: What is said, with the reason, where a study predicts nothing.
MEASURES_ALONE = "will measure and not predict: "

#: By which factor sizes are lowered that do not fit.
LOWER = 0.63


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a study trains.

    Attributes:
        factory: Makes a new module from a seed.
        inputs: (n, …) all examples.
        labels: (n,) their classes.
        device: Where to train.
        chance: Accuracy of a constant guess.
    """

    factory: Factory
    inputs: Tensor
    labels: Tensor
    device: str
    chance: float


class Bench:
    """Makes the runs of a study.

    Args:
        given: Module and data.
        design: Which runs to make.
        pace: What steps take.
        watch: Says how far it is.
        store: Where finished runs are kept; None for nowhere.
        train: Makes one run.
        unpredicted: Why nothing can be predicted from the runs that are made for that; empty where it can.

    Attributes:
        design: With sizes as they were chosen, and the horizon as it was prolonged.
        runs: Every run, with what it was for.
        n_found: Runs that were there already.
        why: Why nothing is predicted, as first runs show; empty where they do not.
        notes: What was changed on the way.
    """

    def __init__(
        self,
        given: Given,
        design: StudyDesign,
        pace: Pace,
        watch: Watch,
        *,
        store: StudyStore | None,
        train: Callable[..., ModuleRun],
        unpredicted: Callable[[StudyDesign, Sequence[tuple[Role, ModuleRun]]], str] = lambda *_: "",
    ) -> None:
        self.unpredicted = unpredicted
        self.given, self.design, self.asked, self.pace, self.watch = given, design, design, pace, watch
        self.store, self.train = store, train
        self.data = "" if store is None else data_hash(given.inputs, given.labels)
        self.runs: list[tuple[Role, ModuleRun]] = []
        self.made: Counter[tuple[Role, int, int]] = Counter()
        self.moves: Counter[Role] = Counter()
        self.n_found, self.why = 0, ""
        self.notes: list[str] = []
        self.kept: set[str] = set()

    @property
    def n_examples(self) -> int:
        """How many examples there are."""
        return len(self.given.labels)

    @property
    def how_to_go_on(self) -> str:
        """What is left of a study that was stopped."""
        if self.store is None:
            store = Setting("store", blank="FOLDER")
            return Advice(
                "Nothing was kept. With ", store, " finished runs are kept, and the same call goes on from there."
            )
        return f"{len(self.runs)} finished runs are kept in {self.store.folder}: the same call goes on from there."

    @property
    def what_was_found(self) -> str:
        """How many runs were there before, and what others the store holds where none of them was of use."""
        if self.store is None:
            return ""
        said = f"{self.n_found} of {len(self.runs)} runs were in {self.store.folder} already"
        others = [] if self.n_found else [one.config for one in self.store.headings()]
        others = [one for one in others if one.address not in self.kept]
        if not others:
            return said if self.n_found else f"{len(self.runs)} runs are kept in {self.store.folder}"
        same = [one for one in others if one.data == self.data]
        why = "of other modules, or trained otherwise" if same else "of other data"
        return f"{said}; {len(same or others)} runs there are {why}"

    def make_runs(self) -> None:
        """Probes where they are needed, the prediction's runs, and those across the transition.

        Raises:
            ValueError: Once sizes are known, the study costs far more than it may; or a module fails in training.
        """
        probes = self._probe()
        if self.design.why_unpredicted:
            if self.design.predict:
                self.watch.say(Advice(MEASURES_ALONE, self.design.why_unpredicted))
        elif self._can_predict():
            self._complete()
            while self._raised():
                self._complete()
            # The fit needs no run across the transition, so that people need not wait for these to know.
            if reason := self.unpredicted(self.design, self.runs):
                self.watch.say(Advice(MEASURES_ALONE, reason))
        across: dict[str, Any] = {"enough": self.design.enough(self.given.chance)}
        for size in self.design.sizes:
            for _ in range(self.design.seeds):
                self._run("transition", "real", size, **across)
        n_made = 0
        while not self.design.sizes and (
            sizes := self.design.next_sizes(
                self.n_examples, self._accuracies("transition", "generalizing"), probes, n_made
            )
        ):
            for size in sizes:
                self._run("transition", "real", size, **across)
            n_made += len(sizes)

    def _probe(self) -> tuple[FloatArray, FloatArray]:
        """Short runs that say where to look, the sizes that follow, and what the study costs with these."""
        short = math.ceil(PROBE_FRACTION * self.design.horizon)
        sizes = self.design.probe_sizes(self.n_examples) if self.design.needs_probes else ()
        for size in sizes:
            self._run("probing", "real", size, steps=short)
        probes = self._accuracies("probing")
        self.design = self.design.for_examples(self.n_examples, *probes)
        if sizes:
            cost = self.watch.cost = cost_of(self.design, self.n_examples, self.pace, probes=sizes)
            if cost.seconds > LEEWAY * 60 * self.design.budget_minutes:
                check_budget(cost, self.design, self.price)
            if not self.watch.brief:
                place = where_to_look(sizes, *probes)
                self.watch.say(f"short runs put the transition near {place:.0f} of {self.n_examples} examples")
        return probes

    def price(self, design: StudyDesign) -> Cost:
        """What another design would cost."""
        return cost_of(design, self.n_examples, self.pace)

    def _can_predict(self) -> bool:
        """Whether a first run on real and one on random labels can be predicted from; mends what was left open."""
        for role in ("generalizing", "memorizing"):
            while (fault := self._first(role)) is not None:
                if not self._mended(role, fault):
                    advice = advice_on(role, fault, self.design, self.price, self.n_examples)
                    self.why = joined("; ", (fault.said, *advice))
                    self.watch.say(Advice(MEASURES_ALONE, self.why))
                    self.watch.renew(self._rest(replace(self.design, predict=False)))
                    return False
        return True

    def _complete(self) -> None:
        """All runs of the prediction that are not made yet."""
        for role, labels, size in self.design.predicting():
            if self.made[role, size, self.design.horizon] < self.design.seeds:
                self._run(role, labels, size)

    def _raised(self) -> bool:
        """Whether sizes on real labels that were left open had to be raised, as too few are past the transition."""
        runs = [outcome_at(run, math.nan) for role, run in self.runs if role == "generalizing"]
        past, n_across = past_transition(runs, self.design, self.given.chance)
        sizes = {one.config.n_train for one in past}
        if not n_across or (len(past) >= FEWEST and len(sizes) > 1) or self.asked.generalizing_sizes:
            return False
        below, largest = (max({o.config.n_train for o in runs} - sizes), largest_of(self.n_examples))
        more = self.design.sizes_above(below, largest)
        wanted = tuple(sorted(sizes | {size for size in more if size > below}))
        if len(wanted) < 2 or wanted == self.design.generalizing_sizes or not self._may_move("generalizing"):
            return False
        said = f"{n_across} of {len(runs)} are not past the transition"
        return self._moved("generalizing", wanted, said)

    def _may_move(self, role: Role) -> bool:
        """Whether sizes of a kind were not moved too often yet."""
        return self.moves[role] < MOVES

    def _moved(self, role: Role, sizes: tuple[int, ...], why: str) -> bool:
        self.moves[role] += 1
        said = f"{role} runs take {', '.join(map(str, sizes))} examples, as {why}"
        return self._changed(replace(self.design, **{f"{role}_sizes": sizes}), said)

    def _first(self, role: Role) -> Fault | None:
        """What is wrong with the first run of a kind: of the middle size on real, of the largest on random labels."""
        real = role == "generalizing"
        sizes = self.design.generalizing_sizes if real else self.design.memorizing_sizes
        size = sizes[len(sizes) // 2] if real else sizes[-1]
        run = self._run(role, "real" if real else self.design.random_labels, size)
        return fault_of(run, self.design, self.given.chance)

    def _mended(self, role: Role, fault: Fault) -> bool:
        """Whether what is wrong could be mended by something that was left open; says how."""
        if fault.cause == "moving" and not self.asked.steps:
            longer = replace(self.design, steps=2 * self.design.horizon)
            most = 2**DOUBLINGS * self.asked.horizon
            if longer.horizon > most or self.price(longer).seconds > 60 * self.design.budget_minutes:
                return False
            # Runs of another horizon say where to look, and nothing else.
            whole = {"generalizing", "memorizing"}
            self.runs = [("probing" if one in whole else one, run) for one, run in self.runs]
            return self._changed(longer, f"{fault.said}, so all runs take {longer.horizon} steps")
        name = f"{role}_sizes"
        if getattr(self.asked, name):
            return False
        if fault.cause != {"generalizing": "below", "memorizing": "unfitted"}[role] or not self._may_move(role):
            return False
        before, largest = getattr(self.design, name), largest_of(self.n_examples)
        if role == "generalizing":
            moved = self.design.sizes_above(before[len(before) // 2], largest)
        else:
            moved = sizes_times(before, LOWER, largest)
        if moved == before or len(moved) < 2:
            return False
        return self._moved(role, moved, fault.said)

    def _changed(self, design: StudyDesign, said: str) -> bool:
        self.design = design
        self.notes.append(said)
        self.watch.say(said)
        self.watch.renew(self._rest(design))
        return True

    def _rest(self, design: StudyDesign) -> Cost:
        """What the runs of a design take that are not made yet; short ones were made before.

        Args:
            design: With its sizes.
        """
        whole = cost_of(design, self.n_examples, self.pace, probes=())
        wanted: Counter[tuple[Role, int]] = Counter((role, size) for role, _, size in design.predicting())
        made = {(role, size): min(n, self.made[role, size, design.horizon]) for (role, size), n in wanted.items()}
        saved = sum(n * self.pace.seconds(design, size, design.horizon) for (_, size), n in made.items())
        runs = whole.runs - sum(made.values())
        return replace(whole, runs=runs, steps=runs * design.horizon, seconds=whole.seconds - saved)

    def _run(self, role: Role, labels: LabelKind, size: int, **more: Any) -> ModuleRun:
        horizon = more.get("steps", self.design.horizon)
        seed = self.design.seed(role, size, self.made[role, size, horizon])
        self.made[role, size, horizon] += 1
        config = self.design.config(labels, size, seed, **more)
        run, found = self._found_or_made(config)
        self.n_found += found
        self.runs.append((role, run))
        self.watch.tell(role, self.pace.seconds(self.design, size, int(run.step[-1]) or 1), found=found)
        return run

    def _found_or_made(self, config: ModuleRunConfig) -> tuple[ModuleRun, bool]:
        given = self.given
        if self.store is None:
            return self.train(given.factory, given.inputs, given.labels, config, device=given.device), False
        module = new_module(given.factory, given.inputs, config.seed, config.n_classes, device=given.device)
        found = fingerprint_of(module, given.inputs, config.n_classes, given.device)
        kept = KeptConfig(structure=found.structure, weights=found.weights, data=self.data, run=config)
        if (known := self.store.get(kept)) is not None:
            return known.run, True
        began = time.process_time()
        run = self.train(given.factory, given.inputs, given.labels, config, device=given.device)
        self.kept.add(kept.address)
        self.store.add([KeptRun(config=kept, run=run, seconds=time.process_time() - began)])
        return run, False

    def _accuracies(self, *roles: Role) -> tuple[FloatArray, FloatArray]:
        """Sizes and final test accuracies of the runs that have one, between chance 0 and ceiling 1: (k,) each."""
        outcomes = [outcome_at(run, math.nan) for role, run in self.runs if role in roles]
        return sizes_and_shares(outcomes, self.given.chance, self.design)


def sizes_and_shares(
    outcomes: Sequence[ModuleOutcome], chance: float, design: StudyDesign
) -> tuple[FloatArray, FloatArray]:
    """Sizes and test accuracies of the runs that have one, counted from chance 0 to the ceiling 1: (k,) each."""
    tested = [o for o in outcomes if math.isfinite(o.test_accuracy)]
    shares = np.array([(o.test_accuracy - chance) / (design.ceiling - chance) for o in tested], dtype=np.float64)
    return np.array([o.config.n_train for o in tested], dtype=np.float64), shares.clip(0.0, 1.0)
