"""What was measured, as the page shows it beside the theory: shipped sizes, published ones, and runs of a store."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dcrit.theory.literature.published import published_numbers
from dcrit.theory.problems.problem import Problem

if TYPE_CHECKING:
    from dcrit.empirics.runs.single import Run

#: Committed files of measured sizes, and whether these are sizes at rest.
SHIPPED = {
    "held-out.json": False,
    "held-out-transformers.json": False,
    "optimizer-sizes.json": False,
    "two-thresholds/known-before.json": False,
    "two-thresholds/measured.json": False,
    "two-thresholds/transformers-measured.json": False,
    "two-thresholds/at-rest.json": True,
}

#: Most runs of a store in one page, and most evaluations of a curve.
MOST_RUNS, MOST_EVALUATIONS = 3000, 60


def shipped_sizes() -> tuple[list[dict[str, Any]], int]:
    """Measured sizes that come with the package, and how many configurations were asked and have none."""
    folder = files("dcrit.api.explorer") / "results"
    found: list[dict[str, Any]] = []
    n_without = 0
    for name, at_rest in SHIPPED.items():
        for row in json.loads(folder.joinpath(name).read_text(encoding="utf-8")):
            if row["measured"] is None:
                n_without += 1
                continue
            problem = Problem.from_dict(_fields(row))
            found.append(
                _point(
                    problem,
                    row.get("steps") or problem.horizon,
                    row["measured"],
                    row.get("measured_interval") or row.get("interval"),
                    at_rest=at_rest,
                    n_runs=row.get("n_runs"),
                    origin=f"docs/results/{name}",
                )
            )
    return found, n_without


def published_sizes() -> list[dict[str, Any]]:
    """Sizes of other groups; a range at its middle."""
    from dcrit.api.report.bibliography import short

    return [
        _point(
            one.problem,
            one.horizon,
            math.sqrt(one.low * one.high),
            None if one.value is not None else (one.low, one.high),
            at_rest=one.quantity == "ungrokking_size",
            n_runs=None,
            origin=f"published: {short(one.source)}",
        )
        for one in published_numbers()
        if one.problem is not None and one.quantity in ("critical_size", "ungrokking_size")
    ]


def stored_runs(store: Path) -> tuple[list[dict[str, Any]], int]:
    """Runs of a store that began from scratch, each with its thinned curves, and how many more there are.

    Args:
        store: Folder of the runs.

    Raises:
        ValueError: It is no such folder.
    """
    from dcrit.api.stores import list_runs
    from dcrit.empirics.store.kinds import Store

    list_runs(store)
    found: list[dict[str, Any]] = []
    n_more = 0
    for run in _from_scratch(Store(store).runs()):
        if len(found) < MOST_RUNS:
            found.append(_run(run))
        else:
            n_more += 1
    return found, n_more


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a row's problem; others have their defaults."""
    known = {one.name for one in fields(Problem)}
    return {name: value for name, value in (row.get("problem") or row).items() if name in known}


def _point(
    problem: Problem,
    horizon: int | None,
    size: float,
    interval: Mapping[str, float] | Iterable[float] | None,
    *,
    at_rest: bool,
    n_runs: int | None,
    origin: str,
) -> dict[str, Any]:
    ends = list(interval.values() if isinstance(interval, Mapping) else interval or ())
    return {
        "problem": problem.to_dict(),
        "symbols": problem.n_symbols,
        "n_params": problem.n_params,
        "horizon": horizon,
        "size": round(size, 1),
        "interval": [round(end, 1) for end in ends] or None,
        "at_rest": at_rest,
        "n_runs": n_runs,
        "origin": origin,
    }


def _from_scratch(runs: Iterable[Run]) -> Iterator[Run]:
    """Runs of tasks with a rule that the page can show."""
    for run in runs:
        if run.config.start == "scratch" and run.config.problem.definition.rule is not None:
            yield run


def _run(run: Run) -> dict[str, Any]:
    from dcrit.empirics.runs.outcomes import settled_value, shown_by

    config, curves = run.config, run.curves
    kept = np.unique(np.linspace(0, len(curves.step) - 1, MOST_EVALUATIONS).round().astype(int))
    # Runs that stop early have seen all that they were asked for, and no accuracy at the horizon.
    ended = config.until in ("horizon", "generalized")
    return {
        "problem": config.problem.to_dict(),
        "symbols": config.problem.n_symbols,
        "n_params": config.problem.n_params,
        "horizon": config.horizon,
        "n_train": config.n_train,
        "seed": config.seed,
        "dynamics": shown_by(run),
        "accuracy": _rounded([settled_value(run, "test_accuracy")])[0] if ended else None,
        "steps": curves.step[kept].astype(int).tolist(),
        "train": _rounded(curves.train_accuracy[kept]),
        "test": _rounded(curves.test_accuracy[kept]),
    }


def _rounded(values: Iterable[float]) -> list[float | None]:
    return [round(float(value), 4) if math.isfinite(value) else None for value in values]
