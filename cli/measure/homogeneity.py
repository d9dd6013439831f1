"""``dcrit measure homogeneity``: the degree of a model's logits in its parameters, from trained networks."""

from __future__ import annotations

import sys
from typing import Annotated

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import number, print_json, say, span, table
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
    from dcrit.empirics.instruments.homogeneity import HomogeneityDesign, measure_degrees, measure_homogeneity

    with options.bad_input():
        options.check_trainable(problem)
        design = HomogeneityDesign(problem=problem, seeds=seeds)
        n_runs = len(design.configs())
    found = measure_degrees(design, progress=lambda done: print(f"{done}/{n_runs} runs", file=sys.stderr))
    measurement = measure_homogeneity(found)
    rows = [
        {
            "task": one.config.problem.task,
            "n_train": one.config.n_train,
            "seed": one.config.seed,
            "train_accuracy": one.train_accuracy,
            "test_accuracy": one.test_accuracy,
            "homogeneity": one.homogeneity,
            "margin_slope": one.margin_slope,
        }
        for one in found
    ]
    if as_json:
        print_json({"problem": problem.to_dict(), measurement.quantity: measurement.to_dict(), "runs": rows})
        return
    table(
        label(problem),
        ["labels", "D", "seed", "train accuracy", "test accuracy", "κ", "d ln γ/d ln ‖θ‖"],
        [tuple(row.values()) for row in rows],
    )
    interval = measurement.interval
    ends = span(None, None) if interval is None else span(interval.low, interval.high)
    say(f"κ = {number(measurement.value)}, 90 % of networks within {ends} {measurement.reason}")
