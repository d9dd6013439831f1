"""The strength g of memorizing, over width and time: from squared networks that are trained on random labels.

g = e_mem·p·√D/(√(2/27)/√(1/2)), with e_mem the soft margin over ‖θ‖³ in the L2,3 norm.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcrit.empirics.ablations.committed import Row, read, with_block
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store.whole_files import write_whole
from dcrit.theory.circuits.finding import MEMORIZING_MARGIN, dense_strength
from dcrit.theory.circuits.margin import margin_from_loss
from dcrit.theory.problems.problem import Problem

#: File of the rows below docs/results, and ends of the table in docs/results/two-thresholds.md.
STRENGTHS = Path("two-thresholds", "strength.json")
BEGIN, END = "<!-- begin: strength, remade by dcrit reproduce strength -->", "<!-- end: strength -->"

#: Moduli, widths H/p, sizes D/p^1.5 and seeds that are run.
MODULI, WIDTHS, SIZES, SEEDS = (23, 31, 47), (1, 2, 4), (1.2, 2.4), (0, 1)

#: A network has memorized once this part of its training set is right.
MEMORIZED = 0.99

#: When g is read besides [steps].
READINGS = (400, 1000, 4000)


def configs() -> list[RunConfig]:
    """The runs: random labels at sizes about the transition of addition."""
    return [
        RunConfig(
            problem=Problem(task="random", activation="square", modulus=modulus, width=ratio * modulus),
            n_train=round(size * modulus**1.5),
            seed=seed,
        )
        for modulus in MODULI
        for ratio in WIDTHS
        for size in SIZES
        for seed in SEEDS
    ]


def row_of(run: Run) -> Row:
    """What is kept of a run: g when it has memorized, None where it never does, and later."""
    config, curves = run.config, run.curves
    modulus = config.problem.modulus
    margin = margin_from_loss(curves.train_loss, config.n_classes)
    strength = margin / curves.neuron_norm**3 * modulus * math.sqrt(config.n_train) / MEMORIZING_MARGIN
    right = np.flatnonzero(curves.train_accuracy >= MEMORIZED)
    at_first = None if right.size == 0 else round(float(strength[right[0]]), 3)
    return {
        "modulus": modulus,
        "width": config.problem.width,
        "n_train": config.n_train,
        "seed": config.seed,
        "time_memorized": None if right.size == 0 else int(curves.step[right[0]]),
        "memorized": at_first,
        **{f"at_{step}": round(float(np.interp(step, curves.step, strength)), 3) for step in READINGS},
    }


def measure_strengths(results: Path, laboratory: Laboratory) -> None:
    """Train what is missing and keep a small row a run.

    Args:
        results: Folder of committed results; its strength.json is written.
        laboratory: Finds or trains the runs.
    """
    rows = [row_of(run) for run in laboratory.runs(configs(), stage="strength of memorizing")]
    lines = ",\n ".join(json.dumps(row) for row in rows)
    write_whole(results / STRENGTHS, f"[\n {lines}\n]\n".encode())


def page_with_strengths(page: str, rows: Sequence[Row]) -> str:
    """The page with its table of g replaced.

    Args:
        page: Its text.
        rows: Of :func:`row_of`.
    """
    names = ("memorized", *(f"at_{step}" for step in READINGS))
    lines = [
        "| H/p | D/p^1.5 | p | memorized | " + " | ".join(f"step {step}" for step in READINGS) + " |",
        "|---" * (len(names) + 3) + "|",
    ]
    for ratio in WIDTHS:
        for size in SIZES:
            for modulus in MODULI:
                cell = (modulus, ratio * modulus, round(size * modulus**1.5))
                mine = [row for row in rows if (row["modulus"], row["width"], row["n_train"]) == cell]
                means = [mean_of([row[name] for row in mine]) for name in names]
                lines.append(f"| {ratio} | {size} | {modulus} | {' | '.join(means)} |")
    lines += [
        "",
        f"Means over {len(SEEDS)} seeds. The bound at equal weights and D near p² is {dense_strength():.2f}.",
    ]
    return with_block(page, (BEGIN, END), "\n".join(lines))


def mean_of(values: Sequence[float | None]) -> str:
    """Mean as it is shown; a dash where a run has no value."""
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known and len(known) == len(values) else "–"


def strength_page(results: Path) -> dict[Path, str]:
    """The page to be written, by its path.

    Args:
        results: Folder of committed results.
    """
    page = results / "two-thresholds.md"
    return {page: page_with_strengths(page.read_text(encoding="utf-8"), read(results / STRENGTHS))}
