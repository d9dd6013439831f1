"""Predict test accuracy of small transformers over their size at fixed training sets, then measure it.

``python docs/transformer_sizes.py`` writes ``docs/results/transformer-sizes-predicted.json`` without training.
``python docs/transformer_sizes.py STORE`` trains what the store lacks, some ten minutes on two cores, sets measured
accuracies beside that file as it is, and prints the table and the numbers of docs/notes.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from dcrit.empirics.experiments.experiment import TRANSFORMER_STEPS
from dcrit.empirics.experiments.laboratory import open_runs
from dcrit.empirics.measures.planes import dip_of, means, transition
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.predictions.double_descent import predict_double_descent
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
PREDICTED, MEASURED = RESULTS / "transformer-sizes-predicted.json", RESULTS / "transformer-sizes.json"

#: Chosen before any was run. Widths 4, 8 and 12 lie outside the calibration, as do all training sets of modulus 31.
WIDTHS = (4, 8, 12, 16, 24, 32, 48)
N_TRAINS = (200, 280, 360, 440, 520, 600)
SEEDS = 5
FAMILY = {"model": "transformer", "activation": "relu", "modulus": 31, "learning_rate": 3e-3}


def problem(width: int) -> Problem:
    """Addition by a transformer of that width."""
    return Problem(width=width, **FAMILY)


def predict() -> dict[str, Any]:
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
    return {"problem": FAMILY, "widths": WIDTHS, "level": 0.9, "calibration": calibration.name, "predicted": rows}


def measure(store: Path) -> list[dict[str, Any]]:
    """Settled accuracies of every seed over widths at every size, and the dip of their means."""
    points = [(n_train, width) for n_train in N_TRAINS for width in WIDTHS]
    configs = [
        RunConfig(problem=problem(width), n_train=n_train, seed=seed, steps=TRANSFORMER_STEPS)
        for n_train, width in points
        for seed in range(SEEDS)
    ]
    with open_runs(store) as bench:
        outcomes = [outcome_of(one) for one in bench.runs(configs, stage="transformers")]
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


def table(predicted: list[dict[str, Any]], measured: list[dict[str, Any]]) -> str:
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


def summary(predicted: list[dict[str, Any]], measured: list[dict[str, Any]]) -> str:
    """How far predictions are off at calibrated widths, D_crit at each width, and how many runs did not settle."""
    rows = [row for row in predicted if not row["sharp_capacity"]]
    told, low, high = (np.array([row[name] for row in rows]) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    found = np.array([means(np.array(row["test_accuracy"])) for row in measured])  # (D, d)
    calibrated = np.array(WIDTHS) >= 16
    error, n = (found - told)[:, calibrated], int(found[:, calibrated].size)
    inside = [int(((found >= low - e) & (found <= high + e))[:, calibrated].sum()) for e in (0.0, 0.02)]
    sizes = [
        np.exp(transition(np.log(np.array(N_TRAINS, dtype=float)), each)).round().tolist() for each in (told, found)
    ]
    return (
        f"widths from 16 on: rms {np.sqrt((error**2).mean()):.3f}, "
        f"{inside[0]} of {n} inside, {inside[1]} to within 0.02\n"
        f"D_crit predicted {sizes[0]}, measured {sizes[1]}\n"
        f"{sum(row['n_unconverged'] for row in measured)} of {len(measured) * len(WIDTHS) * SEEDS} runs did not settle"
    )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        if MEASURED.exists():
            raise SystemExit(f"{MEASURED} is there: what was predicted before stays as it is")
        PREDICTED.write_text(json.dumps(predict(), indent=1) + "\n", encoding="utf-8")
    else:
        found = measure(Path(sys.argv[1]))
        MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        told = json.loads(PREDICTED.read_text(encoding="utf-8"))["predicted"]
        print(table(told, found), summary(told, found), sep="\n\n")
