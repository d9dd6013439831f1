"""What β₂ and ε of AdamW do to the clock of pair-MLPs: which runs say so, and what the law takes from them.

Every run has a twin at the protocol's β₂ and ε, with the same data and initial parameters. The effect is stated in
ln D: by how much less data the twin would have taken as long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from dcrit.empirics.ablations.committed import Row, with_block
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.circuits.clock import Clock, Pace
from dcrit.theory.problems.problem import Problem

#: Sizes by activation and modulus: from 1.3 times D_crit on, and nearer to it. None of these problems was drawn.
SIZES = {
    ("square", 31): (325, 375, 475),
    ("square", 43): (500, 580, 730),
    ("relu", 31): (550, 640, 800),
    ("relu", 43): (900, 1050, 1330),
}
NEAR = {("square", 31): (250, 280), ("square", 43): (385, 430), ("relu", 31): (425, 470), ("relu", 43): (775,)}
WIDTH, SEEDS = 128, (0, 1)

#: β₂ at the protocol's ε, ε at its β₂, and both changed.
BETAS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
EPSILONS = (1e-12, 1e-10, 1e-6, 1e-5)
BOTH = ((0.995, 1e-12), (0.9, 1e-6))

#: Horizons of the runs [steps].
HORIZON, LONG, LONG_OF_LARGE = 4000, 16_000, 8000

#: Times before this are left out, as the law's fit leaves them out [steps].
EARLIEST = 400.0

PROTOCOL = (Problem.beta2, Problem.epsilon)

#: The file of the rows, in the folder of the law's results.
ROWS = "optimizer"

#: Problems at other moduli and widths, predicted by the law with its c and measured after that; their file below
#: docs/results.
ASKED = (
    Problem(modulus=23, width=64, beta2=0.995),
    Problem(modulus=37, width=64, beta2=0.999),
    Problem(modulus=37, width=64, activation="relu", beta2=0.999),
    Problem(modulus=23, width=256, epsilon=1e-12),
    Problem(modulus=37, width=256, beta2=0.9),
    Problem(task="mul", modulus=37, width=64, activation="relu", beta2=0.9),
    Problem(modulus=37, width=64, epsilon=1e-5),
    Problem(modulus=59, width=128, beta2=0.995),
)
ASKED_FILE = "optimizer-sizes.json"

#: Ends of the table in docs/results/two-thresholds.md.
BEGIN, END = "<!-- begin: β₂ and ε, remade by dcrit reproduce two-thresholds -->", "<!-- end: β₂ and ε -->"


def points() -> list[tuple[Problem, int, int]]:
    """Problem, training-set size and horizon of every point; each is run with all seeds."""
    at_default = [(beta, Problem.epsilon) for beta in BETAS] + [(Problem.beta2, one) for one in EPSILONS]
    found: list[tuple[Problem, int, int]] = []
    for (activation, modulus), sizes in SIZES.items():
        family = {"modulus": modulus, "activation": activation, "width": WIDTH}

        def of(beta2: float, epsilon: float, family: dict[str, object] = family) -> Problem:
            return Problem(**family, beta2=beta2, epsilon=epsilon)  # type: ignore[arg-type]

        found += [(of(*one), size, HORIZON) for one in (*at_default, *BOTH) for size in sizes]
        steps = LONG_OF_LARGE if (activation, modulus) == ("relu", 43) else LONG
        for size in NEAR[activation, modulus]:
            # Times near D_inf are hours: the longest memory is left out there, and looked at further above.
            slow = activation == "square"
            chosen = [one for one in at_default if not (slow and one[0] == max(BETAS))]
            chosen = [one for one in chosen if size != NEAR["square", 43][0] or one[0] == Problem.beta2]
            found += [(of(*one), size, steps) for one in chosen]
        if activation == "square":
            found += [(of(max(BETAS), Problem.epsilon), size, steps) for size in sizes[:2]]
    return found


def configs() -> list[RunConfig]:
    """The runs: all points with all seeds, each ending once it generalizes."""
    return [
        RunConfig(problem=problem, n_train=size, seed=seed, steps=steps, until="generalized")
        for problem, size, steps in points()
        for seed in SEEDS
    ]


def rows_by_point(rows: Sequence[Row]) -> list[Row]:
    """What is kept of the runs: one row a point, seeds as lists.

    Args:
        rows: Of the runs of :func:`configs`, in their order, as ``row_of`` makes them.
    """
    found: list[Row] = []
    for k, (problem, size, steps) in enumerate(points()):
        mine = rows[k * len(SEEDS) : (k + 1) * len(SEEDS)]
        row: Row = {name: getattr(problem, name) for name in ("activation", "modulus", "beta2", "epsilon")}
        row |= {"n_train": size, "steps": steps}
        found.append(row | {name: [one[name] for one in mine] for name in ("time_50", "test_accuracy")})
    return found


@dataclass(frozen=True, kw_only=True)
class Twins:
    """A point beside the one at the protocol's β₂ and ε; times are geometric means over seeds.

    Attributes:
        activation: σ.
        modulus: p.
        beta2: β₂.
        epsilon: ε.
        n_train: D [examples].
        time: To test accuracy 1/2 [steps]; inf where a seed did not get there.
        protocol: The same at the protocol's [steps].
    """

    activation: str
    modulus: int
    beta2: float
    epsilon: float
    n_train: int
    time: float
    protocol: float

    def cost(self, clock: Clock, factor: float = 1.0) -> float:
        """How much less data, in ln D, takes as long by the protocol's clock, once that runs at a factor.

        Args:
            clock: The protocol's.
            factor: Of its rate.
        """
        times = np.array([self.protocol, self.time * factor])
        protocol, here = np.log(clock.critical_size(times)).tolist()
        return protocol - here


def twins(rows: Sequence[Row]) -> list[Twins]:
    """Every point whose twin generalizes, and that of itself left out.

    Args:
        rows: Of :func:`rows_by_point`.
    """

    def mean(row: Row) -> float:
        times = row["time_50"]
        return math.inf if None in times else math.exp(sum(math.log(one) for one in times) / len(times))

    def place(row: Row) -> tuple[str, int, int]:
        return row["activation"], row["modulus"], row["n_train"]

    protocol = {place(row): mean(row) for row in rows if (row["beta2"], row["epsilon"]) == PROTOCOL}
    return [
        Twins(
            **{name: row[name] for name in ("activation", "modulus", "beta2", "epsilon", "n_train")},
            time=mean(row),
            protocol=protocol[place(row)],
        )
        for row in rows
        if (row["beta2"], row["epsilon"]) != PROTOCOL and math.isfinite(protocol[place(row)])
    ]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What the law takes from the runs of one activation.

    Attributes:
        memory_exponent: c, by which the rate falls as β₂ grows above the protocol's.
        per_memory: Scatter of ln D that is left, per factor of 2 of 1 − β₂ below the protocol's.
        per_forgetting: All of the effect, per factor of 2 above it.
        per_epsilon: All of the effect, per factor of 10 of ε below the protocol's.
        per_raised_epsilon: Per factor of 10 above it.
        n_points: Points that passed late enough.
    """

    memory_exponent: float
    per_memory: float
    per_forgetting: float
    per_epsilon: float
    per_raised_epsilon: float
    n_points: int


def late(rows: Sequence[Row], activation: str) -> list[Twins]:
    """Twins of one activation that pass late enough, and all do.

    Args:
        rows: Of :func:`rows_by_point`.
        activation: σ.
    """
    return [one for one in twins(rows) if one.activation == activation and EARLIEST <= one.time < math.inf]


def effect_of(rows: Sequence[Row], activation: str, clock_at: Callable[[int], Clock]) -> Effect:
    """Least squares in ln D of the memory's exponent, and root mean squares of what no constant explains.

    Args:
        rows: Of :func:`rows_by_point`.
        activation: σ.
        clock_at: The law's clock of a modulus at ``WIDTH``.
    """
    found = late(rows, activation)
    longer = [one for one in found if one.beta2 > Problem.beta2 and one.epsilon == Problem.epsilon]

    def costs(some: Sequence[Twins], exponent: float) -> list[float]:
        pace = Pace(memory_exponent=exponent)
        return [one.cost(clock_at(one.modulus), pace.factor(beta2=one.beta2)) for one in some]

    def loss(exponent: float) -> float:
        return sum(cost**2 for cost in costs(longer, exponent))

    exponent = round(float(minimize_scalar(loss, bounds=(0.0, 3.0), method="bounded").x), 3)

    def scatter(name: str, base: float, *, up: bool) -> float:
        other = "epsilon" if name == "beta2" else "beta2"
        some = [one for one in found if getattr(one, other) == getattr(Problem, other)]
        away = [Pace().distances(**{name: getattr(one, name)})[name] / math.log(base) for one in some]
        squares = [
            (cost / units) ** 2
            for cost, units in zip(costs(some, exponent), away, strict=True)
            if units and (units > 0) == up
        ]
        return round(math.sqrt(sum(squares) / len(squares)), 3)

    return Effect(
        memory_exponent=exponent,
        per_memory=scatter("beta2", 2.0, up=False),
        per_forgetting=scatter("beta2", 2.0, up=True),
        per_epsilon=scatter("epsilon", 10.0, up=False),
        per_raised_epsilon=scatter("epsilon", 10.0, up=True),
        n_points=len(found),
    )


def page_with_effects(page: str, rows: Sequence[Row], clocks: Mapping[str, Callable[[int], Clock]]) -> str:
    """The page with its table of β₂ and ε replaced.

    Args:
        page: Its text.
        rows: Of :func:`rows_by_point`.
        clocks: By activation, the law's clock of a modulus at ``WIDTH``.
    """
    lines = [
        "| β₂ | ε | σ | sizes | t over t at 0.98, 1e-8 | cost in ln D | left by the law |",
        "|" + "---|" * 7,
    ]
    for activation, clock_at in clocks.items():
        pace = Pace(memory_exponent=effect_of(rows, activation, clock_at).memory_exponent)
        groups: dict[tuple[float, float], list[Twins]] = {}
        for one in late(rows, activation):
            groups.setdefault((one.beta2, one.epsilon), []).append(one)
        for (beta2, epsilon), mine in sorted(groups.items()):
            ratios = sorted(one.time / one.protocol for one in mine)
            costs = sorted(one.cost(clock_at(one.modulus)) for one in mine)
            left = [one.cost(clock_at(one.modulus), pace.factor(beta2=beta2)) for one in mine]
            lines.append(
                f"| {beta2:g} | {epsilon:g} | `{activation}` | {len(mine)} | {ratios[0]:.2f} to {ratios[-1]:.2f} "
                f"| {costs[0]:+.2f} to {costs[-1]:+.2f} | {math.sqrt(float(np.mean(np.square(left)))):.3f} |"
            )
    return with_block(page, (BEGIN, END), "\n".join(lines))
