"""``dcrit predict double-descent``: whether test accuracy dips as a model grows, where and how deep."""

from __future__ import annotations

from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_outside
from dcrit.cli.terminal.calibrations import AskedOptions, WidthOptions
from dcrit.cli.terminal.following import command_of, horizon_words, list_of, problem_words
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, remark, row_of, say, table, then
from dcrit.cli.terminal.pictures import Out, check_out, save, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import label

#: Widths of the plane that is named as the next command.
TRAINED = 6


@options.grouped
def double_descent(
    *,
    n_train: options.NTrain,
    problem: options.AnyWidth,
    widths: WidthOptions,
    sharp_capacity: Annotated[
        bool, typer.Option("--sharp-capacity", help="Let memorizing stop at capacity, as the starting theory has it.")
    ] = False,
    asked: AskedOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """A dip of test accuracy over model size at a fixed training set, or none: where, how deep, how sure.

    The first line says that there is a dip from probability 0.9 on, that one is more likely than not from 0.5 on, and
    below that that it is more likely not there. The width of the problem that --json prints plays no part.
    """
    import numpy as np

    from dcrit.api.predictions import double_descent as predict
    from dcrit.theory.predictions.double_descent import SMALLEST_DIP

    with session():
        check_out(out)
        answer = predict(
            problem,
            n_train,
            **widths,
            sharp_capacity=sharp_capacity,
            **asked,
        )
        if out is not None:
            from dcrit.figures.predicted.double_descent import new_double_descent

            save(new_double_descent(answer.found, title=answer.title), out)
    found = answer.found
    if as_json:
        print_json(answer.to_dict() | {"out": None if out is None else str(out)})
        return
    say(answer.headline)
    title = f"{label(problem, width=False)}, {n_train} examples, after {found.horizon} steps"
    rows = [row_of(name_of(name), value) for name, value in answer.estimates.items()]
    table(title, ["of the dip", "value", f"{asked['level']:.0%} interval", "note"], rows)
    say(
        f"A dip is a fall by {SMALLEST_DIP:g} at least. Its place moves with the training-set size as "
        f"N ∝ D^{found.params_exponent:.2f}, width ∝ D^{found.width_exponent:.2f}."
    )
    remark(f"calibration: {found.calibration}")
    say_outside(answer.to_dict()["outside"])
    say_where(out)
    some = np.unique(np.linspace(0, len(found.widths) - 1, TRAINED).round().astype(int))
    words = [*problem_words(problem, without=["width"]), "-w", list_of(found.widths[some].tolist())]
    then(command_of("train", words, "-n", str(n_train), horizon_words(asked["horizon"])), "train such widths and see")
