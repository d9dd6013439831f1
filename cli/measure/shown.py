"""A measurement as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import number, remark, span_of, table
from dcrit.theory.problems.problem import full_label

if TYPE_CHECKING:
    from dcrit.theory.estimates import Estimate
    from dcrit.theory.problems.problem import Problem


def show(problem: Problem, estimates: Mapping[str, Estimate], **more: object) -> None:
    """Print estimates of one problem, and single values; estimates without any value have said why before."""
    if all(one.value is None for one in estimates.values()):
        estimates = {}
    if estimates:
        _table(problem, estimates)
    for name, value in more.items():
        if value is not None:
            said = ", ".join(map(number, value)) if isinstance(value, list) else number(value)
            remark(f"{name_of(name)}: {said}")


def _table(problem: Problem, estimates: Mapping[str, Estimate]) -> None:
    table(
        full_label(problem),
        ["quantity", "value", "90% interval", "unit", "runs", "not converged", "note"],
        [
            (
                name_of(one.quantity),
                one.value,
                span_of(one),
                one.unit,
                one.n_runs,
                one.n_unconverged or None,
                one.reason,
            )
            for one in estimates.values()
        ],
    )
