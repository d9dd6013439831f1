"""Settled outcomes of the runs behind calibrations as one table: what the ablations are fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

import polars as pl

from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import Curves, Run, RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.theory.problems.problem import Problem

#: The table among the committed results.
TABLE = "efficiency-runs.parquet"

PROBLEM = ("task", "modulus", "activation", "width", "weight_decay")
SETTLED = ("train_accuracy", "test_accuracy", "margin", "squared_norm", "efficiency", "log_efficiency_drift")


#: Settled values that are read at half the horizon, too.
HALFWAY = ("train_accuracy", "margin", "efficiency", "log_efficiency_drift", "converged")

#: t of the price ‖θ‖₂^(1−t)·‖θ‖_{2,κ}^t, or the largest weight.
Norm = float | Literal["ℓ∞"]

#: The package's.
MIDDLE = 0.5

COLUMNS = ("neuron_norm", "max_norm")


def first_half(run: Run) -> Run:
    """The same run as if it had ended halfway."""
    early = run.curves.step <= run.curves.step[-1] / 2
    return replace(run, curves=Curves(**{f.name: getattr(run.curves, f.name)[early] for f in fields(Curves)}))


def row(run: Run) -> dict[str, object]:
    """One run: its problem, its settled values at the end and halfway, and its other norms over the last tenth."""
    outcome, halfway = outcome_of(run), outcome_of(first_half(run))
    last = run.curves.step >= 0.9 * run.curves.step[-1]
    found: dict[str, object] = {name: getattr(run.config.problem, name) for name in PROBLEM}
    found |= {"n_train": run.config.n_train, "seed": run.config.seed}
    found |= {name: getattr(outcome, name) for name in SETTLED}
    for prefix, settled in (("", outcome), ("halfway_", halfway)):
        for level, deficit in zip(("low", "median", "high"), settled.deficits, strict=True):
            found[f"{prefix}deficit_{level}"] = deficit
    found |= {f"halfway_{name}": getattr(halfway, name) for name in HALFWAY}
    for name in COLUMNS:
        found[name] = float(pl.Series(getattr(run.curves, name)[last]).median())  # type: ignore[arg-type]
    return found | {"converged": outcome.converged}


def outcomes(table: pl.DataFrame, norm: Norm = MIDDLE, *, halfway: bool = False) -> Iterator[Outcome]:
    """The table's rows as outcomes, their efficiency in a norm of choice.

    Args:
        table: From :data:`TABLE`.
        norm: What a margin is paid in.
        halfway: Values at half the horizon instead of at its end, in the package's norm, of the runs that have any.
    """
    for entry in (table.drop_nulls("halfway_margin") if halfway else table).iter_rows(named=True):
        problem = Problem(**{name: entry[name] for name in PROBLEM})
        prefix = "halfway_" if halfway else ""
        settled = {name: entry[name] for name in (*SETTLED, "converged")}
        if halfway:
            settled |= {name: entry[prefix + name] for name in HALFWAY}
        outcome = Outcome(
            config=RunConfig(problem=problem, n_train=entry["n_train"], seed=entry["seed"]),
            deficits=tuple(entry[f"{prefix}deficit_{level}"] for level in ("low", "median", "high")),  # type: ignore[arg-type]
            **settled,
        )
        if norm != MIDDLE:
            euclidean = entry["squared_norm"] ** 0.5
            by_units = entry["neuron_norm"] if problem.homogeneity == 3 else euclidean
            length = entry["max_norm"] if norm == "ℓ∞" else euclidean ** (1 - norm) * by_units**norm
            outcome = replace(outcome, efficiency=entry["margin"] / length**problem.homogeneity)
        yield outcome


def settled_table(stores: Sequence[Path]) -> pl.DataFrame:
    """The table of all runs in some stores of ``dcrit calibrate``."""
    rows = [row(run) for store in stores for run in Store(store).runs()]
    return pl.DataFrame(rows).sort(*PROBLEM, "n_train", "seed").with_columns(pl.col(pl.Float64).cast(pl.Float32))
