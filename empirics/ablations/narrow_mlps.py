"""What part of the rule narrow pair-MLPs hold: κ of their units, from cheap runs well above the transition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares

from dcrit.empirics.ablations.committed import Row, read, text_of
from dcrit.empirics.ablations.two_thresholds_fit import ACTIVATIONS, FOLDER
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.threshold_fit import rounded
from dcrit.empirics.runs.outcomes import settled_value
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.unit_noise import RANDOM_PHASES, UnitNoise
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: File of the runs, below docs/results/two-thresholds, and ends of the table in docs/results/two-thresholds.md.
NARROW = "narrow"
BEGIN, END = "<!-- begin: narrow pair-MLPs, remade by dcrit reproduce narrow -->", "<!-- end: narrow -->"

#: Moduli of the law's own calibration runs, no problem of which is scored, and widths down to those that hold half.
MODULI = (19, 29, 41)
WIDTHS = {"square": (12, 16, 20, 24, 32), "relu": (16, 24, 32, 40, 56)}

#: Sizes, as multiples of D_crit(T) by the law of wide networks, of which none is nearer to all pairs than this part.
MULTIPLES, LARGEST_PART = (1.35, 1.8, 2.4), 0.93

SEEDS = 4

#: Where the search for κ begins, and its bounds. Random phases have 0.47.
START, BOUNDS = 0.5, (0.05, 5.0)


def configs(laws: Sequence[Thresholds]) -> list[list[RunConfig]]:
    """Calibration runs, one list an activation, modulus, width and size.

    Args:
        laws: Of wide networks; they say where to look.
    """
    made: list[list[RunConfig]] = []
    for activation in ACTIVATIONS:
        law = _of_addition(laws, activation)
        for modulus in MODULI:
            for width in WIDTHS[activation]:
                problem = Problem(task="add", modulus=modulus, activation=activation, width=width)
                size = float(replace(law, units=None).clocks(problem).half.critical_size(problem.horizon))
                sizes = [math.floor(one * size) for one in MULTIPLES if one * size < LARGEST_PART * problem.n_pairs]
                made += [
                    [RunConfig(problem=problem, n_train=n_train, seed=seed) for seed in range(SEEDS)]
                    for n_train in sizes
                ]
    return made


def measure_narrow(laws: Sequence[Thresholds], results: Path, laboratory: Laboratory) -> dict[Path, str]:
    """Settled accuracies of the calibration runs, one row a network and size, by their file.

    Args:
        laws: Of wide networks.
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    rows = [
        {
            **{name: getattr(runs[0].config.problem, name) for name in ("activation", "modulus", "width")},
            "n_train": runs[0].config.n_train,
            **{
                name: [round(settled_value(run, name), 4) for run in runs]
                for name in ("test_accuracy", "train_accuracy")
            },
        }
        for runs in laboratory.blocks(configs(laws), stage="narrow pair-MLPs")
    ]
    return {results / FOLDER / f"{NARROW}.json": text_of(rows)}


@dataclass(frozen=True, kw_only=True)
class UnitsFit:
    """κ of one activation, with what is left.

    Attributes:
        units: Constants.
        error: Standard error of κ.
        rms: Root mean square of what mean accuracies are missed by.
        rms_without: The same where any number of units holds the whole rule.
        n_runs: Runs.
    """

    units: UnitNoise
    error: float
    rms: float
    rms_without: float
    n_runs: int


def fit_units(law: Thresholds, rows: Sequence[Row]) -> UnitsFit:
    """κ by least squares in the mean accuracies of calibration runs; nothing else of the law moves.

    Args:
        law: Of wide networks.
        rows: Runs with its activation.
    """
    load, width = max(row["modulus"] / row["width"] for row in rows), min(row["width"] for row in rows)
    weights = np.sqrt([len(row["test_accuracy"]) for row in rows])

    def units(signal: float, scatter: float = 0.0, lag: float = 0.0) -> UnitNoise:
        return UnitNoise(signal=signal, scatter=scatter, lag=lag, load=rounded(load, 4), width=width)

    def missed(signal: float | None, among: Sequence[Row] = rows, lag: float = 0.0) -> FloatArray:
        moved = replace(law, units=None if signal is None else units(signal))
        return np.array([_expected(moved, row, lag) - float(np.mean(row["test_accuracy"])) for row in among])

    found: Any = least_squares(lambda x: weights * missed(float(x[0])), [START], bounds=BOUNDS)
    signal = rounded(float(found.x[0]))
    left = weights * missed(signal)
    variance = float(left @ left) / (len(rows) - 1)
    error = math.sqrt(variance / float((found.jac.T @ found.jac)[0, 0]))

    own: list[float] = []
    for cell in sorted({(row["modulus"], row["width"]) for row in rows}):
        mine = [row for row in rows if (row["modulus"], row["width"]) == cell]

        def excess(signal: float, mine: list[Row] = mine) -> float:
            return float(missed(signal, mine).sum())

        # A network that is right on all it has not seen says only that κ is large.
        if excess(BOUNDS[0]) < 0 < excess(BOUNDS[1]):
            own.append(math.log(float(brentq(excess, *BOUNDS)) / signal))
    with_lag: Any = least_squares(lambda x: weights * missed(float(x[0]), rows, float(x[1])), [signal, 0.0])
    lag = rounded(abs(float(with_lag.x[1])), 3)
    total = float(weights @ weights)
    return UnitsFit(
        units=units(signal, rounded(math.sqrt(float(np.mean(np.square(own)))), 3), lag),
        error=error,
        rms=math.sqrt(float(left @ left) / total),
        rms_without=math.sqrt(float(np.square(weights * missed(None)).sum()) / total),
        n_runs=sum(len(row["test_accuracy"]) for row in rows),
    )


def fits_of(laws: Sequence[Thresholds], results: Path) -> dict[str, UnitsFit]:
    """The fit of each activation.

    Args:
        laws: Of wide networks.
        results: Folder of committed results.
    """
    rows: list[Row] = read(results / FOLDER / f"{NARROW}.json")
    return {
        activation: fit_units(_of_addition(laws, activation), [row for row in rows if row["activation"] == activation])
        for activation in ACTIVATIONS
    }


def with_units(laws: Sequence[Thresholds], results: Path) -> list[Thresholds]:
    """The laws of pair-MLPs that ship: all tasks share the κ of addition.

    Args:
        laws: Of wide networks.
        results: Folder of committed results.
    """
    found = fits_of(laws, results)
    return [replace(law, units=found[law.activation].units) for law in laws]


def page_with_narrow(page: str, fits: Mapping[str, UnitsFit]) -> str:
    """The page with its table of narrow pair-MLPs replaced.

    Args:
        page: Its text.
        fits: Of :func:`fits_of`.
    """
    lines = [
        BEGIN,
        "| σ | κ | κ of random phases | scatter of ln κ | lag | accuracies are missed by | without noise of units "
        "| runs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{activation}` | {one.units.signal:.3f} ± {one.error:.3f} "
        f"| {f'{RANDOM_PHASES:.3f}' if activation == 'square' else '–'} | {one.units.scatter:.3f} "
        f"| {one.units.lag:.2f} | {one.rms:.3f} "
        f"| {one.rms_without:.3f} | {one.n_runs} |"
        for activation, one in fits.items()
    ]
    before, rest = page.split(BEGIN)
    _, after = rest.split(END, maxsplit=1)
    return before + "\n".join([*lines, END]) + after


def _of_addition(laws: Sequence[Thresholds], activation: str) -> Thresholds:
    (law,) = [one for one in laws if "add" in one.tasks and one.activation == activation and one.model == "mlp"]
    return law


def _expected(law: Thresholds, row: Row, lag: float = 0.0) -> float:
    """Test accuracy of a row's runs by a law, if networks need more by a lag in ln D per part that they do not hold."""
    problem = Problem(task="add", modulus=row["modulus"], activation=row["activation"], width=row["width"])
    clocks = law.clocks(problem)
    n_train = row["n_train"] * math.exp(-lag * (1 - clocks.memory.ceiling))
    return float(clocks.accuracy(n_train, problem.horizon))
