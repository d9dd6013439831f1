"""Constants of narrow transformers, within capacity and over it, from cheap runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from dcrit.empirics.ablations.committed import Row, read, text_of
from dcrit.empirics.ablations.run_rows import accuracies_of
from dcrit.empirics.ablations.transformer_clock import calibration_rows, runs_of
from dcrit.empirics.ablations.transformer_sizes import FAMILY
from dcrit.empirics.ablations.transformer_sizes import MEASURED as KNOWN
from dcrit.empirics.ablations.transformer_sizes import WIDTHS as KNOWN_WIDTHS
from dcrit.empirics.experiments.experiment import TRANSFORMER_STEPS
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.seed_fit import width_scatter
from dcrit.empirics.measures.threshold_fit import rounded
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.critical_size_law import LEVEL_WIDTH
from dcrit.theory.circuits.overload import Overload

FloatArray = NDArray[np.float64]

#: File of the runs.
CALIBRATION = "model-size-calibration.json"

#: Calibration runs: modulus, widths, sizes; seeds at each.
CALIBRATED = (
    (23, (4, 8), (140, 185, 235, 290, 350)),
    (29, (4,), (200, 270, 340, 410, 480, 580)),
    (29, (8,), (260, 310, 370, 440, 520)),
    (41, (4,), (430, 530, 650, 800, 1000)),
)
SEEDS = 4

#: Widths up to this one count as narrow: constants of wider ones are the clock's.
NARROW = 12

#: Seeds of a network of width d scatter as a mean over d units would, ∝ d^(−1/2): at this width by the s of the clock's
#: runs, which lie about it.
WIDTH_EXPONENT, USUAL_WIDTH = 0.5, 32

#: Where the search for β and c begins.
START = (0.3, 12.0)


def configs() -> list[list[RunConfig]]:
    """Calibration runs, one list a modulus, width and size."""
    return [
        [
            RunConfig(
                problem=replace(FAMILY, modulus=modulus, width=width), n_train=size, seed=seed, steps=TRANSFORMER_STEPS
            )
            for seed in range(SEEDS)
        ]
        for modulus, widths, sizes in CALIBRATED
        for width in widths
        for size in sizes
    ]


def measure_calibration(results: Path, laboratory: Laboratory) -> dict[Path, str]:
    """Settled accuracies of calibration runs, one row a modulus, width and size, by their file.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    rows = [
        accuracies_of(runs, "modulus", "width") for runs in laboratory.blocks(configs(), stage="narrow transformers")
    ]
    return {results / CALIBRATION: text_of(rows)}


def rows_of(results: Path) -> list[Row]:
    """Calibration runs, those of narrow transformers at modulus 31 among them.

    Args:
        results: Folder of committed results.
    """
    rows: list[Row] = read(results / CALIBRATION)
    for one in read(results / KNOWN):
        for width, accuracy in zip(KNOWN_WIDTHS, one["test_accuracy"], strict=True):
            if width <= NARROW:
                row = {"modulus": FAMILY.modulus, "width": width, "n_train": one["n_train"]}
                rows.append(row | {"test_accuracy": accuracy})
    return rows


def bound(law: Thresholds) -> Thresholds:
    """The law with capacity and memory of unordered pairs of the calibration that ships for it.

    Args:
        law: Of transformers.
    """
    (calibration,) = [one for one in shipped_calibrations() if one.tasks == law.tasks and one.model == law.model]
    return replace(law, capacity=calibration.capacity, symmetry=calibration.symmetry)


def narrowed(law: Thresholds, overload: Overload) -> Thresholds:
    """A law that also speaks of narrow networks.

    Args:
        law: Of wider ones, bound.
        overload: Constants of narrow ones.
    """
    scale = (USUAL_WIDTH / LEVEL_WIDTH) ** WIDTH_EXPONENT
    own = law.law.levels
    levels = replace(own, low=rounded(own.low * scale), high=rounded(own.high * scale), width_exponent=WIDTH_EXPONENT)
    return replace(law, law=replace(law.law, levels=levels), overload=overload)


@dataclass(frozen=True, kw_only=True)
class NarrowFit:
    """Constants of narrow networks, with what is left.

    Attributes:
        overload: Constants.
        errors: Standard errors of β and c.
        rms: Root mean square of what mean accuracies are missed by.
        n_runs: Runs.
    """

    overload: Overload
    errors: tuple[float, float]
    rms: float
    n_runs: int


def expected(law: Thresholds, row: Row) -> float:
    """Test accuracy of a row's runs by a law."""
    problem = replace(FAMILY, modulus=row["modulus"], width=row["width"])
    return float(law.clocks(problem).accuracy(row["n_train"], TRANSFORMER_STEPS))


def fit_narrow(law: Thresholds, rows: Sequence[Row]) -> NarrowFit:
    """β and c by least squares in the mean accuracies of calibration runs; nothing else of the law moves.

    Args:
        law: Of wider networks, bound.
        rows: Calibration runs.
    """
    load, width = max(row["modulus"] / row["width"] for row in rows), min(row["width"] for row in rows)

    def overload(constants: Sequence[float], scatter: float = 1.0) -> Overload:
        exponent, grain = (rounded(value) for value in constants)
        return Overload(exponent=exponent, grain=grain, scatter=scatter, load=rounded(load, 4), width=width)

    weights = np.sqrt([len(row["test_accuracy"]) for row in rows])
    means = np.array([np.mean(row["test_accuracy"]) for row in rows])

    def missed(constants: FloatArray) -> FloatArray:
        moved = narrowed(
            law, Overload(exponent=float(constants[0]), grain=float(constants[1]), scatter=1.0, load=load, width=width)
        )
        return weights * (np.array([expected(moved, row) for row in rows]) - means)

    found: Any = least_squares(missed, START, bounds=([0.0, 1.0], [3.0, 100.0]), x_scale=START)
    left = float(found.fun @ found.fun)
    covariance = np.linalg.inv(found.jac.T @ found.jac) * left / (len(rows) - len(START))
    scatter = _scatter(narrowed(law, overload(found.x)), rows)
    return NarrowFit(
        overload=overload(found.x, rounded(scatter, 3)),
        errors=(math.sqrt(covariance[0, 0]), math.sqrt(covariance[1, 1])),
        rms=math.sqrt(left / float(weights @ weights)),
        n_runs=sum(len(row["test_accuracy"]) for row in rows),
    )


def _scatter(law: Thresholds, rows: Sequence[Row]) -> float:
    """Root mean square over moduli and widths of how far in ln D accuracies lie from the law's."""
    cells = sorted({(row["modulus"], row["width"]) for row in rows})
    found: list[float] = []
    for cell in cells:
        mine = [row for row in rows if (row["modulus"], row["width"]) == cell]

        def missed(shift: FloatArray, mine: list[Row] = mine) -> list[float]:
            moved = [row | {"n_train": row["n_train"] * math.exp(-float(shift[0]))} for row in mine]
            return [expected(law, row) - float(np.mean(row["test_accuracy"])) for row in moved]

        found.append(float(least_squares(missed, [0.0], diff_step=[1e-3]).x[0]))
    return math.sqrt(float(np.mean(np.square(found))))


def with_narrow(law: Thresholds, results: Path) -> Thresholds:
    """The law that ships, with constants of narrow networks from committed calibration runs.

    Args:
        law: Of wider networks.
        results: Folder of committed results.
    """
    found = narrowed(law, fit_narrow(bound(law), rows_of(results)).overload)
    levels = replace(found.law.levels, scatter=width_scatter(calibration_rows(runs_of(results)), found.law))
    return replace(found, law=replace(found.law, levels=levels))
