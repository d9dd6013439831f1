"""``dcrit measure homogeneity``: the degree of a model's logits in its parameters, from trained networks."""

from __future__ import annotations

from typing import Annotated

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import number, print_json, say, span_of, table
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import Problem, label


@options.grouped
def homogeneity(
    *,
    problem: Annotated[
        Problem,
        options.Group(make=options.problem_from, defaults={"model": options.ModelChoice.transformer, "width": 24}),
    ],
    seeds: options.Seeds = 2,
    as_json: options.Json = False,
) -> None:
    """The power κ of the parameters' scale by which logits grow, on random labels and on the task.

    Exactly 2 or 3 for pair-MLPs; for transformers the constants of ``Problem.homogeneity`` come from here. Runs are
    trained to their horizon and not stored: what is measured is parameters, not curves.
    """
    from dcrit.api.instruments import homogeneity as measure

    with session():
        found = measure(problem, seeds=seeds)
    if as_json:
        print_json(found.to_dict())
        return
    measured = found.estimates["homogeneity"]
    table(
        label(problem),
        ["labels", "D", "seed", "train accuracy", "test accuracy", "κ", "d ln γ/d ln ‖θ‖"],
        [tuple(row.values()) for row in found.rows or ()],
    )
    say(f"κ = {number(measured.value)}, 90 % of networks within {span_of(measured)} {measured.reason}")
