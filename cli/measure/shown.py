"""A measurement as a table for people or as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dcrit.cli.terminal.output import number, print_json, say, span_of, table
from dcrit.theory.problems.problem import label

if TYPE_CHECKING:
    from dcrit.empirics.runs.outcomes import Outcome
    from dcrit.theory.estimates import Estimate
    from dcrit.theory.problems.problem import Problem


def show(
    problem: Problem,
    measurement: Estimate,
    *,
    as_document: bool,
    others: Sequence[Estimate] = (),
    **more: object,
) -> None:
    """Print a measurement, others that belong to it, and single values."""
    if as_document:
        answers = {one.quantity: one.to_dict() for one in (measurement, *others)}
        print_json({"problem": problem.to_dict(), **answers, **more})
        return
    table(
        label(problem),
        ["quantity", "value", "90% interval", "unit", "runs", "not converged", "note"],
        [
            (
                one.quantity,
                one.value,
                span_of(one),
                one.unit,
                one.n_runs,
                one.n_unconverged,
                one.reason,
            )
            for one in (measurement, *others)
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
