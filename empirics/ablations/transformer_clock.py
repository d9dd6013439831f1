"""The law of both thresholds and the clock for transformers: its constants, and its predictions beside measured sizes.

Seeds of a transformer scatter widely in time, some by a factor of ten, though little in ln D: each asks for a size of
its own, and D_crit(T) is the size at which half of them have generalized by T.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtri

from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.run_rows import keep, row_of
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, rest_sizes
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.critical_size import Sides, posterior_of, sides_of
from dcrit.empirics.measures.threshold_fit import SHARPNESS, clock_of, rounded, span
from dcrit.empirics.runs.outcomes import PERSISTENCE, passage
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.thresholds import CalibratedRange, Thresholds
from dcrit.theory.circuits.clock import Pace
from dcrit.theory.circuits.critical_size_law import FITTED, LOGARITHMIC, CriticalSizeLaw, Levels, Scatter
from dcrit.theory.circuits.finding import FindingLaw
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Files of committed runs and of what was predicted before any of them was made.
RUNS, FRAME = "transformer-runs.parquet", "transformer-frame.json"

#: File of what the law that ships predicted when the questions that it calls blind were not measured.
SECOND = "transformer-second-law.json"

#: File of what was measured beside what was predicted.
SCORED = "transformers-measured.json"

#: Ends of the table in docs/explanation/two-thresholds.md.
BEGIN, END = "<!-- begin: transformers, remade by dcrit reproduce two-thresholds -->", "<!-- end: transformers -->"

#: Tasks that the law speaks for: those that are addition with other names to a network with one embedding.
TASKS = ("add", "mul")

#: Times in units of 1/(ηλ), which is an assumption: all runs had one step size and one decay.
PACE = Pace(learning_rate=3e-3, weight_decay=1.0, learning_rate_exponent=1.0, decay_exponent=1.0)

#: At smaller moduli D_crit leaves so few pairs that mirror images of trained ones alone are half of the unseen.
SMALLEST_MODULUS = 29

#: Which time counts: until a network is right on half of what mirror images of trained pairs leave. Mirror images alone
#: are nearly half of the unseen pairs at the moduli of the calibration, so that one half is passed early there.
TIME = "time_beyond_mirrors"

#: Earlier times count as this one: before, a network has just memorized [steps].
EARLIEST = 150.0

#: Priors of D_rest/S (and the standard deviation of its logarithm) and of m: both are hardly told by these runs.
REST_PRIOR, BEND_PRIOR = (5.0, 0.3), (3.0, 3.0)

#: Scatter of ln D_rest between measured and the line, and of ln D_crit between networks, beside that between seeds.
SCATTER_AT_REST, SCATTER, SCATTER_PER_MODULUS = 0.1, 0.1, 0.06

#: Where the search for constants begins.
START = {"prefactor": 2.2, "load": 0.1, "rate": 1e-3, "bend": 3.0, "rest": 5.0}
START_SCATTER = 0.1

#: Step at which memory has formed: what accuracy there is comes from mirror images [steps].
EARLY = 200

#: Step of numeric derivatives of ln t.
STEP = 1e-3

#: Bounds of the search: m, and the scatter between seeds.
MOST_BEND, SCATTERS = 15.0, (0.01, 1.0)

#: Of the search.
SEARCH: Any = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-5, "fatol": 1e-7, "adaptive": True}

#: Fewest runs of a measured size, of three sizes at least.
FEWEST_RUNS = 12


def problem_of(row: Row) -> Problem:
    """The problem of a row."""
    names = ("task", "modulus", "model", "activation", "width", "weight_decay", "learning_rate")
    return Problem(**{name: row[name] for name in names})


def runs_of(results: Path) -> list[Row]:
    """All committed runs of transformers, one row each."""
    return pl.read_parquet(results / FOLDER / RUNS).to_dicts()


def calibration_rows(runs: Sequence[Row]) -> list[Row]:
    """Calibration runs at moduli where mirror images leave something to generalize to.

    Args:
        runs: All runs.
    """
    return [run for run in runs if run["part"] == "calibration" and run["modulus"] >= SMALLEST_MODULUS]


def seed_likelihood(
    constants: dict[str, float], scatter: float, rows: Sequence[Row], earliest: float = EARLIEST
) -> float:
    """Log-likelihood of the times of runs whose seeds ask for sizes that scatter log-normally about the law.

    P(generalized by t) = Φ((ln D − ln D_crit(t))/s): a run's time has that distribution. Times before the earliest
    count as that one, those that the horizon cut off as later.

    Args:
        constants: Of ``FITTED``.
        scatter: s.
        rows: Runs.
        earliest: Least time that is told apart [steps].
    """
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        cells.setdefault((problem_of(row).n_symbols, row["width"]), []).append(row)
    total = 0.0
    for (n_symbols, width), mine in cells.items():
        clock = clock_of(constants, n_symbols, width)
        times = np.array([math.inf if row[TIME] is None else row[TIME] for row in mine])  # (n,)
        horizons = np.array([row["steps"] for row in mine], dtype=np.float64)  # (n,)
        at = np.clip(times, earliest, horizons)
        excess = (np.log([row["n_train"] for row in mine]) - np.log(clock.critical_size(at))) / scatter  # (n,)
        early, late = times <= earliest, times > horizons
        seen = ~early & ~late
        ends = [np.log(clock.critical_size(at * math.exp(step))) for step in (STEP, -STEP)]
        slope = np.abs(ends[0] - ends[1])[seen] / (2 * STEP)
        total += float(log_ndtr(excess[early]).sum() + log_ndtr(-excess[late]).sum())
        total += float((-(excess[seen] ** 2) / 2 + np.log(slope / scatter)).sum())
    return total


@dataclass(frozen=True, kw_only=True)
class SeedFit:
    """Constants, the scatter between seeds, and what the likelihood says of their errors.

    Attributes:
        constants: Of ``FITTED``.
        scatter: s.
        covariance: Of the constants, of logarithms where ``LOGARITHMIC`` says so (5, 5).
    """

    constants: dict[str, float]
    scatter: float
    covariance: FloatArray


def seed_fit(
    rows: Sequence[Row], at_rest: Sequence[tuple[int, int, float]] = (), *, earliest: float = EARLIEST
) -> SeedFit:
    """Most likely constants, with the priors of D_rest/S and m, k1 above zero, and measured sizes at rest.

    Args:
        rows: Calibration runs.
        at_rest: Modulus, width and size of networks whose data shrank.
        earliest: Of :func:`seed_likelihood`.
    """

    def named(x: FloatArray) -> dict[str, float]:
        return {
            name: math.exp(value) if name in (*LOGARITHMIC, "load") else float(value)
            for name, value in zip(FITTED, x[:-1], strict=True)
        }

    def cost(x: FloatArray) -> float:
        constants, scatter = named(x), math.exp(float(x[-1]))
        if not (0 < constants["bend"] < MOST_BEND and SCATTERS[0] < scatter < SCATTERS[1]):
            return math.inf
        priors = [
            math.log(constants["rest"] / REST_PRIOR[0]) / REST_PRIOR[1],
            (constants["bend"] - BEND_PRIOR[0]) / BEND_PRIOR[1],
        ]
        for modulus, width, size in at_rest:
            priors.append(math.log(clock_of(constants, modulus, width).rest / size) / SCATTER_AT_REST)
        return float(np.square(priors).sum()) / 2 - seed_likelihood(constants, scatter, rows, earliest)

    begin = [math.log(START[name]) if name in (*LOGARITHMIC, "load") else START[name] for name in FITTED]
    found: Any = minimize(cost, [*begin, math.log(START_SCATTER)], method="Nelder-Mead", options=SEARCH)
    if not found.success:
        raise ArithmeticError(f"no most likely constants were found: {found.message}")
    best = np.asarray(found.x, dtype=np.float64)
    covariance: FloatArray = np.linalg.inv(_curvature(cost, best))[:-1, :-1].astype(np.float64)
    # The covariance speaks of k1 itself, which is fitted by its logarithm.
    scale = np.array([math.exp(best[k]) if name == "load" else 1.0 for k, name in enumerate(FITTED)])
    return SeedFit(
        constants=named(best), scatter=math.exp(float(best[-1])), covariance=covariance * np.outer(scale, scale)
    )


def _curvature(cost: Callable[[FloatArray], float], x: FloatArray, step: float = 0.02) -> FloatArray:
    """Second derivatives by central differences: (n, n)."""
    moves = np.eye(x.size) * step
    found = np.empty((x.size, x.size))
    for i, one in enumerate(moves):
        for j, other in enumerate(moves[: i + 1]):
            value = cost(x + one + other) - cost(x + one - other) - cost(x - one + other) + cost(x - one - other)
            found[i, j] = found[j, i] = value / (4 * step**2)
    return found


def fitted(results: Path) -> SeedFit:
    """Constants from committed calibration runs.

    Args:
        results: Folder of committed results.
    """
    runs = runs_of(results)
    return seed_fit(calibration_rows(runs), rest_sizes(runs, "relu", "transformer"))


def fitted_law(results: Path) -> Thresholds:
    """The law that ships.

    Args:
        results: Folder of committed results.
    """
    found, runs = fitted(results), runs_of(results)
    times, at_rest = calibration_rows(runs), [run for run in runs if run["part"] == "rest"]
    used = [*times, *at_rest]
    low, high = (abs(float(ndtri(level))) * found.scatter for level in SEMI_GROKKING)
    loads = [row["modulus"] / row["width"] for row in used]
    names = ("prefactor", "load", "rest")
    law = CriticalSizeLaw(
        thresholds=FindingLaw(**{name: rounded(found.constants[name]) for name in names}),
        rate=rounded(found.constants["rate"]),
        bend=rounded(found.constants["bend"]),
        sharpness=SHARPNESS,
        levels=Levels(low=rounded(low), high=rounded(high), symbols_exponent=0.0, width_exponent=0.0),
        fitted=FITTED,
        covariance=tuple(tuple(rounded(value, 4) for value in line) for line in found.covariance.tolist()),
        scatter=Scatter(
            base=SCATTER, per_modulus=SCATTER_PER_MODULUS, largest_symbols=max(row["modulus"] for row in used)
        ),
        pace=PACE,
    )
    return Thresholds(
        tasks=TASKS,
        model="transformer",
        activation="relu",
        law=law,
        calibrated=CalibratedRange(
            n_symbols=span([row["modulus"] for row in used]),
            width=span([row["width"] for row in used]),
            load=(rounded(min(loads), 4), rounded(max(loads), 4)),
            steps=(EARLIEST, max(row["steps"] for row in times)),
            n_runs=len(used),
        ),
    )


#: How drawn questions are made: moduli by horizon in time constants, widths, operations that one run may take.
DRAWN = {15: (53, 59, 67, 79, 97, 113), 40: (37, 53, 59, 79)}
WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128)
MOST_LOAD, MOST_OPERATIONS, SEED = 4.0, 2.2e12, 1773

#: Critical sizes of transformers over p^1.5, about: what runs cost is counted there.
USUAL_SIZE = 2.7

#: Sizes of a measurement over the predicted one, at first and where the transition lies beyond them; seeds at each.
SIZES, BELOW, ABOVE, SEEDS = (0.87, 1.0, 1.15), 0.75, 1.32, 6


def run_operations(problem: Problem, steps: int) -> float:
    """Counted operations of a run near the transition [FLOPs].

    Args:
        problem: What is trained.
        steps: T.
    """
    size, family = round(USUAL_SIZE * problem.n_symbols**1.5), problem.family
    return steps * (family.step_flops(problem, size) + family.other_flops_per_pair(problem) * size)


def drawn_problems(seed: int = SEED) -> list[Row]:
    """Questions drawn by a public seed: one a modulus and horizon, among widths whose runs are cheap enough.

    Args:
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    found: list[Row] = []
    for constants, moduli in DRAWN.items():
        for modulus in moduli:
            fitting: list[tuple[Problem, int]] = []
            for width in WIDTHS:
                problem = Problem(
                    task="add", modulus=modulus, model="transformer", activation="relu", width=width, learning_rate=3e-3
                )
                steps = round(constants * problem.time_constant)
                if modulus / width <= MOST_LOAD and run_operations(problem, steps) <= MOST_OPERATIONS:
                    fitting.append((problem, steps))
            problem, steps = fitting[int(rng.integers(len(fitting)))]
            problem = replace(problem, task=str(rng.choice(TASKS)))
            found.append({**problem.to_dict(), "steps": steps})
    return found


def kept(run: Run, part: str) -> Row:
    """What is kept of a run: as of pair-MLPs, and when it is right on half of what mirror images leave.

    Args:
        run: A finished run of a commutative task.
        part: ``calibration``, ``rest`` or ``drawn``.
    """
    config, curves = run.config, run.curves
    mirrored = float(mirrored_fraction(config.n_train, config.problem.n_symbols))
    duration = PERSISTENCE * config.problem.time_constant
    beyond = passage(curves.step, curves.test_accuracy, (1 + mirrored) / 2, duration)
    early = float(np.interp(EARLY, curves.step, curves.test_accuracy))
    return {
        **row_of(run, part),
        "time_beyond_mirrors": None if beyond is None else round(beyond, 1),
        "accuracy_early": round(early, 4),
    }


def configs_of(row: Row, factors: Sequence[float], seeds: int = SEEDS) -> list[RunConfig]:
    """Runs of a question at multiples of its predicted size.

    Args:
        row: Of the frame.
        factors: Multiples.
        seeds: At each.
    """
    problem = problem_of(row)
    sizes = [min(round(factor * row["predicted"]), problem.n_pairs - 1) for factor in factors]
    return [
        RunConfig(problem=problem, n_train=size, seed=seed, steps=row["steps"], until="generalized")
        for size in sizes
        for seed in range(seeds)
    ]


def measure_drawn(results: Path, laboratory: Laboratory) -> None:
    """Measure every drawn question that has no size yet, cheapest first; runs are committed question by question.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    for row in sorted(frame(results), key=lambda row: row["operations"]):
        factors = SIZES
        while measured(row, runs_of(results)) is None and factors:
            stage = f"{row['task']} mod {row['modulus']}, width {row['width']}, {row['steps']} steps"
            runs = laboratory.runs(configs_of(row, factors), stage=stage)
            keep(results / FOLDER / RUNS, [kept(run, "drawn") for run in runs])
            side = sides_of(*_sizes_and_accuracy(row, runs_of(results)))
            more = {Sides.ABOVE: BELOW, Sides.BELOW: ABOVE}.get(side)
            factors = () if more is None or more in factors else (more,)


def frame(results: Path) -> list[Row]:
    """The drawn questions with what was predicted of them."""
    return json.loads((results / FOLDER / FRAME).read_text(encoding="utf-8"))["rows"]


def _mine(row: Row, runs: Sequence[Row]) -> list[Row]:
    names = ("task", "modulus", "width", "learning_rate", "weight_decay", "steps")
    return [run for run in runs if run["part"] == "drawn" and all(run[name] == row[name] for name in names)]


def _sizes_and_accuracy(row: Row, runs: Sequence[Row]) -> tuple[FloatArray, FloatArray]:
    usable = [run for run in _mine(row, runs) if math.isfinite(run["test_accuracy"])]
    sizes, accuracy = ([run[name] for run in usable] for name in ("n_train", "test_accuracy"))
    return np.array(sizes, dtype=np.float64), np.array(accuracy, dtype=np.float64)


def measured(row: Row, runs: Sequence[Row]) -> Row | None:
    """Critical size at the row's horizon by the package's posterior; None where it was not reached.

    Args:
        row: Of the frame.
        runs: All runs.
    """
    sizes, accuracy = _sizes_and_accuracy(row, runs)
    if sizes.size < FEWEST_RUNS or sides_of(sizes, accuracy) is not Sides.BOTH:
        return None
    posterior = posterior_of(sizes, accuracy, problem_of(row).n_pairs)
    interval = posterior.interval()
    return {
        "measured": round(posterior.midpoint, 1),
        "measured_interval": [round(interval.low, 1), round(interval.high, 1)],
        "n_runs": int(sizes.size),
        "n_lost": len(_mine(row, runs)) - int(sizes.size),
    }


def sizes_over_modulus(results: Path, law: Thresholds, width: int, horizon: float) -> list[Row]:
    """Measured sizes of transformers, as they would be at one width and horizon by the law's ratio, and at rest.

    Args:
        results: Folder of committed results.
        law: Of transformers.
        width: d.
        horizon: T [steps].

    Returns:
        Rows of n_symbols, size, interval and at_rest.
    """
    runs = runs_of(results)
    found: list[Row] = []
    for row in frame(results):
        size = measured(row, runs)
        if size is None:
            continue
        problem = problem_of(row)
        own = float(law.clocks(problem).half.critical_size(row["steps"]))
        ratio = float(law.law.clock(problem.n_symbols, width).critical_size(horizon)) / own
        interval = [end * ratio for end in size["measured_interval"]]
        found.append(
            {"n_symbols": problem.n_symbols, "size": size["measured"] * ratio, "interval": interval, "at_rest": False}
        )
    for modulus, own_width, size in rest_sizes(runs, "relu", "transformer"):
        ratio = law.law.thresholds.load_factor(modulus, width) / law.law.thresholds.load_factor(modulus, own_width)
        found.append({"n_symbols": modulus, "size": size * ratio, "interval": None, "at_rest": True})
    return found


def scored_rows(results: Path) -> list[Row]:
    """Every drawn question with its predictions and its measured size, None where there is none.

    Args:
        results: Folder of committed results.
    """
    runs = runs_of(results)
    again = json.loads((results / FOLDER / SECOND).read_text(encoding="utf-8"))["rows"]
    return [
        {name: value for name, value in row.items() if name != "operations"}
        | {"second": second["predicted"], "second_interval": second["interval"], "second_blind": second["blind"]}
        | (measured(row, runs) or {"measured": None})
        for row, second in zip(frame(results), again, strict=True)
    ]


#: Predictors in the page's table: columns of value and interval, and their names.
PREDICTORS = (
    ("second", "second_interval", "The law that ships"),
    ("predicted", "interval", "The first law"),
    ("first_release", "first_release_interval", "D_sym of the first release"),
)


def page_with_transformers(page: str, results: Path) -> str:
    """The explanation's page with its table of transformers replaced.

    Args:
        page: Its text.
        results: Folder of committed results.
    """
    rows = scored_rows(results)
    known = [row for row in rows if row["measured"] is not None]
    lines = [
        BEGIN,
        "| task | p | d | T [steps] | law (90 %) | first law | D_sym | measured (90 %) | runs | ln(law/measured) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["task"], str(row["modulus"]), str(row["width"]), str(row["steps"])]
        cells += [_sized(row["second"], row["second_interval"]) + ("" if row["second_blind"] else " †")]
        cells += [f"{row[name]:.0f}" for name in ("predicted", "first_release")]
        if row["measured"] is None:
            cells += ["not measured", "–", "–"]
        else:
            cells += [_sized(row["measured"], row["measured_interval"]), str(row["n_runs"])]
            cells += [f"{math.log(row['second'] / row['measured']):+.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| predictor | sizes | median \\|ln\\| | worst | inside 90 % |", "|---|---|---|---|---|"]
    parts = [(name, known) for *_, name in PREDICTORS]
    parts.insert(1, ("The law that ships, blind alone", [row for row in known if row["second_blind"]]))
    columns = {name: (value, ends) for value, ends, name in PREDICTORS}
    columns["The law that ships, blind alone"] = columns["The law that ships"]
    for name, mine in parts:
        value, ends = columns[name]
        errors = np.abs([math.log(row[value] / row["measured"]) for row in mine])
        inside = sum(row[ends][0] <= row["measured"] <= row[ends][1] for row in mine)
        if errors.size:
            cells = [name, str(errors.size), f"{np.median(errors):.3f}", f"{errors.max():.3f}"]
            lines.append(f"| {' | '.join([*cells, f'{inside}/{errors.size}'])} |")
    lines += [
        "",
        "All were drawn by a public seed and predicted by the first law and by D_sym before any of them was measured. "
        "† marks what the law that ships was told after its measurement; it is blind for the others.",
    ]
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + "\n".join([*lines, END]) + after


def _sized(value: float | None, ends: Sequence[float] | None) -> str:
    if value is None or ends is None:
        return "–"
    return f"{value:.0f} ({ends[0]:.0f} – {ends[1]:.0f})"
