"""The law of both thresholds and the clock for transformers, and its predictions beside measured sizes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dcrit.empirics.ablations.committed import Row, sized, with_block
from dcrit.empirics.ablations.run_rows import keep, row_of
from dcrit.empirics.ablations.transformer_branches import fitted_branches
from dcrit.empirics.ablations.transformer_norms import norm_law, page_with_norms
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, rows_at_rest, sets_apart
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.critical_size import Sides, posterior_of, sides_of
from dcrit.empirics.measures.seed_fit import law_of_seeds, time_beyond_mirrors
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.branches import BranchLaw
from dcrit.theory.circuits.clock import Pace
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Files of committed runs and of what was predicted before any of them was made.
RUNS, FRAME = "transformer-runs.parquet", "transformer-frame.json"

#: File of what the law that ships predicted when the questions that it calls blind were not measured.
SECOND = "transformer-second-law.json"

#: File of what was measured beside what was predicted.
SCORED = "transformers-measured.json"

#: Ends of the table in docs/results/two-thresholds.md.
BEGIN, END = "<!-- begin: transformers, remade by dcrit reproduce two-thresholds -->", "<!-- end: transformers -->"

#: At smaller moduli D_crit leaves so few pairs that mirror images of trained ones alone are half of the unseen.
SMALLEST_MODULUS = 29

#: Step at which memory has formed: what accuracy there is comes from mirror images [steps].
EARLY = 200

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


#: Times in units of 1/(ηλ): exponents that ``transformer_pace`` measures are 1 within their errors.
PACE = Pace(learning_rate=3e-3, weight_decay=1.0, learning_rate_exponent=1.0, decay_exponent=1.0)


def fitted_law(results: Path) -> Thresholds:
    """The law that ships, from committed calibration runs.

    Args:
        results: Folder of committed results.
    """
    runs = runs_of(results)
    at_rest = [run for run in runs if run["part"] == "rest"]
    family = Problem(model="transformer", activation="relu", learning_rate=3e-3)
    law = law_of_seeds(calibration_rows(runs), at_rest, family, PACE)
    from_scratch = [run for run in runs if run["part"] == "calibration"]
    branches = fitted_branches(results, from_scratch, calibration_rows(runs), law.to_dict()["constants"])
    return replace(law, branches=branches, norms=norm_law(from_scratch))


def committed_branches(results: Path) -> BranchLaw:
    """How likely a seed memorizes unordered pairs, from committed runs.

    Args:
        results: Folder of committed results.
    """
    branches = fitted_law(results).branches
    assert branches is not None
    return branches


#: How drawn questions are made: moduli by horizon in time constants, widths, operations that one run may take.
DRAWN = {15: (53, 59, 67, 79, 97, 113), 40: (37, 53, 59, 79)}
WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128)
MOST_LOAD, MOST_OPERATIONS, SEED = 4.0, 2.2e12, 1773
DRAWN_TASKS = ("add", "mul")

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
            problem = replace(problem, task=str(rng.choice(DRAWN_TASKS)))
            found.append({**problem.to_dict(), "steps": steps})
    return found


def kept(run: Run, part: str) -> Row:
    """What is kept of a run: as of pair-MLPs, and when it is right on half of what mirror images leave.

    Args:
        run: A finished run of a commutative task.
        part: ``calibration``, ``rest`` or ``drawn``.
    """
    beyond = time_beyond_mirrors(run)
    early = float(np.interp(EARLY, run.curves.step, run.curves.test_accuracy))
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


def runs_like(row: Row, runs: Sequence[Row]) -> list[Row]:
    """Runs of a drawn question.

    Args:
        row: Of the frame.
        runs: All runs.
    """
    names = ("task", "modulus", "width", "learning_rate", "weight_decay", "steps")
    return [run for run in runs if run["part"] == "drawn" and all(run[name] == row[name] for name in names)]


def _sizes_and_accuracy(row: Row, runs: Sequence[Row]) -> tuple[FloatArray, FloatArray]:
    usable = [run for run in runs_like(row, runs) if math.isfinite(run["test_accuracy"])]
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
        "n_lost": len(runs_like(row, runs)) - int(sizes.size),
    }


def sizes_over_modulus(results: Path, law: Thresholds, width: int, horizon: float) -> list[Row]:
    """Measured sizes of transformers, as they would be at one width and horizon by the law's ratio, and at rest.

    Args:
        results: Folder of committed results.
        law: Of transformers.
        width: d.
        horizon: T [steps].

    Returns:
        Rows of n_symbols, size, interval, at_rest and what sets the network apart.
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
        apart = sets_apart(problem.model, problem.width, problem.weight_decay, beside=width)
        found.append(
            {
                "n_symbols": problem.n_symbols,
                "size": size["measured"] * ratio,
                "interval": interval,
                "at_rest": False,
                "apart": apart,
            }
        )
    return found + rows_at_rest(runs, law, width)


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
    ("predicted", "interval", "An earlier law, of times to one half"),
    ("first_release", "first_release_interval", "D_sym alone"),
)


def page_with_transformers(page: str, results: Path) -> str:
    """The page with its table of transformers replaced.

    Args:
        page: Its text.
        results: Folder of committed results.
    """
    rows = scored_rows(results)
    known = [row for row in rows if row["measured"] is not None]
    lines = [
        "| task | p | d | T [steps] | law (90 %) | earlier law | D_sym | measured (90 %) | runs | ln(law/measured) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["task"], str(row["modulus"]), str(row["width"]), str(row["steps"])]
        cells += [sized(row["second"], row["second_interval"]) + ("" if row["second_blind"] else " †")]
        cells += [f"{row[name]:.0f}" for name in ("predicted", "first_release")]
        if row["measured"] is None:
            cells += ["not measured", "–", "–"]
        else:
            cells += [sized(row["measured"], row["measured_interval"]), str(row["n_runs"])]
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
        "The earlier law and D_sym predicted all of these sizes before any was measured. The law that ships predicted "
        "those without † before they were measured.",
    ]
    page = with_block(page, (BEGIN, END), "\n".join(lines))
    runs = {part: [run for run in runs_of(results) if run["part"] == part] for part in ("calibration", "drawn")}
    return page_with_norms(page, norm_law(runs["calibration"]), runs["drawn"])
