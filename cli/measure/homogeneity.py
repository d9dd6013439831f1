"""``dcrit measure homogeneity``: the degree of a model's logits in its parameters, from trained networks."""

from __future__ import annotations

from typing import Annotated

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import command_of, problem_words
from dcrit.cli.terminal.output import number, print_json, say, span_of, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import Problem, full_label


@options.grouped
def homogeneity(
    *,
    problem: Annotated[
        Problem,
        options.Group(make=options.problem_from, defaults={"model": options.ModelChoice.transformer, "width": 24}),
    ],
    seeds: options.Seeds = 2,
    seed: options.Seed = 0,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The power κ of the parameters' scale by which logits grow, on random labels and on the task.

    Exactly 2 or 3 for pair-MLPs; for transformers the constants of ``Problem.homogeneity`` come from here. Runs are
    trained to their horizon and not stored: what is measured is parameters, not curves.
    """
    from dcrit.api.instruments import homogeneity as measure

    with session():
        check_out(out)
        found = measure(problem, seeds=seeds, seed=seed)
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    measured = found.estimates["homogeneity"]
    table(
        full_label(problem),
        ["labels", "D", "seed", "train", "test", "κ", "d ln γ/d ln ‖θ‖"],
        [tuple(row.values()) for row in found.rows or ()],
    )
    reason = f"; {measured.reason}" if measured.reason else ""
    say(f"κ = {number(measured.value)}, 90 % of networks within {span_of(measured)}{reason}.")
    say_where(out)
    then(command_of("measure", "efficiency", problem_words(problem)), "measure margin per norm to that power")
