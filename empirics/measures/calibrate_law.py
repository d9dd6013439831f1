"""Measure the law of both thresholds and the clock of one family, from cheap runs at small moduli.

Two looks a network find how fast it learns from many examples and from fewer. Sizes are then chosen that should take
given times: all lie above the transition, and runs end once they generalize. No critical size from scratch enters.
Sizes at rest come from networks that generalize and go on with fewer examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dcrit.empirics.measures.clock_method import timed
from dcrit.empirics.measures.seed_fit import seed_fit
from dcrit.empirics.measures.threshold_fit import (
    BEND_PRIOR,
    EARLIEST,
    EARLIEST_OF_LEVELS,
    KEY,
    RAISED_DECAY_SCATTER,
    REST_PRIOR,
    SCATTER_AT_REST,
    START,
    Row,
    clock_of,
    distances_of,
    law_of,
    levels_from,
    problem_of,
    range_of,
    sizes_at_rest,
    times_of,
)
from dcrit.empirics.measures.ungrokking import ungrokking_outcome
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.clock import Pace
from dcrit.theory.circuits.critical_size_law import Scatter
from dcrit.theory.circuits.finding import FINDING_EXPONENT
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import relabelings

#: Moduli and widths of the networks from scratch; moduli and width of those at rest.
MODULI, WIDTHS = (19, 29, 41, 47), (48, 96, 192)
MODULI_AT_REST, WIDTH_AT_REST = (19, 29, 37), 128

#: Task of whose accuracy images (±a, ±b) make a part that falls with the modulus: most of it at small ones. Its moduli.
WITH_IMAGES = "sum-squares"
MODULI_WITH_IMAGES, MODULI_AT_REST_WITH_IMAGES = (41, 43, 47), (41, 47)

#: First size looked at, over S^1.5·(1 + 0.3·S/H); by how much it grows where that is too slow, and how often at most.
FIRST, GROWTH, MOST_LOOKS = 3.2, 1.35, 3

#: Largest size, as a part of all pairs.
LARGEST = 0.85

#: Times that sizes are chosen for [steps at the protocol's optimizer]: runs before ``EARLIEST`` are not looked at.
TARGETS = (550.0, 850.0, 1300.0)

#: Sizes at rest over S that are tried first, and around where the size at rest then is.
COARSE_AT_REST, FINE_AT_REST = (5.0, 7.0, 10.0, 14.0), (0.85, 0.95, 1.06, 1.18)

#: Wide prior of k1, which three widths may not tell, and the standard deviation of its logarithm.
LOAD_PRIOR = (0.3, 1.0)

#: Fewest runs to fit five constants to.
FEWEST_RUNS = 12

#: Time constant of the protocol's optimizer, in which times of others are counted [steps].
PROTOCOL = Problem().time_constant


@dataclass(frozen=True, kw_only=True)
class LawDesign:
    """The runs behind one law.

    Attributes:
        problem: Its modulus and width are replaced.
        moduli: p from scratch; none for those of the task.
        widths: H from scratch.
        moduli_at_rest: p at rest, at width ``WIDTH_AT_REST``; none for those of the task.
        seeds: Runs from scratch a size.

    Raises:
        ValueError: A value is out of range, or there is no such law of the task or model.
    """

    problem: Problem
    moduli: tuple[int, ...] = ()
    widths: tuple[int, ...] = WIDTHS
    moduli_at_rest: tuple[int, ...] = ()
    seeds: int = 2

    def __post_init__(self) -> None:
        images = WITH_IMAGES in (self.problem.task, self.problem.definition.same_as)
        usual = (MODULI_WITH_IMAGES, MODULI_AT_REST_WITH_IMAGES) if images else (MODULI, MODULI_AT_REST)
        for name, moduli in zip(("moduli", "moduli_at_rest"), usual, strict=True):
            object.__setattr__(self, name, getattr(self, name) or moduli)
        if lack := lack_of_law(self.problem):
            name, allowed, got = lack
            raise FieldError(name, allowed, got)
        check_integer("seeds", self.seeds, 1)
        for name, values in (("modulus", self.moduli), ("width", self.widths)):
            if len(set(values)) < 2:
                raise FieldError(name, "be given at least 2 different values", ", ".join(map(str, values)) or "none")

    def problems(self) -> list[Problem]:
        """One problem a network from scratch."""
        return [replace(self.problem, modulus=p, width=h) for p in self.moduli for h in self.widths]

    def problems_at_rest(self) -> list[Problem]:
        """One problem a network at rest."""
        return [replace(self.problem, modulus=p, width=WIDTH_AT_REST) for p in self.moduli_at_rest]


def lack_of_law(problem: Problem) -> tuple[str, str, str] | None:
    """Why no law can be measured: the option, what it may be and what it is; None where one can."""
    if problem.definition.rule is None:
        return "task", "have a rule to generalize to", repr(problem.task)
    if problem.model != "mlp" and WITH_IMAGES in (problem.task, problem.definition.same_as):
        return "task", f"be another where the law of a {problem.model} is measured", repr(problem.task)
    return None


def measure_law(design: LawDesign, run: Runner[RunConfig, Run]) -> Thresholds:
    """Constants of both thresholds and the clock.

    Args:
        design: What to run.
        run: Trains, or finds in a store.

    Raises:
        ValueError: Too few networks generalized in time.
    """
    slower = design.problem.time_constant / PROTOCOL
    looks = _nearer(_looks(design, run), slower, run)
    configs = [
        RunConfig(problem=look.problem, n_train=size, seed=1 + seed, until="generalized")
        for look in looks
        for size in sorted({_size(look, target, slower) for target in TARGETS})
        for seed in range(design.seeds)
    ]
    at_rest, middle = design.problems_at_rest(), _rest_per_symbol(design.problems_at_rest()[0], run)
    resting = [
        RunConfig(problem=one, n_train=within(one, factor * middle * one.n_symbols), seed=0, start="generalized")
        for one in at_rest
        for factor in FINE_AT_REST
    ]
    found = run([*configs, *resting], stage="law of sizes from scratch")
    timed = [fitted_row(one) for one in found[: len(configs)]]
    rested = [row for one in found[len(configs) :] if not math.isnan((row := fitted_row(one))["test_accuracy"])]
    late = [row for row in timed if row["time_50"] is not None and row["time_50"] >= EARLIEST * slower]
    if len(late) < FEWEST_RUNS or len({row["modulus"] for row in late}) < 2 or len({row["width"] for row in late}) < 2:
        raise ValueError(f"of {len(timed)} runs from scratch {len(late)} generalized neither too early nor too late")
    fitted = seed_fit(
        timed,
        sizes_at_rest(rested),
        earliest=EARLIEST * slower,
        time="time_50",
        rest_prior=REST_PRIOR,
        bend_prior=BEND_PRIOR,
        scatter_at_rest=SCATTER_AT_REST,
        load_prior=LOAD_PRIOR,
        start={**START, "rate": START["rate"] / slower},
    )
    problem = design.problem
    law = law_of(
        fitted,
        levels_from(distances_of(timed, fitted, earliest=EARLIEST_OF_LEVELS * slower)),
        Scatter(
            largest_symbols=max(problem_of(row).n_symbols for row in timed),
            per_raised_decay=RAISED_DECAY_SCATTER[problem.activation],
        ),
        Pace(**problem.optimizer),
        digits=10,
    )
    used = [*timed, *rested]
    return Thresholds(
        tasks=relabelings(problem.definition, shares_embedding=problem.family.shares_embedding),
        model=problem.model,
        activation=problem.activation,
        law=law,
        calibrated=range_of(
            timed,
            used,
            len(used),
            earliest=EARLIEST * slower,
            beta2=(problem.beta2, problem.beta2),
            epsilon=(problem.epsilon, problem.epsilon),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Look:
    """A size at which one network generalized, and when [steps]."""

    problem: Problem
    n_train: int
    time: float


def _looks(design: LawDesign, run: Runner[RunConfig, Run]) -> list[_Look]:
    """One size of every network at which it generalizes; networks that do not at any are left out."""
    sizes = {
        one: FIRST * one.n_symbols**FINDING_EXPONENT * (1 + START["load"] * one.n_symbols / one.width)
        for one in design.problems()
    }
    found: list[_Look] = []
    for _ in range(MOST_LOOKS):
        configs = [
            RunConfig(problem=one, n_train=within(one, size), seed=0, until="half") for one, size in sizes.items()
        ]
        # A size that was capped is the same at every look.
        configs = [one for one in configs if all(one.problem != look.problem for look in found)]
        if not configs:
            break
        for made in run(configs, stage="first looks"):
            time = timed(made).time
            if time is not None:
                found.append(_Look(problem=made.config.problem, n_train=made.config.n_train, time=time))
                del sizes[made.config.problem]
        sizes = {one: GROWTH * size for one, size in sizes.items() if size < LARGEST * one.n_pairs}
    return found


def _nearer(looks: Sequence[_Look], slower: float, run: Runner[RunConfig, Run]) -> list[_Look]:
    """The same networks at a size that should take the first of ``TARGETS``, without those that do not generalize."""
    configs = [
        RunConfig(problem=look.problem, n_train=_size(look, TARGETS[0], slower), seed=0, until="half") for look in looks
    ]
    found = [timed(one) for one in run(configs, stage="second looks")]
    return [
        _Look(problem=one.config.problem, n_train=one.config.n_train, time=one.time)
        for one in found
        if one.time is not None
    ]


def _size(look: _Look, target: float, slower: float) -> int:
    """Size of a network that should take so many steps of the protocol's, by how the clock of any network runs."""
    clock = clock_of(START, look.problem.n_symbols, look.problem.width)
    unit = look.n_train / float(clock.critical_size(look.time / slower))
    return within(look.problem, unit * float(clock.critical_size(target)))


def _rest_per_symbol(problem: Problem, run: Runner[RunConfig, Run]) -> float:
    """About D_rest/S, from one run at each of some sizes that lie far apart."""
    configs = [
        RunConfig(problem=problem, n_train=within(problem, factor * problem.n_symbols), seed=0, start="generalized")
        for factor in COARSE_AT_REST
    ]
    rows = [fitted_row(one) for one in run(configs, stage="first looks at rest")]
    found = sizes_at_rest([row for row in rows if not math.isnan(row["test_accuracy"])])
    size = found[0][2] / problem.n_symbols if found else REST_PRIOR[0]
    return min(max(size, COARSE_AT_REST[0]), COARSE_AT_REST[-1])


def within(problem: Problem, size: float) -> int:
    """A size as a whole number that leaves some pairs to test on."""
    return max(1, round(min(size, LARGEST * problem.n_pairs)))


def fitted_row(run: Run) -> Row:
    """What a fit reads of a run."""
    config = run.config
    outcome: dict[str, Any] = {}
    if config.start == "generalized":
        outcome["test_accuracy"] = ungrokking_outcome(run).test_accuracy
    return {
        **{name: getattr(config.problem, name) for name in KEY},
        "n_train": config.n_train,
        "steps": config.horizon,
        **outcome,
        **times_of(run),
    }
