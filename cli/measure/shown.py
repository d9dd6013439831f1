"""A measurement as a table for people or as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import number, print_json, say, span, table

if TYPE_CHECKING:
    from dcrit.empirics.runs.outcomes import Outcome
    from dcrit.theory.estimates import Estimate
    from dcrit.theory.problems.problem import Problem


def show(
    problem: Problem,
    measurement: Estimate,
    *,
    as_document: bool,
    others: Mapping[str, Estimate] | None = None,
    **more: object,
) -> None:
    """Print a measurement, others that belong to it by the names of their keys, and single values."""
    others = others or {}
    if as_document:
        nested = {name: other.to_dict() for name, other in others.items()}
        print_json({"problem": problem.to_dict(), **measurement.to_dict(), **nested, **more})
        return
    table(
        options.title_of(problem),
        ["quantity", "value", "90% interval", "unit", "runs", "not converged", "note"],
        [
            (
                one.quantity,
                one.value,
                span(*(None, None) if one.interval is None else (one.interval.low, one.interval.high)),
                one.unit,
                one.n_runs,
                one.n_unconverged,
                one.reason,
            )
            for one in (measurement, *others.values())
        ],
    )
    for name, value in more.items():
        say(f"{name}: {', '.join(map(number, value)) if isinstance(value, list) else number(value)}")


def row(outcome: Outcome) -> dict[str, str | int | float | bool]:
    """A run by the names of its columns."""
    return {
        "task": outcome.config.problem.task,
        "n_train": outcome.config.n_train,
        "seed": outcome.config.seed,
        "train_accuracy": outcome.train_accuracy,
        "margin": outcome.margin,
        "squared_norm": outcome.squared_norm,
        "efficiency": outcome.efficiency,
        "converged": outcome.converged,
    }
