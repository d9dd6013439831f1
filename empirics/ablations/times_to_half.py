"""Times to test accuracy one half by the clock, as delays and simulated curves have them, beside committed runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dcrit.empirics.ablations import transformer_clock as transformers
from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.two_thresholds_fit import problem_of, runs_of
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.predictions.delay import time_to_generalize
from dcrit.theory.problems.problem import Problem

#: File of the errors.
TIMES_TO_HALF = "times-to-half.json"

#: Times are scored between these multiples of the law's D_crit(T), rounded to hundredths.
SCORED_TIMES = (1.15, 3.0)

#: Columns of times of a model's runs. A transformer's law speaks of the last one.
BEYOND = "time_beyond_mirrors"
TIMES = {"mlp": ("time_50",), "transformer": ("time_50", BEYOND)}


def cells(rows: Sequence[Row], time: str) -> Iterator[tuple[Row, float]]:
    """Runs that differ in their seeds alone: one of them, and the median of their times, inf for beyond the horizon.

    Args:
        rows: Runs from scratch.
        time: Column of times.
    """
    names = ("part", "task", "modulus", "activation", "width", "weight_decay", "learning_rate", "steps", "n_train")
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    for mine in found.values():
        yield mine[0], float(np.median([math.inf if row[time] is None else row[time] for row in mine]))


def time_errors(results: Path, laws: Sequence[Thresholds]) -> list[Row]:
    """How far times to one half are off, by model, part of the runs and column of times.

    Args:
        results: Folder of committed results.
        laws: Of both models.

    Returns:
        Rows of cells, those whose median the horizon cut off, and the mean and median of |predicted/measured − 1| of
        the others; and the mean of those that were predicted no earlier than the clock tells times apart.
    """
    shipped = shipped_calibrations()
    runs = {"mlp": runs_of(results), "transformer": transformers.runs_of(results)}
    problems = {"mlp": problem_of, "transformer": transformers.problem_of}
    out: list[Row] = []
    for model, rows in runs.items():
        used = [row for row in rows if row["start"] == "scratch" and row["part"] != "rest"]
        for time in TIMES[model]:
            errors: dict[str, list[tuple[float, bool]]] = {"calibration": [], "drawn": []}
            censored = dict.fromkeys(errors, 0)
            for row, median in cells(used, time):
                part, problem = "calibration" if row["part"] == "calibration" else "drawn", problems[model](row)
                calibration = calibration_for(problem, shipped)
                assert calibration is not None
                # With its capacity and memory of unordered pairs, which are the calibration's.
                own = replace(calibration, thresholds=_law_of(problem, laws))
                law = own.thresholds
                assert law is not None
                multiple = row["n_train"] / law.clocks(problem).half.critical_size(row["steps"])
                if not SCORED_TIMES[0] <= round(multiple, 2) <= SCORED_TIMES[1]:
                    continue
                if math.isinf(median):
                    censored[part] += 1
                    continue
                # The clock itself speaks of what mirror images leave.
                asked = replace(calibration, thresholds=replace(law, overload=None)) if time == BEYOND else own
                predicted = time_to_generalize(problem, asked, row["n_train"], 0.5)
                assert predicted is not None
                errors[part].append((abs(predicted / median - 1), predicted >= law.earliest(problem)))
            for part, found in errors.items():
                sizes, told = np.array([size for size, _ in found]), [size for size, is_told in found if is_told]
                out.append(
                    {
                        **{"model": model, "part": part, "time": time, "cells": len(found), "censored": censored[part]},
                        "mean_error": round(float(sizes.mean()), 3) if found else None,
                        "median_error": round(float(np.median(sizes)), 3) if found else None,
                        "told": len(told),
                        "mean_error_told": round(float(np.mean(told)), 3) if told else None,
                    }
                )
    return out


def _law_of(problem: Problem, laws: Sequence[Thresholds]) -> Thresholds:
    (law,) = [law for law in laws if law.covers(problem)]
    return law
