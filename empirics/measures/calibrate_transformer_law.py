"""Measure the law of both thresholds and the clock of transformers, from cheap runs at small moduli.

Seeds scatter so widely in time that single looks tell little: several seeds of each network are looked at where the
law that ships has 1.5 times the size that a long time asks for, and at more where most of them are too slow. Further
runs are nearer to the transition. All end once a network is right on half of what mirror images of trained pairs leave;
those that the horizon cuts off count as later. No critical size from scratch enters. Sizes at rest come from networks
that generalize and go on with fewer examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dcrit.empirics.measures.calibrate_law import fitted_row, lack_of_law, within
from dcrit.empirics.measures.seed_fit import EARLIEST, START, TIME, Row, law_of_seeds, time_beyond_mirrors
from dcrit.empirics.measures.threshold_fit import FEWEST_AT_REST, clock_of
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.clock import Pace
from dcrit.theory.problems.problem import Problem

#: Moduli and widths of the networks from scratch; moduli and width of those at rest.
MODULI, WIDTHS = (29, 37, 43), (16, 32, 64)
MODULI_AT_REST, WIDTH_AT_REST = (23, 29, 37), 32

#: First size looked at, over D_kin where the fit begins; by how much it grows where most seeds are too slow, and how
#: often at most.
FIRST, GROWTH, MOST_LOOKS = 1.5, 1.25, 3

#: Sizes after that, over the one at which most seeds generalized.
NEARER = (0.77, 0.88)

#: Seeds of a look, and at each size after it.
LOOK_SEEDS = 3

#: Horizons in time constants 1/(ηλ): of looks, of runs nearer to the transition, and before and after data shrink.
LOOK_CONSTANTS, CONSTANTS, REST_CONSTANTS = 15, 40, 15

#: Sizes at rest over S, and seeds at each.
AT_REST, REST_SEEDS = (3.3, 4.3, 5.6, 7.3), 3

#: Fewest runs that generalized neither too early nor too late.
FEWEST_RUNS = 15

#: Time constant of the step size and decay at which ``EARLIEST`` is stated [steps].
PROTOCOL = Problem(model="transformer", activation="relu", learning_rate=3e-3).time_constant


@dataclass(frozen=True, kw_only=True)
class TransformerLawDesign:
    """The runs behind one law of transformers.

    Attributes:
        problem: Its modulus and width are replaced.
        moduli: p from scratch.
        widths: d from scratch.
        moduli_at_rest: p at rest, at width ``WIDTH_AT_REST``.
        seeds: Runs at each size near the transition.

    Raises:
        ValueError: A value is out of range, or there is no such law of the task.
    """

    problem: Problem
    moduli: tuple[int, ...] = MODULI
    widths: tuple[int, ...] = WIDTHS
    moduli_at_rest: tuple[int, ...] = MODULI_AT_REST
    seeds: int = 6

    def __post_init__(self) -> None:
        if lack := lack_of_law(self.problem):
            raise FieldError(*lack)
        check_integer("seeds", self.seeds, 1)
        for name, values in (("modulus", self.moduli), ("width", self.widths)):
            if len(set(values)) < 2:
                raise FieldError(name, "be given at least 2 different values", ", ".join(map(str, values)) or "none")

    def problems(self) -> list[Problem]:
        """One problem a network from scratch."""
        return [replace(self.problem, modulus=p, width=d) for p in self.moduli for d in self.widths]

    def at_rest(self) -> list[RunConfig]:
        """Runs whose data shrink; those of a seed share the run before."""
        steps = round(REST_CONSTANTS * self.problem.time_constant)
        problems = [replace(self.problem, modulus=p, width=WIDTH_AT_REST) for p in self.moduli_at_rest]
        sizes = {one: [within(one, factor * one.n_symbols) for factor in AT_REST] for one in problems}
        return [
            RunConfig(problem=one, n_train=size, seed=seed, steps=steps, start="generalized")
            for one, mine in sizes.items()
            for seed in range(REST_SEEDS)
            for size in mine
        ]


def measure_transformer_law(design: TransformerLawDesign, run: Runner[RunConfig, Run]) -> Thresholds:
    """Constants of both thresholds and the clock, and the scatter between seeds.

    Args:
        design: What to run.
        run: Trains, or finds in a store.

    Raises:
        ValueError: Too few networks generalized in time.
    """
    slower = design.problem.time_constant / PROTOCOL
    timed, sizes = _looks(design, run)
    steps = round(CONSTANTS * design.problem.time_constant)
    nearer = [
        RunConfig(problem=one, n_train=size, seed=LOOK_SEEDS + seed, steps=steps, until="beyond-mirrors")
        for one, found in sizes.items()
        for size in sorted({within(one, factor * found) for factor in NEARER})
        for seed in range(design.seeds)
    ]
    timed += [_row(one) for one in run(nearer, stage="law of sizes from scratch")]
    rested = [fitted_row(one) for one in run(design.at_rest(), stage="law of sizes at rest")]
    rested = [row for row in rested if not math.isnan(row["test_accuracy"])]
    told = [row for row in timed if row[TIME] is not None and row[TIME] > EARLIEST * slower]
    if len(told) < FEWEST_RUNS or len({row["modulus"] for row in told}) < 2 or len({row["width"] for row in told}) < 2:
        raise ValueError(f"of {len(timed)} runs from scratch {len(told)} generalized neither too early nor too late")
    if len(rested) < FEWEST_AT_REST:
        raise ValueError(f"{len(rested)} networks generalized before their data shrank")
    return law_of_seeds(
        timed, rested, design.problem, Pace(**design.problem.optimizer), earliest=EARLIEST * slower, digits=10
    )


def _looks(design: TransformerLawDesign, run: Runner[RunConfig, Run]) -> tuple[list[Row], dict[Problem, int]]:
    """All looks, and the size of every network at which most seeds generalized; without those that never did."""
    sizes: dict[Problem, float] = {}
    for one in design.problems():
        sizes[one] = FIRST * clock_of(START, one.n_symbols, one.width).kinetic
    steps = round(LOOK_CONSTANTS * design.problem.time_constant)
    rows: list[Row] = []
    enough: dict[Problem, int] = {}
    tried: set[tuple[Problem, int]] = set()
    for _ in range(MOST_LOOKS):
        # A size that was capped is the same at every look.
        places = [(one, within(one, size)) for one, size in sizes.items() if one not in enough]
        places = [place for place in places if place not in tried]
        if not places:
            break
        tried.update(places)
        configs = [
            RunConfig(problem=one, n_train=size, seed=seed, steps=steps, until="beyond-mirrors")
            for one, size in places
            for seed in range(LOOK_SEEDS)
        ]
        found = [_row(made) for made in run(configs, stage="first looks")]
        rows += found
        for place, (one, size) in enumerate(places):
            mine = found[place * LOOK_SEEDS : (place + 1) * LOOK_SEEDS]
            if 2 * sum(row[TIME] is not None for row in mine) > LOOK_SEEDS:
                enough[one] = size
        sizes = {one: GROWTH * size for one, size in sizes.items()}
    return rows, enough


def _row(run: Run) -> Row:
    """What the likelihood reads of a run."""
    return {**fitted_row(run), TIME: time_beyond_mirrors(run)}
