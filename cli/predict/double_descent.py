"""``dcrit predict double-descent``: whether test accuracy dips as a model grows, where and how deep."""

from __future__ import annotations

from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import AskedOptions, WidthOptions
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, row_of, say, table
from dcrit.cli.terminal.pictures import Out, check_out, save
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import label


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

    The width of the problem that --json prints plays no part.
    """
    from dcrit.api.predictions import double_descent as predict

    with session():
        check_out(out)
        answer = predict(
            problem,
            n_train,
            **widths,
            sharp_capacity=sharp_capacity,
            **asked,
        )
    found = answer.found
    if out is not None:
        from dcrit.figures.drawing import canvas, style
        from dcrit.figures.predicted.double_descent import draw_accuracy, draw_loss

        with style.context():
            figure = canvas.new_figure(style.DOUBLE, 3.0)
            left, right = figure.subplots(1, 2)
            draw_accuracy(left, found)
            draw_loss(right, found)
            canvas.legend(figure, columns=3)
            save(figure, out)
    if as_json:
        print_json(answer.to_dict() | {"out": None if out is None else str(out)})
        return
    title = f"{label(problem, width=False)}, {n_train} examples, after {found.horizon} steps"
    rows = [row_of(name_of(name), value) for name, value in answer.estimates.items()]
    table(title, ["of the dip", "value", f"{asked['level']:.0%} interval", "note"], rows)
    say(f"{'a dip' if found.dip else 'no dip'}; probability of one {found.probability:.2f}")
    say(f"where it sits, or would, moves as N ∝ D^{found.params_exponent:.2f}, width ∝ D^{found.width_exponent:.2f}")
    say(f"calibration: {found.calibration}")
    if out is not None:
        say(str(out))
