"""Planes of model size and training-set size, predicted first and then measured: dips over model size, D_mem, the star.

Transformers are looked at on both sides of their capacity, pair-MLPs around the star.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.ablations.committed import Row, read, text_of
from dcrit.empirics.ablations.transformer_sizes import FAMILY
from dcrit.empirics.experiments.experiment import TRANSFORMER_STEPS
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.size_grid import Grid, Plane, grid_of
from dcrit.empirics.experiments.star import star_of
from dcrit.empirics.measures.capacity import mean_count
from dcrit.empirics.measures.planes import dip_of, means
from dcrit.theory.calibrations.calibration import Calibration, calibration_of
from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.predictions.double_descent import SMALLEST_DIP, predict_double_descent
from dcrit.theory.predictions.phase_diagram import Star, predict_star
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Files of what was predicted, and of what was measured afterwards.
PREDICTED, MEASURED = "model-size-predicted.json", "model-size.json"

#: Chosen when β and c were known from calibration runs at moduli 23, 29, 31 and 41, and before any run of theirs was
#: made. Sizes of transformers are 2.2 to 3 times p^1.5: at the largest no dip is expected.
PLANES = (
    Plane(
        problem=replace(FAMILY, modulus=37),
        widths=(4, 8, 12, 16, 24, 32, 48),
        sizes=(495, 563, 675),
        capacity_widths=(4, 8, 12),
        capacity_seeds=2,
        steps=TRANSFORMER_STEPS,
    ),
    Plane(
        problem=replace(FAMILY, modulus=43),
        widths=(4, 8, 12, 16, 32, 48),
        sizes=(620, 691, 846),
        capacity_widths=(4, 8, 12),
        seeds=4,
        capacity_seeds=2,
        steps=TRANSFORMER_STEPS,
    ),
    *(
        Plane(
            problem=Problem(task="add", modulus=modulus, activation=activation),
            widths=widths,
            sizes=sizes,
            capacity_widths=(8, 16, 24),
            seeds=3,
            capacity_seeds=2,
        )
        for activation, modulus, widths, sizes in (
            ("square", 37, (8, 12, 16, 20, 28, 40, 64), (200, 300, 420, 560, 720, 950)),
            ("relu", 37, (16, 24, 32, 40, 56, 80), (350, 500, 700, 900, 1150)),
            ("square", 43, (8, 12, 16, 20, 28, 40, 64), (250, 400, 560, 750, 1000, 1300)),
        )
    ),
)

#: A dip is measured where mean accuracy falls by ``SMALLEST_DIP`` and curves that only rise look so this rarely.
RARELY = 0.05

#: Within this factor of the measured N a place counts as predicted.
FACTOR = 1.5


def calibration(plane: Plane) -> Calibration:
    """What answers for a plane."""
    return calibration_of(plane.problem)


def horizon(plane: Plane) -> int:
    """T of a plane [steps]."""
    return plane.steps or plane.problem.horizon


def _ends(one: Estimate) -> Row:
    ends = one.interval
    return {
        "value": None if one.value is None else round(one.value, 1),
        "interval": None if ends is None else [round(ends.low, 1), round(ends.high, 1)],
    }


def half_fall(n_params: Sequence[float], accuracy: Sequence[float], lowest: int) -> float:
    """N at which accuracy has fallen by half on its way from its best narrower network to its lowest, in ln N.

    Args:
        n_params: N (K,), rising.
        accuracy: Mean accuracies (K,).
        lowest: Index of the dip.
    """
    best = int(np.argmax(accuracy[: lowest + 1]))
    half = (accuracy[best] + accuracy[lowest]) / 2
    k = next(k for k in range(best, lowest) if accuracy[k] >= half >= accuracy[k + 1])
    share = (accuracy[k] - half) / (accuracy[k] - accuracy[k + 1])
    return math.exp(math.log(n_params[k]) + share * math.log(n_params[k + 1] / n_params[k]))


def predicted(plane: Plane) -> Row:
    """What the shipped calibration says of a plane.

    Args:
        plane: To be measured.
    """
    known, steps = calibration(plane), horizon(plane)
    told = [width for width in plane.widths if not known.silence(plane.at(width), steps)]
    curves: list[Row] = []
    for n_train in plane.sizes:
        found = predict_double_descent(plane.problem, known, n_train=n_train, widths=told, horizon=steps)
        rows = (found.accuracy, found.accuracy_low, found.accuracy_high)
        names = ("accuracy", "accuracy_low", "accuracy_high")
        at = None if found.width.value is None else told.index(round(found.width.value))
        curves.append(
            {
                "n_train": n_train,
                **{name: one.round(4).tolist() for name, one in zip(names, rows, strict=True)},
                "dip": found.dip,
                "probability_of_a_dip": round(found.probability, 3),
                "depth": round(found.depth.value or 0.0, 4),
                "lowest": _ends(found.place),
                "half_fall": None
                if at is None
                else round(half_fall(found.n_params.tolist(), found.accuracy.tolist(), at), 1),
            }
        )
    star = predict_star(plane.problem, known, horizon=steps)
    return {
        "problem": plane.problem.to_dict() | {"width": None},
        "horizon": steps,
        "widths": list(plane.widths),
        "told": told,
        "curves": curves,
        "capacities": [_predicted_capacity(known, plane.at(width)) for width in plane.capacity_widths],
        "star": _star_row(star),
        "calibration": known.name,
    }


def _star_row(star: Star) -> Row:
    return {"n_params": _ends(star.n_params), "n_train": _ends(star.n_train)}


def _predicted_capacity(known: Calibration, problem: Problem) -> Row:
    low, best, high = (round(float(known.memorized(problem, deviation=z)), 1) for z in (-1.645, 0.0, 1.645))
    return {"width": problem.width, "n_params": problem.n_params, "value": best, "interval": [low, high]}


def predict_planes(results: Path) -> dict[Path, str]:
    """Predictions of the planes that have none yet; what was predicted stays as it is.

    Args:
        results: Folder of committed results.
    """
    path = results / PREDICTED
    rows: list[Row] = read(path) if path.exists() else []
    there = [row["problem"] for row in rows]
    rows += [predicted(plane) for plane in PLANES if plane.problem.to_dict() | {"width": None} not in there]
    return {path: text_of(rows)}
