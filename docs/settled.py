"""Settled outcomes of efficiency runs as one table: what the ablations are fitted to.

``python docs/settled.py STORE …`` writes ``docs/results/efficiency-runs.parquet`` from stores of ``dcrit calibrate``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from dcrit.empirics.outcomes import Outcome, outcome_of
from dcrit.empirics.runs import Run, RunConfig
from dcrit.empirics.store import Store
from dcrit.theory.problem import Problem

TABLE = Path(__file__).resolve().parent / "results" / "efficiency-runs.parquet"

PROBLEM = ("task", "modulus", "activation", "width", "weight_decay")
SETTLED = ("train_accuracy", "test_accuracy", "margin", "squared_norm", "efficiency", "log_efficiency_drift")


def row(run: Run) -> dict[str, object]:
    """One run: its problem, its settled values, and its other norms over the last tenth."""
    outcome = outcome_of(run)
    last = run.curves.step >= 0.9 * run.curves.step[-1]
    found: dict[str, object] = {name: getattr(run.config.problem, name) for name in PROBLEM}
    found |= {"n_train": run.config.n_train, "seed": run.config.seed}
    found |= {name: getattr(outcome, name) for name in SETTLED}
    found |= dict(zip(("deficit_low", "deficit_median", "deficit_high"), outcome.deficits, strict=True))
    for name in ("neuron_norm", "max_norm"):
        found[name] = float(pl.Series(getattr(run.curves, name)[last]).median())  # type: ignore[arg-type]
    return found | {"converged": outcome.converged}


def outcomes(table: pl.DataFrame, norm: str = "squared_norm") -> Iterator[Outcome]:
    """The table's rows as outcomes, their efficiency per one of three norms.

    Args:
        table: From :data:`TABLE`.
        norm: ``squared_norm``, ``neuron_norm`` or ``max_norm``.
    """
    for entry in table.iter_rows(named=True):
        problem = Problem(**{name: entry[name] for name in PROBLEM})
        outcome = Outcome(
            config=RunConfig(problem=problem, n_train=entry["n_train"], seed=entry["seed"]),
            deficits=(entry["deficit_low"], entry["deficit_median"], entry["deficit_high"]),
            converged=entry["converged"],
            **{name: entry[name] for name in SETTLED},
        )
        if norm != "squared_norm":
            outcome = replace(outcome, efficiency=entry["margin"] / entry[norm] ** problem.homogeneity)
        yield outcome


def main(stores: list[Path]) -> None:
    """Write the table."""
    rows = [row(run) for store in stores for run in Store(store).runs()]
    table = pl.DataFrame(rows).sort(*PROBLEM, "n_train", "seed").with_columns(pl.col(pl.Float64).cast(pl.Float32))
    table.write_parquet(TABLE, compression="zstd")
    print(f"{len(table)} runs")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
