"""What part of the rule narrow pair-MLPs hold: κ of their units, from cheap runs well above the transition."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares

from dcrit.empirics.ablations.committed import Row, read, text_of, with_block
from dcrit.empirics.ablations.run_rows import accuracies_of
from dcrit.empirics.ablations.two_thresholds_fit import ACTIVATIONS, FOLDER, fitted_thresholds
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.threshold_fit import rounded
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.whole_files import write_whole
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.circuits.unit_noise import RANDOM_PHASES, RANDOM_SPREAD, SPREAD, UnitNoise, held_part
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


def measure_narrow(results: Path, laboratory: Laboratory) -> None:
    """Keep settled accuracies of the calibration runs, one row a network and size.

    Args:
        results: Folder of committed results; ``narrow.json`` is written.
        laboratory: Finds or trains the runs.
    """
    blocks = laboratory.blocks(configs(fitted_thresholds(results)), stage="narrow pair-MLPs")
    rows = [accuracies_of(runs, "activation", "modulus", "width") for runs in blocks]
    write_whole(results / FOLDER / f"{NARROW}.json", text_of(rows).encode())


@dataclass(frozen=True, kw_only=True)
class UnitsFit:
    """κ of one activation, with what is left.

    Attributes:
        units: Constants.
        error: Standard error of κ.
        rms: Root mean square of what mean accuracies are missed by.
        rms_without: The same where any number of units holds the whole rule.
        rms_random: The same with the spread of random phases, and the κ that goes with it.
        rms_lagged: The same with the lag as a second constant, and the κ that goes with it.
        n_runs: Runs.
    """

    units: UnitNoise
    error: float
    rms: float
    rms_without: float
    rms_random: float
    rms_lagged: float
    n_runs: int


def fit_units(law: Thresholds, rows: Sequence[Row]) -> UnitsFit:
    """κ by least squares in the mean accuracies of calibration runs; nothing else of the law moves.

    Args:
        law: Of wide networks.
        rows: Runs with its activation.
    """
    weights = np.sqrt([len(row["test_accuracy"]) for row in rows])

    def missed(held: Callable[[Row], float], among: Sequence[Row] = rows, lag: float = 0.0) -> FloatArray:
        return np.array([_expected(law, row, held(row), lag) - float(np.mean(row["test_accuracy"])) for row in among])

    def by_signal(signal: float, spread: float = SPREAD) -> Callable[[Row], float]:
        return lambda row: held_part(row["modulus"], row["width"], signal, spread=spread)

    def rms(left: FloatArray) -> float:
        return math.sqrt(float(left @ left) / float(weights @ weights))

    found: Any = least_squares(lambda x: weights * missed(by_signal(float(x[0]))), [START], bounds=BOUNDS)
    signal = rounded(float(found.x[0]))
    left = weights * missed(by_signal(signal))
    variance = float(left @ left) / (len(rows) - 1)
    error = math.sqrt(variance / float((found.jac.T @ found.jac)[0, 0]))

    own: list[float] = []
    for cell in sorted({(row["modulus"], row["width"]) for row in rows}):
        mine = [row for row in rows if (row["modulus"], row["width"]) == cell]

        def excess(signal: float, mine: list[Row] = mine) -> float:
            return float(missed(by_signal(signal), mine).sum())

        # A network that is right on all it has not seen says only that κ is large.
        if excess(BOUNDS[0]) < 0 < excess(BOUNDS[1]):
            own.append(math.log(float(brentq(excess, *BOUNDS)) / signal))
    lagged: Any = least_squares(lambda x: weights * missed(by_signal(float(x[0])), rows, float(x[1])), [signal, 0.0])
    random: Any = least_squares(
        lambda x: weights * missed(by_signal(float(x[0]), RANDOM_SPREAD)), [signal], bounds=BOUNDS
    )
    return UnitsFit(
        units=UnitNoise(
            signal=signal,
            scatter=rounded(math.sqrt(float(np.mean(np.square(own)))), 3),
            lag=rounded(abs(float(lagged.x[1])), 3),
            load=rounded(max(row["modulus"] / row["width"] for row in rows), 4),
            width=min(row["width"] for row in rows),
        ),
        error=error,
        rms=rms(left),
        rms_without=rms(weights * missed(lambda _: 1.0)),
        rms_random=rms(random.fun),
        rms_lagged=rms(lagged.fun),
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


def with_units(laws: Sequence[Thresholds], fits: Mapping[str, UnitsFit]) -> list[Thresholds]:
    """The laws of pair-MLPs that ship: all tasks share the κ of addition.

    Args:
        laws: Of wide networks.
        fits: Of :func:`fits_of`.
    """
    return [replace(law, units=fits[law.activation].units) for law in laws]


def page_with_narrow(page: str, fits: Mapping[str, UnitsFit]) -> str:
    """The page with its table of narrow pair-MLPs replaced.

    Args:
        page: Its text.
        fits: Of :func:`fits_of`.
    """
    lines = [
        "| σ | κ | κ of random phases | scatter of ln κ | lag | accuracies are missed by | without noise of units "
        "| with the spread of random phases | with the lag as a constant | runs |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{activation}` | {one.units.signal:.3f} ± {one.error:.3f} "
        f"| {f'{RANDOM_PHASES:.3f}' if activation == 'square' else '–'} | {one.units.scatter:.3f} "
        f"| {one.units.lag:.2f} | {one.rms:.3f} "
        f"| {one.rms_without:.3f} | {one.rms_random:.3f} | {one.rms_lagged:.3f} | {one.n_runs} |"
        for activation, one in fits.items()
    ]
    return with_block(page, (BEGIN, END), "\n".join(lines))


def _of_addition(laws: Sequence[Thresholds], activation: str) -> Thresholds:
    (law,) = [one for one in laws if "add" in one.tasks and one.activation == activation and one.model == "mlp"]
    return law


def _expected(law: Thresholds, row: Row, held: float, lag: float) -> float:
    """Test accuracy of a row's runs by the law of wide networks, if these hold a part of the rule.

    They need more, by a lag in ln D per part that they do not hold.
    """
    problem = Problem(task="add", modulus=row["modulus"], activation=row["activation"], width=row["width"])
    n_train = row["n_train"] * math.exp(-lag * (1 - held))
    return held * float(replace(law, units=None).clocks(problem).accuracy(n_train, problem.horizon))
