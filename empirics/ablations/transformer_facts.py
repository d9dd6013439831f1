"""Transformers that learn a task beside facts: what calibrates, and what was predicted first and then measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import ndtri

from dcrit.empirics.ablations.committed import Row, read, text_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.critical_size import Sides, critical_size_of, sides_of
from dcrit.empirics.measures.seed_fit import EARLIEST, SEARCH, networks_of
from dcrit.empirics.measures.threshold_fit import rounded, span
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun, beside_facts
from dcrit.empirics.runs.outcomes import PERSISTENCE, level_beyond_mirrors, passage
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.work import flops_of
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.calibrations.facts import FACTS, FactsConstants, facts_constants, facts_text
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.clock import LevelClocks
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.estimates import LEVEL, half_width
from dcrit.theory.predictions.critical_size import LARGEST_FRACTION
from dcrit.theory.predictions.emergence import predict_emergence
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Among the committed results: every run of a transformer beside facts, one line each, and what was predicted of those
#: that calibrate nothing before any of them was made.
RUNS, PREDICTED = "transformer-facts-runs.json", "transformer-facts-predicted.json"

#: Steps of calibration runs.
CALIBRATION_STEPS = 2000

#: What calibrates: modulus and width, training-set sizes from 1.45 times the law's D_crit without facts on, and numbers
#: of facts. Of a list of 22 cells chosen before any was run these are those that there was time for, cheapest first.
#: No question has one of these moduli.
CALIBRATION: tuple[tuple[int, int, tuple[int, ...], tuple[int, ...]], ...] = (
    (29, 12, (640,), (0, 200, 400, 700)),
    (29, 16, (640,), (0, 400, 700)),
    (41, 16, (1100,), (800,)),
)
CALIBRATION_SEEDS = 3

#: Prior of ln a, by mean and standard deviation, and the step of its likelihood's second derivative.
PRIOR, BEND = (0.0, 1.5), 0.3

#: Of ln D_crit beside facts, beyond that of D_crit without any; fixed before any size was measured.
SCATTER = 0.1

#: Horizon of every question [steps].
STEPS = 5000

#: Questions: modulus, width and numbers of facts of critical sizes, in the order in which they are measured.
SIZES: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (31, 12, (0, 300, 600, 900)),
    (31, 24, (0, 300, 600, 900)),
    (37, 24, (0, 300, 600)),
    (31, 48, (0, 600)),
)

#: Of the smallest width: modulus, training-set size, numbers of facts, and the widths that are tried beside each.
WIDTHS: tuple[int, int, tuple[int, ...], tuple[tuple[int, ...], ...]] = (
    *(31, 600, (0, 300, 600, 900)),
    ((4, 8, 12), (4, 8, 12, 16), (8, 12, 16, 24), (8, 12, 16, 24)),
)

#: Sizes of a measurement over the predicted one, at first and where the transition lies beyond them; seeds at each.
FACTORS, BELOW, ABOVE, SEEDS, FIRST_SEED = (0.87, 1.0, 1.15), 0.75, 1.32, 6, 100

#: From this accuracy on facts are held.
HELD = 0.9

#: Fewest runs of a measured size.
FEWEST_RUNS = 12


def task(modulus: int, width: int) -> Problem:
    """Addition by a transformer."""
    return Problem(task="add", model="transformer", modulus=modulus, width=width)


def calibration_configs() -> list[MultitaskConfig]:
    """Runs of the calibration."""
    return [
        beside_facts(task(modulus, width), n_train=size, n_facts=facts, seed=seed, horizon=CALIBRATION_STEPS)
        for modulus, width, sizes, numbers in CALIBRATION
        for size in sizes
        for facts in numbers
        for seed in range(CALIBRATION_SEEDS)
    ]


def row_of(run: MultitaskRun, part: str) -> Row:
    """What is kept of a run: settled accuracies, and when it is right on half of what mirror images leave.

    Args:
        run: A finished run on the task, and on facts where there are any.
        part: What it is for.
    """
    config, curves = run.config, run.curves
    problem, (first, *others) = config.problem(0), config.components
    beyond_mirrors = level_beyond_mirrors(RunConfig(problem=problem, n_train=first.n_train, seed=config.seed))
    duration, accuracy = PERSISTENCE * problem.time_constant, curves.test_accuracy[:, 0]
    beyond, half = (passage(curves.step, accuracy, level, duration) for level in (beyond_mirrors, 0.5))
    return {
        "part": part,
        "address": config.address,
        "modulus": first.modulus,
        "width": config.width,
        "n_train": first.n_train,
        "n_facts": others[0].n_train if others else 0,
        "seed": config.seed,
        "steps": config.horizon,
        "test_accuracy": round(run.settled("test_accuracy"), 4),
        "train_accuracy": round(run.settled("train_accuracy"), 4),
        "facts_accuracy": round(run.settled("train_accuracy", 1), 4) if others else None,
        "time_50": None if half is None else round(half, 1),
        "time_beyond_mirrors": None if beyond is None else round(beyond, 1),
    }


def runs_of(results: Path) -> list[Row]:
    """All committed runs."""
    path = results / RUNS
    return read(path) if path.is_file() else []


def with_runs(results: Path, rows: list[Row]) -> dict[Path, str]:
    """The file of runs with some more; those that it has stay as they are.

    Args:
        results: Folder of committed results.
        rows: Of runs.
    """
    known = runs_of(results)
    there = {row["address"] for row in known}
    return {results / RUNS: text_of([*known, *(row for row in rows if row["address"] not in there)])}


def calibrate(results: Path, laboratory: Laboratory) -> dict[Path, str]:
    """The file of runs with those of the calibration.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    runs = laboratory.multitask(calibration_configs(), stage="times beside facts")
    return with_runs(results, [row_of(run, "calibration") for run in runs])


@dataclass(frozen=True, kw_only=True)
class Interference:
    """How much facts disturb, by the times of runs beside them.

    Attributes:
        value: a.
        log_error: Standard deviation of ln a by the likelihood's curvature.
        offsets: By how much ln D_crit(T) of a network lies above the law's, by modulus and width.
        by_width: a of each width's runs alone, with the offsets of all.
    """

    value: float
    log_error: float
    offsets: dict[tuple[int, int], float]
    by_width: dict[int, float]


@cache
def law_of_transformers() -> Thresholds:
    """The law that ships, with the capacity and the mirror images of its calibration."""
    found = calibration_for(task(31, 24), shipped_calibrations())
    assert found is not None
    assert found.thresholds is not None
    return found.thresholds


@cache
def clocks_of(modulus: int, width: int) -> LevelClocks:
    """Times and sizes of a network without facts, by that law."""
    return law_of_transformers().clocks(task(modulus, width))


def log_likelihood(log_interference: float, offsets: dict[tuple[int, int], float], rows: Sequence[Row]) -> float:
    """Of the times of runs beside facts, each as if it were alone with D_eff examples.

    Args:
        log_interference: ln a.
        offsets: Of ln D_crit(T), by modulus and width.
        rows: Runs.
    """
    total = 0.0
    for (modulus, width), off in offsets.items():
        mine = [row for row in rows if (row["modulus"], row["width"]) == (modulus, width)]
        if not mine:
            continue
        clocks, problem = clocks_of(modulus, width), task(modulus, width)
        scatter = clocks.shifts[SEMI_GROKKING[1]] / abs(float(ndtri(SEMI_GROKKING[1])))
        memories = [
            replace(clocks.memory, n_facts=float(row["n_facts"]), interference=math.exp(log_interference))
            for row in mine
        ]
        counted = [float(one.effective(row["n_train"])) for one, row in zip(memories, mine, strict=True)]
        (network,) = networks_of([{**row, **problem.to_dict()} for row in mine])
        alone = replace(network, log_sizes=np.log(counted) - off)
        total += alone.log_likelihood(clocks.half, scatter, EARLIEST)
    return total


def fitted(rows: Sequence[Row]) -> Interference:
    """The most likely a, with an offset for every network, whose prior is the law's own scatter.

    Args:
        rows: Runs of the calibration.
    """
    places = sorted({(row["modulus"], row["width"]) for row in rows})
    base = law_of_transformers().law.scatter.base

    def named(x: FloatArray) -> dict[tuple[int, int], float]:
        return dict(zip(places, x.tolist(), strict=True))

    def cost(x: FloatArray) -> float:
        prior = ((x[0] - PRIOR[0]) / PRIOR[1]) ** 2 + float(np.square(x[1:] / base).sum())
        return prior / 2 - log_likelihood(float(x[0]), named(x[1:]), rows)

    found: Any = minimize(cost, np.zeros(1 + len(places)), method="Nelder-Mead", options=SEARCH)
    if not found.success:
        raise ArithmeticError(f"no most likely constant was found: {found.message}")
    best = np.asarray(found.x, dtype=np.float64)
    offsets = named(best[1:])

    def profile(log_value: float) -> float:
        """Cost with the offsets that go with it."""
        less: Any = minimize(lambda x: cost(np.array([log_value, *x])), best[1:], method="Nelder-Mead", options=SEARCH)
        return float(less.fun)

    curvature = (profile(best[0] + BEND) + profile(best[0] - BEND) - 2 * float(found.fun)) / BEND**2
    by_width: dict[int, float] = {}
    for width in sorted({row["width"] for row in rows}):
        mine = [row for row in rows if row["width"] == width]
        one: Any = minimize_scalar(
            lambda x, mine=mine: -log_likelihood(float(x), offsets, mine), bounds=(-6.0, 3.0), method="bounded"
        )
        by_width[width] = round(math.exp(float(one.x)), 3)
    return Interference(
        value=math.exp(float(best[0])), log_error=1 / math.sqrt(curvature), offsets=offsets, by_width=by_width
    )


def constants(results: Path) -> FactsConstants:
    """What ships, from the committed runs of the calibration.

    Args:
        results: Folder of committed results.
    """
    rows = [row for row in runs_of(results) if row["part"] == "calibration"]
    found = fitted(rows)
    loads = [row["n_facts"] / clocks_of(row["modulus"], row["width"]).size(0.5, STEPS) for row in rows]
    return FactsConstants(
        tasks=law_of_transformers().tasks,
        model="transformer",
        activation="relu",
        interference=rounded(found.value),
        log_error=rounded(found.log_error),
        scatter=SCATTER,
        n_symbols=span([row["modulus"] for row in rows]),
        width=span([row["width"] for row in rows]),
        load=rounded(max(loads)),
        n_runs=len(rows),
    )


def predicted(beside: FactsConstants) -> dict[str, Any]:
    """Critical sizes beside facts, and smallest widths, with their intervals.

    Args:
        beside: What facts do.
    """
    law, sizes, widths = law_of_transformers(), list[Row](), list[Row]()
    for modulus, width, numbers in SIZES:
        problem = task(modulus, width)
        for facts in numbers:
            size, further = (
                one.beside(clocks_of(modulus, width), facts).size(0.5, STEPS)
                for one in (beside, replace(beside, interference=beside.interference * math.exp(beside.log_error)))
            )
            deviation = math.hypot(
                law.deviation(problem, STEPS), math.log(further / size), beside.scatter if facts else 0.0
            )
            spread = half_width(deviation, level=LEVEL)
            sizes.append(
                {"modulus": modulus, "width": width, "n_facts": facts, "predicted": round(size, 1)}
                | {"interval": [round(size * math.exp(-spread), 1), round(size * math.exp(spread), 1)]}
            )
    modulus, n_train, numbers, _ = WIDTHS
    problem = task(modulus, 16)
    calibration = calibration_for(problem, shipped_calibrations())
    assert calibration is not None
    for facts in numbers:
        found = predict_emergence(problem, calibration, n_facts=facts, n_train=n_train, horizon=STEPS).width
        ends = None if found.interval is None else [found.interval.low, found.interval.high]
        widths.append({"n_facts": facts, "predicted": found.value, "interval": ends, "reason": found.reason})
    return {
        "steps": STEPS,
        "level": LEVEL,
        "constants": beside.to_dict(),
        "sizes": sizes,
        "n_train": n_train,
        "modulus": modulus,
        "widths": widths,
    }


def is_predicted(results: Path) -> bool:
    """Whether the questions are predicted, so that they may be measured.

    Args:
        results: Folder of committed results.
    """
    return (results / PREDICTED).is_file()


def shipped(results: Path) -> dict[Path, str]:
    """The constant that ships, by its file, and what it predicts where that is not committed yet.

    Args:
        results: Folder of committed results.
    """
    beside = constants(results)
    files = {results.parents[1] / "theory" / "calibrations" / FACTS: facts_text([beside])}
    # Predictions are made with the constant that ships, as everybody makes them.
    if not is_predicted(results) and facts_constants(task(31, 24)) == beside:
        files[results / PREDICTED] = text_of(predicted(beside))
    return files


def size_configs(row: Row, factors: Sequence[float]) -> list[MultitaskConfig]:
    """Runs that measure a critical size, at sizes in proportion to what was predicted.

    Args:
        row: What was predicted.
        factors: Sizes over the predicted one.
    """
    problem = task(row["modulus"], row["width"])
    most = math.floor(LARGEST_FRACTION * problem.n_pairs)
    sizes = sorted({min(most, round(factor * row["predicted"])) for factor in factors})
    return [
        beside_facts(problem, n_train=size, n_facts=row["n_facts"], seed=FIRST_SEED + seed, horizon=STEPS)
        for size in sizes
        for seed in range(SEEDS)
    ]


def width_configs(n_facts: int, widths: Sequence[int]) -> list[MultitaskConfig]:
    """Runs that measure the smallest width.

    Args:
        n_facts: D_r [examples].
        widths: Which widths.
    """
    modulus, n_train, *_ = WIDTHS
    return [
        beside_facts(task(modulus, width), n_train=n_train, n_facts=n_facts, seed=FIRST_SEED + seed, horizon=STEPS)
        for width in widths
        for seed in range(SEEDS)
    ]


def measure(results: Path, laboratory: Laboratory) -> None:
    """Measure what is not measured yet, cheapest first; runs are committed question by question.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """

    def add(configs: Sequence[MultitaskConfig], part: str, stage: str) -> None:
        runs = laboratory.multitask(configs, stage=stage)
        for path, text in with_runs(results, [row_of(run, part) for run in runs]).items():
            path.write_text(text, encoding="utf-8")

    def measure_size(row: Row) -> None:
        factors: tuple[float, ...] = FACTORS
        while factors:
            stage = f"p = {row['modulus']}, d = {row['width']} beside {row['n_facts']} facts"
            add(size_configs(row, factors), "size", stage)
            side = sides_of(*sizes_and_accuracy(row, runs_of(results)))
            more = {Sides.ABOVE: BELOW, Sides.BELOW: ABOVE}.get(side)
            factors = () if more is None or more in factors else (more,)

    def measure_width(facts: int, configs: Sequence[MultitaskConfig]) -> None:
        add(configs, "width", f"width beside {facts} facts")

    there, todo = {row["address"] for row in runs_of(results)}, list[tuple[float, Callable[[], None]]]()
    for facts, widths in zip(WIDTHS[2], WIDTHS[3], strict=True):
        configs = width_configs(facts, widths)
        if any(config.address not in there for config in configs):
            todo.append((flops_of(configs), partial(measure_width, facts, configs)))
    for row in read(results / PREDICTED)["sizes"]:
        if measured_size(row, runs_of(results)) is None:
            todo.append((flops_of(size_configs(row, FACTORS)), partial(measure_size, row)))
    for _, question in sorted(todo, key=lambda one: one[0]):
        question()


def sizes_and_accuracy(row: Row, runs: Sequence[Row]) -> tuple[FloatArray, FloatArray]:
    """Sizes and settled test accuracies of a question's runs.

    Args:
        row: What was predicted.
        runs: All runs.
    """
    mine = [
        (one["n_train"], one["test_accuracy"])
        for one in runs
        if one["part"] == "size" and all(one[name] == row[name] for name in ("modulus", "width", "n_facts"))
    ]
    table = np.array(mine, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def measured_size(row: Row, runs: Sequence[Row]) -> Row | None:
    """Critical size at the horizon by the package's posterior, with the sizes that were tried; None where unmeasured.

    Args:
        row: What was predicted.
        runs: All runs.
    """
    n_train, accuracy = sizes_and_accuracy(row, runs)
    if n_train.size < FEWEST_RUNS:
        return None
    problem = task(row["modulus"], row["width"])
    found = critical_size_of(n_train, accuracy, largest=problem.n_pairs, horizon=STEPS)
    ends = None if found.interval is None else [round(found.interval.low, 1), round(found.interval.high, 1)]
    value = None if found.value is None else round(found.value, 1)
    tried = [int(n_train.min()), int(n_train.max())]
    return {"measured": value, "measured_interval": ends, "tried": tried, "n_runs": int(n_train.size)}


def measured_width(n_facts: int, runs: Sequence[Row]) -> Row | None:
    """Smallest width from which on mean test accuracy is above one half, interpolated in ln d; None where unmeasured.

    Its interval is that of means over seeds drawn again.

    Args:
        n_facts: D_r [examples].
        runs: All runs.
    """
    mine = [row for row in runs if row["part"] == "width" and row["n_facts"] == n_facts]
    if not mine:
        return None
    widths = np.array(sorted({row["width"] for row in mine}))
    table = np.array([[row["test_accuracy"] for row in mine if row["width"] == width] for width in widths])  # (K, n)

    def passed(means: FloatArray) -> float:
        """0 where all widths pass, inf where the largest does not."""
        below = np.flatnonzero(means < 0.5)
        if not below.size:
            return 0.0
        k = int(below[-1])
        if k == len(widths) - 1:
            return math.inf
        x = np.log(widths[k : k + 2])
        return math.exp(x[0] + (x[1] - x[0]) * (0.5 - means[k]) / (means[k + 1] - means[k]))

    rng = np.random.default_rng(0)
    picked = rng.integers(table.shape[1], size=(1000, *table.shape))
    drawn = [passed(np.take_along_axis(table, one, 1).mean(1)) for one in picked]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    value = passed(table.mean(1))

    def told(width: float) -> float | None:
        return None if width in (0.0, math.inf) else round(width, 1)

    return {
        "measured": told(value),
        "measured_interval": [told(float(low)), told(float(high))],
        "widths": widths.tolist(),
        "means": table.mean(1).round(3).tolist(),
        "facts_accuracy": [
            None if not n_facts else round(float(np.mean([r["facts_accuracy"] for r in mine if r["width"] == w])), 3)
            for w in widths.tolist()
        ],
        "n_runs": len(mine),
    }


def scored(results: Path) -> tuple[list[Row], list[Row]]:
    """Sizes and widths, each with what was predicted and what was measured, if it was.

    Args:
        results: Folder of committed results.
    """
    runs, told = runs_of(results), read(results / PREDICTED)
    sizes = [row | (measured_size(row, runs) or {"n_runs": 0}) for row in told["sizes"]]
    widths = [row | (measured_width(row["n_facts"], runs) or {"n_runs": 0}) for row in told["widths"]]
    return sizes, widths


def spanned(value: float | None, ends: Sequence[float | None] | None, *, digits: int = 0) -> str:
    """A number with its interval."""
    if value is None:
        return "–"
    low, high = ("–" if end is None else f"{end:.{digits}f}" for end in ends or (None, None))
    return f"{value:.{digits}f} ({low} – {high})"


def errors_of(rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """ln(predicted/measured) and whether the measured lies inside the predicted interval, of rows that have both.

    Args:
        rows: Sizes or widths.
    """
    return [
        (math.log(row["predicted"] / row["measured"]), row["interval"][0] <= row["measured"] <= row["interval"][1])
        for row in rows
        if row["predicted"] is not None and row.get("measured") is not None
    ]


def size_line(row: Row) -> str:
    """A line of the table of sizes."""
    told = spanned(row["predicted"], row["interval"])
    error = "–"
    if not row["n_runs"]:
        found = "not measured"
    elif row["measured"] is None:
        found = f"none from {row['tried'][0]} to {row['tried'][1]}"
    else:
        found, error = spanned(row["measured"], row["measured_interval"]), f"{errors_of([row])[0][0]:+.3f}"
    cells = (row["modulus"], row["width"], row["n_facts"], told, found, row["n_runs"], error)
    return f"| {' | '.join(map(str, cells))} |"


def holding(n_facts: int, places: Sequence[tuple[int, float, float | None]]) -> str:
    """Smallest width that was tried whose mean is above one half and that also holds the facts.

    Args:
        n_facts: D_r [examples].
        places: Width, mean test accuracy and accuracy on the facts.
    """
    both = [width for width, mean, known in places if mean >= 0.5 and (known is None or known >= HELD)]
    if not n_facts:
        return "–"
    return str(both[0]) if both else f"over {places[-1][0]}"


def width_line(row: Row) -> str:
    """A line of the table of widths."""
    told = spanned(row["predicted"], row["interval"])
    if not row["n_runs"]:
        cells = (row["n_facts"], told, "not measured", "–", "–", "–")
    else:
        places = list(zip(row["widths"], row["means"], row["facts_accuracy"], strict=True))
        below, above = row["means"][-1] < 0.5, min(row["means"]) >= 0.5
        found = spanned(row["measured"], row["measured_interval"], digits=1)
        if row["measured"] is None:
            found = f"over {row['widths'][-1]}" if below else f"{row['widths'][0]} or less" if above else "–"
        learned = ", ".join(f"{width}: {mean:.2f}" for width, mean, _ in places)
        facts = ", ".join(f"{width}: {known:.2f}" for width, _, known in places if known is not None) or "–"
        cells = (row["n_facts"], told, found, holding(row["n_facts"], places), learned, facts)
    return f"| {' | '.join(map(str, cells))} |"


def section(results: Path) -> list[str]:
    """The page's lines about transformers.

    Args:
        results: Folder of committed results.
    """
    sizes, widths = scored(results)
    told = read(results / PREDICTED)
    beside = FactsConstants.from_dict(told["constants"])
    rows = [row for row in runs_of(results) if row["part"] == "calibration"]
    found = fitted(rows)
    moduli = " and ".join(map(str, sorted({row["modulus"] for row in rows})))
    each = ", ".join(f"{value:.2f} at d = {width}" for width, value in found.by_width.items())
    lines = [
        "## Transformers",
        "",
        "A transformer reads [a, b, =_t], where =_t is the token of the task. D examples beside D_r facts are worth",
        "D_eff = D²/(D + a·D_r) examples without facts, so",
        "",
        "    D_crit(T, D_r) = D_crit(T)·(1/2 + √(1/4 + a·D_r/D_crit(T)))",
        "",
        f"The one constant is a = {beside.interference:.2f} (standard deviation of ln a: {beside.log_error:.2f}), from",
        f"times of {beside.n_runs} runs of {CALIBRATION_STEPS} steps at p = {moduli}. By width it is {each}: they",
        f"hardly agree. Everything below was predicted before its runs: T = {told['steps']} steps,",
        f"{SEEDS} seeds a size, intervals of {LEVEL:.0%}. `dcrit reproduce emergence` writes this part.",
        "",
        "| p | d | D_r | D_crit predicted | measured | runs | ln(predicted/measured) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *map(size_line, sizes),
        "",
        f"The smallest width that learns the task from D = {told['n_train']} examples at p = {told['modulus']}:",
        "",
        "| D_r | width predicted | measured | and facts held | accuracy of the task | of the facts |",
        "| --- | --- | --- | --- | --- | --- |",
        *map(width_line, widths),
        "",
    ]
    lines += [
        "*Measured* is where the mean accuracy of the task passes one half. **The prediction is wrong there**: it asks",
        "for room for all facts, but networks too narrow for the facts learn the task without them. *And facts held*",
        f"is the smallest width that also has {HELD:.0%} of the facts right; this was added after the first runs.",
        f"Mirror images alone are {mirrored_fraction(told['n_train'], told['modulus']):.0%} of the unseen pairs, so",
        "accuracies near one half say little about the rule.",
        "",
    ]
    for name, scores in (("sizes", errors_of(sizes)), ("widths", errors_of(widths))):
        if scores:
            off = np.abs([error for error, _ in scores])
            lines.append(
                f"{len(scores)} {name}: median |ln(predicted/measured)| {np.median(off):.3f}, worst {off.max():.3f}, "
                f"{sum(inside for _, inside in scores)} inside the predicted interval."
            )
    return lines
