"""``dcrit predict double-descent``: whether test accuracy dips as a model grows, where and how deep."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import CalibrationFile, calibration_of
from dcrit.cli.terminal.options import MaxWidth, MinWidth, Points, check_widths
from dcrit.cli.terminal.output import print_json, row_of, say, table
from dcrit.cli.terminal.pictures import Out, check_out, save
from dcrit.theory.problems.problem import label


@options.grouped
def double_descent(
    *,
    n_train: options.NTrain,
    problem: options.AnyWidth,
    points: Points = 200,
    min_width: MinWidth = None,
    max_width: MaxWidth = None,
    sharp_capacity: Annotated[
        bool, typer.Option("--sharp-capacity", help="Let memorizing stop at capacity, as the starting theory has it.")
    ] = False,
    horizon: options.Horizon = None,
    level: options.Level = 0.9,
    calibration: CalibrationFile = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """A dip of test accuracy over model size at a fixed training set, or none: where, how deep, how sure.

    The width of the problem that --json prints plays no part.
    """
    from dcrit.theory.predictions.double_descent import predict_double_descent
    from dcrit.theory.predictions.phase_diagram import default_widths

    with options.bad_input():
        problem.check_n_train(n_train)
        check_out(out)
        check_widths(min_width, max_width, points)
    chosen = calibration_of(problem, calibration)
    with options.bad_input():
        widths = default_widths(problem, chosen, points, smallest=min_width, largest=max_width)
        found = predict_double_descent(
            problem, chosen, n_train=n_train, widths=widths, horizon=horizon, sharp_capacity=sharp_capacity, level=level
        )
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
    answers = {"depth": found.depth, "width": found.width, "n_params": found.place, "loss_peak_width": found.loss_peak}
    if as_json:
        document: dict[str, Any] = {"problem": problem.to_dict(), "n_train": n_train, "dip": found.dip}
        document["sharp_capacity"] = sharp_capacity
        document |= {
            "probability": found.probability,
            "horizon": found.horizon,
            "level": level,
            "calibration": found.calibration,
        }
        document |= {name: value.to_dict() for name, value in answers.items()}
        document |= {"params_exponent": found.params_exponent, "width_exponent": found.width_exponent}
        for name in ("widths", "n_params", "accuracy", "accuracy_low", "accuracy_high", "loss"):
            document["params" if name == "n_params" else name] = getattr(found, name).tolist()
        document["out"] = None if out is None else str(out)
        print_json(document)
        return
    title = f"{label(problem, width=False)}, {n_train} examples"
    rows = [row_of(name, value) for name, value in answers.items()]
    table(title, ["of the dip", "value", f"{level:.0%} interval", "note"], rows)
    say(f"{'a dip' if found.dip else 'no dip'}; probability of one {found.probability:.2f}")
    say(f"where it sits, or would, moves as N ∝ D^{found.params_exponent:.2f}, width ∝ D^{found.width_exponent:.2f}")
    say(f"calibration: {found.calibration}")
    if out is not None:
        say(str(out))
