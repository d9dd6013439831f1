"""Test accuracy of small transformers over their size at fixed training sets, predicted first and then measured.

And what their shipped calibration says beside its cells, measured again.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dcrit.empirics.ablations.committed import read, text_of
from dcrit.empirics.experiments.experiment import TRANSFORMER_STEPS
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.calibrate import CalibrationDesign, omission_of
from dcrit.empirics.measures.critical_size import critical_size_of
from dcrit.empirics.measures.efficiency import EfficiencyDesign, NoLaws, fit_competition
from dcrit.empirics.measures.planes import dip_of, means
from dcrit.empirics.measures.symmetry import SymmetryDesign, fit_symmetry
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import Calibration, shipped_calibrations
from dcrit.theory.calibrations.omission import Cause, Omission
from dcrit.theory.checks import FieldError
from dcrit.theory.predictions.double_descent import predict_double_descent
from dcrit.theory.problems.problem import Problem

#: Among the committed results.
PREDICTED, MEASURED = "transformer-sizes-predicted.json", "transformer-sizes.json"

#: Chosen before any was run. Widths 4, 8 and 12 lie outside the calibration, as do all training sets of modulus 31.
WIDTHS = (4, 8, 12, 16, 24, 32, 48)
N_TRAINS = (200, 280, 360, 440, 520, 600)
SEEDS = 5
FAMILY = Problem(model="transformer", activation="relu", modulus=31, learning_rate=3e-3)


def problem(width: int) -> Problem:
    """Addition by a transformer of that width."""
    return replace(FAMILY, width=width)


def predicted_sizes() -> dict[str, Any]:
    """Accuracy over widths at every size, by the mixture and with a memory that stops at capacity."""
    (calibration,) = [one for one in shipped_calibrations() if one.covers(problem(24))]
    rows: list[dict[str, Any]] = []
    for n_train in N_TRAINS:
        for sharp in (False, True):
            found = predict_double_descent(
                problem(24), calibration, n_train=n_train, widths=list(WIDTHS), sharp_capacity=sharp
            )
            rows.append(
                {
                    "n_train": n_train,
                    "sharp_capacity": sharp,
                    "accuracy": found.accuracy.round(4).tolist(),
                    "accuracy_low": found.accuracy_low.round(4).tolist(),
                    "accuracy_high": found.accuracy_high.round(4).tolist(),
                    "probability_of_a_dip": round(found.probability, 3),
                }
            )
    family = {name: getattr(FAMILY, name) for name in ("model", "activation", "modulus", "learning_rate")}
    return {"problem": family, "widths": WIDTHS, "level": 0.9, "calibration": calibration.name, "predicted": rows}


def measured_sizes(laboratory: Laboratory) -> list[dict[str, Any]]:
    """Settled accuracies of every seed over widths at every size, and the dip of their means."""
    points = [(n_train, width) for n_train in N_TRAINS for width in WIDTHS]
    configs = [
        RunConfig(problem=problem(width), n_train=n_train, seed=seed, steps=TRANSFORMER_STEPS)
        for n_train, width in points
        for seed in range(SEEDS)
    ]
    (outcomes,) = laboratory.outcomes([configs], stage="transformers")
    shape = (len(N_TRAINS), len(WIDTHS), SEEDS)
    test, train = (
        np.array([getattr(one, name) for one in outcomes]).reshape(shape)
        for name in ("test_accuracy", "train_accuracy")
    )
    unconverged = (~np.array([one.converged for one in outcomes])).reshape(shape).sum((1, 2))
    rows: list[dict[str, Any]] = []
    for k, n_train in enumerate(N_TRAINS):
        dip = dip_of(test[k])
        assert dip is not None
        rows.append(
            {
                "n_train": n_train,
                "test_accuracy": test[k].round(4).tolist(),
                "train_accuracy": train[k].round(4).tolist(),
                "n_unconverged": int(unconverged[k]),
                "dip_depth": round(dip.depth, 4),
                "dip_width": WIDTHS[dip.index],
                "p_rising": round(dip.p_rising, 4),
            }
        )
    return rows


def predict_sizes(results: Path) -> dict[Path, str]:
    """What is predicted, by its file.

    Args:
        results: Folder of the committed results.

    Raises:
        ValueError: It was measured since: what was predicted before stays as it is.
    """
    if (results / MEASURED).exists():
        raise FieldError(
            "store", f"be given where {results / MEASURED} is there", "none", why="what was predicted stays as it is"
        )
    return {results / PREDICTED: text_of(predicted_sizes())}


def measure_sizes(results: Path, laboratory: Laboratory) -> tuple[dict[Path, str], str]:
    """What is measured, by its file, and tables of it beside what was predicted, as Markdown.

    Args:
        results: Folder of the committed results.
        laboratory: Finds or trains the runs.
    """
    found, told = measured_sizes(laboratory), read(results / PREDICTED)["predicted"]
    return {results / MEASURED: text_of(found)}, f"{beside(told, found)}\n\n{summary(told, found)}"


def beside(predicted: list[dict[str, Any]], measured: list[dict[str, Any]]) -> str:
    """Mean measured accuracies beside those predicted by the mixture, as Markdown."""
    lines = ["| D | " + " | ".join(f"d = {width}" for width in WIDTHS) + " | dip | p |"]
    lines.append("|---" * (len(WIDTHS) + 3) + "|")
    central = {row["n_train"]: row["accuracy"] for row in predicted if not row["sharp_capacity"]}
    for row in measured:
        mean = means(np.array(row["test_accuracy"]))
        cells = [f"{m:.2f} ({p:.2f})" for m, p in zip(mean, central[row["n_train"]], strict=True)]
        dip = f"{row['dip_depth']:.2f} at d = {row['dip_width']}" if row["dip_depth"] > 0 else "none"
        lines.append(f"| {row['n_train']} | " + " | ".join(cells) + f" | {dip} | {row['p_rising']:.3f} |")
    return "\n".join(lines)


def critical_size(measured: list[dict[str, Any]], width: int) -> str:
    """Measured D_crit with its interval at the width of that index; the reason where there is none."""
    runs = [(row["n_train"], one) for row in measured for one in row["test_accuracy"][width]]
    n_train, accuracy = np.array(runs, dtype=np.float64).T
    found = critical_size_of(n_train, accuracy, largest=problem(WIDTHS[width]).n_pairs, horizon=TRANSFORMER_STEPS)
    if found.value is None or found.interval is None:
        return found.reason
    return f"{found.value:.0f} ({found.interval.low:.0f} – {found.interval.high:.0f})"


def summary(predicted: list[dict[str, Any]], measured: list[dict[str, Any]]) -> str:
    """How far predictions are off at calibrated widths, D_crit at each width, and how many runs did not settle."""
    rows = [row for row in predicted if not row["sharp_capacity"]]
    told, low, high = (np.array([row[name] for row in rows]) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    found = np.array([means(np.array(row["test_accuracy"])) for row in measured])  # (D, d)
    calibrated = np.array(WIDTHS) >= 16
    error, n = (found - told)[:, calibrated], int(found[:, calibrated].size)
    inside = [int(((found >= low - e) & (found <= high + e))[:, calibrated].sum()) for e in (0.0, 0.02)]
    log_sizes = np.log(np.array(N_TRAINS, dtype=float))
    predicted_sizes = [round(math.exp(np.interp(0.5, curve, log_sizes))) for curve in told.T]  # the curves rise
    return (
        f"widths from 16 on: rms {np.sqrt((error**2).mean()):.3f}, "
        f"{inside[0]} of {n} inside, {inside[1]} to within 0.02\n"
        f"D_crit predicted {predicted_sizes}, measured {[critical_size(measured, k) for k in range(len(WIDTHS))]}\n"
        f"{sum(row['n_unconverged'] for row in measured)} of {len(measured) * len(WIDTHS) * SEEDS} runs did not settle"
    )


#: The runs behind the calibration of transformers that ships.
CALIBRATION = CalibrationDesign(
    problem=Problem(task="add", model="transformer", activation="relu", learning_rate=3e-3),
    moduli=(13, 17, 19, 23),
    widths=(16, 20, 24, 32, 40, 48),
    seeds=2,
)


def remeasured(shipped: Calibration, laboratory: Laboratory) -> Calibration:
    """A calibration with the law of D_sym, and why it has no cell where it has none, measured again.

    The constants of its cells stay as they are.

    Args:
        shipped: Made by :data:`CALIBRATION`.
        laboratory: Finds or trains the runs.

    Raises:
        ValueError: The calibration is of another family, or D_sym cannot be measured.
    """
    family = CALIBRATION.problem
    if (shipped.model, shipped.weight_decay, shipped.learning_rate) != (
        family.model,
        family.weight_decay,
        family.learning_rate,
    ):
        raise FieldError("calibration", "be that of transformers", "one of another family")
    there = {(cell.n_symbols, cell.width) for cell in shipped.cells}
    lacking = [problem for problem in CALIBRATION.problems() if (problem.n_symbols, problem.width) not in there]
    plans = [EfficiencyDesign(problem=problem, seeds=CALIBRATION.seeds) for problem in lacking]
    blocks = [block for plan in plans for block in (plan.memorizing(), plan.generalizing())]
    symmetric = [config for one in CALIBRATION.symmetry_problems() for config in SymmetryDesign(problem=one).configs()]
    *found, pairs = laboratory.outcomes([*blocks, symmetric], stage="beside the cells")
    law = fit_symmetry(pairs)
    if isinstance(law, str):
        raise FieldError("D_sym", "be measured", "none", why=law)
    omitted: list[Omission] = []
    for problem, memorizing, generalizing in zip(lacking, found[::2], found[1::2], strict=True):
        fit = fit_competition(problem, memorizing, generalizing, resamples=0)
        # A cell that could be measured by now is not added: the others would no longer be what was judged.
        later = NoLaws(cause=Cause.LEFT_OUT, reason="measured after the cells were")
        omitted.append(omission_of(problem, fit if isinstance(fit, NoLaws) else later))
    return replace(shipped, omitted=tuple(omitted), symmetry=law)
