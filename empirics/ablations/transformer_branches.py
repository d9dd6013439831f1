"""Which branch seeds of transformers take, by accuracy at step 200: runs, the law's constants, its predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import log_ndtr

from dcrit.empirics.ablations.committed import Row, read, sized, text_of, with_block
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.seed_fit import Network, curvature, networks_of, seed_likelihood
from dcrit.empirics.measures.threshold_fit import rounded
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.circuits.branches import BranchLaw
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.estimates import half_width
from dcrit.theory.problems.problem import Problem, label

FloatArray = NDArray[np.float64]

#: File of what short runs say, and of predictions with what was measured of them since.
FILE = "transformer-branches.json"

#: Ends of the table in docs/results/two-thresholds.md.
BEGIN, END = "<!-- begin: branches, remade by dcrit reproduce transformer-branches -->", "<!-- end: branches -->"

#: Step at which memory has formed at the protocol's optimizer: accuracy there comes from mirror images [steps].
EARLY = 200

#: Part of the mirror images that is right on the symmetric branch, at least.
SYMMETRIC = 0.5

#: Modulus and width of the networks of the calibration, and sizes, over about the size at which half of the seeds take
#: the symmetric branch.
NETWORKS = ((31, 16), (31, 32), (31, 64), (37, 16), (37, 32), (37, 64), (47, 16), (47, 32))
SIZES, SEEDS = (0.8, 1.0, 1.25), 6

#: Where that size is about: c and k of a first fit to committed calibration runs, by which sizes were chosen.
ABOUT = (2.1, 0.21)


def problem_of(modulus: int, width: int) -> Problem:
    """Addition by a transformer."""
    return Problem(modulus=modulus, model="transformer", activation="relu", width=width, learning_rate=3e-3)


def configs(modulus: int, width: int, sizes: Sequence[int], seeds: int) -> list[RunConfig]:
    """Short runs of one network.

    Args:
        modulus: p.
        width: d.
        sizes: D [examples].
        seeds: At each.
    """
    problem = problem_of(modulus, width)
    return [RunConfig(problem=problem, n_train=size, seed=seed, steps=EARLY) for size in sizes for seed in range(seeds)]


def calibration_sizes(modulus: int, width: int) -> list[int]:
    """Sizes of a network of the calibration [examples]."""
    about = ABOUT[0] * modulus**1.5 * (1 + ABOUT[1] * modulus / width)
    return [round(factor * about) for factor in SIZES]


def cells_of(modulus: int, width: int, sizes: Sequence[int], seeds: int, laboratory: Laboratory) -> list[Row]:
    """What part of the mirror images each seed has right at step ``EARLY``, one row a size.

    Args:
        modulus: p.
        width: d.
        sizes: D [examples].
        seeds: At each.
        laboratory: Finds or trains the runs.
    """
    runs = laboratory.runs(
        configs(modulus, width, sizes, seeds), stage=f"branches: {label(problem_of(modulus, width))}"
    )
    found: dict[int, list[float]] = {size: [] for size in sizes}
    for run in runs:
        size = run.config.n_train
        mirrored = float(mirrored_fraction(size, modulus))
        found[size].append(round(float(run.curves.test_accuracy[-1]) / mirrored, 3))
    return [{"modulus": modulus, "width": width, "n_train": size, "right": right} for size, right in found.items()]


#: Nodes of the integral over networks, and where the search for constants begins: ln c, ln k, ln w, ln scatter.
NODES = 15
BEGIN_AT = (0.74, -1.6, -2.0, -2.5)

#: How much less likely than the likeliest a scatter between networks may be: the 90 % bound of a normal likelihood.
ALLOWED = 1.645**2 / 2

#: Least standard deviation between networks that the search may take.
LEAST_SCATTER = 1e-3


def branch_likelihood(x: FloatArray, cells: Sequence[Row]) -> float:
    """Log-likelihood of which seeds are on the symmetric branch; ln D_half of a network is off by N(0, scatter).

    Args:
        x: ln c, ln k, ln w, ln scatter (4,).
        cells: Of :func:`cells_of`.
    """
    prefactor, load, spread, scatter = np.exp(x)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)  # (q,)
    log_weights = np.log(weights / weights.sum())
    networks: dict[tuple[int, int], FloatArray] = {}
    for cell in cells:
        place = cell["modulus"], cell["width"]
        about = prefactor * place[0] ** 1.5 * (1 + load * place[0] / place[1])
        excess = (math.log(cell["n_train"] / about) - scatter * nodes) / spread  # (q,)
        symmetric = symmetric_seeds(cell)
        here = symmetric * log_ndtr(excess) + (len(cell["right"]) - symmetric) * log_ndtr(-excess)
        networks[place] = networks.get(place, 0.0) + here
    return float(sum(np.logaddexp.reduce(log_weights + here) for here in networks.values()))


def cells_from_runs(runs: Sequence[Row]) -> list[Row]:
    """The same of committed runs to a long horizon, one row a size.

    Args:
        runs: Calibration runs.
    """
    found: dict[tuple[int, int, int], list[float]] = {}
    for run in runs:
        if run["accuracy_early"] is not None:
            mirrored = float(mirrored_fraction(run["n_train"], run["modulus"]))
            place = run["modulus"], run["width"], run["n_train"]
            found.setdefault(place, []).append(run["accuracy_early"] / mirrored)
    return [
        {"modulus": modulus, "width": width, "n_train": size, "right": right}
        for (modulus, width, size), right in found.items()
    ]


def branch_law(cells: Sequence[Row], runs: Sequence[Row], constants: dict[str, float]) -> BranchLaw:
    """Most likely constants.

    Args:
        cells: Which seeds took which branch, at moduli up to 47.
        runs: Calibration runs to a long horizon, whose times say what a branch is worth.
        constants: Of the clock.
    """

    def cost(x: FloatArray) -> float:
        return math.inf if x[-1] < math.log(LEAST_SCATTER) else -branch_likelihood(x, cells)

    found: Any = minimize(cost, BEGIN_AT, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-5, "fatol": 1e-7})
    if not found.success:
        raise ArithmeticError(f"no most likely constants were found: {found.message}")
    best = np.asarray(found.x, dtype=np.float64)
    prefactor, load, spread = (rounded(value, 4) for value in np.exp(best[:-1]))

    def inner(x: FloatArray) -> float:
        return cost(np.append(x, best[-1]))

    covariance: FloatArray = np.linalg.inv(curvature(inner, best[:-1])).astype(np.float64)
    scale = np.array([1.0, load, 1.0])  # the covariance speaks of k itself
    covariance = covariance * np.outer(scale, scale)
    ahead, behind = shifts_of(runs, constants)
    return BranchLaw(
        prefactor=prefactor,
        load=load,
        spread=spread,
        scatter=rounded(_largest_scatter(cost, best), 4),
        ahead=rounded(ahead, 3),
        behind=rounded(behind, 3),
        covariance=tuple(tuple(rounded(value, 4) for value in line) for line in covariance.tolist()),
    )


def _largest_scatter(cost: Callable[[FloatArray], float], best: FloatArray) -> float:
    """Largest standard deviation between networks that the runs allow: few networks hardly tell it from none."""

    def excess(log_scatter: float) -> float:
        return cost(np.append(best[:-1], log_scatter)) - cost(best) - ALLOWED

    return math.exp(brentq(excess, best[-1], 0.0))


def shifts_of(runs: Sequence[Row], constants: dict[str, float]) -> tuple[float, float]:
    """By how much more ln D seeds on the symmetric branch behave as if they had, and by how much less others do.

    Args:
        runs: Calibration runs.
        constants: Of the clock of all seeds.
    """
    branches: tuple[list[Row], list[Row]] = ([], [])
    for run in runs:
        if run["accuracy_early"] is not None:
            mirrored = float(mirrored_fraction(run["n_train"], run["modulus"]))
            branches[run["accuracy_early"] >= SYMMETRIC * mirrored].append(run)

    def moved(rows: Sequence[Row], shift: float) -> list[Network]:
        return networks_of([{**row, "n_train": row["n_train"] * math.exp(shift)} for row in rows])

    def cost(x: FloatArray) -> float:
        scatter = math.exp(float(x[2]))
        ordered, symmetric = branches
        return -seed_likelihood(constants, scatter, moved(symmetric, x[0])) - seed_likelihood(
            constants, scatter, moved(ordered, -x[1])
        )

    found: Any = minimize(
        cost, (0.0, 0.0, -2.0), method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-4, "fatol": 1e-6}
    )
    return float(found.x[0]), float(found.x[1])


def fitted_branches(
    results: Path, short: Sequence[Row], timed: Sequence[Row], constants: dict[str, float]
) -> BranchLaw:
    """The law that ships, from committed runs at moduli up to 47.

    Args:
        results: Folder of committed results.
        short: Calibration runs whose accuracy at step ``EARLY`` counts.
        timed: Those whose times count.
        constants: Of the clock.
    """
    cells = [*cells_from_runs(short), *read(results / FOLDER / FILE)["calibration"]]
    return branch_law(cells, timed, constants)


#: Networks that are asked: modulus and width. No constant is from their moduli.
ASKED = ((53, 32), (53, 48), (59, 32), (59, 48), (71, 32), (71, 64))
ASKED_SEEDS = 8


def calibrate(results: Path, laboratory: Laboratory) -> None:
    """Make the calibration's short runs, unless they are there.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    path = results / FOLDER / FILE
    if path.exists():
        return
    cells = [
        cell
        for modulus, width in NETWORKS
        for cell in cells_of(modulus, width, calibration_sizes(modulus, width), SEEDS, laboratory)
    ]
    path.write_text(text_of({"calibration": cells, "asked": []}), encoding="utf-8")


def predicted(law: BranchLaw) -> list[Row]:
    """What the law says of every network that is asked.

    Args:
        law: Its constants.
    """
    found: list[Row] = []
    for modulus, width in ASKED:
        size, deviation = law.size(modulus, width), law.deviation(modulus, width)
        spread = half_width(deviation)
        found.append(
            {
                "modulus": modulus,
                "width": width,
                "predicted": round(size, 1),
                "predicted_interval": [round(size * math.exp(sign * spread), 1) for sign in (-1, 1)],
                "cells": [],
            }
        )
    return found


def measure(results: Path, laboratory: Laboratory) -> None:
    """Short runs of every network that is asked and has none yet.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    path = results / FOLDER / FILE
    document = read(path)
    for row in document["asked"]:
        if not row["cells"]:
            sizes = [round(factor * row["predicted"]) for factor in SIZES]
            row["cells"] = cells_of(row["modulus"], row["width"], sizes, ASKED_SEEDS, laboratory)
            path.write_text(text_of(document), encoding="utf-8")


def symmetric_seeds(cell: Row) -> int:
    """How many seeds of a cell are on the symmetric branch."""
    return sum(one >= SYMMETRIC for one in cell["right"])


def half_size(cells: Sequence[Row], spread: float) -> tuple[float, float] | None:
    """Size at which half of the seeds of a network take the symmetric branch, and the error of its logarithm.

    Args:
        cells: Of one network.
        spread: w, which a few seeds hardly tell.

    Returns:
        None where all seeds took the same branch.
    """
    counts = [
        (math.log(cell["n_train"]), sum(one >= SYMMETRIC for one in cell["right"]), len(cell["right"]))
        for cell in cells
    ]
    if sum(symmetric for _, symmetric, _ in counts) in (0, sum(n for *_, n in counts)):
        return None

    def cost(x: FloatArray) -> float:
        total = 0.0
        for place, symmetric, n in counts:
            excess = (place - float(x[0])) / spread
            total -= symmetric * float(log_ndtr(excess)) + (n - symmetric) * float(log_ndtr(-excess))
        return total

    begin = np.array([np.mean([place for place, *_ in counts])])
    found: Any = minimize(cost, begin, method="Nelder-Mead")
    best = np.asarray(found.x, dtype=np.float64)
    return math.exp(best[0]), float(1 / math.sqrt(curvature(cost, best)[0, 0]))


def scored(row: Row, spread: float) -> Row:
    """A network that was asked, with the size that its runs measure and how often each size was symmetric.

    Args:
        row: Of the file.
        spread: w.
    """
    found = {name: row[name] for name in ("modulus", "width", "predicted", "predicted_interval")}
    half = half_size(row["cells"], spread)
    found |= {"measured": None, "measured_interval": None, "error": None, "inside": None}
    if half is not None:
        size, margin = round(half[0], 1), half_width(half[1])
        found |= {
            "measured": size,
            "measured_interval": [round(size * math.exp(sign * margin), 1) for sign in (-1, 1)],
            "error": round(math.log(row["predicted"] / size), 3),
            "inside": row["predicted_interval"][0] <= size <= row["predicted_interval"][1],
        }
    return found | {"cells": row["cells"]}


def branches(results: Path, law: BranchLaw) -> dict[Path, str]:
    """Predictions where there are none yet, what was measured of them, and the page's table, by path.

    Args:
        results: Folder of committed results.
        law: Its constants.
    """
    path, page = results / FOLDER / FILE, results / "two-thresholds.md"
    document = read(path)
    asked = [scored(row, law.spread) for row in document["asked"] or predicted(law)]
    text = page_with_branches(page.read_text(encoding="utf-8"), asked, law)
    return {path: text_of({"calibration": document["calibration"], "asked": asked}), page: text}


def page_with_branches(page: str, asked: Sequence[Row], law: BranchLaw) -> str:
    """The page with its table of branches replaced.

    Args:
        page: Its text.
        asked: Rows of :func:`scored`.
        law: Its constants.
    """
    lines = [
        "| p | d | predicted D_half (90 %) | measured (90 %) | ln(predicted/measured) | D: symmetric (predicted P) |",
        "|---|---|---|---|---|---|",
    ]
    for row in asked:
        cells = [str(row["modulus"]), str(row["width"]), sized(row["predicted"], row["predicted_interval"])]
        if row["measured"] is None:
            cells += ["not measured", "–"]
        else:
            cells += [sized(row["measured"], row["measured_interval"]), f"{row['error']:+.3f}"]
        counts: list[str] = []
        for cell in row["cells"]:
            told = float(law.probability(row["modulus"], row["width"], cell["n_train"]))
            counts.append(f"{cell['n_train']}: {symmetric_seeds(cell)}/{len(cell['right'])} ({told:.2f})")
        lines.append(f"| {' | '.join([*cells, ' · '.join(counts) or '–'])} |")
    known = [row for row in asked if row["error"] is not None]
    if known:
        errors = np.abs([row["error"] for row in known])
        lines += [
            "",
            f"|ln(predicted/measured)| of {len(known)} networks is {np.median(errors):.3f} in the median and "
            f"{errors.max():.3f} at worst; {sum(row['inside'] for row in known)} lie inside their 90 % intervals.",
        ]
    return with_block(page, (BEGIN, END), "\n".join(lines))
