"""``dcrit predict emergence``: the model size at which a task is learned beside facts to memorize."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_calibration
from dcrit.cli.terminal.calibrations import AskedOptions
from dcrit.cli.terminal.following import command_of, horizon_words, problem_words
from dcrit.cli.terminal.output import print_json, row_of, say, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label

NFacts = Annotated[
    int,
    typer.Option(
        parser=options.integer_to(10**12),
        metavar="INTEGER",
        help="D_r, random-label examples that are to be memorized as well.",
    ),
]
#: Rows of the table for people.
ROWS = 12


@options.grouped
def emergence(
    *,
    n_facts: NFacts,
    n_train: options.NTrain,
    problem: options.AnyWidth,
    asked: AskedOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The smallest model that learns the task from D examples while it also memorizes D_r facts.

    Facts and task share operands, weights and classes, and are told apart by an embedding of the task. The width of the
    problem that --json prints plays no part.
    """
    import numpy as np

    from dcrit.api.predictions import emergence as predict

    with session():
        check_out(out)
        answer = predict(problem, n_train, n_facts, **asked)
        draw(answer, out)
    if as_json:
        print_json(answer.to_dict() | {"out": None if out is None else str(out)})
        return
    found = answer.found
    say(answer.headline)
    table(
        f"{full_label(problem, width=False)}: the smallest model that generalizes "
        f"from {n_train} examples beside {n_facts} facts within {found.horizon} steps",
        ["threshold", "value", f"{asked['level']:.0%} interval", "note"],
        [row_of("width", found.width), row_of("N, parameters", found.n_params)],
    )
    shown = np.unique(np.linspace(0, len(found.widths) - 1, ROWS).round().astype(int))
    columns = [found.widths, found.critical_size_alone, found.critical_size, found.capacity]
    rows = [tuple(column[k].item() for column in columns) for k in shown]
    title = f"over width, D_crit after {found.horizon} steps"
    table(title, ["width", "D_crit without facts", f"D_crit beside {n_facts} facts", "D_mem"], rows)
    say_calibration(problem, asked["calibration"])
    say_where(out)
    width = found.width.value
    step = problem.family.width_step
    at = replace(problem, width=step * max(1, math.ceil((found.widths[-1] if width is None else width) / step)))
    then(
        command_of("predict", "critical-size", problem_words(at), horizon_words(asked["horizon"])),
        "see what that width needs without facts" if width else "see what the largest width needs without facts",
    )
